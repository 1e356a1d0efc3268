// Typed nil: an interface that is not nil although the pointer in it is.
//
// What to look at:
//   - "stop: compare": `err` shows `error(*main.notFound) nil`, while `none` shows `error nil`. The virtual child of err
//     says it in words: == nil is false, the *main.notFound in it is nil.
//   - `errs` shows the same in a container, where the two are most often confused.
//   - "stop: call": a pointer method on a typed nil runs, with a nil receiver.
package main

import "fmt"

type notFound struct{ key string }

func (e *notFound) Error() string {
	if e == nil {
		return "nothing was lost"
	}
	return e.key + " not found"
}

// find returns a typed nil when it succeeds: the mistake that this program is about.
func find(key string) error {
	var e *notFound
	if key == "" {
		e = &notFound{"the empty key"}
	}
	return e
}

func main() {
	var none error
	err := find("a")
	errs := []error{none, err, find("")}
	fmt.Println(err == nil, none == nil, len(errs)) // stop: compare
	if err != nil {
		fmt.Println(err.Error()) // stop: call
	}
}
