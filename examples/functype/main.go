// A func type with a method, as in net/http's HandlerFunc: an interface whose concrete value is a func.
//
// What to look at:
//   - "stop: handle": h holds a HandlerFunc; the method Handle calls the func that it is a method of. A step into h.Handle
//     lands in HandlerFunc.Handle; the call in there ("stop: inner") leads to the closure.
//   - "stop: layers": middleware: each layer's closure captured the next handler.
package main

import "fmt"

type Handler interface{ Handle(path string) string }

type HandlerFunc func(path string) string

func (f HandlerFunc) Handle(path string) string {
	return f(path) // stop: inner
}

func logged(next Handler) Handler {
	return HandlerFunc(func(path string) string {
		return "log(" + next.Handle(path) + ")" // stop: layers
	})
}

func hello(path string) string { return "hello " + path }

func serve(h Handler, path string) {
	fmt.Println(h.Handle(path)) // stop: handle
}

func main() {
	serve(HandlerFunc(hello), "/a")
	serve(logged(logged(HandlerFunc(hello))), "/b")
}
