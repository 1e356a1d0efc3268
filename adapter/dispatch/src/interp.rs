//! Interprets single instructions over a copy-on-write overlay. Executes, never assumes: what isn't known stays unknown.
//!
//! Every value is a number or unknown, with a mark when it rests on memory that a call in between may have changed ("stale").
//! Nothing here can reach the program: writes go to the overlay.

mod arith;
mod ops;
mod simd;
mod stale;

use machine::{Arch, Memory, Reg, Regs};
use rustc_hash::FxHashMap;

use crate::code::sp_reg;
use crate::model::{Dst, Flow, Inst, Mem, R, Src, Target};
use arith::{FlagBits, mask, truncate};
pub(crate) use stale::Stale;

/// A known value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct V {
    pub(crate) n: u64,
    pub(crate) stale: Stale,
}

impl V {
    pub(crate) fn new(n: u64) -> V {
        V { n, stale: Stale::NONE }
    }
}

pub(crate) type Value = Option<V>;

#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    bytes: [u8; 8],
    written: u8,
    known: u8,
    stale: [Stale; 8],
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
    flags: Option<(FlagBits, Stale)>,
    thread: Value,
    over: FxHashMap<u64, Cell>,
    /// A callee ran that wasn't interpreted: memory may have changed.
    pub(crate) dirty: bool,
    /// Other goroutines may run meanwhile: all but the own stack (these bounds) is theirs too.
    pub(crate) others: Option<(u64, u64)>,
    /// What the branches that were taken rest on.
    pub(crate) branches: Stale,
    /// `[from, to)`: words of the own frame whose address never leaves the function.
    pub(crate) safe: Vec<(u64, u64)>,
    fake: u64,
    fault: Option<V>,
    read_only: &'a (dyn Fn(u64) -> bool + Sync),
    /// In the sandbox: the rest of a register of which a byte is written counts as zero. No compiled code looks at it.
    pub(crate) lenient: bool,
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
            others: None,
            branches: Stale::NONE,
            safe: Vec::new(),
            fake: FAKE,
            fault: None,
            read_only,
            lenient: false,
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
        if arch == Arch::Amd64
            && let Some(x15) = m.vecs.get_mut(15)
        {
            *x15 = [Some(V::new(0)); 2];
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

    /// The low half of a vector register.
    pub(crate) fn vector(&self, n: usize) -> Option<u64> {
        self.vecs.get(n)?.first().copied().flatten().map(|v| v.n)
    }

    pub(crate) fn set_result(&mut self, i: usize, v: Value) {
        if let Some(r) = self.arch.int_args().get(i) {
            self.set_reg(r.0 as R, v);
        }
    }

    pub(crate) fn sp(&self) -> Value {
        self.reg(sp_reg(self.arch))
    }

    pub(crate) fn set_stack_pointer(&mut self, n: u64) {
        self.set_reg(sp_reg(self.arch), Some(V::new(n)));
    }

    /// A store went to an address that isn't known: nothing in memory is certain any more.
    pub(crate) fn lost_track(&self) -> bool {
        self.wild
    }

    /// Size of the overlay.
    pub(crate) fn written_words(&self) -> usize {
        self.over.len()
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
            self.put_byte(a, None, Stale::NONE);
        }
    }

    /// Bytes `[at, at+len)` keep their value but are stale.
    pub(crate) fn make_stale(&mut self, at: u64, len: u64) {
        for a in at..at.saturating_add(len.min(4096)) {
            let b = self.byte(a);
            self.put_byte(a, b.map(|x| x.0), Stale::CALL);
        }
    }

    fn put_byte(&mut self, a: u64, b: Option<u8>, stale: Stale) {
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
        if let Some(x) = cell.stale.get_mut(i) {
            *x = stale;
        }
    }

    fn byte(&self, a: u64) -> Option<(u8, Stale)> {
        if let Some(c) = self.over.get(&(a & !7)) {
            let i = (a & 7) as usize;
            let bit = 1u8 << i;
            if c.written & bit != 0 {
                let stale = c.stale.get(i).copied().unwrap_or_default();
                return (c.known & bit != 0).then(|| (c.bytes.get(i).copied().unwrap_or(0), stale));
            }
        }
        if (FAKE..FAKE_END).contains(&a) {
            return Some((0, Stale::NONE));
        }
        let mut b = [0u8; 1];
        (self.mem.read(a, &mut b) == Ok(1)).then_some((b[0], Stale::NONE))
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

    /// Who may change the memory at `at` before the program gets there.
    fn doubt(&self, at: u64) -> Stale {
        let (calls, shared) = (self.dirty || self.wild, self.others.is_some());
        let own = || self.is_safe(at) || (FAKE..FAKE_END).contains(&at) || (self.read_only)(at);
        if !(calls || shared) || own() {
            return Stale::NONE;
        }
        let foreign = self.others.is_some_and(|(low, high)| !(low..high).contains(&at));
        let one = |on: bool, s: Stale| if on { s } else { Stale::NONE };
        one(calls, Stale::CALL) | one(foreign, Stale::SHARED)
    }

    /// `size` (1..=8) bytes at `at`, zero-extended.
    pub(crate) fn load(&self, at: u64, size: u8, exempt: bool) -> Value {
        let key = at & !7;
        let whole = !self.over.contains_key(&key) && !self.over.contains_key(&(at.wrapping_add(7) & !7));
        let mut w = [0u8; 8];
        let mut stale = Stale::NONE;
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
        if !exempt {
            stale |= self.doubt(at);
        }
        Some(V { n: u64::from_le_bytes(w), stale })
    }

    pub(crate) fn store(&mut self, at: u64, v: Value, size: u8) {
        for i in 0..size {
            let b = v.map(|v| (v.n >> (8 * u32::from(i))) as u8);
            self.put_byte(at.wrapping_add(u64::from(i)), b, v.map_or(Stale::NONE, |v| v.stale));
        }
    }

    /// Copies `len` bytes; more than 4,096 become unknown.
    pub(crate) fn copy(&mut self, to: u64, from: u64, len: u64) {
        if len > 4096 {
            self.wild = true;
            return;
        }
        self.copy_bytes(to, from, len);
    }

    /// Zeroes `len` bytes; the caller bounds them.
    pub(crate) fn clear(&mut self, at: u64, len: u64) {
        for i in 0..len {
            self.put_byte(at.wrapping_add(i), Some(0), Stale::NONE);
        }
    }

    /// Copies as memmove does; the caller bounds the length.
    pub(crate) fn copy_bytes(&mut self, to: u64, from: u64, len: u64) {
        let bytes: Vec<Option<(u8, Stale)>> = (0..len).map(|i| self.byte(from.wrapping_add(i))).collect();
        let doubt = self.doubt(from);
        for (i, b) in bytes.into_iter().enumerate() {
            let stale = b.map_or(Stale::NONE, |x| x.1) | doubt;
            self.put_byte(to.wrapping_add(i as u64), b.map(|x| x.0), stale);
        }
    }

    pub(crate) fn address(&self, m: &Mem) -> Value {
        let mut n = m.disp as u64;
        let mut stale = Stale::NONE;
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
                    Some(v) => return Some(V { stale: v.stale | a.stale, ..v }),
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
                    (_, Some(v)) => self.reg(*r).or(self.lenient.then_some(V::new(0))).map(|old| {
                        let mask = mask(size);
                        V { n: (old.n & !mask) | (v.n & mask), stale: v.stale | old.stale }
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
                        0..=8 => self.store(a.n, v.map(|v| V { stale: v.stale | a.stale, ..v }), size),
                        n => self.forget(a.n, u64::from(n)),
                    }
                }
                None => self.wild = true,
            },
            Dst::None => {}
        }
    }

    /// Executes one instruction. `exempt`: it loads what never changes, as from an itab.
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

    /// Takes the return address off the stack: after a return, and before a tail call.
    pub(crate) fn leave(&mut self) {
        if self.arch == Arch::Amd64
            && let Some(sp) = self.sp()
        {
            self.set_reg(sp_reg(self.arch), Some(V { n: sp.n.wrapping_add(8), ..sp }));
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
