//! New threads, children and new programs. Threads become ours; children run on untraced, their copy of our int3s taken out.

use super::tracer::{State, Thread, Tracer, action_of};
use crate::{
    Event, Tid, process,
    ptrace::{self, Status},
};

impl Tracer {
    /// A clone, fork, vfork or exec event of a thread that stands.
    pub(super) fn note_family(&mut self, tid: i32, event: i32) {
        match event {
            libc::PTRACE_EVENT_CLONE => {
                let Ok(new) = ptrace::event_message(tid) else { return };
                if process::thread_group(new) == Some(self.pid) {
                    // Its first stop comes by itself, or came already.
                    self.threads.entry(new).or_insert(Thread { running: true, ..Thread::default() });
                } else {
                    self.release_child(new);
                }
            }
            libc::PTRACE_EVENT_FORK => {
                if let Ok(child) = ptrace::event_message(tid) {
                    self.release_child(child);
                }
            }
            libc::PTRACE_EVENT_VFORK => {
                let Ok(child) = ptrace::event_message(tid) else { return };
                // Until the child has called exec it runs in this memory; no other thread may pass a lifted breakpoint meanwhile.
                if !self.memory.breakpoints().is_empty() {
                    self.hold_others(tid);
                }
                self.release_child(child);
            }
            libc::PTRACE_EVENT_VFORK_DONE => self.vfork_done(tid),
            libc::PTRACE_EVENT_EXEC => self.new_program(),
            _ => {}
        }
    }

    fn hold_others(&mut self, tid: i32) {
        self.vfork.insert(tid);
        // One that waits for its own child can't stop before that child is done.
        let waiting = self.vfork.clone();
        for (other, t) in self.threads.iter_mut().filter(|(other, t)| t.running && !waiting.contains(other)) {
            t.running = ptrace::interrupt(*other).is_ok();
        }
        self.collect_but(&waiting);
    }

    /// Restores the child's bytes (its own copy, or the memory that it borrows) and lets it go.
    fn release_child(&mut self, child: i32) {
        while !self.early.remove(&child) {
            match ptrace::wait(child, 0) {
                Ok(None) => {}
                Ok(Some((_, Status::Stopped { .. }))) => break,
                Ok(Some((_, Status::Gone))) | Err(_) => return,
            }
        }
        for (addr, original) in self.memory.breakpoints() {
            // The child has not run yet: what is not mapped there can't be executed.
            let _unmapped = ptrace::write_bytes(child, addr, &[original]);
        }
        let _killed = ptrace::detach(child, 0);
    }

    /// The memory is ours alone again. Hits that were met while the others were being held are told now.
    pub(super) fn vfork_done(&mut self, tid: i32) {
        if !self.vfork.remove(&tid) || !self.vfork.is_empty() {
            return;
        }
        self.write_breakpoints(true);
        if self.state != State::Running {
            return;
        }
        let plan = self.plan.clone();
        if self.report_pending(|t| action_of(&plan, t).is_some()) {
            self.halted();
        } else {
            self.run_all();
        }
    }

    /// exec: one thread is left, in another address space.
    fn new_program(&mut self) {
        self.threads.clear();
        self.threads.insert(self.pid, Thread::default());
        self.vfork.clear();
        self.held.clear();
        self.ever.clear();
        self.memory.exec();
        self.memory.set_running(false);
        self.state = State::Stopped;
        self.outbox.push(Event::Exec { tid: Tid(self.pid), path: process::executable(self.pid) });
    }
}
