// A zoo of every kind of dynamic call; each line with a call is run at least once.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"
	"sync"
)

type Weigher interface{ Weight() int }

type Speaker interface {
	Name() string
	Speak(n int) string
	Weight() int
}

type Maker interface {
	Make(n int) Speaker
	hidden(n int) int
}

type Op interface{ Add(a, b int) int }

type Dog struct {
	name string
	kg   int
}

func (d Dog) Name() string       { return d.name }
func (d Dog) Speak(n int) string { return strings.Repeat("woof ", n) }
func (d Dog) Weight() int        { return d.kg }

type Cat struct{ kg int }

func (c *Cat) Name() string { return "cat" }
func (c *Cat) Speak(n int) string {
	if n > 3 {
		return "hiss"
	}
	return "meow"
}
func (c *Cat) Weight() int { return c.kg }

// Small holds itself in the data word of an interface.
type Small struct{ p *int }

func (s Small) Weight() int { return *s.p }

type Num int

func (n Num) Weight() int      { return int(n) }
func (n Num) Add(a, b int) int { return a + b + int(n) }

type A1 struct{ bias int }

//go:noinline
func (a *A1) Add(x, y int) int { return x + y + a.bias }

// Embedding in every way.
type Inner struct{ w int }

func (i Inner) Weight() int     { return i.w }
func (i *Inner) PtrWeight() int { return i.w * 2 }

type ByValue struct {
	pad int
	Inner
}
type ByPointer struct {
	pad [3]int
	*Inner
}
type ByInterface struct {
	pad int
	Weigher
}
type PtrWeigher interface{ PtrWeight() int }
type Both interface {
	Weigher
	PtrWeigher
}

type M1 struct{ flip bool }

func (m M1) Make(n int) Speaker {
	if n%2 == 0 {
		return Dog{"rex", n}
	}
	return &Cat{n}
}
func (m M1) hidden(n int) int { return n + 1 }

type Deps struct {
	cache *Store
	ops   []Op
	named map[string]Weigher
}
type Store struct{ inner Getter }
type Getter interface{ Get(k string) (Weigher, bool) }
type memGetter struct{ m map[string]Weigher }

func (g *memGetter) Get(k string) (Weigher, bool) { w, ok := g.m[k]; return w, ok }

type Number interface{ ~int | ~int64 }

type Summer[T any] interface{ Sum(T, T) T }
type plus[T Number] struct{ bias T }

func (p plus[T]) Sum(a, b T) T { return a + b + p.bias }

func Fold[T any](s Summer[T], xs []T, zero T) T {
	acc := zero
	for _, x := range xs {
		acc = s.Sum(acc, x)
	}
	return acc
}

//go:noinline
func CallWeight[T Weigher](xs ...T) int {
	total := 0
	for _, x := range xs {
		total += x.Weight()
	}
	return total
}

//go:noinline
func CallBoth[T Speaker](x T, n int) string {
	s := x.Name()
	s += x.Speak(n)
	return s + fmt.Sprint(x.Weight())
}

type Box[T Weigher] struct{ v T }

//go:noinline
func (b *Box[T]) Heavy(min int) bool { return b.v.Weight() > min }

type HandlerFunc func(s string) int

func (f HandlerFunc) Handle(s string) int { return f(s) }

type Handler interface{ Handle(s string) int }

var globalW Weigher = Num(7)
var globalF = func(n int) int { return n * 3 }
var sink int
var text string

//go:noinline
func interfaces(a, b Weigher, x Op) int {
	r := a.Weight() + b.Weight()*x.Add(1, 2)
	r += globalW.Weight()
	return r
}

//go:noinline
func chained(m Maker, n int) string {
	return m.Make(n).Speak(1) + m.Make(n+1).Name()
}

//go:noinline
func unexported(m Maker) int { return m.hidden(4) }

//go:noinline
func fields(d *Deps, k string) int {
	w, ok := d.cache.inner.Get(k)
	if ok && w.Weight() > 0 || d.ops[0].Add(1, 1) > 2 {
		sink += d.named[k].Weight()
	}
	for _, op := range d.ops {
		sink = op.Add(sink, 1)
	}
	return sink
}

//go:noinline
func closures(k int) int {
	add := func(n int) int { k += n; return k }
	fs := []func(int) int{add, globalF, func(n int) int { return n - 1 }}
	t := 0
	for i, f := range fs {
		t += f(i) + fs[0](1)
	}
	t += globalF(2)
	return t + apply(add, 5)
}

//go:noinline
func apply(f func(int) int, n int) int { return f(n) }

//go:noinline
func methodValues(a Weigher, d *Dog) int {
	f := a.Weight
	g := d.Weight
	h := Weigher.Weight
	k := (*Dog).Weight
	return f() + g() + h(a) + k(d) + later(f)
}

//go:noinline
func later(f func() int) int { return f() }

//go:noinline
func assertions(v any) int {
	switch x := v.(type) {
	case Speaker:
		return x.Weight() + len(x.Name())
	case Weigher:
		return x.Weight()
	case error:
		return len(x.Error())
	}
	if s, ok := v.(fmt.Stringer); ok {
		return len(s.String())
	}
	return v.(Op).Add(1, 2)
}

//go:noinline
func spawned(x Op, w Weigher, wg *sync.WaitGroup) {
	wg.Add(2)
	go func() { defer wg.Done(); sink += x.Add(1, 2) }()
	go run(w, wg)
	wg.Wait()
	done := make(chan int, 1)
	go report(done)
	<-done
}

func run(w Weigher, wg *sync.WaitGroup) { text = fmt.Sprint(w.Weight()); wg.Done() }
func report(c chan int)                 { c <- 1 }

//go:noinline
func deferred(x Op, c io.Closer) (n int) {
	defer c.Close()
	defer x.Add(1, 2)
	defer func() { n++ }()
	for i := 0; i < 2; i++ {
		defer func() { n += x.Add(i, 1) }()
	}
	return x.Add(2, 3)
}

type closer struct{ n *int }

func (c closer) Close() error { *c.n++; return nil }

//go:noinline
func conditional(a, b Weigher, yes bool) int {
	if yes && a.Weight() > 1 || b.Weight() > 100 {
		return 1
	}
	for i := 0; i < a.Weight()%4; i += b.Weight()%2 + 1 {
		sink += i
	}
	return 2
}

//go:noinline
func nilCall(w Weigher) (msg string) {
	defer func() { msg = fmt.Sprint(recover()) }()
	return fmt.Sprint(w.Weight())
}

//go:noinline
func devirtualised() int {
	var w Weigher = &Cat{3}
	n := w.Weight()
	var b io.Writer = os.Stderr
	m, _ := b.Write(nil)
	return n + m
}

//go:noinline
func manyArguments(w io.ReaderAt, s fmt.State, big [5]int, v Weigher) (int, int) {
	buf := make([]byte, 4)
	n, err := w.ReadAt(buf, int64(big[0]))
	if err != nil && !errors.Is(err, io.EOF) {
		return n, v.Weight()
	}
	return n, v.Weight() + big[4]
}

type byKg []Speaker

func (s byKg) Len() int           { return len(s) }
func (s byKg) Less(i, j int) bool { return s[i].Weight() < s[j].Weight() }
func (s byKg) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }

type joined struct{ err error }

func (j joined) Error() string { return "joined: " + j.err.Error() }
func (j joined) Unwrap() error { return j.err }

func main() {
	p := 9
	in := &Inner{4}
	ws := []Weigher{
		Dog{"a", 1}, &Dog{"b", 2}, &Cat{3}, Small{&p}, Num(5), ByValue{1, Inner{2}}, &ByValue{1, Inner{3}},
		ByPointer{Inner: in}, &ByPointer{Inner: in}, ByInterface{1, Num(8)}, &ByInterface{1, &Cat{2}},
		ByInterface{1, ByInterface{2, Dog{"c", 6}}},
	}
	for i, w := range ws {
		sink += interfaces(w, ws[(i+1)%len(ws)], &A1{i})
		sink += methodValues(w, &Dog{"d", i})
		sink += conditional(w, ws[0], i%2 == 0)
		sink += assertions(w)
	}
	for _, b := range []Both{&ByValue{1, Inner{2}}, ByPointer{Inner: in}, in} {
		sink += b.Weight() + b.PtrWeight()
	}
	for n := 0; n < 3; n++ {
		text += chained(M1{}, n)
		sink += unexported(&M1{})
	}
	store := &Store{&memGetter{map[string]Weigher{"k": Num(3), "z": &Cat{0}}}}
	d := &Deps{store, []Op{&A1{1}, Num(2)}, map[string]Weigher{"k": Dog{"e", 4}, "z": &Cat{1}}}
	sink += fields(d, "k") + fields(d, "z")
	sink += closures(3) + Fold[int](plus[int]{1}, []int{1, 2, 3}, 0)
	sink += CallWeight(Num(1), Num(2)) + CallWeight(&Cat{1}) + CallWeight[Weigher](ws...)
	text += CallBoth(Dog{"x", 1}, 2) + CallBoth[Speaker](&Cat{2}, 1)
	if (&Box[*Cat]{&Cat{4}}).Heavy(3) && (&Box[Num]{5}).Heavy(3) {
		sink++
	}
	var h Handler = HandlerFunc(func(s string) int { return len(s) })
	sink += h.Handle("abc")
	var wg sync.WaitGroup
	spawned(&A1{2}, Dog{"y", 3}, &wg)
	sink += deferred(Num(3), closer{&p})
	text += nilCall(nil) + nilCall((*Dog)(nil)) + nilCall(Num(1))
	sink += devirtualised()
	a, b := manyArguments(strings.NewReader("hello"), nil, [5]int{1, 2, 3, 4, 5}, Num(1))
	sink += a + b
	sp := byKg{&Cat{3}, Dog{"q", 1}, &Dog{"r", 2}}
	sort.Sort(sp)
	sort.Slice(sp, func(i, j int) bool { return sp[i].Name() < sp[j].Name() })
	err := error(joined{io.EOF})
	if errors.Is(err, io.EOF) {
		text += err.Error()
	}
	var buf bytes.Buffer
	fmt.Fprintf(&buf, "%v %v %d", sp[0].Name(), err, sink)
	sink += assertions(err) + assertions(&buf) + assertions(Num(2))
	if len(os.Args) > 5 {
		fmt.Println(text, sink, buf.String())
	}
}
