//! The program under the debugger: back end, image, and the threads of the present stop. Resuming, stepping over a breakpoint
//! and delivering signals happen here and nowhere else.
//!
//! The rule that must hold: between a reported hit and the execution of the instruction there no signal reaches that thread, and
//! no signal is ever dropped (a lost SIGURG hangs Go's scheduler).

use std::{collections::VecDeque, sync::Arc, time::Duration};

use crossbeam_channel::Receiver;
use dispatch::Engine;
use golang::{MadeTypes, Process, ThreadState};
use image::{FuncId, Image};
use machine::{Memory, Regs};
use target::{Action, Event, NotChanged, Plan, Signal, Target, TargetError, Tid};

use super::table::{AddressTable, Owner};

/// One instruction, others held; a SYSCALL releases them. Far above any real step.
const STEP_DEADLINE: Duration = Duration::from_secs(5);

/// The stopped or running program.
pub(crate) struct Inferior {
    target: Box<dyn Target>,
    events: Receiver<Event>,
    /// Events that arrived while something else was awaited; handled before new ones.
    backlog: VecDeque<Event>,
    pub(crate) image: Arc<Image>,
    pub(crate) made: Arc<MadeTypes>,
    pub(crate) engine: Arc<Engine>,
    memory: Arc<dyn Memory>,
    /// Registers read so far at this stop.
    threads: Vec<ThreadState>,
    all_threads_read: bool,
    /// Threads at a breakpoint that must not hit again: the hit was reported, or they were stopped there by a step. The instruction there
    /// has not run yet. The latest is the last.
    at_breakpoint: Vec<(Tid, u64)>,
    /// Signals that stopped a thread and are delivered with the next resume.
    signals: Vec<(Tid, Signal)>,
    table: AddressTable,
}

impl Inferior {
    pub(crate) fn new(target: Box<dyn Target>, events: Receiver<Event>, image: Arc<Image>) -> Self {
        let memory = target.memory();
        Inferior {
            target,
            events,
            backlog: VecDeque::new(),
            image,
            made: Arc::new(MadeTypes::new()),
            engine: Arc::new(Engine::new()),
            memory,
            threads: Vec::new(),
            all_threads_read: false,
            at_breakpoint: Vec::new(),
            signals: Vec::new(),
            table: AddressTable::default(),
        }
    }

    pub(crate) fn target(&mut self) -> &mut dyn Target {
        &mut *self.target
    }

    pub(crate) fn pid(&self) -> i32 {
        self.target.pid()
    }

    pub(crate) fn description(&self) -> String {
        self.target.description()
    }

    /// The channel the session selects on.
    pub(crate) fn events(&self) -> &Receiver<Event> {
        &self.events
    }

    /// An event that was set aside earlier.
    pub(crate) fn next_backlog(&mut self) -> Option<Event> {
        self.backlog.pop_front()
    }

    pub(crate) fn set_aside(&mut self, e: Event) {
        self.backlog.push_back(e);
    }

    pub(crate) fn memory(&self) -> &Arc<dyn Memory> {
        &self.memory
    }

    /// The process as far as its threads have been read; see [`Self::read_thread`] and [`Self::read_all_threads`].
    pub(crate) fn process(&self) -> Process<'_> {
        Process::new(&self.image, &*self.memory, &self.threads, &self.made)
    }

    /// The same over another memory: one with a budget and a cancel token.
    pub(crate) fn process_over<'a>(&'a self, mem: &'a dyn Memory) -> Process<'a> {
        Process::new(&self.image, mem, &self.threads, &self.made)
    }

    /// A thread's registers at this stop, read once.
    pub(crate) fn read_thread(&mut self, tid: Tid) -> Result<&ThreadState, TargetError> {
        if let Some(i) = self.threads.iter().position(|t| t.tid == tid.0)
            && self.threads.get(i).is_some()
        {
            return self.threads.get(i).ok_or(TargetError::NoSuchThread(tid));
        }
        let regs = self.target.read_regs(tid)?;
        self.threads.push(ThreadState { tid: tid.0, regs });
        self.threads.last().ok_or(TargetError::NoSuchThread(tid))
    }

    /// Registers of every thread, once per stop. A thread that is gone is left out.
    pub(crate) fn read_all_threads(&mut self) -> Result<(), TargetError> {
        if self.all_threads_read {
            return Ok(());
        }
        let known = |tid: &Tid| self.threads.iter().any(|t| t.tid == tid.0);
        let new: Vec<Tid> = self.target.threads()?.into_iter().filter(|t| !known(t)).collect();
        let read = self.target.read_all_regs(&new)?;
        self.threads.extend(read.into_iter().map(|(tid, regs)| ThreadState { tid: tid.0, regs }));
        self.all_threads_read = true;
        Ok(())
    }

    /// Finds the calls of a function on another thread, so that a step or a question about them need not wait for it.
    pub(crate) fn analyse_ahead(&self, function: FuncId) {
        let Some(f) = self.image.functions().get(function).filter(|f| !self.engine.is_analysed(*f)) else {
            return;
        };
        let (engine, image, id) = (Arc::clone(&self.engine), Arc::clone(&self.image), f.id());
        let work = move || drop(engine.sites(&image, id));
        if let Err(e) = std::thread::Builder::new().name("analysis".into()).spawn(work) {
            tracing::warn!("no analysis ahead: {e}");
        }
    }

    /// Writes registers of a thread, at the target and in what was read.
    pub(crate) fn write_regs(&mut self, tid: Tid, regs: &Regs) -> Result<(), TargetError> {
        self.target.write_regs(tid, regs)?;
        if let Some(t) = self.threads.iter_mut().find(|t| t.tid == tid.0) {
            t.regs = regs.clone();
        }
        Ok(())
    }

    pub(crate) fn write_memory(&mut self, addr: u64, bytes: &[u8]) -> Result<(), TargetError> {
        self.target.write_memory(addr, bytes)
    }

    // ---- breakpoints

    /// Sets breakpoints, all in one go. Those that the target refuses are returned.
    pub(crate) fn arm(&mut self, wanted: &[(u64, Owner)]) -> Result<Vec<NotChanged>, TargetError> {
        self.table.add(&mut *self.target, wanted)
    }

    /// The same for breakpoints of our own that a user can't mend: what is refused is logged.
    pub(crate) fn arm_or_warn(&mut self, wanted: &[(u64, Owner)], of: &str) {
        match self.arm(wanted) {
            Ok(refused) => {
                for r in refused {
                    tracing::warn!("the breakpoint on {of} at {:#x}: {}", r.addr, r.why);
                }
            }
            Err(e) => tracing::warn!("breakpoints on {of}: {e}"),
        }
    }

    /// Owners that want no stop any more. Their breakpoints go before the program runs again.
    pub(crate) fn disarm_where(&mut self, gone: impl Fn(Owner) -> bool) {
        self.table.remove_where(gone);
    }

    /// A breakpoint that can't be removed does no harm: its hits are nobody's.
    fn settle(&mut self) -> Result<(), TargetError> {
        for kept in self.table.settle(&mut *self.target)? {
            tracing::warn!("the breakpoint at {:#x} could not be removed: {}", kept.addr, kept.why);
        }
        Ok(())
    }

    pub(crate) fn owners(&self, addr: u64) -> Vec<Owner> {
        self.table.owners(addr)
    }

    pub(crate) fn forget_breakpoints(&mut self) {
        self.table.forget_all();
    }

    // ---- running

    /// A thread's hit of the breakpoint at `addr` was taken note of: it is stepped over before the next resume.
    pub(crate) fn note_hit(&mut self, tid: Tid, addr: u64) {
        self.at_breakpoint.retain(|(t, _)| *t != tid);
        self.at_breakpoint.push((tid, addr));
    }

    /// The thread whose hit was the last that was taken note of, unless it was resumed since.
    pub(crate) fn at_breakpoint(&self) -> Option<Tid> {
        self.at_breakpoint.last().map(|(t, _)| *t)
    }

    /// A signal stopped a thread; it is delivered with the next resume.
    pub(crate) fn note_signal(&mut self, tid: Tid, signal: Signal) {
        self.signals.push((tid, signal));
    }

    /// What was read at this stop is void.
    fn forget_stop(&mut self) {
        self.threads.clear();
        self.all_threads_read = false;
    }

    /// Lets everything run. `from` is the thread that the user looked at: a breakpoint set at its pc meanwhile does not hit at once.
    pub(crate) fn resume(&mut self, from: Option<Tid>) -> Result<(), TargetError> {
        if let Some(tid) = from.filter(|_| self.at_breakpoint.is_empty()) {
            let pc = self.read_thread(tid).map(|t| t.regs.pc()).unwrap_or(0);
            if self.target.has_breakpoint(pc) {
                self.note_hit(tid, pc);
            }
        }
        if !self.backlog.is_empty() {
            // An event of the last run is not handled yet; it decides. The session takes it from the backlog.
            self.forget_stop();
            return Ok(());
        }
        self.settle()?;
        while let Some((tid, addr)) = self.at_breakpoint.last().copied() {
            // It may have been moved since, or ended.
            if self.read_thread(tid).map(|t| t.regs.pc()).ok() != Some(addr) {
                self.at_breakpoint.pop();
            } else if self.step_instruction(tid)? {
                return Ok(());
            }
        }
        self.forget_stop();
        // All at once: a signal kept for a later resume would reach its thread at a hit that is not reported yet. A fault goes first:
        // only the first is delivered as it came, the others are sent anew.
        let mut signals = std::mem::take(&mut self.signals);
        signals.sort_by_key(|(_, s)| !is_fault(*s));
        let threads = signals.into_iter().map(|(tid, s)| (tid, Action::Continue, Some(s))).collect();
        self.target.resume(&Plan { threads, run_others: true })
    }

    /// Executes one instruction of `tid`, a breakpoint under it lifted. True if another event came instead (it is in the backlog); then
    /// the instruction may not have run, and what is known of the thread's hit stays.
    pub(crate) fn step_instruction(&mut self, tid: Tid) -> Result<bool, TargetError> {
        self.settle()?;
        let r = self.target.step_over(tid, STEP_DEADLINE)?;
        self.forget_stop();
        self.signals.extend(r.pending);
        match r.instead {
            Some(e) => {
                self.backlog.push_back(e);
                Ok(true)
            }
            None => {
                self.at_breakpoint.retain(|(t, _)| *t != tid);
                Ok(false)
            }
        }
    }

    pub(crate) fn interrupt(&mut self) -> Result<(), TargetError> {
        self.target.interrupt()
    }

    /// Lets go of the program, breakpoints removed, held signals handed back.
    pub(crate) fn detach(&mut self) -> Result<(), TargetError> {
        self.disarm_where(|_| true);
        self.settle()?;
        self.target.detach()
    }

    pub(crate) fn kill(&mut self) -> Result<(), TargetError> {
        self.target.kill()
    }
}

/// Raised by an instruction, not by somebody.
fn is_fault(s: Signal) -> bool {
    matches!(s.0, libc::SIGSEGV | libc::SIGBUS | libc::SIGFPE | libc::SIGILL)
}
