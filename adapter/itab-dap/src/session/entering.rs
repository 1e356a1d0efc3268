//! The calls that a step enters: where it waits for them, and what it does at a CALL. It never runs the program, it only arms.

use std::sync::Arc;

use dispatch::{CallKind, Engine, Site, SiteKind};
use golang::Frame;
use target::Tid;

use super::Session;
use crate::control::{
    landing::{Landing, Reached, certain_landing, landing, reflected},
    plan::{Start, is_generated},
    step::{Accept, Meaning, Origin, Shown, StepKind, Temporary},
};

impl Session {
    /// Where the step waits for these calls: in the body if that is certain already, which saves a stop, else at the CALL.
    pub(super) fn watched_calls(
        &self,
        start: &Start<'_>,
        kind: &StepKind,
        chosen: Option<&dispatch::CallSite>,
        calls: &[Arc<Site>],
    ) -> Vec<Temporary> {
        if calls.is_empty() {
            return Vec::new();
        }
        let (origin, process) = (start.origin, start.process);
        let plain = *kind == StepKind::In;
        let on_line = calls_of_line(start.engine, process, origin, start.depth);
        // What the line calls before could run the body too, any number of times: only the first call is gone to straight.
        let is_first = |site: &Site| {
            let between = origin.pc..site.pc;
            site.pc >= origin.pc
                && !on_line.iter().any(|s| between.contains(&s.pc) && !calls_runtime(process, s))
        };
        let mut watched = Vec::new();
        let first_is_dynamic =
            calls.iter().find(|s| is_first(s)).is_some_and(|s| !matches!(s.kind, SiteKind::Static { .. }));
        let predicted = match chosen {
            None if first_is_dynamic => self.predicted_calls(start),
            chosen => chosen.cloned().into_iter().collect(),
        };
        for (index, site) in calls.iter().enumerate() {
            let runtime = plain && calls_runtime(process, site);
            let first = is_first(site);
            let certain = if runtime || first {
                let call = predicted.iter().find(|c| c.call_pc == Some(site.pc));
                certain_landing(start.engine, process, site, call)
            } else {
                None
            };
            if runtime && certain.is_some() {
                continue;
            }
            let straight = certain.filter(|l| first && !(plain && self.is_skipped(process, l.stop_pc)));
            watched.push(match straight {
                Some(landing) => body_of_call(origin.frame_offset, &landing, arrow(kind)),
                None => Temporary {
                    addr: site.pc,
                    accept: Accept::Frame(origin.frame_offset),
                    meaning: Meaning::Call { index },
                },
            });
        }
        watched
    }

    /// The calls of the line with the targets that are known before it runs.
    fn predicted_calls(&self, start: &Start<'_>) -> Vec<dispatch::CallSite> {
        let Some(top) = start.stack.frames.first() else { return Vec::new() };
        let cx = dispatch::Context {
            image: start.process.image,
            mem: start.process.mem,
            regs: &top.regs,
            top: true,
            inline_depth: start.depth,
            source: &*self.sources,
        };
        start.engine.call_sites(&cx, dispatch::Scope::Line)
    }

    /// At the CALL of a call: where does it go? Arms the body and lets the program run on to it.
    pub(super) fn enter_call(&mut self, tid: Tid, frame: &Frame, index: usize) {
        let (Some(inf), Some(step)) = (self.inferior.as_ref(), self.step.as_ref()) else { return };
        let Some(site) = step.calls.get(index) else { return };
        let process = inf.process();
        let Some(thread) = process.threads.iter().find(|t| t.tid == tid.0) else { return };
        let (chosen, how) = match &step.kind {
            StepKind::Into { what, how } => (Some(what.clone()), Some(*how)),
            _ => (None, None),
        };
        let landed = match how {
            Some(CallKind::Reflect) => reflected(&inf.engine, &process, &thread.regs),
            _ => landing(&inf.engine, &process, &thread.regs, site),
        };
        let landing = match landed {
            Ok(l) => l,
            Err(why) => {
                if chosen.is_some() {
                    self.console(&format!("The call's target could not be followed: {why}"));
                }
                return;
            }
        };
        if chosen.is_none() {
            if landing.reached == Reached::Deferred {
                return;
            }
            if self.is_skipped(&process, landing.stop_pc) {
                let called = called_from_skipped(&inf.engine, &process, &thread.regs, &landing);
                let outside: Vec<_> =
                    called.into_iter().filter(|b| !self.is_skipped(&process, b.stop_pc)).collect();
                self.wait_for_callbacks(frame, &outside);
                return;
            }
        }
        self.wait_for(frame, landing, chosen.as_deref().unwrap_or("call"));
    }

    /// Arms the body of a call that is about to be made, or that was started or deferred.
    pub(super) fn wait_for(&mut self, frame: &Frame, landing: Landing, what: &str) {
        self.arm_more(body_of_call(frame.frame_offset, &landing, what));
        if landing.reached != Reached::ByCall {
            // The statement is over long before the body runs: leaving the line is not the end of this step, and the next round of a
            // loop is another call.
            self.drop_temporaries(|m| !matches!(m, Meaning::Body { .. }));
        }
    }

    /// A plain step into a skipped function: it goes on to the first function outside that is called from there.
    fn wait_for_callbacks(&mut self, frame: &Frame, bodies: &[dispatch::Body]) {
        for body in bodies {
            let accept = Accept::Callee { below: frame.frame_offset, return_pc: None };
            let meaning =
                Meaning::Body { description: format!("callback -> {}", body.name), folded: Shown::of(body) };
            self.arm_more(Temporary { addr: body.stop_pc, accept, meaning });
        }
    }

    /// True if plain steps don't stop in this function: the runtime's internals, and what `skipPackages` names.
    fn is_skipped(&self, process: &golang::Process<'_>, pc: u64) -> bool {
        let Some(f) = process.image.functions().at(pc) else { return true };
        let package = f.package();
        is_runtime(&package) || is_generated(&f.file()) || self.settings.skips(&package)
    }
}

/// The stop in the body of a call that the frame at `offset` makes, starts or defers.
fn body_of_call(offset: u64, landing: &Landing, what: &str) -> Temporary {
    let accept = match (landing.reached, landing.deferred) {
        (Reached::ByCall, _) => Accept::Callee { below: offset, return_pc: landing.return_pc },
        (Reached::InNewGoroutine, _) => Accept::NewGoroutine,
        (Reached::Deferred, Some(funcval)) => Accept::DeferredValue { funcval, offset },
        (Reached::Deferred, None) => Accept::Deferred,
    };
    let remark = landing.remark.as_ref().map(|r| format!(" ({r})")).unwrap_or_default();
    let description = format!("{what} -> {}{remark}", landing.body);
    let meaning = Meaning::Body { description, folded: landing.folded.clone() };
    Temporary { addr: landing.stop_pc, accept, meaning }
}

/// What `stopped.description` says before the arrow.
fn arrow(kind: &StepKind) -> &str {
    match kind {
        StepKind::Into { what, .. } => what,
        _ => "call",
    }
}

fn is_runtime(package: &str) -> bool {
    package == "runtime"
        || package.starts_with("runtime/internal/")
        || package.starts_with("internal/runtime/")
}

/// True for a direct call of the runtime, which runs nothing of the author's.
fn calls_runtime(process: &golang::Process<'_>, site: &Site) -> bool {
    let SiteKind::Static { target } = site.kind else { return false };
    process.image.functions().at(target).is_some_and(|f| is_runtime(&f.package()))
}

/// Bodies that a skipped function may call back, by what it is called with.
fn called_from_skipped(
    engine: &Engine,
    process: &golang::Process<'_>,
    regs: &machine::Regs,
    landing: &Landing,
) -> Vec<dispatch::Body> {
    let Some(f) = process.image.functions().at(landing.stop_pc) else { return Vec::new() };
    let chains = engine.callbacks(process.image, process.mem, f.entry(), regs);
    chains.into_iter().filter_map(|c| c.body).collect()
}

/// The CALL instructions of the frame's line: a plain step-in enters the first one that is reached.
pub(super) fn calls_of_line(
    engine: &Engine,
    process: &golang::Process<'_>,
    origin: &Origin,
    depth: usize,
) -> Vec<Arc<Site>> {
    let Some(function) = origin.function else { return Vec::new() };
    let sites = engine.sites(process.image, function);
    sites
        .iter()
        .filter(|s| {
            s.line == origin.line
                && *s.file == *origin.file
                && s.inline_depth == depth
                && s.kind != SiteKind::Other
        })
        .cloned()
        .collect()
}
