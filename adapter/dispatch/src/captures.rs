//! Captured words of a closure or wrapper without described captures: what the function that creates it stores there.

use image::Function;

use crate::classify;
use crate::code::sp_reg;
use crate::flow::{Expr, Flowed, Loc};
use crate::model::{Dst, Mem, Op, R, Src};
use crate::types::{Set, Typer};

/// Instructions around the creation in which the captures are stored.
const NEAR: usize = 80;

/// Types of the word at `[context + d]` of `f`, from its creation in the surrounding function.
pub(crate) fn at_creation(t: &Typer<'_>, f: Function<'_>, d: i64) -> Set {
    let mut out = Set::new();
    if t.creating.get() > 1 {
        return out;
    }
    let Some(parent) = crate::names::parent(f.name()) else { return out };
    for p in t.image.functions().by_name(parent) {
        let Some(code) = t.engine.code(t.image, p) else { continue };
        let flow = Flowed::new(&code, t.image);
        let found = classify::find(t.image, t.engine.itabs(t.image), &flow);
        let typer = Typer::new(t.engine, t.image, p, &flow, &found);
        typer.creating.set(t.creating.get() + 1);
        for i in 0..code.insts.len() {
            for (loc, e) in flow.definitions(i) {
                let Loc::Reg(r) = loc else { continue };
                let made = match e {
                    Expr::Imm(v) => *v as u64 == f.entry(),
                    // arm64: page and offset.
                    Expr::Add(..) => flow.constant(i + 1, *loc) == Some(f.entry()),
                    _ => false,
                };
                if made {
                    out.extend(stored(&typer, i, *r, d));
                }
            }
        }
    }
    out
}

/// The code address is in register `r` after `i`: finds where it is stored and what is stored `d` bytes behind it.
fn stored(t: &Typer<'_>, i: usize, r: R, d: i64) -> Set {
    let code = t.flow.code;
    let sp = sp_reg(code.arch);
    let end = (i + NEAR).min(code.insts.len());
    for k in i + 1..end {
        let Some(inst) = code.inst(k) else { break };
        for op in inst.ops.iter() {
            let Op::Mov { dst: Dst::Mem(m), src: Src::Reg(s), size: 8, .. } = op else { continue };
            if *s != r || m.index.is_some() {
                continue;
            }
            if m.base == Some(sp) {
                return frame(t, k, code.slot(k, m.disp + d));
            }
            if m.disp == 0 {
                return heap(t, k, m, d);
            }
        }
        if t.flow.defines(k, Loc::Reg(r)).is_some() {
            break;
        }
    }
    Set::new()
}

fn frame(t: &Typer<'_>, at: usize, slot: i64) -> Set {
    let code = t.flow.code;
    let mut out = Set::new();
    for k in at.saturating_sub(NEAR)..(at + NEAR).min(code.insts.len()) {
        for (loc, e) in t.flow.definitions(k) {
            if *loc == Loc::Slot(slot)
                && let Expr::Copy(from) = e
            {
                out.extend(t.types(k, *from));
            }
        }
    }
    out
}

fn heap(t: &Typer<'_>, at: usize, object: &Mem, d: i64) -> Set {
    let code = t.flow.code;
    let Some(base) = object.base else { return Set::new() };
    let key = |i: usize, r: R| -> Vec<(usize, Loc)> {
        let mut v: Vec<_> = t.flow.origins(i, Loc::Reg(r)).iter().map(|x| (x.at, x.loc)).collect();
        v.sort_unstable();
        v
    };
    let want = key(at, base);
    let mut out = Set::new();
    for k in at.saturating_sub(NEAR)..(at + NEAR).min(code.insts.len()) {
        let Some(inst) = code.inst(k) else { break };
        for op in inst.ops.iter() {
            let Op::Mov { dst: Dst::Mem(m), src, size: 8, .. } = op else { continue };
            let Some(b) = m.base.filter(|_| m.index.is_none() && m.disp == d) else { continue };
            if b == sp_reg(code.arch) || want.is_empty() || key(k, b) != want {
                continue;
            }
            let from = match src {
                Src::Reg(r) => Loc::Reg(*r),
                Src::Vec(v, h) => Loc::Vec(*v, *h),
                _ => continue,
            };
            out.extend(t.types(k, from));
        }
    }
    out
}
