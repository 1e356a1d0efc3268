//go:build go1.23

// Range over funcs and iter.Pull (Go 1.23): the loop body is a function that the iterator calls.
//
// What to look at:
//   - "stop: range": the line of the loop can step into the iterator.
//   - "stop: body": the loop body runs as main.main-range1, called by the iterator; the variables around it are in scope.
//   - "stop: pull": next() of iter.Pull switches to the iterator's coroutine.
package main

import (
	"fmt"
	"iter"
)

type tree struct {
	left, right *tree
	value       int
}

func (t *tree) all() iter.Seq[int] {
	return func(yield func(int) bool) { t.push(yield) }
}

func (t *tree) push(yield func(int) bool) bool {
	return t == nil || t.left.push(yield) && yield(t.value) && t.right.push(yield)
}

func main() {
	t := &tree{&tree{nil, nil, 1}, &tree{nil, nil, 3}, 2}
	sum := 0
	for v := range t.all() { // stop: range
		sum += v // stop: body
	}
	next, stop := iter.Pull(t.all())
	defer stop()
	first, ok := next() // stop: pull
	fmt.Println(sum, first, ok)
}
