// Closures: a func value is a pointer to its code and to what it captured.
//
// What to look at:
//   - "stop: call": `step` opens to what it captured: `by` (a copy, it never changes) and `total` (shared, by reference).
//   - "stop: table": funcs in a map and in a struct field: the table names the target of each call of the line.
//   - "stop: nil": a nil func. The dispatch table says that the call will panic.
package main

import "fmt"

func adder(by int) (step func() int, total func() int) {
	sum := 0
	step = func() int { sum += by; return sum }
	return step, func() int { return sum }
}

type handler struct {
	name string
	run  func(string) string
}

func main() {
	step, total := adder(5)
	step()
	fmt.Println(step(), total()) // stop: call

	greet := "hello "
	table := map[string]func(string) string{
		"greet": func(s string) string { return greet + s },
		"shout": func(s string) string { return s + "!" },
	}
	h := handler{"both", func(s string) string { return "[" + s + "]" }}
	fmt.Println(h.run(table["shout"](table["greet"]("you")))) // stop: table

	var missing func() int
	func() {
		defer func() { fmt.Println("recovered:", recover()) }()
		fmt.Println(missing()) // stop: nil
	}()
}
