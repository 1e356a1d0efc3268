// storm: goroutines call tick while every thread is flooded with SIGURG; the count of executions is printed.
// Arguments: mode (storm, spin, sleep, exec, segv, exit N, args...).
package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

var total atomic.Int64

// A leaf without a stack check: its entry runs once for each call (a prologue with one runs again after the stack has grown or
// when a preemption is due).
//
//go:noinline
func tick(n int) int {
	total.Add(1)
	return n + 1
}

func flood(stop chan bool) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		tasks, _ := os.ReadDir("/proc/self/task")
		for _, t := range tasks {
			tid, _ := strconv.Atoi(t.Name())
			syscall.Syscall(syscall.SYS_TGKILL, uintptr(os.Getpid()), uintptr(tid), uintptr(syscall.SIGURG))
		}
		time.Sleep(500 * time.Microsecond)
	}
}

//go:noinline
func done() {}

func storm(goroutines, calls int) {
	stop := make(chan bool)
	go flood(stop)
	var wg sync.WaitGroup
	for g := 0; g < goroutines; g++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := 0; i < calls; i++ {
				tick(i)
			}
		}()
	}
	wg.Wait()
	close(stop)
	done()
	fmt.Println("total", total.Load())
}

//go:noinline
func spin() {
	for i := 0; ; i++ {
		tick(i)
	}
}

func segv() {
	for i := 0; i < 3; i++ {
		func() {
			defer func() { fmt.Println("recovered", recover() != nil) }()
			var p *int
			*p = 1
		}()
	}
}

func main() {
	mode := "storm"
	if len(os.Args) > 1 {
		mode = os.Args[1]
	}
	switch mode {
	case "storm":
		storm(4, 500)
	case "spin":
		spin()
	case "sleep":
		c := make(chan os.Signal, 1)
		signal.Notify(c, syscall.SIGTERM)
		fmt.Println("sleeping")
		<-c
		fmt.Println("terminated")
	case "exec":
		for i := 0; i < 5; i++ {
			out, err := exec.Command("/bin/echo", "child", strconv.Itoa(i)).CombinedOutput()
			tick(i)
			fmt.Print(string(out))
			if err != nil {
				fmt.Println(err)
				os.Exit(3)
			}
		}
		fmt.Println("total", total.Load())
	case "segv":
		segv()
	case "output":
		n, _ := strconv.Atoi(os.Args[2])
		line := make([]byte, 1024)
		for i := range line {
			line[i] = 'x'
		}
		line[1023] = '\n'
		for i := 0; i < n; i++ {
			os.Stdout.Write(line)
		}
		fmt.Fprintln(os.Stderr, "end")
	case "exit":
		n, _ := strconv.Atoi(os.Args[2])
		os.Exit(n)
	case "args":
		for _, a := range os.Args[2:] {
			fmt.Printf("%q\n", a)
		}
		wd, _ := os.Getwd()
		fmt.Println(wd, os.Getenv("X"), len(os.Environ()))
	}
}
