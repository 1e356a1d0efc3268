//! Definitions and where they reach: which instruction last wrote a register, a vector half or a frame slot.
//!
//! Locations are compared over the whole function: frame slots are relative to the SP at entry. Heap memory isn't tracked, only typed.

use std::cell::RefCell;

use machine::Arch;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::code::{Code, sp_reg};
use crate::model::{Alu, Cond, Dst, Flow, Inst, Mem, Op, R, Src, Target};

/// 8 bytes that hold a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Loc {
    Reg(R),
    Vec(R, u8),
    /// Relative to the SP at entry.
    Slot(i64),
}

/// Where a word came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Expr {
    Copy(Loc),
    Imm(i64),
    /// A load of 8 bytes from memory that is not the frame's.
    Load(Mem),
    /// Address of a frame slot.
    Sp(i64),
    /// An indexed access to or address in the frame.
    SpIndexed,
    Add(Loc, i64),
    /// base + index * scale + disp
    Index {
        base: Option<Loc>,
        index: Loc,
        scale: u8,
        disp: i64,
    },
    /// One of the two, by a condition.
    Phi(Either, Either),
    /// Result of the call at this instruction.
    Call,
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Either {
    Loc(Loc),
    Imm(i64),
    Other,
}

/// A definition that reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Def {
    /// Index of the instruction; [`ENTRY`]: the value at the function's start.
    pub(crate) at: usize,
    pub(crate) loc: Loc,
    pub(crate) expr: Expr,
}

pub(crate) const ENTRY: usize = usize::MAX;

type Memo = FxHashMap<(usize, Loc), Vec<Def>>;

/// Definitions of a function, with the reaching sets computed so far.
pub(crate) struct Flowed<'a> {
    pub(crate) code: &'a Code,
    defs: Vec<Vec<(Loc, Expr)>>,
    /// Calls that keep all registers but some.
    preserve: FxHashMap<usize, Preserve>,
    /// Sets at the end of a block.
    out: RefCell<Memo>,
}

/// What a call leaves alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Preserve {
    /// runtime.gcWriteBarrier*: only R11 (X25) is written.
    WriteBarrier,
    /// duffzero, duffcopy.
    Duff,
}

/// The kind of helper at `name`, if calling it preserves registers.
pub(crate) fn preserves(name: &str) -> Option<Preserve> {
    let name = name.strip_prefix("runtime.")?;
    if name.starts_with("gcWriteBarrier") {
        Some(Preserve::WriteBarrier)
    } else if name.starts_with("duff") {
        Some(Preserve::Duff)
    } else {
        None
    }
}

impl<'a> Flowed<'a> {
    pub(crate) fn new(code: &'a Code, image: &image::Image) -> Flowed<'a> {
        let mut preserve = FxHashMap::default();
        for (i, inst) in code.insts.iter().enumerate() {
            if let Flow::Call(Target::Const(t)) = inst.flow
                && let Some(f) = image.functions().at(t)
                && let Some(p) = preserves(f.name())
            {
                preserve.insert(i, p);
            }
        }
        let defs = code.insts.iter().enumerate().map(|(i, x)| definitions(code, i, x)).collect();
        Flowed { code, defs, preserve, out: RefCell::default() }
    }

    pub(crate) fn definitions(&self, i: usize) -> &[(Loc, Expr)] {
        self.defs.get(i).map_or(&[], Vec::as_slice)
    }

    /// What instruction `i` makes of `loc`, if it writes it.
    pub(crate) fn defines(&self, i: usize, loc: Loc) -> Option<Expr> {
        if let Some((_, e)) = self.definitions(i).iter().rev().find(|(l, _)| *l == loc) {
            return Some(*e);
        }
        match self.code.inst(i)?.flow {
            Flow::Call(_) => self.call_defines(i, loc).then_some(Expr::Call),
            Flow::Syscall => matches!(loc, Loc::Reg(0..=3 | 8..=11)).then_some(Expr::Unknown),
            _ => None,
        }
    }

    fn call_defines(&self, i: usize, loc: Loc) -> bool {
        let arch = self.code.arch;
        match self.preserve.get(&i) {
            Some(Preserve::WriteBarrier) => match arch {
                Arch::Amd64 => loc == Loc::Reg(11),
                Arch::Arm64 => matches!(loc, Loc::Reg(25 | 27 | 30)),
            },
            Some(Preserve::Duff) => match arch {
                Arch::Amd64 => matches!(loc, Loc::Reg(4 | 5) | Loc::Vec(0, _)),
                Arch::Arm64 => matches!(loc, Loc::Reg(16 | 17 | 20 | 21 | 26 | 27 | 30)),
            },
            None => match loc {
                Loc::Reg(r) => r != sp_reg(arch) && r != arch.g().0 as R && r != arch.fp().0 as R,
                Loc::Vec(v, _) => !(arch == Arch::Amd64 && v == 15),
                Loc::Slot(_) => false,
            },
        }
    }

    /// Definitions of `loc` that reach instruction `i` (its value before `i` runs).
    pub(crate) fn reaching(&self, i: usize, loc: Loc) -> Vec<Def> {
        let Some(b) = self.code.block_of.get(i).map(|b| *b as usize) else { return Vec::new() };
        let Some(block) = self.code.blocks.get(b) else { return Vec::new() };
        for k in (block.first..i).rev() {
            if let Some(expr) = self.defines(k, loc) {
                return vec![Def { at: k, loc, expr }];
            }
        }
        self.at_start(b, loc)
    }

    fn at_start(&self, block: usize, loc: Loc) -> Vec<Def> {
        if let Some(v) = self.out.borrow().get(&(block, loc)) {
            return v.clone();
        }
        let mut found: Vec<Def> = Vec::new();
        let mut seen = FxHashSet::default();
        let mut work = vec![block];
        seen.insert(block);
        let add = |d: Def, found: &mut Vec<Def>| {
            if !found.contains(&d) {
                found.push(d);
            }
        };
        while let Some(b) = work.pop() {
            if b == 0 {
                add(Def { at: ENTRY, loc, expr: Expr::Unknown }, &mut found);
            }
            let Some(preds) = self.code.blocks.get(b).map(|x| x.preds.clone()) else { continue };
            for p in preds {
                if self.zero_edge(p, b, loc) {
                    continue;
                }
                match self.last_in(p, loc) {
                    Some(d) => add(d, &mut found),
                    None => {
                        if seen.insert(p) {
                            work.push(p);
                        }
                    }
                }
            }
        }
        self.out.borrow_mut().insert((block, loc), found.clone());
        found
    }

    fn last_in(&self, b: usize, loc: Loc) -> Option<Def> {
        let block = self.code.blocks.get(b)?;
        (block.first..block.end).rev().find_map(|k| self.defines(k, loc).map(|expr| Def { at: k, loc, expr }))
    }

    /// The edge `from` -> `to` is taken only when `loc` is zero: it contributes nothing to a word's type.
    fn zero_edge(&self, from: usize, to: usize, loc: Loc) -> bool {
        let code = self.code;
        let Some(block) = code.blocks.get(from) else { return false };
        let Some(last) = block.end.checked_sub(1) else { return false };
        let Some(Flow::Branch(cond, target)) = code.inst(last).map(|x| x.flow) else { return false };
        let Some(taken) = code.at(target).and_then(|t| code.block_of.get(t)).map(|b| *b as usize) else {
            return false;
        };
        let falls = from + 1;
        if taken == falls {
            return false;
        }
        let (zero_to, test) = match cond {
            Cond::Eq => (taken, None),
            Cond::Ne => (falls, None),
            Cond::Zero(r, 8) => (taken, Some(Loc::Reg(r))),
            Cond::NotZero(r, 8) => (falls, Some(Loc::Reg(r))),
            _ => return false,
        };
        if zero_to != to {
            return false;
        }
        if let Some(t) = test {
            return t == loc;
        }
        for k in (block.first..last).rev().take(5) {
            let Some(inst) = code.inst(k) else { return false };
            for op in inst.ops.iter() {
                if let Some(hit) = compares_zero(code, k, op, loc) {
                    return hit;
                }
            }
            if self.defines(k, loc).is_some() || matches!(inst.flow, Flow::Call(_)) {
                return false;
            }
        }
        false
    }

    /// Follows copies and conditional moves back to the definitions that make the word.
    pub(crate) fn origins(&self, i: usize, loc: Loc) -> Vec<Def> {
        let mut out = Vec::new();
        let mut seen = FxHashSet::default();
        let mut work = vec![(i, loc)];
        while let Some((i, loc)) = work.pop() {
            if !seen.insert((i, loc)) || seen.len() > 400 {
                continue;
            }
            for d in self.reaching(i, loc) {
                self.step_origin(d, &mut work, &mut out);
            }
        }
        out
    }

    fn step_origin(&self, d: Def, work: &mut Vec<(usize, Loc)>, out: &mut Vec<Def>) {
        match d.expr {
            _ if d.at == ENTRY => out.push(d),
            Expr::Copy(l) => work.push((d.at, l)),
            Expr::Phi(a, b) => {
                for e in [a, b] {
                    match e {
                        Either::Loc(l) => work.push((d.at, l)),
                        Either::Imm(v) => out.push(Def { expr: Expr::Imm(v), ..d }),
                        Either::Other => out.push(Def { expr: Expr::Unknown, ..d }),
                    }
                }
            }
            _ => {
                if !out.contains(&d) {
                    out.push(d);
                }
            }
        }
    }

    /// The constant that `loc` holds before `i`, if every definition says the same.
    pub(crate) fn constant(&self, i: usize, loc: Loc) -> Option<u64> {
        let mut value = None;
        for d in self.origins(i, loc) {
            let v = match d.expr {
                _ if d.at == ENTRY => return None,
                Expr::Imm(v) => v as u64,
                Expr::Add(l, n) => self.constant_shallow(d.at, l)?.wrapping_add(n as u64),
                _ => return None,
            };
            if value.is_some_and(|x| x != v) {
                return None;
            }
            value = Some(v);
        }
        value
    }

    fn constant_shallow(&self, i: usize, loc: Loc) -> Option<u64> {
        match self.origins(i, loc).as_slice() {
            [Def { expr: Expr::Imm(v), at, .. }] if *at != ENTRY => Some(*v as u64),
            _ => None,
        }
    }

    /// The absolute address of a memory operand, when it is constant.
    pub(crate) fn absolute(&self, i: usize, m: &Mem) -> Option<u64> {
        if m.index.is_some() || m.thread {
            return None;
        }
        match m.base {
            None => Some(m.disp as u64),
            Some(b) => Some(self.constant(i, Loc::Reg(b))?.wrapping_add(m.disp as u64)),
        }
    }
}

/// `cmp loc, 0` or `test loc, loc`: Some(true); a compare of something else: Some(false).
fn compares_zero(code: &Code, k: usize, op: &Op, loc: Loc) -> Option<bool> {
    let Op::Alu { op, dst, a, b, size: 8, flags } = op else { return None };
    if *flags == crate::model::Flags::Keep {
        return None;
    }
    if *dst != Dst::None {
        return Some(false);
    }
    let place = |s: &Src| match s {
        Src::Reg(r) => Some(Loc::Reg(*r)),
        Src::Mem(m) if m.base == Some(sp_reg(code.arch)) && m.index.is_none() => {
            Some(Loc::Slot(code.slot(k, m.disp)))
        }
        _ => None,
    };
    Some(match op {
        Alu::And => a == b && place(a) == Some(loc),
        Alu::Sub => *b == Src::Imm(0) && place(a) == Some(loc),
        _ => false,
    })
}

/// The definitions that one instruction makes, those of calls left out.
fn definitions(code: &Code, i: usize, inst: &Inst) -> Vec<(Loc, Expr)> {
    let mut out = Vec::new();
    // Inside one instruction (push, pop) SP moves.
    let mut moved = 0;
    for op in inst.ops.iter() {
        one(code, i, op, &mut moved, &mut out);
    }
    out
}

fn one(code: &Code, i: usize, op: &Op, moved: &mut i64, out: &mut Vec<(Loc, Expr)>) {
    let sp = sp_reg(code.arch);
    let slot = |m: &Mem, moved: i64| code.slot(i, m.disp.wrapping_add(moved));
    let is_frame = |m: &Mem| m.base == Some(sp) && !m.thread;
    let source = |s: &Src, moved: i64| match s {
        Src::Reg(r) if *r == sp => Expr::Sp(code.slot(i, moved)),
        Src::Reg(r) => Expr::Copy(Loc::Reg(*r)),
        Src::Vec(15, _) if code.arch == Arch::Amd64 => Expr::Imm(0),
        Src::Vec(v, h) => Expr::Copy(Loc::Vec(*v, *h)),
        Src::Imm(v) => Expr::Imm(*v),
        Src::Mem(m) if is_frame(m) && m.index.is_some() => Expr::SpIndexed,
        Src::Mem(m) if is_frame(m) => Expr::Copy(Loc::Slot(slot(m, moved))),
        Src::Mem(m) => Expr::Load(*m),
    };
    let mut define = |dst: &Dst, expr: Expr, size: u8, moved: i64| match dst {
        Dst::Reg(r) if *r != sp => out.push((Loc::Reg(*r), expr)),
        Dst::Vec(v, h) => out.push((Loc::Vec(*v, *h), expr)),
        Dst::Mem(m) if is_frame(m) && m.index.is_none() => {
            let at = slot(m, moved);
            if size == 8 && at % 8 == 0 {
                out.push((Loc::Slot(at), expr));
            } else {
                // Part of one or more words.
                let mut a = at.div_euclid(8) * 8;
                while a < at + i64::from(size.max(1)) {
                    out.push((Loc::Slot(a), Expr::Unknown));
                    a += 8;
                }
            }
        }
        _ => {}
    };
    match op {
        Op::Mov { dst, src, size, wide, .. } => {
            let expr = match (src, size) {
                (_, 8) => source(src, *moved),
                (Src::Imm(v), 4) if *wide == 4 && matches!(dst, Dst::Reg(_)) => {
                    Expr::Imm(i64::from(*v as u32))
                }
                _ => Expr::Unknown,
            };
            define(dst, expr, if matches!(dst, Dst::Mem(_)) { *wide } else { 8 }, *moved);
        }
        Op::Lea { dst, mem, size } => {
            let expr = if *size < 8 { Expr::Unknown } else { address(code, i, mem, *moved) };
            define(&Dst::Reg(*dst), expr, 8, *moved);
        }
        Op::Alu { dst: Dst::None, .. } | Op::ClobberFlags => {}
        Op::Alu { op, dst: Dst::Reg(r), a: Src::Reg(a), b: Src::Imm(n), .. } if *r == sp && *a == sp => {
            match op {
                Alu::Add => *moved += n,
                Alu::Sub => *moved -= n,
                _ => {}
            }
        }
        Op::Alu { op, dst, a, b, size, .. } => {
            let expr = alu(*op, a, b, *size, sp, |n| Expr::Sp(code.slot(i, *moved + n)));
            define(dst, expr, *size, *moved);
        }
        Op::Select { dst, a, b, size, .. } => {
            let side = |s: &Src| match source(s, *moved) {
                Expr::Copy(l) => Either::Loc(l),
                Expr::Imm(v) => Either::Imm(v),
                _ => Either::Other,
            };
            let expr = if *size == 8 { Expr::Phi(side(a), side(b)) } else { Expr::Unknown };
            define(dst, expr, 8, *moved);
        }
        Op::Choose { dst, .. } => define(&Dst::Reg(*dst), Expr::Unknown, 8, *moved),
        Op::SetCond { dst, .. } => define(dst, Expr::Unknown, 1, *moved),
        Op::Simd { dst: Dst::Vec(r, _), .. } => {
            define(&Dst::Vec(*r, 0), Expr::Unknown, 8, *moved);
            define(&Dst::Vec(*r, 1), Expr::Unknown, 8, *moved);
        }
        Op::Simd { dst, .. } => define(dst, Expr::Unknown, 8, *moved),
        Op::Clobber { dst, size } => define(dst, Expr::Unknown, *size, *moved),
        Op::Special { op, dst, src, size } => special(op, dst, src, *size, *moved, &mut define),
    }
}

fn special(
    op: &crate::model::Special,
    dst: &Dst,
    src: &Src,
    size: u8,
    moved: i64,
    define: &mut impl FnMut(&Dst, Expr, u8, i64),
) {
    use crate::model::Special as S;
    let mut unknown = |d: &Dst| define(d, Expr::Unknown, size, moved);
    match op {
        S::MulWide { .. } | S::Div { .. } => {
            unknown(&Dst::Reg(0));
            unknown(&Dst::Reg(1));
        }
        S::RepMovs | S::RepStos => {
            for r in [2, 4, 5] {
                unknown(&Dst::Reg(r));
            }
        }
        S::CmpXchg => {
            unknown(dst);
            unknown(&Dst::Reg(0));
        }
        S::Xadd | S::Xchg => {
            unknown(dst);
            match src {
                Src::Reg(r) => unknown(&Dst::Reg(*r)),
                Src::Mem(m) => unknown(&Dst::Mem(*m)),
                _ => {}
            }
        }
        S::BitTest => {}
        _ => unknown(dst),
    }
}

fn alu(op: Alu, a: &Src, b: &Src, size: u8, sp: R, frame: impl Fn(i64) -> Expr) -> Expr {
    if (op, *a, *b) == (Alu::And, Src::Imm(0), Src::Imm(0)) {
        return Expr::Imm(0);
    }
    if size != 8 {
        return Expr::Unknown;
    }
    match (op, a, b) {
        (Alu::Add, Src::Reg(r), Src::Imm(n)) if *r == sp => frame(*n),
        (Alu::Sub, Src::Reg(r), Src::Imm(n)) if *r == sp => frame(-*n),
        (Alu::Add, Src::Reg(r), Src::Imm(n)) => Expr::Add(Loc::Reg(*r), *n),
        (Alu::Sub, Src::Reg(r), Src::Imm(n)) => Expr::Add(Loc::Reg(*r), n.wrapping_neg()),
        (Alu::Add, Src::Reg(x), Src::Reg(y)) => {
            Expr::Index { base: Some(Loc::Reg(*x)), index: Loc::Reg(*y), scale: 1, disp: 0 }
        }
        (Alu::Or, Src::Reg(x), Src::Imm(0)) => Expr::Copy(Loc::Reg(*x)),
        _ => Expr::Unknown,
    }
}

fn address(code: &Code, i: usize, m: &Mem, moved: i64) -> Expr {
    let sp = sp_reg(code.arch);
    match (m.base, m.index) {
        _ if m.thread => Expr::Unknown,
        (Some(b), None) if b == sp => Expr::Sp(code.slot(i, m.disp.wrapping_add(moved))),
        (Some(b), Some(_)) if b == sp => Expr::SpIndexed,
        (None, None) => Expr::Imm(m.disp),
        (Some(b), None) if m.disp == 0 => Expr::Copy(Loc::Reg(b)),
        (Some(b), None) => Expr::Add(Loc::Reg(b), m.disp),
        (base, Some(x)) => {
            Expr::Index { base: base.map(Loc::Reg), index: Loc::Reg(x), scale: m.scale, disp: m.disp }
        }
    }
}
