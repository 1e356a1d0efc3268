// Places where names mean something else than in a plain function. Each waits in stop, with its variables used again afterwards.
package main

import (
	"fmt"
	"io"
	"os"
)

type Point struct{ X, Y int }
type Stack[T any] struct{ items []T }

var x = "package"
var shared = 1

func stop() {
	fmt.Println("END")
	io.Copy(io.Discard, os.Stdin)
}

func use(values ...any) {
	if len(values) > 1000 {
		fmt.Println(values...)
	}
}

func shadow(x int) (named string, err error) {
	named = "result"
	y := x + 1
	{
		x := "inner"
		{
			x := 2.5
			stop()
			use(x)
		}
		use(x)
	}
	late := y
	use(x, y, late)
	return named, nil
}

func closures() {
	count, fixed := 3, "fixed"
	f := func(arg int) int {
		local := count * arg
		stop()
		count += local
		use(fixed, local)
		return local
	}
	use(f(2), count)
}

//go:noinline
func Map[T any, U comparable](in []T, f func(T) U) map[U]T {
	out := map[U]T{}
	var first T
	for i, v := range in {
		key := f(v)
		out[key] = v
		if i == 0 {
			first = v
			var boxed any = v
			stop()
			use(first, boxed, key)
		}
	}
	return out
}

func (s *Stack[T]) Push(v T) {
	s.items = append(s.items, v)
	var boxed any = v
	stop()
	use(s, v, boxed)
}

func (p Point) value(d int) int {
	stop()
	use(p, d)
	return p.X * d
}

func local() {
	type T struct{ Name string }
	const answer = 42
	t := T{"local"}
	pt := &t
	stop()
	use(t, pt, answer)
}

func main() {
	use(x, shared)
	switch os.Args[1] {
	case "shadow":
		shadow(7)
	case "closures":
		closures()
	case "generic":
		use(Map([]Point{{1, 2}}, func(p Point) string { return fmt.Sprint(p.X) }))
	case "method":
		s := &Stack[Point]{}
		s.Push(Point{3, 4})
	case "value":
		Point{5, 6}.value(2)
	case "local":
		local()
	}
}
