//! Which call of the source a call of the machine code is: by name, then by order; never for a `for` header, and never by guess.

use image::{FuncId, Image};
use machine::NoMemory;

use crate::api::{CallKind, Placement, Site, SiteKind, SourceText};
use crate::engine::{Analysis, Engine, World};
use crate::model::{Mem, Op};
use crate::names;
use crate::predict::{Line, Outcome, Prediction, starts_function};
use crate::source::{Form, Prefix, SourceCall};

/// One call of the machine code on the line: a site, or the start of an inlined callee.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) site: Option<usize>,
    pub(crate) kind: SiteKind,
    pub(crate) pc: Option<u64>,
    /// Name that the source writes, as far as the machine code tells.
    pub(crate) name: Option<String>,
    /// go and defer statements: the call of the runtime that starts the function.
    pub(crate) starts: Option<CallKind>,
    /// Index in the prediction's hits; None: not ahead any more.
    pub(crate) hit: Option<usize>,
    pub(crate) inlined: bool,
    /// The side of a call of a func value on which a profile says that it runs: `if f == double { double(n) } else { f(n) }`.
    pub(crate) guarded: bool,
    /// A direct call of a function literal.
    pub(crate) literal: bool,
    /// The receiver's variable, by DWARF.
    pub(crate) receiver: Option<String>,
}

impl Machine {
    pub(crate) fn of_site(k: usize, site: &Site) -> Machine {
        Machine {
            site: Some(k),
            kind: site.kind,
            pc: Some(site.pc),
            name: site.method.clone(),
            starts: None,
            hit: None,
            inlined: false,
            guarded: false,
            literal: false,
            receiver: site.receiver.clone(),
        }
    }

    /// Direct calls are shown only when the source writes them: the compiler makes many of its own.
    pub(crate) fn only_if_written(&self) -> bool {
        (self.inlined || matches!(self.kind, SiteKind::Static { .. })) && self.starts.is_none()
    }
}

/// Indices of the sites on the line, in address order.
pub(crate) fn sites_on(w: &World<'_>, a: &Analysis, line: &Line) -> Vec<usize> {
    a.sites
        .iter()
        .enumerate()
        .filter(|(_, s)| {
            let stack = w.image.functions().inline_stack(s.pc);
            line.holds_directly(&stack)
        })
        .map(|(k, _)| k)
        .collect()
}

pub(crate) fn machine_calls(w: &World<'_>, a: &Analysis, on_line: &[usize], p: &Prediction) -> Vec<Machine> {
    let mut out: Vec<Machine> = Vec::new();
    for &k in on_line {
        let Some(site) = a.sites.get(k) else { continue };
        if site.kind == SiteKind::Other {
            continue;
        }
        let mut m = Machine::of_site(k, site);
        m.hit = p.hits.iter().position(|h| h.site == Some(k));
        if let SiteKind::Static { target } | SiteKind::Constant { target } = site.kind {
            let Some(f) = w.image.functions().at(target) else { continue };
            if starts_function(f.name()) {
                m.starts = Some(if f.name() == "runtime.newproc" { CallKind::Go } else { CallKind::Defer });
            } else if f.name() == "runtime.deferreturn" {
                m.starts = Some(CallKind::Deferred);
            } else if hidden(f.name()) {
                continue;
            }
            m.name = Some(names::method(f.name()).to_string());
            m.literal = matches!(site.kind, SiteKind::Static { .. }) && is_literal(f.name());
        }
        if m.name.is_none()
            && let Some(h) = m.hit.and_then(|h| p.hits.get(h))
        {
            m.name = name_of_hit(w, site, h);
        }
        out.push(m);
    }
    for (i, h) in p.hits.iter().enumerate() {
        let Some((name, pc)) = &h.inlined else { continue };
        out.push(Machine {
            site: None,
            kind: SiteKind::Static { target: *pc },
            pc: Some(*pc),
            name: Some(names::method(name).to_string()),
            starts: None,
            hit: Some(i),
            inlined: true,
            guarded: false,
            literal: is_literal(name),
            receiver: None,
        });
    }
    guards(w, a, p, &mut out);
    out.sort_by_key(|m| m.pc);
    out
}

/// A func value's call that a profile made direct: the line compares its code with the constant address of the function that is called
/// or inlined. The indirect call of the other side gives way to it.
fn guards(w: &World<'_>, a: &Analysis, p: &Prediction, out: &mut Vec<Machine>) {
    let passed = |m: &Machine| m.kind == SiteKind::Closure && m.hit.is_none();
    let [other] = positions(out, passed)[..] else { return };
    let before = out.get(other).and_then(|m| m.pc).unwrap_or(0);
    let compared =
        |entry: u64| {
            a.code.insts.iter().filter(|i| i.addr < before).any(|i| {
                i.ops.iter().any(|op| matches!(op, Op::Lea { mem, .. } if *mem == Mem::absolute(entry)))
            })
        };
    let entry =
        |m: &Machine| match (m.kind, m.hit.and_then(|h| p.hits.get(h)).and_then(|h| h.inlined.as_ref())) {
            (_, Some((name, _))) => w.image.functions().by_name(name).first().map(|f| f.entry()),
            (SiteKind::Static { target }, None) if m.starts.is_none() && m.hit.is_some() => Some(target),
            _ => None,
        };
    let direct = positions(out, |m| entry(m).is_some_and(compared));
    if let [one] = direct[..]
        && let Some(m) = out.get_mut(one)
    {
        (m.guarded, m.name, m.literal) = (true, None, false);
        out.remove(other);
    }
}

/// The name of a function literal, not of a wrapper or a loop's body.
fn is_literal(name: &str) -> bool {
    names::is_closure(name) && !names::last(name).contains('-') && !names::last(name).contains("wrap")
}

/// Helpers that the compiler calls on its own.
pub(crate) fn hidden(name: &str) -> bool {
    name.starts_with("type:.")
        || name
            .strip_prefix("runtime.")
            .is_some_and(|n| !n.starts_with(|c: char| c.is_ascii_uppercase()) && !n.starts_with("(*"))
}

/// An interface call's method from its itab, a dictionary call's from its body.
fn name_of_hit(w: &World<'_>, site: &Site, h: &crate::predict::Hit) -> Option<String> {
    if let (SiteKind::Interface, Some(itab), Some(slot)) = (site.kind, h.itab, site.slot)
        && let Ok(i) = w.image.itab(itab, w.mem)
    {
        return crate::calls::method_name(w, w.image.type_from_runtime(i.inter), slot);
    }
    match (&h.outcome, site.kind) {
        (Outcome::Known(chain), SiteKind::Dictionary { .. } | SiteKind::Interface) => {
            chain.body.as_ref().map(|b| names::method(&b.qualified_name).to_string())
        }
        _ => None,
    }
}

impl Engine {
    /// The dynamic calls of a function with what the source calls them and where it writes them: known without a stop.
    pub fn placements(&self, image: &Image, func: FuncId, source: &dyn SourceText) -> Vec<Placement> {
        let read_only = |a: u64| image.is_read_only(a);
        let w = World { engine: self, image, mem: &NoMemory, read_only: &read_only };
        let Some(a) = image.functions().get(func).and_then(|f| self.analysis(image, f)) else {
            return Vec::new();
        };
        let written = place(&w, &a, source, |_| true);
        let dynamic = |s: &Site| !matches!(s.kind, SiteKind::Static { .. } | SiteKind::Other);
        let all = a.sites.iter().zip(written).filter(|(s, _)| dynamic(s));
        all.map(|(site, written)| Placement {
            method: site.method.clone().or_else(|| written.as_ref().map(|w| w.name.clone())),
            span: written.map(|w| w.span),
            site: site.clone(),
        })
        .collect()
    }
}

/// For each site of a function, those that aren't wanted left out, the call of the source that it is.
pub(crate) fn place(
    w: &World<'_>,
    a: &Analysis,
    source: &dyn SourceText,
    wanted: impl Fn(&Site) -> bool,
) -> Vec<Option<SourceCall>> {
    let stacks: Vec<_> = a.sites.iter().map(|s| w.image.functions().inline_stack(s.pc)).collect();
    let mut out = vec![None; a.sites.len()];
    let mut done = vec![false; a.sites.len()];
    for (k, site) in a.sites.iter().enumerate() {
        let Some(line) = stacks.get(k).and_then(|s| Line::of(s, 0)) else { continue };
        if done.get(k).copied().unwrap_or(true) || !wanted(site) {
            continue;
        }
        let here: Vec<usize> =
            stacks.iter().enumerate().filter(|(_, s)| line.holds_directly(s)).map(|(i, _)| i).collect();
        for i in &here {
            if let Some(d) = done.get_mut(*i) {
                *d = true;
            }
        }
        let Some(text) = source.source(&site.file) else { continue };
        let calls = w.engine.sources.get(&site.file, text);
        let calls = calls.on_line(site.line, site.start_line);
        let machine = machine_calls(w, a, &here, &Prediction::default());
        for (m, found) in machine.iter().zip(assign(&machine, &calls)) {
            if let (Some(k), Some(c)) = (m.site, found.and_then(|i| calls.get(i)))
                && let Some(slot) = out.get_mut(k)
            {
                *slot = Some((*c).clone());
            }
        }
    }
    out
}

/// For each machine call the index of its source call.
pub(crate) fn assign(machine: &[Machine], source: &[&SourceCall]) -> Vec<Option<usize>> {
    let mut out = vec![None; machine.len()];
    let mut used = vec![false; source.len()];
    started(machine, source, &mut out, &mut used);
    literals(machine, source, &mut out, &mut used);
    named(machine, source, &mut out, &mut used);
    unnamed(machine, source, &mut out, &mut used);
    last_one(machine, source, &mut out, &mut used);
    out
}

/// An interface call whose method isn't known, and the only selector that nothing else took. That no interface has a method of a name at
/// the slot would say nothing: the linker drops descriptors.
fn last_one(machine: &[Machine], source: &[&SourceCall], out: &mut [Option<usize>], used: &mut [bool]) {
    let calls: Vec<usize> = machine
        .iter()
        .enumerate()
        .filter(|(i, m)| {
            out.get(*i).copied().flatten().is_none() && m.name.is_none() && m.kind == SiteKind::Interface
        })
        .map(|(i, _)| i)
        .collect();
    let free: Vec<usize> = (0..source.len()).filter(|i| !used.get(*i).copied().unwrap_or(true)).collect();
    if let ([_], [one]) = (calls.as_slice(), free.as_slice())
        && source.get(*one).is_some_and(|s| s.form == Form::Selector && s.prefix.is_none())
    {
        pair(&calls, &free, out, used);
    }
}

/// `go` and `defer` statements.
fn started(machine: &[Machine], source: &[&SourceCall], out: &mut [Option<usize>], used: &mut [bool]) {
    for kind in [CallKind::Go, CallKind::Defer] {
        let prefix = if kind == CallKind::Go { Prefix::Go } else { Prefix::Defer };
        let calls: Vec<usize> = positions(machine, |m| m.starts == Some(kind));
        let written: Vec<usize> = positions(source, |s| s.prefix == Some(prefix));
        pair(&calls, &written, out, used);
    }
}

/// Function literals that are called where they are written: the compiler calls them by name.
fn literals(machine: &[Machine], source: &[&SourceCall], out: &mut [Option<usize>], used: &mut [bool]) {
    let calls = positions(machine, |m| m.starts.is_none() && m.literal);
    let written = positions(source, |s| s.is_literal() && s.prefix.is_none());
    if calls.len() == written.len() {
        pair(&calls, &written, out, used);
    }
}

fn named(machine: &[Machine], source: &[&SourceCall], out: &mut [Option<usize>], used: &mut [bool]) {
    let mut names: Vec<&str> = machine.iter().filter_map(|m| m.name.as_deref()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let calls = positions(machine, |m| m.starts.is_none() && m.name.as_deref() == Some(name));
        let written: Vec<usize> = source
            .iter()
            .enumerate()
            .filter(|(i, s)| s.name == name && !used.get(*i).copied().unwrap_or(true))
            .map(|(i, _)| i)
            .collect();
        let rotated = written.iter().filter_map(|i| source.get(*i)).any(|s| s.for_header);
        let unequal = calls.len() != written.len();
        if written.len() > 1 && (rotated || unequal) {
            by_receiver(machine, source, &calls, &written, out, used);
            continue;
        }
        pair(&calls, &written, out, used);
    }
}

/// Where order says nothing: the variable that DWARF names is the receiver's text, and only one call has it.
fn by_receiver(
    machine: &[Machine],
    source: &[&SourceCall],
    calls: &[usize],
    written: &[usize],
    out: &mut [Option<usize>],
    used: &mut [bool],
) {
    for &c in calls {
        let Some(name) = machine.get(c).and_then(|m| m.receiver.as_deref()) else { continue };
        let with: Vec<usize> = written
            .iter()
            .copied()
            .filter(|i| source.get(*i).is_some_and(|s| s.receiver.as_deref() == Some(name)))
            .collect();
        if with.len() == 1 {
            pair(&[c], &with, out, used);
        }
    }
}

/// Func values: calls of the source that no named call took.
fn unnamed(machine: &[Machine], source: &[&SourceCall], out: &mut [Option<usize>], used: &mut [bool]) {
    let calls: Vec<usize> = machine
        .iter()
        .enumerate()
        .filter(|(i, m)| {
            out.get(*i).copied().flatten().is_none()
                && m.starts.is_none()
                && (m.guarded
                    || !m.inlined
                        && matches!(
                            m.kind,
                            SiteKind::Closure | SiteKind::Constant { .. } | SiteKind::Dictionary { .. }
                        ))
        })
        .map(|(i, _)| i)
        .collect();
    let closures_named = |s: &SourceCall| s.form != Form::Range || calls.len() == 1;
    let written: Vec<usize> = source
        .iter()
        .enumerate()
        .filter(|(i, s)| !used.get(*i).copied().unwrap_or(true) && s.prefix.is_none() && closures_named(s))
        .map(|(i, _)| i)
        .collect();
    let rotated = written.iter().filter_map(|i| source.get(*i)).any(|s| s.for_header);
    if calls.len() == written.len() && !(rotated && calls.len() > 1) {
        pair(&calls, &written, out, used);
    }
}

fn positions<T>(list: &[T], f: impl Fn(&T) -> bool) -> Vec<usize> {
    list.iter().enumerate().filter(|(_, x)| f(x)).map(|(i, _)| i).collect()
}

/// One source call takes all machine calls of its name (copies of it); as many as there are go in order.
fn pair(calls: &[usize], written: &[usize], out: &mut [Option<usize>], used: &mut [bool]) {
    let mut set = |call: usize, src: usize| {
        if let Some(slot) = out.get_mut(call) {
            *slot = Some(src);
        }
        if let Some(u) = used.get_mut(src) {
            *u = true;
        }
    };
    if let [one] = written {
        for c in calls {
            set(*c, *one);
        }
    } else if calls.len() == written.len() {
        for (c, s) in calls.iter().zip(written) {
            set(*c, *s);
        }
    }
}
