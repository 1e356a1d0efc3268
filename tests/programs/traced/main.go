// Interface calls that count themselves: each method is told by which site it is called, and the counts are printed at the end.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

type Shape interface {
	Area(site int) int
	Name(site int, label string, weight float64) (string, error)
}

var (
	mu     sync.Mutex
	counts = map[string]int{}
)

//go:noinline
func count(site int, who string) {
	mu.Lock()
	counts[fmt.Sprintf("%d %s", site, who)]++
	mu.Unlock()
}

type Square struct{ Side int }

func (s *Square) Area(site int) int { count(site, "*main.Square"); return s.Side * s.Side }
func (s *Square) Name(site int, label string, weight float64) (string, error) {
	count(site, "*main.Square")
	return label + "!", nil
}

type Circle struct{ R int }

func (c Circle) Area(site int) int { count(site, "main.Circle"); return 3 * c.R * c.R }
func (c Circle) Name(site int, label string, weight float64) (string, error) {
	count(site, "main.Circle")
	return label, fmt.Errorf("weight %v", weight)
}

// Framed dispatches again.
type Framed struct{ Shape }

type Number int

func (n Number) Area(site int) int { count(site, "main.Number"); return int(n) }
func (n Number) Name(site int, label string, weight float64) (string, error) {
	count(site, "main.Number")
	return strconv.Itoa(int(n)), nil
}

//go:noinline
func pick(i int) Shape {
	switch i % 4 {
	case 0:
		return &Square{i}
	case 1:
		return Circle{i}
	case 2:
		return Framed{&Square{i}}
	}
	return Number(i)
}

type box struct{ n *int }

//go:noinline
func loop(n, offset int) (sum int) {
	for i := 0; i < n; i++ {
		s := pick(i + offset)
		sum += s.Area(1) // @site 1
		if i%3 == 0 {
			sum += s.Area(2) + pick(i).Area(3) // @site 2 3
		}
	}
	return sum
}

//go:noinline
func names(s Shape, i int) string {
	name, err := s.Name(4, "label"+strconv.Itoa(i), 2.5) // @site 4
	if err != nil {
		return err.Error()
	}
	return name
}

//go:noinline
func fails(s Shape, b *box) (result int) {
	defer func() {
		if recover() != nil {
			result = -1
		}
	}()
	return s.Area(*b.n) // @site nil
}

//go:noinline
func generic[T Shape](list []T) (sum int) {
	for _, s := range list {
		var shape Shape = s
		sum += shape.Area(5) // @site 5
	}
	return sum
}

func inlined(s Shape) int { return s.Area(6) } // @site 6

//go:noinline
func recursive(s Shape, depth int) int {
	if depth == 0 {
		return s.Area(7) // @site 7
	}
	return recursive(s, depth-1) + s.Area(8) // @site 8
}

// spin keeps the scheduler preempting.
func spin(stop chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
			for i := 0; i < 1000; i++ {
				runtime.Gosched()
			}
		}
	}
}

func main() {
	n := 40
	if len(os.Args) > 1 {
		n, _ = strconv.Atoi(os.Args[1])
	}
	if len(os.Args) > 2 {
		time.Sleep(2 * time.Second)
	}
	stop := make(chan struct{})
	for i := 0; i < 2; i++ {
		go spin(stop)
	}
	var all sync.WaitGroup
	for g := 0; g < 4; g++ {
		all.Add(1)
		go func() {
			defer all.Done()
			loop(n, g)
		}()
	}
	all.Wait()
	close(stop)
	for i := 0; i < 4; i++ {
		names(pick(i), i)
	}
	one := 9
	fails(nil, &box{&one})
	fails(pick(0), &box{nil})
	fails(pick(1), nil)
	fails((*Square)(nil), &box{&one})
	generic([]Circle{{1}, {2}})
	generic([]*Square{{1}, {2}, {3}})
	inlined(pick(0))
	inlined(pick(1))
	recursive(pick(3), 5)
	s := pick(1)
	var wait sync.WaitGroup
	wait.Add(1)
	area := s.Area
	area(10)
	go func(f func(int) int) { f(11); wait.Done() }(pick(0).Area)
	wait.Wait()
	func() {
		defer pick(3).Area(12) // @site 12
	}()
	var keys []string
	for k := range counts {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		fmt.Println("count", k, counts[k])
	}
	fmt.Println(strings.Repeat("-", 3))
}
