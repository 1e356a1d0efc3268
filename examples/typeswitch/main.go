// Type switches and assertions: where the dynamic type decides without a call.
//
// What to look at:
//   - "stop: switch": `v` before the switch, and in each case as the type of that case.
//   - "stop: comma": an assertion to an interface: *Ant has Dig, *Fly misses it.
//   - "stop: panic": an assertion that fails: the panic names what was wanted and what was there.
package main

import "fmt"

type Digger interface{ Dig() int }

type Ant struct{ depth int }

func (a *Ant) Dig() int { a.depth++; return a.depth }

type Fly struct{}

func kind(v any) string {
	switch x := v.(type) { // stop: switch
	case nil:
		return "nil"
	case int, int64:
		return fmt.Sprint("integer ", x)
	case string:
		return "string " + x
	case error:
		return "error " + x.Error()
	case Digger:
		return fmt.Sprint("digger ", x.Dig())
	default:
		return fmt.Sprintf("other %T", x)
	}
}

func must(v any) (s string) {
	defer func() { s = fmt.Sprint(recover()) }()
	return v.(fmt.Stringer).String() // stop: panic
}

func main() {
	for _, v := range []any{nil, 3, "x", fmt.Errorf("e"), &Ant{}, &Fly{}, []int{1}} {
		d, ok := v.(Digger) // stop: comma
		fmt.Println(kind(v), d != nil, ok)
	}
	fmt.Println(must(&Fly{}))
}
