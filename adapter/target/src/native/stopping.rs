//! What wait statuses mean, stopping all threads, continuing them.

use super::{Doing, Native, Thread, ptrace};
use crate::{Action, Event, Plan, Stop, Tid, Why, memory::INT3, memory::lock, spawn::end_of};

/// A PTRACE_EVENT_STOP.
const EVENT_STOP: i32 = 128;

/// What one status led to.
enum Outcome {
    /// Nothing the session needs: the thread goes on (or has gone).
    Internal,
    Tell(Stop),
    /// The whole process is gone.
    End(Event),
    Exec,
}

impl Native {
    /// Looks at every running thread for a status. Tells the first stop that counts, after stopping all others.
    pub(super) fn collect(&mut self) {
        let running: Vec<i32> =
            self.threads.iter().filter(|(_, t)| t.doing == Doing::Running).map(|(tid, _)| *tid).collect();
        for tid in running {
            if !self.running || self.over {
                break;
            }
            while let Some(status) = self.take_status(tid) {
                match self.on_status(tid, status, true) {
                    // Stops that were met while a vfork child was waited for.
                    Outcome::Internal if !self.pending.is_empty() => {
                        self.halt();
                        break;
                    }
                    Outcome::Internal => {}
                    Outcome::Tell(stop) => {
                        self.pending.push_back(stop);
                        self.halt();
                        break;
                    }
                    Outcome::End(e) => return self.end(e),
                    Outcome::Exec => {
                        self.after_exec(tid);
                        break;
                    }
                }
            }
        }
        if self.running && !self.over {
            self.waiter.arm();
        }
    }

    /// A status, if there is one. A thread that nobody can wait for any more is forgotten.
    fn take_status(&mut self, tid: i32) -> Option<i32> {
        if self.threads.get(&tid).is_none_or(|t| t.doing != Doing::Running) {
            return None;
        }
        let status = ptrace::wait(tid, false);
        if status.is_none() && ptrace::is_gone(tid) {
            self.threads.remove(&tid);
            if self.threads.is_empty() {
                self.end(Event::Lost { why: "the process can't be waited for any more".into() });
            }
        }
        status
    }

    /// All threads stand still; then the first stop is told.
    fn halt(&mut self) {
        self.stop_all();
        self.running = false;
        self.interrupt_wanted = false;
        self.tell_pending();
    }

    fn end(&mut self, e: Event) {
        self.threads.clear();
        self.running = false;
        self.over = true;
        lock(&self.shadow).clear();
        self.readers.tell_end_after_output(self.events.clone(), e);
    }

    /// Stops every thread that runs; what they report meanwhile is kept for later.
    pub(super) fn stop_all(&mut self) {
        loop {
            let running: Vec<i32> =
                self.threads.iter().filter(|(_, t)| t.doing == Doing::Running).map(|(tid, _)| *tid).collect();
            if running.is_empty() || self.over {
                return;
            }
            for tid in &running {
                if let Some(t) = self.threads.get_mut(tid)
                    && !t.interrupt_pending
                    && !t.new
                    && ptrace::interrupt(*tid)
                {
                    t.interrupt_pending = true;
                }
            }
            for tid in running {
                let Some(status) = ptrace::wait(tid, true) else {
                    self.threads.remove(&tid);
                    continue;
                };
                match self.on_status(tid, status, false) {
                    Outcome::Internal => {}
                    Outcome::Tell(stop) => self.pending.push_back(stop),
                    Outcome::End(e) => return self.end(e),
                    Outcome::Exec => return self.after_exec(tid),
                }
            }
        }
    }

    /// What a status means. `go_on`: a thread that has nothing to tell is continued; otherwise it stays stopped.
    fn on_status(&mut self, tid: i32, status: i32, go_on: bool) -> Outcome {
        if !libc::WIFSTOPPED(status) {
            self.threads.remove(&tid);
            return match end_of(status) {
                Some(e) if tid == self.pid => Outcome::End(e),
                _ => Outcome::Internal,
            };
        }
        if let Some(t) = self.threads.get_mut(&tid) {
            t.doing = Doing::Stopped;
        }
        let signal = libc::WSTOPSIG(status);
        match status >> 16 {
            0 if signal == libc::SIGTRAP => self.on_trap(tid, go_on),
            0 => {
                if let Some(t) = self.threads.get_mut(&tid) {
                    t.deliver.push(signal);
                }
                self.maybe_continue(tid, go_on)
            }
            libc::PTRACE_EVENT_CLONE => {
                if let Some(new) = ptrace::event_message(tid) {
                    let fresh = Thread { doing: Doing::Running, new: true, ..Thread::stopped() };
                    self.threads.entry(new).or_insert(fresh);
                    if go_on {
                        self.start_new_thread(new);
                    }
                }
                self.maybe_continue(tid, go_on)
            }
            libc::PTRACE_EVENT_FORK => {
                self.let_fork_go(tid);
                self.maybe_continue(tid, go_on)
            }
            libc::PTRACE_EVENT_VFORK => {
                self.wait_out_vfork(tid);
                self.maybe_continue(tid, go_on)
            }
            libc::PTRACE_EVENT_EXEC => Outcome::Exec,
            EVENT_STOP => self.on_event_stop(tid, signal, go_on),
            _ => self.maybe_continue(tid, go_on),
        }
    }

    /// A new thread's first stop may be there already: then it runs at once, without a round through the waiter.
    fn start_new_thread(&mut self, tid: i32) {
        if let Some(status) = ptrace::wait(tid, true)
            && libc::WIFSTOPPED(status)
            && let Some(t) = self.threads.get_mut(&tid)
        {
            t.doing = Doing::Stopped;
            t.new = false;
            self.continue_thread(tid);
        } else {
            self.threads.remove(&tid);
        }
    }

    fn on_event_stop(&mut self, tid: i32, signal: i32, go_on: bool) -> Outcome {
        let Some(t) = self.threads.get_mut(&tid) else { return Outcome::Internal };
        if t.new {
            t.new = false;
            return self.maybe_continue(tid, go_on);
        }
        if signal == libc::SIGTRAP {
            let asked = std::mem::replace(&mut t.interrupt_pending, false);
            if asked && go_on && self.interrupt_wanted {
                return Outcome::Tell(Stop { tid: Tid(tid), why: Why::Interrupted });
            }
            return self.maybe_continue(tid, go_on);
        }
        // A group stop (SIGSTOP from outside): it stays until SIGCONT.
        if go_on {
            ptrace::listen(tid);
            t.doing = Doing::Running;
        }
        Outcome::Internal
    }

    fn on_trap(&mut self, tid: i32, go_on: bool) -> Outcome {
        let Ok(pc) = ptrace::pc(tid) else { return Outcome::Internal };
        let at = pc.wrapping_sub(1);
        let breakpoint = matches!(ptrace::signal_code(tid), Some(libc::SI_KERNEL | 1));
        if breakpoint && lock(&self.shadow).contains_key(&at) {
            if let Err(e) = ptrace::set_pc(tid, at) {
                tracing::warn!("setting the pc back to {at:#x}: {e}");
            }
            return Outcome::Tell(Stop { tid: Tid(tid), why: Why::Breakpoint(at) });
        }
        if breakpoint && self.memory.raw_byte(at) == Some(INT3) {
            return Outcome::Tell(Stop { tid: Tid(tid), why: Why::HardTrap });
        }
        if breakpoint {
            // A hit of a breakpoint that was removed meanwhile: the instruction runs now.
            let _gone = ptrace::set_pc(tid, at);
        }
        self.maybe_continue(tid, go_on)
    }

    fn maybe_continue(&mut self, tid: i32, go_on: bool) -> Outcome {
        if go_on {
            self.continue_thread(tid);
        }
        Outcome::Internal
    }

    /// Lets one stopped thread run, with its oldest signal.
    pub(super) fn continue_thread(&mut self, tid: i32) {
        let Some(t) = self.threads.get_mut(&tid) else { return };
        let signal = if t.deliver.is_empty() { 0 } else { t.deliver.remove(0) };
        t.doing = Doing::Running;
        // A stop that is no signal stop can't inject one: the others are sent.
        for s in std::mem::take(&mut t.deliver) {
            ptrace::send(self.pid, tid, s);
        }
        if ptrace::cont(tid, signal).is_err() {
            tracing::debug!("thread {tid} could not be continued");
        }
    }

    /// What `resume` asks for.
    pub(super) fn continue_by(&mut self, plan: &Plan) {
        let all: Vec<i32> =
            self.threads.iter().filter(|(_, t)| t.doing == Doing::Stopped).map(|(tid, _)| *tid).collect();
        self.running = true;
        for tid in all {
            let named = plan.threads.iter().find(|t| t.0.0 == tid);
            match named {
                Some((_, Action::Step, _)) => self.step_and_leave(tid),
                Some(_) => self.continue_thread(tid),
                None if plan.run_others => self.continue_thread(tid),
                None => {}
            }
        }
        self.waiter.arm();
    }

    fn step_and_leave(&mut self, tid: i32) {
        if ptrace::single_step(tid).is_ok()
            && let Some(t) = self.threads.get_mut(&tid)
        {
            t.doing = Doing::Running;
        }
    }
}
