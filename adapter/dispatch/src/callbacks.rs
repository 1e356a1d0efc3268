//! Code that a call may call back: func values and methods that its arguments lead to. Shared by predictions and by steps that
//! stand at the call. What is listed may run; that it will is never claimed.

use image::{Shape, TypeId};

use crate::abi::Place;
use crate::api::Chain;
use crate::code::{Code, sp_reg};
use crate::engine::World;
use crate::interp::{Machine, V};
use crate::model::{Dst, Flow, Inst, Op, R, Src, Target};
use crate::resolve;
use crate::words::{self, Word};

/// Methods of one argument that are listed.
const MAX_METHODS: usize = 8;
/// Bytes of a structure behind a pointer argument that are searched.
const MAX_STRUCT: u64 = 512;
/// Elements of a slice of interface values.
const MAX_ELEMENTS: u64 = 8;
/// Methods that the standard library looks for in values of type `any`.
const BY_ASSERTION: &[&str] = &[
    "Error",
    "Format",
    "GoString",
    "MarshalBinary",
    "MarshalJSON",
    "MarshalText",
    "Scan",
    "String",
    "UnmarshalJSON",
    "UnmarshalText",
    "Unwrap",
    "Value",
];

/// Functions whose callbacks run after they have returned, or on other goroutines than the caller's.
pub(crate) fn runs_elsewhere(callee: &str) -> bool {
    let name = callee.split('[').next().unwrap_or(callee);
    matches!(
        name,
        "context.AfterFunc"
            | "iter.Pull"
            | "iter.Pull2"
            | "net/http.(*ServeMux).Handle"
            | "net/http.(*ServeMux).HandleFunc"
            | "net/http.(*Server).ListenAndServe"
            | "net/http.(*Server).ListenAndServeTLS"
            | "net/http.(*Server).Serve"
            | "net/http.Handle"
            | "net/http.HandleFunc"
            | "net/http.ListenAndServe"
            | "net/http.ListenAndServeTLS"
            | "net/http.Serve"
            | "net/http/httptest.NewServer"
            | "runtime.AddCleanup"
            | "runtime.SetFinalizer"
            | "sync.(*WaitGroup).Go"
            | "time.AfterFunc"
    )
}

/// Everything that the callee of `chain` may call back; `m`: the registers of the call.
pub(crate) fn of_call<'a>(w: &World<'a>, m: &Machine<'a>, chain: &Chain) -> Vec<Chain> {
    let mut out = Vec::new();
    let callee = chain.body.as_ref().and_then(|b| b.function);
    let Some(callee) = callee else { return out };
    if w.image.functions().get(callee).is_some_and(|f| crate::coroutine::is_resume(f.name())) {
        let next = m.reg(m.arch.context().0 as u8);
        return next.and_then(|next| crate::coroutine::resumed(w, m, next)).into_iter().collect();
    }
    let Some(sig) = w.engine.signature(w.image, callee) else { return of_words(w, m, callee) };
    for param in &sig.params {
        let Place::Int(n) = param.place else { continue };
        let Some(v) = m.arg(n).filter(|v| v.n >= 4096) else { continue };
        let next = m.arg(n + 1);
        match words::leaf(w.image, param.ty, param.offset) {
            Some(Word::Func(_)) => out.extend(closure_chain(w, m, v)),
            Some(Word::Itab(_)) => out.extend(next.into_iter().flat_map(|d| methods_of_itab(w, m, v, d))),
            Some(Word::Etype(_)) => {
                out.extend(next.into_iter().flat_map(|d| methods_of_any(w, m, v, d)));
            }
            Some(Word::Ptr { ty, off: 0, many: true }) => elements(w, m, v, next, ty, &mut out),
            Some(Word::Ptr { ty, off: 0, many: false }) => structure(w, m, v, ty, &mut out),
            _ => {}
        }
    }
    out
}

/// The same without a signature: argument words that are an itab, or a func value.
fn of_words<'a>(w: &World<'a>, m: &Machine<'a>, callee: image::FuncId) -> Vec<Chain> {
    let mut out = Vec::new();
    let code = w.image.functions().get(callee).and_then(|f| w.engine.code(w.image, f));
    let Some(code) = code else { return out };
    for n in argument_words(w, &code) {
        let Some(v) = m.arg(n).filter(|v| v.n >= 4096) else { continue };
        if w.engine.itabs(w.image).get(v.n).is_some() {
            out.extend(m.arg(n + 1).into_iter().flat_map(|d| methods_of_itab(w, m, v, d)));
        } else if let Some(code) = m.load(v.n, 8, true)
            && w.image.functions().at(code.n).is_some_and(|f| f.entry() == code.n)
        {
            out.extend(closure_chain(w, m, v));
        }
    }
    out
}

/// Which integer argument registers a function takes: those that it saves around the growth of its stack. What is in the others is
/// left over from earlier code.
fn argument_words(w: &World<'_>, code: &Code) -> Vec<usize> {
    let name = |t: u64| w.image.functions().at(t).map(|f| f.name().to_string()).unwrap_or_default();
    let grows =
        |i: &Inst| matches!(i.flow, Flow::Call(Target::Const(t)) if name(t).starts_with("runtime.morestack"));
    let Some(end) = code.insts.iter().rposition(grows) else { return Vec::new() };
    let stored = |i: &Inst| {
        i.ops.iter().find_map(|op| match op {
            Op::Mov { dst: Dst::Mem(mem), src: Src::Reg(r), .. } if mem.base == Some(sp_reg(code.arch)) => {
                Some(*r)
            }
            _ => None,
        })
    };
    let saved: Vec<R> = code.insts.iter().take(end).rev().map_while(stored).collect();
    let args = code.arch.int_args().iter().enumerate();
    args.filter(|(_, r)| saved.contains(&(r.0 as R))).map(|(n, _)| n).collect()
}

/// The chain of a func value when it is called with no arguments in registers.
pub(crate) fn closure_chain<'a>(w: &World<'a>, m: &Machine<'a>, fv: V) -> Option<Chain> {
    let code = m.load(fv.n, 8, true)?;
    let mut m = m.clone();
    m.forget_registers();
    let context = m.arch.context().0 as u8;
    m.set_reg(context, Some(fv));
    m.enter(0);
    let mut chain = resolve::chain(w, code.n, Some(m));
    chain.stale |= fv.stale;
    Some(chain)
}

fn with_receiver<'a>(w: &World<'a>, m: &Machine<'a>, target: u64, typ: V, data: V) -> Chain {
    let mut m = m.clone();
    m.forget_registers();
    m.set_result(0, Some(data));
    m.enter(0);
    let mut chain = resolve::chain(w, target, Some(m));
    chain.stale |= typ.stale | data.stale;
    chain
}

/// The bodies of an interface value's methods.
fn methods_of_itab<'a>(w: &World<'a>, m: &Machine<'a>, at: V, data: V) -> Vec<Chain> {
    let Ok(itab) = w.image.itab(at.n, w.mem) else { return Vec::new() };
    itab.fun.iter().take(MAX_METHODS).map(|t| with_receiver(w, m, *t, at, data)).collect()
}

/// Of a value in an `any`: the methods that the standard library asks for.
fn methods_of_any<'a>(w: &World<'a>, m: &Machine<'a>, typ: V, data: V) -> Vec<Chain> {
    let Ok(methods) = w.image.methods_of(typ.n, w.mem) else { return Vec::new() };
    let asked = methods.iter().filter(|x| BY_ASSERTION.contains(&&*x.name));
    asked.filter_map(|x| x.ifn).take(MAX_METHODS).map(|t| with_receiver(w, m, t, typ, data)).collect()
}

/// The elements of a variadic list of `any` or of funcs. Elements that are interface values with methods are data, as a rule.
fn elements<'a>(w: &World<'a>, m: &Machine<'a>, at: V, len: Option<V>, ty: TypeId, out: &mut Vec<Chain>) {
    let (size, Some(len)) = (words::size(w.image, ty), len) else { return };
    if !(8..=16).contains(&size) || matches!(words::leaf(w.image, ty, 0), Some(Word::Itab(_))) {
        return;
    }
    for i in 0..len.n.min(MAX_ELEMENTS) {
        word(w, m, at.n.wrapping_add(i * size), ty, 0, out);
    }
}

/// Funcs and interface values in the structure behind a pointer: `sync.Pool.New`, `http.Server.Handler`.
fn structure<'a>(w: &World<'a>, m: &Machine<'a>, at: V, ty: TypeId, out: &mut Vec<Chain>) {
    let Ok(t) = w.image.type_of(ty, w.image) else { return };
    if !matches!(t.shape, Shape::Struct { .. }) {
        return;
    }
    for off in (0..t.size.min(MAX_STRUCT)).step_by(8) {
        word(w, m, at.n, ty, off, out);
    }
}

/// What the word at `off` of the `ty` at `at` leads to.
fn word<'a>(w: &World<'a>, m: &Machine<'a>, at: u64, ty: TypeId, off: u64, out: &mut Vec<Chain>) {
    let load = |off: u64| m.load(at.wrapping_add(off), 8, false).filter(|v| v.n >= 4096);
    match words::leaf(w.image, ty, off) {
        Some(Word::Func(_)) => out.extend(load(off).and_then(|fv| closure_chain(w, m, fv))),
        Some(Word::Itab(_)) => {
            if let (Some(itab), Some(data)) = (load(off), load(off.wrapping_add(8))) {
                out.extend(methods_of_itab(w, m, itab, data));
            }
        }
        Some(Word::Etype(_)) => {
            if let (Some(typ), Some(data)) = (load(off), load(off.wrapping_add(8))) {
                out.extend(methods_of_any(w, m, typ, data));
            }
        }
        _ => {}
    }
}
