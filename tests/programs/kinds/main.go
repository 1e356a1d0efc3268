// Calls that go through code that nobody wrote in Go: assembly, ABI wrappers, folded closures, coroutines, the standard library.
// `// into: F, G` as in zoo.
package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sort"
	"time"
)

// In assembly.
func add(a, b int) int

// In assembly; calls back.
func through(n int) int

type Adder interface{ Add(a, b int) int }

type Apply func(a, b int) int

//go:noinline
func (f Apply) Add(a, b int) int { return f(a, b) } // into: main.add

type Shape interface{ Area() int }

type Square struct{ side int }

//go:noinline
func (s *Square) Area() int { return s.side * s.side }

type Circle struct{ radius, border int }

//go:noinline
func (c Circle) Area() int { return 3*c.radius*c.radius + c.border }

var shape Shape = &Square{3}

// Called by assembly.
//
//go:noinline
func back(n int) int {
	return n + shape.Area() // into: main.(*Square).Area
}

//go:noinline
func assembly(f func(int, int) int, a Adder) int {
	n := f(1, 2)      // into: main.add
	n += a.Add(3, 4)  // into: main.Apply.Add
	n += add(5, 6)    // into: main.add
	n += through(7)   // into: main.through
	go add(8, 9)      // into: main.add
	defer add(10, 11) // into: main.add
	return n
}

//go:noinline
func closures(which bool) (func() int, func() int) {
	return func() int { return 1 }, func() int { return 1 }
}

//go:noinline
func merged() int {
	one, two := closures(true)
	n := one() // into: main.closures.func1
	n += two() // into: main.closures.func2|main.closures.func1
	return n
}

func handle(w http.ResponseWriter, r *http.Request) {
	io.WriteString(w, r.URL.Path) // into: io.WriteString
}

type server struct{ Handler http.Handler }

//go:noinline
func handlers(srv *server, mux http.Handler) {
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/x", nil)
	srv.Handler.ServeHTTP(w, r) // into: http.HandlerFunc.ServeHTTP, main.handle
	mux.ServeHTTP(w, r)         // into: http.(*ServeMux).ServeHTTP
	fmt.Fprint(io.Discard, w.Code)
}

type byArea []Shape

func (b byArea) Len() int           { return len(b) }
func (b byArea) Swap(i, j int)      { b[i], b[j] = b[j], b[i] }
func (b byArea) Less(i, j int) bool { return b[i].Area() < b[j].Area() }

//go:noinline
func sorted(all []Shape) {
	sort.Sort(byArea(all)) // into: main.byArea.Len, main.byArea.Less, main.byArea.Swap // @sort
}

//go:noinline
func devirtualised() int {
	var s Shape = &Square{4}
	n := s.Area() // into: main.(*Square).Area
	t := Shape(Circle{1, 2})
	return n + t.Area() // into: main.Circle.Area
}

//go:noinline
func faults(s Shape) (n int) {
	defer func() { // into: main.faults.func1
		if recover() != nil {
			n = -1
		}
	}()
	return s.Area() // @faults
}

func main() {
	assembly(add, Apply(add))
	time.Sleep(20 * time.Millisecond) // for the goroutine
	merged()
	mux := http.NewServeMux()
	mux.HandleFunc("/x", handle)
	handlers(&server{http.HandlerFunc(handle)}, mux)
	sorted([]Shape{Circle{1, 1}, &Square{1}, Circle{0, 1}})
	devirtualised()
	var nothing *Circle
	faults(nothing)
	coroutines()
	fmt.Fprintln(os.Stderr, "end")
}
