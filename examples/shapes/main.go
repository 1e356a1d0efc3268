// Shapes is the demonstration that README.md and `cargo xtask demo` use.
//
// What to look at, stopped at "stop: area":
//   - `s` in Locals opens to the fields of the concrete *Square, and to `[itab]`: the interface type, the concrete type and
//     the method table, in which each method names the function it calls and the body behind it.
//   - The dispatch table of the line (`dispatch` in the debug console): three calls, of which two are dynamic.
//   - A step into `s.Area`: Square.Area has a value receiver and s holds a pointer, so that the itab names a wrapper that
//     the compiler generated. The step lands behind it, in the body below.
//   - `none`: an interface that is not nil, with a nil pointer in it.
package main

import (
	"fmt"
	"os"
)

// Shape is what the program calls through.
type Shape interface {
	Area() float64
	Name() string
}

// Square has value receivers: (*Square).Area exists only as a generated wrapper.
type Square struct {
	Side float64
}

func (q Square) Area() float64 { return q.Side * q.Side }

func (q Square) Name() string { return "square" }

// Circle has pointer receivers: its itab names the bodies themselves.
type Circle struct {
	Radius float64
	label  string
}

func (c *Circle) Area() float64 { return 3 * c.Radius * c.Radius }

func (c *Circle) Name() string { return "circle " + c.label }

func describe(w *os.File, s Shape) {
	fmt.Fprintf(w, "%s: %.1f\n", s.Name(), s.Area()) // stop: area
}

func main() {
	shapes := []Shape{&Square{Side: 3}, &Circle{Radius: 2, label: "small"}}
	var missing *Circle
	var none Shape = missing
	total := 0.0
	for _, s := range shapes {
		describe(os.Stdout, s)
		total += s.Area() // stop: sum
	}
	fmt.Println("total:", total, "none is nil:", none == nil) // stop: end
}
