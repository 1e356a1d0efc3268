// The variables that expressions use. `check` prints what Go computes for an expression: that is what the debugger must compute too.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"reflect"
	"strings"
	"unsafe"

	"example.com/oracle/shapes"
)

type Celsius float64
type ID int32
type Text string
type Flags uint8
type Bytes []byte

type Point struct{ X, Y int }
type Inner struct {
	A int
	B string
}
type Deep struct{ Level int }
type Middle struct{ *Deep }
type Outer struct {
	Inner
	*Middle
	shapes.Shape
	C     float32
	_     int32
	Flags [3]Flags
}
type Node struct {
	Value int
	Next  *Node
}
type Pair[K comparable, V any] struct {
	Key   K
	Value V
}
type Stack[T any] struct{ items []T }
type Empty struct{}
type Key struct {
	Name string
	N    int
}
type Err struct{ Code int }

func (e *Err) Error() string { return "err" }

var (
	i8min, i8max   int8  = math.MinInt8, math.MaxInt8
	i16min, i16max int16 = math.MinInt16, math.MaxInt16
	i32min, i32max int32 = math.MinInt32, math.MaxInt32
	i64min, i64max int64 = math.MinInt64, math.MaxInt64
	imin, imax     int   = math.MinInt, math.MaxInt
	u8max          uint8 = math.MaxUint8
	u16max         uint16 = math.MaxUint16
	u32max         uint32 = math.MaxUint32
	u64max         uint64 = math.MaxUint64
	umax           uint   = math.MaxUint
	uptr           uintptr = 0xdeadbeef
	zero, one, two, seven, minus7 = 0, 1, 2, 7, -7
	sh8            uint8 = 8
	sh70           uint  = 70
	negshift             = 3
	r              rune = 'é'
	by             byte = 'A'

	f32           float32    = 1.1
	f64                      = 0.1
	tenth, third             = 0.1, 1.0 / 3
	inf, ninf, nan           = math.Inf(1), math.Inf(-1), math.NaN()
	negzero                  = math.Copysign(0, -1)
	big                      = 1e300
	c64           complex64  = complex(1.5, -2)
	c128          complex128 = complex(3, 4)
	temp          Celsius    = 36.6
	id            ID         = -5
	text          Text       = "named"
	flags         Flags      = 0b1010_0101

	yes, no = true, false

	s, empty, utf, bad = "hello", "", "héllo, 世界", "a\xffb"
	long               = strings.Repeat("x", 5000)

	arr   = [4]int{10, 20, 30, 40}
	arr2  = [2][3]uint8{{1, 2, 3}, {4, 5, 6}}
	parr  = &arr
	sl    = []int{1, 2, 3, 4, 5}
	sls   = []string{"a", "bc", ""}
	nilsl []int
	emsl  = []int{}
	bs    = []byte("bytes")
	nb    = Bytes("named")
	rs    = []rune("ré")
	sub   = sl[1:3:4]

	m    = map[string]int{"a": 1, "b": 2, "long key": 3}
	mi   = map[int]string{1: "one", -2: "minus two"}
	mk   = map[Key]*Point{{"k", 1}: {1, 2}}
	ma   = map[any]string{"s": "string", 1: "int", int8(1): "int8", Point{1, 2}: "point", true: "bool", 1.5: "float"}
	mf   = map[float64]int{1.5: 15}
	mb   = map[bool]int{true: 1}
	mu8  = map[uint8]int{255: 255}
	marr = map[[2]int]int{{1, 2}: 12}
	nilm map[string]int
	mbig = map[int]int{}

	p      = Point{3, 4}
	pp     = &Point{5, 6}
	ppp    = &pp
	nilp   *Point
	q      = Point{3, 4}
	outer  = Outer{Inner: Inner{1, "in"}, Middle: &Middle{&Deep{9}}, Shape: shapes.Square{2}, C: 2.5, Flags: [3]Flags{1, 2, 3}}
	list   = &Node{1, &Node{2, &Node{3, nil}}}
	pair   = Pair[string, int]{"k", 7}
	stack  = &Stack[Point]{[]Point{{1, 1}, {2, 2}}}
	anon   = struct {
		A int
		B string
	}{1, "anon"}
	em  Empty
	sts = []Point{{1, 2}, {3, 4}}
	key = Key{"k", 1}

	a1  any = 5
	a2  any = "str"
	a3  any = []int{7, 8, 9}
	a4  any = Point{3, 4}
	a5  any = &Point{3, 4}
	a6  any
	a7  any = uint8(5)
	a8  any = map[string]int{"x": 24}
	a9  any = 2.5
	a10 any = (*Point)(nil)
	sq     shapes.Shape = shapes.Square{3}
	ci     shapes.Shape = &shapes.Circle{2, []string{"t"}}
	nilsh  shapes.Shape
	shs         = []shapes.Shape{sq, ci, nil}
	err    error = errors.New("boom")
	terr   error = (*Err)(nil)
	err42  error = &Err{42}
	rd     io.Reader = strings.NewReader("data")

	ch     = make(chan int, 4)
	nilch  chan int
	fn          = strings.ToUpper
	nilfn  func(string) string
	up     unsafe.Pointer = unsafe.Pointer(&arr)
	paddr                 = uintptr(unsafe.Pointer(pp))
)

func init() {
	ch <- 1
	ch <- 2
	for i := 0; i < 1000; i++ {
		mbig[i] = i * i
	}
}

var out = bufio.NewWriter(os.Stdout)

func check[T any](text string, value T) {
	v := reflect.ValueOf(&value).Elem()
	fmt.Fprintf(out, "%s\t%s\t%s\n", text, v.Type(), show(v))
}

// show writes a value so that every bit of it counts: floats as bits, strings in hexadecimal, references as addresses.
func show(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Bool:
		return fmt.Sprint(v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return fmt.Sprint(v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return fmt.Sprint(v.Uint())
	case reflect.Float32:
		return fmt.Sprintf("f%x", math.Float32bits(float32(v.Float())))
	case reflect.Float64:
		return fmt.Sprintf("f%x", math.Float64bits(v.Float()))
	case reflect.Complex64:
		c := v.Complex()
		return fmt.Sprintf("c%x,%x", math.Float32bits(float32(real(c))), math.Float32bits(float32(imag(c))))
	case reflect.Complex128:
		c := v.Complex()
		return fmt.Sprintf("c%x,%x", math.Float64bits(real(c)), math.Float64bits(imag(c)))
	case reflect.String:
		return fmt.Sprintf("s%x", v.String())
	case reflect.Slice:
		if v.IsNil() {
			return "nil"
		}
		return fmt.Sprintf("%d/%d%s", v.Len(), v.Cap(), elements(v))
	case reflect.Array:
		return elements(v)
	case reflect.Struct:
		parts := []string{}
		for i := 0; i < v.NumField(); i++ {
			if v.Type().Field(i).Name != "_" {
				parts = append(parts, show(v.Field(i)))
			}
		}
		return "{" + strings.Join(parts, " ") + "}"
	case reflect.Interface:
		if v.IsNil() {
			return "nil"
		}
		return fmt.Sprintf("<%s %s>", v.Elem().Type(), show(v.Elem()))
	case reflect.Map, reflect.Pointer, reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return fmt.Sprintf("%#x", v.Pointer())
	}
	return "?"
}

func elements(v reflect.Value) string {
	parts := []string{}
	for i := 0; i < v.Len(); i++ {
		parts = append(parts, show(v.Index(i)))
	}
	return "[" + strings.Join(parts, " ") + "]"
}

// areas keeps the methods: the linker removes what nothing calls.
func areas() (sum float64) {
	for _, s := range shs[:2] {
		sum += s.Area() + float64(len(s.Name()))
	}
	return sum
}

func finish() {
	if areas() == 0 {
		return
	}
	fmt.Fprintln(out, "END")
	out.Flush()
	// The debugger's test reads the variables now; it closes stdin when it has done so.
	io.Copy(io.Discard, os.Stdin)
}

func main() {
	if len(os.Args) > 1 {
		locals()
	}
	checks()
	finish()
}
