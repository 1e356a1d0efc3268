// Method values and method expressions: a func that remembers its receiver, and one that takes it as an argument.
//
// What to look at:
//   - "stop: bound": `inc` is a func value; its function is the wrapper `main.(*Counter).Add-fm`, its receiver is captured.
//   - "stop: iface": a method value of an interface: the receiver with its itab is captured, and the -fm wrapper dispatches.
//   - "stop: expression": Adder.Add takes the interface as its first argument and dispatches on it.
package main

import "fmt"

type Adder interface{ Add(n int) int }

type Counter struct{ total int }

func (c *Counter) Add(n int) int {
	c.total += n
	return c.total
}

func apply(f func(int) int, n int) int {
	return f(n) // stop: bound
}

// hold hides from the compiler what is in the interface: else it would bind the concrete method directly.
func hold(a Adder) Adder { return a }

func main() {
	c := &Counter{}
	inc := c.Add
	fmt.Println(apply(inc, 2))
	a := hold(c)
	later := a.Add
	fmt.Println(later(3)) // stop: iface
	expression := Adder.Add
	fmt.Println(expression(a, 4)) // stop: expression
	concrete := (*Counter).Add
	fmt.Println(concrete(c, 5))
}
