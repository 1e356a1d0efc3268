//! What must have happened before: dominators, compares of a type or itab word with a constant, and the cases of an interface switch.

use image::TypeId;
use rustc_hash::FxHashSet;

use crate::code::Code;
use crate::flow::{ENTRY, Expr, Loc};
use crate::model::{Alu, Cond, Dst, Flags, Flow, Mem, Op, R, Src, Target};
use crate::types::Typer;
use crate::words::{self, Word};

/// Blocks walked up from a use.
const MAX_UP: usize = 64;
/// Blocks through which ways are followed back to the compares of one word.
const MAX_MERGED: usize = 32;

/// Immediate dominators of the reachable blocks (Cooper, Harvey, Kennedy: "A Simple, Fast Dominance Algorithm").
pub(crate) fn dominators(code: &Code) -> Vec<Option<usize>> {
    let n = code.blocks.len();
    let order = reverse_postorder(code);
    let mut rank = vec![usize::MAX; n];
    for (i, b) in order.iter().enumerate() {
        if let Some(r) = rank.get_mut(*b) {
            *r = i;
        }
    }
    let mut idom: Vec<Option<usize>> = vec![None; n];
    if let Some(first) = idom.first_mut() {
        *first = Some(0);
    }
    let meet = |a: usize, b: usize, idom: &[Option<usize>]| {
        let (mut a, mut b) = (a, b);
        let at = |x: usize| rank.get(x).copied().unwrap_or(usize::MAX);
        for _ in 0..2 * n {
            if a == b {
                break;
            }
            if at(a) > at(b) {
                a = idom.get(a).copied().flatten().unwrap_or(0);
            } else {
                b = idom.get(b).copied().flatten().unwrap_or(0);
            }
        }
        a
    };
    for _ in 0..32 {
        let mut changed = false;
        for &b in order.iter().skip(1) {
            let Some(block) = code.blocks.get(b) else { continue };
            let mut new = None;
            for &p in &block.preds {
                if idom.get(p).copied().flatten().is_none() {
                    continue;
                }
                new = Some(new.map_or(p, |x| meet(p, x, &idom)));
            }
            if let Some(slot) = idom.get_mut(b)
                && *slot != new
            {
                *slot = new;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    idom
}

fn reverse_postorder(code: &Code) -> Vec<usize> {
    let mut seen = vec![false; code.blocks.len()];
    let mut out = Vec::new();
    let mut stack = vec![(0usize, 0usize)];
    if let Some(s) = seen.first_mut() {
        *s = true;
    }
    while let Some((b, k)) = stack.pop() {
        match code.blocks.get(b).and_then(|x| x.succs.get(k)).copied() {
            Some(s) => {
                stack.push((b, k + 1));
                if let Some(flag) = seen.get_mut(s)
                    && !std::mem::replace(flag, true)
                {
                    stack.push((s, 0));
                }
            }
            None => out.push(b),
        }
    }
    out.reverse();
    out
}

/// `a` is on every way to `b`.
pub(crate) fn dominates(idom: &[Option<usize>], a: usize, b: usize) -> bool {
    let mut b = b;
    for _ in 0..idom.len() {
        if a == b {
            return true;
        }
        match idom.get(b).copied().flatten() {
            Some(up) if up != b => b = up,
            _ => return false,
        }
    }
    false
}

/// A compare at the end of a block whose outcome is known where it is asked.
struct Fact {
    /// The compare's instruction.
    at: usize,
    left: Src,
    right: Src,
    /// The condition that held.
    held: Cond,
    /// The block that was entered for it.
    to: usize,
}

fn negated(c: Cond) -> Option<Cond> {
    Some(match c {
        Cond::Eq => Cond::Ne,
        Cond::Ne => Cond::Eq,
        Cond::Less => Cond::GreaterEq,
        Cond::GreaterEq => Cond::Less,
        Cond::Greater => Cond::LessEq,
        Cond::LessEq => Cond::Greater,
        Cond::Below => Cond::AboveEq,
        Cond::AboveEq => Cond::Below,
        Cond::Above => Cond::BelowEq,
        Cond::BelowEq => Cond::Above,
        Cond::Zero(r, s) => Cond::NotZero(r, s),
        Cond::NotZero(r, s) => Cond::Zero(r, s),
        _ => return None,
    })
}

/// The compares that decided the way to instruction `i`, nearest first.
fn facts(code: &Code, idom: &[Option<usize>], i: usize) -> Vec<Fact> {
    let mut out = Vec::new();
    let Some(mut b) = code.block_of.get(i).map(|b| *b as usize) else { return out };
    for _ in 0..MAX_UP {
        let Some(block) = code.blocks.get(b) else { break };
        if let [p] = block.preds.as_slice()
            && let Some(f) = edge(code, idom, *p, b)
        {
            out.push(f);
        }
        match idom.get(b).copied().flatten() {
            Some(up) if up != b => b = up,
            _ => break,
        }
    }
    out
}

fn edge(code: &Code, idom: &[Option<usize>], from: usize, to: usize) -> Option<Fact> {
    let block = code.blocks.get(from)?;
    let last = block.end.checked_sub(1)?;
    let Flow::Branch(cond, target) = code.inst(last)?.flow else { return None };
    let taken = *code.block_of.get(code.at(target)?)? as usize;
    if taken == from + 1 {
        return None;
    }
    let held = if taken == to { cond } else { negated(cond)? };
    if let Cond::Zero(r, _) | Cond::NotZero(r, _) = held {
        let held = if matches!(held, Cond::Zero(..)) { Cond::Eq } else { Cond::Ne };
        return Some(Fact { at: last, left: Src::Reg(r), right: Src::Imm(0), held, to });
    }
    let (at, op) = match flags_of(code, block.first, last) {
        FlagsOf::Untouched => flags_at_entry(code, idom, from)?,
        FlagsOf::Compare(at, op) => (at, op),
        FlagsOf::Other => return None,
    };
    match op {
        Op::Alu { op: Alu::Sub, a, b, .. } => Some(Fact { at, left: *a, right: *b, held, to }),
        Op::Alu { op: Alu::And, a, b, .. } if a == b => {
            Some(Fact { at, left: *a, right: Src::Imm(0), held, to })
        }
        _ => None,
    }
}

/// Who wrote the flags last in a run of instructions.
enum FlagsOf<'c> {
    Untouched,
    Compare(usize, &'c Op),
    Other,
}

fn flags_of(code: &Code, first: usize, end: usize) -> FlagsOf<'_> {
    for k in (first..end).rev() {
        let Some(inst) = code.inst(k) else { return FlagsOf::Other };
        if matches!(inst.flow, Flow::Call(_) | Flow::Syscall) {
            return FlagsOf::Other;
        }
        for op in inst.ops.iter().rev() {
            match op {
                Op::Alu { flags: Flags::Keep, .. } => {}
                Op::Alu { dst: Dst::None, .. } => return FlagsOf::Compare(k, op),
                Op::Alu { .. } | Op::ClobberFlags | Op::Special { .. } => return FlagsOf::Other,
                _ => {}
            }
        }
    }
    FlagsOf::Untouched
}

/// The compare whose flags a block finds at its start, where a value was only zeroed on one of the two ways: `n, ok := x.(*T); ok`.
fn flags_at_entry<'c>(code: &'c Code, idom: &[Option<usize>], b: usize) -> Option<(usize, &'c Op)> {
    let up = idom.get(b).copied().flatten().filter(|up| *up != b)?;
    let keeps = |p: usize| {
        let Some(x) = code.blocks.get(p) else { return false };
        p == up || x.preds.as_slice() == [up] && matches!(flags_of(code, x.first, x.end), FlagsOf::Untouched)
    };
    let block = code.blocks.get(up)?;
    match flags_of(code, block.first, block.end) {
        FlagsOf::Compare(at, op) if code.blocks.get(b)?.preds.iter().all(|p| keeps(*p)) => Some((at, op)),
        _ => None,
    }
}

impl Typer<'_> {
    /// What a bare data word points to, when the way to `i` went through a successful compare of its type word.
    pub(crate) fn by_compare(&self, i: usize, loc: Loc) -> Option<Word> {
        facts(self.flow.code, self.idom(), i).iter().find_map(|f| self.by_fact(f, f.to, i, loc))
    }

    /// `to`: a block that is only entered when the compare succeeded.
    fn by_fact(&self, f: &Fact, to: usize, i: usize, loc: Loc) -> Option<Word> {
        if f.held != Cond::Eq {
            return None;
        }
        [(f.left, f.right), (f.right, f.left)].into_iter().find_map(|(word, constant)| {
            let ty = self.compared(f.at, &constant)?;
            let tab = self.place(f.at, &word)?;
            let same = crate::identity::Compare::new(self, f.at, to).is_of(&tab, i, loc);
            if same { self.pointee(ty) } else { None }
        })
    }

    /// The same where several ways lead to `i`: on each of them the word is nil, or a compare of its type word succeeded, always with
    /// one type. What `p, _ := x.(*T); p != nil` leaves without optimisations.
    pub(crate) fn by_merged_compare(&self, i: usize, loc: Loc) -> Option<Word> {
        let mut types = Vec::new();
        let proved = self.merged_compare(i, loc, &mut FxHashSet::default(), &mut types);
        let first = types.first().copied();
        first.filter(|w| proved && types.iter().all(|t| t == w))
    }

    /// Collects what the word may point to before `i`; false: something else.
    fn merged_compare(
        &self,
        i: usize,
        loc: Loc,
        seen: &mut FxHashSet<(usize, Loc)>,
        types: &mut Vec<Word>,
    ) -> bool {
        if let Some(w) = self.by_compare(i, loc) {
            types.push(w);
            return true;
        }
        let code = self.flow.code;
        let Some((b, block)) =
            code.block_of.get(i).and_then(|b| Some((*b as usize, code.blocks.get(*b as usize)?)))
        else {
            return false;
        };
        for k in (block.first..i).rev() {
            match self.flow.defines(k, loc) {
                Some(Expr::Copy(from)) => return self.merged_compare(k, from, seen, types),
                Some(e) => return e == Expr::Imm(0),
                None => {}
            }
        }
        if !seen.insert((b, loc)) {
            return true;
        }
        if seen.len() > MAX_MERGED || block.preds.is_empty() {
            return false;
        }
        block.preds.iter().all(|p| {
            let Some(last) = code.blocks.get(*p).and_then(|x| x.end.checked_sub(1)) else { return false };
            // The compare may lead here at once. No block is entered for it alone, then.
            let fact = edge(code, self.idom(), *p, b);
            if let Some(w) = fact.and_then(|f| self.by_fact(&f, usize::MAX, last, loc)) {
                types.push(w);
                return true;
            }
            match self.flow.defines(last, loc) {
                Some(Expr::Copy(from)) => self.merged_compare(last, from, seen, types),
                Some(e) => e == Expr::Imm(0),
                None => self.merged_compare(last, loc, seen, types),
            }
        })
    }

    /// The concrete type that a constant operand stands for: a type descriptor or an itab.
    fn compared(&self, at: usize, s: &Src) -> Option<u64> {
        let a = match s {
            Src::Imm(v) => *v as u64,
            Src::Reg(r) => self.flow.constant(at, Loc::Reg(*r))?,
            _ => return None,
        };
        if let Some(i) = self.engine.itabs(self.image).get(a) {
            return Some(i.typ);
        }
        (self.image.type_range().contains(&a) && self.image.type_of(TypeId::Runtime(a), self.image).is_ok())
            .then_some(a)
    }

    fn place(&self, at: usize, s: &Src) -> Option<Either> {
        let sp = crate::code::sp_reg(self.flow.code.arch);
        match s {
            Src::Reg(r) => Some(Either::Loc(Loc::Reg(*r))),
            Src::Mem(m) if m.base == Some(sp) && m.index.is_none() => {
                Some(Either::Loc(Loc::Slot(self.flow.code.slot(at, m.disp))))
            }
            Src::Mem(m) => Some(Either::Load(*m)),
            _ => None,
        }
    }

    fn pointee(&self, ty: u64) -> Option<Word> {
        let id = words::canon(self.image, TypeId::Runtime(ty));
        let t = self.image.type_of(id, self.image).ok()?;
        match &t.shape {
            image::Shape::Pointer { elem } => {
                Some(Word::Ptr { ty: words::canon(self.image, (*elem)?), off: 0, many: false })
            }
            image::Shape::Map { .. } => Some(Word::Map(id)),
            image::Shape::Func(_) => Some(Word::Func(id)),
            image::Shape::Chan { .. } => Some(Word::Chan(id)),
            _ if self.image.is_direct_iface(ty, self.image).unwrap_or(true) => words::leaf(self.image, id, 0),
            _ => Some(Word::Ptr { ty: id, off: 0, many: false }),
        }
    }

    /// The cases of an interface switch that are possible at `i`, by the compares of the case index on the way there.
    pub(crate) fn cases(&self, i: usize, desc: u64) -> Vec<u64> {
        let n = crate::types::initial_word(self.image, desc.wrapping_add(8)).unwrap_or(0).min(256);
        let mut open: Vec<u64> = (0..n).collect();
        for f in facts(self.flow.code, self.idom(), i) {
            let (loc, value) = match (f.left, f.right) {
                (Src::Reg(r), Src::Imm(v)) => (Loc::Reg(r), v as u64),
                (s @ Src::Mem(_), Src::Imm(v)) => match self.place(f.at, &s) {
                    Some(Either::Loc(l)) => (l, v as u64),
                    _ => continue,
                },
                _ => continue,
            };
            if !self.is_case_index(f.at, loc, desc) {
                continue;
            }
            open.retain(|c| match f.held {
                Cond::Eq => *c == value,
                Cond::Ne => *c != value,
                Cond::Less | Cond::Below => *c < value,
                Cond::LessEq | Cond::BelowEq => *c <= value,
                Cond::Greater | Cond::Above => *c > value,
                Cond::GreaterEq | Cond::AboveEq => *c >= value,
                _ => true,
            });
        }
        open
    }

    fn is_case_index(&self, at: usize, loc: Loc, desc: u64) -> bool {
        let first = self.flow.code.arch.int_args().first().map(|r| Loc::Reg(r.0 as R));
        let defs = self.flow.origins(at, loc);
        !defs.is_empty()
            && defs.iter().all(|d| match d.expr {
                _ if d.at == ENTRY => false,
                // A nil value takes no case.
                Expr::Imm(_) => true,
                Expr::Call => Some(d.loc) == first && self.calls_switch(d.at, desc),
                Expr::Load(m) => m.index.is_some() && m.disp == 0x10,
                _ => false,
            })
            && defs.iter().any(|d| d.expr == Expr::Call && self.calls_switch(d.at, desc))
    }

    fn calls_switch(&self, i: usize, desc: u64) -> bool {
        let Some(Flow::Call(Target::Const(t))) = self.flow.code.inst(i).map(|x| x.flow) else { return false };
        let named = self.image.functions().at(t).is_some_and(|f| f.name() == "runtime.interfaceSwitch");
        let first = self.flow.code.arch.int_args().first().map(|r| Loc::Reg(r.0 as R));
        named && first.and_then(|l| self.flow.constant(i, l)) == Some(desc)
    }
}

/// Where an operand is.
pub(crate) enum Either {
    Loc(Loc),
    Load(Mem),
}
