// Runs until it is told to stop: for attaching, interrupting, breakpoints set meanwhile.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

var Counter int

//go:noinline
func tick(n int) int {
	Counter = n // @tick
	return n + 1
}

func main() {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGUSR1)
	fmt.Println("started", os.Getpid())
	if len(os.Args) > 1 && os.Args[1] == "blocked" {
		var ends [2]int
		var buffer [1]byte
		fmt.Println(syscall.Pipe(ends[:]))
		n, err := syscall.Read(ends[0], buffer[:]) // @read
		fmt.Println(n, err)
		return
	}
	for n := 0; ; {
		n = tick(n)
		select {
		case <-signals:
			fmt.Println("signalled")
			return
		default:
		}
		time.Sleep(2 * time.Millisecond)
	}
}
