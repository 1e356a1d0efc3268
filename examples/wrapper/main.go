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

// hold hides from the compiler what is in an interface: else it would call the concrete method directly.
func hold(t Temperature) Temperature { return t }

func main() {
	c := Celsius(21)
	p := hold(&c)
	fmt.Println(p.Degrees()) // stop: pointer
	v := hold(c)
	fmt.Println(v.Degrees()) // stop: value
	m := hold(byCity{"Bern": 7})
	fmt.Println(m.Degrees()) // stop: direct
	var missing *Celsius
	_, err := try(missing)
	fmt.Println(err)
}
