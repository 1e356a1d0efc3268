// Promoted methods: the wrapper in the itab leads through embedded fields; through an embedded interface it dispatches again.
//
// What to look at:
//   - "stop: struct": *Service has Log from its embedded Logger; the method table's wrapper is `main.(*Service).Log`.
//   - "stop: pointer": the same through an embedded pointer, two levels deep.
//   - "stop: interface": Quiet embeds the interface Store. Its Get is a wrapper that calls through the itab in the field: two
//     dispatches in one chain, and the body is memory's.
package main

import "fmt"

type Log interface{ Log(text string) string }

type Logger struct{ prefix string }

func (l Logger) Log(text string) string { return l.prefix + text }

type Service struct {
	Logger
	name string
}

type Outer struct {
	*Service
}

type Store interface {
	Get(key string) (string, bool)
	Len() int
}

type memory map[string]string

func (m memory) Get(key string) (string, bool) { v, ok := m[key]; return v, ok }

func (m memory) Len() int { return len(m) }

// Quiet overrides Len and inherits Get from whatever Store is in it.
type Quiet struct {
	Store
	hidden int
}

func (q *Quiet) Len() int { return q.Store.Len() - q.hidden }

// hold hides from the compiler what is in an interface: else it would call the concrete method directly.
func hold[T any](v T) T { return v }

func main() {
	service := &Service{Logger: Logger{"> "}, name: "api"}
	l := hold[Log](service)
	fmt.Println(l.Log("through a struct")) // stop: struct
	l = hold[Log](Outer{service})
	fmt.Println(l.Log("through a pointer")) // stop: pointer
	s := hold[Store](&Quiet{Store: memory{"a": "1", "b": "2"}, hidden: 1})
	value, ok := s.Get("a") // stop: interface
	fmt.Println(value, ok, s.Len())
}
