//! The calls of a frame's line: what the source writes, matched with what the machine code does and what will happen.

use image::Shape;

use crate::api::{
    CallKind, CallSite, Certainty, Chain, Claim, Context, Link, Role, Scope, Site, SiteKind, State,
};
use crate::engine::{Analysis, Engine, World};
use crate::interp::Stale;
use crate::matching::{self, Machine};
use crate::predict::{self, Hit, Line, Outcome, Prediction, Predictor};
use crate::source::{Prefix, SourceCall};

use unwritten::{
    at_return, callback_rows, callbacks_of_inlined, further_deferred, is_open_coded_exit, is_return,
    open_coded, reflected_row, runs_deferred,
};

mod unwritten;

impl Engine {
    /// The calls of a frame's line in evaluation order, those already done left out; the one in progress is marked.
    pub fn call_sites(&self, cx: &Context<'_>, scope: Scope) -> Vec<CallSite> {
        self.calls_of(cx, scope, false)
    }

    /// The same, with tier 2: callees of the line that must run first are run in a sandbox. What rests on that is speculative, the
    /// rest is as without it. The program notices nothing.
    pub fn speculate(&self, cx: &Context<'_>, scope: Scope) -> Vec<CallSite> {
        self.calls_of(cx, scope, true)
    }

    fn calls_of(&self, cx: &Context<'_>, scope: Scope, speculate: bool) -> Vec<CallSite> {
        let read_only = |a: u64| cx.image.is_read_only(a);
        let w = World { engine: self, image: cx.image, mem: cx.mem, read_only: &read_only };
        let mut out = line_calls(&w, cx, speculate).unwrap_or_default();
        if scope == Scope::Function {
            rest_of_function(&w, cx, &mut out);
        }
        out
    }
}

/// The pc that belongs to the frame's line: for callers the call, not the return address.
pub(crate) fn lookup_pc(cx: &Context<'_>) -> u64 {
    if cx.top { cx.regs.pc() } else { cx.regs.pc().wrapping_sub(1) }
}

fn line_calls(w: &World<'_>, cx: &Context<'_>, speculate: bool) -> Option<Vec<CallSite>> {
    let pc = lookup_pc(cx);
    let f = w.image.functions().at(pc)?;
    let a = w.engine.analysis(w.image, f)?;
    let stack = w.image.functions().inline_stack(pc);
    let at = stack.get(cx.inline_depth)?.clone();
    let line = Line::of(&stack, cx.inline_depth)?;
    let mut on_line: Vec<usize> = matching::sites_on(w, &a, &line);
    let text = cx.source.source(&at.file);
    let returns = text.as_deref().is_some_and(|t| is_return(t, at.line));
    let predictor = |line| {
        let p = Predictor::new(*w, a.clone(), line);
        if returns { p.returning() } else { p }
    };
    let mut prediction = predictor(line).run(cx.regs, !cx.top);
    if speculate && prediction.leaves_open() {
        let again = Line::of(&stack, cx.inline_depth)?;
        prediction.adopt(predictor(again).speculating().run(cx.regs, !cx.top));
    }
    on_line.extend(prediction.hits.iter().filter_map(|h| h.site).filter(|k| runs_deferred(w, &a, *k)));
    on_line.sort_unstable();
    on_line.dedup();
    let in_progress = if cx.top { None } else { a.sites.iter().position(|s| s.return_pc == cx.regs.pc()) };
    complete(w, &a, cx, &on_line, &mut prediction, in_progress);
    let parsed = text.clone().map(|t| w.engine.sources.get(&at.file, t));
    let source: Vec<&SourceCall> =
        parsed.as_ref().map(|c| c.on_line(at.line, at.start_line)).unwrap_or_default();
    let machine = matching::machine_calls(w, &a, &on_line, &prediction);
    let matched = matching::assign(&machine, &source);
    let mut out = Vec::new();
    let mut callbacks = Vec::new();
    for (k, call) in machine.iter().enumerate() {
        let Some(hit) = call.hit.and_then(|h| prediction.hits.get(h)) else { continue };
        let src = matched.get(k).copied().flatten();
        let unwritten = src.is_none() && parsed.is_some();
        if unwritten && call.only_if_written() && !is_open_coded_exit(w, &a, f, call) {
            continue;
        }
        let written = src.and_then(|i| source.get(i).copied());
        let mut c = build(w, &a, hit, call, written);
        c.file = Some(at.file.clone());
        c.line = Some(at.line);
        c.order = src.map_or(source.len() + k, |i| i) as u32;
        c.in_progress = in_progress.is_some() && call.site == in_progress;
        // What the values make of it is no promise: the line may be left first.
        c.conditional |= written.is_some_and(|s| s.conditional);
        if c.in_progress {
            c.conditional = false;
        }
        devirtualised(w, cx, &mut c, call, written);
        if c.kind == CallKind::Dictionary {
            c.type_argument = hit.target.and_then(|t| type_argument(w, t));
            let receiver = written.and_then(|s| s.receiver.as_deref());
            c.type_parameter = receiver
                .zip(text.as_deref())
                .and_then(|(r, t)| crate::source::params::of_parameter(t, at.start_line, r));
        }
        if unwritten {
            at_return(f, &mut c, call);
        }
        let after = source.len() + machine.len() + callbacks.len();
        if call.starts == Some(CallKind::Deferred) {
            callbacks.extend(further_deferred(hit, &c, after));
        } else if let Some(reflected) = reflected_row(w, hit, &c, after) {
            callbacks.push(reflected);
        } else {
            callbacks.extend(callback_rows(&hit.callbacks, &c, written, after));
        }
        join(&mut out, c, src.is_some());
    }
    callbacks.extend(callbacks_of_inlined(
        w,
        &a,
        &prediction,
        &out,
        &source,
        Line::of(&stack, cx.inline_depth)?,
    ));
    out.extend(callbacks);
    out.extend(open_coded(w, &prediction, &source, &out, at.line, &at.file));
    out.sort_by_key(|c| c.order);
    Some(out)
}

/// Sites that the interpretation could not reach because it gave up.
fn complete(
    w: &World<'_>,
    a: &Analysis,
    cx: &Context<'_>,
    on_line: &[usize],
    p: &mut Prediction,
    in_progress: Option<usize>,
) {
    for &k in on_line {
        if p.hits.iter().any(|h| h.site == Some(k)) {
            continue;
        }
        let Some(site) = a.sites.get(k) else { continue };
        let ahead = p.incomplete && site.pc >= cx.regs.pc();
        if in_progress != Some(k) && !ahead {
            continue;
        }
        // A direct call is what it is, whatever the values are.
        let direct = match site.kind {
            SiteKind::Static { target } if !predict::is_runtime(w, target) => {
                Some(crate::resolve::chain(w, target, None))
            }
            _ => None,
        };
        let pending = if ahead { "the way to this call could not be followed" } else { "in progress" };
        let fixed = direct.is_some();
        p.hits.push(Hit {
            site: Some(k),
            inlined: None,
            outcome: direct.map_or(Outcome::Pending(pending.into()), |c| Outcome::Known(Box::new(c))),
            itab: site.constant_itab,
            target: match site.kind {
                SiteKind::Static { target } | SiteKind::Constant { target } => Some(target),
                _ => None,
            },
            stale: if fixed { Stale::NONE } else { Stale::CALL },
            conditional: ahead,
            callbacks: Vec::new(),
            reflected: None,
            defers: None,
        });
    }
}

/// Two machine calls of one source call (a guard's two sides, a loop's copies) are one row.
fn join(out: &mut Vec<CallSite>, c: CallSite, matched: bool) {
    // `range x.All()` writes two calls in one place: of the method, and of the iterator that it gives.
    let same = |o: &&mut CallSite| {
        let iterators = (o.kind == CallKind::Range) == (c.kind == CallKind::Range);
        matched && iterators && o.span == c.span && o.span.is_some()
    };
    let Some(old) = out.iter_mut().find(same) else {
        out.push(c);
        return;
    };
    let agree = match (&old.body, &c.body) {
        (Some(x), Some(y)) => x.qualified_name == y.qualified_name,
        _ => false,
    };
    old.in_progress |= c.in_progress;
    if agree {
        old.conditional &= c.conditional;
        if c.kind != CallKind::Static && old.kind == CallKind::Static {
            *old = CallSite { in_progress: old.in_progress, conditional: old.conditional, ..c };
        }
        return;
    }
    // The dynamic site knows more than the direct side of a guard; of two unlike answers none is picked.
    let in_progress = old.in_progress;
    if !old.conditional && c.conditional {
        return;
    }
    if old.conditional && !c.conditional {
        *old = c;
        old.in_progress = in_progress;
        return;
    }
    if c.kind != CallKind::Static {
        *old = CallSite { in_progress, ..c };
    }
    old.state = State::Pending;
    old.target = None;
    old.body = None;
    old.chain.clear();
    old.reason = Some("decided by a branch of this line".into());
}

fn build(w: &World<'_>, a: &Analysis, hit: &Hit, call: &Machine, written: Option<&SourceCall>) -> CallSite {
    let site = call.site.and_then(|k| a.sites.get(k)).cloned();
    let mut c = CallSite {
        kind: kind_of(call, site.as_deref(), written),
        expression: written.map(|s| s.callee.clone()),
        span: written.map(|s| s.span),
        call_pc: site.as_ref().map(|s| s.pc),
        conditional: hit.conditional,
        certainty: hit.stale.certainty(),
        reason: None,
        target: None,
        chain: Vec::new(),
        body: None,
        site: site.clone(),
        ..CallSite::default()
    };
    if let Some(s) = site.as_deref().filter(|s| s.kind == SiteKind::Interface) {
        interface_facts(w, &mut c, s, hit, written);
    }
    match &hit.outcome {
        Outcome::Known(chain) => known(w, &mut c, hit, chain, Some(call)),
        other => without_target(&mut c, other),
    }
    if c.kind == CallKind::Closure && c.chain.iter().any(|l| l.kind == Some("-fm")) {
        c.kind = CallKind::MethodValue;
    }
    c
}

/// Why a call has no target.
fn without_target(c: &mut CallSite, outcome: &Outcome) {
    match outcome {
        Outcome::Known(_) => {}
        Outcome::Panics(why) => {
            c.state = State::Panics;
            c.reason = Some(why.clone());
        }
        Outcome::Pending(why) => {
            c.state = State::Pending;
            c.reason = Some(why.to_string());
        }
    }
}

fn kind_of(call: &Machine, site: Option<&Site>, written: Option<&SourceCall>) -> CallKind {
    if let Some(p) = call.starts {
        return p;
    }
    match (site.map(|s| s.kind), written.and_then(|s| s.prefix)) {
        (_, Some(Prefix::Go)) => CallKind::Go,
        (_, Some(Prefix::Defer)) => CallKind::Defer,
        (Some(SiteKind::Interface), _) => CallKind::Interface,
        (Some(SiteKind::Dictionary { .. }), _) => CallKind::Dictionary,
        (Some(SiteKind::Closure | SiteKind::Constant { .. }), _) => {
            if written.is_some_and(|s| s.form == crate::source::Form::Range) {
                CallKind::Range
            } else {
                CallKind::Closure
            }
        }
        _ => CallKind::Static,
    }
}

/// Interface type, method and slot: from data flow, else from the itab that will be used.
fn interface_facts(w: &World<'_>, c: &mut CallSite, site: &Site, hit: &Hit, written: Option<&SourceCall>) {
    c.slot = site.slot;
    c.method = site.method.clone();
    if let Claim::Known { interface, from } = &site.interface {
        c.interface_type = Some(*interface);
        c.interface_from = Some(from);
    }
    if let Some(itab) = hit.itab.filter(|i| *i != 0).and_then(|i| w.image.itab(i, w.mem).ok()) {
        let ty = w.image.type_from_runtime(itab.inter);
        if c.interface_type.is_none() {
            c.interface_type = Some(ty);
            c.interface_from = Some("itab");
        }
        if c.method.is_none() {
            c.method = site.slot.and_then(|s| method_name(w, ty, s));
        }
    }
    if c.method.is_none()
        && let Some(s) = written
    {
        c.method = Some(s.name.clone());
    }
    c.interface_name =
        c.interface_type.and_then(|t| w.image.type_of(t, w.mem).ok()).map(|t| image::names::short(&t.name));
}

pub(crate) fn method_name(w: &World<'_>, interface: image::TypeId, slot: u16) -> Option<String> {
    match &w.image.type_of(interface, w.mem).ok()?.shape {
        Shape::Interface { methods: Some(m), .. } => m.get(slot as usize).map(|m| m.name.to_string()),
        _ => None,
    }
}

fn known(w: &World<'_>, c: &mut CallSite, hit: &Hit, chain: &Chain, call: Option<&Machine>) {
    c.state = State::Known;
    if let Some((name, pc)) = &hit.inlined {
        let mut link = inlined_link(w, name, *pc);
        link.kind = Some("inlined body");
        c.target = Some(link.clone());
        c.chain = vec![link];
        c.body = Some(inlined_body(w, name, *pc));
        c.reason = Some("inlined".into());
        return;
    }
    let mut links = Vec::new();
    if let Some(itab) = hit.itab.filter(|i| *i != 0) {
        links.extend(itab_link(w, itab, c.slot));
    }
    let called = call.filter(|c| c.starts.is_none());
    if let Some((t, call)) = hit.target.zip(called)
        && matches!(call.kind, SiteKind::Interface | SiteKind::Dictionary { .. })
        && let Some(f) = w.image.functions().at(t)
    {
        links.push(Link {
            role: Role::Entry,
            name: crate::names::display(w.image, f.name()),
            qualified_name: f.name().to_string(),
            address: t,
            kind: None,
            interface_type: None,
            concrete_type: None,
            slot: None,
            file: Some(f.file()),
            line: Some(f.start_line()).filter(|l| *l != 0),
        });
    }
    links.extend(chain.links.iter().cloned());
    c.target = chain.links.iter().rev().find(|l| l.role == Role::Body).or(chain.links.last()).cloned();
    c.chain = links;
    c.body = chain.body.clone();
    c.reason = chain.reason.clone();
    if chain.body.as_ref().is_some_and(|b| b.inlined) {
        c.reason.get_or_insert_with(|| "inlined".into());
    }
    if chain.body.as_ref().is_some_and(|b| b.folded) {
        c.reason.get_or_insert_with(|| "the body has no instructions of its own".into());
    }
    if c.certainty == Certainty::Speculative && c.reason.is_none() {
        c.reason = Some("found by running what comes before in a sandbox".into());
    }
    if c.certainty == Certainty::Stale && c.reason.is_none() {
        let who = if hit.stale.by_call() { "a call in between" } else { "another goroutine" };
        c.reason = Some(format!("{who} may change it"));
    }
}

fn inlined_link(w: &World<'_>, name: &str, pc: u64) -> Link {
    let at = w.image.functions().location(pc);
    Link {
        role: Role::Body,
        name: crate::names::display(w.image, name),
        qualified_name: name.to_string(),
        address: pc,
        kind: None,
        interface_type: None,
        concrete_type: None,
        slot: None,
        file: at.as_ref().map(|a| a.file.clone()),
        line: at.map(|a| a.line),
    }
}

fn inlined_body(w: &World<'_>, name: &str, pc: u64) -> crate::api::Body {
    let f = w.image.functions().at(pc);
    let at = w.image.functions().location(pc);
    crate::api::Body {
        entry: f.map_or(pc, |f| f.entry()),
        stop_pc: pc,
        name: crate::names::display(w.image, name),
        qualified_name: name.to_string(),
        function: f.map(|f| f.id()),
        file: at.as_ref().map(|a| a.file.clone()),
        line: at.map(|a| a.line),
        inlined: true,
        folded: false,
    }
}

/// The link of an itab: which interface, which concrete type.
pub(crate) fn itab_link(w: &World<'_>, addr: u64, slot: Option<u16>) -> Option<Link> {
    let itab = w.image.itab(addr, w.mem).ok()?;
    let name = |t: u64| {
        let id = w.image.type_from_runtime(t);
        w.image.type_of(id, w.mem).ok().map(|t| image::names::short(&t.name))
    };
    let (interface, concrete) = (name(itab.inter)?, name(itab.typ)?);
    Some(Link {
        role: Role::Itab,
        name: format!("{concrete} as {interface}"),
        qualified_name: format!("go:itab.{concrete},{interface}"),
        address: addr,
        kind: None,
        interface_type: Some(interface),
        concrete_type: Some(concrete),
        slot,
        file: None,
        line: None,
    })
}

/// A direct call of a method whose receiver the source declares as an interface: the compiler took the dispatch away.
fn devirtualised(
    w: &World<'_>,
    cx: &Context<'_>,
    c: &mut CallSite,
    call: &Machine,
    written: Option<&SourceCall>,
) {
    let Some(src) = written.filter(|_| c.kind == CallKind::Static) else { return };
    let inlined = c.body.as_ref().is_some_and(|b| b.inlined);
    let reason =
        if inlined { "devirtualised by the compiler and inlined" } else { "devirtualised by the compiler" };
    if call.guarded {
        c.kind = CallKind::Closure;
        c.reason = Some(reason.into());
        return;
    }
    let Some(receiver) = src.receiver.as_deref() else { return };
    let pc = call.pc.unwrap_or_else(|| lookup_pc(cx));
    let Some(ty) = receiver_type(w, cx, receiver, pc) else { return };
    let Ok(t) = w.image.type_of(ty, w.mem) else { return };
    if !matches!(t.shape, Shape::Interface { .. }) {
        return;
    }
    c.kind = CallKind::Interface;
    c.interface_type = Some(ty);
    c.interface_name = Some(image::names::short(&t.name));
    c.interface_from = Some("variable");
    c.method = Some(src.name.clone());
    c.reason = Some(reason.into());
}

/// The declared type of `a`, `a.b.c`: a variable and struct fields.
fn receiver_type(w: &World<'_>, cx: &Context<'_>, text: &str, _pc: u64) -> Option<image::TypeId> {
    let mut parts = text.split('.');
    let first = parts.next()?;
    let word = |s: &str| !s.is_empty() && s.chars().all(|c| c == '_' || c.is_alphanumeric());
    if !word(first) {
        return None;
    }
    let pc = lookup_pc(cx);
    let vars = w.image.variables(pc, cx.inline_depth);
    let mut ty = match vars.iter().filter(|v| v.name == first && v.declared).max_by_key(|v| v.depth) {
        Some(v) => v.ty,
        None => {
            let f = w.image.functions().inline_stack(pc);
            let package = image::names::package_of(&f.get(cx.inline_depth)?.name);
            w.image.global(&format!("{package}.{first}"))?.1?
        }
    };
    for p in parts {
        let t = w.image.type_of(ty, w.mem).ok()?;
        let t = match &t.shape {
            Shape::Pointer { elem: Some(e) } => w.image.type_of(*e, w.mem).ok()?,
            _ => t,
        };
        let Shape::Struct { fields } = &t.shape else { return None };
        ty = fields.iter().find(|f| &*f.name == p)?.ty;
    }
    Some(ty)
}

/// The type whose method a dictionary holds: the receiver of the function that it leads to first.
fn type_argument(w: &World<'_>, target: u64) -> Option<String> {
    let f = w.image.functions().at(target).filter(|f| f.entry() == target)?;
    let (receiver, pointer) = crate::names::receiver(f.name())?;
    let name = crate::names::display(w.image, &receiver);
    Some(if pointer { format!("*{name}") } else { name })
}

/// The other dynamic calls of the function, without prediction.
fn rest_of_function(w: &World<'_>, cx: &Context<'_>, out: &mut Vec<CallSite>) {
    let pc = lookup_pc(cx);
    let Some(f) = w.image.functions().at(pc) else { return };
    let Some(a) = w.engine.analysis(w.image, f) else { return };
    let stack = w.image.functions().inline_stack(pc);
    let Some(line) = Line::of(&stack, cx.inline_depth) else { return };
    let same = |s: &Site| line.same_function(&w.image.functions().inline_stack(s.pc));
    let written = matching::place(w, &a, cx.source, same);
    for (k, site) in a.sites.iter().enumerate() {
        let dynamic = matches!(
            site.kind,
            SiteKind::Interface | SiteKind::Closure | SiteKind::Dictionary { .. } | SiteKind::Constant { .. }
        );
        let here = out.iter().any(|c| c.call_pc == Some(site.pc));
        if !dynamic || here || !same(site) {
            continue;
        }
        let hit = Hit {
            site: Some(k),
            inlined: None,
            outcome: Outcome::Pending("its line has not been reached".into()),
            itab: site.constant_itab,
            target: None,
            stale: Stale::CALL,
            conditional: true,
            callbacks: Vec::new(),
            reflected: None,
            defers: None,
        };
        let call = Machine::of_site(k, site);
        let mut c = build(w, &a, &hit, &call, written.get(k).and_then(Option::as_ref));
        c.file = Some(site.file.clone());
        c.line = Some(site.line);
        c.order = out.len() as u32;
        out.push(c);
    }
}
