// Calls whose target is known only at run time, and where a step into each must land.
package main

import (
	"fmt"
	"os"
	"sort"
)

type Shape interface {
	Area() float64
	Name() string
}

type Square struct{ Side float64 }

func (s *Square) Area() float64 { // @Square.Area
	return s.Side * s.Side
}

func (s *Square) Name() string { // @Square.Name
	return "square"
}

type Circle struct{ Radius float64 }

func (c Circle) Area() float64 { // @Circle.Area
	return 3 * c.Radius * c.Radius
}

func (c Circle) Name() string { // @Circle.Name
	return "circle"
}

type Framed struct {
	Shape
	Border float64
}

type Base struct{ ID int }

func (b *Base) Area() float64 { // @Base.Area
	return float64(b.ID)
}

func (b *Base) Name() string { // @Base.Name
	return "base"
}

type Promoted struct {
	*Base
	Extra int
}

type Repo[T any] struct{ items []T }

func (r *Repo[T]) Area() float64 { // @Repo.Area
	return float64(len(r.items))
}

func (r *Repo[T]) Name() string { // @Repo.Name
	return "repo"
}

type byArea []Shape

func (b byArea) Len() int           { return len(b) }
func (b byArea) Swap(i, j int)      { b[i], b[j] = b[j], b[i] }
func (b byArea) Less(i, j int) bool { return b[i].Area() < b[j].Area() } // @Less

//go:noinline
func shapes() []Shape {
	return []Shape{
		&Square{2}, Circle{1}, Framed{Circle{3}, 1}, Promoted{&Base{4}, 1}, &Repo[string]{[]string{"a"}},
	}
}

//go:noinline
func measure(s Shape) float64 {
	return s.Area() // @measure
}

//go:noinline
func both(a, b Shape) float64 {
	return a.Area() + b.Area() // @both
}

//go:noinline
func maybe(s Shape, really bool) bool {
	return really && s.Area() > 1 // @maybe
}

//go:noinline
func apply(f func(int) int, n int) int {
	return f(n) // @apply
}

//go:noinline
func deferred(s Shape) {
	defer s.Name() // @defer
	fmt.Fprint(os.Stderr, "")
}

//go:noinline
func barrier(s Shape) string {
	return fmt.Sprint(os.Getpid(), s.Name()) // @barrier
}

func main() {
	all := shapes() // @start
	for _, s := range all {
		measure(s)
	}
	both(all[0], all[1])
	maybe(all[0], true)
	maybe(all[0], false)
	factor := 3
	apply(func(n int) int { // @closure
		return n * factor
	}, 14)
	method := all[1].Area
	method() // @methodvalue
	deferred(all[0])
	sort.Sort(byArea(all)) // @sort
	var w fmt.Stringer
	if len(os.Args) > 1 {
		fmt.Println(w.String()) // @nilcall
	}
	barrier(all[0])
	fmt.Println(len(all)) // @end
}
