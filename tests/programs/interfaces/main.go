// Interfaces of every kind: what is inside is shown as if the variable had the concrete type, then the itab.
package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

type Shape interface {
	Area() float64
	Name() string
}

type Square struct{ Side float64 }

func (s *Square) Area() float64 { return s.Side * s.Side }
func (s *Square) Name() string  { return "square" }

type Circle struct {
	Radius float64
	Label  string
}

func (c Circle) Area() float64 { return 3 * c.Radius * c.Radius }
func (c Circle) Name() string  { return "circle" }

type Unit struct{}

func (Unit) Area() float64 { return 1 }
func (Unit) Name() string  { return "unit" }

type Number int

func (n Number) Area() float64 { return float64(n) }
func (n Number) Name() string  { return "number" }

type Table map[string]int

func (t Table) Area() float64 { return float64(len(t)) }
func (t Table) Name() string  { return "table" }

type List []int

func (l List) Area() float64 { return float64(len(l)) }
func (l List) Name() string  { return "list" }

type Func func() float64

func (f Func) Area() float64 { return f() }
func (f Func) Name() string  { return "func" }

type One struct{ P *int }

func (o One) Area() float64 { return float64(*o.P) }
func (o One) Name() string  { return "one" }

type Single [1]*int

func (s Single) Area() float64 { return 0 }
func (s Single) Name() string  { return "single" }

type E struct{ Code int }

func (e *E) Error() string { return fmt.Sprint("code ", e.Code) }

type Holder struct {
	First  Shape
	Second any
	Err    error
}

type cyclic struct{ Self any }

//go:noinline
func use(values ...any) {
	if len(values) > 100 {
		fmt.Println(values...)
	}
}

func basics() {
	n := 5
	var nilAny any
	var nilShape Shape
	var text any = "hello"
	var number any = 42
	var pointer any = &n
	var slice any = []int{1, 2}
	var aStruct any = Circle{1, "c"}
	var square Shape = &Square{3}
	var circle Shape = Circle{2, "big"}
	var unit Shape = Unit{}
	var count Shape = Number(7)
	var table Shape = Table{"a": 1}
	var list Shape = List{4, 5}
	var function Shape = Func(func() float64 { return 9 })
	var one Shape = One{&n}
	var single Shape = Single{&n}
	use(nilAny, nilShape, text, number, pointer, slice, aStruct, square, circle, unit, count, table, list, function, one, single) // @stop basics
	//@ nilAny == interface {} nil
	//@ nilShape == main.Shape nil
	//@ nilShape==nil == true
	//@ text == interface {}(string) "hello"
	//@ text : interface {}(string)
	//@ number == interface {}(int) 42
	//@ pointer == interface {}(*int) *5
	//@ slice == interface {}([]int) [1,2]
	//@ aStruct == interface {}(main.Circle) {Radius: 1, Label: "c"}
	//@ aStruct.Label == "c"
	//@ aStruct > Radius, Label, [type]
	//@ square == main.Shape(*main.Square) *{Side: 3}
	//@ square : main.Shape(*main.Square)
	//@ square > Side, [itab]
	//@ square.Side == 3
	//@ square.(*main.Square).Side == 3
	//@ circle == main.Shape(main.Circle) {Radius: 2, Label: "big"}
	//@ circle > Radius, Label, [itab]
	//@ circle.(main.Circle).Label == "big"
	//@ circle.(*main.Square) ! main.Circle
	//@ unit == main.Shape(main.Unit) {}
	//@ unit > [itab]
	//@ count == main.Shape(main.Number) 7
	//@ table == main.Shape(main.Table) ["a": 1, ]
	//@ list == main.Shape(main.List) [4,5]
	//@ list > [itab], [0], [1]
	//@ one == main.Shape(main.One) {P: *5}
	//@ one.P == *5
	//@ single == main.Shape(main.Single) [*5]
	//@ text.(string) == "hello"
	//@ text.(string)=="hello" == true
	//@ number.(int)+1 == 43
}

func typedNils() {
	var e *E
	var err error = e
	var plain error
	var shape Shape = (*Square)(nil)
	var nilMap Shape = Table(nil)
	var nilList Shape = List(nil)
	var nilFunc Shape = Func(nil)
	errs := []error{plain, err, &E{3}}
	byName := map[string]error{"x": err}
	holder := Holder{First: shape, Second: e, Err: err}
	use(err, plain, shape, nilMap, nilList, nilFunc, errs, byName, holder) // @stop typednils
	//@ plain == error nil
	//@ err == error(*main.E) nil
	//@ err > [itab]
	//@ err==nil == false
	//@ err.(*main.E)==nil == true
	//@ shape == main.Shape(*main.Square) nil
	//@ shape > [itab]
	//@ nilMap == main.Shape(main.Table) nil
	//@ nilFunc == main.Shape(main.Func) nil
	//@ nilList == main.Shape(main.List) nil
	//@ errs == []error len: 3, cap: 3, [nil,*main.E nil,*main.E {Code: 3}]
	//@ errs[1] == error(*main.E) nil
	//@ errs[0] == error nil
	//@ errs[2].Code == 3
	//@ byName["x"] == error(*main.E) nil
	//@ holder.Err == error(*main.E) nil
	//@ holder.Second == interface {}(*main.E) nil
	//@ holder.First==nil == false
}

func nested() {
	inner := any(Circle{5, "in"})
	var outer any = &inner
	var self any
	self = &self
	loop := &cyclic{}
	loop.Self = loop
	var reader io.Reader = bytes.NewBufferString("abc")
	var writer io.Writer = os.Stdout
	both := reader.(io.ReadWriter)
	shapes := []Shape{&Square{1}, Circle{2, "x"}, nil, Number(3)}
	byKey := map[any]any{1: "one", "two": 2, Circle{1, "k"}: nil}
	anys := [2]any{inner, nil}
	var anonymous interface{ Area() float64 } = shapes[1]
	use(outer, self, loop, reader, writer, both, shapes, byKey, anys, anonymous) // @stop nested
	//@ inner == interface {}(main.Circle) {Radius: 5, Label: "in"}
	//@ self == interface {}(*interface {}) …
	//@ loop.Self == interface {}(*main.cyclic) …
	//@ loop.Self.(*main.cyclic).Self.(*main.cyclic)==loop == true
	//@ reader == io.Reader(*bytes.Buffer) *{…
	//@ writer == io.Writer(*os.File) *{…
	//@ both == io.ReadWriter(*bytes.Buffer) *{…
	//@ shapes[0] == main.Shape(*main.Square) *{Side: 1}
	//@ shapes[1].Label == "x"
	//@ shapes[2] == main.Shape nil
	//@ shapes[3] == main.Shape(main.Number) 3
	//@ len(shapes) == 4
	//@ byKey["two"] == interface {}(int) 2
	//@ byKey[1] == interface {}(string) "one"
	//@ anys[0].Radius == 5
	//@ anys[1] == interface {} nil
	//@ anonymous == interface { Area() float64 }(main.Circle) {Radius: 2, Label: "x"}
	//@ anonymous > Radius, Label, [itab]
}

func main() {
	basics()
	typedNils()
	nested()
}
