// Panics in progress and deferred calls that wait: on the goroutine's list, in the frame, from range-over-func bodies.
package main

import "errors"

//go:noinline
func checkpoint() int { return 1 }

//go:noinline
func one() {}

//go:noinline
func two(n int) { _ = n }

//go:noinline
func looped() {
	// In a loop: on the list.
	for i := 0; i < 3; i++ {
		defer two(i)
	}
	middle()
}

//go:noinline
func middle() {
	// Not in a loop: in the frame, when optimised.
	defer one()
	defer two(5)
	if checkpoint() == 0 {
		defer one()
	}
	failing()
}

//go:noinline
func failing() {
	defer func() {
		defer func() { recover() }()
		// While the first panic is in progress.
		panic("second")
	}()
	defer func() { checkpoint() }()
	panic(errors.New("first"))
}

func main() {
	defer func() { recover(); checkpoint() }()
	looped()
}
