//! Untyped numeric constants (go.dev/ref/spec#Constants), exact as long as numerator and denominator fit 127 bits.
//!
//! `0.1+0.2 == 0.3` and `1<<100>>98 == 4` hold as in Go. Beyond 127 bits integers are refused and fractions fall back to `f64`.

use std::cmp::Ordering;

use thiserror::Error;

use crate::{BinaryOp, UnaryOp};

/// The default type's family, in the order in which a mixed operation chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConstantKind {
    Int,
    Rune,
    Float,
    Complex,
}

impl ConstantKind {
    /// As the compiler names it: `untyped int`.
    pub fn text(self) -> &'static str {
        match self {
            ConstantKind::Int => "untyped int",
            ConstantKind::Rune => "untyped rune",
            ConstantKind::Float => "untyped float",
            ConstantKind::Complex => "untyped complex",
        }
    }

    /// Name of the default type.
    pub fn default_type(self) -> &'static str {
        match self {
            ConstantKind::Int => "int",
            ConstantKind::Rune => "int32",
            ConstantKind::Float => "float64",
            ConstantKind::Complex => "complex128",
        }
    }
}

/// Why two constants have no result.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConstantError {
    #[error("invalid operation: division by zero")]
    DivisionByZero,
    #[error("constant overflow: integer constants of more than 127 bits are not supported here")]
    TooLarge,
    #[error("invalid operation: operator {op} not defined on {kind} constant")]
    NotDefined { op: &'static str, kind: &'static str },
    #[error("invalid operation: shift of {0} constant that is not an integer")]
    ShiftOperand(&'static str),
    #[error("invalid shift count")]
    ShiftCount,
}

/// A number without a type.
#[derive(Clone, Debug, PartialEq)]
pub struct Constant {
    kind: ConstantKind,
    re: Real,
    im: Real,
}

#[derive(Clone, Copy, Debug)]
enum Real {
    /// In lowest terms, denominator > 0.
    Ratio(i128, i128),
    /// Where the exact value didn't fit.
    Float(f64),
}

impl PartialEq for Real {
    fn eq(&self, other: &Real) -> bool {
        self.compare(other) == Some(Ordering::Equal)
    }
}

const ZERO: Real = Real::Ratio(0, 1);

impl Constant {
    pub fn int(n: i128) -> Constant {
        Constant { kind: ConstantKind::Int, re: Real::Ratio(n, 1), im: ZERO }
    }

    pub fn rune(c: u32) -> Constant {
        Constant { kind: ConstantKind::Rune, ..Constant::int(i128::from(c)) }
    }

    /// An exact value where the float is a small integer; NaN and infinities are kept.
    pub fn float(f: f64) -> Constant {
        Constant { kind: ConstantKind::Float, re: Real::Float(f), im: ZERO }
    }

    /// `complex(re, im)` of two real constants.
    pub fn complex(re: &Constant, im: &Constant) -> Constant {
        Constant { kind: ConstantKind::Complex, re: re.re, im: im.re }
    }

    pub fn kind(&self) -> ConstantKind {
        self.kind
    }

    pub fn real(&self) -> Constant {
        Constant { kind: ConstantKind::Float, re: self.re, im: ZERO }
    }

    pub fn imaginary(&self) -> Constant {
        Constant { kind: ConstantKind::Float, re: self.im, im: ZERO }
    }

    /// The value as an integer, when it is one (`2.0` and `'a'` are).
    pub fn to_int(&self) -> Option<i128> {
        match (self.re, self.im.is_zero()) {
            (Real::Ratio(n, 1), true) => Some(n),
            (Real::Float(f), true) if f.fract() == 0.0 && f.abs() < 1e38 => Some(f as i128),
            _ => None,
        }
    }

    /// Nearest float64 of the real part; None when there is an imaginary part.
    pub fn to_f64(&self) -> Option<f64> {
        self.im.is_zero().then(|| self.re.to_f64())
    }

    /// Nearest float32, rounded once; None when there is an imaginary part.
    pub fn to_f32(&self) -> Option<f32> {
        self.im.is_zero().then(|| self.re.to_f32())
    }

    pub fn to_complex128(&self) -> (f64, f64) {
        (self.re.to_f64(), self.im.to_f64())
    }

    pub fn to_complex64(&self) -> (f32, f32) {
        (self.re.to_f32(), self.im.to_f32())
    }

    pub fn is_zero(&self) -> bool {
        self.re.is_zero() && self.im.is_zero()
    }

    pub fn unary(&self, op: UnaryOp) -> Result<Constant, ConstantError> {
        match op {
            UnaryOp::Plus => Ok(self.clone()),
            UnaryOp::Minus => Ok(Constant { kind: self.kind, re: self.re.neg()?, im: self.im.neg()? }),
            UnaryOp::Complement if self.kind <= ConstantKind::Rune => {
                let n = self.to_int().ok_or(ConstantError::TooLarge)?;
                Ok(Constant { kind: self.kind, ..Constant::int(!n) })
            }
            _ => Err(ConstantError::NotDefined { op: op.text(), kind: self.kind.text() }),
        }
    }

    /// Every binary operator that gives a number, shifts included.
    pub fn binary(&self, op: BinaryOp, right: &Constant) -> Result<Constant, ConstantError> {
        if op.is_shift() {
            return self.shift(op, right);
        }
        let kind = self.kind.max(right.kind);
        let undefined = ConstantError::NotDefined { op: op.text(), kind: kind.text() };
        if kind <= ConstantKind::Rune {
            let (Some(a), Some(b)) = (self.to_int(), right.to_int()) else { return Err(undefined) };
            return Ok(Constant {
                kind,
                ..Constant::int(int_binary(op, a, b).ok_or_else(|| int_error(op, b))?)
            });
        }
        let (a, b) = ((self.re, self.im), (right.re, right.im));
        let (re, im) = match op {
            BinaryOp::Add => (a.0.add(b.0)?, a.1.add(b.1)?),
            BinaryOp::Sub => (a.0.add(b.0.neg()?)?, a.1.add(b.1.neg()?)?),
            BinaryOp::Mul => complex_mul(a, b)?,
            BinaryOp::Div if right.is_zero() => return Err(ConstantError::DivisionByZero),
            BinaryOp::Div => {
                let norm = b.0.mul(b.0)?.add(b.1.mul(b.1)?)?;
                let n = complex_mul(a, (b.0, b.1.neg()?))?;
                (n.0.div(norm)?, n.1.div(norm)?)
            }
            _ => return Err(undefined),
        };
        Ok(Constant { kind, re, im })
    }

    fn shift(&self, op: BinaryOp, right: &Constant) -> Result<Constant, ConstantError> {
        let value = self.to_int().ok_or(ConstantError::ShiftOperand(self.kind.text()))?;
        let count = right.to_int().filter(|n| *n >= 0).ok_or(ConstantError::ShiftCount)?;
        let kind = if self.kind == ConstantKind::Rune { ConstantKind::Rune } else { ConstantKind::Int };
        let n = match op {
            BinaryOp::ShiftRight => value >> count.min(127),
            _ if value == 0 => 0,
            _ if count >= 127 => return Err(ConstantError::TooLarge),
            _ => value.checked_mul(1i128 << count).ok_or(ConstantError::TooLarge)?,
        };
        Ok(Constant { kind, ..Constant::int(n) })
    }

    /// `==`, `<` and so on; ordering is not defined on complex constants.
    pub fn compare(&self, op: BinaryOp, right: &Constant) -> Result<bool, ConstantError> {
        let kind = self.kind.max(right.kind);
        if op.is_equality() {
            let equal = self.re == right.re && self.im == right.im;
            return Ok(equal == (op == BinaryOp::Equal));
        }
        if kind == ConstantKind::Complex || !op.is_ordering() {
            return Err(ConstantError::NotDefined { op: op.text(), kind: kind.text() });
        }
        let order = self.re.compare(&right.re);
        Ok(match op {
            BinaryOp::Less => order == Some(Ordering::Less),
            BinaryOp::LessEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            BinaryOp::Greater => order == Some(Ordering::Greater),
            _ => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        })
    }
}

impl std::fmt::Display for Constant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.kind, self.to_int()) {
            (ConstantKind::Complex, _) => write!(f, "({} + {}i)", self.re.to_f64(), self.im.to_f64()),
            (ConstantKind::Rune, Some(n)) => match u32::try_from(n).ok().and_then(char::from_u32) {
                Some(c) => write!(f, "{c:?}"),
                None => write!(f, "{n}"),
            },
            (_, Some(n)) => write!(f, "{n}"),
            (_, None) => write!(f, "{}", self.re.to_f64()),
        }
    }
}

fn int_binary(op: BinaryOp, a: i128, b: i128) -> Option<i128> {
    match op {
        BinaryOp::Add => a.checked_add(b),
        BinaryOp::Sub => a.checked_sub(b),
        BinaryOp::Mul => a.checked_mul(b),
        BinaryOp::Div => a.checked_div(b),
        BinaryOp::Rem => a.checked_rem(b),
        BinaryOp::And => Some(a & b),
        BinaryOp::Or => Some(a | b),
        BinaryOp::Xor => Some(a ^ b),
        BinaryOp::AndNot => Some(a & !b),
        _ => None,
    }
}

/// Why [`int_binary`] had no answer.
fn int_error(op: BinaryOp, b: i128) -> ConstantError {
    match op {
        BinaryOp::Div | BinaryOp::Rem if b == 0 => ConstantError::DivisionByZero,
        op if op.is_logical() || op.is_comparison() => {
            ConstantError::NotDefined { op: op.text(), kind: ConstantKind::Int.text() }
        }
        _ => ConstantError::TooLarge,
    }
}

fn complex_mul(a: (Real, Real), b: (Real, Real)) -> Result<(Real, Real), ConstantError> {
    let re = a.0.mul(b.0)?.add(a.1.mul(b.1)?.neg()?)?;
    let im = a.0.mul(b.1)?.add(a.1.mul(b.0)?)?;
    Ok((re, im))
}

impl Real {
    fn ratio(n: i128, d: i128) -> Option<Real> {
        let g = i128::try_from(gcd(n.unsigned_abs(), d.unsigned_abs())).ok()?.max(1);
        let (n, d) = (n.checked_div(g)?, d.checked_div(g)?);
        if d < 0 { Some(Real::Ratio(n.checked_neg()?, d.checked_neg()?)) } else { Some(Real::Ratio(n, d)) }
    }

    fn is_zero(&self) -> bool {
        match *self {
            Real::Ratio(n, _) => n == 0,
            Real::Float(f) => f == 0.0,
        }
    }

    fn neg(self) -> Result<Real, ConstantError> {
        match self {
            Real::Ratio(n, d) => n.checked_neg().map(|n| Real::Ratio(n, d)).ok_or(ConstantError::TooLarge),
            Real::Float(f) => Ok(Real::Float(-f)),
        }
    }

    fn add(self, other: Real) -> Result<Real, ConstantError> {
        let exact = |a: Real, b: Real| match (a, b) {
            (Real::Ratio(n, d), Real::Ratio(m, e)) => {
                Real::ratio(n.checked_mul(e)?.checked_add(m.checked_mul(d)?)?, d.checked_mul(e)?)
            }
            _ => None,
        };
        finite(exact(self, other).unwrap_or_else(|| Real::Float(self.to_f64() + other.to_f64())))
    }

    fn mul(self, other: Real) -> Result<Real, ConstantError> {
        let exact = |a: Real, b: Real| match (a, b) {
            (Real::Ratio(n, d), Real::Ratio(m, e)) => Real::ratio(n.checked_mul(m)?, d.checked_mul(e)?),
            _ => None,
        };
        finite(exact(self, other).unwrap_or_else(|| Real::Float(self.to_f64() * other.to_f64())))
    }

    fn div(self, other: Real) -> Result<Real, ConstantError> {
        match other {
            Real::Ratio(n, d) if n != 0 => self.mul(Real::ratio(d, n).ok_or(ConstantError::TooLarge)?),
            Real::Float(f) if f != 0.0 => finite(Real::Float(self.to_f64() / f)),
            _ => Err(ConstantError::DivisionByZero),
        }
    }

    fn compare(&self, other: &Real) -> Option<Ordering> {
        if let (Real::Ratio(n, d), Real::Ratio(m, e)) = (*self, *other)
            && let (Some(a), Some(b)) = (n.checked_mul(e), m.checked_mul(d))
        {
            return Some(a.cmp(&b));
        }
        self.to_f64().partial_cmp(&other.to_f64())
    }

    fn to_f64(self) -> f64 {
        match self {
            Real::Float(f) => f,
            Real::Ratio(n, 1) => n as f64,
            Real::Ratio(n, d) => {
                let (mantissa, exponent) = quotient(n.unsigned_abs(), d.unsigned_abs());
                let f = mantissa as f64 * 2f64.powi(exponent);
                if n < 0 { -f } else { f }
            }
        }
    }

    fn to_f32(self) -> f32 {
        match self {
            Real::Float(f) => f as f32,
            Real::Ratio(n, 1) => n as f32,
            Real::Ratio(n, d) => {
                let (mantissa, exponent) = quotient(n.unsigned_abs(), d.unsigned_abs());
                let f = (f64::from(mantissa as f32) * 2f64.powi(exponent)) as f32;
                if n < 0 { -f } else { f }
            }
        }
    }
}

/// A float result that is no number any more is an overflow: there are no infinite constants.
fn finite(r: Real) -> Result<Real, ConstantError> {
    match r {
        Real::Float(f) if !f.is_finite() => Err(ConstantError::TooLarge),
        r => Ok(r),
    }
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// `n / d` as 64 significant bits and a power of two; the last bit is set if anything was cut off (round to odd), so that one more
/// rounding to a float's width is exact. `d` is not 0 and below 2^127.
fn quotient(n: u128, d: u128) -> (u64, i32) {
    let (mut q, mut rest) = (n / d, n % d);
    if q == 0 && rest == 0 {
        return (0, 0);
    }
    let mut exponent = 0;
    while q < 1 << 63 {
        rest <<= 1;
        q = (q << 1) | u128::from(rest >= d);
        if rest >= d {
            rest -= d;
        }
        exponent -= 1;
    }
    let mut lost = rest != 0;
    while q >= 1 << 64 {
        lost |= q & 1 == 1;
        q >>= 1;
        exponent += 1;
    }
    (q as u64 | u64::from(lost), exponent)
}

/// A Go number literal (go.dev/ref/spec#Integer_literals and following), `_` and `i` included.
pub(crate) fn parse_number(text: &str) -> Result<Constant, String> {
    let (body, imaginary) = match text.strip_suffix('i') {
        Some(b) => (b, true),
        None => (text, false),
    };
    let lower = body.to_ascii_lowercase();
    let (base, digits) = match lower.get(..2) {
        Some("0x") => (16, lower.get(2..).unwrap_or("")),
        Some("0b") => (2, lower.get(2..).unwrap_or("")),
        Some("0o") => (8, lower.get(2..).unwrap_or("")),
        _ => (10, lower.as_str()),
    };
    let prefixed = base != 10;
    if !underscores_separate_digits(digits, prefixed) {
        return Err("'_' must separate successive digits".into());
    }
    let digits: String = digits.chars().filter(|c| *c != '_').collect();
    let is_float =
        digits.contains('.') || (base == 10 && digits.contains('e')) || (base == 16 && digits.contains('p'));
    let re = if is_float {
        parse_float(&digits, base).ok_or_else(|| format!("invalid floating-point literal {text}"))?
    } else {
        Real::Ratio(parse_int(&digits, base, prefixed, imaginary)?, 1)
    };
    let kind = if is_float { ConstantKind::Float } else { ConstantKind::Int };
    Ok(match imaginary {
        true => Constant { kind: ConstantKind::Complex, re: ZERO, im: re },
        false => Constant { kind, re, im: ZERO },
    })
}

fn underscores_separate_digits(digits: &str, prefixed: bool) -> bool {
    let mut previous = if prefixed { '0' } else { '.' };
    for c in digits.chars() {
        if c == '_' && !previous.is_ascii_hexdigit() || previous == '_' && !c.is_ascii_hexdigit() {
            return false;
        }
        previous = c;
    }
    previous != '_'
}

fn parse_int(digits: &str, base: u32, prefixed: bool, imaginary: bool) -> Result<i128, String> {
    if digits.is_empty() {
        return Err("number has no digits".into());
    }
    // A leading zero means octal; for backward compatibility not in imaginary literals.
    let base = if !prefixed && !imaginary && digits.len() > 1 && digits.starts_with('0') { 8 } else { base };
    if let Some(bad) = digits.chars().find(|c| !c.is_digit(base)) {
        return Err(match bad.is_ascii_digit() {
            true => format!("invalid digit '{bad}' in base {base} literal"),
            false => format!("unexpected '{bad}' in number"),
        });
    }
    i128::from_str_radix(digits, base).map_err(|_| ConstantError::TooLarge.to_string())
}

fn parse_float(digits: &str, base: u32) -> Option<Real> {
    let mark = match base {
        10 => 'e',
        16 => 'p',
        _ => return None,
    };
    let (mantissa, exponent) = match digits.split_once(mark) {
        Some((m, e)) => (m, e.parse::<i32>().ok()?),
        None if base == 16 => return None,
        None => (digits, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() || mantissa.chars().any(|c| c != '.' && !c.is_digit(base)) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let exact = || {
        let joined = format!("0{whole}{fraction}");
        let n = i128::from_str_radix(&joined, base).ok()?;
        let shown = i32::try_from(fraction.len()).ok()?;
        let (radix, power) = match base {
            10 => (10i128, exponent.checked_sub(shown)?),
            _ => (2i128, exponent.checked_sub(shown.checked_mul(4)?)?),
        };
        let scale = radix.checked_pow(power.unsigned_abs())?;
        if power < 0 { Real::ratio(n, scale) } else { Real::ratio(n.checked_mul(scale)?, 1) }
    };
    exact().or_else(|| match base {
        10 => digits.parse::<f64>().ok().filter(|f| f.is_finite()).map(Real::Float),
        _ => hex_float(whole, fraction, exponent),
    })
}

/// A hexadecimal float whose exact value is too wide for a ratio.
fn hex_float(whole: &str, fraction: &str, exponent: i32) -> Option<Real> {
    let mut f = 0f64;
    for c in whole.chars().chain(fraction.chars()) {
        f = f * 16.0 + f64::from(c.to_digit(16)?);
    }
    let shown = i32::try_from(fraction.len()).ok()?.checked_mul(4)?;
    let f = f * 2f64.powi(exponent.checked_sub(shown)?);
    f.is_finite().then_some(Real::Float(f))
}
