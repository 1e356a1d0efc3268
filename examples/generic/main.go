// Generic code: one body runs for several types, a dictionary tells it which; method calls go through the dictionary.
//
// What to look at:
//   - "stop: constraint": v.Key() is a dictionary call. The stack shows main.index[...] with the real types.
//   - "stop: method": a method of a generic type, instantiated for two types that share their machine code.
//   - "stop: convert": inside generic code a value becomes an interface; the itab comes out of the dictionary.
package main

import "fmt"

type Keyed interface{ Key() string }

type User struct{ name string }

func (u *User) Key() string { return u.name }

type Page struct{ url string }

func (p *Page) Key() string { return p.url }

func index[T Keyed](all []T) map[string]T {
	found := map[string]T{}
	for _, v := range all {
		found[v.Key()] = v // stop: constraint
	}
	return found
}

type Repo[T Keyed] struct {
	rows  []T
	saved int
}

func (r *Repo[T]) Save(v T) int {
	r.rows = append(r.rows, v) // stop: method
	r.saved++
	return r.saved
}

func show[T Keyed](v T) string {
	var k Keyed = v
	return "key " + k.Key() // stop: convert
}

func main() {
	users := index([]*User{{"ann"}, {"bob"}})
	pages := index([]*Page{{"/"}, {"/about"}})
	fmt.Println(len(users), len(pages))
	var ur Repo[*User]
	var pr Repo[*Page]
	fmt.Println(ur.Save(users["ann"]), pr.Save(pages["/"]), pr.Save(pages["/about"]))
	fmt.Println(show(users["bob"]), show(pages["/"]))
}
