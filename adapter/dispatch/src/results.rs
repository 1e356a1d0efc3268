//! Types of words that calls return or write, and of words in constant memory.

use image::{Function, Image, Shape, TypeId};

use crate::abi::{self, Place};
use crate::api::SiteKind;
use crate::engine::Engine;
use crate::flow::{Expr, Loc};
use crate::model::{Flow, R, Target};
use crate::types::{Set, Typer, initial_word};
use crate::words::{self, Word};

/// The type of `loc` after the call at `i`.
pub(crate) fn of_call(t: &Typer<'_>, i: usize, loc: Loc, depth: u32) -> Set {
    let Some(inst) = t.flow.code.inst(i) else { return Set::new() };
    let Loc::Reg(r) = loc else { return Set::new() };
    let Some(n) = t.flow.code.arch.int_args().iter().position(|x| x.0 as R == r) else {
        return Set::new();
    };
    match inst.flow {
        Flow::Call(Target::Const(target)) => {
            let Some(f) = t.image.functions().at(target) else { return Set::new() };
            if let Some(name) = f.name().strip_prefix("runtime.")
                && let Some(set) = runtime_result(t, i, name, n, depth)
            {
                return set;
            }
            match declared(t, f, n) {
                Some(w) => std::iter::once(w).collect(),
                None => crate::stripped::from_returns(t, f, r),
            }
        }
        Flow::Call(Target::Reg(_)) => dynamic(t, i, n, depth),
        _ => Set::new(),
    }
}

fn declared(t: &Typer<'_>, f: Function<'_>, n: usize) -> Option<Word> {
    let sig = t.engine.signature(t.image, f.id())?;
    let r = sig.results.iter().find(|r| r.place == Place::Int(n))?;
    words::leaf(t.image, r.ty, r.offset)
}

fn result_of(image: &Image, func: TypeId, n: usize) -> Option<Word> {
    let ty = image.type_of(func, image).ok()?;
    let Shape::Func(sig) = &ty.shape else { return None };
    let (assigned, _) = abi::assign(image, &sig.results, 0);
    let r = assigned.iter().find(|r| r.place == Place::Int(n))?;
    words::leaf(image, r.ty, r.offset)
}

/// Results of an interface call by the method's type, of a closure call by the func value's.
fn dynamic(t: &Typer<'_>, i: usize, n: usize, depth: u32) -> Set {
    let Some((kind, slot, itab)) = t.site(i) else { return Set::new() };
    let mut out = Set::new();
    match kind {
        SiteKind::Interface => {
            let mut bases = t.base_types(i, depth);
            if let Some(i) = itab.and_then(|a| t.engine.itabs(t.image).get(a)) {
                bases.insert(Word::Itab(words::canon(t.image, TypeId::Runtime(i.inter))));
            }
            for b in bases {
                let (Word::Itab(inter), Some(slot)) = (b, slot) else { continue };
                let Ok(ty) = t.image.type_of(inter, t.image) else { continue };
                let Shape::Interface { methods: Some(m), .. } = &ty.shape else { continue };
                let Some(func) = m.get(slot as usize).and_then(|m| m.ty) else { continue };
                out.extend(result_of(t.image, func, n));
            }
        }
        SiteKind::Closure => {
            for b in t.base_types(i, depth) {
                if let Word::Func(func) = b {
                    out.extend(result_of(t.image, func, n));
                }
            }
        }
        SiteKind::Constant { target } => {
            if let Some(f) = t.image.functions().at(target) {
                out.extend(declared(t, f, n));
            }
        }
        _ => {}
    }
    out
}

/// The type argument of a runtime call: a constant type descriptor in the n-th register.
fn type_argument(t: &Typer<'_>, i: usize, n: usize) -> Option<TypeId> {
    let r = t.flow.code.arch.int_args().get(n)?;
    let a = t.flow.constant(i, Loc::Reg(r.0 as R))?;
    t.image.type_range().contains(&a).then(|| words::canon(t.image, TypeId::Runtime(a)))
}

fn constant_argument(t: &Typer<'_>, i: usize, n: usize) -> Option<u64> {
    let r = t.flow.code.arch.int_args().get(n)?;
    t.flow.constant(i, Loc::Reg(r.0 as R))
}

/// The table of runtime results. None: not in it.
fn runtime_result(t: &Typer<'_>, i: usize, name: &str, n: usize, depth: u32) -> Option<Set> {
    let pointer = |ty: TypeId, many: bool| Word::Ptr { ty, off: 0, many };
    let one = |w: Option<Word>| w.into_iter().collect::<Set>();
    let itab = |n: usize| type_argument(t, i, n).filter(|ty| is_interface(t.image, *ty)).map(Word::Itab);
    let elem = |many: bool| {
        type_argument(t, i, 0).and_then(|m| {
            let ty = t.image.type_of(m, t.image).ok()?;
            match &ty.shape {
                Shape::Map { elem, .. } => Some(pointer(words::canon(t.image, *elem), many)),
                _ => None,
            }
        })
    };
    Some(match name {
        "newobject" if n == 0 => one(type_argument(t, i, 0).map(|ty| pointer(ty, false))),
        x if x.starts_with("mallocgc") && n == 0 => one(type_argument(t, i, 1).map(|ty| pointer(ty, false))),
        x if x.starts_with("makeslice") && n == 0 => one(type_argument(t, i, 0).map(|ty| pointer(ty, true))),
        x if x.starts_with("growslice") && n == 0 => one(type_argument(t, i, 4).map(|ty| pointer(ty, true))),
        x if x.starts_with("moveSlice") && n == 0 => {
            let r = t.flow.code.arch.int_args().first()?;
            let typed = type_argument(t, i, 0).map(|ty| pointer(ty, true));
            typed.map_or_else(|| t.types_deep(i, Loc::Reg(r.0 as R), depth), |w| one(Some(w)))
        }
        x if (x.starts_with("mapaccess") || x.starts_with("mapassign")) && n == 0 => one(elem(false)),
        x if x.starts_with("makemap") && n == 0 => {
            let own = type_argument(t, i, if x == "makemap_small" { 9 } else { 0 });
            one(own.map(Word::Map))
        }
        x if x.starts_with("makechan") && n == 0 => one(type_argument(t, i, 0).map(Word::Chan)),
        "typeAssert" if n == 0 => one(constant_argument(t, i, 0).and_then(|d| assert_interface(t.image, d))),
        "assertE2I" | "assertE2I2" | "assertI2I" | "assertI2I2" | "convI2I" | "getitab" if n == 0 => {
            one(itab(0))
        }
        "interfaceSwitch" if n == 1 => one(constant_argument(t, i, 0)
            .filter(|d| !switch_interfaces(t.image, *d).is_empty())
            .map(Word::SwitchItab)),
        "convT" | "convTnoptr" if n == 0 => one(type_argument(t, i, 0).map(|ty| pointer(ty, false))),
        x if x.starts_with("unsafeslice") => return None,
        _ => return None,
    })
}

fn is_interface(image: &Image, ty: TypeId) -> bool {
    image.type_of(ty, image).is_ok_and(|t| matches!(t.shape, Shape::Interface { .. }))
}

/// abi.TypeAssert at `desc`: {Cache, Inter, CanFail}.
pub(crate) fn assert_interface(image: &Image, desc: u64) -> Option<Word> {
    let inter = initial_word(image, desc.checked_add(8)?)?;
    let ty = words::canon(image, TypeId::Runtime(inter));
    (image.type_range().contains(&inter) && is_interface(image, ty)).then_some(Word::Itab(ty))
}

/// The same descriptor says that a failure is a panic.
pub(crate) fn assert_panics(image: &Image, desc: u64) -> bool {
    desc.checked_add(16).and_then(|at| initial_word(image, at)).is_some_and(|word| word & 0xff == 0)
}

/// abi.InterfaceSwitch at `desc`: {Cache, NCases, Cases...}.
pub(crate) fn switch_interfaces(image: &Image, desc: u64) -> Set {
    let n = initial_word(image, desc.wrapping_add(8)).unwrap_or(0);
    (0..n.min(256)).filter_map(|k| switch_case(image, desc, k)).collect()
}

/// One case of an abi.InterfaceSwitch.
pub(crate) fn switch_case(image: &Image, desc: u64, case: u64) -> Option<Word> {
    let inter = initial_word(image, desc.wrapping_add(16 + 8 * case))?;
    let ty = words::canon(image, TypeId::Runtime(inter));
    (image.type_range().contains(&inter) && is_interface(image, ty)).then_some(Word::Itab(ty))
}

/// The word at a constant address: a package variable's, a descriptor's cache, or an initialised itab or pointer.
pub(crate) fn constant_load(engine: &Engine, image: &Image, a: u64) -> Option<Word> {
    if let Some((_, start, Some(ty))) = image.global_at(a) {
        let off = a.checked_sub(start)?;
        if let Some(w) = words::leaf(image, ty, off).filter(|w| *w != Word::Scalar) {
            return Some(w);
        }
    }
    if !image.is_read_only(a) {
        if assert_interface(image, a).is_some() {
            return Some(Word::AssertCache(a));
        }
        if !switch_interfaces(image, a).is_empty() {
            return Some(Word::SwitchCache(a));
        }
    }
    let v = initial_word(image, a)?;
    if let Some(i) = engine.itabs(image).get(v) {
        return Some(Word::Itab(words::canon(image, TypeId::Runtime(i.inter))));
    }
    None
}

/// Method values keep their receiver from offset 8.
pub(crate) fn wrapper_capture(engine: &Engine, image: &Image, f: Function<'_>, off: u64) -> Option<Word> {
    let name = f.name().strip_suffix("-fm")?;
    let (receiver, pointer) = crate::names::receiver(name)?;
    let plain = image::names::unescape(&receiver);
    let ty = engine.named_type(image, &plain)?;
    if pointer {
        return (off == 8).then(|| Word::Ptr { ty: words::canon(image, ty), off: 0, many: false });
    }
    words::leaf(image, ty, off.checked_sub(8)?)
}

/// A frame slot that no instruction of the function writes: what a callee puts there through a pointer, or returns on the stack.
pub(crate) fn written_by_callees(t: &Typer<'_>, at: usize, off: i64) -> Set {
    let mut out = Set::new();
    let code = t.flow.code;
    for (i, inst) in code.insts.iter().enumerate() {
        let Flow::Call(Target::Const(target)) = inst.flow else { continue };
        let Some(f) = t.image.functions().at(target) else { continue };
        if let Some(sig) = t.engine.signature(t.image, f.id()) {
            // Results in memory: at the caller's SP.
            let base = code.slot(i, if code.arch == machine::Arch::Arm64 { 8 } else { 0 });
            for r in &sig.results {
                if let Place::Stack(s) = r.place
                    && base + s == off
                    && follows(t, i, at)
                {
                    out.extend(words::leaf(t.image, r.ty, r.offset));
                }
            }
        }
        out.extend(through_pointer(t, i, f, off));
    }
    out
}

/// The call is the last one before the use.
fn follows(t: &Typer<'_>, call: usize, at: usize) -> bool {
    let code = t.flow.code;
    call < at
        && code.block_of.get(call) == code.block_of.get(at)
        && !(call + 1..at).any(|k| matches!(code.inst(k).map(|x| x.flow), Some(Flow::Call(_))))
}

/// A callee that gets the address of a slot and fills what it points to.
fn through_pointer(t: &Typer<'_>, i: usize, f: Function<'_>, off: i64) -> Option<Word> {
    let code = t.flow.code;
    let regs = code.arch.int_args();
    let address = |n: usize| -> Option<i64> {
        let r = regs.get(n)?;
        let defs = t.flow.origins(i, Loc::Reg(r.0 as R));
        match defs.as_slice() {
            [d] => match d.expr {
                Expr::Sp(at) => Some(at),
                _ => None,
            },
            _ => None,
        }
    };
    let name = f.name();
    if let Some(short) = name.strip_prefix("runtime.") {
        let (to, ty) = match short {
            "typedmemmove" | "typedmemclr" => (address(1)?, type_argument(t, i, 0)?),
            "chanrecv1" | "chanrecv2" => (address(1)?, channel_element(t, i, 0)?),
            "selectnbrecv" => (address(0)?, channel_element(t, i, 1)?),
            _ if short.starts_with("mapiterinit") || short.starts_with("mapIterStart") => {
                let m = type_argument(t, i, 0)?;
                let ty = t.image.type_of(m, t.image).ok()?;
                let Shape::Map { key, elem, .. } = &ty.shape else { return None };
                let it = address(2)?;
                let word = match off - it {
                    0 => *key,
                    8 => *elem,
                    _ => return None,
                };
                return Some(Word::Ptr { ty: words::canon(t.image, word), off: 0, many: false });
            }
            _ => return None,
        };
        let d = u64::try_from(off - to).ok()?;
        return (d < words::size(t.image, ty)).then(|| words::leaf(t.image, ty, d)).flatten();
    }
    let sig = t.engine.signature(t.image, f.id())?;
    for p in &sig.params {
        let Place::Int(n) = p.place else { continue };
        if let Some(Word::Ptr { ty, off: 0, .. }) = words::leaf(t.image, p.ty, p.offset)
            && let Some(to) = address(n)
            && let Ok(d) = u64::try_from(off - to)
            && d < words::size(t.image, ty)
        {
            return words::leaf(t.image, ty, d);
        }
    }
    None
}

fn channel_element(t: &Typer<'_>, i: usize, n: usize) -> Option<TypeId> {
    let r = t.flow.code.arch.int_args().get(n)?;
    t.types_deep(i, Loc::Reg(r.0 as R), 0).into_iter().find_map(|w| match w {
        Word::Chan(c) => match &t.image.type_of(c, t.image).ok()?.shape {
            Shape::Chan { elem, .. } => Some(words::canon(t.image, *elem)),
            _ => None,
        },
        _ => None,
    })
}
