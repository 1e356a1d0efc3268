//go:build go1.23

package main

import "iter"

//go:noinline
func count(yield func(int) bool) {
	for i := 0; i < 3; i++ {
		if !yield(i) { // @yield
			return
		}
	}
}

//go:noinline
func coroutines() (sum int) {
	next, stop := iter.Pull(count) // into: main.count
	v, _ := next()                 // into: main.count // @next1
	sum += v                       // @after1
	v, _ = next()                  // into: main.count // @next2
	sum += v                       // @after2
	stop()                         // into: main.count
	return sum
}
