//! Whether the type word of a compare and a data word belong to the same interface value, at the same moment.
//!
//! A compare proves something only about the value that was compared: another assertion on an interface of the same static type, or the
//! same variable one turn of a loop later, is another value. What isn't proved the same isn't the same.

use rustc_hash::FxHashSet;

use crate::dom::{Either, dominates};
use crate::flow::{Def, ENTRY, Expr, Loc};
use crate::model::{Dst, Flow, Mem, Op, R};
use crate::types::Typer;

/// Pairs of definitions that are looked at.
const MAX_PAIRS: usize = 200;
/// Copies in a row that are followed.
const MAX_COPIES: usize = 8;
/// Blocks in a row between the reads of an interface's words.
const MAX_CHAIN: usize = 8;

/// A successful compare and the block that was entered for it.
pub(crate) struct Compare<'t, 'a> {
    t: &'t Typer<'a>,
    at: usize,
    to: usize,
}

impl<'t, 'a> Compare<'t, 'a> {
    pub(crate) fn new(t: &'t Typer<'a>, at: usize, to: usize) -> Self {
        Compare { t, at, to }
    }

    fn block(&self, i: usize) -> Option<usize> {
        self.t.flow.code.block_of.get(i).map(|b| *b as usize)
    }

    /// What reaches, nil left out: nothing can be loaded through it.
    fn reaching(&self, i: usize, loc: Loc) -> Vec<Def> {
        let mut all = self.t.flow.reaching(i, loc);
        all.retain(|d| d.at == ENTRY || d.expr != Expr::Imm(0));
        all
    }

    /// `tab`, the compared word, and the word in `loc` before the use are word 0 and word 1 of one interface value.
    pub(crate) fn is_of(&self, tab: &Either, used: usize, loc: Loc) -> bool {
        self.same_value(tab, used, loc, &mut FxHashSet::default())
    }

    fn same_value(&self, tab: &Either, used: usize, loc: Loc, seen: &mut FxHashSet<(usize, Loc)>) -> bool {
        if !seen.insert((used, loc)) {
            return true;
        }
        let data = self.reaching(used, loc);
        if data.is_empty() || data.len() > 8 || seen.len() > MAX_PAIRS {
            return false;
        }
        // A copy that was made behind the compare is what it was copied from.
        let (copies, others): (Vec<Def>, Vec<Def>) = data.into_iter().partition(|d| {
            let behind = |b| dominates(self.t.idom(), self.to, b);
            d.at != ENTRY && matches!(d.expr, Expr::Copy(_)) && self.block(d.at).is_some_and(behind)
        });
        let copied = copies.iter().all(|d| match d.expr {
            Expr::Copy(from) => self.same_value(tab, d.at, from, seen),
            _ => false,
        });
        if !copied || others.is_empty() {
            return copied;
        }
        if let [Def { at, expr: Expr::Load(m), .. }] = others.as_slice()
            && *at != ENTRY
            && self.block(*at).is_some_and(|b| dominates(self.t.idom(), self.to, b))
        {
            return self.loaded_behind(tab, *at, m);
        }
        if self.changed_between(&others, used) {
            return false;
        }
        let tabs = match tab {
            Either::Loc(l) => self.reaching(self.at, *l),
            Either::Load(m) => vec![Def { at: self.at, loc: Loc::Slot(i64::MIN), expr: Expr::Load(*m) }],
        };
        self.aligned(tabs, others, &mut FxHashSet::default())
    }

    /// One of the definitions can run after the compare and before the use.
    fn changed_between(&self, defs: &[Def], used: usize) -> bool {
        let code = self.t.flow.code;
        let (Some(compare), Some(end)) = (self.block(self.at), self.block(used)) else { return true };
        let walk = |from: usize, next: &dyn Fn(usize) -> Vec<usize>| -> FxHashSet<usize> {
            let mut seen = FxHashSet::default();
            let mut work = vec![from];
            while let Some(b) = work.pop() {
                if b != compare && seen.insert(b) {
                    work.extend(next(b));
                }
            }
            seen
        };
        let behind = walk(self.to, &|b| code.blocks.get(b).map(|x| x.succs.clone()).unwrap_or_default());
        let before = walk(end, &|b| code.blocks.get(b).map(|x| x.preds.clone()).unwrap_or_default());
        defs.iter().any(|d| {
            if d.at == ENTRY {
                return false;
            }
            match self.block(d.at) {
                Some(b) if b == compare => d.at > self.at,
                Some(b) => behind.contains(&b) && before.contains(&b),
                None => true,
            }
        })
    }

    /// Each definition of one word has its partner among those of the other, made in the same run of the same block.
    fn aligned(
        &self,
        tabs: Vec<Def>,
        data: Vec<Def>,
        seen: &mut FxHashSet<(usize, Loc, usize, Loc)>,
    ) -> bool {
        if tabs.is_empty() || data.is_empty() || seen.len() > MAX_PAIRS {
            return false;
        }
        if let ([t], [d]) = (tabs.as_slice(), data.as_slice())
            && self.read_on_one_way(t, d)
        {
            return true;
        }
        let Some(pairs) = self.partners(&tabs, &data) else {
            // A word that was copied alone: it was the same where it was copied.
            if let [Def { at, expr: Expr::Copy(from), .. }] = data.as_slice()
                && *at != ENTRY
            {
                let data = self.reaching(*at, *from);
                return self.aligned(tabs, data, seen);
            }
            if let [Def { at, expr: Expr::Copy(from), .. }] = tabs.as_slice()
                && *at != ENTRY
            {
                let tabs = self.reaching(*at, *from);
                return self.aligned(tabs, data, seen);
            }
            return false;
        };
        pairs.into_iter().all(|(t, d)| {
            if !seen.insert((t.at, t.loc, d.at, d.loc)) {
                return true;
            }
            let source = |x: &Def| match x.expr {
                Expr::Copy(from) if x.at != ENTRY => Some(self.reaching(x.at, from)),
                _ => None,
            };
            match (source(&t), source(&d)) {
                (None, None) => self.pair(&t, &d),
                (ts, ds) => self.aligned(ts.unwrap_or_else(|| vec![t]), ds.unwrap_or_else(|| vec![d]), seen),
            }
        })
    }

    /// Both words are read before the compare, in different blocks of which the one leads only to the other. That both are on every way
    /// to the compare makes them of one run.
    fn read_on_one_way(&self, t: &Def, d: &Def) -> bool {
        let (Expr::Load(a), Expr::Load(b)) = (t.expr, d.expr) else { return false };
        let before = |x: &Def| {
            let (Some(x), Some(compare)) = (self.block(x.at), self.block(self.at)) else { return false };
            dominates(self.t.idom(), x, compare)
        };
        t.at != ENTRY
            && d.at != ENTRY
            && before(t)
            && before(d)
            && self.block(t.at) != self.block(d.at)
            && self.adjacent(t.at, &a, d.at, &b)
    }

    /// Pairs by block; None: not each has exactly one.
    fn partners(&self, tabs: &[Def], data: &[Def]) -> Option<Vec<(Def, Def)>> {
        if tabs.len() != data.len() {
            return None;
        }
        let place = |d: &Def| if d.at == ENTRY { None } else { self.block(d.at) };
        let mut out = Vec::new();
        for t in tabs {
            let mut here = data.iter().filter(|d| place(d) == place(t));
            let (Some(d), None) = (here.next(), here.next()) else { return None };
            out.push((*t, *d));
        }
        let blocks: FxHashSet<_> = tabs.iter().map(place).collect();
        (blocks.len() == tabs.len()).then_some(out)
    }

    /// Two adjacent parameters, results of one call, or words in memory.
    fn pair(&self, t: &Def, d: &Def) -> bool {
        let args = self.t.flow.code.arch.int_args();
        let nth = |l: Loc| match l {
            Loc::Reg(r) => args.iter().position(|x| x.0 as R == r),
            _ => None,
        };
        let next = |a: Loc, b: Loc| nth(a).zip(nth(b)).is_some_and(|(a, b)| a + 1 == b);
        match (t.expr, d.expr) {
            _ if t.at == ENTRY && d.at == ENTRY => match (t.loc, d.loc) {
                (Loc::Slot(a), Loc::Slot(b)) => a + 8 == b,
                (a, b) => next(a, b),
            },
            (Expr::Call, Expr::Call) => t.at == d.at && next(t.loc, d.loc),
            (Expr::Load(a), Expr::Load(b)) => {
                self.block(t.at) == self.block(d.at) && self.adjacent(t.at, &a, d.at, &b)
            }
            _ => false,
        }
    }

    /// The data word is read behind the compare, the type word was read or compared shortly before it.
    fn loaded_behind(&self, tab: &Either, at: usize, data: &Mem) -> bool {
        match tab {
            Either::Load(m) => self.adjacent(self.at, m, at, data),
            Either::Loc(l) => match self.reaching(self.at, *l).as_slice() {
                [Def { at: t, expr: Expr::Load(m), .. }] if *t != ENTRY => {
                    self.block(*t) == self.block(self.at) && self.adjacent(*t, m, at, data)
                }
                _ => false,
            },
        }
    }

    /// `[b+d]` at `i` and `[b+d+8]` at `k` with the same base, and nothing in between that may write there.
    fn adjacent(&self, i: usize, a: &Mem, k: usize, b: &Mem) -> bool {
        if a.disp.checked_add(8) != Some(b.disp) || a.index != b.index || a.scale != b.scale {
            return false;
        }
        let Some(between) = self.straight(i.min(k), i.max(k)) else { return false };
        let same = |x: Option<R>, y: Option<R>| match (x, y) {
            (None, None) => true,
            (Some(x), Some(y)) => self.unchanged(&self.copied(i, x), &self.copied(k, y)),
            _ => false,
        };
        same(a.base, b.base) && same(a.index, b.index) && between.iter().all(|n| self.quiet(*n))
    }

    /// A place of one list is one of the other, and nothing in between writes it.
    fn unchanged(&self, a: &[(usize, Loc)], b: &[(usize, Loc)]) -> bool {
        a.iter().any(|(i, l)| {
            b.iter().any(|(k, m)| {
                let between = if l == m { self.straight(*i.min(k), *i.max(k)) } else { None };
                between.is_some_and(|r| r.iter().all(|n| self.t.flow.defines(*n, *l).is_none()))
            })
        })
    }

    /// The register, and where its value was copied from in this block or the compare's.
    fn copied(&self, i: usize, r: R) -> Vec<(usize, Loc)> {
        let mut out = vec![(i, Loc::Reg(r))];
        let near = [self.block(i), self.block(self.at)];
        for _ in 0..MAX_COPIES {
            let Some((i, loc)) = out.last().copied() else { break };
            match self.t.flow.reaching(i, loc).as_slice() {
                [Def { at, expr: Expr::Copy(from), .. }]
                    if *at != ENTRY && near.contains(&self.block(*at)) =>
                {
                    out.push((*at, *from));
                }
                _ => break,
            }
        }
        out
    }

    /// The instructions from `i` to before `k`, in the order of execution, where only one way leads from the one to the other.
    fn straight(&self, i: usize, k: usize) -> Option<Vec<usize>> {
        let code = self.t.flow.code;
        let (x, y) = (self.block(i)?, self.block(k)?);
        if x == y {
            return (i <= k).then(|| (i..k).collect());
        }
        // The order of addresses is not that of execution.
        let (i, k, chain) = match self.only_way(x, y) {
            Some(chain) => (i, k, chain),
            None => (k, i, self.only_way(y, x)?),
        };
        let last = self.block(k)?;
        let mut out: Vec<usize> = (i..code.blocks.get(self.block(i)?)?.end).collect();
        for b in chain {
            let block = code.blocks.get(b)?;
            out.extend(block.first..if b == last { k } else { block.end });
        }
        Some(out)
    }

    /// The blocks behind `from` up to `to`, each of which only the one before it enters.
    fn only_way(&self, from: usize, to: usize) -> Option<Vec<usize>> {
        let mut chain = vec![to];
        while chain.len() <= MAX_CHAIN {
            let [p] = self.t.flow.code.blocks.get(*chain.last()?)?.preds.as_slice() else { return None };
            if *p == from {
                chain.reverse();
                return Some(chain);
            }
            chain.push(*p);
        }
        None
    }

    /// Writes no memory but the frame.
    fn quiet(&self, i: usize) -> bool {
        let code = self.t.flow.code;
        let sp = crate::code::sp_reg(code.arch);
        let frame = |d: &Dst| match d {
            Dst::Mem(m) => m.base == Some(sp) && m.index.is_none(),
            _ => true,
        };
        let Some(inst) = code.inst(i) else { return false };
        if matches!(inst.flow, Flow::Call(_) | Flow::Syscall) {
            return false;
        }
        inst.ops.iter().all(|op| match op {
            Op::Mov { dst, .. }
            | Op::Alu { dst, .. }
            | Op::Select { dst, .. }
            | Op::SetCond { dst, .. }
            | Op::Clobber { dst, .. } => frame(dst),
            Op::Special { dst, src, .. } => frame(dst) && !matches!(src, crate::model::Src::Mem(_)),
            Op::Simd { src, .. } => !matches!(src, crate::model::Src::Mem(_)),
            Op::Lea { .. } | Op::Choose { .. } | Op::ClobberFlags => true,
        })
    }
}
