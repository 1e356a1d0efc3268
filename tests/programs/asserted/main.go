// Type assertions that count themselves: site, dynamic type and outcome, printed at the end.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"strconv"
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

type Hidden struct{ n int }

func (h *Hidden) Area() int { return h.n }
func (h *Hidden) name() string {
	return "hidden"
}

type failure struct{}

func (failure) Error() string { return "failure" }

var counts = map[string]int{}

//go:noinline
func count(site int, v any, ok bool) {
	counts[fmt.Sprintf("%d %T %v", site, v, ok)]++
}

//go:noinline
func concrete(v any) {
	_, ok := v.(*Square) // @site 1
	count(1, v, ok)
}

//go:noinline
func fromShape(s Shape) {
	_, ok := s.(Circle) // @site 2
	count(2, s, ok)
}

//go:noinline
func toInterface(v any) {
	_, ok := v.(Named) // @site 3
	count(3, v, ok)
}

//go:noinline
func shapeToInterface(s Shape) {
	_, ok := s.(Named) // @site 4
	count(4, s, ok)
}

//go:noinline
func mustBeNamed(v any) {
	ok := false
	defer func() {
		recover()
		count(5, v, ok)
	}()
	n := v.(Named) // @site 5
	ok = n != nil
}

//go:noinline
func mustBeSquare(s Shape) {
	ok := false
	defer func() {
		recover()
		count(6, s, ok)
	}()
	n := s.(*Square) // @site 6
	ok = n != nil
}

//go:noinline
func switchInterfaces(v any) string {
	switch x := v.(type) {
	case Named: // @site 7
		return x.Name()
	case error:
		return x.Error()
	case fmt.Stringer:
		return x.String()
	}
	return ""
}

//go:noinline
func switchTypes(v any) int {
	switch x := v.(type) {
	case int: // @site 8
		return x
	case *Square:
		return x.Side
	case string:
		return len(x)
	}
	return -1
}

//go:noinline
func compares(err error) bool {
	return err == io.EOF || errors.Is(err, failure{}) || err == error(failure{})
}

func main() {
	n := 3
	if len(os.Args) > 1 {
		n, _ = strconv.Atoi(os.Args[1])
	}
	values := []any{&Square{2}, Circle{3}, &Hidden{1}, 7, "text", nil, failure{}}
	shapes := []Shape{&Square{2}, Circle{3}, &Hidden{1}, nil}
	for i := 0; i < n; i++ {
		for _, v := range values {
			concrete(v)
			toInterface(v)
			mustBeNamed(v)
			switchInterfaces(v)
			switchTypes(v)
		}
		for _, s := range shapes {
			fromShape(s)
			shapeToInterface(s)
			mustBeSquare(s)
		}
		compares(failure{})
	}
	var keys []string
	for k := range counts {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		fmt.Println("count", k, counts[k])
	}
}
