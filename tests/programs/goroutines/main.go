// Goroutines in every state, with names to find them by.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime/pprof"
	"sync"
	"time"
)

var ready sync.WaitGroup

//go:noinline
func receiver(ch chan int, id int) {
	ready.Done()
	value := <-ch // @receive
	fmt.Fprintln(os.Stderr, id, value)
}

//go:noinline
func locker(mutex *sync.Mutex) {
	ready.Done()
	mutex.Lock() // @lock
	mutex.Unlock()
}

//go:noinline
func selector(a, b chan int) {
	ready.Done()
	select { // @select
	case <-a:
	case <-b:
	}
}

//go:noinline
func sleeper() {
	ready.Done()
	time.Sleep(time.Hour) // @sleep
}

//go:noinline
func worker(id int, done chan<- int) {
	total := 0
	for i := 0; i < 3; i++ {
		total += step(id, i)
	}
	done <- total
}

//go:noinline
func step(id, i int) int {
	return id*10 + i // @step
}

//go:noinline
func deep(n int) int {
	if n == 0 {
		return bottom() // @deep
	}
	return deep(n-1) + 1
}

//go:noinline
func bottom() int {
	return 1 // @bottom
}

func main() {
	ch, a, b := make(chan int), make(chan int), make(chan int)
	mutex := &sync.Mutex{}
	mutex.Lock()
	ready.Add(5)
	go receiver(ch, 1)
	go receiver(ch, 2)
	go locker(mutex)
	go selector(a, b)
	pprof.Do(context.Background(), pprof.Labels("role", "sleeper"), func(context.Context) { go sleeper() })
	ready.Wait()
	time.Sleep(50 * time.Millisecond)
	fmt.Println("parked") // @parked
	done := make(chan int)
	for id := 1; id <= 4; id++ {
		go worker(id, done)
	}
	sum := 0
	for id := 1; id <= 4; id++ {
		sum += <-done
	}
	fmt.Println("sum", sum) // @sum
	fmt.Println(deep(120))
	ch <- 1
	ch <- 2
	mutex.Unlock()
}
