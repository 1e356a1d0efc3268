// Calls that the compiler guards because default.pgo says who runs there: `if itab == X { X's body } else { the call }`.
// `// into: F, G` as in zoo; default.pgo is what `profiled profile` writes.
package main

import (
	"fmt"
	"os"
	"runtime/pprof"
)

type Shape interface{ Area(n int) int }

type Square struct{ side int }

func (s *Square) Area(n int) int { return s.side*n + 1 }

type Circle struct{ radius int }

// Can't be inlined, and may be devirtualised: `go:noinline` would forbid both.
func (c *Circle) Area(n int) int {
	defer done()
	return work(c.radius, n)
}

//go:noinline
func done() {}

//go:noinline
func work(a, b int) int {
	for i := 0; i < 6; i++ {
		a = a*31 + b
	}
	return a
}

//go:noinline
func direct(s Shape, n int) int {
	return s.Area(n) + 1 // into: main.(*Circle).Area
}

//go:noinline
func other(s Shape, n int) int {
	return s.Area(n) + 1 // into: main.(*Square).Area
}

//go:noinline
func inlined(s Shape, n int) int {
	sum := 0
	for i := 0; i < n; i++ {
		sum += s.Area(i) // into: main.(*Square).Area
	}
	return sum
}

func double(n int) int { return work(n, 2) }

//go:noinline
func closure(f func(int) int, n int) int {
	return f(n) + 1 // into: main.double
}

func main() {
	rounds := 1
	if len(os.Args) > 1 {
		file, err := os.Create("default.pgo")
		if err != nil {
			panic(err)
		}
		pprof.StartCPUProfile(file)
		defer pprof.StopCPUProfile()
		rounds = 200000000
	}
	square, circle := &Square{2}, &Circle{3}
	sum := 0
	for i := 0; i < rounds; i++ {
		sum += direct(circle, i)
		if i < 1 {
			sum += other(square, i)
		} else {
			sum += other(circle, i)
		}
		sum += inlined(square, 2+i%3)
		sum += closure(double, i)
	}
	fmt.Println(sum != 0)
}
