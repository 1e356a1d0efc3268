//! Running calls inside the interpreter: models of runtime functions, and short callees executed as they are.
//!
//! Executing a callee is not assuming: it is accepted only when every branch, address and target was known and nothing was called
//! that could wait, switch goroutines or enter the kernel.

use machine::{Arch, Memory, MemoryExt};

use crate::code::Code;
use crate::engine::World;
use crate::interp::{Machine, Step, V};
use crate::model::{Inst, Mem, Op, R, Src};
use crate::tables;

/// Instructions of one callee, those that it calls included.
const CALLEE_BUDGET: usize = 400;
const CALLEE_DEPTH: usize = 5;

/// What a call of the runtime came to.
pub(crate) enum Modelled {
    /// Done: registers and overlay are as after the call.
    Done,
    /// It doesn't come back.
    Panics,
    /// No model.
    No,
}

/// Does what `name` does, if there is a model for it. Before the return address is pushed.
pub(crate) fn model(w: &World<'_>, m: &mut Machine<'_>, name: &str, target: u64) -> Modelled {
    let Some(short) = name.strip_prefix("runtime.") else { return Modelled::No };
    if crate::code::never_returns(w.image, target) {
        return Modelled::Panics;
    }
    if short.starts_with("gcWriteBarrier") {
        let at = m.allocate(64);
        m.set_reg(if m.arch == Arch::Amd64 { 11 } else { 25 }, Some(at));
        return Modelled::Done;
    }
    let args = [m.arg(0), m.arg(1), m.arg(2)];
    let [a, b, c] = args;
    let results: [Option<V>; 2] = match short {
        "newobject" => [type_size(w, a).map(|n| m.allocate(n)), None],
        "makeslice" => {
            let n = type_size(w, a).zip(c).map(|(s, n)| s.saturating_mul(n.n));
            [n.map(|n| m.allocate(n)), None]
        }
        n if n.starts_with("mallocgc") => [a.map(|n| m.allocate(n.n)), None],
        "convT" | "convTnoptr" => [boxed(w, m, a, b), None],
        "convT16" => [store_words(m, &[a], 2), None],
        "convT32" => [store_words(m, &[a], 4), None],
        "convT64" => [store_words(m, &[a], 8), None],
        "convTstring" => [store_words(m, &[a, b], 8), None],
        "convTslice" => [store_words(m, &[a, b, c], 8), None],
        "typeAssert" => [type_assert(w, m, a, b), None],
        "assertE2I" | "assertE2I2" | "getitab" => [pair(w, a, b), None],
        "assertI2I" | "assertI2I2" | "convI2I" => {
            let t = b.and_then(|t| m.load(t.n.wrapping_add(8), 8, true).map(|v| (v, t.stale)));
            let t = t.map(|(v, s)| V { n: v.n, stale: s });
            // A nil itab gives a nil one.
            if b.is_some_and(|b| b.n == 0) { [b, None] } else { [pair(w, a, t), None] }
        }
        "interfaceSwitch" => interface_switch(w, m, a, b),
        "memmove" => {
            match (a, b, c) {
                (Some(a), Some(b), Some(c)) => m.copy(a.n, b.n, c.n),
                _ => return Modelled::No,
            }
            [None, None]
        }
        "memclrNoHeapPointers" => {
            match (a, b) {
                (Some(a), Some(n)) if n.n <= 4096 => {
                    for i in 0..n.n {
                        m.store(a.n.wrapping_add(i), Some(V::new(0)), 1);
                    }
                }
                _ => return Modelled::No,
            }
            [None, None]
        }
        "wbZero" | "wbMove" => [None, None],
        "typedmemmove" => {
            match (type_size(w, a), b, c) {
                (Some(n), Some(to), Some(from)) => m.copy(to.n, from.n, n),
                _ => return Modelled::No,
            }
            [None, None]
        }
        _ => return Modelled::No,
    };
    m.forget_registers();
    for (i, r) in results.into_iter().enumerate() {
        m.set_result(i, r);
    }
    Modelled::Done
}

fn type_size(w: &World<'_>, t: Option<V>) -> Option<u64> {
    w.mem.read_u64(t?.n).ok().filter(|n| *n <= 1 << 20)
}

fn boxed(w: &World<'_>, m: &mut Machine<'_>, t: Option<V>, from: Option<V>) -> Option<V> {
    let size = type_size(w, t)?;
    let at = m.allocate(size);
    match from {
        Some(f) => m.copy(at.n, f.n, size),
        None => m.forget(at.n, size),
    }
    Some(at)
}

fn store_words(m: &mut Machine<'_>, words: &[Option<V>], size: u8) -> Option<V> {
    let at = m.allocate(8 * words.len() as u64);
    for (i, v) in words.iter().enumerate() {
        m.store(at.n.wrapping_add(8 * i as u64), *v, size);
    }
    Some(at)
}

/// The itab of (interface, type), when the runtime has made it or knows that there is none.
fn pair(w: &World<'_>, inter: Option<V>, typ: Option<V>) -> Option<V> {
    let (i, t) = (inter?, typ?);
    if t.n == 0 {
        return Some(V { n: 0, stale: t.stale });
    }
    let known = tables::lookup(w.image, w.mem, i.n, t.n)?;
    Some(V { n: known.unwrap_or(0), stale: i.stale | t.stale })
}

fn type_assert(w: &World<'_>, m: &Machine<'_>, desc: Option<V>, typ: Option<V>) -> Option<V> {
    let inter = m.load(desc?.n.wrapping_add(8), 8, true)?;
    let v = pair(w, Some(V::new(inter.n)), typ)?;
    // A failing assertion that may not fail panics: nothing is known after it.
    let may_fail = m.load(desc?.n.wrapping_add(16), 1, true)?.n != 0;
    (v.n != 0 || may_fail).then_some(v)
}

fn interface_switch(w: &World<'_>, m: &Machine<'_>, desc: Option<V>, typ: Option<V>) -> [Option<V>; 2] {
    let none = [None, None];
    let (Some(d), Some(t)) = (desc, typ) else { return none };
    let Some(n) = m.load(d.n.wrapping_add(8), 8, true) else { return none };
    for case in 0..n.n.min(256) {
        let Some(inter) = m.load(d.n.wrapping_add(16 + 8 * case), 8, true) else { return none };
        match pair(w, Some(V::new(inter.n)), Some(t)) {
            Some(v) if v.n != 0 => return [Some(V { n: case, stale: t.stale }), Some(v)],
            Some(_) => {}
            None => return none,
        }
    }
    [Some(V { n: n.n, stale: t.stale }), Some(V { n: 0, stale: t.stale })]
}

/// Executes a whole callee; false: it can't be followed, and `m` is as it was. Call it before the return address is pushed.
pub(crate) fn run_callee<'a>(w: &World<'a>, m: &mut Machine<'a>, target: u64, return_pc: u64) -> bool {
    let mut copy = m.clone();
    let mut budget = CALLEE_BUDGET;
    if callee(w, &mut copy, target, return_pc, &mut budget, 0).is_none() {
        return false;
    }
    *m = copy;
    true
}

/// Packages whose functions may wait, switch goroutines, or depend on the clock.
fn opaque(name: &str) -> bool {
    const PREFIXES: [&str; 11] = [
        "runtime.",
        "runtime/",
        "internal/runtime",
        "internal/poll",
        "internal/race",
        "sync.",
        "internal/sync",
        "syscall.",
        "time.",
        "os.",
        "crypto/",
    ];
    PREFIXES.iter().any(|p| name.starts_with(p))
}

fn callee<'a>(
    w: &World<'a>,
    m: &mut Machine<'a>,
    target: u64,
    return_pc: u64,
    budget: &mut usize,
    depth: usize,
) -> Option<()> {
    let f = w.image.functions().at(target)?;
    let duff = f.name().starts_with("runtime.duff");
    if depth > CALLEE_DEPTH || (!duff && (opaque(f.name()) || f.is_assembly())) {
        return None;
    }
    let code = w.engine.code(w.image, f)?;
    let loads = if duff { None } else { w.engine.load_pcs(w.image, f) };
    m.enter(return_pc);
    let mut pc = target;
    loop {
        *budget = budget.checked_sub(1)?;
        let inst = code.inst(code.at(pc)?)?;
        let exempt = loads.as_ref().is_some_and(|l| l.contains(&pc));
        pc = match m.step(inst, exempt) {
            Step::Next => inst.end(),
            Step::Branch { to, .. } if is_growth(w, &code, to) => inst.end(),
            Step::Branch { taken: Some(t), .. } if t.stale.by_call() => return None,
            Step::Branch { taken: Some(t), to } => {
                m.branches |= t.stale;
                if t.n != 0 { to } else { inst.end() }
            }
            Step::Jump(Some(t)) if code.contains(t.n) => t.n,
            Step::Jump(Some(t)) if !t.stale.by_call() => {
                m.branches |= t.stale;
                // A tail call: the callee returns for us.
                m.leave();
                return callee(w, m, t.n, return_pc, budget, depth + 1);
            }
            Step::Call(Some(t)) if !t.stale.by_call() => {
                m.branches |= t.stale;
                nested(w, m, t.n, inst.end(), budget, depth)?;
                inst.end()
            }
            Step::Ret(Some(to)) if to.n == return_pc => {
                m.leave();
                return Some(());
            }
            _ => return None,
        };
    }
}

fn nested<'a>(
    w: &World<'a>,
    m: &mut Machine<'a>,
    target: u64,
    return_pc: u64,
    budget: &mut usize,
    depth: usize,
) -> Option<()> {
    let name = w.image.functions().at(target).map(|f| f.name().to_string())?;
    match model(w, m, &name, target) {
        Modelled::Done => Some(()),
        Modelled::Panics => None,
        Modelled::No => callee(w, m, target, return_pc, budget, depth + 1),
    }
}

/// The branch to the block that grows the stack is never followed: a preemption request makes its compare lie.
pub(crate) fn is_growth(w: &World<'_>, code: &Code, to: u64) -> bool {
    let Some(mut i) = code.at(to) else { return false };
    for _ in 0..24 {
        let Some(inst) = code.inst(i) else { return false };
        match inst.flow {
            crate::model::Flow::Call(crate::model::Target::Const(t)) => {
                return w.image.functions().at(t).is_some_and(|f| f.name().starts_with("runtime.morestack"));
            }
            crate::model::Flow::Next => i += 1,
            _ => return false,
        }
    }
    false
}

/// The base register of a load at `inst`, for the itab that a site reads.
pub(crate) fn load_base(inst: &Inst) -> Option<R> {
    inst.ops.iter().find_map(|op| match op {
        Op::Mov { src: Src::Mem(Mem { base, .. }), size: 8, .. } => *base,
        _ => None,
    })
}

/// Reads a func value's code address.
pub(crate) fn func_code(mem: &dyn Memory, funcval: u64) -> Option<u64> {
    mem.read_u64(funcval).ok()
}
