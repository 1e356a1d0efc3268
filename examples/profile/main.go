// Command profile spends its time in several implementations of one interface, and in funcs, and writes a CPU profile of that.
//
// Look at: which of them the calls of main.Codec.Encode reach, and what share of the time each has:
//
//	go build -o /tmp/prog ./profile && /tmp/prog /tmp/cpu.pb.gz
//	itab-dap profile -o /tmp/targets.pb.gz /tmp/cpu.pb.gz
//	go tool pprof -top -cum /tmp/targets.pb.gz
//
// The same in the debug console, when the program has ended: profile /tmp/cpu.pb.gz
package main

import (
	"fmt"
	"os"
	"runtime/pprof"
)

// Codec is what the program spends its time behind.
type Codec interface{ Encode(n uint64) uint64 }

// Square is called through a pointer.
type Square struct{ rounds int }

func (s *Square) Encode(n uint64) uint64 { return burnSquare(n, s.rounds) }

// Cube has a value receiver: the itab leads to a generated wrapper.
type Cube struct{ rounds, salt int }

func (c Cube) Encode(n uint64) uint64 { return burnCube(n+uint64(c.salt), c.rounds) }

// Boxed is generic: one body for each shape.
type Boxed[T any] struct {
	value  T
	rounds int
}

func (b *Boxed[T]) Encode(n uint64) uint64 { return burnBoxed(n, b.rounds) }

// Pair is generic too; types of one shape share its body.
type Pair[T any] struct {
	first, second T
	rounds        int
}

//go:noinline
func (p *Pair[T]) Encode(n uint64) uint64 { return burnFunc(n, p.rounds*8) }

// Chain calls itself through the interface: in a deep stack the same call occurs many times, and counts once.
type Chain struct {
	next  Codec
	depth int
}

func (c *Chain) Encode(n uint64) uint64 {
	if c.depth == 0 {
		return c.next.Encode(n) // stop: end
	}
	inner := &Chain{c.next, c.depth - 1}
	return step(inner, n)
}

//go:noinline
func step(c Codec, n uint64) uint64 { return c.Encode(n) + 1 } // stop: again

// Logged embeds an interface: its method is generated, and dispatches again.
type Logged struct{ Codec }

// Each implementation burns time in a function of its own: the truth to compare with.

//go:noinline
func burnSquare(n uint64, rounds int) uint64 {
	for i := 0; i < rounds; i++ {
		n = n*n + 1
	}
	return n
}

//go:noinline
func burnCube(n uint64, rounds int) uint64 {
	for i := 0; i < rounds; i++ {
		n = n*n*n + 1
	}
	return n
}

//go:noinline
func burnBoxed(n uint64, rounds int) uint64 {
	for i := 0; i < rounds; i++ {
		n = n ^ n<<7 ^ n>>9
	}
	return n
}

//go:noinline
func burnFunc(n uint64, rounds int) uint64 {
	for i := 0; i < rounds; i++ {
		n += n >> 3
	}
	return n
}

//go:noinline
func burnPlain(n uint64, rounds int) uint64 {
	for i := 0; i < rounds; i++ {
		n -= n >> 5
	}
	return n
}

// run is the one place that calls all of them.
//
//go:noinline
func run(codecs []Codec, mix func(uint64) uint64) (sum uint64) {
	for i := 0; i < 3000; i++ {
		c := codecs[i%len(codecs)]
		sum += c.Encode(uint64(i)) // stop: call
		sum += mix(sum)            // stop: func
		sum += burnPlain(sum, 30000)
	}
	return sum
}

//go:noinline
func alternate(pairs []Codec) (sum uint64) {
	for i := 0; i < 600; i++ {
		sum += pairs[i%2].Encode(uint64(i)) // stop: pair
	}
	return sum
}

func main() {
	if len(os.Args) > 1 {
		file, err := os.Create(os.Args[1])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		defer file.Close()
		if err := pprof.StartCPUProfile(file); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		defer pprof.StopCPUProfile()
	}
	rounds := 60000
	mix := func(n uint64) uint64 { return burnFunc(n, rounds) }
	square := &Square{8 * rounds}
	codecs := []Codec{
		square,
		Cube{4 * rounds, 1},
		&Boxed[string]{"s", 8 * rounds},
		&Chain{Cube{2 * rounds, 2}, 20},
		Logged{square},
	}
	// Two instances of one body: the profile can't tell whose time it is.
	pairs := []Codec{&Pair[*Square]{rounds: rounds}, &Pair[*Chain]{rounds: rounds}}
	fmt.Println("pairs", alternate(pairs) != 0)
	fmt.Println("sum", run(codecs, mix) != 0)
}
