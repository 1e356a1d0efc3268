// Breakpoints on methods: every body counts its calls, and the program prints the counts.
package main

import (
	"fmt"
	"os"
	"reflect"
	"sort"
	"sync"
)

type Shape interface {
	Area() int
	Name() string
}

type Closer interface{ Close() int }

var (
	mutex  sync.Mutex
	counts = map[string]int{}
)

//go:noinline
func count(name string) int {
	mutex.Lock()
	defer mutex.Unlock()
	counts[name]++
	return counts[name]
}

type Square struct{ Side int }

func (s *Square) Area() int { // @Square.Area
	return count("Square.Area") + s.Side
}

func (s *Square) Name() string { return "square" }

// Circle has value receivers: the itabs of Circle and *Circle name the same wrapper.
type Circle struct{ Radius int }

func (c Circle) Area() int { // @Circle.Area
	return count("Circle.Area") + c.Radius
}

func (c Circle) Name() string { return "circle" }

// Base is promoted: by value, and through a pointer.
type Base struct{ ID int }

func (b *Base) Area() int { // @Base.Area
	return count("Base.Area") + b.ID
}

func (b *Base) Name() string { return "base" }

type ByPointer struct {
	*Base
	Extra int
}

type ByValue struct {
	Extra int
	Base
}

// Framed embeds an interface.
type Framed struct {
	Shape
	Border int
}

// Small has a smaller method set than Door: only as a Door's part is it a Closer and an Opener.
type Half interface{ Close() int }

type Opener interface {
	Close() int
	Open() int
}

type Latch struct{ n int }

func (l *Latch) Close() int { // @Latch.Close
	return count("Latch.Close") + l.n
}

type Door struct{ Half }

func (d *Door) Open() int { return count("Door.Open") }

// Hidden becomes a Shape only at run time.
type Hidden struct{ v int }

func (h Hidden) Area() int { // @Hidden.Area
	return count("Hidden.Area") + h.v
}

func (h Hidden) Name() string { return "hidden" }

type Store[T any] interface {
	Put(T) int
}

type Memory[T any] struct{ all []T }

func (m *Memory[T]) Put(v T) int { // @Memory.Put
	m.all = append(m.all, v)
	return count(fmt.Sprintf("Memory.Put %T", v))
}

type Money int

type User struct{ name string }

type Page struct{ url string }

//go:noinline
func Twice[T any](v T) string { // @Twice
	return fmt.Sprint(count(fmt.Sprintf("Twice %T", v)), v)
}

type problem struct{ code int }

func (p *problem) Error() string { // @problem.Error
	return fmt.Sprint("problem ", p.code, count("problem.Error"))
}

// Many types that embed the interface that they implement lead to each other.
type (
	wrap1 struct{ error }
	wrap2 struct{ error }
	wrap3 struct{ error }
	wrap4 struct{ error }
	wrap5 struct{ error }
	wrap6 struct{ error }
	wrap7 struct{ error }
	wrap8 struct{ error }
)

//go:noinline
func hold[T any](v T) T { return v }

//go:noinline
func measure(s Shape) int {
	return s.Area()
}

//go:noinline
func named(s Shape) string { return s.Name() }

//go:noinline
func shut(c Closer) int { return c.Close() }

//go:noinline
func asShape(v any) Shape {
	s, _ := v.(Shape)
	return s
}

func put[T any](s Store[T], v T) int { return s.Put(v) }

func dynamic() {
	// A type that reflect makes has the methods of the field that it embeds.
	made := reflect.StructOf([]reflect.StructField{
		{Name: "Base", Type: reflect.TypeOf((*Base)(nil)), Anonymous: true},
	})
	v := reflect.New(made).Elem()
	v.Field(0).Set(reflect.ValueOf(&Base{9}))
	if s := asShape(v.Interface()); s != nil {
		measure(s)
	}
	measure(asShape(hold[any](Hidden{3})))
	measure(asShape(hold[any](&Hidden{4})))
}

func main() {
	square, circle, base := &Square{2}, Circle{1}, &Base{4}
	for round := 0; round < 3; round++ { // @start
		measure(hold[Shape](square))
		measure(hold[Shape](circle))
		measure(hold[Shape](&circle))
		measure(hold[Shape](base))
		measure(hold[Shape](ByPointer{base, 1}))
		measure(hold[Shape](&ByPointer{base, 2}))
		measure(hold[Shape](&ByValue{1, Base{5}}))
		measure(hold[Shape](Framed{circle, 1}))
	}
	// Not through an interface.
	square.Area()
	circle.Area()
	base.Area()
	method := square.Area
	method()
	var wait sync.WaitGroup
	for i := 0; i < 4; i++ {
		wait.Add(1)
		go func(s Shape) {
			defer wait.Done()
			defer s.Area()
			s.Area()
		}(square)
	}
	wait.Wait()
	reflect.ValueOf(square).MethodByName("Area").Call(nil)
	shut(hold[Closer](&Door{&Latch{1}}))
	shut(hold[Closer](&Latch{2}))
	hold[Opener](&Door{&Latch{3}}).Open()
	hold[Opener](&Door{&Latch{3}}).Close()
	dynamic()
	put[int](hold[Store[int]](&Memory[int]{}), 1)
	put[int](hold[Store[int]](&Memory[int]{}), 2)
	put[Money](hold[Store[Money]](&Memory[Money]{}), 3)
	users, pages := &Memory[*User]{}, &Memory[*Page]{}
	put[*User](hold[Store[*User]](users), &User{"ann"})
	put[*Page](hold[Store[*Page]](pages), &Page{"/"})
	users.Put(&User{"bob"})
	users.Put(&User{"cid"})
	pages.Put(&Page{"/about"})
	Twice(1)
	Twice(Money(2))
	Twice("x")
	Twice(&User{"dan"})
	Twice(&Page{"/x"})
	Twice(2)
	fmt.Fprintln(os.Stderr, hold[error](&problem{7}))
	p := &problem{8}
	for _, e := range []error{wrap1{p}, wrap2{p}, wrap3{p}, wrap4{p}, wrap5{p}, &wrap6{p}, &wrap7{p}, &wrap8{p}} {
		_ = hold(e).Error()
	}
	_ = named(hold[Shape](square))
	report()
}

func report() {
	names := make([]string, 0, len(counts))
	for name := range counts {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Printf("%s=%d\n", name, counts[name]) // @report
	}
}
