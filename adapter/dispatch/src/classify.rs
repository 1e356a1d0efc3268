//! Which kind of call an indirect CALL or jump is, with its slot and the instruction that loads the target.

use image::Image;
use machine::{Arch, MemoryExt, Reg};

use crate::api::{Load, SiteKind};
use crate::flow::{Def, ENTRY, Expr, Flowed, Loc};
use crate::itabs::StaticItabs;
use crate::model::{Flow, R, Target};

/// The machine code's side of a site.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) index: usize,
    pub(crate) kind: SiteKind,
    pub(crate) tail: bool,
    pub(crate) slot: Option<u16>,
    /// Instruction index, base register, offset.
    pub(crate) loads: Vec<(usize, Option<R>)>,
    pub(crate) constant_itab: Option<u64>,
}

impl Found {
    fn new(index: usize, kind: SiteKind, tail: bool) -> Found {
        Found { index, kind, tail, slot: None, loads: Vec::new(), constant_itab: None }
    }

    pub(crate) fn load_list(&self, fl: &Flowed<'_>) -> Vec<Load> {
        let pc = |i: usize| fl.code.inst(i).map_or(0, |x| x.addr);
        self.loads.iter().map(|(i, b)| Load { pc: pc(*i), base: b.map(|r| Reg(u16::from(r))) }).collect()
    }
}

/// Byte pre-test: whether a function can contain an indirect call or jump at all.
pub(crate) fn may_dispatch(arch: Arch, code: &[u8]) -> bool {
    match arch {
        Arch::Amd64 => {
            code.windows(2).any(|w| matches!(w, [0xff, x] if matches!(x, 0xd0..=0xd7 | 0xe0..=0xe7)))
        }
        Arch::Arm64 => code.chunks_exact(4).any(|w| {
            let [a, b, c, d] = w else { return false };
            let x = u32::from_le_bytes([*a, *b, *c, *d]);
            // BR, BLR, RET Xn; a plain return is RET X30.
            matches!(x & 0xffff_fc1f, 0xd61f_0000 | 0xd63f_0000 | 0xd65f_0000) && x != 0xd65f_03c0
        }),
    }
}

/// All calls of a function, direct ones included.
pub(crate) fn find(image: &Image, itabs: &StaticItabs, fl: &Flowed<'_>) -> Vec<Found> {
    let mut out = Vec::new();
    for (i, inst) in fl.code.insts.iter().enumerate() {
        let reachable = fl
            .code
            .block_of
            .get(i)
            .and_then(|b| fl.code.blocks.get(*b as usize))
            .is_some_and(|b| b.reachable);
        match inst.flow {
            Flow::Call(Target::Const(t)) if reachable => {
                out.push(Found::new(i, SiteKind::Static { target: t }, false));
            }
            Flow::Call(Target::Reg(r)) if reachable => out.push(indirect(image, itabs, fl, i, r, false)),
            Flow::Call(Target::Mem(_)) if reachable => out.push(Found::new(i, SiteKind::Other, false)),
            Flow::Jump(Target::Const(t)) if reachable && !fl.code.contains(t) => {
                out.push(Found::new(i, SiteKind::Static { target: t }, true));
            }
            Flow::Jump(Target::Reg(r)) if reachable && tail_jump(fl, i) => {
                out.push(indirect(image, itabs, fl, i, r, true));
            }
            _ => {}
        }
    }
    out
}

/// An indirect jump that leaves the function.
fn tail_jump(fl: &Flowed<'_>, i: usize) -> bool {
    let Some(b) = fl.code.block_of.get(i) else { return false };
    fl.code.blocks.get(*b as usize).is_some_and(|b| b.succs.is_empty())
}

fn indirect(image: &Image, itabs: &StaticItabs, fl: &Flowed<'_>, i: usize, r: R, tail: bool) -> Found {
    let mut found = Found::new(i, SiteKind::Other, tail);
    let mut answer: Option<(SiteKind, Option<u16>, Option<u64>)> = None;
    for d in fl.origins(i, Loc::Reg(r)) {
        let Some(one) = terminal(image, itabs, fl, i, &d) else { return found };
        match answer {
            Some(a) if a != one => return found,
            _ => answer = Some(one),
        }
        if let Expr::Load(m) = d.expr {
            found.loads.push((d.at, m.base));
        } else if let Expr::Copy(Loc::Slot(_)) = d.expr {
            found.loads.push((d.at, None));
        }
    }
    if let Some((kind, slot, itab)) = answer {
        found.kind = kind;
        found.slot = slot;
        found.constant_itab = itab;
    }
    found.loads.sort_unstable();
    found.loads.dedup();
    found
}

fn terminal(
    image: &Image,
    itabs: &StaticItabs,
    fl: &Flowed<'_>,
    call: usize,
    d: &Def,
) -> Option<(SiteKind, Option<u16>, Option<u64>)> {
    if d.at == ENTRY {
        // The word of a stack closure in an open-coded defer starts in the frame; a parameter is nothing we know.
        return None;
    }
    let Expr::Load(m) = d.expr else {
        return match d.expr {
            Expr::Imm(t) => {
                let t = t as u64;
                let entry = image.functions().at(t).is_some_and(|f| f.entry() == t);
                entry.then_some((SiteKind::Constant { target: t }, None, None))
            }
            _ => None,
        };
    };
    if m.index.is_some() || m.thread {
        return None;
    }
    if let Some(a) = fl.absolute(d.at, &m) {
        return constant_load(image, itabs, a);
    }
    let base = m.base?;
    if m.disp == 0 {
        return Some((SiteKind::Closure, None, None));
    }
    if m.disp < 8 || m.disp % 8 != 0 {
        return None;
    }
    let word = (m.disp / 8) as u32;
    if context_is(fl, call, d.at, base, m.disp) {
        return Some((SiteKind::Dictionary { word }, None, None));
    }
    if m.disp < 0x18 {
        return None;
    }
    let slot = u16::try_from((m.disp - 0x18) / 8).ok()?;
    Some((SiteKind::Interface, Some(slot), None))
}

/// A load from a constant address: a constant itab's method, a nil interface's, or a global func value's code.
fn constant_load(image: &Image, itabs: &StaticItabs, a: u64) -> Option<(SiteKind, Option<u16>, Option<u64>)> {
    if let Some((itab, slot)) = itabs.slot_at(a) {
        return Some((SiteKind::Interface, Some(slot), Some(itab)));
    }
    if a < 4096 {
        // Constant nil interface: the load faults.
        let slot = u16::try_from(a.checked_sub(0x18)? / 8).ok()?;
        return a.is_multiple_of(8).then_some((SiteKind::Interface, Some(slot), Some(0)));
    }
    let mapped = image.read_u64(a).is_ok() || !image.is_text(a);
    mapped.then_some((SiteKind::Closure, None, None))
}

/// The context register at the call is `base + disp`: the called word lies in a dictionary and is its own func value.
fn context_is(fl: &Flowed<'_>, call: usize, load: usize, base: R, disp: i64) -> bool {
    let context = fl.code.arch.context().0 as R;
    let want = roots(fl, load, Loc::Reg(base));
    fl.origins(call, Loc::Reg(context)).iter().any(|d| match d.expr {
        Expr::Add(l, n) if d.at != ENTRY => {
            n == disp && {
                let have = roots(fl, d.at, l);
                !have.is_empty() && have.iter().any(|x| want.contains(x))
            }
        }
        _ => false,
    })
}

fn roots(fl: &Flowed<'_>, i: usize, loc: Loc) -> Vec<(usize, Loc)> {
    fl.origins(i, loc).iter().map(|d| (d.at, d.loc)).collect()
}
