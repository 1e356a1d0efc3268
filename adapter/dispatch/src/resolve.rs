//! From a code address to the body that the author wrote: wrappers are followed by emulating them, never by name.
//! Name matching is the last resort, where the registers of the call aren't known.

use image::Function;

use crate::api::{Body, Chain, Link, Role};
use crate::engine::World;
use crate::exec::{self, Modelled};
use crate::interp::{Machine, Stale, Step, V};
use crate::model::{Flow, Target};
use crate::names;
use crate::reflected;

const MAX_HOPS: usize = 10;
const MAX_STEPS: usize = 400;
/// Captured words among which a closure's dictionary is looked for.
const MAX_CAPTURES: u64 = 16;

/// Where emulating a wrapper led.
pub(crate) enum Next<'a> {
    /// Its body was inlined; the first instruction of it.
    Inlined {
        pc: u64,
        name: String,
    },
    Hop {
        target: u64,
        machine: Option<Box<Machine<'a>>>,
        through_itab: bool,
        /// What the way there rests on.
        stale: Stale,
    },
    Panics(String),
    Folded,
    Unknown(&'static str),
}

/// Follows `target`. `machine`: the registers at its first instruction, return address pushed.
pub(crate) fn chain<'a>(w: &World<'a>, target: u64, machine: Option<Machine<'a>>) -> Chain {
    let mut out = Chain::default();
    let (mut target, mut machine) = (target, machine);
    // The wrapper with real type arguments that led to generic code.
    let mut instance: Option<String> = None;
    for _ in 0..MAX_HOPS {
        let Some(f) = w.image.functions().at(target) else {
            out.reason = Some(format!("{target:#x} is not Go code"));
            return out;
        };
        if f.name() == "runtime.unreachableMethod" {
            out.reason = Some("removed by the linker: nothing in the program calls this method".into());
            return out;
        }
        if (!f.is_wrapper() && !reflected::is_stub(f.name())) || is_body(f.name()) {
            let mut body = body_of(w, f, f.prologue_end(), false, false);
            name_instance(w, &mut body, instance.as_deref());
            name_by_dictionary(w, &mut body, machine.as_ref());
            out.links.push(body_link(&body, None));
            out.body = Some(body);
            return out;
        }
        let next = follow(w, f, target, machine.take());
        let kind = wrapper_kind(w, f, &next);
        if kind == "shape" {
            instance = Some(f.name().to_string());
        }
        match next {
            Next::Inlined { pc, name } => {
                out.links.push(wrapper_link(w, f, kind));
                let mut body = body_of(w, f, pc, true, false);
                body.qualified_name = name;
                body.name = names::display(w.image, &body.qualified_name);
                name_instance(w, &mut body, instance.as_deref());
                if let Some(at) = w.image.functions().location(pc) {
                    body.line = Some(at.line);
                    body.file = Some(at.file);
                }
                out.links.push(body_link(&body, Some("inlined body")));
                out.body = Some(body);
                return out;
            }
            Next::Folded => {
                let mut body = body_of(w, f, f.prologue_end(), false, true);
                let mut kind = kind;
                if let Some(name) = folded_name(w, f) {
                    if names::receiver(&name).map(|r| r.0) != names::receiver(f.name()).map(|r| r.0) {
                        kind = "promoted";
                    }
                    if let Some(g) = w.image.functions().by_name(&name).first() {
                        body.file = Some(g.file());
                        body.line = Some(g.start_line());
                    }
                    body.name = names::display(w.image, &name);
                    body.qualified_name = name;
                }
                out.links.push(wrapper_link(w, f, kind));
                out.links.push(body_link(&body, Some("inlined body")));
                out.body = Some(body);
                return out;
            }
            Next::Hop { target: to, machine: m, stale, .. } => {
                out.stale |= stale;
                out.links.push(wrapper_link(w, f, kind));
                target = to;
                machine = m.map(|m| *m);
            }
            Next::Panics(why) => {
                out.links.push(wrapper_link(w, f, kind));
                out.will_panic = Some(why);
                return out;
            }
            Next::Unknown(why) => {
                out.links.push(wrapper_link(w, f, kind));
                out.reason = Some(why.into());
                return out;
            }
        }
    }
    out.reason = Some("more than ten wrappers in a row".into());
    out
}

/// The chain behind the first step that something else than a wrapper's code has told.
pub(crate) fn from<'a>(w: &World<'a>, next: Next<'a>) -> Chain {
    match next {
        Next::Hop { target, machine, stale, .. } => {
            let machine = machine.map(|mut m| {
                m.enter(0);
                *m
            });
            let mut found = chain(w, target, machine);
            found.stale |= stale;
            found
        }
        Next::Panics(why) => Chain { will_panic: Some(why), ..Chain::default() },
        Next::Unknown(why) => Chain { reason: Some(why.into()), ..Chain::default() },
        Next::Inlined { .. } | Next::Folded => Chain::default(),
    }
}

/// Functions with a wrapper's mark that the author wrote.
fn is_body(name: &str) -> bool {
    // A range-over-func body is the author's loop.
    names::last(name).split('-').nth(1).is_some_and(|s| s.starts_with("range"))
}

fn follow<'a>(w: &World<'a>, f: Function<'_>, target: u64, machine: Option<Machine<'a>>) -> Next<'a> {
    let Some(code) = w.engine.code(w.image, f) else { return Next::Unknown("no machine code") };
    let Some(mut m) = machine else { return fallback(w, f) };
    if reflected::is_stub(f.name()) {
        return reflected::made(w, &m, f.name());
    }
    // What is loaded from itabs and func values never changes.
    let fixed = w.engine.analysis(w.image, f).map(|a| &a.constants | &a.loads).unwrap_or_default();
    let mut pc = target;
    for _ in 0..MAX_STEPS {
        if let Some(name) = inlined_body(w, pc) {
            return Next::Inlined { pc, name };
        }
        let Some(inst) = code.at(pc).and_then(|i| code.inst(i)) else { return fallback(w, f) };
        let step = m.step(inst, fixed.contains(&pc));
        pc = match step {
            Step::Next => inst.end(),
            Step::Branch { to, .. } if exec::is_growth(w, &code, to) => inst.end(),
            Step::Branch { taken: Some(t), to } => {
                m.branches |= t.stale;
                if t.n != 0 { to } else { inst.end() }
            }
            Step::Jump(Some(t)) if code.contains(t.n) && t.n != code.entry => t.n,
            Step::Jump(Some(t)) => {
                let through_itab = !matches!(inst.flow, Flow::Jump(Target::Const(_)));
                let stale = t.stale | m.branches;
                return Next::Hop { target: t.n, machine: Some(Box::new(m)), through_itab, stale };
            }
            Step::Call(Some(t)) => {
                let Some(g) = w.image.functions().at(t.n) else { return fallback(w, f) };
                if g.name() == "runtime.panicwrap" {
                    return Next::Panics(
                        "nil pointer: a value method is called through a nil pointer".into(),
                    );
                }
                match exec::model(w, &mut m, g.name(), t.n) {
                    Modelled::Done => inst.end(),
                    Modelled::Panics => return Next::Panics("nil pointer dereference".into()),
                    Modelled::No if g.name().starts_with("runtime.duff") => {
                        if !exec::run_callee(w, &mut m, t.n, inst.end()) {
                            return fallback(w, f);
                        }
                        inst.end()
                    }
                    Modelled::No if g.name().starts_with("runtime.") && !is_user(g.name()) => {
                        return fallback(w, f);
                    }
                    Modelled::No => {
                        m.enter(inst.end());
                        let through_itab = !matches!(inst.flow, Flow::Call(Target::Const(_)));
                        let stale = t.stale | m.branches;
                        return Next::Hop { target: t.n, machine: Some(Box::new(m)), through_itab, stale };
                    }
                }
            }
            Step::Ret(_) => return Next::Folded,
            Step::Fault(a) if a.n < 4096 => return Next::Panics("nil pointer dereference".into()),
            _ => return fallback(w, f),
        };
    }
    fallback(w, f)
}

/// Runtime functions that are bodies in their own right when a wrapper calls them.
fn is_user(name: &str) -> bool {
    name.starts_with("runtime.(*")
        || name.strip_prefix("runtime.").is_some_and(|n| n.starts_with(|c: char| c.is_ascii_uppercase()))
}

/// The author's function that is inlined into the wrapper at `pc`.
fn inlined_body(w: &World<'_>, pc: u64) -> Option<String> {
    let stack = w.image.functions().inline_stack(pc);
    let inlined = stack.len().checked_sub(1)?;
    stack
        .iter()
        .take(inlined)
        .rev()
        .find(|f| !f.is_wrapper && &*f.file != "<autogenerated>")
        .map(|f| f.name.clone())
}

/// Without registers: the only direct call or jump to a function with the same method name, or the inlined body.
fn fallback<'a>(w: &World<'a>, f: Function<'_>) -> Next<'a> {
    let Some(code) = w.engine.code(w.image, f) else { return Next::Unknown("no machine code") };
    let method = names::method(f.name());
    let mut hit = None;
    let mut indirect = false;
    let mut calls = 0;
    for inst in &code.insts {
        if let Some(name) = inlined_body(w, inst.addr) {
            return Next::Inlined { pc: inst.addr, name };
        }
        let t = match inst.flow {
            Flow::Call(Target::Const(t)) => t,
            Flow::Jump(Target::Const(t)) if !code.contains(t) => t,
            Flow::Call(_) | Flow::Jump(Target::Reg(_)) => {
                indirect = true;
                continue;
            }
            _ => continue,
        };
        let Some(g) = w.image.functions().at(t) else { continue };
        if g.name().starts_with("runtime.") && !is_user(g.name()) {
            continue;
        }
        calls += 1;
        if names::method(g.name()) == method || f.name().contains("wrap") {
            match hit {
                Some(h) if h != t => return Next::Unknown("the wrapper calls more than one function"),
                _ => hit = Some(t),
            }
        }
    }
    match hit {
        Some(target) => Next::Hop { target, machine: None, through_itab: false, stale: Stale::NONE },
        None if indirect => Next::Unknown("the wrapper dispatches through a value that isn't known yet"),
        None if calls == 0 => Next::Folded,
        None => Next::Unknown("the wrapper's callee isn't known"),
    }
}

/// The author's method behind a wrapper that has none of its instructions left.
fn folded_name(w: &World<'_>, f: Function<'_>) -> Option<String> {
    let (receiver, _) = names::receiver(f.name())?;
    let method = names::method(f.name());
    let own = format!("{receiver}.{method}");
    if own != f.name() && authored(w, &own) {
        return Some(own);
    }
    promoted(w, &receiver, method, 0)
}

/// The program has this function, and the compiler didn't make it.
fn authored(w: &World<'_>, name: &str) -> bool {
    w.image.functions().by_name(name).iter().any(|f| !f.is_wrapper())
}

/// The method that a struct type gets from an embedded field, outer fields first.
fn promoted(w: &World<'_>, receiver: &str, method: &str, depth: u32) -> Option<String> {
    let ty = w.engine.named_type(w.image, &image::names::unescape(receiver))?;
    let ty = w.image.type_of(ty, w.image).ok()?;
    let image::Shape::Struct { fields } = &ty.shape else { return None };
    let mut embedded = Vec::new();
    for field in fields.iter().filter(|x| x.embedded) {
        let t = w.image.type_of(field.ty, w.image).ok()?;
        let name = t.name.trim_start_matches('*').to_string();
        let pointer = names::parent(&name).map(|p| format!("{p}.(*{}).{method}", names::last(&name)));
        let value = format!("{name}.{method}");
        if authored(w, &value) {
            return Some(value);
        }
        if let Some(p) = pointer.filter(|p| authored(w, p)) {
            return Some(p);
        }
        embedded.push(name);
    }
    if depth > 4 {
        return None;
    }
    embedded.iter().find_map(|e| promoted(w, e, method, depth + 1))
}

fn wrapper_kind(w: &World<'_>, f: Function<'_>, next: &Next<'_>) -> &'static str {
    let name = f.name();
    let last = names::last(name);
    if reflected::is_stub(name) {
        return "reflect";
    }
    if last.ends_with("-fm") {
        return "-fm";
    }
    if last.starts_with("gowrap") {
        return "gowrap";
    }
    if last.starts_with("deferwrap") {
        return "deferwrap";
    }
    let to = match next {
        Next::Hop { through_itab: true, .. } => return "embedded interface",
        Next::Hop { target, .. } => w.image.functions().at(*target).map(|g| g.name().to_string()),
        Next::Inlined { name, .. } => Some(name.clone()),
        _ => None,
    };
    let Some(to) = to else { return "value receiver" };
    if to == name {
        return "abi";
    }
    if to.contains("go.shape.") && !name.contains("go.shape.") {
        return "shape";
    }
    if names::value_receiver(name).is_some_and(|v| v == to) {
        return "value receiver";
    }
    if last.starts_with("func") { "gowrap" } else { "promoted" }
}

/// A body of generic code runs on shapes: its name is that of the instance through whose wrapper it was reached.
fn name_instance(w: &World<'_>, body: &mut Body, instance: Option<&str>) {
    if let Some(real) = instance
        && body.qualified_name.contains("go.shape.")
    {
        body.name = names::display(w.image, real);
        body.qualified_name = real.to_string();
    }
}

/// The same by the dictionary that it is called with: a hidden argument, or, of a closure, one of its captures.
fn name_by_dictionary(w: &World<'_>, body: &mut Body, m: Option<&Machine<'_>>) {
    let (Some(m), true) = (m, body.qualified_name.contains("go.shape.")) else { return };
    let is_its = |v: &V| golang::is_dictionary_of(w.image, v.n, &body.qualified_name);
    let passed = (0..m.arch.int_args().len()).filter_map(|i| m.arg(i)).find(is_its);
    let captured = || {
        let context = m.reg(m.arch.context().0 as u8)?;
        (1..MAX_CAPTURES).filter_map(|i| m.load(context.n.wrapping_add(8 * i), 8, false)).find(is_its)
    };
    if let Some(dict) = passed.or_else(captured) {
        let real = golang::real_symbol(w.image, &body.qualified_name, Some(dict.n));
        body.name = image::names::short(&real);
        body.qualified_name = real;
    }
}

fn wrapper_link(w: &World<'_>, f: Function<'_>, kind: &'static str) -> Link {
    let at = w.image.functions().location(f.entry());
    Link {
        role: Role::Wrapper,
        name: names::display(w.image, f.name()),
        qualified_name: f.name().to_string(),
        address: f.entry(),
        kind: Some(kind),
        interface_type: None,
        concrete_type: None,
        slot: None,
        file: at.as_ref().map(|a| a.file.clone()),
        line: at.map(|a| a.line),
    }
}

fn body_of(w: &World<'_>, f: Function<'_>, stop_pc: u64, inlined: bool, folded: bool) -> Body {
    let line = f.start_line();
    Body {
        entry: f.entry(),
        stop_pc,
        name: names::display(w.image, f.name()),
        qualified_name: f.name().to_string(),
        function: Some(f.id()),
        file: Some(f.file()),
        line: (line != 0).then_some(line),
        inlined,
        folded,
    }
}

fn body_link(b: &Body, kind: Option<&'static str>) -> Link {
    Link {
        role: Role::Body,
        name: b.name.clone(),
        qualified_name: b.qualified_name.clone(),
        address: if b.inlined { b.stop_pc } else { b.entry },
        kind,
        interface_type: None,
        concrete_type: None,
        slot: None,
        file: b.file.clone(),
        line: b.line,
    }
}
