// Prints what it was given, to both streams, and ends with the code that is asked for.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

func main() {
	dir, _ := os.Getwd()
	for i, arg := range os.Args[1:] {
		fmt.Printf("arg %d: %q\n", i, arg)
	}
	fmt.Println("dir:", dir)
	fmt.Println("env:", os.Getenv("ITAB_TEST"))
	input, _ := io.ReadAll(os.Stdin)
	fmt.Println("input:", len(input))
	fmt.Fprintln(os.Stderr, "to stderr")
	if lines, err := strconv.Atoi(os.Getenv("ITAB_LINES")); err == nil {
		out := bufio.NewWriter(os.Stdout)
		for i := 0; i < lines; i++ {
			fmt.Fprintln(out, i, strings.Repeat("x", 100))
		}
		out.Flush()
	}
	if done := os.Getenv("ITAB_DONE"); done != "" {
		os.WriteFile(done, nil, 0o600)
	}
	code, _ := strconv.Atoi(os.Getenv("ITAB_CODE"))
	fmt.Print("no newline at the end")
	os.Exit(code) // @exit
}
