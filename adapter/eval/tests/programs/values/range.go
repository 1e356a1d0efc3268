//go:build go1.23

package main

import (
	"io"
	"iter"
)

func pairs(n int) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		for i := 0; i < n; i++ {
			if !yield(i, "p") {
				return
			}
		}
	}
}

//go:noinline
func ranging(in io.Reader, param int) (out int) {
	before := "b"
	shadow := 1
	for i, s := range pairs(2) {
		shadow := shadow + 41
		for j := range pairs(1) {
			inner := i + j
			out += inner
			wait(in, &inner, &shadow, &s)
		}
	}
	return out + len(before) + shadow + param
}

func init() { overIterators = ranging }
