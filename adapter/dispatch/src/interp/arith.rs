//! Arithmetic and flags of both architectures, on plain numbers.

use machine::Arch;

use crate::model::{Alu, Cond};

#[derive(Clone, Copy, Debug)]
pub(super) struct FlagBits {
    pub(super) zero: bool,
    pub(super) sign: bool,
    /// None: kept from flags that weren't known.
    pub(super) carry: Option<bool>,
    pub(super) overflow: bool,
    pub(super) parity: bool,
}

pub(super) fn mask(size: u8) -> u64 {
    if size >= 8 { u64::MAX } else { (1u64 << (8 * u32::from(size))) - 1 }
}

pub(super) fn truncate(n: u64, size: u8) -> u64 {
    n & mask(size)
}

pub(super) fn extend(n: u64, size: u8) -> u64 {
    let shift = 64 - 8 * u32::from(size.clamp(1, 8));
    (((n << shift) as i64) >> shift) as u64
}

pub(super) fn divide(lo: u64, hi: u64, d: u64, size: u8, signed: bool) -> Option<(u64, u64)> {
    if d == 0 || size == 1 {
        return None;
    }
    let bits = u32::from(size) * 8;
    let wide = (u128::from(hi) << bits) | u128::from(lo);
    if signed {
        let shift = 128 - 2 * bits;
        let n = ((wide << shift) as i128) >> shift;
        let d = i128::from(extend(d, size) as i64);
        Some((n.checked_div(d)? as u64, n.checked_rem(d)? as u64))
    } else {
        Some((wide.checked_div(u128::from(d))? as u64, wide.checked_rem(u128::from(d))? as u64))
    }
}

/// Result and flags (None where the flags aren't modelled).
pub(super) fn compute(
    op: Alu,
    x: u64,
    y: u64,
    size: u8,
    carry: Option<bool>,
    arch: Arch,
) -> Option<(u64, Option<FlagBits>)> {
    let bits = u32::from(size) * 8;
    let top = |n: u64| n >> (bits - 1) & 1 == 1;
    let (x, y) = (truncate(x, size), truncate(y, size));
    let logic = |n: u64| {
        let n = truncate(n, size);
        let f = FlagBits {
            zero: n == 0,
            sign: top(n),
            // arm64's tst leaves the carry clear, which in amd64's sense is a borrow; no code asks.
            carry: Some(false),
            overflow: false,
            parity: (n as u8).count_ones().is_multiple_of(2),
        };
        (n, Some(f))
    };
    // Shift counts wrap at 32 or 64 bits on both architectures.
    let count = (y & if size == 8 { 63 } else { 31 }) as u32;
    let shifted = |n: u64, c: bool| {
        let n = truncate(n, size);
        let f = FlagBits {
            zero: n == 0,
            sign: top(n),
            carry: Some(c),
            overflow: false,
            parity: (n as u8).count_ones().is_multiple_of(2),
        };
        // A count of zero leaves the flags as they were; counts above one leave OF undefined.
        (n, (count >= 1).then_some(f))
    };
    Some(match op {
        Alu::Add | Alu::Adc => {
            let c = if op == Alu::Adc { u64::from(carry?) } else { 0 };
            let wide = u128::from(x) + u128::from(y) + u128::from(c);
            let n = truncate(wide as u64, size);
            let out = wide >> bits != 0;
            let f = FlagBits {
                zero: n == 0,
                sign: top(n),
                carry: Some(if arch == Arch::Amd64 { out } else { !out }),
                overflow: top(x) == top(y) && top(n) != top(x),
                parity: (n as u8).count_ones().is_multiple_of(2),
            };
            (n, Some(f))
        }
        Alu::Sub | Alu::Sbb => {
            let c = if op == Alu::Sbb { u64::from(carry?) } else { 0 };
            let n = truncate(x.wrapping_sub(y).wrapping_sub(c), size);
            let f = FlagBits {
                zero: n == 0,
                sign: top(n),
                carry: Some(u128::from(x) < u128::from(y) + u128::from(c)),
                overflow: top(x) != top(y) && top(n) != top(x),
                parity: (n as u8).count_ones().is_multiple_of(2),
            };
            (n, Some(f))
        }
        Alu::And => logic(x & y),
        Alu::Or => logic(x | y),
        Alu::Xor => logic(x ^ y),
        Alu::AndNot => logic(x & !y),
        Alu::OrNot => logic(x | !y),
        Alu::Shl => shifted(
            if count >= bits { 0 } else { x << count },
            count != 0 && count <= bits && x >> (bits - count) & 1 == 1,
        ),
        Alu::Shr => shifted(
            if count >= bits { 0 } else { x >> count },
            count != 0 && count <= bits && x >> (count - 1) & 1 == 1,
        ),
        Alu::Sar => {
            let s = extend(x, size) as i64;
            shifted((s >> count.min(63)) as u64, count != 0 && (s >> (count - 1).min(63)) & 1 == 1)
        }
        Alu::Rol => (rotate(x, count % bits, bits), None),
        Alu::Ror => (rotate(x, (bits - count % bits) % bits, bits), None),
        Alu::Mul => (truncate(x.wrapping_mul(y), size), None),
    })
}

pub(super) fn rotate(x: u64, by: u32, bits: u32) -> u64 {
    if by == 0 {
        return x;
    }
    let n = (x << by) | (x >> (bits - by));
    if bits == 64 { n } else { n & ((1 << bits) - 1) }
}

pub(super) fn holds(c: Cond, f: &FlagBits) -> Option<bool> {
    Some(match c {
        Cond::Eq => f.zero,
        Cond::Ne => !f.zero,
        Cond::Below => f.carry?,
        Cond::AboveEq => !f.carry?,
        Cond::BelowEq => f.zero || f.carry?,
        Cond::Above => !f.zero && !f.carry?,
        Cond::Less => f.sign != f.overflow,
        Cond::GreaterEq => f.sign == f.overflow,
        Cond::LessEq => f.zero || f.sign != f.overflow,
        Cond::Greater => !f.zero && f.sign == f.overflow,
        Cond::Neg => f.sign,
        Cond::NotNeg => !f.sign,
        Cond::Overflow => f.overflow,
        Cond::NoOverflow => !f.overflow,
        Cond::Parity => f.parity,
        Cond::NoParity => !f.parity,
        _ => return None,
    })
}
