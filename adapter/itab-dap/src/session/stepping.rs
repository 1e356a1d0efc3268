//! Steps: arming the temporary breakpoints of a plan, and going on when one of them is hit.

use dispatch::CallKind;
use golang::{Frame, StackOf};
use target::{NotChanged, Tid};

use super::{Session, entering::calls_of_line, stop::Reported};
use crate::control::{
    landing::{Landing, Reached, of_funcval},
    plan::{Start, goroutine_end},
    results::results_after_return,
    step::{Meaning, Origin, Step, StepKind, Temporary, pending},
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
        let landed =
            landed.and_then(|f| of_funcval(&inf.engine, &process, &thread?.regs, f, Reached::Deferred));
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

    pub(super) fn arm_more(&mut self, t: Temporary) {
        let (Some(inf), Some(step)) = (self.inferior.as_mut(), self.step.as_mut()) else { return };
        let index = step.temporaries.len();
        match inf.arm(&[(t.addr, Owner::Temporary(index))]).map(|refused| refused.into_iter().next()) {
            Ok(None) => step.temporaries.push(t),
            Ok(Some(NotChanged { why, .. })) | Err(why) => {
                tracing::warn!("breakpoint on the body at {:#x}: {why}", t.addr);
            }
        }
    }

    pub(super) fn drop_temporaries(&mut self, gone: impl Fn(&Meaning) -> bool) {
        let (Some(inf), Some(step)) = (self.inferior.as_mut(), self.step.as_ref()) else { return };
        let dropped = |o: Owner| match o {
            Owner::Temporary(i) => step.temporaries.get(i).is_some_and(|t| gone(&t.meaning)),
            _ => false,
        };
        inf.disarm_where(dropped);
    }

    /// Results of the function that just returned, while they are still in registers.
    fn note_results(&mut self, tid: Tid, from: image::FuncId) {
        let Some(inf) = self.inferior.as_ref() else { return };
        let process = inf.process();
        let Some(thread) = process.threads.iter().find(|t| t.tid == tid.0) else { return };
        self.returned = results_after_return(&process, from, &thread.regs);
    }
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
