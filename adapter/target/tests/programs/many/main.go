// Command many is what the back ends are tested with: one mode for each fact.
package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

var calls int64

// tick has no stack check: one that finds the goroutine preempted would run the entry twice, rightly.
//
//go:noinline
//go:nosplit
func tick(n int) int {
	atomic.AddInt64(&calls, 1)
	return n + 1
}

//go:noinline
func mark(n int) int { return n * 2 }

func main() {
	mode := "hello"
	if len(os.Args) > 1 {
		mode = os.Args[1]
	}
	modes[mode]()
}

var modes = map[string]func(){
	"hello":   func() { fmt.Println("hello") },
	"facts":   facts,
	"flood":   flood,
	"storm":   storm,
	"busy":    busy,
	"block":   block,
	"ticks":   ticks,
	"exit":    func() { os.Exit(number(2)) },
	"die":     die,
	"nilp":    nilp,
	"child":   child,
	"orphan":  orphan,
	"become":  become,
	"threads": threads,
	"trap":    trap,
	"sleep":   func() { time.Sleep(time.Hour) },
	"thrash":  thrash,
	"serve":   serve,
}

func number(i int) int {
	n, err := strconv.Atoi(os.Args[i])
	if err != nil {
		panic(err)
	}
	return n
}

// facts prints everything that the start of a program decides.
func facts() {
	cwd, _ := os.Getwd()
	var in [8]byte
	n, err := os.Stdin.Read(in[:])
	stat, _ := os.ReadFile("/proc/self/personality")
	sid, _, _ := syscall.Syscall(syscall.SYS_GETSID, 0, 0, 0)
	json.NewEncoder(os.Stdout).Encode(map[string]any{
		"args": os.Args, "env": os.Environ(), "cwd": cwd, "stdin": string(in[:n]), "eof": err != nil,
		"personality": string(stat), "leader": int(sid) == os.Getpid(),
	})
}

// flood writes 25 MB to each of both streams, in order, the last bytes right before the end.
func flood() {
	var wg sync.WaitGroup
	for _, f := range []*os.File{os.Stdout, os.Stderr} {
		wg.Add(1)
		go func(f *os.File) {
			defer wg.Done()
			line := make([]byte, 0, 32)
			for i := 0; i < 25<<20/16; i++ {
				line = line[:0]
				line = append(line, fmt.Sprintf("%015d\n", i)...)
				f.Write(line)
			}
		}(f)
	}
	if len(os.Args) > 2 {
		wg = sync.WaitGroup{}
	}
	wg.Wait()
}

// storm calls tick 4 x n times while every thread is hit by SIGURG all the time.
func storm() {
	n := number(2)
	pid := os.Getpid()
	stop := make(chan bool)
	go func() {
		runtime.LockOSThread()
		for {
			select {
			case <-stop:
				return
			default:
			}
			tasks, _ := os.ReadDir("/proc/self/task")
			for _, t := range tasks {
				tid, _ := strconv.Atoi(t.Name())
				syscall.Syscall(syscall.SYS_TGKILL, uintptr(pid), uintptr(tid), uintptr(syscall.SIGURG))
			}
			syscall.Nanosleep(&syscall.Timespec{Nsec: 500_000}, nil)
		}
	}()
	workers(4, n)
	close(stop)
	fmt.Println("calls", atomic.LoadInt64(&calls))
}

func workers(goroutines, n int) {
	var wg sync.WaitGroup
	for g := 0; g < goroutines; g++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := 0; i < n; i++ {
				tick(i)
			}
		}()
	}
	wg.Wait()
}

// thrash creates and ends OS threads while tick is called.
func thrash() {
	n := number(2)
	stop := make(chan bool)
	go func() {
		for {
			select {
			case <-stop:
				return
			default:
				done := make(chan bool)
				go func() {
					runtime.LockOSThread()
					close(done)
				}()
				<-done
			}
		}
	}()
	workers(4, n)
	close(stop)
	fmt.Println("calls", atomic.LoadInt64(&calls))
}

func busy() {
	fmt.Println("ready")
	for i := 0; ; i++ {
		if i == -1 {
			fmt.Println(i)
		}
	}
}

// block sits in a read that never ends.
func block() {
	var fds [2]int
	syscall.Pipe(fds[:])
	fmt.Println("ready")
	syscall.Read(fds[0], make([]byte, 1))
}

// ticks counts for ever and says so; it catches SIGUSR1 and says that too.
func ticks() {
	c := make(chan os.Signal, 8)
	signal.Notify(c, syscall.SIGUSR1)
	fmt.Println("ready")
	for i := 0; ; {
		select {
		case <-c:
			fmt.Println("usr1")
		case <-time.After(5 * time.Millisecond):
			i = tick(i)
			fmt.Println("tick", i)
		}
	}
}

func die() {
	signal.Reset()
	syscall.Kill(os.Getpid(), syscall.Signal(number(2)))
	time.Sleep(time.Minute)
}

// nilp recovers from three nil dereferences and ends with 37.
func nilp() {
	for i := 0; i < 3; i++ {
		func() {
			defer func() { recover() }()
			var p *[4]int
			fmt.Println(p[tick(i)&3])
		}()
	}
	os.Exit(37)
}

// child runs five children; what each runs between vfork and exec is in this program's memory.
func child() {
	for i := 0; i < 5; i++ {
		out, err := exec.Command("/bin/echo", "child", strconv.Itoa(i)).CombinedOutput()
		fmt.Printf("%s%v\n", out, err)
		tick(i)
	}
}

// orphan leaves a child behind that holds both streams.
func orphan() {
	c := exec.Command("/bin/sleep", "300")
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	if err := c.Start(); err != nil {
		panic(err)
	}
	fmt.Println("orphan", c.Process.Pid)
}

func become() {
	tick(1)
	panic(syscall.Exec(os.Args[2], os.Args[2:], os.Environ()))
}

// threads keeps 200 OS threads and calls tick on each.
func threads() {
	var wg sync.WaitGroup
	release := make(chan bool)
	for i := 0; i < 200; i++ {
		wg.Add(1)
		go func() {
			runtime.LockOSThread()
			wg.Done()
			<-release
			tick(i)
			wg.Done()
		}()
	}
	wg.Wait()
	mark(1)
	wg.Add(200)
	close(release)
	wg.Wait()
	fmt.Println("calls", atomic.LoadInt64(&calls))
}

func trap() {
	for i := 0; i < 3; i++ {
		runtime.Breakpoint()
		tick(i)
	}
	fmt.Println("calls", atomic.LoadInt64(&calls))
}

// serve answers a TCP client for ever: what a debugger attaches to.
func serve() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(l.Addr().(*net.TCPAddr).Port)
	for {
		c, err := l.Accept()
		if err != nil {
			panic(err)
		}
		fmt.Fprintln(c, tick(1))
		c.Close()
	}
}
