// Command crowd parks ten thousand goroutines and then calls one method often: what `cargo xtask bench` counts stops and threads with.
package main

import "sync"

type counter interface{ add(n int) int }

type sum struct{ total int }

func (s *sum) add(n int) int {
	s.total += n // stop: hit
	return s.total
}

func main() {
	const parked, rounds = 10_000, 2_000
	var ready sync.WaitGroup
	gate := make(chan struct{})
	ready.Add(parked)
	for i := 0; i < parked; i++ {
		go func() {
			ready.Done()
			<-gate
		}()
	}
	ready.Wait()
	var c counter = &sum{}
	last := 0 // stop: parked
	for i := 0; i < rounds; i++ {
		last = c.add(i)
	}
	println(last)
	close(gate)
}
