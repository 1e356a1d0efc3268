//go:build go1.23

package main

import "iter"

type tree struct {
	left, right *tree
	value       int
}

//go:noinline
func (t *tree) all() iter.Seq[int] {
	return func(yield func(int) bool) { t.push(yield) }
}

//go:noinline
func (t *tree) push(yield func(int) bool) bool {
	return t == nil || t.left.push(yield) && yield(t.value) && t.right.push(yield)
}

//go:noinline
func each(yield func(int) bool) {
	_ = yield(1) && yield(2)
}

//go:noinline
func rangeOver(f iter.Seq[int], s Shape) (sum int) {
	for v := range f { // into: main.each
		sum += v * s.Area() // into: main.(*Square).Area
	}
	for v := range (&tree{value: 2}).all() { // into: main.(*tree).all, main.(*tree).all.func1
		sum += v
	}
	next, stop := iter.Pull(f) // into: main.each
	v, _ := next()
	stop()
	return sum + v
}

func versions() {
	rangeOver(each, &Square{3})
	methods()
}
