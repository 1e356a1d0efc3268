// An http.Handler chain, called by the standard library: author's code reached through several interfaces.
//
// What to look at:
//   - "stop: middleware": `next` is an http.Handler; a step into next.ServeHTTP goes into the mux, and with
//     "skipPackages": ["std"] on through it to the handler below.
//   - "stop: handler": `w` is an http.ResponseWriter; its [itab] tells which one the test server gave. Look at the stack.
//   - hideSystemGoroutines and the thread list: the server's goroutines by name.
package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
)

type counter struct {
	next http.Handler
	hits int
}

func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.hits++
	c.next.ServeHTTP(w, r) // stop: middleware
}

func hello(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "hello %s", r.URL.Path) // stop: handler
}

func main() {
	mux := http.NewServeMux()
	mux.HandleFunc("/", hello)
	count := &counter{next: mux}

	server := httptest.NewServer(count)
	defer server.Close()
	response, err := http.Get(server.URL + "/you")
	if err != nil {
		panic(err)
	}
	body, err := io.ReadAll(response.Body)
	fmt.Println(string(body), err, count.hits)

	recorder := httptest.NewRecorder()
	count.ServeHTTP(recorder, httptest.NewRequest("GET", "/recorded", nil))
	fmt.Println(recorder.Body.String(), count.hits)
}
