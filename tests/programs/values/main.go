// Values of every kind, and what a debugger must say of them.
package main

import (
	"errors"
	"fmt"
	"math"
	"time"
	"unsafe"
)

type Celsius float64
type Weekday int

const (
	Sunday Weekday = iota
	Monday
)

type Point struct{ X, Y int }

type Base struct {
	ID   int
	Name string
}

func (b *Base) Hello() string { return "hello " + b.Name }

type Derived struct {
	Base
	*Point
	Extra float32
}

type Node struct {
	Value int
	Next  *Node
}

type Tree struct {
	Left, Right *Tree
	Key         string
}

type Shape interface{ Area() float64 }

func (p Point) Area() float64 { return float64(p.X * p.Y) }

var Global = 42
var globalSlice = []string{"g1", "g2"}

//go:noinline
func use(values ...any) {
	for _, v := range values {
		if v == "never" {
			fmt.Println(v)
		}
	}
}

func integers() {
	i8, i16, i32, i64 := int8(-128), int16(-32768), int32(math.MinInt32), int64(math.MinInt64)
	u8, u16, u32, u64 := uint8(255), uint16(65535), uint32(math.MaxUint32), uint64(math.MaxUint64)
	i, u, p := -1, uint(7), uintptr(0x10)
	b, r := byte('a'), '世'
	day := Monday
	t, f := true, false
	use(i8, i16, i32, i64, u8, u16, u32, u64, i, u, p, b, r, day, t, f) // @stop integers
	//@ i8 == -128
	//@ i8 : int8
	//@ i16 == -32768
	//@ i32 == -2147483648
	//@ i64 == -9223372036854775808
	//@ i64 : int64
	//@ u8 == 255 = 0xff
	//@ u8 : uint8
	//@ u16 == 65535 = 0xffff
	//@ u32 == 4294967295 = 0xffffffff
	//@ u64 == 18446744073709551615 = 0xffffffffffffffff
	//@ i == -1
	//@ i : int
	//@ u == 7 = 0x7
	//@ p == 16 = 0x10
	//@ b == 97 = 0x61
	//@ r == 19990
	//@ r : int32
	//@ day == Monday (1)
	//@ t == true
	//@ f == false
	//@ f : bool
	//@ i8+1 == -127
	//@ int(i8)*2 == -256
	//@ i==-1 == true
	//@ u8&15 == 15…
	//@ t&&f == false
	//@ !f == true
	//@ i<0||f == true
	//@ nosuch ! nosuch
	//@ i8+i16 ! mismatched
	//@ main.Global == 42
	//@ Global == 42
	//@ len(globalSlice) == 2
	//@ globalSlice[1] == "g2"
	//@ 1+2*3 == 7
	//@ "a"+"b" == "ab"
}

func floats() {
	f32, f64 := float32(1.5), 3.14159
	c64, c128 := complex(float32(1), float32(-2)), complex(1.5, 2)
	inf, ninf, nan := math.Inf(1), math.Inf(-1), math.NaN()
	zero := 0.0
	temp := Celsius(36.6)
	use(f32, f64, c64, c128, inf, ninf, nan, zero, temp) // @stop floats
	//@ f32 == 1.5
	//@ f32 : float32
	//@ f64 == 3.14159
	//@ c64 == (1 + -2i)
	//@ c128 == (1.5 + 2i)
	//@ c128 : complex128
	//@ inf == +Inf
	//@ ninf == -Inf
	//@ nan == NaN
	//@ zero == 0
	//@ temp == 36.6
	//@ temp : main.Celsius
	//@ f64*2 == 6.28318
	//@ f64>3 == true
	//@ real(c128) == 1.5
}

func stringsAndSlices() {
	empty, hello := "", "hello, \"世界\"\n"
	raw := string([]byte{0xff, 'a', 0})
	long := ""
	for i := 0; i < 1000; i++ {
		long += "x"
	}
	ints := []int{1, 2, 3}
	var nilSlice []int
	emptySlice := []string{}
	part := ints[1:2:3]
	nested := [][]int{{1}, nil, {2, 3}}
	bytes := []byte("abc")
	array := [3]string{"a", "b", "c"}
	zeroArray := [0]int{}
	matrix := [2][2]int{{1, 2}, {3, 4}}
	big := make([]int, 1000)
	big[999] = 7
	use(empty, hello, raw, long, ints, nilSlice, emptySlice, part, nested, bytes, array, zeroArray, matrix, big) // @stop strings
	//@ empty == ""
	//@ hello == "hello, \"世界\"\n"
	//@ hello : string
	//@ raw == "\xffa\x00"
	//@ len(long) == 1000
	//@ long[999] == 120…
	//@ hello[0:5] == "hello"
	//@ ints == []int len: 3, cap: 3, [1,2,3]
	//@ ints : []int
	//@ ints > [0], [1], [2]
	//@ nilSlice == []int len: 0, cap: 0, nil
	//@ emptySlice == []string len: 0, cap: 0, []
	//@ part == []int len: 1, cap: 2, [2]
	//@ nested[2][1] == 3
	//@ nested == [][]int len: 3, cap: 3, [[1],nil,[2,3]]
	//@ bytes == []uint8 len: 3, cap: …, [97,98,99]
	//@ array == [3]string ["a","b","c"]
	//@ array : [3]string
	//@ zeroArray == [0]int []
	//@ matrix == [2][2]int [[1,2],[3,4]]
	//@ matrix[1][0] == 3
	//@ big == []int len: 1000, cap: 1000, [0,0,…+936 more]
	//@ big[999] == 7
	//@ len(big) == 1000
	//@ cap(part) == 2
	//@ ints[3] ! out of
	//@ ints[1:3] == []int len: 2, cap: 2, [2,3]
	//@ string(bytes) == "abc"
	//@ hello=="x" == false
}

func structs() {
	point := Point{3, 4}
	pp := &point
	ppp := &pp
	var nilPointer *Point
	derived := Derived{Base{7, "seven"}, &Point{1, 2}, 0.5}
	list := &Node{1, &Node{2, &Node{3, nil}}}
	loop := &Node{Value: 9}
	loop.Next = loop
	tree := Tree{Left: &Tree{Key: "l"}, Key: "root"}
	anon := struct {
		A int
		B string
	}{1, "b"}
	var empty struct{}
	when := time.Date(2024, 2, 3, 4, 5, 6, 0, time.UTC)
	wait := 1500 * time.Millisecond
	raw := unsafe.Pointer(pp)
	use(point, pp, ppp, nilPointer, derived, list, loop, tree, anon, empty, when, wait, raw) // @stop structs
	//@ point == main.Point {X: 3, Y: 4}
	//@ point : main.Point
	//@ point > X, Y
	//@ pp == *main.Point {X: 3, Y: 4}
	//@ pp : *main.Point
	//@ *pp == main.Point {X: 3, Y: 4}
	//@ pp.Y == 4
	//@ **ppp == main.Point {X: 3, Y: 4}
	//@ (*ppp).X == 3
	//@ nilPointer == *main.Point nil
	//@ nilPointer==nil == true
	//@ nilPointer.X ! nil
	//@ derived.ID == 7
	//@ derived.Base.Name == "seven"
	//@ derived.X == 1
	//@ derived.Point.Y == 2
	//@ derived > Base, Point, Extra
	//@ list.Next.Next.Value == 3
	//@ list.Next.Next.Next == *main.Node nil
	//@ loop.Next.Next.Next.Value == 9
	//@ loop == *main.Node {Value: 9, Next: *main.Node…
	//@ tree.Left.Key == "l"
	//@ tree.Right == *main.Tree nil
	//@ anon == struct { A int; B string } {A: 1, B: "b"}
	//@ empty == struct {} {}
	//@ when == time.Time(2024-02-03T04:05:06Z)…
	//@ wait == 1500000000
	//@ raw == unsafe.Pointer(0x…)
	//@ &point == *main.Point {X: 3, Y: 4}
	//@ &point==pp == true
	//@ point==*pp == true
	//@ point.Z ! Z
}

func functions() {
	counter, factor := 10, 2.5
	closure := func(n int) float64 { counter += n; return factor * float64(counter) }
	plain := integers
	var nilFunc func()
	base := &Base{1, "one"}
	bound := base.Hello
	expr := (*Base).Hello
	var shape Shape = Point{2, 5}
	area := shape.Area
	use(closure(1), bound(), expr(base), area()) // @stop functions
	//@ closure == main.functions.func1
	//@ plain == main.integers
	//@ plain : func()
	//@ nilFunc == nil
	//@ bound == main.(*Base).Hello…
	//@ expr == main.(*Base).Hello
	//@ nilFunc==nil == true
	//@ counter == 10
	use(plain, nilFunc)
}

func channels() {
	ch := make(chan int, 4)
	ch <- 10
	ch <- 20
	var nilChan chan string
	done := make(chan struct{})
	sendOnly := chan<- int(ch)
	use(ch, nilChan, done, sendOnly) // @stop channels
	//@ ch == chan int 2/4
	//@ ch : chan int
	//@ len(ch) == 2
	//@ cap(ch) == 4
	//@ nilChan == chan string nil
	//@ done == chan struct {} 0/0
	//@ sendOnly == chan<- int 2/4
}

func errorsAndShadows(x int) (result int, err error) {
	err = errors.New("first")
	wrapped := fmt.Errorf("wrapped: %w", err)
	if x > 0 {
		x := "inner"
		use(x, wrapped, err) // @stop shadows
		//@ x == "inner"
		//@ err == error(*errors.errorString) *{s: "first"}
		//@ err.s == "first"
		//@ wrapped.msg == "wrapped: first"
		//@ result == 0
	}
	return x, nil
}

func main() {
	integers()
	floats()
	stringsAndSlices()
	structs()
	functions()
	channels()
	_, _ = errorsAndShadows(5)
	use(Global, globalSlice)
}
