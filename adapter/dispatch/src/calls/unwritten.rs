//! Calls of a line that its source does not write there: deferred ones that run at the return, what reflection calls, callbacks.
//!
//! Rows only: where a call leads is found elsewhere. What may run is never claimed to run.

use std::sync::Arc;

use super::{known, without_target};
use crate::api::{CallKind, CallSite, Certainty, Chain, Role, SiteKind, State};
use crate::engine::{Analysis, World};
use crate::matching::Machine;
use crate::model::{Dst, Op};
use crate::predict::{Hit, Line, Outcome, Prediction};
use crate::source::{Prefix, SourceCall};

/// A func value that is called without the source writing it, in a function that defers: a deferred call runs.
pub(super) fn at_return(f: image::Function<'_>, c: &mut CallSite, call: &Machine) {
    if call.starts == Some(CallKind::Deferred) {
        c.kind = CallKind::Deferred;
        // No CALL of this function's reaches the body directly.
        c.call_pc = None;
        c.site = None;
    } else if f.deferreturn().is_some() && matches!(c.kind, CallKind::Closure | CallKind::Static) {
        c.kind = CallKind::Deferred;
    } else {
        return;
    }
    c.expression = None;
    c.reason.get_or_insert_with(|| "deferred: runs as the function returns".into());
}

/// A `return` statement begins on the line.
pub(super) fn is_return(text: &str, line: u32) -> bool {
    let at = (line as usize).checked_sub(1).and_then(|n| text.lines().nth(n));
    at.and_then(|l| l.trim_start().strip_prefix("return"))
        .is_some_and(|rest| !rest.starts_with(|c: char| c == '_' || c.is_alphanumeric()))
}

/// The site is the runtime call that runs the deferred calls.
pub(super) fn runs_deferred(w: &World<'_>, a: &Analysis, k: usize) -> bool {
    matches!(a.sites.get(k).map(|s| s.kind), Some(SiteKind::Static { target })
        if w.image.functions().at(target).is_some_and(|f| f.name() == "runtime.deferreturn"))
}

/// A direct call at a function's exit that runs an open-coded defer: its bit is cleared right before.
pub(super) fn is_open_coded_exit(
    w: &World<'_>,
    a: &Analysis,
    f: image::Function<'_>,
    call: &Machine,
) -> bool {
    let Some(slots) = golang::open_coded_defers(w.image, w.image, f).filter(|_| !call.inlined) else {
        return false;
    };
    let Some(i) = call.pc.and_then(|pc| a.code.at(pc)) else { return false };
    let varp = -8i64;
    let clears = |k: usize| {
        let Some(inst) = a.code.inst(k) else { return false };
        inst.ops.iter().any(|op| match op {
            Op::Mov { dst: Dst::Mem(m), size: 1, .. } | Op::Alu { dst: Dst::Mem(m), size: 1, .. } => {
                m.base == Some(crate::code::sp_reg(a.code.arch))
                    && a.code.slot(k, m.disp) == varp - slots.bits as i64
            }
            _ => false,
        })
    };
    (i.saturating_sub(6)..i).any(clears)
}

/// The deferred calls that run after the first one.
pub(super) fn further_deferred(hit: &Hit, first: &CallSite, from: usize) -> Vec<CallSite> {
    let row = |(i, chain): (usize, &Chain)| CallSite {
        order: (from + i) as u32,
        target: chain.links.iter().rev().find(|l| l.role == Role::Body).cloned(),
        chain: chain.links.clone(),
        body: chain.body.clone(),
        state: if chain.body.is_some() { State::Known } else { State::Pending },
        reason: chain.reason.clone().or_else(|| first.reason.clone()),
        ..first.clone()
    };
    hit.callbacks.iter().enumerate().map(row).collect()
}

/// `v.Call(...)` of a reflect.Value: what that calls is a row of its own.
pub(super) fn reflected_row(w: &World<'_>, hit: &Hit, call: &CallSite, order: usize) -> Option<CallSite> {
    let (outcome, stale) = hit.reflected.as_ref()?;
    let mut c = CallSite {
        kind: CallKind::Reflect,
        order: order as u32,
        certainty: stale.certainty(),
        target: None,
        chain: Vec::new(),
        body: None,
        reason: None,
        ..call.clone()
    };
    match outcome {
        Outcome::Known(chain) => {
            let plain = Hit { itab: None, target: None, inlined: None, stale: *stale, ..hit.clone() };
            known(w, &mut c, &plain, chain, None);
            c.reason.get_or_insert_with(|| "called by reflection".into());
        }
        other => without_target(&mut c, other),
    }
    Some(c)
}

/// The author's code that a call into the standard library may call back.
pub(super) fn callback_rows(
    chains: &[Chain],
    via: &CallSite,
    written: Option<&SourceCall>,
    first: usize,
) -> Vec<CallSite> {
    let callee = via.body.as_ref().map(|b| b.qualified_name.clone()).unwrap_or_default();
    let skipped = |name: &str| {
        let package = image::names::package_of(name);
        package != "main" && !package.split('/').next().unwrap_or("").contains('.')
    };
    let (Some(src), true) = (written, !callee.is_empty() && skipped(&callee)) else { return Vec::new() };
    let mut out: Vec<CallSite> = Vec::new();
    for chain in chains {
        let Some(body) = chain.body.as_ref().filter(|b| !skipped(&b.qualified_name)) else { continue };
        if out.iter().any(|c| c.body.as_ref() == Some(body)) {
            continue;
        }
        out.push(CallSite {
            kind: CallKind::Callback,
            order: (first + out.len()) as u32,
            expression: None,
            via: Some(if src.text.chars().count() > 60 {
                format!("{}(…)", src.callee)
            } else {
                src.text.clone()
            }),
            state: State::Known,
            certainty: via.certainty.max(chain.stale.certainty()),
            reason: Some(if crate::coroutine::is_resume(&callee) {
                format!("resumed by {}", src.callee)
            } else {
                format!("called back by {}", src.callee)
            }),
            target: chain.links.iter().rev().find(|l| l.role == Role::Body).cloned(),
            chain: chain.links.clone(),
            body: Some(body.clone()),
            elsewhere: crate::callbacks::runs_elsewhere(&callee),
            interface_type: None,
            interface_name: None,
            interface_from: None,
            method: None,
            slot: None,
            call_pc: None,
            site: None,
            ..via.clone()
        });
    }
    out
}

/// Callbacks of calls that were inlined: the calls in there pass them on.
pub(super) fn callbacks_of_inlined(
    w: &World<'_>,
    a: &Analysis,
    p: &Prediction,
    out: &[CallSite],
    source: &[&SourceCall],
    line: Line,
) -> Vec<CallSite> {
    let mut rows: Vec<CallSite> = Vec::new();
    for hit in p.hits.iter().filter(|h| !h.callbacks.is_empty()) {
        let Some(site) = hit.site.and_then(|k| a.sites.get(k)) else { continue };
        let stack = w.image.functions().inline_stack(site.pc);
        let Some(inlined) = line.inlined(&stack).filter(|_| line.holds(&stack)) else { continue };
        let name = crate::names::display(w.image, &inlined.name);
        let via = out.iter().find(|c| {
            c.body.as_ref().is_some_and(|b| b.inlined && (b.qualified_name == inlined.name || b.name == name))
        });
        let Some(via) = via else { continue };
        let written = source.iter().find(|s| Some(s.span) == via.span).copied();
        let new = callback_rows(&hit.callbacks, via, written, source.len() + 100 + rows.len());
        rows.extend(new.into_iter().filter(|c| rows.iter().all(|r| r.body != c.body)).collect::<Vec<_>>());
    }
    rows
}

/// `defer f()` that the compiler keeps in the frame (open-coded) leaves no call on its line, but a func value in a slot.
pub(super) fn open_coded(
    w: &World<'_>,
    p: &Prediction,
    source: &[&SourceCall],
    out: &[CallSite],
    line: u32,
    file: &Arc<str>,
) -> Vec<CallSite> {
    let mut add = Vec::new();
    let left = |s: &SourceCall| s.prefix == Some(Prefix::Defer) && out.iter().all(|c| c.span != Some(s.span));
    // They are told apart by their order alone: if one is missing, none is named.
    let all =
        p.hits.iter().filter(|h| h.defers.is_some()).count() == source.iter().filter(|s| left(s)).count();
    let mut hits = p.hits.iter().filter(|h| h.defers.is_some() && all);
    for (i, s) in source.iter().enumerate().filter(|(_, s)| left(s)) {
        let mut c = CallSite {
            kind: CallKind::Defer,
            order: i as u32,
            expression: Some(s.callee.clone()),
            file: Some(file.clone()),
            line: Some(line),
            span: Some(s.span),
            state: State::Pending,
            certainty: Certainty::Stale,
            reason: Some("runs when the function returns".into()),
            ..CallSite::default()
        };
        match hits.next().map(|h| (h, &h.outcome)) {
            Some((hit, Outcome::Known(chain))) => {
                c.certainty = hit.stale.certainty();
                c.conditional = hit.conditional;
                c.deferred_at = hit.defers;
                c.reason = None;
                known(w, &mut c, &Hit { target: None, ..hit.clone() }, chain, None);
                c.reason.get_or_insert_with(|| "runs when the function returns".into());
            }
            Some((_, panics @ Outcome::Panics(_))) => without_target(&mut c, panics),
            _ => {}
        }
        add.push(c);
    }
    add
}
