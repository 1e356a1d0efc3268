//! Typed numbers: Go's arithmetic on one numeric type, bit for bit (go.dev/ref/spec#Arithmetic_operators). Pure; no memory, no types.

use expr::{BinaryOp, Constant, UnaryOp};
use image::Kind;

/// A numeric type: what arithmetic needs to know of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numeric {
    Int { bits: u32, signed: bool },
    Float { bits: u32 },
    Complex { bits: u32 },
}

/// A value of some [`Numeric`] type; float32 and complex64 values are exact in the wider form.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Int(i128),
    Float(f64),
    Complex(f64, f64),
}

impl Numeric {
    pub(crate) fn of(kind: Kind) -> Option<Numeric> {
        let int = |bits, signed| Some(Numeric::Int { bits, signed });
        match kind {
            Kind::Int8 => int(8, true),
            Kind::Int16 => int(16, true),
            Kind::Int32 => int(32, true),
            Kind::Int | Kind::Int64 => int(64, true),
            Kind::Uint8 => int(8, false),
            Kind::Uint16 => int(16, false),
            Kind::Uint32 => int(32, false),
            Kind::Uint | Kind::Uint64 | Kind::Uintptr => int(64, false),
            Kind::Float32 => Some(Numeric::Float { bits: 32 }),
            Kind::Float64 => Some(Numeric::Float { bits: 64 }),
            Kind::Complex64 => Some(Numeric::Complex { bits: 64 }),
            Kind::Complex128 => Some(Numeric::Complex { bits: 128 }),
            _ => None,
        }
    }

    pub(crate) fn is_int(self) -> bool {
        matches!(self, Numeric::Int { .. })
    }

    /// The value of `bytes`, which are at least as many as the type has.
    pub(crate) fn decode(self, bytes: &[u8]) -> Option<Number> {
        let word = |at: usize, n: usize| {
            let mut b = [0u8; 8];
            b.get_mut(..n)?.copy_from_slice(bytes.get(at..at + n)?);
            Some(u64::from_le_bytes(b))
        };
        let float = |at: usize, bits: u32| match bits {
            32 => Some(f64::from(f32::from_bits(word(at, 4)? as u32))),
            _ => Some(f64::from_bits(word(at, 8)?)),
        };
        Some(match self {
            Numeric::Int { bits, .. } => self.wrap(Number::Int(i128::from(word(0, bits as usize / 8)?))),
            Numeric::Float { bits } => Number::Float(float(0, bits)?),
            Numeric::Complex { bits } => {
                Number::Complex(float(0, bits / 2)?, float(bits as usize / 16, bits / 2)?)
            }
        })
    }

    /// Little-endian bytes of a value of this type.
    pub(crate) fn encode(self, n: Number) -> Vec<u8> {
        let float = |f: f64, bits: u32| match bits {
            32 => (f as f32).to_bits().to_le_bytes().to_vec(),
            _ => f.to_bits().to_le_bytes().to_vec(),
        };
        match (self, n) {
            (Numeric::Int { bits, .. }, n) => {
                let mut v = n.to_int().to_le_bytes().to_vec();
                v.truncate(bits as usize / 8);
                v
            }
            (Numeric::Float { bits }, n) => float(n.to_complex().0, bits),
            (Numeric::Complex { bits }, n) => {
                let (re, im) = n.to_complex();
                let mut v = float(re, bits / 2);
                v.extend(float(im, bits / 2));
                v
            }
        }
    }

    /// Overflow wraps, floats are rounded to their width.
    pub(crate) fn wrap(self, n: Number) -> Number {
        match (self, n) {
            (Numeric::Int { bits, signed: true }, Number::Int(i)) => {
                let shift = 128 - bits;
                Number::Int((i << shift) >> shift)
            }
            (Numeric::Int { bits, .. }, Number::Int(i)) => Number::Int(i & ((1i128 << bits) - 1)),
            (Numeric::Float { bits: 32 }, Number::Float(f)) => Number::Float(f64::from(f as f32)),
            (Numeric::Complex { bits: 64 }, Number::Complex(a, b)) => {
                Number::Complex(f64::from(a as f32), f64::from(b as f32))
            }
            (_, n) => n,
        }
    }

    /// Whether the integer fits the type.
    fn holds(self, i: i128) -> bool {
        self.wrap(Number::Int(i)) == Number::Int(i)
    }

    /// A constant of this type; the text is Go's reason why it is none (`truncated`, `overflows`).
    pub(crate) fn constant(self, c: &Constant) -> Result<Number, &'static str> {
        match self {
            Numeric::Int { .. } => {
                let i = c.to_int().ok_or("truncated")?;
                if self.holds(i) { Ok(Number::Int(i)) } else { Err("overflows") }
            }
            Numeric::Float { bits: 32 } => {
                let f = c.to_f32().ok_or("truncated")?;
                if f.is_finite() { Ok(Number::Float(f64::from(f))) } else { Err("overflows") }
            }
            Numeric::Float { .. } => Ok(Number::Float(c.to_f64().ok_or("truncated")?)),
            Numeric::Complex { bits: 64 } => {
                let (a, b) = c.to_complex64();
                Ok(Number::Complex(f64::from(a), f64::from(b)))
            }
            Numeric::Complex { .. } => {
                let (a, b) = c.to_complex128();
                Ok(Number::Complex(a, b))
            }
        }
    }

    /// `T(x)` of a number of another type, as amd64 code does it where the language leaves it open.
    pub(crate) fn convert(self, n: Number) -> Number {
        let converted = match (self, n) {
            (Numeric::Int { bits, signed }, Number::Float(f)) => Number::Int(float_to_int(f, bits, signed)),
            (Numeric::Float { bits: 32 }, Number::Int(i)) => Number::Float(f64::from(i as f32)),
            (Numeric::Float { .. }, Number::Int(i)) => Number::Float(i as f64),
            (_, n) => n,
        };
        self.wrap(converted)
    }

    pub(crate) fn unary(self, op: UnaryOp, n: Number) -> Option<Number> {
        let result = match (op, n) {
            (UnaryOp::Plus, n) => n,
            (UnaryOp::Minus, Number::Int(i)) => Number::Int(-i),
            (UnaryOp::Minus, Number::Float(f)) => Number::Float(-f),
            (UnaryOp::Minus, Number::Complex(a, b)) => Number::Complex(-a, -b),
            (UnaryOp::Complement, Number::Int(i)) => Number::Int(!i),
            _ => return None,
        };
        Some(self.wrap(result))
    }

    /// Arithmetic on two values of this type; `Err` is what the program would panic with.
    pub(crate) fn binary(self, op: BinaryOp, a: Number, b: Number) -> Result<Number, String> {
        let undefined = || format!("operator {} not defined", op.text());
        let result = match (a, b) {
            (Number::Int(a), Number::Int(b)) => Number::Int(match op {
                BinaryOp::Add => a + b,
                BinaryOp::Sub => a - b,
                // Two 64-bit values: the product fits 128 bits (as unsigned ones it may use the sign bit, which wrap drops).
                BinaryOp::Mul => a.wrapping_mul(b),
                BinaryOp::Div | BinaryOp::Rem if b == 0 => return Err(DIVIDE_BY_ZERO.into()),
                BinaryOp::Div => a / b,
                BinaryOp::Rem => a % b,
                BinaryOp::And => a & b,
                BinaryOp::Or => a | b,
                BinaryOp::Xor => a ^ b,
                BinaryOp::AndNot => a & !b,
                _ => return Err(undefined()),
            }),
            (Number::Float(a), Number::Float(b)) => Number::Float(match op {
                BinaryOp::Add => a + b,
                BinaryOp::Sub => a - b,
                BinaryOp::Mul => a * b,
                BinaryOp::Div => a / b,
                _ => return Err(undefined()),
            }),
            (Number::Complex(a, b), Number::Complex(c, d)) => match op {
                BinaryOp::Add => Number::Complex(a + c, b + d),
                BinaryOp::Sub => Number::Complex(a - c, b - d),
                BinaryOp::Mul => Number::Complex(a * c - b * d, a * d + b * c),
                BinaryOp::Div => complex_divide((a, b), (c, d)),
                _ => return Err(undefined()),
            },
            _ => return Err(undefined()),
        };
        Ok(self.wrap(result))
    }

    /// `value << count`, `value >> count`: counts of the width and more push every bit out.
    pub(crate) fn shift(self, op: BinaryOp, value: Number, count: i128) -> Result<Number, String> {
        let Number::Int(i) = value else { return Err(format!("operator {} not defined", op.text())) };
        if count < 0 {
            return Err("runtime error: negative shift amount".into());
        }
        let count = count.min(64) as u32;
        let result = if op == BinaryOp::ShiftLeft { i.wrapping_shl(count) } else { i >> count };
        Ok(self.wrap(Number::Int(result)))
    }
}

/// What Go programs panic with.
pub(crate) const DIVIDE_BY_ZERO: &str = "runtime error: integer divide by zero";

impl Number {
    pub(crate) fn to_int(self) -> i128 {
        match self {
            Number::Int(i) => i,
            Number::Float(f) | Number::Complex(f, _) => f as i128,
        }
    }

    fn to_complex(self) -> (f64, f64) {
        match self {
            Number::Int(i) => (i as f64, 0.0),
            Number::Float(f) => (f, 0.0),
            Number::Complex(a, b) => (a, b),
        }
    }

    /// `==`, `<` and so on of two values of one type; None: not defined (order of complex numbers).
    pub(crate) fn compare(self, op: BinaryOp, other: Number) -> Option<bool> {
        let order = match (self, other) {
            (Number::Int(a), Number::Int(b)) => Some(a.cmp(&b)),
            (Number::Float(a), Number::Float(b)) => a.partial_cmp(&b),
            (Number::Complex(..), Number::Complex(..)) if op.is_equality() => {
                (self == other).then_some(std::cmp::Ordering::Equal)
            }
            _ => return None,
        };
        Some(match op {
            BinaryOp::Equal => order.is_some_and(|o| o.is_eq()),
            BinaryOp::NotEqual => !order.is_some_and(|o| o.is_eq()),
            BinaryOp::Less => order.is_some_and(|o| o.is_lt()),
            BinaryOp::LessEqual => order.is_some_and(|o| o.is_le()),
            BinaryOp::Greater => order.is_some_and(|o| o.is_gt()),
            BinaryOp::GreaterEqual => order.is_some_and(|o| o.is_ge()),
            _ => return None,
        })
    }
}

/// CVTTSD2SQ and CVTTSD2SL: out of range gives the smallest integer. Narrow types are cut from 32 bits, uint32 from 64, uint64 has a
/// branch at 2^63 (cmd/compile/internal/ssagen: float64ToUint64).
fn float_to_int(f: f64, bits: u32, signed: bool) -> i128 {
    let to64 = |f: f64| -> i128 {
        let limit = 9_223_372_036_854_775_808.0;
        if f >= -limit && f < limit { f as i128 } else { i128::from(i64::MIN) }
    };
    let to32 = |f: f64| -> i128 {
        let t = f.trunc();
        if (-2_147_483_648.0..2_147_483_648.0).contains(&t) { t as i128 } else { i128::from(i32::MIN) }
    };
    match (bits, signed) {
        (64, false) if f >= 9_223_372_036_854_775_808.0 => to64(f - 9_223_372_036_854_775_808.0) ^ (1 << 63),
        (64, _) | (32, false) => to64(f),
        _ => to32(f),
    }
}

/// Smith's algorithm and the corrections of C99 annex G, in the order of operations of runtime/complex.go.
fn complex_divide(n: (f64, f64), m: (f64, f64)) -> Number {
    let ((a, b), (c, d)) = (n, m);
    let (mut e, mut f) = if c.abs() >= d.abs() {
        let ratio = d / c;
        let denominator = c + ratio * d;
        ((a + b * ratio) / denominator, (b - a * ratio) / denominator)
    } else {
        let ratio = c / d;
        let denominator = d + ratio * c;
        ((a * ratio + b) / denominator, (b * ratio - a) / denominator)
    };
    if e.is_nan() || f.is_nan() {
        let unit = |x: f64| if x.is_infinite() { 1f64.copysign(x) } else { 0f64.copysign(x) };
        let finite = |x: f64, y: f64| x.is_finite() && y.is_finite();
        if c == 0.0 && d == 0.0 && (!a.is_nan() || !b.is_nan()) {
            let inf = f64::INFINITY.copysign(c);
            (e, f) = (inf * a, inf * b);
        } else if (a.is_infinite() || b.is_infinite()) && finite(c, d) {
            let (a, b) = (unit(a), unit(b));
            (e, f) = (f64::INFINITY * (a * c + b * d), f64::INFINITY * (b * c - a * d));
        } else if (c.is_infinite() || d.is_infinite()) && finite(a, b) {
            let (c, d) = (unit(c), unit(d));
            (e, f) = (0.0 * (a * c + b * d), 0.0 * (b * c - a * d));
        }
    }
    Number::Complex(e, f)
}
