// Package shapes has types whose import path is longer than their name.
package shapes

type Shape interface {
	Area() float64
	Name() string
}

type Sq struct{ S float64 }

func (s Sq) Area() float64 { return s.S * s.S }
func (s Sq) Name() string  { return "sq" }

type Circ struct {
	R    float64
	Next *Circ
}

func (c *Circ) Area() float64 { return 3 * c.R * c.R }
func (c *Circ) Name() string  { return "circ" }

type Key struct{ A, B int }

type ErrX struct{ Code int }

func (e *ErrX) Error() string { return "errx" }

type Pair[K comparable, V any] struct {
	Key K
	Val V
}
