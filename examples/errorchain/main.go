// Chains of wrapped errors: an interface in a struct in an interface, several levels deep.
//
// What to look at:
//   - "stop: chain": `err` opens to the fields of its concrete type; its cause opens in turn, down to the first one.
//   - "stop: unwrap": one call site whose target differs at every level of the chain.
package main

import (
	"errors"
	"fmt"
	"io/fs"
)

type opError struct {
	op    string
	cause error
}

func (e *opError) Error() string { return e.op + ": " + e.cause.Error() }

func (e *opError) Unwrap() error { return e.cause }

// code is an error with a value receiver that is not a struct.
type code int

func (c code) Error() string { return fmt.Sprint("code ", int(c)) }

func load() error {
	first := &fs.PathError{Op: "open", Path: "/x", Err: code(2)}
	return fmt.Errorf("loading: %w", &opError{"read", first})
}

func main() {
	err := load()
	fmt.Println(err) // stop: chain
	for e := err; e != nil; e = errors.Unwrap(e) {
		text := e.Error() // stop: unwrap
		fmt.Printf("%T %s\n", e, text)
	}
	var c code
	fmt.Println(errors.As(err, &c), c)
}
