//! Interprets single instructions over a copy-on-write overlay. Executes, never assumes: what isn't known stays unknown.
//!
//! Every value is a number or unknown, with a mark when it rests on memory that a call in between may have changed ("stale").
//! Nothing here can reach the program: writes go to the overlay.

use machine::{Arch, Memory, Reg, Regs};
use rustc_hash::FxHashMap;

use crate::code::sp_reg;
use crate::model::{Alu, Cond, Dst, Flags, Flow, Inst, Mem, Op, R, SelectHow, Special, Src, Target};

/// A known value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct V {
    pub(crate) n: u64,
    pub(crate) stale: bool,
}

impl V {
    pub(crate) fn new(n: u64) -> V {
        V { n, stale: false }
    }
}

pub(crate) type Value = Option<V>;

#[derive(Clone, Copy, Debug)]
struct FlagBits {
    zero: bool,
    sign: bool,
    /// None: kept from flags that weren't known.
    carry: Option<bool>,
    overflow: bool,
    parity: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    bytes: [u8; 8],
    written: u8,
    known: u8,
    stale: u8,
}

/// Addresses of objects that the interpreter made up; nothing is mapped there.
const FAKE: u64 = 0x7fff_4000_0000_0000;
const FAKE_END: u64 = 0x7fff_5000_0000_0000;

/// What an instruction led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Next,
    /// Known condition, or None.
    Branch {
        taken: Option<V>,
        to: u64,
    },
    Jump(Value),
    Call(Value),
    Ret(Value),
    Stop,
    /// A load or store at an address where nothing is mapped.
    Fault(V),
    Syscall,
}

#[derive(Clone)]
pub(crate) struct Machine<'a> {
    mem: &'a dyn Memory,
    pub(crate) arch: Arch,
    regs: [Value; 32],
    vecs: [[Value; 2]; 32],
    flags: Option<(FlagBits, bool)>,
    thread: Value,
    over: FxHashMap<u64, Cell>,
    /// A callee ran that wasn't interpreted: memory may have changed.
    pub(crate) dirty: bool,
    /// `[from, to)`: words of the own frame whose address never leaves the function.
    pub(crate) safe: Vec<(u64, u64)>,
    fake: u64,
    fault: Option<V>,
    read_only: &'a (dyn Fn(u64) -> bool + Sync),
    /// Unknown-address stores happened: all memory but safe slots is uncertain.
    wild: bool,
}

impl<'a> Machine<'a> {
    pub(crate) fn new(
        mem: &'a dyn Memory,
        regs: &Regs,
        read_only: &'a (dyn Fn(u64) -> bool + Sync),
    ) -> Machine<'a> {
        let arch = regs.arch();
        let mut m = Machine {
            mem,
            arch,
            regs: [None; 32],
            vecs: [[None; 2]; 32],
            flags: None,
            thread: (regs.tls != 0).then(|| V::new(regs.tls)),
            over: FxHashMap::default(),
            dirty: false,
            safe: Vec::new(),
            fake: FAKE,
            fault: None,
            read_only,
            wild: false,
        };
        let n = if arch == Arch::Amd64 { 16 } else { 32 };
        for (r, slot) in m.regs.iter_mut().enumerate().take(n) {
            *slot = regs.get(Reg(r as u16)).map(V::new);
        }
        for (k, halves) in m.vecs.iter_mut().enumerate() {
            if let Some(b) = regs.vector(k as u16) {
                let half = |h: usize| {
                    let mut w = [0u8; 8];
                    w.copy_from_slice(b.get(h * 8..h * 8 + 8)?);
                    Some(V::new(u64::from_le_bytes(w)))
                };
                *halves = [half(0), half(1)];
            }
        }
        if arch == Arch::Amd64 {
            if let Some(x15) = m.vecs.get_mut(15) {
                *x15 = [Some(V::new(0)); 2];
            }
        }
        m
    }

    pub(crate) fn reg(&self, r: R) -> Value {
        self.regs.get(r as usize).copied().flatten()
    }

    pub(crate) fn set_reg(&mut self, r: R, v: Value) {
        if let Some(slot) = self.regs.get_mut(r as usize) {
            *slot = v;
        }
    }

    pub(crate) fn arg(&self, i: usize) -> Value {
        self.arch.int_args().get(i).and_then(|r| self.reg(r.0 as R))
    }

    pub(crate) fn set_result(&mut self, i: usize, v: Value) {
        if let Some(r) = self.arch.int_args().get(i) {
            self.set_reg(r.0 as R, v);
        }
    }

    pub(crate) fn sp(&self) -> Value {
        self.reg(sp_reg(self.arch))
    }

    /// All registers but SP, FP and g become unknown, as after a call.
    pub(crate) fn forget_registers(&mut self) {
        let keep = [sp_reg(self.arch), self.arch.fp().0 as R, self.arch.g().0 as R];
        for (r, slot) in self.regs.iter_mut().enumerate() {
            if !keep.contains(&(r as R)) {
                *slot = None;
            }
        }
        self.vecs = [[None; 2]; 32];
        if self.arch == Arch::Amd64
            && let Some(x15) = self.vecs.get_mut(15)
        {
            *x15 = [Some(V::new(0)); 2];
        }
        self.flags = None;
    }

    /// A fresh zeroed object of the interpreter's own.
    pub(crate) fn allocate(&mut self, size: u64) -> V {
        let at = self.fake;
        self.fake = self.fake.saturating_add(size.clamp(8, 1 << 20).next_multiple_of(16) + 16);
        V::new(at)
    }

    /// Bytes `[at, at+len)` become unknown.
    pub(crate) fn forget(&mut self, at: u64, len: u64) {
        for a in at..at.saturating_add(len.min(4096)) {
            self.put_byte(a, None, false);
        }
    }

    /// Bytes `[at, at+len)` keep their value but are stale.
    pub(crate) fn make_stale(&mut self, at: u64, len: u64) {
        for a in at..at.saturating_add(len.min(4096)) {
            let b = self.byte(a);
            self.put_byte(a, b.map(|x| x.0), true);
        }
    }

    fn put_byte(&mut self, a: u64, b: Option<u8>, stale: bool) {
        let cell = self.over.entry(a & !7).or_default();
        let i = (a & 7) as usize;
        let bit = 1u8 << i;
        cell.written |= bit;
        match b {
            Some(v) => {
                if let Some(x) = cell.bytes.get_mut(i) {
                    *x = v;
                }
                cell.known |= bit;
            }
            None => cell.known &= !bit,
        }
        if stale {
            cell.stale |= bit;
        } else {
            cell.stale &= !bit;
        }
    }

    fn byte(&self, a: u64) -> Option<(u8, bool)> {
        if let Some(c) = self.over.get(&(a & !7)) {
            let i = (a & 7) as usize;
            let bit = 1u8 << i;
            if c.written & bit != 0 {
                return (c.known & bit != 0)
                    .then(|| (c.bytes.get(i).copied().unwrap_or(0), c.stale & bit != 0));
            }
        }
        if (FAKE..FAKE_END).contains(&a) {
            return Some((0, false));
        }
        let mut b = [0u8; 1];
        (self.mem.read(a, &mut b) == Ok(1)).then_some((b[0], false))
    }

    fn mapped(&self, a: u64) -> bool {
        if (FAKE..FAKE_END).contains(&a) || self.over.contains_key(&(a & !7)) {
            return true;
        }
        let mut b = [0u8; 1];
        // A cancelled or lost read says nothing about the program.
        !matches!(self.mem.read(a, &mut b), Ok(0) | Err(machine::MemError::Unmapped(_)))
    }

    fn is_safe(&self, a: u64) -> bool {
        self.safe.iter().any(|(from, to)| (*from..*to).contains(&a))
    }

    /// `size` (1..=8) bytes at `at`, zero-extended.
    pub(crate) fn load(&self, at: u64, size: u8, exempt: bool) -> Value {
        let key = at & !7;
        let whole = !self.over.contains_key(&key) && !self.over.contains_key(&(at.wrapping_add(7) & !7));
        let mut w = [0u8; 8];
        let mut stale = false;
        if whole && !(FAKE..FAKE_END).contains(&at) {
            let buf = w.get_mut(..size as usize)?;
            if self.mem.read(at, buf) != Ok(size as usize) {
                return None;
            }
        } else {
            for i in 0..size {
                let (b, s) = self.byte(at.wrapping_add(u64::from(i)))?;
                stale |= s;
                if let Some(x) = w.get_mut(i as usize) {
                    *x = b;
                }
            }
        }
        if (self.dirty || self.wild)
            && !exempt
            && !self.is_safe(at)
            && !(FAKE..FAKE_END).contains(&at)
            && !(self.read_only)(at)
        {
            stale = true;
        }
        Some(V { n: u64::from_le_bytes(w), stale })
    }

    pub(crate) fn store(&mut self, at: u64, v: Value, size: u8) {
        for i in 0..size {
            let b = v.map(|v| (v.n >> (8 * u32::from(i))) as u8);
            self.put_byte(at.wrapping_add(u64::from(i)), b, v.is_some_and(|v| v.stale));
        }
    }

    /// Copies `len` bytes; more than 4,096 become unknown.
    pub(crate) fn copy(&mut self, to: u64, from: u64, len: u64) {
        if len > 4096 {
            self.wild = true;
            return;
        }
        let bytes: Vec<Option<(u8, bool)>> = (0..len).map(|i| self.byte(from.wrapping_add(i))).collect();
        let dirty = self.dirty && !self.is_safe(from);
        for (i, b) in bytes.into_iter().enumerate() {
            self.put_byte(to.wrapping_add(i as u64), b.map(|x| x.0), dirty || b.is_some_and(|x| x.1));
        }
    }

    pub(crate) fn address(&self, m: &Mem) -> Value {
        let mut n = m.disp as u64;
        let mut stale = false;
        if m.thread {
            let t = self.thread?;
            n = n.wrapping_add(t.n);
        }
        if let Some(b) = m.base {
            let b = self.reg(b)?;
            n = n.wrapping_add(b.n);
            stale |= b.stale;
        }
        if let Some(x) = m.index {
            let x = self.reg(x)?;
            let v = match m.extend {
                None => x.n,
                Some(false) => u64::from(x.n as u32),
                Some(true) => x.n as i32 as i64 as u64,
            };
            n = n.wrapping_add(v.wrapping_mul(u64::from(m.scale)));
            stale |= x.stale;
        }
        Some(V { n, stale })
    }

    fn read(&mut self, s: &Src, size: u8, exempt: bool) -> Value {
        let v = match s {
            Src::Reg(r) => self.reg(*r)?,
            Src::Vec(v, h) => self.vecs.get(*v as usize)?.get(*h as usize).copied().flatten()?,
            Src::Imm(i) => V::new(*i as u64),
            Src::Mem(m) => {
                let a = self.address(m)?;
                match self.load(a.n, size.min(8), exempt) {
                    Some(v) => return Some(V { stale: v.stale || a.stale, ..v }),
                    None => {
                        if !self.mapped(a.n) {
                            self.fault.get_or_insert(a);
                        }
                        return None;
                    }
                }
            }
        };
        Some(V { n: truncate(v.n, size), stale: v.stale })
    }

    fn write(&mut self, d: &Dst, v: Value, size: u8) {
        match d {
            Dst::Reg(r) => {
                let v = match (size, v) {
                    (8, v) => v,
                    (4, v) => v.map(|v| V { n: v.n & 0xffff_ffff, ..v }),
                    (_, Some(v)) => self.reg(*r).map(|old| {
                        let mask = mask(size);
                        V { n: (old.n & !mask) | (v.n & mask), stale: v.stale || old.stale }
                    }),
                    (_, None) => None,
                };
                self.set_reg(*r, v);
            }
            Dst::Vec(r, h) => {
                if let Some(x) = self.vecs.get_mut(*r as usize).and_then(|x| x.get_mut(*h as usize)) {
                    *x = v;
                }
            }
            Dst::Mem(m) => match self.address(m) {
                Some(a) => {
                    if !self.mapped(a.n) {
                        self.fault.get_or_insert(a);
                        return;
                    }
                    match size {
                        0..=8 => self.store(a.n, v.map(|v| V { stale: v.stale || a.stale, ..v }), size),
                        n => self.forget(a.n, u64::from(n)),
                    }
                }
                None => self.wild = true,
            },
            Dst::None => {}
        }
    }

    /// Executes one instruction. `exempt`: it loads from an itab, which never changes.
    pub(crate) fn step(&mut self, inst: &Inst, exempt: bool) -> Step {
        self.fault = None;
        for op in inst.ops.iter() {
            self.op(op, exempt);
            if let Some(a) = self.fault {
                return Step::Fault(a);
            }
        }
        let out = match inst.flow {
            Flow::Next => Step::Next,
            Flow::Branch(c, to) => Step::Branch { taken: self.condition(c), to },
            Flow::Jump(t) => Step::Jump(self.target(t)),
            Flow::Call(t) => Step::Call(self.target(t)),
            Flow::Ret => Step::Ret(self.return_address()),
            Flow::Trap => Step::Stop,
            Flow::Syscall => Step::Syscall,
        };
        self.fault.map_or(out, Step::Fault)
    }

    fn target(&mut self, t: Target) -> Value {
        match t {
            Target::Const(a) => Some(V::new(a)),
            Target::Reg(r) => self.reg(r),
            Target::Mem(m) => self.read(&Src::Mem(m), 8, false),
        }
    }

    fn return_address(&self) -> Value {
        match self.arch {
            Arch::Amd64 => self.load(self.sp()?.n, 8, true),
            Arch::Arm64 => self.reg(30),
        }
    }

    /// Enters a callee: pushes (amd64) or links (arm64) the return address.
    pub(crate) fn enter(&mut self, return_pc: u64) {
        match self.arch {
            Arch::Amd64 => {
                if let Some(sp) = self.sp() {
                    let at = sp.n.wrapping_sub(8);
                    self.set_reg(sp_reg(self.arch), Some(V { n: at, ..sp }));
                    self.store(at, Some(V::new(return_pc)), 8);
                }
            }
            Arch::Arm64 => self.set_reg(30, Some(V::new(return_pc))),
        }
    }

    /// Takes the return address off the stack.
    pub(crate) fn leave(&mut self) {
        if self.arch == Arch::Amd64
            && let Some(sp) = self.sp()
        {
            self.set_reg(sp_reg(self.arch), Some(V { n: sp.n.wrapping_add(8), ..sp }));
        }
    }

    fn op(&mut self, op: &Op, exempt: bool) {
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
                        v.map(|v| V { stale: v.stale || c.stale, ..v })
                    }
                    None => None,
                };
                self.write(dst, v, *size);
            }
            Op::SelectOp { cond, dst, a, b, size, how } => {
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
                        V { n: truncate(n, *size), stale: y.stale || c.stale }
                    })
                });
                self.write(&Dst::Reg(*dst), v, *size);
            }
            Op::SetCond { cond, dst } => {
                let v = self.condition(*cond);
                self.write(dst, v, 1);
            }
            Op::Special { op, dst, src, size } => self.special(*op, dst, src, *size),
            Op::Clobber { dst, size } => self.write(dst, None, (*size).max(1)),
            Op::ClobberFlags => self.flags = None,
        }
    }

    fn alu(&mut self, op: Alu, dst: &Dst, a: &Src, b: &Src, size: u8, how: Flags) {
        let (x, y) = (self.read(a, size, false), self.read(b, size, false));
        if self.fault.is_some() {
            return;
        }
        let carry = self.flags.and_then(|f| f.0.carry);
        let result = match (x, y) {
            (Some(x), Some(y)) => compute(op, x.n, y.n, size, carry, self.arch)
                .map(|(n, f)| (V { n, stale: x.stale || y.stale }, f)),
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
                        Some((FlagBits { carry: old.carry, ..f }, v.stale || s))
                    }
                    (Some((v, Some(f))), None) => Some((FlagBits { carry: None, ..f }, v.stale)),
                    _ => None,
                };
            }
        }
        self.write(dst, result.map(|r| r.0), size);
    }

    fn condition(&self, c: Cond) -> Value {
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

    fn special(&mut self, op: Special, dst: &Dst, src: &Src, size: u8) {
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

    fn bit(&mut self, op: Special, dst: &Dst, src: &Src, size: u8) {
        let whole = match dst {
            Dst::Reg(r) => self.reg(*r),
            _ => None,
        };
        let n = self.read(src, size, false);
        let bits = u64::from(size) * 8;
        let both = whole.zip(n).map(|(w, n)| (w, n.n % bits, w.stale || n.stale));
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

    fn exchange(&mut self, op: Special, dst: &Dst, src: &Src, size: u8) {
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
                    .map(|(x, y)| V { n: truncate(x.n.wrapping_add(y.n), size), stale: x.stale || y.stale });
                self.flags = None;
                self.write(&back, x, size);
                self.write(dst, sum, size);
            }
            _ => {
                let acc = self.read(&Src::Reg(0), size, false);
                let equal = acc.zip(x).map(|(a, x)| (a.n == x.n, a.stale || x.stale));
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

    fn wide(&mut self, op: Special, src: &Src, size: u8) {
        let y = self.read(src, size, false);
        let (lo, hi) = (self.read(&Src::Reg(0), size, false), self.read(&Src::Reg(1), size, false));
        let out = match op {
            Special::MulWide { signed } => lo.zip(y).map(|(a, b)| {
                let p = if signed {
                    (i128::from(extend(a.n, size) as i64) * i128::from(extend(b.n, size) as i64)) as u128
                } else {
                    u128::from(a.n) * u128::from(b.n)
                };
                (p as u64, (p >> (u32::from(size) * 8)) as u64, a.stale || b.stale)
            }),
            Special::Div { signed } => match (lo, hi, y) {
                (Some(l), Some(h), Some(d)) => {
                    divide(l.n, h.n, d.n, size, signed).map(|(q, r)| (q, r, l.stale || h.stale || d.stale))
                }
                _ => None,
            },
            _ => None,
        };
        self.flags = None;
        self.write(&Dst::Reg(0), out.map(|o| V { n: truncate(o.0, size), stale: o.2 }), size);
        if size > 1 {
            self.write(&Dst::Reg(1), out.map(|o| V { n: truncate(o.1, size), stale: o.2 }), size);
        }
    }

    /// rep movs, rep stos: RCX elements from RSI (or of RAX) to RDI, forwards.
    fn string(&mut self, op: Special, size: u8) {
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

/// Reads what the program would see: the overlay over the process.
impl Memory for Machine<'_> {
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<usize, machine::MemError> {
        for (i, slot) in buf.iter_mut().enumerate() {
            match self.byte(addr.wrapping_add(i as u64)) {
                Some((b, _)) => *slot = b,
                None => return Ok(i),
            }
        }
        Ok(buf.len())
    }
}

fn mask(size: u8) -> u64 {
    if size >= 8 { u64::MAX } else { (1u64 << (8 * u32::from(size))) - 1 }
}

fn truncate(n: u64, size: u8) -> u64 {
    n & mask(size)
}

fn extend(n: u64, size: u8) -> u64 {
    let shift = 64 - 8 * u32::from(size.clamp(1, 8));
    (((n << shift) as i64) >> shift) as u64
}

fn divide(lo: u64, hi: u64, d: u64, size: u8, signed: bool) -> Option<(u64, u64)> {
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
fn compute(
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
            parity: (n as u8).count_ones() % 2 == 0,
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
            parity: (n as u8).count_ones() % 2 == 0,
        };
        // A count of zero leaves the flags as they were; counts above one leave OF undefined.
        (n, (count == 1 || count > 1).then_some(f))
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
                parity: (n as u8).count_ones() % 2 == 0,
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
                parity: (n as u8).count_ones() % 2 == 0,
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

fn rotate(x: u64, by: u32, bits: u32) -> u64 {
    if by == 0 {
        return x;
    }
    let n = (x << by) | (x >> (bits - by));
    if bits == 64 { n } else { n & ((1 << bits) - 1) }
}

fn holds(c: Cond, f: &FlagBits) -> Option<bool> {
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

impl Machine<'_> {
    /// Before a tail call: the return address stays where the callee expects it.
    pub(crate) fn leave_for_tail(&mut self) {
        self.leave();
    }
}
