// Go calls C, C calls back, twice over.
package main

/*
typedef struct { int depth; } state;
void goCallback(int depth);
void goPark(void);
static void middle(int depth) { goCallback(depth); }
static int outer(int depth) { middle(depth); return depth; }
static int spin(volatile int *stop) { int n = 0; while (!*stop) n++; return n; }
int inC(int x);
int blockInC(int seconds);
*/
import "C"

import "time"

var never = make(chan bool)

//go:noinline
func checkpoint() int { return 1 }

//export goCallback
func goCallback(depth C.int) {
	if depth == 0 {
		checkpoint()
		return
	}
	C.outer(depth - 1)
}

//export goPark
func goPark() { <-never }

//go:noinline
func enter() { C.outer(2) }

func parked() { C.inC(1) }

func blocked() { C.blockInC(100) }

func main() {
	go parked()
	go blocked()
	time.Sleep(100 * time.Millisecond)
	enter()
	C.inC(0)
}
