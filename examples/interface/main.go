// A plain interface call: the receiver's itab says which function runs.
//
// What to look at:
//   - "stop: speak": one line, one call site, a different target each time round the loop. Compare `[itab]` of `a`.
//   - "stop: two": two calls of one line in evaluation order; the arguments are computed first. The target of the outer call
//     is known at once, the inner one's receiver too.
//   - "stop: devirtualised": the compiler knew the concrete type and calls it directly: the table says so.
//   - "stop: chain": the receiver of Speak is a result; the target is decided only when Make has returned.
package main

import "fmt"

type Animal interface {
	Speak(to string) string
}

type Dog struct{ name string }

func (d *Dog) Speak(to string) string { return d.name + " barks at " + to }

type Cat struct{ lives int }

func (c *Cat) Speak(to string) string {
	return fmt.Sprint("cat with ", c.lives, " lives looks at ", to)
}

type Maker interface {
	Make(n int) Animal
}

type kennel struct{}

func maker(n int) Maker {
	if n > 2 {
		return &kennel{}
	}
	return nil
}

func (*kennel) Make(n int) Animal {
	if n%2 == 0 {
		return &Cat{lives: n}
	}
	return &Dog{name: "pup"}
}

// hold hides from the compiler what is in an interface: else it would call the concrete method directly.
func hold(a Animal) Animal { return a }

func main() {
	dog, cat := &Dog{name: "Rex"}, &Cat{lives: 9}
	for _, a := range []Animal{dog, cat} {
		fmt.Println(a.Speak("you")) // stop: speak
	}
	first, second := hold(dog), hold(cat)
	both := first.Speak(second.Speak("the moon")) // stop: two
	fmt.Println(both)

	var m Maker = &kennel{}
	fmt.Println(m.Make(0).Speak("nobody")) // stop: devirtualised
	m = maker(3)
	for n := 1; n <= 2; n++ {
		said := m.Make(n).Speak("the maker") // stop: chain
		fmt.Println(said)
	}
}
