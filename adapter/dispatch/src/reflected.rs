//! What reflection calls: a `reflect.Value` leads to the func or method that its `Call` runs, and so do the func values that
//! reflection makes (reflect/value.go, reflect/makefunc.go). Reads only; a Value that is no func has no target.

use image::Kind;

use crate::engine::World;
use crate::interp::{Machine, V};
use crate::resolve::Next;

/// Bits of reflect.Value.flag, the same in all versions of Go.
const KIND_MASK: u64 = 31;
const KIND_FUNC: u64 = 19;
const INDIRECT: u64 = 1 << 7;
const METHOD: u64 = 1 << 9;
const METHOD_SHIFT: u32 = 10;
/// reflect.makeFuncImpl.fn and reflect.methodValue.{method, rcvr}, where no debug information describes them.
const MADE_FN: u64 = 40;
const METHOD_INDEX: u64 = 32;
const METHOD_RECEIVER: u64 = 40;

/// The three words of a reflect.Value.
struct Value {
    typ: V,
    ptr: V,
    flag: V,
}

/// Functions that call the func in the Value that is their receiver.
pub(crate) fn is_call(name: &str) -> bool {
    matches!(name, "reflect.Value.Call" | "reflect.Value.CallSlice" | "reflect.Value.call")
}

/// Entries of the func values that reflection makes.
pub(crate) fn is_stub(name: &str) -> bool {
    matches!(name, "reflect.makeFuncStub" | "reflect.methodValueCall")
}

/// At a call of `reflect.Value.Call`, receiver in registers.
pub(crate) fn called<'a>(w: &World<'a>, m: &Machine<'a>) -> Next<'a> {
    match (m.arg(0), m.arg(1), m.arg(2)) {
        (Some(typ), Some(ptr), Some(flag)) => target(w, m, &Value { typ, ptr, flag }, None),
        _ => Next::Unknown("the reflect.Value isn't known yet"),
    }
}

/// At the entry of a func value that reflection made: its context says what it runs.
pub(crate) fn made<'a>(w: &World<'a>, m: &Machine<'a>, stub: &str) -> Next<'a> {
    let Some(context) = m.reg(m.arch.context().0 as u8) else {
        return Next::Unknown("made by reflection: its context isn't known");
    };
    let field = |s: &str, f: &str, otherwise: u64| w.image.layout().offset(s, f).unwrap_or(otherwise);
    let word = |off: u64| m.load(context.n.wrapping_add(off), 8, false);
    if stub == "reflect.makeFuncStub" {
        return match word(field("reflect.makeFuncImpl", "fn", MADE_FN)) {
            Some(fv) => func(m, fv),
            None => Next::Unknown("made by reflect.MakeFunc: its function can't be read"),
        };
    }
    let at = field("reflect.methodValue", "rcvr", METHOD_RECEIVER);
    let index = word(field("reflect.methodValue", "method", METHOD_INDEX));
    match (word(at), word(at + 8), word(at + 16), index) {
        (Some(typ), Some(ptr), Some(flag), Some(i)) => target(w, m, &Value { typ, ptr, flag }, Some(i.n)),
        _ => Next::Unknown("a method value made by reflection: it can't be read"),
    }
}

fn target<'a>(w: &World<'a>, m: &Machine<'a>, v: &Value, index: Option<u64>) -> Next<'a> {
    let by_flag = (v.flag.n & METHOD != 0).then_some(v.flag.n >> METHOD_SHIFT);
    match index.or(by_flag) {
        Some(i) => method(w, m, v, i),
        None if v.flag.n & KIND_MASK != KIND_FUNC => Next::Panics("the reflect.Value is not a func".into()),
        None if v.flag.n & INDIRECT == 0 => func(m, v.ptr),
        None => match m.load(v.ptr.n, 8, false) {
            Some(fv) => func(m, V { stale: fv.stale | v.ptr.stale, ..fv }),
            None => Next::Unknown("the reflect.Value's func can't be read"),
        },
    }
}

fn func<'a>(m: &Machine<'a>, fv: V) -> Next<'a> {
    if fv.n == 0 {
        return Next::Panics("nil func value".into());
    }
    let Some(code) = m.load(fv.n, 8, true) else { return Next::Unknown("the func value can't be read") };
    let mut inside = m.clone();
    inside.forget_registers();
    inside.set_reg(m.arch.context().0 as u8, Some(fv));
    let stale = code.stale | fv.stale;
    Next::Hop { target: code.n, machine: Some(Box::new(inside)), through_itab: false, stale }
}

/// `methodReceiver` and `storeRcvr` of reflect/value.go.
fn method<'a>(w: &World<'a>, m: &Machine<'a>, v: &Value, index: u64) -> Next<'a> {
    let found = || -> Option<(u64, V)> {
        let index = usize::try_from(index).ok()?;
        let kind = w.image.type_of(w.image.type_from_runtime(v.typ.n), w.mem).ok()?.kind;
        if kind == Kind::Interface {
            let itab = w.image.itab(m.load(v.ptr.n, 8, false)?.n, w.mem).ok()?;
            return Some((*itab.fun.get(index)?, m.load(v.ptr.n.wrapping_add(8), 8, false)?));
        }
        let methods = w.image.methods_of(v.typ.n, w.mem).ok()?;
        let chosen = methods.iter().filter(|x| x.name.starts_with(char::is_uppercase)).nth(index)?.ifn?;
        let inside = v.flag.n & INDIRECT != 0 && w.image.is_direct_iface(v.typ.n, w.mem).ok()?;
        Some((chosen, if inside { m.load(v.ptr.n, 8, false)? } else { v.ptr }))
    };
    let Some((target, receiver)) = found() else {
        return Next::Unknown("the method of the reflect.Value can't be read");
    };
    let mut inside = m.clone();
    inside.forget_registers();
    inside.set_result(0, Some(receiver));
    let stale = receiver.stale | v.typ.stale | v.ptr.stale | v.flag.stale;
    Next::Hop { target, machine: Some(Box::new(inside)), through_itab: false, stale }
}
