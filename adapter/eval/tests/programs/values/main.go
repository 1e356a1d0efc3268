// Values shows every kind of Go value in package variables and locals, and what a debugger is to print for it: `want:` is the value's text.
// It prints `ready` and waits until its input ends.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"

	"example.com/deep/values/shapes"
)

type Color int

const (
	Red Color = iota + 1
	Green
	Blue
)

type Flags uint8

const (
	FA Flags = 1 << iota
	FB
	FC
)

type Celsius float64

type MyBytes []byte

type A struct {
	X int
	S string
}

type Embeds struct {
	A
	*shapes.Circ
	io.Writer
	n int8
}

type Node struct {
	V    int
	Next *Node
}

type Deep struct {
	N struct {
		M struct{ K int }
	}
}

type Boxed struct{ P *int }

type One [1]*int

type Cell[T any] struct {
	V  T
	Nx *Cell[T]
}

type big [200]byte

type PP *PP

var (
	seven   = 7
	pInt    = &seven
	node    = &Node{V: 1, Next: &Node{V: 2, Next: &Node{V: 3}}}
	circ    = &shapes.Circ{R: 1}
	cyc     any
	pp      PP
	nilErr  *shapes.ErrX
	nilMapT map[string]int
)

// Basic kinds.
var (
	vBool    = true                       // want: true
	vInt     = -5                         // want: -5
	vInt8    = int8(-128)                 // want: -128
	vInt16   = int16(-32768)              // want: -32768
	vInt32   = int32(233)                 // want: 233
	vRune    = 'é'                        // want: 233
	vInt64   = int64(math.MinInt64)       // want: -9223372036854775808
	vUint    = uint(255)                  // want: 255 = 0xff
	vUint8   = uint8(7)                   // want: 7 = 0x7
	vUint16  = uint16(65535)              // want: 65535 = 0xffff
	vUint32  = uint32(1 << 31)            // want: 2147483648 = 0x80000000
	vUint64  = uint64(math.MaxUint64)     // want: 18446744073709551615 = 0xffffffffffffffff
	vUintptr = uintptr(0xdead)            // want: 57005 = 0xdead
	vF32     = float32(1.2)               // want: 1.2
	vF64     = 1e21                       // want: 1000000000000000000000
	vSmall   = 5e-324                     // want-prefix: 0.000000000000000000
	vInf     = math.Inf(1)                // want: +Inf
	vNegInf  = math.Inf(-1)               // want: -Inf
	vNaN     = math.NaN()                 // want: NaN
	vC64     = complex64(1 + 2i)          // want: (1 + 2i)
	vC128    = complex(1.5, -2)           // want: (1.5 + -2i)
	vColor   = Green                      // want: Green (2)
	vColor9  = Color(9)                   // want: 9
	vFlags   = FA | FC                    // want: FA|FC (5) = 0x5
	vFlags9  = Flags(9)                   // want: 9 = 0x9
	vTemp    = Celsius(36.6)              // want: 36.6
	vMonth   = time.March                 // want: March (3)
	vDur     = 1500 * time.Millisecond    // want: 1500000000
	vStr     = "a\"b\n\x00é世\xff"         // want: "a\"b\n\x00é世\xff"
	vEmpty   = ""                         // want: ""
	vLong    = strings.Repeat("x", 5000)  // want-suffix: xxx...+904 more"
	vUnsafe  = unsafe.Pointer(uintptr(0)) // want: unsafe.Pointer(0x0)
	vUnsafeP = unsafe.Pointer(pInt)       // want-prefix: unsafe.Pointer(0x
)

// Composite kinds.
var (
	vSlice     = []int{1, 2, 3}                                                 // want: []int len: 3, cap: 3, [1,2,3]
	vSliceCap  = make([]int, 2, 5)                                              // want: []int len: 2, cap: 5, [0,0]
	vSliceNil  []int                                                            // want: []int len: 0, cap: 0, nil
	vSliceNone = []int{}                                                        // want: []int len: 0, cap: 0, []
	vSlice131  = make([]uint8, 131)                                             // want-suffix: 0,0,0,...+67 more]
	vSliceS    = []A{{1, "a"}, {2, "b"}}                                        // want: []main.A len: 2, cap: 2, [{X: 1, S: "a"},{X: 2, S: "b"}]
	vSliceP    = []*A{{1, "a"}, nil}                                            // want: []*main.A len: 2, cap: 2, [*{X: 1, S: "a"},*nil]
	vSliceSl   = [][]int{{1}, nil, {}}                                          // want: [][]int len: 3, cap: 3, [[1],nil,[]]
	vArray     = [2]int{1, 2}                                                   // want: [2]int [1,2]
	vArray0    [0]int                                                           // want: [0]int []
	vArrayA    = [2][2]uint8{{1, 2}, {3, 4}}                                    // want: [2][2]uint8 [[1,2],[3,4]]
	vBytes     = []byte("hi\xff")                                               // want: []uint8 len: 3, cap: 3, [104,105,255]
	vRunes     = []rune("hé")                                                   // want: []int32 len: 2, cap: 2, [104,233]
	vMyBytes   = MyBytes("x")                                                   // want: main.MyBytes len: 1, cap: 1, [120]
	vStruct    = A{1, "x"}                                                      // want: main.A {X: 1, S: "x"}
	vStruct0   struct{}                                                         // want: struct {} {}
	vAnon      = struct{ X, Y int }{1, 2}                                       // want: struct { X int; Y int } {X: 1, Y: 2}
	vEmbeds    = Embeds{A: A{1, "e"}, Circ: circ, n: 3}                         // want: main.Embeds {A: main.A {X: 1, S: "e"}, Circ: *shapes.Circ {R: 1, Next: *shapes.Circ nil}, Writer: io.Writer nil, n: 3}
	vDeep      Deep                                                             // want-prefix: main.Deep {N: struct { M struct { K int } } {M: (*struct { K int })(0x
	vPtr       = &A{2, "p"}                                                     // want: *main.A {X: 2, S: "p"}
	vPtrNil    *A                                                               // want: *main.A nil
	vPtrPtr    = &pInt                                                          // want: **7
	vNode      = node                                                           // want-prefix: *main.Node {V: 1, Next: *main.Node {V: 2, Next: *(*main.Node)(0x
	vKey       = shapes.Key{A: 1, B: 2}                                         // want: shapes.Key {A: 1, B: 2}
	vCell      = Cell[int]{V: 1}                                                // want: main.Cell[int] {V: 1, Nx: *main.Cell[int] nil}
	vCellKey   = Cell[shapes.Key]{V: shapes.Key{A: 1}}                          // want: main.Cell[shapes.Key] {V: shapes.Key {A: 1, B: 0}, Nx: *main.Cell[shapes.Key] nil}
	vPair      = shapes.Pair[string, shapes.Key]{"k", shapes.Key{}}             // want: shapes.Pair[string,shapes.Key] {Key: "k", Val: shapes.Key {A: 0, B: 0}}
	vTime      = time.Date(2024, 2, 3, 4, 5, 6, 0, time.UTC)                    // want-prefix: time.Time(2024-02-03T04:05:06Z){wall:
	vTimeZone  = time.Date(2024, 2, 3, 4, 5, 6, 0, time.FixedZone("x", -12600)) // want-prefix: time.Time(2024-02-03T04:05:06-03:30){wall:
	vAtomic    atomic.Int32                                                     // want-prefix: atomic.Int32 {
)

// Maps.
var (
	vMap      = map[string]int{"a": 1}                       // want: map[string]int ["a": 1, ]
	vMapNil   map[string]int                                 // want: map[string]int nil
	vMapNone  = map[string]int{}                             // want: map[string]int []
	vMapKey   = map[shapes.Key]*A{{A: 1, B: 2}: {3, "m"}}    // want: map[shapes.Key]*main.A [{A: 1, B: 2}: *{X: 3, S: "m"}, ]
	vMapAny   = map[any]any{1: "x"}                          // want: map[interface {}]interface {} [1: "x", ]
	vMapAnyK  = map[any]shapes.Shape{shapes.Key{A: 1}: circ} // want: map[interface {}]shapes.Shape [shapes.Key {A: 1, B: 0}: *shapes.Circ {R: 1, Next: *shapes.Circ nil}, ]
	vMapBig   = map[big]big{{1}: {2}}                        // want-prefix: map[main.big]main.big [[1,0,0,
	vMapF     = map[float64]bool{1.5: true}                  // want: map[float64]bool [1.5: true, ]
	vMapSet   = map[int8]struct{}{-3: {}}                    // want: map[int8]struct {} [-3: {}, ]
	vMapMap   = map[string]map[string]int{"o": {"i": 1}}     // want: map[string]map[string]int ["o": ["i": 1, ], ]
	vMapLarge = large()                                      // want-suffix: ...
	vMapGrow  = grow()                                       // want-suffix: ...
	vMapHoles = holes()                                      // want: map[int32]string [0: "", 1: "v", 2: "vv", 4: "vvvv", 6: "vvvvvv", 7: "vvvvvvv", ]
	vMapIndir = indirect()                                   // want-suffix: ...
)

// Interfaces.
var (
	vAnyNil   any                                                                            // want: interface {} nil
	vErrNil   error                                                                          // want: error nil
	vShapeNil shapes.Shape                                                                   // want: shapes.Shape nil
	vAnyInt   any          = 5                                                               // want: interface {}(int) 5
	vAnyBig   any          = int64(1) << 40                                                  // want: interface {}(int64) 1099511627776
	vAnyU8    any          = uint8(200)                                                      // want: interface {}(uint8) 200
	vAnyStr   any          = "test"                                                          // want: interface {}(string) "test"
	vAnySl    any          = []int{1, 2}                                                     // want: interface {}([]int) [1,2]
	vAnyMap   any          = map[string]int{"a": 1}                                          // want: interface {}(map[string]int) ["a": 1, ]
	vAnyStr0  any          = struct{}{}                                                      // want: interface {}(struct {}) {}
	vAnyA     any          = A{1, "i"}                                                       // want: interface {}(main.A) {X: 1, S: "i"}
	vAnyPA    any          = &A{1, "i"}                                                      // want: interface {}(*main.A) *{X: 1, S: "i"}
	vAnyBoxed any          = Boxed{pInt}                                                     // want: interface {}(main.Boxed) {P: *7}
	vAnyOne   any          = One{pInt}                                                       // want: interface {}(main.One) [*7]
	vAnyFunc  any          = afunc                                                           // want: interface {}(func(int) int) main.afunc
	vAnyChan  any          = make(chan int, 3)                                               // want: interface {}(chan int) chan int 0/3
	vAnyCell  any          = &Cell[string]{V: "g"}                                           // want: interface {}(*main.Cell[string]) *{V: "g", Nx: *main.Cell[string] nil}
	vShapeSq  shapes.Shape = shapes.Sq{S: 2}                                                 // want: shapes.Shape(shapes.Sq) {S: 2}
	vShapeC   shapes.Shape = circ                                                            // want: shapes.Shape(*shapes.Circ) *{R: 1, Next: *shapes.Circ nil}
	vErr      error        = &shapes.ErrX{Code: 3}                                           // want: error(*shapes.ErrX) *{Code: 3}
	vErrTyped error        = nilErr                                                          // want: error(*shapes.ErrX) nil
	vAnyNilM  any          = nilMapT                                                         // want: interface {}(map[string]int) nil
	vAnyNilC  any          = (chan int)(nil)                                                 // want: interface {}(chan int) nil
	vAnyNilF  any          = (func())(nil)                                                   // want: interface {}(func()) nil
	vAnyNilS  any          = []int(nil)                                                      // want: interface {}([]int) nil
	vAnyBoxN  any          = Boxed{}                                                         // want: interface {}(main.Boxed) {P: *int nil}
	vErrNew   error        = errors.New("plain")                                             // want: error(*errors.errorString) *{s: "plain"}
	vErrWrap  error        = fmt.Errorf("w: %w", vErr)                                       // want: error(*fmt.wrapError) *{msg: "w: errx", err: error(*shapes.ErrX) *{Code: 3}}
	vPtrAny                = &vAnyInt                                                        // want: *interface {}(int) 5
	vShapes                = []shapes.Shape{shapes.Sq{S: 2}, circ, nil, (*shapes.Circ)(nil)} // want: []shapes.Shape len: 4, cap: 4, [shapes.Sq {S: 2},*shapes.Circ {R: 1, Next: *shapes.Circ nil},nil,*shapes.Circ nil]
	vErrs                  = map[string]error{"t": nilErr}                                   // want: map[string]error ["t": *shapes.ErrX nil, ]
	vErrs0                 = map[string]error{"n": nil}                                      // want: map[string]error ["n": nil, ]
	vAnys                  = [3]any{1, "s", nil}                                             // want: [3]interface {} [1,"s",nil]
	vHolder                = struct{ E, F error }{nilErr, nil}                               // want: struct { E error; F error } {E: error(*shapes.ErrX) nil, F: error nil}
)

// Channels and functions.
var (
	vChan    = filled()             // want: chan int 4/11
	vChanNil chan int               // want: chan int nil
	vChanS   = make(chan struct{})  // want: chan struct {} 0/0
	vRecv    <-chan string          // want: <-chan string nil
	vFunc    = afunc                // want: main.afunc
	vFuncNil func(int)              // want: nil
	vMethod  = shapes.Sq{S: 3}.Area // want: shapes.Sq.Area-fm
	vMethodP = circ.Area            // want: shapes.(*Circ).Area-fm
	vMethodI = vShapeSq.Area        // want: shapes.Shape.Area-fm
	vClosure = counter(10)          // want: main.counter.func1
)

func afunc(i int) int { return i + 1 }

//go:noinline
func counter(start int) func() int {
	step := 2
	name := "c"
	return func() int {
		start += step
		if name == "" {
			return 0
		}
		return start
	}
}

func filled() chan int {
	c := make(chan int, 11)
	for i := 0; i < 9; i++ {
		c <- i
	}
	for i := 0; i < 9; i++ {
		<-c
	}
	for i := 100; i < 104; i++ {
		c <- i
	}
	return c
}

func large() map[string]int {
	m := map[string]int{}
	for i := 0; i < 6000; i++ {
		m[fmt.Sprint("key", i)] = i
	}
	for i := 0; i < 6000; i += 3 {
		delete(m, fmt.Sprint("key", i))
	}
	return m
}

// grow leaves a map of the old design in the middle of its incremental growth.
func grow() map[int]int {
	m := map[int]int{}
	for i := 0; i < 6657; i++ {
		m[i] = i * i
	}
	return m
}

func holes() map[int32]string {
	m := map[int32]string{}
	for i := int32(0); i < 8; i++ {
		m[i] = strings.Repeat("v", int(i))
	}
	delete(m, 3)
	delete(m, 5)
	return m
}

func indirect() map[big]big {
	m := map[big]big{}
	for i := 0; i < 300; i++ {
		m[big{byte(i), byte(i >> 8)}] = big{byte(i)}
	}
	return m
}

func sum(m map[string]int) (n, s int) {
	for _, v := range m {
		n, s = n+1, s+v
	}
	return
}

//go:noinline
func generic[T any, K comparable](in io.Reader, v T, m map[K]T) (out T) {
	local := Cell[T]{V: v} // want: main.Cell[string] {V: "gen", Nx: *main.Cell[string] nil}
	list := []T{v, v}      // want: []string len: 2, cap: 2, ["gen","gen"]
	wait(in, &local, &list, &m)
	return v
}

//go:noinline
func wait(in io.Reader, keep ...any) {
	_, _ = bufio.NewReader(in).ReadString('\n')
	runtime.KeepAlive(keep)
}

//go:noinline
func locals(in io.Reader, arg int, text string, list []int, e error, s shapes.Shape) (res int, err error) {
	x := arg + 1       // want: 43
	escaped := arg * 2 // want: 84
	keep := &escaped   // want: *84
	if x > 0 {
		x := "inner" // want: "inner"
		inc := func(by int) int {
			escaped += by
			return escaped + len(x)
		}
		arr := [3]int{1, 2, 3}      // want: [3]int [1,2,3]
		m := map[string]int{"l": 1} // want: map[string]int ["l": 1, ]
		r := generic[string, int](in, "gen", map[int]string{1: "a"})
		later := inc(len(r))
		fmt.Fprintln(io.Discard, later, keep, arr, m, text, list, e, s)
	}
	return x, nil
}

// overIterators has range-over-func loops, which Go has since 1.23.
var overIterators func(in io.Reader, param int) int

func main() {
	cyc = &cyc
	pp = &pp
	vAtomic.Store(5)
	n, s := sum(vMapLarge)
	fmt.Println("sum", n, s)
	for name, v := range map[string]any{"a": &vAnyNil, "b": cyc, "c": pp, "d": nilMapT, "e": vMapIndir, "f": vMapHoles, "g": vMapGrow} {
		fmt.Fprintln(io.Discard, name, v == nil)
	}
	go func() { vChanS <- struct{}{} }()
	time.Sleep(10 * time.Millisecond)
	use()
	fmt.Println("ready")
	if len(os.Args) > 1 && os.Args[1] == "range" {
		overIterators(os.Stdin, 9)
		return
	}
	locals(os.Stdin, 42, "hello", []int{1, 2}, nilErr, shapes.Sq{S: 1})
}

// use keeps every variable in the program, and its descriptors.
//
//go:noinline
func use() {
	keep = []any{
		&vBool,
		&vInt,
		&vInt8,
		&vInt16,
		&vInt32,
		&vRune,
		&vInt64,
		&vUint,
		&vUint8,
		&vUint16,
		&vUint32,
		&vUint64,
		&vUintptr,
		&vF32,
		&vF64,
		&vSmall,
		&vInf,
		&vNegInf,
		&vNaN,
		&vC64,
		&vC128,
		&vColor,
		&vColor9,
		&vFlags,
		&vFlags9,
		&vTemp,
		&vMonth,
		&vDur,
		&vStr,
		&vEmpty,
		&vLong,
		&vUnsafe,
		&vUnsafeP,
		&vSlice,
		&vSliceCap,
		&vSliceNil,
		&vSliceNone,
		&vSlice131,
		&vSliceS,
		&vSliceP,
		&vSliceSl,
		&vArray,
		&vArray0,
		&vArrayA,
		&vBytes,
		&vRunes,
		&vMyBytes,
		&vStruct,
		&vStruct0,
		&vAnon,
		&vEmbeds,
		&vDeep,
		&vPtr,
		&vPtrNil,
		&vPtrPtr,
		&vNode,
		&vKey,
		&vCell,
		&vCellKey,
		&vPair,
		&vTime,
		&vTimeZone,
		&vAtomic,
		&vMap,
		&vMapNil,
		&vMapNone,
		&vMapKey,
		&vMapAny,
		&vMapAnyK,
		&vMapBig,
		&vMapF,
		&vMapSet,
		&vMapMap,
		&vMapLarge,
		&vMapGrow,
		&vMapHoles,
		&vMapIndir,
		&vAnyNil,
		&vErrNil,
		&vShapeNil,
		&vAnyInt,
		&vAnyBig,
		&vAnyU8,
		&vAnyStr,
		&vAnySl,
		&vAnyMap,
		&vAnyStr0,
		&vAnyA,
		&vAnyPA,
		&vAnyBoxed,
		&vAnyOne,
		&vAnyFunc,
		&vAnyChan,
		&vAnyCell,
		&vShapeSq,
		&vShapeC,
		&vErr,
		&vErrTyped,
		&vAnyNilM,
		&vAnyNilC,
		&vAnyNilF,
		&vAnyNilS,
		&vAnyBoxN,
		&vErrNew,
		&vErrWrap,
		&vPtrAny,
		&vShapes,
		&vErrs,
		&vErrs0,
		&vAnys,
		&vHolder,
		&vChan,
		&vChanNil,
		&vChanS,
		&vRecv,
		&vFunc,
		&vFuncNil,
		&vMethod,
		&vMethodP,
		&vMethodI,
		&vClosure,
	}
	fmt.Fprintln(io.Discard, len(keep))
}

var keep []any
