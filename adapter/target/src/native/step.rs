//! One instruction of one thread, the others held.

use std::time::{Duration, Instant};

use super::{Doing, Native, ptrace};
use crate::{
    Event, Signal, StepOver, TargetError, Tid,
    memory::{INT3, lock},
    spawn::end_of,
};

/// SYSCALL.
const SYSCALL: [u8; 2] = [0x0f, 0x05];

/// How a wait for the step ended.
enum Stepped {
    Done,
    /// A signal came first; the instruction has not run. `fault`: the instruction itself caused it.
    Signal {
        signal: i32,
        fault: bool,
    },
    /// Another event of the thread: step again.
    Event,
    Ended(Event),
    ThreadGone,
}

impl Native {
    pub(super) fn step_one(&mut self, tid: Tid, deadline: Duration) -> Result<StepOver, TargetError> {
        let pc = ptrace::pc(tid.0).map_err(|_| TargetError::NoSuchThread(tid))?;
        let lifted = lock(&self.shadow).get(&pc).copied();
        if let Some(byte) = lifted {
            self.memory.write_raw(pc, &[byte]).map_err(|_| TargetError::Unmapped(pc))?;
        }
        let system_call = [pc, pc + 1].map(|a| self.byte_at(a)) == SYSCALL.map(Some);
        let result = self.step_until_done(tid, deadline, system_call);
        if lifted.is_some()
            && !self.over
            && let Err(e) = self.memory.write_raw(pc, &[INT3])
        {
            tracing::warn!("putting back the breakpoint at {pc:#x}: {e}");
        }
        result
    }

    fn byte_at(&self, addr: u64) -> Option<u8> {
        lock(&self.shadow).get(&addr).copied().or_else(|| self.memory.raw_byte(addr))
    }

    fn step_until_done(
        &mut self,
        tid: Tid,
        deadline: Duration,
        system_call: bool,
    ) -> Result<StepOver, TargetError> {
        let mut out = StepOver::default();
        let until = Instant::now() + deadline;
        // A system call may wait for another thread (futex): those run meanwhile.
        if system_call {
            let others: Vec<i32> = self.threads.keys().copied().filter(|t| *t != tid.0).collect();
            for t in others {
                self.continue_thread(t);
            }
        }
        loop {
            ptrace::single_step(tid.0).map_err(|_| TargetError::NoSuchThread(tid))?;
            match self.wait_for_step(tid.0, until)? {
                Stepped::Done => break,
                Stepped::Signal { signal, fault } => {
                    out.pending.push((tid, Signal(signal)));
                    if fault {
                        break;
                    }
                }
                Stepped::Event => {}
                Stepped::Ended(e) => {
                    self.over = true;
                    lock(&self.shadow).clear();
                    self.readers.tell_end_after_output(self.events.clone(), e);
                    return Ok(out);
                }
                Stepped::ThreadGone => {
                    self.threads.remove(&tid.0);
                    break;
                }
            }
        }
        if system_call {
            self.stop_all();
        }
        Ok(out)
    }

    fn wait_for_step(&mut self, tid: i32, until: Instant) -> Result<Stepped, TargetError> {
        let mut spins = 0_u32;
        let status = loop {
            if let Some(status) = ptrace::wait(tid, false) {
                break status;
            }
            spins += 1;
            match spins {
                0..200 => std::hint::spin_loop(),
                200..2_000 => std::thread::yield_now(),
                _ if Instant::now() > until => {
                    self.bring_back(tid);
                    return Err(TargetError::StepTimeout);
                }
                _ => std::thread::sleep(Duration::from_micros(50)),
            }
        };
        if !libc::WIFSTOPPED(status) {
            return Ok(match end_of(status) {
                Some(e) if tid == self.pid => Stepped::Ended(e),
                _ => Stepped::ThreadGone,
            });
        }
        let signal = libc::WSTOPSIG(status);
        if status >> 16 != 0 {
            // An interrupt that was still due, or an event of the instruction (clone): not a finished step by itself.
            return Ok(self.event_in_step(tid, status >> 16));
        }
        if signal == libc::SIGTRAP {
            return Ok(Stepped::Done);
        }
        let synchronous = matches!(signal, libc::SIGSEGV | libc::SIGBUS | libc::SIGFPE | libc::SIGILL);
        let fault = synchronous && ptrace::signal_code(tid).is_some_and(|c| c > 0);
        Ok(Stepped::Signal { signal, fault })
    }

    fn event_in_step(&mut self, tid: i32, event: i32) -> Stepped {
        match event {
            libc::PTRACE_EVENT_CLONE => {
                if let Some(new) = ptrace::event_message(tid) {
                    self.threads.insert(
                        new,
                        super::Thread { doing: Doing::Running, new: true, ..super::Thread::stopped() },
                    );
                    self.stop_all_but(tid);
                }
            }
            libc::PTRACE_EVENT_FORK => self.let_fork_go(tid),
            libc::PTRACE_EVENT_VFORK => self.wait_out_vfork(tid),
            _ => {
                if let Some(t) = self.threads.get_mut(&tid) {
                    t.interrupt_pending = false;
                }
            }
        }
        // The caller steps again: the instruction has not run, or its end is still to come.
        Stepped::Event
    }

    fn stop_all_but(&mut self, tid: i32) {
        if let Some(t) = self.threads.get_mut(&tid) {
            t.doing = Doing::Stopped;
        }
        self.stop_all();
    }

    /// Stops a thread whose step did not end.
    fn bring_back(&mut self, tid: i32) {
        if let Some(t) = self.threads.get_mut(&tid) {
            t.doing = Doing::Running;
        }
        self.stop_all();
    }
}
