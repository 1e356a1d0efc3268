//! What the back end reports: stops, output, exits. Decides for each stop whether the user sees it.

use target::{Event, Stop, Stream, Tid, Why};

use super::{
    Session, State,
    stepping::Progress,
    stop::{Reason, Reported},
};
use crate::control::{
    breakpoints::Place,
    guards::{Verdict, verdict},
    table::{BreakpointId, Internal, Owner},
};

/// How long a running program may take to stand still.
const STOP_DEADLINE: std::time::Duration = std::time::Duration::from_secs(5);

/// Instructions from the INT3 in `runtime.breakpoint` back to its caller's caller, at most.
const MAX_TRAP_INSTRUCTIONS: usize = 16;

impl Session {
    pub(super) fn on_target_event(&mut self, event: Event) {
        match event {
            Event::Stopped(stop) => self.on_stop(stop),
            Event::Output { stream, bytes } => self.on_output(stream, &bytes),
            Event::OutputClosed { stream } => self.flush_output(stream),
            Event::Exited { code } => self.on_exit(code),
            // As Delve: the number of the signal, negated... but clients read exit codes as unsigned: 128 + n as shells do.
            Event::Signalled { signal } => {
                let end = if std::mem::take(&mut self.end_wanted) && signal.0 == libc::SIGKILL {
                    "terminated, as you asked".to_string()
                } else {
                    format!("killed by signal {}", signal.0)
                };
                self.console(&format!("Process {} was {end}.", self.pid()));
                self.on_exit(128 + signal.0);
            }
            Event::Exec { tid, path } => self.on_exec(tid, &path),
            Event::Lost { why } => self.on_lost(&why),
        }
    }

    fn on_stop(&mut self, stop: Stop) {
        let tid = stop.tid;
        self.stopped_tid = Some(tid);
        match stop.why {
            Why::Breakpoint(addr) => self.on_breakpoint(tid, addr),
            Why::Signal(signal) => {
                if let Some(inf) = self.inferior.as_mut() {
                    inf.note_signal(tid, signal);
                }
                self.go_on();
            }
            Why::Interrupted => self.on_interrupted(tid),
            Why::HardTrap => self.on_hard_trap(tid),
            Why::StepDone => {
                let goid = self.goid_of(tid);
                self.report(Reported::step(goid));
            }
            Why::Spurious => self.go_on(),
        }
    }

    /// An INT3 of the program's own. Behind `runtime.Breakpoint()` the author's code is a few instructions up: that is shown.
    fn on_hard_trap(&mut self, tid: Tid) {
        for _ in 0..MAX_TRAP_INSTRUCTIONS {
            let Some(frame) = self.top_frame(tid) else { break };
            if !matches!(frame.symbol.as_str(), "runtime.breakpoint" | "runtime.Breakpoint") {
                break;
            }
            match self.inferior.as_mut().map(|inf| inf.step_instruction(tid)) {
                Some(Ok(false)) => {}
                // Another event came first; it is handled next, and this stop is shown where it is.
                Some(Ok(true)) | None => break,
                Some(Err(e)) => {
                    tracing::warn!("stepping out of runtime.Breakpoint: {e}");
                    break;
                }
            }
        }
        self.cancel_step();
        let goid = self.goid_of(tid);
        self.report(Reported::new(Reason::Breakpoint, goid));
    }

    /// Our interrupt came through: for the user's pause a stop, else (it was overtaken by another stop) nothing.
    fn on_interrupted(&mut self, tid: Tid) {
        if self.pause_wanted.take().is_some() {
            self.cancel_step();
            let goid = self.goroutine_to_show(tid);
            self.report(Reported::new(Reason::Pause, goid));
        } else {
            self.go_on();
        }
    }

    fn on_breakpoint(&mut self, tid: Tid, addr: u64) {
        let Some(inf) = self.inferior.as_mut() else { return };
        inf.note_hit(tid, addr);
        self.begin_trace_hit();
        let Some(inf) = self.inferior.as_mut() else { return };
        let owners = inf.owners(addr);
        if owners.is_empty() || inf.read_thread(tid).is_err() {
            return self.go_on();
        }
        let goid = self.goid_of(tid);
        let mut hit: Vec<BreakpointId> = Vec::new();
        let mut progress = None;
        let mut internal = None;
        let mut remark = None;
        for owner in owners {
            match owner {
                Owner::User(id) => {
                    if let Some(note) = self.user_breakpoint_stops(tid, goid, id, addr) {
                        hit.push(id);
                        remark = remark.or(note);
                    }
                }
                Owner::Internal(i) => internal = internal.or_else(|| self.on_internal(tid, goid, i, addr)),
                Owner::Temporary(i) if progress.is_none() => {
                    if let Some(frame) = self.top_frame(tid)
                        && let Progress::Finished(r) = self.on_temporary(tid, goid, &frame, i)
                    {
                        progress = Some(r);
                    }
                }
                Owner::Temporary(_) => {}
                Owner::Trace(p) => self.on_trace_point(tid, goid, p),
            }
        }
        if !hit.is_empty() {
            self.cancel_step();
            let remark = remark.or_else(|| internal.and_then(|r: Reported| r.text));
            return self.report(self.breakpoint_report(goid, &hit, addr, remark));
        }
        match internal.or(progress) {
            Some(r) => {
                self.tell_step_interrupted(&r);
                self.cancel_step();
                self.report(r);
            }
            None => self.go_on(),
        }
    }

    fn breakpoint_report(
        &self,
        goid: Option<u64>,
        hit: &[BreakpointId],
        addr: u64,
        remark: Option<String>,
    ) -> Reported {
        let place = hit.first().and_then(|id| self.breakpoints.get(*id)).map(|b| &b.place);
        let reason = match place {
            Some(Place::Function { .. } | Place::Method { .. }) => Reason::FunctionBreakpoint,
            Some(Place::Instruction { .. }) => Reason::InstructionBreakpoint,
            _ => Reason::Breakpoint,
        };
        let mut r = Reported::new(reason, goid);
        let shown = |id: &BreakpointId| self.breakpoints.get(*id).map_or(*id, |b| b.shown_id(addr)).0;
        r.hit = hit.iter().map(shown).collect();
        r.text = remark;
        r
    }

    /// Caller, condition, hit condition and log message of one breakpoint: whether it stops, and what the user should know of it.
    fn user_breakpoint_stops(
        &mut self,
        tid: Tid,
        goid: Option<u64>,
        id: BreakpointId,
        addr: u64,
    ) -> Option<Option<String>> {
        let remark = match self.guards_say(tid, id, addr) {
            Verdict::Counts => None,
            Verdict::Other => return None,
            Verdict::Unknown(why) => Some(why),
        };
        match self.condition_holds(tid, id, addr) {
            Ok(false) => return None,
            Ok(true) => {}
            Err(why) => {
                self.console(&format!("The condition of breakpoint {} failed: {why}", id.0));
                return Some(remark);
            }
        }
        let b = self.breakpoints.get_mut(id)?;
        if !b.count_hit() {
            return None;
        }
        if self.breakpoints.get(id).and_then(|b| b.spot(addr)).is_none_or(|s| s.log.is_none()) {
            return Some(remark);
        }
        if let Some(why) = remark {
            self.console(&format!("Breakpoint {}: what follows may be another call: {why}.", id.0));
        }
        self.log_point(tid, goid, id, addr);
        None
    }

    /// Whether the call of a shared body is one that the breakpoint is on.
    fn guards_say(&mut self, tid: Tid, id: BreakpointId, addr: u64) -> Verdict {
        let Some(spot) = self.breakpoints.get(id).and_then(|b| b.spot(addr)) else { return Verdict::Other };
        if spot.guards.is_empty() {
            return Verdict::Counts;
        }
        let guards = spot.guards.clone();
        let Some(frame) = self.top_frame(tid) else {
            return Verdict::Unknown("the frame can't be read".into());
        };
        let Some(inf) = self.inferior.as_ref() else { return Verdict::Other };
        let process = inf.process();
        let frame = process.with_dictionary(frame);
        let (verdict, watch) = verdict(&guards, &inf.engine, &process, &frame, &self.passages);
        let Some(inf) = self.inferior.as_mut() else { return Verdict::Other };
        let new = watch.into_iter().filter(|load| self.passages.watch(*load));
        let loads: Vec<_> = new.map(|load| (load.pc, Owner::Internal(Internal::MethodLoad))).collect();
        inf.arm_or_warn(&loads, "loads of methods");
        verdict
    }

    fn on_internal(&mut self, tid: Tid, goid: Option<u64>, which: Internal, addr: u64) -> Option<Reported> {
        match which {
            Internal::Entry => {
                if let Some(inf) = self.inferior.as_mut() {
                    inf.disarm_where(|o| o == Owner::Internal(Internal::Entry));
                }
                Some(Reported::new(Reason::Entry, goid))
            }
            Internal::MethodLoad => {
                if let Some(frame) = self.top_frame(tid) {
                    self.passages.note(addr, &frame);
                }
                None
            }
            Internal::ItabMade => {
                self.on_itab_made(tid);
                None
            }
            _ => self.exception_report(tid, goid, which),
        }
    }

    /// Interrupts the running program and waits for it to stand still. Another stop that comes first stays in the backlog and is
    /// handled after; then nothing is to be resumed here.
    pub(crate) fn stop_for_a_moment(&mut self) -> bool {
        let Some(inf) = self.inferior.as_mut() else { return false };
        if let Err(e) = inf.interrupt() {
            self.console(&format!("The running program could not be stopped: {e}"));
            return false;
        }
        let deadline = std::time::Instant::now() + STOP_DEADLINE;
        loop {
            let Some(inf) = self.inferior.as_mut() else { return false };
            match inf.events().recv_deadline(deadline) {
                Ok(Event::Output { stream, bytes }) => self.on_output(stream, &bytes),
                Ok(Event::OutputClosed { stream }) => self.flush_output(stream),
                Ok(Event::Stopped(Stop { tid, why: Why::Interrupted })) => {
                    self.stopped_tid = Some(tid);
                    return true;
                }
                Ok(other) => {
                    inf.set_aside(other);
                    return false;
                }
                Err(_) => {
                    self.console(
                        "The running program did not stop in time; breakpoints are set at its next stop.",
                    );
                    return false;
                }
            }
        }
    }

    /// Lets the program run on after a stop that the user does not see.
    pub(crate) fn go_on(&mut self) {
        if let Err(e) = self.resume_from(None) {
            self.console(&format!("The program could not be resumed: {e}"));
            let goid = self.stopped_tid.and_then(|t| self.goid_of(t));
            self.report(
                Reported::new(Reason::Pause, goid)
                    .described("the debugger could not resume the program".into()),
            );
        }
    }

    pub(crate) fn resume_from(&mut self, from: Option<Tid>) -> Result<(), String> {
        self.trace_what_is_passed(from);
        let Some(inf) = self.inferior.as_mut() else { return Err("no program".into()) };
        inf.resume(from).map_err(|e| e.to_string())?;
        self.state = State::Running;
        Ok(())
    }

    fn on_output(&mut self, stream: Stream, bytes: &[u8]) {
        let text = self.decoder(stream).push(bytes);
        if !text.is_empty() {
            self.output(stream, text);
        }
    }

    fn flush_output(&mut self, stream: Stream) {
        let text = self.decoder(stream).finish();
        if !text.is_empty() {
            self.output(stream, text);
        }
    }

    fn on_exit(&mut self, code: i32) {
        for s in [Stream::Stdout, Stream::Stderr] {
            self.flush_output(s);
        }
        self.finish_program(code);
    }
}
