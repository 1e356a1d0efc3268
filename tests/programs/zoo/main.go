// Every way to reach a function that the source does not name. `// into: F, G` at the end of a line names the functions that a
// step into the line's calls has to land in; `A|B`: its names in different versions of Go.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"
)

type Shape interface {
	Area() int
	Scale(n int) Shape
}

type Square struct{ side int }

//go:noinline
func (s *Square) Area() int { return s.side * s.side }

//go:noinline
func (s *Square) Scale(n int) Shape { return &Square{s.side * n} }

type Circle struct{ radius, border int }

//go:noinline
func (c Circle) Area() int { return 3*c.radius*c.radius + c.border }

//go:noinline
func (c Circle) Scale(n int) Shape { return Circle{c.radius * n, c.border} }

type Framed struct {
	Shape
	width int
}

type Base struct{ id int }

//go:noinline
func (b *Base) Area() int { return b.id }

//go:noinline
func (b *Base) Scale(n int) Shape { return &Square{b.id * n} }

type ByPointer struct {
	extra int
	*Base
}

type ByValue struct {
	extra int
	Base
}

type Counter int

//go:noinline
func (c Counter) Area() int { return int(c) + 1 }

//go:noinline
func (c Counter) Scale(n int) Shape { return c * Counter(n) }

//go:noinline
func area(s Shape) int {
	return s.Area() // @area
}

//go:noinline
func plain(a, b, c, d, e, f Shape) int {
	sum := a.Area()                                 // into: main.(*Square).Area
	sum += b.Area()                                 // into: main.Circle.Area
	sum += c.Area()                                 // into: main.Circle.Area
	sum += d.Area()                                 // into: main.(*Base).Area
	sum += e.Area()                                 // into: main.(*Base).Area
	sum += f.Area()                                 // into: main.Counter.Area
	sum += a.Area() + b.Area()*2                    // into: main.(*Square).Area, main.Circle.Area
	sum += a.Scale(2).Area()                        // into: main.(*Square).Scale, main.(*Square).Area
	sum += b.Scale(a.Area()).Scale(d.Area()).Area() // into: main.Circle.Scale, main.(*Square).Area, main.(*Base).Area, main.Circle.Area
	return sum
}

//go:noinline
func tail(a Shape) int {
	return a.Area() // into: main.(*Square).Area
}

type Apply func(int) int

//go:noinline
func (f Apply) Do(n int) int { return f(n) + 1 }

type Doer interface{ Do(n int) int }

//go:noinline
func double(n int) int { return 2 * n }

type holder struct {
	f    func(int) int
	list []func(int) int
	by   map[string]func(int) int
}

//go:noinline
func closures(h *holder, f func(int) int, d Doer, s Shape) int {
	n := f(1)         // into: main.main.func1
	n += h.f(2)       // into: main.double
	n += h.list[0](3) // into: main.double
	n += h.by["d"](4) // into: main.double
	n += d.Do(5)      // into: main.Apply.Do
	m := s.Area
	n += m() // into: main.(*Square).Area
	e := Shape.Area
	n += e(s) // into: main.(*Square).Area
	p := (*Square).Area
	n += p(s.(*Square))                      // into: main.(*Square).Area
	n += func() int { defer recovered(nil); return n }() // into: main.closures.func1
	return n
}

//go:noinline
func starts(s Shape, f func(int) int, done *sync.WaitGroup) {
	done.Add(4)
	go area(s)         // into: main.area
	go s.Area()        // into: main.(*Square).Area
	go f(1)            // into: main.main.func1
	go finish(done, 1) // into: main.finish
	go func() {        // into: main.starts.func1
		done.Done()
	}()
	m := done.Done
	go m()
	go done.Done()
	done.Wait()
}

//go:noinline
func finish(done *sync.WaitGroup, n int) {
	done.Done()
}

//go:noinline
func defers(s Shape, f func(int) int) int {
	defer s.Area() // into: main.(*Square).Area
	defer f(2)     // into: main.main.func1
	defer area(s)  // into: main.area
	defer func() { // into: main.defers.func1
		recovered(recover())
	}()
	return s.Area() // into: main.(*Square).Area
}

//go:noinline
func recovered(any) {}

//go:noinline
func deferLoop(all []Shape) int {
	for _, s := range all {
		defer s.Area() // into: main.(*Square).Area|main.Circle.Area
	}
	return len(all) // into: main.Circle.Area
}

//go:noinline
func deferMany(s Shape, really bool) int {
	if really {
		defer s.Area() // into: main.(*Square).Area
	}
	n := 1
	return n // into: main.(*Square).Area
}

//go:noinline
func deferEnd(s Shape) {
	defer s.Area()
	recovered(nil)
} // into: main.(*Square).Area

//go:noinline
func deferPanic(s Shape) (n int) {
	defer func() { // into: main.deferPanic.func1
		recovered(recover())
	}()
	defer s.Area() // into: main.(*Square).Area
	var nothing Shape
	return nothing.Area()
}

type byArea []Shape

func (b byArea) Len() int           { return len(b) }
func (b byArea) Swap(i, j int)      { b[i], b[j] = b[j], b[i] }
func (b byArea) Less(i, j int) bool { return b[i].Area() < b[j].Area() }

var pool = sync.Pool{New: func() any { return new(bytes.Buffer) }}

//go:noinline
func callbacks(all []Shape, w io.Writer) {
	sort.Sort(byArea(all))                                                    // into: main.byArea.Len, main.byArea.Less, main.byArea.Swap
	slices.SortFunc(all, func(a, b Shape) int { return a.Area() - b.Area() }) // into: main.callbacks.func1
	sort.Slice(all, func(i, j int) bool { return i < j })                     // into: main.callbacks.func2
	var once sync.Once
	once.Do(func() { recovered(nil) })                     // into: main.callbacks.func3
	pool.Get()                                             // into: main.init.func1|main.glob..func1
	strings.Map(func(r rune) rune { return r + 1 }, "abc") // into: main.callbacks.func4
	fired := make(chan bool)
	time.AfterFunc(time.Millisecond, func() { fired <- true }) // into: main.callbacks.func5
	<-fired
	cx, cancel := context.WithCancel(context.Background())
	context.AfterFunc(cx, func() { fired <- true }) // into: main.callbacks.func6
	cancel()
	<-fired
	fmt.Fprintf(w, "%v\n", stringer{1}) // into: main.(*out).Write, main.stringer.String
	io.Copy(w, strings.NewReader("x"))  // into: main.(*out).Write
}

type stringer struct{ n int }

//go:noinline
func (s stringer) String() string { return "stringer" }

type out struct{ n int }

//go:noinline
func (o *out) Write(b []byte) (int, error) { o.n += len(b); return len(b), nil }

//go:noinline
func reflected(s Shape) int {
	v := reflect.ValueOf(s)
	r := v.Method(0).Call(nil)                                        // into: main.(*Square).Area
	v.MethodByName("Scale").Call([]reflect.Value{reflect.ValueOf(2)}) // into: main.(*Square).Scale
	reflect.ValueOf(double).Call([]reflect.Value{reflect.ValueOf(2)}) // into: main.double
	made := reflect.MakeFunc(reflect.TypeOf(double), func(in []reflect.Value) []reflect.Value {
		return in
	}).Interface().(func(int) int)
	made(3) // into: main.reflected.func1
	m := v.Method(0).Interface().(func() int)
	m() // into: main.(*Square).Area
	return len(r)
}

//go:noinline
func devirtualised(name string) int {
	var s Shape = &Square{4}
	n := s.Area() // into: main.(*Square).Area
	var w io.Writer = os.Stderr
	w.Write(nil) // into: os.(*File).Write
	var o io.Writer = &out{}
	o.Write(nil) // into: main.(*out).Write
	return n
}

type Keyed interface{ Key() string }

type User struct{ name string }

//go:noinline
func (u *User) Key() string { return u.name }

type Page struct{ url, title string }

//go:noinline
func (p Page) Key() string { return p.url }

//go:noinline
func key[T Keyed](v T) string {
	return v.Key() // into: main.(*User).Key
}

//go:noinline
func keyOf[T Keyed](v T) string {
	return v.Key() // into: main.Page.Key
}

//go:noinline
func convert[T Keyed](v T) string {
	var k Keyed = v
	return k.Key() // into: main.(*User).Key
}

//go:noinline
func nested[T Keyed](v T) string {
	return key(v) // into: main.key[*main.User]
}

type Repo[T Keyed] struct{ rows []T }

//go:noinline
func (r *Repo[T]) Save(v T) int {
	r.rows = append(r.rows, v)
	return len(r.rows) + len(v.Key()) // into: main.(*User).Key
}

//go:noinline
func (r *Repo[T]) Each(f func(T) string) {
	for _, v := range r.rows {
		f(v) // into: main.generics.func1
	}
}

type Saver[T any] interface{ Save(v T) int }

//go:noinline
func generics(s Saver[*User]) {
	u := &User{"ann"}
	key(u)               // into: main.key[*main.User]
	keyOf(Page{"/", ""}) // into: main.keyOf[main.Page]
	convert(u)           // into: main.convert[*main.User]
	nested(u)            // into: main.nested[*main.User]
	r := &Repo[*User]{}
	r.Save(u)                                      // into: main.(*Repo[*main.User]).Save
	s.Save(u)                                      // into: main.(*Repo[*main.User]).Save
	r.Each(func(u *User) string { return u.name }) // into: main.(*Repo[*main.User]).Each
}

//go:noinline
func conditional(s Shape, really bool) bool {
	return really && s.Area() > 1 // into: main.(*Square).Area
}

func main() {
	factor := 3
	f := func(n int) int {
		return n * factor
	}
	square, circle := &Square{2}, Circle{1, 1}
	plain(square, circle, Framed{circle, 1}, ByPointer{1, &Base{3}}, &ByValue{1, Base{4}}, Counter(5))
	tail(square)
	closures(&holder{double, []func(int) int{double}, map[string]func(int) int{"d": double}}, f, Apply(double), square)
	var done sync.WaitGroup
	starts(square, f, &done)
	defers(square, f)
	deferLoop([]Shape{square, circle})
	deferMany(square, true)
	deferEnd(square)
	deferPanic(square)
	callbacks([]Shape{circle, square, Counter(2)}, &out{})
	reflected(square)
	devirtualised("x")
	generics(&Repo[*User]{})
	conditional(square, true)
	versions()
	fmt.Println("end")
}
