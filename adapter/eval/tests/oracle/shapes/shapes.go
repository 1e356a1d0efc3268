// Package shapes has what expressions reach through a qualifier.
package shapes

type Shape interface {
	Area() float64
	Name() string
}

type Square struct{ Side float64 }

func (s Square) Area() float64 { return s.Side * s.Side }
func (s Square) Name() string  { return "square" }

type Circle struct {
	R    float64
	Tags []string
}

func (c *Circle) Area() float64 { return 3 * c.R * c.R }
func (c *Circle) Name() string  { return "circle" }

type Kind uint8

const (
	Small Kind = iota
	Medium
	Large
)

var Count = 42
var Unit Shape = Square{1}
