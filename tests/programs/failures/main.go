// Everything that the runtime panics with: argument 1 says what. Marks are the lines that panic, assert or recover.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"
)

type Shape interface{ Area() int }

type Named interface {
	Shape
	Name() string
}

type Square struct{ Side int }

func (s *Square) Area() int    { return s.Side * s.Side }
func (s *Square) Name() string { return "square" }

type Circle struct{ R int }

func (c Circle) Area() int { return c.R }

type Store interface{ Get(key string) int }

type Memory struct{ data map[string]int }

func (m Memory) Get(key string) int { return m.data[key] }

type Key struct {
	Name string
	List []int
}

type Custom struct {
	Code int
	Text string
}

func (c Custom) Error() string { return c.Text }

type Plain struct{ A, B int }

type node struct {
	next  *node
	value int
	call  func(int) int
}

type inner struct{ depth int }

type outer struct {
	*inner
	width int
}

type holder struct {
	mu    sync.Mutex
	count int
}

type box struct {
	list  []int
	table map[string]int
	out   chan int
	store Store
}

var sink int

//go:noinline
func use(v any) {
	if v == nil {
		sink++
	}
}

//go:noinline
func mustBeInt(v any) int {
	return v.(int) // @mustint
}

//go:noinline
func mustBeCircle(s Shape) int {
	return s.(Circle).R // @mustcircle
}

//go:noinline
func mustBeNamed(v any) string {
	return v.(Named).Name() // @mustnamed
}

//go:noinline
func mayBeNamed(v any) bool {
	_, ok := v.(Named) // @maynamed
	return ok
}

//go:noinline
func mayBeSquare(s Shape, n int) bool {
	sq, ok := s.(*Square) // @maysquare
	use(sq)
	return ok
}

//go:noinline
func switched(v any) int {
	switch x := v.(type) {
	case int: // @switched
		return x
	case Named:
		return len(x.Name())
	}
	return 0
}

//go:noinline
func typed[T any](v any) T {
	return v.(T) // @typed
}

//go:noinline
func index(b *box, i int, other []int) int {
	return b.list[i] + other[0] // @index
}

//go:noinline
func slice(text string, low, high int) string {
	return text[low:high] // @slice
}

//go:noinline
func divide(a, b int) int {
	return a / b // @divide
}

//go:noinline
func store(b *box, key string) {
	b.table[key] = len(b.list) // @nilmap
}

//go:noinline
func closing(b *box) {
	close(b.out) // @close
}

//go:noinline
func send(b *box) {
	b.out <- 1 // @send
}

//go:noinline
func equal(a, b any) bool {
	return a == b // @equal
}

//go:noinline
func lookup(m map[any]int, key any) int {
	return m[key] // @lookup
}

//go:noinline
func walk(n *node) int {
	return n.next.value // @walk
}

//go:noinline
func invoke(n *node) int {
	return n.call(3) // @invoke
}

//go:noinline
func promoted(o *outer) int {
	return o.width + o.depth // @promoted
}

//go:noinline
func find(n *node) *node { return n.next }

//go:noinline
func found(n *node) int {
	return n.value + find(n).value // @found
}

//go:noinline
func locked(h *holder) int {
	h.mu.Lock() // @locked
	return h.count
}

//go:noinline
func fetch(b *box) int {
	return b.store.Get("key") // @fetch
}

//go:noinline
func gone() string {
	runtime.Goexit()
	return "key"
}

//go:noinline
func leave(code int) string {
	if code > 0 {
		os.Exit(code)
	}
	return "key"
}

//go:noinline
func rescued(b *box) (n int) {
	defer rescue()
	return b.store.Get(never(3)) // @rescued
}

//go:noinline
func never(n int) string {
	panic(Plain{n, n})
}

//go:noinline
func typedNil() Store { return (*Memory)(nil) }

//go:noinline
func guarded(n int) (result int) {
	defer func() {
		if r := recover(); r != nil { // @recover
			result = -n
		}
	}()
	if n > 0 {
		panic(Custom{n, "guarded"}) // @raised
	}
	return n
}

//go:noinline
func again() {
	defer func() {
		r := recover()
		panic(r) // @again
	}()
	panic("first") // @first
}

//go:noinline
func second() {
	defer func() {
		panic("second") // @second
	}()
	panic("first")
}

func rescue() {
	use(recover()) // @rescue
}

// The panics that "all" recovers one after the other.
var all = []string{
	"int", "circle", "named", "pointer", "nilnamed", "typed", "index", "slice", "divide", "nilmap", "close", "closed", "send",
	"equal", "lookup", "walk", "invoke", "promoted", "found", "locked", "fetch", "typednil", "custom", "plain", "wrapped",
}

func main() {
	how := "none"
	if len(os.Args) > 1 {
		how = os.Args[1]
	}
	if how == "all" {
		for _, each := range all {
			func() {
				defer rescue()
				run(each)
			}()
		}
	} else {
		run(how)
	}
	fmt.Println("done", sink)
}

//go:noinline
func run(how string) {
	b := &box{list: []int{1, 2}}
	switch how {
	case "int":
		use(mustBeInt("text"))
	case "circle":
		use(mustBeCircle(&Square{2}))
	case "named":
		use(mustBeNamed(Circle{1}))
	case "pointer":
		use(mustBeNamed(Square{1}))
	case "nilnamed":
		use(mustBeNamed(nil))
	case "typed":
		use(typed[int]("text"))
	case "may":
		for i := 0; i < 3; i++ {
			use(mayBeNamed(&Square{1}))
			use(mayBeSquare(&Square{1}, i))
			use(mayBeSquare(Circle{1}, i))
			use(switched("text"))
		}
		use(mayBeNamed(Circle{7}))
	case "index":
		use(index(b, 5, b.list))
	case "slice":
		use(slice("hello", 4, 2))
	case "divide":
		use(divide(7, sink-sink))
	case "nilmap":
		store(b, "key")
	case "close":
		closing(b)
	case "closed":
		b.out = make(chan int)
		close(b.out)
		closing(b)
	case "send":
		b.out = make(chan int)
		close(b.out)
		send(b)
	case "equal":
		use(equal(Key{"a", nil}, Key{"a", nil}))
	case "lookup":
		use(lookup(map[any]int{1: 2}, Key{"a", nil}))
	case "walk":
		use(walk(&node{value: 1}))
	case "invoke":
		use(invoke(&node{value: 1}))
	case "promoted":
		use(promoted(&outer{width: 1}))
	case "found":
		use(found(&node{value: 1}))
	case "locked":
		use(locked(nil))
	case "fetch":
		use(fetch(b))
	case "typednil":
		b.store = typedNil()
		use(fetch(b))
	case "custom":
		panic(Custom{5, "custom text"}) // @custom
	case "plain":
		panic(Plain{1, 2}) // @plain
	case "wrapped":
		panic(fmt.Errorf("outer: %w", errors.New("inner"))) // @wrapped
	case "nil":
		panic(nil) // @panicnil
	case "recover":
		for i := 0; i < 3; i++ {
			use(guarded(i))
		}
		func() {
			defer rescue()
			use(walk(&node{}))
		}()
	case "again":
		again()
	case "second":
		second()
	case "gone":
		b.store = Memory{}
		go func() {
			use(b.store.Get(gone())) // @gone
		}()
		time.Sleep(20 * time.Second)
	case "leave":
		b.store = Memory{}
		use(b.store.Get(leave(4))) // @leave
	case "rescued":
		b.store = Memory{}
		use(rescued(b))
	case "goexit":
		go func() {
			defer func() { panic("in goexit") }() // @goexit
			runtime.Goexit()
		}()
		time.Sleep(20 * time.Second)
	}
}
