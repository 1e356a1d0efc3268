// Small pieces of everything that moves the stack pointer: a test executes work one instruction at a time.
package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"time"
)

type Shape interface{ Area() int }

type Square struct{ side int }

func (s Square) Area() int { return s.side * s.side }

type Named struct{ Square }

var (
	sink   any
	shape  Shape = &Named{Square{3}}
	values       = map[string]int{}
	number int
)

//go:noinline
func leaf(a, b int) int { return a + b }

//go:noinline
func framed(a, b int) int {
	var pad [64]int
	for i := range pad {
		pad[i] = a
	}
	return leaf(pad[a&63], b)
}

//go:noinline
func deferring(n int) (r int) {
	defer func() { r += leaf(r, 1) }()
	if n > 1 {
		defer leaf(n, n)
	}
	return framed(n, 2)
}

//go:noinline
func nilPointer(p *Square) (r int) {
	defer func() { recover(); r = 7 }()
	return p.side
}

//go:noinline
func nilFunction(f func()) {
	defer func() { recover() }()
	f()
}

//go:noinline
func dividing(n int) int {
	defer func() { recover() }()
	return 5 / n
}

// Needs more stack than the goroutine has.
//
//go:noinline
func growing(n int) int {
	var pad [128]int
	pad[n&127] = n
	if n == 0 {
		return pad[0]
	}
	return growing(n-1) + pad[n&127]
}

func sum[T int | float64](xs ...T) (t T) {
	for _, x := range xs {
		t += x
	}
	return t
}

//go:noinline
func work() {
	number = framed(1, 2)
	number += shape.Area()
	number += deferring(3)
	values["a"] = number
	sink = make([]int, 10)
	number += sum(1, 2, 3)
	nilPointer(nil)
	nilFunction(nil)
	dividing(0)
	sink = time.Now()
	runtime.Gosched()
	sink = growing(12)
	sink = fmt.Sprint(number)
	done()
}

//go:noinline
func done() { number++ }

func main() {
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(-1)
	// Free memory in the heap: else steps go through a search of the whole address space for a place where it can grow.
	sink = make([]byte, 4<<20)
	sink = nil
	runtime.GC()
	finished := make(chan bool)
	// On a goroutine of its own, whose stack is small.
	go func() {
		work()
		finished <- true
	}()
	<-finished
}
