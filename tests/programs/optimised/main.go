// What remains in optimised code: shown where it is there, said to be lost where it is not.
package main

import (
	"fmt"
	"os"
)

type Shape interface{ Area() int }

type Rect struct{ W, H int }

func (r *Rect) Area() int { return r.W * r.H }

//go:noinline
func use(values ...any) {
	if len(values) > 100 {
		fmt.Println(values...)
	}
}

//go:noinline
func parameters(a int, s string, list []int, shape Shape) int {
	use(a, s, list, shape) // @stop parameters
	//@ a == 5
	//@ s == "text"
	//@ list == []int len: 3, cap: 3, [1,2,3]
	//@ shape == main.Shape(*main.Rect) *{W: 3, H: 4}
	//@ shape.W == 3
	return a + len(s) + len(list) + shape.Area()
}

func inlined(x int) int {
	y := x * 2
	use(y) // @inlined
	return y + 1
}

//go:noinline
func loop(n int) int {
	total := 0
	for i := 0; i < n; i++ {
		total += inlined(i)
	}
	return total
}

func main() {
	rect := &Rect{3, 4}
	if len(os.Args) > 5 {
		rect.W = 9
	}
	use(parameters(5, "text", []int{1, 2, 3}, rect))
	use(loop(2))
}
