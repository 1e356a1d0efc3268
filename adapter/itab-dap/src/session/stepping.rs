//! Steps: arming the temporary breakpoints of a plan, and going on when one of them is hit.

use std::sync::Arc;

use dispatch::{CallKind, Engine, Site, SiteKind};
use golang::{Frame, StackOf};
use target::{NotChanged, Tid};

use super::{Session, stop::Reported};
use crate::control::{
    landing::{Landing, Reached, certain_landing, deferred, landing, reflected},
    plan::{Start, goroutine_end, is_generated},
    results::results_after_return,
    step::{Accept, Meaning, Origin, Shown, Step, StepKind, Temporary, pending},
    table::Owner,
};

/// Frames read to find the callers of the stepping frame.
const CALLER_FRAMES: usize = 40;

/// What a hit of a temporary breakpoint led to.
pub(super) enum Progress {
    /// Not for this step, or the step goes on.
    GoOn,
    Finished(Reported),
}

impl Session {
    /// Begins a step of the goroutine that the user chose. The program is stopped; it runs when this returns.
    pub(crate) fn begin_step(
        &mut self,
        goid: u64,
        kind: StepKind,
        chosen: Option<dispatch::CallSite>,
    ) -> Result<(), String> {
        self.cancel_step();
        let (step, from) = self.plan_step(goid, kind, chosen)?;
        let Some(inf) = self.inferior.as_mut() else { return Err("no program".into()) };
        let wanted: Vec<(u64, Owner)> =
            step.temporaries.iter().enumerate().map(|(i, t)| (t.addr, Owner::Temporary(i))).collect();
        let refused = inf.arm(&wanted).map_err(|e| e.to_string())?;
        let all = wanted.iter().all(|(addr, _)| refused.iter().any(|r| r.addr == *addr));
        if let Some(first) = refused.first().filter(|_| all) {
            return Err(first.why.to_string());
        }
        self.step = Some(step);
        self.enter_call_here(from);
        self.resume_from(from)
    }

    /// The thread may stand on a CALL of the line already: that instruction is stepped over, its breakpoint never hits.
    fn enter_call_here(&mut self, from: Option<Tid>) {
        let (Some(tid), Some(step)) = (from, self.step.as_ref()) else { return };
        let pc = step.origin.pc;
        let here = step.temporaries.iter().find(|t| t.addr == pc).map(|t| t.meaning.clone());
        if let Some(Meaning::Call { index }) = here
            && let Some(frame) = self.top_frame(tid)
            && frame.pc == pc
        {
            self.enter_call(tid, &frame, index);
        }
    }

    /// Removes the temporary breakpoints of a step that is over.
    pub(super) fn cancel_step(&mut self) {
        if self.step.take().is_some()
            && let Some(inf) = self.inferior.as_mut()
        {
            inf.disarm_where(|o| matches!(o, Owner::Temporary(_)));
        }
    }

    fn plan_step(
        &mut self,
        goid: u64,
        kind: StepKind,
        chosen: Option<dispatch::CallSite>,
    ) -> Result<(Step, Option<Tid>), String> {
        let Some(inf) = self.inferior.as_mut() else { return Err("no program".into()) };
        inf.read_all_threads().map_err(|e| e.to_string())?;
        let Some(inf) = self.inferior.as_ref() else { return Err("no program".into()) };
        let process = inf.process();
        let goroutine =
            process.goroutine(goid).ok_or_else(|| format!("unknown goroutine {}", goid as i64))?;
        let thread = goroutine.thread.and_then(|tid| process.threads.iter().find(|t| t.tid == tid));
        let of = match thread {
            Some(t) => StackOf::Thread(t),
            None => StackOf::Goroutine(&goroutine),
        };
        let stack = process.stack(of, 0, CALLER_FRAMES);
        let top = stack.frames.first().ok_or("this goroutine has no frames to step in")?;
        let origin = origin_of(&process, goid, top, &stack.frames);
        let start = Start {
            process: &process,
            engine: &inf.engine,
            stack: &stack,
            origin: &origin,
            depth: inline_depth(&stack.frames),
        };
        let mut temporaries = Vec::new();
        let mut calls = Vec::new();
        match &kind {
            StepKind::Next => {
                temporaries.extend(start.lines(&mut self.rows, false));
                temporaries.extend(start.callers(false));
                temporaries.extend(start.deferred(false));
            }
            StepKind::Out => {
                let outer = start.outer_rows(&mut self.rows);
                temporaries.extend(outer);
                temporaries.extend(start.callers(true));
                temporaries.extend(start.deferred(false));
            }
            StepKind::In => {
                calls = calls_of_line(&inf.engine, &process, &origin, start.depth);
                temporaries.extend(start.lines(&mut self.rows, true));
                temporaries.extend(start.callers(false));
                temporaries.extend(start.deferred(true));
            }
            StepKind::Into { what, .. } => {
                let chosen = chosen.as_ref().ok_or("no call was chosen")?;
                let into = start.plan_call(&mut self.rows, chosen, what)?;
                temporaries.extend(into.temporaries);
                temporaries.extend(goroutine_end(process.image));
                calls.extend(into.calls);
            }
        }
        temporaries.extend(self.watched_calls(&start, &kind, chosen.as_ref(), &calls));
        // Out of a goroutine's first function there is nothing to arrive at: it runs on, as after `continue`.
        if temporaries.is_empty() && kind != StepKind::Out {
            return Err("there is nowhere to step to from here; use continue".into());
        }
        let from = thread.map(|t| Tid(t.tid));
        Ok((Step { kind, origin, temporaries, calls }, from))
    }

    /// Where the step waits for these calls: in the body if that is certain already, which saves a stop, else at the CALL.
    fn watched_calls(
        &self,
        start: &Start<'_>,
        kind: &StepKind,
        chosen: Option<&dispatch::CallSite>,
        calls: &[Arc<Site>],
    ) -> Vec<Temporary> {
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
            let call = predicted.iter().find(|c| c.call_pc == Some(site.pc));
            let certain = certain_landing(start.engine, process, site, call);
            if plain && certain.is_some() && calls_runtime(process, site) {
                continue;
            }
            let straight =
                certain.filter(|l| is_first(site) && !(plain && self.is_skipped(process, l.stop_pc)));
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

    /// A temporary breakpoint was hit in `frame`.
    pub(super) fn on_temporary(
        &mut self,
        tid: Tid,
        goid: Option<u64>,
        frame: &Frame,
        index: usize,
    ) -> Progress {
        let Some(step) = &self.step else { return Progress::GoOn };
        let Some(t) = step.temporaries.get(index).cloned() else { return Progress::GoOn };
        let accepted =
            self.inferior.as_ref().is_some_and(|inf| step.accepts(&inf.process(), frame, goid, &t));
        if !accepted {
            return Progress::GoOn;
        }
        match t.meaning {
            Meaning::Arrived => Progress::Finished(Reported::step(goid)),
            Meaning::Returned { from } => {
                self.note_results(tid, from);
                Progress::Finished(Reported::step(goid))
            }
            Meaning::Body { description, folded } => {
                self.folded = folded.map(|shown| (frame.pc, shown));
                Progress::Finished(Reported::step(goid).described(description))
            }
            Meaning::DeferMade { before, body } => self.defer_made(tid, frame, &before, body.as_ref()),
            Meaning::LineLeft => {
                let text = self.tell_line_left(frame);
                Progress::Finished(Reported { text, ..Reported::step(goid) })
            }
            Meaning::Call { index } => {
                self.enter_call(tid, frame, index);
                Progress::GoOn
            }
        }
    }

    /// The `defer` statement that the step is for is over: its call is the one that has become pending. Waits for it.
    fn defer_made(
        &mut self,
        tid: Tid,
        frame: &Frame,
        before: &[u64],
        body: Option<&dispatch::Body>,
    ) -> Progress {
        let (Some(inf), Some(step)) = (self.inferior.as_ref(), self.step.as_ref()) else {
            return Progress::GoOn;
        };
        let process = inf.process();
        let made = pending(&process, step.origin.goid, frame.frame_offset);
        let landed = made.into_iter().find(|f| !before.contains(f)).ok_or("nothing was deferred".to_string());
        let thread = process.threads.iter().find(|t| t.tid == tid.0).ok_or("the thread is gone".to_string());
        let landed = landed.and_then(|f| deferred(&inf.engine, &process, &thread?.regs, f));
        let landed = landed.or_else(|why| body.map(Landing::of_deferred).ok_or(why));
        let what = match &step.kind {
            StepKind::Into { what, .. } => what.clone(),
            _ => "defer".into(),
        };
        self.drop_temporaries(|m| matches!(m, Meaning::DeferMade { .. }));
        match landed {
            Ok(landing) => {
                self.wait_for(frame, landing, &what);
                Progress::GoOn
            }
            Err(why) => {
                self.console(&format!("The deferred call could not be followed: {why}"));
                Progress::Finished(Reported::step(frame.goid))
            }
        }
    }

    /// At the CALL of a call: where does it go? Arms the body and lets the program run on to it.
    fn enter_call(&mut self, tid: Tid, frame: &Frame, index: usize) {
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
    fn wait_for(&mut self, frame: &Frame, landing: Landing, what: &str) {
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

    fn arm_more(&mut self, t: Temporary) {
        let (Some(inf), Some(step)) = (self.inferior.as_mut(), self.step.as_mut()) else { return };
        let index = step.temporaries.len();
        match inf.arm(&[(t.addr, Owner::Temporary(index))]).map(|refused| refused.into_iter().next()) {
            Ok(None) => step.temporaries.push(t),
            Ok(Some(NotChanged { why, .. })) | Err(why) => {
                tracing::warn!("breakpoint on the body at {:#x}: {why}", t.addr);
            }
        }
    }

    fn drop_temporaries(&mut self, gone: impl Fn(&Meaning) -> bool) {
        let (Some(inf), Some(step)) = (self.inferior.as_mut(), self.step.as_ref()) else { return };
        let dropped = |o: Owner| match o {
            Owner::Temporary(i) => step.temporaries.get(i).is_some_and(|t| gone(&t.meaning)),
            _ => false,
        };
        inf.disarm_where(dropped);
    }

    /// True if plain steps don't stop in this function: the runtime's internals, and what `skipPackages` names.
    fn is_skipped(&self, process: &golang::Process<'_>, pc: u64) -> bool {
        let Some(f) = process.image.functions().at(pc) else { return true };
        let package = f.package();
        is_runtime(&package) || is_generated(&f.file()) || self.settings.skips(&package)
    }

    /// Results of the function that just returned, while they are still in registers.
    fn note_results(&mut self, tid: Tid, from: image::FuncId) {
        let Some(inf) = self.inferior.as_ref() else { return };
        let process = inf.process();
        let Some(thread) = process.threads.iter().find(|t| t.tid == tid.0) else { return };
        self.returned = results_after_return(&process, from, &thread.regs);
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
fn calls_of_line(
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

/// `dispatch: main.Shape.Area`, `closure`, `call`: what `stopped.description` begins with.
pub(crate) fn describe(call: &dispatch::CallSite) -> String {
    match (call.kind, &call.interface_name, &call.method) {
        (CallKind::Static, ..) => "call".into(),
        (CallKind::Closure | CallKind::MethodValue, ..) => "closure".into(),
        (_, Some(i), Some(m)) => format!("dispatch: {i}.{m}"),
        (_, _, Some(m)) => format!("dispatch: {m}"),
        (kind, ..) => kind.as_str().into(),
    }
}

/// Inlined calls around the top frame.
fn inline_depth(frames: &[Frame]) -> usize {
    frames.iter().take_while(|f| f.inlined).count()
}

fn origin_of(process: &golang::Process<'_>, goid: u64, top: &Frame, frames: &[Frame]) -> Origin {
    let mut group = (top.function, top.frame_offset);
    if let Some(f) = top.function.and_then(|id| process.image.functions().get(id))
        && let Some((root, _)) = f.name().split_once("-range")
    {
        let parent = frames.iter().find(|fr| {
            !fr.inlined
                && fr
                    .function
                    .and_then(|id| process.image.functions().get(id))
                    .is_some_and(|g| g.name() == root)
        });
        if let Some(p) = parent {
            group = (p.function, p.frame_offset);
        }
    }
    Origin {
        goid,
        function: top.function,
        frame_offset: top.frame_offset,
        group,
        file: top.file.to_string(),
        line: top.line,
        pc: top.pc,
    }
}
