// Addresses of every kind of memory. The program prints each with what it knows of it: `NAME ADDRESS REGION FACT...`; a debugger
// must say the same at the stop.
package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"syscall"
	"unsafe"
)

type record struct {
	next *record
	rest [40]byte
}

type shape interface{ Area() float64 }

type square struct{ side float64 }

func (s *square) Area() float64 { return s.side * s.side }

var (
	zeroed  [64]byte
	started = [4]int{1, 2, 3, 4}
	kept    []any
	escaped any
	word    = "a string of the binary"
	report  strings.Builder
)

//go:noinline
func say(name string, at uintptr, facts string) {
	fmt.Fprintf(&report, "%s %#x %s\n", name, at, facts)
}

func address[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }

// The second word of an interface value.
func data(v *any) uintptr { return (*[2]uintptr)(unsafe.Pointer(v))[1] }

//go:noinline
func free() uintptr {
	neighbour, gone := new([3000]byte), new([3000]byte)
	kept = append(kept, neighbour) // keeps the span
	escaped = gone
	at := address(escaped.(*[3000]byte))
	escaped = nil
	return at
}

//go:noinline
func others(done chan bool, ready chan uintptr) {
	var here [4]int
	ready <- address(&here)
	<-done
	here[0]++
}

//go:noinline
func scrub(n int) int {
	var big [2048]byte
	if n > 0 {
		return scrub(n-1) + int(big[n])
	}
	return 0
}

//go:noinline
func look(number int, done chan bool) {
	scrub(30) // the stack grows now, not between two lines of the report
	var local [3]int
	local[1] = number
	say("local", address(&local), "stack goroutine=1 function=main.look variable=local")
	say("localinside", address(&local)+8, "stack goroutine=1 function=main.look variable=local+0x8")

	eight := new(record)
	kept = append(kept, eight)
	say("object", address(eight), "heap size=48 class=5 free=false")
	say("objectinside", address(eight)+20, "heap size=48 class=5 free=false")
	small := new(int32)
	kept = append(kept, small)
	say("tiny", address(small), "heap size=16 class=2 free=false")
	large := make([]byte, 100_000)
	kept = append(kept, large)
	say("large", address(&large[0])+50_000, "heap size=106496 class=0 free=false")

	var seven, empty any = number + 2, word[:number-5]
	kept = append(kept, seven, empty)
	say("seven", data(&seven), "smallInts")
	say("empty", data(&empty), "zeroVal")
	nowhere := new(struct{})
	kept = append(kept, nowhere)
	say("nowhere", address(nowhere), "zerobase")

	say("bss", address(&zeroed)+3, "bss symbol=main.zeroed+0x3")
	say("data", address(&started), "data symbol=main.started")
	say("readonly", uintptr(unsafe.Pointer(unsafe.StringData(word))), "readonly")
	f := scrub
	say("text", **(**uintptr)(unsafe.Pointer(&f)), "text symbol=main.scrub")
	var s shape = &square{float64(number)}
	kept = append(kept, s)
	say("itab", (*[2]uintptr)(unsafe.Pointer(&s))[0], "readonly itab=*main.square,main.shape")
	say("iface", address(&s), "words=main.shape,*main.square")
	var w io.Writer = os.Stdout
	say("words", address(&w), "words=io.Writer,*os.File")
	mapped, err := syscall.Mmap(-1, 0, 4096, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		panic(err)
	}
	say("mapped", address(&mapped[0]), "mapped")
	say("unmapped", 0x10, "unmapped")
	say("hole", 0x7000_0000_0000_0008, "unmapped")
	say("noncanonical", 0xdead_beef_dead_beef, "unmapped")

	fmt.Print(report.String())
	fmt.Println("all")
	runtime.KeepAlive(w)
	close(done) // @look
}

func main() {
	done, ready := make(chan bool), make(chan uintptr)
	go others(done, ready)
	say("others", <-ready, "stack function=main.others variable=here")
	gone := free()
	scrub(4)
	for i := 0; i < 3; i++ {
		runtime.GC()
	}
	say("gone", gone, "heap size=3072 free=true")
	look(5, done)
}
