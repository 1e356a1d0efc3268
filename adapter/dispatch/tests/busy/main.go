// A server with its clients in one process: interface calls from many goroutines at once, over state that changes under them.
package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
)

type Item interface {
	Name() string
	Price(n int) int
}

type Plain struct{ name string }

func (p Plain) Name() string    { return p.name }
func (p Plain) Price(n int) int { return n + len(p.name) }

type Special struct {
	Plain
	rebate int
}

func (s *Special) Price(n int) int { return s.Plain.Price(n) - s.rebate }

type Bundle struct{ items []Item }

func (b *Bundle) Name() string { return b.items[0].Name() }
func (b *Bundle) Price(n int) int {
	sum := 0
	for _, i := range b.items {
		sum += i.Price(n)
	}
	return sum
}

type Store interface {
	Get(key string) (Item, error)
	Put(key string, i Item)
}

type memory struct {
	mu    sync.RWMutex
	items map[string]Item
}

var errMissing = errors.New("no such item")

func (m *memory) Get(key string) (Item, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if i, ok := m.items[key]; ok {
		return i, nil
	}
	return nil, errMissing
}

func (m *memory) Put(key string, i Item) {
	m.mu.Lock()
	m.items[key] = i
	m.mu.Unlock()
}

type counted struct {
	Store
	gets atomic.Int64
}

func (c *counted) Get(key string) (Item, error) {
	c.gets.Add(1)
	return c.Store.Get(key)
}

type shop struct {
	store Store
	log   io.Writer
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := strings.TrimPrefix(r.URL.Path, "/")
	item, err := s.store.Get(key)
	if err != nil {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprintln(w, err.Error())
		return
	}
	w.Header().Set("X-Name", item.Name())
	fmt.Fprint(w, item.Price(2)+shownPrice())
	s.log.Write([]byte(item.Name()))
}

// What the shop window shows is exchanged while others look.
type window struct{ item Item }

var windows = [3]window{{Plain{"a"}}, {&Special{Plain{"bc"}, 1}}, {&Bundle{[]Item{Plain{"d"}, Plain{"ef"}}}}}
var shown = &windows[0]

//go:noinline
func shownPrice() int {
	return shown.item.Price(1)
}

//go:noinline
func lookAt(w *window, n int) int {
	sum := 0
	for i := 0; i < n; i++ {
		sum += w.item.Price(i) + shown.item.Price(i)
	}
	return sum
}

func exchange(stop *atomic.Bool) {
	for i := 0; !stop.Load(); i++ {
		shown = &windows[i%3]
		for j := 0; j < 50; j++ {
			sink.Add(1)
		}
	}
}

var sink atomic.Int64

type logged func(w http.ResponseWriter, r *http.Request)

func (f logged) ServeHTTP(w http.ResponseWriter, r *http.Request) { f(w, r) }

func wrap(h http.Handler, count *atomic.Int64) http.Handler {
	return logged(func(w http.ResponseWriter, r *http.Request) {
		count.Add(1)
		h.ServeHTTP(w, r)
	})
}

type byPrice []Item

func (b byPrice) Len() int           { return len(b) }
func (b byPrice) Less(i, j int) bool { return b[i].Price(1) < b[j].Price(1) }
func (b byPrice) Swap(i, j int)      { b[i], b[j] = b[j], b[i] }

func client(url string, store Store, n int, wg *sync.WaitGroup) {
	defer wg.Done()
	for i := 0; i < n; i++ {
		key := string(rune('a' + i%4))
		resp, err := http.Get(url + "/" + key)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			continue
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		sink.Add(int64(len(body)))
		store.Put("c", &Bundle{[]Item{Plain{key}, &Special{Plain{"x"}, i}}})
		if item, err := store.Get(key); err == nil {
			sink.Add(int64(item.Price(i) + len(item.Name())))
		}
		list := byPrice{Plain{"long"}, &Special{Plain{"y"}, 3}, Plain{"z"}}
		sort.Sort(list)
		sink.Add(int64(lookAt(&windows[i%3], 3)))
	}
}

func main() {
	store := &counted{Store: &memory{items: map[string]Item{"a": Plain{"one"}, "b": &Special{Plain{"two"}, 1}}}}
	var requests atomic.Int64
	server := httptest.NewServer(wrap(&shop{store, io.Discard}, &requests))
	defer server.Close()
	var stop atomic.Bool
	go exchange(&stop)
	var wg sync.WaitGroup
	for c := 0; c < 4; c++ {
		wg.Add(1)
		go client(server.URL, store, 6, &wg)
	}
	wg.Wait()
	stop.Store(true)
	fmt.Println(requests.Load(), store.gets.Load() > 0, sink.Load() > 0)
}
