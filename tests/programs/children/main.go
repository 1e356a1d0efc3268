// Starts other processes while it is debugged: commands, and itself.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
)

//go:noinline
func visited(n int) int {
	return n + 1 // @visited
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "child" {
		fmt.Print(visited(1))
		return
	}
	fmt.Println(visited(0))
	var wait sync.WaitGroup
	results := make([]string, 12)
	for i := range results {
		i := i
		wait.Add(1)
		go func() {
			defer wait.Done()
			var output []byte
			var err error
			if i%2 == 0 {
				output, err = exec.Command(os.Args[0], "child").CombinedOutput()
			} else {
				output, err = exec.Command("/bin/sh", "-c", "(echo -n 3); exit 0").CombinedOutput()
			}
			results[i] = fmt.Sprint(string(output), err)
		}()
	}
	wait.Wait()
	for i, result := range results {
		want := "2<nil>"
		if i%2 == 1 {
			want = "3<nil>"
		}
		if result != want {
			fmt.Println("child", i, "said", result)
			os.Exit(1)
		}
	}
	fmt.Println("all children well") // @end
}
