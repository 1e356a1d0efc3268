// Goroutines in every state that a program can bring about. Prints what runtime.Stack says of them to the file named by the first
// argument, then calls checkpoint.
package main

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"sync"
	"syscall"
	"time"
)

var (
	mutex   sync.Mutex
	rw, rw2 sync.RWMutex
	files   []*os.File
	cond    = sync.NewCond(new(sync.Mutex))
	group   sync.WaitGroup
	recv    = make(chan int)
	send    = make(chan int)
	block   = make(chan struct{})
	nilChan chan int
)

type Square struct{ side int }

type Shape interface{ Wait() }

//go:noinline
func (s *Square) Wait() { <-recv }

type Wrapped struct{ *Square }

func inlined(c chan int) { innermost(c) }

func innermost(c chan int) {
	if c == nil {
		return
	}
	<-c
}

//go:noinline
func deep(n int) {
	if n == 0 {
		<-block
		return
	}
	deep(n - 1)
}

func generic[T any](x T, c chan T) { c <- x }

type Box[T any] struct{ c chan T }

//go:noinline
func (b *Box[T]) Put(x T) { b.c <- x }

type Name string

//go:noinline
func checkpoint() int { return runtime.NumGoroutine() }

func parked() {
	mutex.Lock()
	rw.Lock()
	group.Add(1)
	go func() { mutex.Lock() }()
	go func() { rw.RLock() }()
	rw2.RLock()
	go func() { rw2.Lock() }()
	go func() { group.Wait() }()
	go func() { cond.L.Lock(); cond.Wait() }()
	go func() { <-recv }()
	go func() { send <- 1 }()
	go func() { <-nilChan }()
	go func() { nilChan <- 1 }()
	go func() { select {} }()
	go func() {
		select {
		case <-recv:
		case send <- 2:
		}
	}()
	go func() { time.Sleep(time.Hour) }()
	go func() { inlined(recv) }()
	go deep(1000)
	var s Shape = Wrapped{&Square{1}}
	go s.Wait()
	go generic(Name("x"), make(chan Name))
	go (&Box[Name]{make(chan Name)}).Put("x")
	go (&Box[*Square]{make(chan *Square)}).Put(nil)
	go pprof.Do(context.Background(), pprof.Labels("worker", "seven", "kind", "io"), func(context.Context) { <-recv })
	go func() { runtime.LockOSThread(); <-recv }()
	go func() {
		go func() { <-block }()
		<-block
	}()
}

func systemCalls() {
	r, w, _ := os.Pipe()
	files = append(files, r, w)
	go func() { r.Read(make([]byte, 1)) }()
	var p [2]int
	syscall.Pipe(p[:])
	go func() { syscall.Read(p[0], make([]byte, 1)) }()
}

func main() {
	debug.SetTraceback("system")
	n := 0
	if len(os.Args) > 2 {
		n, _ = strconv.Atoi(os.Args[2])
	}
	for i := 0; i < n; i++ {
		go func() { <-block }()
	}
	parked()
	systemCalls()
	coroutine()
	// Everything has come to rest when nothing is runnable any more.
	time.Sleep(200 * time.Millisecond)
	runtime.GC()
	time.Sleep(50 * time.Millisecond)
	buf := make([]byte, 64<<20)
	buf = buf[:runtime.Stack(buf, true)]
	os.WriteFile(os.Args[1], buf, 0o644)
	checkpoint()
}
