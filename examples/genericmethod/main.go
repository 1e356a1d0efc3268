//go:build go1.27

// Generic methods (Go 1.27): a method with type parameters of its own.
//
// What to look at:
//   - "stop: call": the same method for two result types; its dictionary is an argument.
//   - "stop: body": `T` in the stack frame's name is the real type.
package main

import "fmt"

type Numbers struct{ all []int }

func (n *Numbers) Map[T fmt.Stringer](convert func(int) T) []string {
	var out []string
	for _, v := range n.all {
		out = append(out, convert(v).String()) // stop: body
	}
	return out
}

type hex int

func (h hex) String() string { return fmt.Sprintf("%#x", int(h)) }

type tally struct{ n int }

func (t *tally) String() string { return fmt.Sprint("|", t.n, "|") }

func main() {
	n := &Numbers{[]int{10, 255}}
	fmt.Println(n.Map(func(v int) hex { return hex(v) }), n.Map(func(v int) *tally { return &tally{v} })) // stop: call
}
