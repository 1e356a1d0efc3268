// Counts its own calls while signals rain: preemption, profiling, faults that the runtime turns into panics.
package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

var calls, faults, hangups atomic.Int64

//go:noinline
func hit(n int) int {
	calls.Add(1)
	return n * 3 // @hit
}

//go:noinline
func fault(pointer *int) (failed bool) {
	defer func() { failed = recover() != nil }()
	return *pointer == 1
}

func main() {
	runtime.GOMAXPROCS(4)
	if err := pprof.StartCPUProfile(io.Discard); err != nil {
		panic(err)
	}
	signals := make(chan os.Signal, 100)
	signal.Notify(signals, syscall.SIGHUP)
	go func() {
		for range signals {
			hangups.Add(1)
		}
	}()
	stop := make(chan bool)
	for i := 0; i < 2; i++ {
		go func() {
			for {
				select {
				case <-stop:
					return
				default:
					for j := 0; j < 10000; j++ {
					}
				}
			}
		}()
	}
	go func() {
		for {
			time.Sleep(time.Millisecond)
			runtime.GC()
		}
	}()
	var wait sync.WaitGroup
	for worker := 0; worker < 4; worker++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			total := 0
			for i := 0; i < 50; i++ {
				total += hit(i)
				if i%10 == 0 {
					syscall.Kill(os.Getpid(), syscall.SIGHUP)
				}
				if fault(nil) {
					faults.Add(1)
				}
				for j := 0; j < 20000; j++ {
				}
			}
			if total != 3675 {
				panic(total)
			}
		}()
	}
	wait.Wait()
	close(stop)
	for i := 0; i < 1000 && hangups.Load() == 0; i++ {
		time.Sleep(time.Millisecond)
	}
	fmt.Println("calls", calls.Load(), "faults", faults.Load(), "hangups", hangups.Load() > 0) // @end
}
