//! One instruction of one thread, the breakpoint under it lifted. Must never deliver a signal before that instruction has run, and
//! never run another thread past the lifted breakpoint.

use std::time::{Duration, Instant};

use machine::Memory;

use super::tracer::{INT3, Pending, State, Tracer};
use crate::{Event, Plan, Signal, StepOver, Stop, TargetError, Tid, Why, ptrace};

/// `SYSCALL`.
const SYSCALL: [u8; 2] = [0x0f, 0x05];
/// A system call that takes longer may be waiting for another thread.
const RELEASE: Duration = Duration::from_millis(2);
/// Signals that an instruction raises itself.
const FAULTS: [i32; 4] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL];

/// How one attempt ended.
enum Attempt {
    Done,
    Again,
    Instead(Event),
}

impl Tracer {
    pub(super) fn step_over(&mut self, tid: Tid, deadline: Duration) -> Result<StepOver, TargetError> {
        match self.state {
            State::Ended => return Ok(StepOver { instead: Some(ended(tid)), ..StepOver::default() }),
            _ => self.need_stopped()?,
        }
        if self.report_pending(|t| t == tid.0) {
            return Ok(StepOver { instead: self.outbox.pop(), ..StepOver::default() });
        }
        let pc = ptrace::pc(tid.0).map_err(|_| TargetError::NoSuchThread(tid))?;
        let mut code = [0; 2];
        let known = self.memory.read(pc, &mut code).unwrap_or(0);
        if known > 0 && code.first() == Some(&INT3) {
            // The program's own int3 has had its effect: the stop.
            ptrace::set_pc(tid.0, pc.wrapping_add(1)).map_err(TargetError::io("writing registers"))?;
            return Ok(StepOver::default());
        }
        let mut step = Step {
            tid: tid.0,
            pc,
            syscall: code == SYSCALL,
            released: false,
            lifted: false,
            pending: Vec::new(),
        };
        self.lift(&mut step);
        let result = self.until_done(&mut step, Instant::now() + deadline, deadline);
        if self.state == State::Running {
            self.stop_all();
        }
        self.collect();
        self.put_back(&mut step);
        self.memory.drop_cache();
        self.held.extend(step.pending.iter().copied());
        result.map(|instead| StepOver { pending: step.pending, instead })
    }

    fn lift(&self, step: &mut Step) {
        if let Some(original) = self.memory.original(step.pc)
            && self.vfork.is_empty()
        {
            step.lifted = self.write_code(step.pc, &[original]).is_ok();
        }
    }

    /// Through any thread that stands; with a single one that is inside a system call it waits until that one stands again.
    fn put_back(&self, step: &mut Step) {
        if step.lifted && self.vfork.is_empty() && self.memory.original(step.pc).is_some() {
            step.lifted = self.write_code(step.pc, &[INT3]).is_err();
        }
    }

    fn until_done(
        &mut self,
        step: &mut Step,
        until: Instant,
        deadline: Duration,
    ) -> Result<Option<Event>, TargetError> {
        loop {
            if ptrace::step(step.tid, 0).is_err() {
                return Ok(Some(ended(Tid(step.tid))));
            }
            if let Some(t) = self.threads.get_mut(&step.tid) {
                (t.running, t.stepping) = (true, true);
            }
            match self.await_step(step, until, deadline)? {
                Attempt::Done => return Ok(None),
                Attempt::Instead(event) => return Ok(Some(event)),
                Attempt::Again => {}
            }
        }
    }

    /// Waits until the stepping thread stands.
    fn await_step(
        &mut self,
        step: &mut Step,
        until: Instant,
        deadline: Duration,
    ) -> Result<Attempt, TargetError> {
        let started = Instant::now();
        loop {
            // The caller's kicks bring us back every millisecond.
            match self.next_change() {
                Ok(Some((tid, status))) => self.note(tid, status),
                Ok(None) => {}
                Err(_) => return Ok(Attempt::Instead(ended(Tid(step.tid)))),
            }
            if let Some(event) = self.outbox.pop() {
                return Ok(Attempt::Instead(event));
            }
            let Some(t) = self.threads.get_mut(&step.tid) else {
                return Ok(Attempt::Instead(ended(Tid(step.tid))));
            };
            if !t.running {
                t.stepping = false;
                let pending = t.pending.take();
                return Ok(self.judge(step, pending));
            }
            if step.released && self.mind_others(step.tid) {
                self.stop_all();
                self.report_pending(|_| true);
                return Ok(Attempt::Instead(self.outbox.pop().unwrap_or(ended(Tid(step.tid)))));
            }
            if step.syscall && !step.released && started.elapsed() >= RELEASE {
                self.release_others(step);
            }
            if Instant::now() >= until {
                // The stop that this brings is collected by the caller.
                let _ended = ptrace::interrupt(step.tid);
                return Err(TargetError::StepTimeout(deadline));
            }
        }
    }

    fn judge(&mut self, step: &mut Step, pending: Option<Pending>) -> Attempt {
        let tid = Tid(step.tid);
        match pending {
            Some(Pending::StepDone) => Attempt::Done,
            Some(Pending::Signal(s)) => {
                let raised = FAULTS.contains(&s) && ptrace::signal_code(step.tid).is_ok_and(|c| c > 0);
                if raised || !step.pending.contains(&(tid, Signal(s))) {
                    step.pending.push((tid, Signal(s)));
                }
                if raised { Attempt::Done } else { Attempt::Again }
            }
            Some(Pending::Breakpoint(addr)) => Attempt::Instead(stopped(tid, Why::Breakpoint(addr))),
            Some(Pending::HardTrap) => Attempt::Instead(stopped(tid, Why::HardTrap)),
            None => Attempt::Again,
        }
    }

    /// The thread is inside the kernel: the breakpoint goes back, and the others may do what it waits for.
    fn release_others(&mut self, step: &mut Step) {
        step.released = true;
        self.put_back(step);
        if step.lifted {
            // There is no other thread.
            return;
        }
        self.plan = Plan::run();
        self.run_all();
    }

    /// Lets others that merely changed run on. `true`: one has something to tell.
    fn mind_others(&mut self, stepping: i32) -> bool {
        let stands: Vec<i32> = self
            .threads
            .iter()
            .filter(|(tid, t)| **tid != stepping && !t.running)
            .map(|(tid, _)| *tid)
            .collect();
        for tid in stands {
            if self.threads.get(&tid).is_some_and(|t| t.pending.is_some()) {
                return true;
            }
            self.run_thread(tid);
        }
        false
    }
}

struct Step {
    tid: i32,
    pc: u64,
    syscall: bool,
    released: bool,
    lifted: bool,
    pending: Vec<(Tid, Signal)>,
}

fn stopped(tid: Tid, why: Why) -> Event {
    Event::Stopped(Stop { tid, why })
}

/// The thread or process ended; what more there is to say is on its way as an event.
fn ended(tid: Tid) -> Event {
    stopped(tid, Why::Spurious)
}
