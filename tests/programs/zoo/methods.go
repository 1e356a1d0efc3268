//go:build go1.27

package main

type Numbers struct{ all []int }

//go:noinline
func (n *Numbers) Map[T Keyed](convert func(int) T) (out []string) {
	for _, v := range n.all {
		out = append(out, convert(v).Key()) // into: main.methods.func1, main.(*User).Key
	}
	return out
}

//go:noinline
func methods() {
	n := &Numbers{[]int{10, 255}}
	n.Map(func(v int) *User { return &User{"u"} }) // into: main.(*Numbers).Map[*main.User]
}
