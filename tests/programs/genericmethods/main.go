// Methods with type parameters of their own.
package main

import "fmt"

var all, ofHex int

type Numbers struct{ list []int }

//go:noinline
func (n *Numbers) Map[T fmt.Stringer](convert func(int) T) []string { // @Map
	all++
	var out []string
	for _, v := range n.list {
		out = append(out, convert(v).String())
	}
	return out
}

type hex int

func (h hex) String() string { return fmt.Sprintf("%#x", int(h)) }

type octal int

func (o octal) String() string { return fmt.Sprintf("%o", int(o)) }

type tally struct{ n int }

func (t *tally) String() string { return fmt.Sprint("|", t.n) }

func main() {
	n := &Numbers{[]int{10, 255}}
	for i := 0; i < 3; i++ {
		n.Map(func(v int) hex { return hex(v) })
		ofHex++
		n.Map(func(v int) octal { return octal(v) })
		n.Map(func(v int) *tally { return &tally{v} })
	}
	fmt.Printf("all=%d\nhex=%d\n", all, ofHex)
}
