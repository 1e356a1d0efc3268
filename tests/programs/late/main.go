// Types that become what they are only while the program runs; with "forever" it goes on until it is killed.
package main

import (
	"fmt"
	"os"
	"reflect"
	"time"
)

type Greeter interface {
	Greet() string
	Wave() int
}

var greeted int

type Plain struct{ Name string }

func (p *Plain) Greet() string { // @Plain.Greet
	greeted++
	return "plain " + p.Name
}

func (p *Plain) Wave() int { return 1 }

// Shy meets Greeter only behind any.
type Shy struct{ n int }

func (s Shy) Greet() string { // @Shy.Greet
	greeted++
	return fmt.Sprint("shy ", s.n)
}

func (s Shy) Wave() int { return s.n }

//go:noinline
func ask(v any) string {
	if g, ok := v.(Greeter); ok {
		return fmt.Sprint(g.Greet(), g.Wave())
	}
	return "no greeter"
}

func made() any {
	t := reflect.StructOf([]reflect.StructField{
		{Name: "Plain", Type: reflect.TypeOf((*Plain)(nil)), Anonymous: true},
	})
	v := reflect.New(t).Elem()
	v.Field(0).Set(reflect.ValueOf(&Plain{"made"}))
	return v.Interface()
}

func main() {
	fmt.Println("started")
	for round := 0; round < 3 || len(os.Args) > 1; round++ {
		ask(&Plain{"one"})
		ask(Shy{round})
		ask(&Shy{round})
		ask(made())
		ask(7)
		if len(os.Args) > 1 {
			time.Sleep(10 * time.Millisecond)
		}
	}
	fmt.Printf("Greet=%d\n", greeted)
}
