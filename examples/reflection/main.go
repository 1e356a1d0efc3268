// Calls through reflection: the target is data until the moment it is called.
//
// What to look at:
//   - "stop: method": reflect.Value.Method(i).Call: the step leads to the method's body.
//   - "stop: func": reflect.Value.Call of a func.
//   - "stop: made": reflect.MakeFunc: a func value that is made at run time; its body is the handler closure.
package main

import (
	"fmt"
	"reflect"
)

type Greeter struct{ word string }

func (g Greeter) Greet(name string) string { return g.word + " " + name }

func (g *Greeter) Set(word string) { g.word = word }

func double(n int) int { return 2 * n }

func main() {
	g := &Greeter{"hello"}
	v := reflect.ValueOf(g)
	for i := 0; i < v.NumMethod(); i++ {
		out := v.Method(i).Call([]reflect.Value{reflect.ValueOf("you")}) // stop: method
		fmt.Println(v.Type().Method(i).Name, len(out), g.word)
	}
	result := reflect.ValueOf(double).Call([]reflect.Value{reflect.ValueOf(21)}) // stop: func
	fmt.Println(result[0])

	swap := reflect.MakeFunc(reflect.TypeOf(func(a, b int) (int, int) { return 0, 0 }), func(in []reflect.Value) []reflect.Value {
		return []reflect.Value{in[1], in[0]}
	}).Interface().(func(a, b int) (int, int))
	fmt.Println(swap(1, 2)) // stop: made
}
