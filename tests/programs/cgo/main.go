// Go calls C, C calls Go back.
package main

/*
typedef int (*callback)(int);
extern int goCallback(int);
static int through(int n) { return goCallback(n) + 1; }
static int plain(int n) { return n * 2; }
*/
import "C"

import "fmt"

type Sizer interface{ Size() int }

type Thing struct{ N int }

func (t *Thing) Size() int { return t.N }

//export goCallback
func goCallback(n C.int) C.int {
	var sizer Sizer = &Thing{int(n)}
	result := sizer.Size() // @callback
	return C.int(result)
}

func main() {
	fmt.Println(C.plain(4))
	value := C.through(20) // @call
	fmt.Println(value)     // @after
}
