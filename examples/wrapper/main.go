// Value receivers behind a pointer: the itab names a wrapper that the compiler generated, the step lands in the body.
//
// What to look at:
//   - "stop: pointer": `p` holds a *Celsius; its method table says `main.(*Celsius).Degrees -> main.Celsius.Degrees`.
//   - "stop: value": `v` holds a Celsius; an itab's functions take a pointer to the data, so that the same wrapper is there.
//   - "stop: direct": a type that is itself a pointer word (a map) is stored directly in the interface.
//   - "stop: nil": a value method through a nil pointer panics in the wrapper, before the body; the table says so beforehand.
package main

import "fmt"

type Temperature interface{ Degrees() float64 }

type Celsius float64

func (c Celsius) Degrees() float64 { return float64(c) }

type byCity map[string]float64

func (m byCity) Degrees() float64 { return m["Bern"] }

func try(t Temperature) (degrees float64, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("no degrees: %v", r)
		}
	}()
	return t.Degrees(), nil // stop: nil
}

func main() {
	c := Celsius(21)
	var p Temperature = &c
	fmt.Println(p.Degrees()) // stop: pointer
	var v Temperature = c
	fmt.Println(v.Degrees()) // stop: value
	var m Temperature = byCity{"Bern": 7}
	fmt.Println(m.Degrees()) // stop: direct
	var missing *Celsius
	_, err := try(missing)
	fmt.Println(err)
}
