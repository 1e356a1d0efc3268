//! The instructions of one assertion: where it begins, the way to where it is decided, and the side that only a failure takes.

use image::Image;

use crate::asserts::{AssertForm, AssertSite};
use crate::flow::{Expr, Flowed, Loc};
use crate::model::{Alu, Cond, Dst, Flow, Mem, Op, Src};

/// Blocks that a nil test stands above the assertion, at most.
const MAX_UP: usize = 4;
/// Instructions from the watched one to the runtime call.
const MAX_WAY: usize = 120;

/// Where the assertion begins, and its cache's address: the call or compare; before it the load of the cache; before that the nil
/// test on the same line.
pub(super) fn first_instruction(
    image: &Image,
    flow: &Flowed<'_>,
    idom: &[Option<usize>],
    site_at: usize,
    site: &AssertSite,
    line_text: &str,
) -> (usize, Option<u64>) {
    if site.form == AssertForm::Compare {
        return (site_at, None);
    }
    let load = site.descriptor(flow, site_at).and_then(|d| Some((cache_load(flow, idom, site_at, d)?, d)));
    let (start, cache) = load.map_or((site_at, None), |(i, d)| (i, Some(d)));
    // A nil test that the author wrote is not the assertion's.
    if site.form == AssertForm::Switch || line_text.contains("nil") {
        return (start, cache);
    }
    (nil_test(image, flow, idom, start, site_at, site).unwrap_or(start), cache)
}

fn block_of(flow: &Flowed<'_>, i: usize) -> Option<usize> {
    flow.code.block_of.get(i).map(|b| *b as usize)
}

fn dominates(idom: &[Option<usize>], above: usize, mut b: usize) -> bool {
    for _ in 0..64 {
        if b == above {
            return true;
        }
        match idom.get(b).copied().flatten() {
            Some(up) if up != b => b = up,
            _ => return false,
        }
    }
    false
}

/// The load of the descriptor's first word that comes before the call on every way.
fn cache_load(flow: &Flowed<'_>, idom: &[Option<usize>], site_at: usize, desc: u64) -> Option<usize> {
    let call = block_of(flow, site_at)?;
    flow.code.insts.iter().enumerate().take(site_at).find_map(|(i, inst)| {
        let loads = inst.ops.iter().any(|op| match op {
            Op::Mov { src: Src::Mem(m), size: 8, .. } => flow.absolute(i, m) == Some(desc),
            _ => false,
        });
        (loads && dominates(idom, block_of(flow, i)?, call)).then_some(i)
    })
}

/// The test of the assertion's own word against nil, on the same line, at most a few blocks above.
fn nil_test(
    image: &Image,
    flow: &Flowed<'_>,
    idom: &[Option<usize>],
    start: usize,
    site_at: usize,
    site: &AssertSite,
) -> Option<usize> {
    let words = site.word_origins(flow, site_at);
    let place = image.functions().inline_stack(site.pc);
    let mut b = block_of(flow, start)?;
    for up in 0..MAX_UP {
        if up > 0 {
            b = idom.get(b).copied().flatten().filter(|x| *x != b)?;
        }
        let block = flow.code.blocks.get(b)?;
        let last = if up == 0 { start } else { block.end };
        let test = (block.first..last).rev().find(|i| {
            let tested =
                |op: &Op| match op {
                    Op::Alu {
                        op: Alu::And, dst: Dst::None, a: Src::Reg(x), b: Src::Reg(y), size: 8, ..
                    } if x == y => Some(Loc::Reg(*x)),
                    Op::Alu {
                        op: Alu::Sub, dst: Dst::None, a: Src::Reg(x), b: Src::Imm(0), size: 8, ..
                    } => Some(Loc::Reg(*x)),
                    Op::Alu {
                        op: Alu::Sub, dst: Dst::None, a: Src::Mem(m), b: Src::Imm(0), size: 8, ..
                    } if m.base == Some(crate::code::sp_reg(flow.code.arch)) && m.index.is_none() => {
                        Some(Loc::Slot(flow.code.slot(*i, m.disp)))
                    }
                    _ => None,
                };
            let Some(inst) = flow.code.inst(*i) else { return false };
            let same_place = || {
                let here = image.functions().inline_stack(inst.addr);
                here.len() == place.len()
                    && here.iter().zip(&place).all(|(a, b)| a.line == b.line && a.name == b.name)
            };
            inst.ops.iter().filter_map(tested).any(|loc| {
                let here: Vec<_> = flow.origins(*i, loc).into_iter().map(|d| (d.at, d.loc)).collect();
                !here.is_empty() && here.iter().all(|d| words.contains(d)) && same_place()
            })
        });
        if let Some(i) = test
            && matches!(
                flow.code.inst(block.end.checked_sub(1)?).map(|x| x.flow),
                Some(Flow::Branch(Cond::Eq | Cond::Ne, _))
            )
        {
            return Some(i);
        }
    }
    None
}

/// Addresses of the instructions from `from` up to, without, `to`, on the shortest way through the blocks.
pub(super) fn way(flow: &Flowed<'_>, from: usize, to: usize) -> Option<Vec<u64>> {
    let (first, last) = (block_of(flow, from)?, block_of(flow, to)?);
    let blocks = if first == last && from <= to { vec![first] } else { shortest(flow, first, last)? };
    let mut out = Vec::new();
    for (n, b) in blocks.iter().enumerate() {
        let block = flow.code.blocks.get(*b)?;
        let begin = if n == 0 { from } else { block.first };
        let end = if n + 1 == blocks.len() { to } else { block.end };
        out.extend((begin..end).filter_map(|i| flow.code.inst(i)).map(|i| i.addr));
        if out.len() > MAX_WAY {
            return None;
        }
    }
    Some(out)
}

fn shortest(flow: &Flowed<'_>, first: usize, last: usize) -> Option<Vec<usize>> {
    let mut before = rustc_hash::FxHashMap::default();
    let mut queue = std::collections::VecDeque::from([first]);
    while let Some(b) = queue.pop_front() {
        for s in &flow.code.blocks.get(b)?.succs {
            if *s != first && !before.contains_key(s) {
                before.insert(*s, b);
                queue.push_back(*s);
            }
        }
        if before.len() > 4096 {
            return None;
        }
    }
    let mut out = vec![last];
    while out.last() != Some(&first) {
        out.push(*before.get(out.last()?)?);
    }
    out.reverse();
    Some(out)
}

/// Where the code goes on when a compare finds another type: an instruction that nothing else reaches, on the line of the assertion, with
/// the word that was compared still in its register. A success costs nothing there.
pub(super) fn failing_side(image: &Image, flow: &Flowed<'_>, index: usize, site: &AssertSite) -> Option<u64> {
    let word = site.word_register().filter(|_| site.form == AssertForm::Compare)?;
    let here = block_of(flow, index)?;
    let block = flow.code.blocks.get(here)?;
    let last = flow.code.inst(block.end.checked_sub(1)?)?;
    let side = match last.flow {
        Flow::Branch(Cond::Ne, target) => target,
        Flow::Branch(Cond::Eq, _) => last.end(),
        _ => return None,
    };
    // Between the two the flags must be the compare's, and the word untouched.
    let mut between = index + 1..block.end;
    let compares = |k: usize| {
        flow.code
            .inst(k)
            .is_none_or(|i| i.ops.iter().any(|op| matches!(op, Op::Alu { .. } | Op::ClobberFlags)))
    };
    if between.any(|k| compares(k) || flow.defines(k, word).is_some()) {
        return None;
    }
    let other = block_of(flow, flow.code.at(side)?)?;
    let first = flow.code.blocks.get(other)?;
    let only = other != here && first.preds == [here] && flow.code.inst(first.first)?.addr == side;
    let place = |pc: u64| {
        let stack = image.functions().inline_stack(pc);
        stack.into_iter().map(|f| (f.name, f.line)).collect::<Vec<_>>()
    };
    (only && place(side) == place(site.pc)).then_some(side)
}

impl AssertSite {
    /// Descriptor of a cached form.
    pub(super) fn descriptor(&self, flow: &Flowed<'_>, at: usize) -> Option<u64> {
        if self.is_itab() || !self.takes_descriptor() {
            return None;
        }
        flow.constant(at, Loc::Reg(flow.code.arch.int_args().first()?.0 as u8))
    }

    /// Where the interface's first word comes from: the definitions of the type word, or of the itab it is loaded from.
    fn word_origins(&self, flow: &Flowed<'_>, at: usize) -> Vec<(usize, Loc)> {
        let Some(Loc::Reg(word)) = self.word_register() else { return Vec::new() };
        let mut out = Vec::new();
        for d in flow.origins(at, Loc::Reg(word)) {
            out.push((d.at, d.loc));
            if let Expr::Load(Mem { base: Some(base), index: None, disp: 8, .. }) = d.expr {
                out.extend(flow.origins(d.at, Loc::Reg(base)).into_iter().map(|d| (d.at, d.loc)));
            }
        }
        out
    }

    /// The load of the type word out of an itab, if that is where it comes from.
    pub(super) fn itab_load(&self, flow: &Flowed<'_>, at: usize) -> Option<(u64, Mem)> {
        let Loc::Reg(word) = self.word_register()? else { return None };
        flow.origins(at, Loc::Reg(word)).into_iter().find_map(|d| match d.expr {
            Expr::Load(m @ Mem { base: Some(_), index: None, disp: 8, .. }) => {
                Some((flow.code.inst(d.at)?.addr, m))
            }
            _ => None,
        })
    }
}
