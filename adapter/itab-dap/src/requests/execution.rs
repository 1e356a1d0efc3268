//! `continue`, `next`, `stepIn`, `stepOut`, `pause`, `stepInTargets`.
//!
//! Answers go out before the program runs: a `stopped` that overtakes its answer confuses clients.

use wire::{Responder, requests as rq, types as t};

use crate::{
    control::step::StepKind,
    error::Refused,
    session::{Reason, Reported, Session, State},
};

fn by_instruction(g: Option<&t::SteppingGranularity>) -> bool {
    matches!(g, Some(t::SteppingGranularity::Instruction))
}

impl Session {
    pub(crate) fn on_continue(&mut self, _a: t::ContinueArguments, r: Responder<rq::Continue>) {
        r.answer(Ok(t::ContinueResponse { all_threads_continued: Some(true) }));
        if self.state == State::Ended {
            return self.tell_end_again();
        }
        self.leave_stop();
        let from = self.stopped_thread();
        self.run_or_say(|s| s.resume_from(from));
    }

    pub(crate) fn on_next(&mut self, a: t::NextArguments, r: Responder<rq::Next>) {
        self.tell_step(a.thread_id);
        r.answer(Ok(()));
        self.step(a.thread_id, StepKind::Next, by_instruction(a.granularity.as_ref()));
    }

    pub(crate) fn on_step_out(&mut self, a: t::StepOutArguments, r: Responder<rq::StepOut>) {
        self.tell_step(a.thread_id);
        r.answer(Ok(()));
        self.step(a.thread_id, StepKind::Out, by_instruction(a.granularity.as_ref()));
    }

    pub(crate) fn on_step_in(&mut self, a: t::StepInArguments, r: Responder<rq::StepIn>) {
        let Some(id) = a.target_id else {
            self.tell_step(a.thread_id);
            r.answer(Ok(()));
            return self.step(a.thread_id, StepKind::In, by_instruction(a.granularity.as_ref()));
        };
        let Some(call) = self.call_sites.get(id) else {
            return r.answer(Err(Refused::Stale("step-in target", id).into()));
        };
        r.answer(Ok(()));
        self.dispatch_step(a.thread_id as u64, &call);
    }

    /// DAP's `continued` goes without saying after a step; Delve says it.
    fn tell_step(&self, thread_id: i64) {
        if self.client.as_delve {
            self.event(t::ContinuedEvent { thread_id, all_threads_continued: Some(true) });
        }
    }

    fn step(&mut self, thread_id: i64, kind: StepKind, instruction: bool) {
        let goid = thread_id as u64;
        self.leave_stop();
        if instruction {
            return self.step_one_instruction(goid);
        }
        self.run_or_say(|s| s.begin_step(goid, kind, None));
    }

    fn step_one_instruction(&mut self, goid: u64) {
        let tid = self.thread_of(goid);
        self.trace_before_instruction(tid);
        let Some((inf, tid)) = self.inferior.as_mut().zip(tid) else {
            return self
                .report_failed_step(goid, "this goroutine is not on a thread; it can't run one instruction");
        };
        match inf.step_instruction(tid) {
            Ok(false) => {
                self.set_stopped_thread(tid);
                self.report(Reported::step(Some(goid)));
            }
            Ok(true) => self.state = State::Running,
            Err(e) => self.report_failed_step(goid, &e.to_string()),
        }
    }

    /// Resumes; a refusal after the answer is a stop that says why, in the same place.
    pub(crate) fn run_or_say(&mut self, run: impl FnOnce(&mut Session) -> Result<(), String>) {
        let goid = self.selected;
        if let Err(why) = run(self) {
            self.report_failed_step(goid.unwrap_or(1), &why);
        }
    }

    fn report_failed_step(&mut self, goid: u64, why: &str) {
        if !self.client.as_delve {
            self.console(&format!("The step could not be made: {why}"));
        }
        let reason = if self.client.as_delve { Reason::Error } else { Reason::Step };
        let mut r = Reported::new(reason, Some(goid));
        r.text = Some(why.to_string());
        self.report(r);
    }

    pub(crate) fn on_pause(&mut self, a: t::PauseArguments, r: Responder<rq::Pause>) {
        let body = match (self.state, self.inferior.as_mut()) {
            (State::Running, Some(inf)) => inf.interrupt().map_err(|e| Refused::Pause(e.to_string())),
            _ => Ok(()),
        };
        let running = self.state == State::Running && body.is_ok();
        r.answer(body.map_err(Into::into));
        if running {
            self.want_pause(u64::try_from(a.thread_id).unwrap_or(0));
        }
    }

    pub(crate) fn on_step_in_targets(
        &mut self,
        a: t::StepInTargetsArguments,
        r: Responder<rq::StepInTargets>,
    ) {
        let result = self.line_calls(Some(a.frame_id), dispatch::Scope::Line).map(|calls| {
            let targets = calls.iter().filter(|c| !c.site.in_progress).map(present_target).collect();
            t::StepInTargetsResponse { targets }
        });
        r.answer(result.map_err(Into::into));
    }
}

fn present_target(c: &crate::session::KnownCall) -> t::StepInTarget {
    let span = c.site.span.as_ref();
    t::StepInTarget {
        id: c.id,
        label: dispatch::label(&c.site),
        line: span.map(|s| i64::from(s.line)).or(c.site.line.map(i64::from)),
        column: span.map(|s| i64::from(s.column)),
        end_line: span.map(|s| i64::from(s.end_line)),
        end_column: span.map(|s| i64::from(s.end_column)),
    }
}
