// One breakpoint for a method of an interface: it stops in every implementation, or in one type's only.
//
// What to look at:
//   - A function breakpoint on `main.Sink.Put` stops in memory.Put, in (*counter).Put and in lazy.Put, once for each call; the breakpoint
//     says how many bodies it has. The program prints how many calls there were.
//   - `main.Sink.Put(main.audited)`: audited has Put from its embedded counter. Only calls that came through an audited stop, in the
//     body that it shares with *counter.
//   - With the condition `typeof(recv) == *main.counter` or the log message `{recv} takes {text}`: recv is the receiver, whatever the
//     method calls it.
//   - `main.(*Ring).Put` stops for every instance of the generic type, `main.(*Ring[int]).Put` for one, though all run the same code.
//   - "stop: late": lazy meets Sink only here, behind `any`. The breakpoint was there before.
//
// In the debug console: `break main.Sink.Put *main.counter`, `breaks`, `break -d 1`.
package main

import "fmt"

type Sink interface{ Put(text string) int }

var calls = map[string]int{}

type memory []string

func (m *memory) Put(text string) int {
	calls["memory"]++
	*m = append(*m, text)
	return len(*m)
}

type counter struct{ n int }

func (c *counter) Put(text string) int {
	calls["counter"]++
	c.n += len(text)
	return c.n
}

type audited struct {
	*counter
	by string
}

type lazy int

func (l lazy) Put(text string) int {
	calls["lazy"]++
	return int(l) * len(text)
}

type Ring[T any] struct{ all []T }

func (r *Ring[T]) Put(v T) int {
	calls[fmt.Sprintf("Ring[%T]", v)]++
	r.all = append(r.all, v)
	return len(r.all)
}

// hold hides from the compiler what is in an interface: else it would call the concrete method directly.
func hold[T any](v T) T { return v }

func main() {
	shared := &counter{}
	for _, s := range []Sink{&memory{}, shared, audited{shared, "ann"}, &memory{}} {
		s.Put("hello") // stop: put
	}
	shared.Put("directly")
	if s, ok := hold[any](lazy(2)).(Sink); ok {
		s.Put("late") // stop: late
	}
	texts, numbers := &Ring[string]{}, &Ring[int]{}
	texts.Put("a")
	numbers.Put(1)
	numbers.Put(2)
	fmt.Println(calls)
}
