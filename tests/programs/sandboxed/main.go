// Program sandboxed calls methods of what other calls of the same line return: only running those tells which.
//
// Each marked line prints what it was in the end. What its callees may not do in a sandbox is in the second half.
package main

import (
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Shape is what the marked lines call through.
type Shape interface{ Area() int }

// One, Two and Three say which they are.
type One struct{ n int }
type Two struct{ n int }
type Three struct{ name string }

//go:noinline
func (o *One) Area() int { return 1 }

//go:noinline
func (t Two) Area() int { return 2 }

//go:noinline
func (t *Three) Area() int { return 3 }

// Late is only ever asserted.
type Late interface{ Area() int }

//go:noinline
func pick(n int) Shape {
	switch n % 3 {
	case 0:
		return &One{n}
	case 1:
		return Two{n}
	}
	return &Three{strconv.Itoa(n)}
}

var (
	named  = map[string]Shape{}
	number = map[int]Shape{}
	mutex  sync.Mutex
	once   sync.Once
	first  Shape
	calls  int
)

//go:noinline
func byName(n int) Shape { return named[fmt.Sprintf("key-%03d", n)] }

//go:noinline
func byNumber(n int) Shape { return number[n] }

//go:noinline
func fresh(n int) Shape {
	made := map[string]int{}
	for i := 0; i < 60; i++ {
		made["k"+strconv.Itoa(i)] = i
	}
	delete(made, "k3")
	return pick(made["k"+strconv.Itoa(n)] + len(made))
}

//go:noinline
func sorted(ns ...int) Shape {
	all := append([]int(nil), ns...)
	sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
	return pick(all[0])
}

//go:noinline
func appended(n int) Shape {
	var all []Shape
	for i := 0; i < 40; i++ {
		all = append(all, pick(i))
	}
	return all[n]
}

//go:noinline
func locked(n int) Shape {
	mutex.Lock()
	defer mutex.Unlock()
	calls++
	return pick(n + calls)
}

//go:noinline
func onlyOnce() Shape {
	once.Do(func() { first = pick(4) })
	return first
}

//go:noinline
func parsed(text string) Shape {
	sum := 0
	for _, part := range strings.Split(strings.ToUpper(text), ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil {
			sum += len(err.Error())
		}
		sum += n
	}
	return pick(sum)
}

//go:noinline
func built(words ...string) Shape {
	var b strings.Builder
	for _, w := range words {
		b.WriteString(w)
		b.WriteByte(' ')
	}
	return pick(strings.Count(b.String(), " ") + strings.Index(b.String(), "needle"))
}

func compose(f, g func(int) int) func(int) int { return func(n int) int { return g(f(n)) } }

//go:noinline
func through(n int) Shape {
	f := func(n int) int { return n + 1 }
	for i := 0; i < 5; i++ {
		f = compose(f, f)
	}
	return pick(f(n))
}

//go:noinline
func largest[T int | string](all ...T) (best T) {
	for _, x := range all {
		if x > best {
			best = x
		}
	}
	return best
}

//go:noinline
func asserted(v any) Late {
	if l, ok := v.(Late); ok {
		return l
	}
	return pick(2)
}

//go:noinline
func deep(n int) int {
	var pad [40]int
	if n == 0 {
		return pad[n]
	}
	pad[n%40] = n
	return deep(n-1) + pad[n%40]%2
}

//go:noinline
func received(c chan int) Shape { return pick(<-c) }

//go:noinline
func started(n int) Shape {
	done := make(chan struct{})
	go func() { n++; close(done) }()
	<-done
	return pick(n)
}

//go:noinline
func clocked() Shape { return pick(int(time.Now().Unix() >> 62)) }

//go:noinline
func ranged() Shape {
	sum := 0
	for k := range number {
		sum = sum*2 + k
	}
	return pick(sum)
}

//go:noinline
func recovered(n int) (s Shape) {
	defer func() {
		if recover() != nil {
			s = pick(1)
		}
	}()
	return []Shape{pick(0)}[n]
}

//go:noinline
func system() Shape { return pick(len(os.Args[0]) * 0 * os.Getpid()) }

//go:noinline
func endless(n int) Shape {
	for i := 0; i < 3_000_000; i++ {
		n += i & n
	}
	return pick(n)
}

func main() {
	for i := 0; i < 100; i++ {
		named[fmt.Sprintf("key-%03d", i)] = pick(i)
		number[i] = pick(i + 1)
	}
	channel := make(chan int, 1)
	channel <- 1
	show := func(what string, n int) { fmt.Println("was", what, n) }
	n := 0
	n = byName(7).Area() // @map
	show("map", n)
	n = byNumber(41).Area() // @number
	show("number", n)
	n = fresh(11).Area() // @fresh
	show("fresh", n)
	n = sorted(9, 4, 8, 5).Area() // @sorted
	show("sorted", n)
	n = appended(32).Area() // @appended
	show("appended", n)
	n = locked(1).Area() // @locked
	show("locked", n)
	n = onlyOnce().Area() // @once
	show("once", n)
	n = parsed("1, 2 ,x,4").Area() // @parsed
	show("parsed", n)
	n = built("a", "hay", "needle").Area() // @built
	show("built", n)
	n = through(2).Area() // @through
	show("through", n)
	n = pick(largest(3, 14, 1) + len(largest("a", "zz"))).Area() // @generic
	show("generic", n)
	n = asserted(&Three{}).Area() // @asserted
	show("asserted", n)
	n = pick(deep(60)).Area() // @deep
	show("deep", n)
	n = received(channel).Area() // @channel
	show("channel", n)
	n = started(1).Area() // @go
	show("go", n)
	n = clocked().Area() // @clock
	show("clock", n)
	n = ranged().Area()     // @range
	n = recovered(3).Area() // @recover
	show("recover", n)
	n = system().Area() // @system
	show("system", n)
	n = endless(1).Area() // @endless
	show("endless", n)
	fmt.Println("end", calls)
}
