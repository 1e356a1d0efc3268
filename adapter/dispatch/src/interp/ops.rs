//! What single operations do to the machine.

use super::arith::{FlagBits, compute, divide, extend, holds, truncate};
use super::{Machine, V, Value};
use crate::model::{Alu, Cond, Dst, Flags, Op, R, SelectHow, Special, Src};

impl Machine<'_> {
    pub(super) fn op(&mut self, op: &Op, exempt: bool) {
        match op {
            Op::Mov { dst, src, size, wide, sign } => {
                let v = self.read(src, *size, exempt);
                let v = v.map(|v| if *sign { V { n: truncate(extend(v.n, *size), *wide), ..v } } else { v });
                let wide = match dst {
                    Dst::Mem(_) => *wide,
                    // A zero extension from 1 or 2 bytes writes at least 4.
                    _ if *wide > *size => (*wide).max(4),
                    _ => *wide,
                };
                self.write(dst, v, wide);
            }
            Op::Lea { dst, mem, size } => {
                let v = self.address(mem);
                self.write(&Dst::Reg(*dst), v, *size);
            }
            Op::Alu { op, dst, a, b, size, flags } => self.alu(*op, dst, a, b, *size, *flags),
            Op::Select { cond, dst, a, b, size } => {
                let (x, y) = (self.read(a, *size, false), self.read(b, *size, false));
                let v = match self.condition(*cond) {
                    Some(c) => {
                        let v = if c.n != 0 { x } else { y };
                        v.map(|v| V { stale: v.stale | c.stale, ..v })
                    }
                    None => None,
                };
                self.write(dst, v, *size);
            }
            Op::Choose { cond, dst, a, b, size, how } => {
                let (x, y) = (self.read(a, *size, false), self.read(b, *size, false));
                let v = self.condition(*cond).and_then(|c| {
                    if c.n != 0 {
                        return x;
                    }
                    y.map(|y| {
                        let n = match how {
                            SelectHow::Inc => y.n.wrapping_add(1),
                            SelectHow::Not => !y.n,
                            SelectHow::Neg => y.n.wrapping_neg(),
                        };
                        V { n: truncate(n, *size), stale: y.stale | c.stale }
                    })
                });
                self.write(&Dst::Reg(*dst), v, *size);
            }
            Op::SetCond { cond, dst } => {
                let v = self.condition(*cond);
                self.write(dst, v, 1);
            }
            Op::Special { op, dst, src, size } => self.special(*op, dst, src, *size),
            Op::Simd { op, dst, src, imm } => self.simd(*op, dst, src, *imm),
            Op::Clobber { dst, size } => self.write(dst, None, (*size).max(1)),
            Op::ClobberFlags => self.flags = None,
        }
    }

    pub(super) fn alu(&mut self, op: Alu, dst: &Dst, a: &Src, b: &Src, size: u8, how: Flags) {
        let (mut x, mut y) = (self.read(a, size, false), self.read(b, size, false));
        if op == Alu::Sbb && a == b {
            // The borrow alone, whatever the register holds.
            (x, y) = (Some(V::new(0)), Some(V::new(0)));
        }
        if self.fault.is_some() {
            return;
        }
        let carry = self.flags.and_then(|f| f.0.carry);
        let result = match (x, y) {
            (Some(x), Some(y)) => compute(op, x.n, y.n, size, carry, self.arch)
                .map(|(n, f)| (V { n, stale: x.stale | y.stale }, f)),
            // and with 0, or with -1 are known without the other side.
            (Some(z), None) | (None, Some(z)) if op == Alu::And && z.n == 0 => {
                compute(op, 0, 0, size, carry, self.arch).map(|(n, f)| (V { n, stale: z.stale }, f))
            }
            _ => None,
        };
        match how {
            Flags::Keep => {}
            Flags::Lost => self.flags = None,
            Flags::Set => self.flags = result.and_then(|(v, f)| f.map(|f| (f, v.stale))),
            Flags::KeepCarry => {
                self.flags = match (result, self.flags) {
                    (Some((v, Some(f))), Some((old, s))) => {
                        Some((FlagBits { carry: old.carry, ..f }, v.stale | s))
                    }
                    (Some((v, Some(f))), None) => Some((FlagBits { carry: None, ..f }, v.stale)),
                    _ => None,
                };
            }
        }
        self.write(dst, result.map(|r| r.0), size);
    }

    pub(super) fn condition(&self, c: Cond) -> Value {
        let register = |r: R, size: u8| {
            let v = self.reg(r)?;
            Some((truncate(v.n, size), v.stale))
        };
        let (b, stale) = match c {
            Cond::Zero(r, s) => register(r, s).map(|(n, st)| (n == 0, st))?,
            Cond::NotZero(r, s) => register(r, s).map(|(n, st)| (n != 0, st))?,
            Cond::BitClear(r, n) => register(r, 8).map(|(v, st)| (v >> n & 1 == 0, st))?,
            Cond::BitSet(r, n) => register(r, 8).map(|(v, st)| (v >> n & 1 == 1, st))?,
            Cond::Unknown => return None,
            c => {
                let (f, stale) = self.flags?;
                (holds(c, &f)?, stale)
            }
        };
        Some(V { n: u64::from(b), stale })
    }

    pub(super) fn special(&mut self, op: Special, dst: &Dst, src: &Src, size: u8) {
        match op {
            Special::RepMovs | Special::RepStos => return self.string(op, size),
            Special::Xchg | Special::Xadd | Special::CmpXchg => return self.exchange(op, dst, src, size),
            Special::MulWide { .. } | Special::Div { .. } => return self.wide(op, src, size),
            _ => {}
        }
        let x = self.read(src, size, false);
        let bits = u32::from(size) * 8;
        let v = x.and_then(|x| {
            let n = match op {
                Special::Bswap => x.n.swap_bytes() >> (64 - bits),
                Special::Popcnt => u64::from(x.n.count_ones()),
                Special::Bsf if x.n != 0 => u64::from(x.n.trailing_zeros()),
                Special::Bsr if x.n != 0 => u64::from(63 - x.n.leading_zeros()),
                Special::Tzcnt => u64::from(x.n.trailing_zeros().min(bits)),
                Special::Lzcnt => u64::from(x.n.leading_zeros() - (64 - bits)),
                Special::SignRdx => truncate((extend(x.n, size) as i64 >> 63) as u64, size),
                _ => return None,
            };
            Some(V { n, ..x })
        });
        match op {
            Special::BitTest | Special::BitSet | Special::BitReset | Special::BitFlip => {
                self.bit(op, dst, src, size);
            }
            Special::SignRdx | Special::Bswap => self.write(dst, v, size),
            Special::Bsf | Special::Bsr => {
                // A zero source leaves the destination and sets ZF.
                self.flags = x.map(|x| {
                    let f = FlagBits {
                        zero: x.n == 0,
                        sign: false,
                        carry: Some(false),
                        overflow: false,
                        parity: false,
                    };
                    (f, x.stale)
                });
                if x.is_none_or(|x| x.n != 0) {
                    self.write(dst, v, size);
                }
            }
            _ => {
                self.flags = None;
                self.write(dst, v, size);
            }
        }
    }

    pub(super) fn bit(&mut self, op: Special, dst: &Dst, src: &Src, size: u8) {
        let whole = match dst {
            Dst::Reg(r) => self.reg(*r),
            _ => None,
        };
        let n = self.read(src, size, false);
        let bits = u64::from(size) * 8;
        let both = whole.zip(n).map(|(w, n)| (w, n.n % bits, w.stale | n.stale));
        let set = both.map(|(w, n, stale)| {
            let f = FlagBits {
                zero: false,
                sign: false,
                carry: Some(w.n >> n & 1 == 1),
                overflow: false,
                parity: false,
            };
            (f, stale)
        });
        let v = both.map(|(w, n, stale)| {
            let m = 1u64 << n;
            let r = match op {
                Special::BitSet => w.n | m,
                Special::BitReset => w.n & !m,
                _ => w.n ^ m,
            };
            V { n: r, stale }
        });
        self.flags = set;
        if op != Special::BitTest {
            self.write(dst, v, size);
        }
    }

    pub(super) fn exchange(&mut self, op: Special, dst: &Dst, src: &Src, size: u8) {
        let place = |d: &Dst| match d {
            Dst::Reg(r) => Some(Src::Reg(*r)),
            Dst::Mem(m) => Some(Src::Mem(*m)),
            _ => None,
        };
        let Some(d) = place(dst) else { return };
        let back = match src {
            Src::Reg(r) => Dst::Reg(*r),
            Src::Mem(m) => Dst::Mem(*m),
            _ => Dst::None,
        };
        let (x, y) = (self.read(&d, size, false), self.read(src, size, false));
        if self.fault.is_some() {
            return;
        }
        match op {
            Special::Xchg => {
                self.write(dst, y, size);
                self.write(&back, x, size);
            }
            Special::Xadd => {
                let sum = x
                    .zip(y)
                    .map(|(x, y)| V { n: truncate(x.n.wrapping_add(y.n), size), stale: x.stale | y.stale });
                self.flags = None;
                self.write(&back, x, size);
                self.write(dst, sum, size);
            }
            _ => {
                let acc = self.read(&Src::Reg(0), size, false);
                let equal = acc.zip(x).map(|(a, x)| (a.n == x.n, a.stale | x.stale));
                self.flags = equal.map(|(zero, stale)| {
                    (FlagBits { zero, sign: false, carry: None, overflow: false, parity: false }, stale)
                });
                match equal {
                    Some((true, _)) => self.write(dst, y, size),
                    Some((false, _)) => self.write(&Dst::Reg(0), x, size),
                    None => {
                        self.write(dst, None, size);
                        self.set_reg(0, None);
                    }
                }
            }
        }
    }

    pub(super) fn wide(&mut self, op: Special, src: &Src, size: u8) {
        let y = self.read(src, size, false);
        let (lo, hi) = (self.read(&Src::Reg(0), size, false), self.read(&Src::Reg(1), size, false));
        let out = match op {
            Special::MulWide { signed } => lo.zip(y).map(|(a, b)| {
                let p = if signed {
                    (i128::from(extend(a.n, size) as i64) * i128::from(extend(b.n, size) as i64)) as u128
                } else {
                    u128::from(a.n) * u128::from(b.n)
                };
                (p as u64, (p >> (u32::from(size) * 8)) as u64, a.stale | b.stale)
            }),
            Special::Div { signed } => match (lo, hi, y) {
                (Some(l), Some(h), Some(d)) => {
                    divide(l.n, h.n, d.n, size, signed).map(|(q, r)| (q, r, l.stale | h.stale | d.stale))
                }
                _ => None,
            },
            _ => None,
        };
        self.flags = match (op, out) {
            // Carry and overflow: the upper half says something. The other flags are undefined.
            (Special::MulWide { signed }, Some((low, high, stale))) => {
                let (low, high) = (truncate(low, size), truncate(high, size));
                let sign = truncate(((extend(low, size) as i64) >> 63) as u64, size);
                let over = high != if signed { sign } else { 0 };
                let f =
                    FlagBits { zero: false, sign: false, carry: Some(over), overflow: over, parity: false };
                Some((f, stale))
            }
            _ => None,
        };
        self.write(&Dst::Reg(0), out.map(|o| V { n: truncate(o.0, size), stale: o.2 }), size);
        if size > 1 {
            self.write(&Dst::Reg(1), out.map(|o| V { n: truncate(o.1, size), stale: o.2 }), size);
        }
    }

    /// rep movs, rep stos: RCX elements from RSI (or of RAX) to RDI, forwards.
    pub(super) fn string(&mut self, op: Special, size: u8) {
        let (count, to) = (self.reg(2), self.reg(5));
        let (Some(n), Some(to)) = (count, to) else {
            self.wild = true;
            for r in [2, 4, 5] {
                self.set_reg(r, None);
            }
            return;
        };
        let len = n.n.saturating_mul(u64::from(size));
        if n.n > 4096 {
            self.wild = true;
        } else if op == Special::RepMovs {
            match self.reg(4) {
                Some(from) => self.copy(to.n, from.n, len),
                None => self.forget(to.n, len),
            }
        } else {
            let v = self.read(&Src::Reg(0), size, false);
            for i in 0..n.n {
                self.store(to.n.wrapping_add(i * u64::from(size)), v, size);
            }
        }
        self.set_reg(2, Some(V::new(0)));
        self.set_reg(5, Some(V { n: to.n.wrapping_add(len), ..to }));
        if op == Special::RepMovs {
            let from = self.reg(4).map(|f| V { n: f.n.wrapping_add(len), ..f });
            self.set_reg(4, from);
        }
    }
}
