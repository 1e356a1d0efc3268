//! Random Go programs that know what a debugger must show of their values.
//!
//! The expectation is a tree of its own making: it must never be taken from the adapter.

mod value;

pub use value::{Node, Shown};

use value::Values;

/// A small generator of pseudo-random numbers (SplitMix64): the same seed makes the same program everywhere.
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// One of the list.
    pub fn pick<T: Clone>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())].clone()
    }
}

/// A program, and its variables as they must be shown at the line marked `@stop`.
#[derive(Debug)]
pub struct Program {
    pub text: String,
    pub variables: Vec<Node>,
}

/// The program of a seed.
pub fn program(seed: u64, variables: usize) -> Program {
    let mut values = Values::new(Dice::new(seed));
    let mut lines = String::new();
    let mut globals = String::new();
    let mut uses = String::new();
    let mut nodes = Vec::new();
    for index in 0..variables {
        let ty = values.any_type(3);
        let (expression, shown) = values.value(&ty, 3);
        // A global of no size has no place in the binary.
        let global = index % 4 == 3 && !values.is_empty(&ty);
        let name = format!("{}{index}", if global { "G" } else { "v" });
        if global {
            globals.push_str(&format!("var {name} {} = {expression}\n\n", ty.source()));
        } else {
            lines.push_str(&format!("\tvar {name} {} = {expression}\n", ty.source()));
        }
        uses.push_str(&format!("\tsink({name})\n"));
        nodes.push(Node { name, ty: ty.shown(), shown });
    }
    let types = values.declarations();
    let text = format!(
        "// Random program, seed {seed}.\npackage main\n\nimport (\n\t\"fmt\"\n\t\"math\"\n\t\"os\"\n)\n\n{PRELUDE}\n{types}{globals}func main() {{\n{lines}\tsink(0) // @stop\n{uses}}}\n"
    );
    Program { text, variables: nodes }
}

/// What every program needs; the types are those that any value may have.
const PRELUDE: &str = r#"
type Shape interface{ Area() float64 }

type Square struct{ Side float64 }

func (s Square) Area() float64 { return s.Side * s.Side }

type Circle struct{ R float64 }

func (c *Circle) Area() float64 { return math.Pi * c.R }

type Level int16

type Text string

type Flag bool

type Box[T any] struct {
	V    T
	Next *Box[T]
}

type Callback func(int) string

func called(n int) string { return fmt.Sprint(n) }

func ptr[T any](v T) *T { return &v }

func roomy[T any](room int, list ...T) []T { return append(make([]T, 0, room), list...) }

func filled[T any](room int, list ...T) chan T {
	c := make(chan T, room)
	for _, v := range list {
		c <- v
	}
	return c
}

func counted[V any](n int, v V) map[int]V {
	m := map[int]V{}
	for i := 0; i < n; i++ {
		m[i*7919] = v
	}
	return m
}

//go:noinline
func sink(v any) {
	if len(os.Args) > 1000 {
		fmt.Println(v)
	}
}
"#;
