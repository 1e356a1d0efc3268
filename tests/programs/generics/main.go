// Generic types and functions: real type arguments, never shapes.
package main

import "fmt"

type Pair[K comparable, V any] struct {
	Key   K
	Value V
}

type Stack[T any] struct{ items []T }

func (s *Stack[T]) Push(item T) {
	s.items = append(s.items, item)
	use(item) // @push
}

type Number interface{ ~int | ~float64 }

type Money int

type User struct{ Name string }

type Named interface{ GetName() string }

func (u *User) GetName() string { return u.Name }

func Sum[T Number](values ...T) T {
	var total T
	for _, v := range values {
		total += v
	}
	use(total, values) // @sum
	return total
}

func First[T Named](items []T) string {
	item := items[0]
	name := item.GetName() // @first
	return name
}

//go:noinline
func use(values ...any) {
	if len(values) > 100 {
		fmt.Println(values...)
	}
}

func main() {
	pair := Pair[string, int]{"a", 1}
	deep := Pair[string, Pair[int, []*User]]{"b", Pair[int, []*User]{2, []*User{{"u"}}}}
	var boxed any = Pair[Money, *User]{3, &User{"boxed"}}
	stack := &Stack[string]{}
	stack.Push("pushed")
	use(pair, deep, boxed, stack) // @stop generics
	//@ pair == main.Pair[string,…int] {Key: "a", Value: 1}
	//@ pair : main.Pair[string,int]
	//@ deep.Value.Value[0].Name == "u"
	//@ deep.Value.Key == 2
	//@ boxed.Value.Name == "boxed"
	//@ boxed.Key == 3
	//@ stack.items == []string len: 1, cap: 1, ["pushed"]
	//@ stack : *main.Stack[string]
	use(Sum(1, 2, 3), Sum(1.5, 2.5), Sum(Money(4), Money(5)))
	use(First([]*User{{"first"}}))
}
