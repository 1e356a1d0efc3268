//go:build go1.23

package main

import "iter"

var pulled int

func numbers(yield func(int) bool) {
	for i := 0; yield(i); i++ {
	}
}

func coroutine() {
	next, _ := iter.Pull(numbers)
	pulled, _ = next()
	kept = next
}

var kept func() (int, bool)
