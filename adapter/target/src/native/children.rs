//! Processes that the program starts: they run untraced and without our breakpoints.

use super::{Doing, Native, ptrace};
use crate::{Event, Tid, memory::ProcMemory, memory::lock, process};

/// How long a vfork child may run in the program's memory (until it execs or exits).
const VFORK_POLLS: u32 = 200_000;

impl Native {
    /// fork: the child has a copy of the memory, breakpoints included. They are taken out of it, then it is let go.
    pub(super) fn let_fork_go(&mut self, tid: i32) {
        let Some(child) = ptrace::event_message(tid) else { return };
        let stopped = ptrace::wait(child, true).is_some_and(|s| libc::WIFSTOPPED(s));
        if !stopped {
            return;
        }
        match ProcMemory::open(child, self.shadow.clone()) {
            Ok(memory) => self.write_all_breakpoints(&memory, false),
            Err(e) => tracing::warn!("memory of child {child}: {e}"),
        }
        ptrace::detach(child, child, &[]);
    }

    /// vfork: the child runs in the program's own memory while its parent waits. All threads are held and all breakpoints are
    /// out for that time, so no hit is missed and none hits the child.
    pub(super) fn wait_out_vfork(&mut self, tid: i32) {
        let Some(child) = ptrace::event_message(tid) else { return };
        if !ptrace::wait(child, true).is_some_and(|s| libc::WIFSTOPPED(s)) {
            return;
        }
        self.stop_all();
        self.write_all_breakpoints(&self.memory, false);
        ptrace::detach(child, child, &[]);
        if ptrace::cont(tid, 0).is_ok() {
            self.wait_for_vfork_done(tid);
        }
        self.write_all_breakpoints(&self.memory, true);
        let others: Vec<i32> = self.threads.keys().copied().filter(|t| *t != tid).collect();
        if self.running && self.pending.is_empty() {
            for t in others {
                self.continue_thread(t);
            }
        }
    }

    fn wait_for_vfork_done(&mut self, tid: i32) {
        for _ in 0..VFORK_POLLS {
            let Some(status) = ptrace::wait(tid, false) else {
                std::thread::sleep(std::time::Duration::from_micros(50));
                continue;
            };
            if !libc::WIFSTOPPED(status) {
                self.threads.remove(&tid);
                return;
            }
            match status >> 16 {
                libc::PTRACE_EVENT_VFORK_DONE => return,
                0 => {
                    if let Some(t) = self.threads.get_mut(&tid) {
                        t.deliver.push(libc::WSTOPSIG(status));
                    }
                }
                _ => {}
            }
            if ptrace::cont(tid, 0).is_err() {
                return;
            }
        }
        tracing::warn!("a child of thread {tid} did not leave the program's memory in time");
    }

    /// exec: one thread is left, memory is new, breakpoints are gone.
    pub(super) fn after_exec(&mut self, tid: i32) {
        self.threads.clear();
        let leader = super::Thread { doing: Doing::Stopped, ..super::Thread::stopped() };
        self.threads.insert(self.pid, leader);
        lock(&self.shadow).clear();
        self.pending.clear();
        self.running = false;
        let path = std::fs::read_link(format!("/proc/{}/exe", self.pid)).unwrap_or_default();
        let _former = tid;
        if process::thread_group(self.pid).is_some() {
            self.tell(Event::Exec { tid: Tid(self.pid), path });
        }
    }
}
