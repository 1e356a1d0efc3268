// Dynamic calls in `go` and `defer` statements: the call happens later, elsewhere, through a wrapper.
//
// What to look at:
//   - "stop: go": a step into w.Work stops in the body in the new goroutine; `stopped` names that goroutine.
//   - "stop: defer": a step into c.Close stops when the function returns, in the body.
//   - "stop: return": the deferred calls are what this line can step into.
package main

import (
	"fmt"
	"sync"
)

type Worker interface {
	Work(n int, done *sync.WaitGroup)
}

type miner struct{ found []int }

func (m *miner) Work(n int, done *sync.WaitGroup) {
	defer done.Done()
	m.found = append(m.found, n)
}

type Closer interface{ Close() error }

type file struct{ name string }

func (f file) Close() error {
	fmt.Println("closing", f.name)
	return nil
}

func use(c Closer) int {
	defer c.Close() // stop: defer
	n := 1
	return n // stop: return
}

func main() {
	m := &miner{}
	var w Worker = m
	var done sync.WaitGroup
	done.Add(1)
	go w.Work(11, &done) // stop: go
	done.Wait()
	fmt.Println(m.found, use(file{"notes"}))
}
