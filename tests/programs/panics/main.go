// Ways to end: argument 1 says which.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"
)

type Store interface{ Get(key string) int }

type Memory struct{ data map[string]int }

func (m Memory) Get(key string) int { return m.data[key] }

//go:noinline
func noStore() Store { return (*Memory)(nil) }

type deps struct{ store Store }

type service struct{ deps deps }

type Custom struct {
	Code int
	Text string
}

func (c Custom) Error() string { return c.Text }

//go:noinline
func (s *service) fetch() int {
	return s.deps.store.Get("key") // @nilcall
}

//go:noinline
func recovered() (result int) {
	defer func() {
		if r := recover(); r != nil {
			result = 7 // @recovered
		}
	}()
	panic("to be recovered") // @origin
}

//go:noinline
func index(list []int, i int) int {
	return list[i] // @index
}

//go:noinline
func assert(value any) int {
	return value.(int) // @assert
}

func main() {
	how := "exit"
	if len(os.Args) > 1 {
		how = os.Args[1]
	}
	var nilPointer *Custom
	switch how {
	case "exit":
		os.Exit(3) // @exit
	case "panic":
		panic("plain text") // @panic
	case "error":
		panic(errors.New("an error value")) // @error
	case "custom":
		panic(Custom{5, "custom text"}) // @custom
	case "nil":
		fmt.Println(nilPointer.Text) // @nil
	case "nilcall":
		fmt.Println((&service{}).fetch())
	case "valuenil":
		store := noStore()
		fmt.Println(store.Get("x")) // @valuenil
	case "index":
		fmt.Println(index([]int{1, 2}, 5))
	case "assert":
		fmt.Println(assert("text"))
	case "deadlock":
		<-make(chan int) // @deadlock
	case "maps":
		m := map[int]int{}
		for i := 0; i < 4; i++ {
			go func() {
				for j := 0; ; j++ {
					m[j%10] = j
				}
			}()
		}
		time.Sleep(20 * time.Second)
	case "recover":
		fmt.Println(recovered())
	case "trap":
		runtime.Breakpoint() // @trap
		fmt.Println("behind it")
	case "goroutine":
		go func() {
			panic("in a goroutine") // @goroutine
		}()
		time.Sleep(20 * time.Second)
	}
}
