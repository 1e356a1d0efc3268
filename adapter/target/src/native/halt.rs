//! What a task's change means, and the two movements of the whole: everything stops, everything runs by plan.
//!
//! A signal reaches a thread only when it runs on; one that is met while all are being stopped waits with the thread.

use std::collections::BTreeSet;

use machine::Memory;

use super::tracer::{INT3, Pending, State, Thread, Tracer, action_of};
use crate::{
    Action, Event, Signal, Stop, Tid, Why, process,
    ptrace::{self, EVENT_STOP, Status},
};

/// si_code of a trap that the kernel raised for an int3.
const SI_KERNEL: i32 = 0x80;

impl Tracer {
    /// Takes note of one change. The task stands afterwards, or is gone; nothing is resumed here.
    pub(super) fn note(&mut self, tid: i32, status: Status) {
        let (signal, event) = match status {
            Status::Gone => {
                self.threads.remove(&tid);
                self.early.remove(&tid);
                self.vfork_done(tid);
                return;
            }
            Status::Stopped { signal, event } => (signal, event),
        };
        if !self.threads.contains_key(&tid) {
            if process::thread_group(tid) == Some(self.pid) {
                self.threads.insert(tid, Thread::default());
            } else {
                self.early.insert(tid);
                return;
            }
        }
        if let Some(t) = self.threads.get_mut(&tid) {
            t.running = false;
            t.group_stop = event == EVENT_STOP && signal != libc::SIGTRAP;
        }
        match event {
            0 if signal == libc::SIGTRAP => self.note_trap(tid),
            0 => self.note_signal(tid, signal),
            EVENT_STOP => {}
            _ => self.note_family(tid, event),
        }
    }

    fn note_signal(&mut self, tid: i32, signal: i32) {
        let Some(t) = self.threads.get_mut(&tid) else { return };
        if t.stepping {
            t.stepping = false;
            t.pending = Some(Pending::Signal(signal));
        } else {
            t.signals.push(signal);
        }
    }

    fn note_trap(&mut self, tid: i32) {
        let code = ptrace::signal_code(tid).unwrap_or(libc::TRAP_TRACE);
        if code <= 0 {
            // Sent by somebody with kill.
            return self.note_signal(tid, libc::SIGTRAP);
        }
        let stepping = self.threads.get_mut(&tid).is_some_and(|t| std::mem::take(&mut t.stepping));
        let pending =
            if code == SI_KERNEL { self.trap_behind(tid) } else { stepping.then_some(Pending::StepDone) };
        if let Some(t) = self.threads.get_mut(&tid) {
            t.pending = pending;
            // A late hit of a removed breakpoint did not execute the instruction that it was to step.
            t.stepping = stepping && pending.is_none();
        }
    }

    /// An int3 was executed. Ours: the pc goes back on it. Ours no longer: the same, and the program never learns of it.
    fn trap_behind(&mut self, tid: i32) -> Option<Pending> {
        let addr = ptrace::pc(tid).ok()?.wrapping_sub(1);
        if self.memory.original(addr).is_some() {
            ptrace::set_pc(tid, addr).ok()?;
            return Some(Pending::Breakpoint(addr));
        }
        let mut byte = [0];
        self.memory.drop_cache();
        let hard = self.memory.read(addr, &mut byte) == Ok(1) && byte == [INT3];
        if hard || !self.ever.contains(&addr) {
            return Some(Pending::HardTrap);
        }
        ptrace::set_pc(tid, addr).ok()?;
        None
    }

    /// While the program runs: a task has changed. Either it alone runs on, or all stop and the session hears of it.
    pub(super) fn react(&mut self, tid: i32) {
        if self.state != State::Running {
            return;
        }
        if self.threads.get(&tid).is_some_and(|t| t.pending.is_some()) {
            self.stop_all();
            if self.state == State::Stopped {
                self.report_pending(|t| t == tid);
            }
            return;
        }
        for tid in self.vfork.clone().into_iter().chain([tid]) {
            self.run_thread(tid);
        }
        if self.state == State::Running && self.threads.values().all(|t| !t.running) {
            self.run_all();
            if self.threads.values().all(|t| !t.running) && !self.threads.is_empty() {
                // The only thread that was to run has ended.
                self.halted();
                let tid = Tid(self.first_thread());
                self.outbox.push(Event::Stopped(Stop { tid, why: Why::Spurious }));
            }
        }
    }

    pub(super) fn halted(&mut self) {
        self.state = State::Stopped;
        self.memory.set_running(false);
    }

    /// Stops every thread, and waits until all stand.
    pub(super) fn stop_all(&mut self) {
        for (tid, t) in self.threads.iter_mut().filter(|(_, t)| t.running) {
            // A thread that can't be asked is dying; its end comes by itself.
            if ptrace::interrupt(*tid).is_err() {
                t.running = false;
            }
        }
        self.halted();
        self.collect();
    }

    /// Waits until no thread of the table runs.
    pub(super) fn collect(&mut self) {
        self.collect_but(&BTreeSet::new());
    }

    /// The same, without waiting for the threads of `except`.
    pub(super) fn collect_but(&mut self, except: &BTreeSet<i32>) {
        while self.state != State::Ended
            && self.threads.iter().any(|(tid, t)| t.running && !except.contains(tid))
        {
            match self.next_change() {
                Ok(Some((tid, status))) => self.note(tid, status),
                Ok(None) => {}
                Err(_) => return,
            }
        }
    }

    /// Tells the session of one stop that it has not heard of, among threads that `of` wants. Hits whose breakpoint is gone are dropped.
    pub(super) fn report_pending(&mut self, of: impl Fn(i32) -> bool) -> bool {
        for (&tid, t) in &mut self.threads {
            let Some(pending) = t.pending else { continue };
            if let Pending::Breakpoint(addr) = pending
                && self.memory.original(addr).is_none()
            {
                t.pending = None;
                continue;
            }
            if !of(tid) {
                continue;
            }
            t.pending = None;
            t.stepping = false;
            let tid = Tid(tid);
            let why = match pending {
                Pending::Breakpoint(addr) => Why::Breakpoint(addr),
                Pending::HardTrap => Why::HardTrap,
                Pending::StepDone => Why::StepDone,
                Pending::Signal(s) => {
                    self.held.push((tid, Signal(s)));
                    Why::Signal(Signal(s))
                }
            };
            self.outbox.push(Event::Stopped(Stop { tid, why }));
            return true;
        }
        false
    }

    /// Lets every thread run that the plan lets run; during a vfork only the one that waits for its child.
    pub(super) fn run_all(&mut self) {
        self.state = State::Running;
        self.memory.set_running(true);
        let tids: Vec<i32> = self.threads.keys().copied().collect();
        for tid in tids {
            self.run_thread(tid);
        }
    }

    /// Resumes one thread by plan with the first of its signals; the others go back to the kernel's queue.
    pub(super) fn run_thread(&mut self, tid: i32) {
        if !self.vfork.is_empty() && !self.vfork.contains(&tid) {
            return;
        }
        let Some(action) = action_of(&self.plan, tid) else { return };
        let Some(t) = self.threads.get_mut(&tid).filter(|t| !t.running && t.pending.is_none()) else {
            return;
        };
        let mut signals = std::mem::take(&mut t.signals).into_iter();
        let first = signals.next().unwrap_or(0);
        for s in signals {
            process::signal_thread(self.pid, tid, s);
        }
        t.stepping = action == Action::Step;
        let resumed = match action {
            Action::Step => ptrace::step(tid, first),
            Action::Continue if t.group_stop && first == 0 => ptrace::listen(tid),
            Action::Continue => ptrace::cont(tid, first),
        };
        t.running = resumed.is_ok();
    }
}
