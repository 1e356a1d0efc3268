// Lines to step over, into and out of. The marks are where a step must land.
package main

import (
	"fmt"
	"runtime"
)

//go:noinline
func add(a, b int) int { // @add
	sum := a + b // @add1
	return sum   // @add2
}

//go:noinline
func factorial(n int) int { // @fact
	if n <= 1 { // @fact1
		return 1 // @fact2
	}
	rest := factorial(n - 1) // @fact3
	return n * rest          // @fact4
}

//go:noinline
func deferring() (result int) { // @defer
	defer func() { // @defer1
		result *= 2 // @deferred
	}()
	result = 21           // @defer2
	return add(result, 0) // @defer3
} // @defer4

//go:noinline
func panicking() (text string) { // @panic
	defer func() { // @panic1
		text = fmt.Sprint(recover()) // @panicdefer
	}()
	explode(1)   // @panic2
	return "not" // @panic3
}

//go:noinline
func explode(n int) {
	if n > 0 {
		panic("boom") // @boom
	}
}

//go:noinline
func grow(n int) int {
	var buffer [4096]byte
	buffer[n%4096] = byte(n)
	if n == 0 {
		return int(buffer[0])
	}
	return grow(n-1) + int(buffer[n%4096])*0
}

func others(stop chan bool) {
	for {
		select {
		case <-stop:
			return
		default:
			runtime.Gosched()
		}
	}
}

func main() {
	total := 0 // @main1
	// @comment
	total += add(1, 2)         // @main2
	total += add(add(1, 1), 3) // @main3
	for i := 0; i < 2; i++ {   // @loop
		total += i // @loop1
	}
	total += factorial(4)    // @main4
	total += deferring()     // @main5
	fmt.Println(panicking()) // @main6
	stop := make(chan bool)  // @main7
	for i := 0; i < 4; i++ {
		go others(stop)
	}
	total += grow(200)     // @main8
	runtime.Gosched()      // @main9
	total += add(total, 1) // @main10
	close(stop)            // @main11
	fmt.Println(total)     // @main12
}
