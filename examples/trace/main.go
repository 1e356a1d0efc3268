// Command trace calls through interfaces and asserts types in loops: what a trace counts and logs.
//
// Look at (debug console, at the stop in main; clear the breakpoint and continue; then trace show):
//
//	trace dispatch main.Store.Put results   each call: site, concrete type, target, results, time
//	trace asserts                           each assertion: what was there, what was wanted, the outcome
//	trace show                              the counts, equal to those that the program prints
//	trace pprof /tmp/calls.pb.gz            the same for go tool pprof
package main

import (
	"errors"
	"fmt"
)

// Store keeps things.
type Store interface {
	Put(key string, value any) (int, error)
}

// Memory keeps all.
type Memory struct {
	data map[string]any
	puts int
}

func (m *Memory) Put(key string, value any) (int, error) {
	m.puts++
	m.data[key] = value
	return len(m.data), nil
}

// Limited refuses what is beyond its room.
type Limited struct {
	Store
	left, puts int
}

var errFull = errors.New("full")

func (l *Limited) Put(key string, value any) (int, error) {
	l.puts++
	if l.left == 0 {
		return 0, errFull
	}
	l.left--
	return l.Store.Put(key, value) // stop: inner
}

// Length measures what has a length.
func length(v any) int {
	if s, ok := v.(fmt.Stringer); ok { // stop: interface
		return len(s.String())
	}
	switch v := v.(type) { // stop: switch
	case string:
		return len(v)
	case []int:
		return len(v)
	}
	return 0
}

type name string

func (n name) String() string { return string(n) }

func main() {
	memory := &Memory{data: map[string]any{}}
	limited := &Limited{Store: memory, left: 3}
	stores := []Store{memory, limited} // stop: start
	values := []any{"text", []int{1, 2}, name("three"), 4}
	total, full := 0, 0
	for i := 0; i < 8; i++ {
		value := values[i%len(values)]
		_, err := stores[i%2].Put(fmt.Sprint("key", i%5), value) // stop: call
		if err == errFull {
			full++
		}
		total += length(value)
	}
	fmt.Println("memory", memory.puts, "limited", limited.puts, "full", full, "length", total)
}
