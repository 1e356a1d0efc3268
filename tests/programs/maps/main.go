// Maps of both designs, at every size.
package main

import "fmt"

type Key struct {
	A int
	B string
}

//go:noinline
func use(values ...any) {
	if len(values) > 100 {
		fmt.Println(values...)
	}
}

func main() {
	var nilMap map[string]int
	empty := map[string]int{}
	one := map[string]int{"a": 1}
	full := map[int]int{}
	for i := 0; i < 8; i++ {
		full[i] = i * i
	}
	grown := map[int]string{}
	for i := 0; i < 1000; i++ {
		grown[i] = fmt.Sprint("v", i)
	}
	holes := map[string]int{}
	for i := 0; i < 300; i++ {
		holes[fmt.Sprint("k", i)] = i
	}
	for i := 0; i < 300; i++ {
		if i%3 != 0 {
			delete(holes, fmt.Sprint("k", i))
		}
	}
	structs := map[Key]*Key{{1, "x"}: {2, "y"}}
	floats := map[float64]bool{1.5: true}
	nested := map[string]map[string]int{"outer": {"inner": 5}}
	large := map[int][200]byte{7: {1, 2, 3}}
	set := map[string]struct{}{"member": {}}
	pointers := map[*int]int{}
	arrays := map[[2]int]string{{1, 2}: "pair"}
	use(nilMap, empty, one, full, grown, holes, structs, floats, nested, large, set, pointers, arrays) // @stop maps
	//@ nilMap == map[string]int nil
	//@ empty == map[string]int []
	//@ one == map[string]int ["a": 1, ]
	//@ one["a"] == 1
	//@ len(one) == 1
	//@ len(full) == 8
	//@ full[7] == 49
	//@ len(grown) == 1000
	//@ grown[0] == "v0"
	//@ grown[999] == "v999"
	//@ grown[500] == "v500"
	//@ len(holes) == 100
	//@ holes["k297"] == 297
	//@ holes["k0"] == 0
	//@ len(structs) == 1
	//@ floats[1.5] == true
	//@ nested["outer"]["inner"] == 5
	//@ large[7][2] == 3…
	//@ len(set) == 1
	//@ len(pointers) == 0
	//@ arrays == map[[2]int]string […: "pair", ]
}
