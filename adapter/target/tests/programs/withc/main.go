// Command withc links C: it forks, and calls back and forth.
package main

/*
#include <sys/wait.h>
#include <unistd.h>

static int twice(int n) { return 2 * n; }

// A forked child (own copy of the memory) runs the same code as the parent.
__attribute__((noinline)) int counted(int n) { __asm__(""); return n + 1; }

static int forked(int n) {
	int status = 0, child = fork();
	if (child == 0) _exit(counted(n));
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
*/
import "C"
import "fmt"

// A function that may be preempted at its entry runs its first instruction again afterwards: hits would not be countable.
//
//go:noinline
//go:nosplit
func tick(n int) int { return int(C.twice(C.int(n))) }

func main() {
	for i := 0; i < 3; i++ {
		fmt.Println(tick(i), C.counted(C.int(i)), C.forked(C.int(i)))
	}
}
