// Callbacks: the standard library calls back into author's code through an interface or a func.
//
// What to look at:
//   - "stop: interface": sort.Sort(byAge(all)) offers main.byAge.Less, Len and Swap as what it may call back.
//   - "stop: func": slices.SortFunc takes a func; its closure captured `factor`.
//   - "stop: once": sync.Once calls the func the first time only.
package main

import (
	"fmt"
	"slices"
	"sort"
	"sync"
)

type person struct {
	name string
	age  int
}

type byAge []person

func (a byAge) Len() int           { return len(a) }
func (a byAge) Less(i, j int) bool { return a[i].age < a[j].age }
func (a byAge) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }

func main() {
	all := []person{{"ann", 41}, {"bob", 7}, {"eve", 23}}
	sort.Sort(byAge(all)) // stop: interface
	fmt.Println(all)
	factor := -1
	slices.SortFunc(all, func(a, b person) int { return factor * (a.age - b.age) }) // stop: func
	fmt.Println(all)
	var once sync.Once
	for range all {
		once.Do(func() { fmt.Println("once, factor", factor) }) // stop: once
	}
}
