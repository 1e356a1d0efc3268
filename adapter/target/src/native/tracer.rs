//! The tracer's thread: owns the fork, the thread table and every ptrace call. Waits for the program while it runs, for commands
//! while it stands.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use machine::Regs;

use crate::{
    Action, Event, NotChanged, Plan, Signal, TargetError, Tid,
    memory::ProcMemory,
    output::{Emitter, Outputs, tell_end},
    process::{self, End},
    ptrace,
    spawn::Prepared,
};

pub(super) type Command = Box<dyn FnOnce(&mut Tracer) + Send>;

pub(super) const INT3: u8 = 0xcc;
/// What makes new threads and children known to us.
const OPTIONS: i32 = libc::PTRACE_O_TRACECLONE
    | libc::PTRACE_O_TRACEFORK
    | libc::PTRACE_O_TRACEVFORK
    | libc::PTRACE_O_TRACEVFORKDONE
    | libc::PTRACE_O_TRACEEXEC;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Stopped,
    Running,
    Ended,
    Detached,
}

/// A thread's stop that the session has not heard of yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pending {
    Breakpoint(u64),
    HardTrap,
    StepDone,
    Signal(i32),
}

#[derive(Debug, Default)]
pub(super) struct Thread {
    pub(super) running: bool,
    /// Told to make one instruction.
    pub(super) stepping: bool,
    /// Stopped by job control; runs only after SIGCONT.
    pub(super) group_stop: bool,
    pub(super) pending: Option<Pending>,
    /// Met and not delivered; the first one may be the one whose delivery the thread is stopped at.
    pub(super) signals: Vec<i32>,
}

pub(super) struct Tracer {
    pub(super) pid: i32,
    launched: bool,
    pub(super) memory: Arc<ProcMemory>,
    /// Until the end.
    outputs: Option<Outputs>,
    emitter: Emitter,
    pub(super) state: State,
    pub(super) threads: BTreeMap<i32, Thread>,
    /// Children that stopped before the event that tells whose they are.
    pub(super) early: BTreeSet<i32>,
    pub(super) plan: Plan,
    /// Addresses that ever had a breakpoint: a trap behind one of them may be late.
    pub(super) ever: BTreeSet<u64>,
    /// Threads whose vfork children borrow the memory; breakpoints are out and all other threads wait until they are done.
    pub(super) vfork: BTreeSet<i32>,
    /// Returned to the session by `step_over`, not named in a resume yet.
    pub(super) held: Vec<(Tid, Signal)>,
    /// Sent after the command is answered: the session may be waiting for the answer before it reads events.
    pub(super) outbox: Vec<Event>,
    quit: bool,
}

impl Tracer {
    pub(super) fn launch(prepared: Prepared, emitter: Emitter) -> Result<Tracer, TargetError> {
        let running = prepared.run_traced(OPTIONS | libc::PTRACE_O_EXITKILL)?;
        let outputs = match Outputs::start(running.pipes, &emitter) {
            Ok(o) => o,
            Err(e) => {
                process::signal(-running.pid, libc::SIGKILL);
                process::reap(running.pid);
                return Err(e);
            }
        };
        let mut tracer = Tracer::new(running.pid, true, emitter, outputs);
        tracer.threads.insert(running.pid, Thread::default());
        Ok(tracer)
    }

    pub(super) fn attach(pid: i32, emitter: Emitter) -> Result<Tracer, TargetError> {
        let mut tracer = Tracer::new(pid, false, emitter, Outputs::default());
        // Threads are born while we look; after a round without a new one all are ours, and their children come with them.
        loop {
            let mut new = false;
            for Tid(tid) in process::threads(pid).map_err(|_| TargetError::NoSuchProcess(pid))? {
                if tracer.threads.contains_key(&tid) {
                    continue;
                }
                match ptrace::seize(tid, OPTIONS) {
                    Ok(()) => {
                        new = true;
                        tracer.threads.insert(tid, Thread { running: true, ..Thread::default() });
                    }
                    // Born of a thread that is ours already, or dead.
                    Err(_) if tid != pid => {}
                    Err(e) => return Err(crate::permission::refused("attaching", &e)),
                }
            }
            if !new {
                break;
            }
        }
        tracer.state = State::Running;
        tracer.stop_all();
        match tracer.state {
            State::Ended => Err(TargetError::NoSuchProcess(pid)),
            _ => Ok(tracer),
        }
    }

    fn new(pid: i32, launched: bool, emitter: Emitter, outputs: Outputs) -> Tracer {
        Tracer {
            pid,
            launched,
            memory: Arc::new(ProcMemory::open(pid)),
            outputs: Some(outputs),
            emitter,
            state: State::Stopped,
            threads: BTreeMap::new(),
            early: BTreeSet::new(),
            plan: Plan::run(),
            ever: BTreeSet::new(),
            vfork: BTreeSet::new(),
            held: Vec::new(),
            outbox: Vec::new(),
            quit: false,
        }
    }

    pub(super) fn pid(&self) -> i32 {
        self.pid
    }

    pub(super) fn memory(&self) -> Arc<ProcMemory> {
        self.memory.clone()
    }

    /// Until the session is through.
    pub(super) fn run(mut self, inbox: &Receiver<Command>) {
        while !self.quit {
            for event in std::mem::take(&mut self.outbox) {
                self.emitter.post(event);
            }
            if self.state != State::Running {
                match inbox.recv_timeout(process::DEATH_WATCH) {
                    Ok(command) => command(&mut self),
                    Err(RecvTimeoutError::Timeout) => self.look_for_death(),
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            } else if let Ok(command) = inbox.try_recv() {
                command(&mut self);
            } else {
                self.wait_once();
            }
        }
        self.finish();
    }

    /// One change of one task, or a kick.
    fn wait_once(&mut self) {
        match self.next_change() {
            Ok(Some((tid, status))) => {
                self.note(tid, status);
                self.react(tid);
            }
            Ok(None) => {}
            Err(_) => self.ended(None),
        }
    }

    /// The next change of any task of ours. A leader's end is noted here and not consumed: its number stays ours.
    pub(super) fn next_change(&mut self) -> std::io::Result<Option<(i32, ptrace::Status)>> {
        let Some((tid, end)) = ptrace::peek_wait(0)? else { return Ok(None) };
        if tid == self.pid
            && let Some(end) = end
        {
            self.ended(Some(end));
            return Ok(None);
        }
        ptrace::wait(tid, libc::WNOHANG)
    }

    /// The process is over: everything that it wrote first, then its end. `None`: its end is unknown, it was reaped elsewhere.
    fn ended(&mut self, end: Option<End>) {
        if self.state == State::Ended {
            return;
        }
        self.state = State::Ended;
        self.threads.clear();
        self.memory.set_ended();
        if !self.launched {
            // Its real parent can't see the end before we have.
            process::reap(self.pid);
        }
        let event = end.unwrap_or(End::Killed(libc::SIGKILL)).event();
        for earlier in std::mem::take(&mut self.outbox) {
            self.emitter.post(earlier);
        }
        tell_end(self.outputs.take(), self.emitter.clone(), event);
    }

    /// What the thread's end leaves: nothing of a launched program, an attached one unharmed.
    fn finish(&mut self) {
        match (self.launched, self.state) {
            (true, State::Detached) => {
                // Its death signal is tied to this thread.
                process::wait_end(self.pid);
                process::reap(self.pid);
            }
            (true, _) => {
                process::signal(-self.pid, libc::SIGKILL);
                // Every thread is a tracee that must be reaped before the leader can be.
                loop {
                    match ptrace::wait(-1, 0) {
                        Ok(Some((tid, ptrace::Status::Gone))) if tid == self.pid => break,
                        Ok(_) => {}
                        Err(_) => break,
                    }
                }
            }
            (false, State::Stopped | State::Running) => {
                let _gone = self.detach();
            }
            (false, _) => {}
        }
    }

    // ---- commands

    pub(super) fn quit(&mut self) {
        self.quit = true;
    }

    /// If the process was killed while it stood, the wait for its end begins.
    fn look_for_death(&mut self) {
        if self.state == State::Stopped && process::is_dead(self.pid) {
            self.await_death();
        }
    }

    /// SIGKILL takes every thread out of its stop.
    fn await_death(&mut self) {
        self.state = State::Running;
        self.memory.set_running(true);
        for t in self.threads.values_mut() {
            t.running = true;
        }
    }

    pub(super) fn need_stopped(&self) -> Result<(), TargetError> {
        match self.state {
            State::Stopped => Ok(()),
            State::Running => Err(TargetError::Running),
            State::Ended | State::Detached => Err(TargetError::Ended),
        }
    }

    fn need_thread(&self, tid: Tid) -> Result<(), TargetError> {
        self.need_stopped()?;
        if self.threads.get(&tid.0).is_some_and(|t| !t.running) {
            Ok(())
        } else {
            Err(TargetError::NoSuchThread(tid))
        }
    }

    /// Those of the threads that stand.
    pub(super) fn read_regs(&mut self, tids: &[Tid]) -> Result<Vec<(Tid, Regs)>, TargetError> {
        self.need_stopped()?;
        let read = |tid: &Tid| {
            self.need_thread(*tid).ok()?;
            Some((*tid, ptrace::read_regs(tid.0).ok()?))
        };
        Ok(tids.iter().filter_map(read).collect())
    }

    pub(super) fn write_regs(&mut self, tid: Tid, regs: &Regs) -> Result<(), TargetError> {
        self.need_thread(tid)?;
        ptrace::write_regs(tid.0, regs).map_err(TargetError::io("writing registers"))
    }

    pub(super) fn write_memory(&mut self, addr: u64, bytes: &[u8]) -> Result<(), TargetError> {
        self.need_stopped()?;
        // Breakpoints out, bytes in, breakpoints in again: each keeps the byte that is the program's now.
        let end = addr.saturating_add(bytes.len() as u64);
        let mut image = bytes.to_vec();
        for (a, _) in self.memory.breakpoints().into_iter().filter(|(a, _)| (addr..end).contains(a)) {
            if self.vfork.is_empty()
                && let Some(b) = image.get_mut((a - addr) as usize)
            {
                *b = INT3;
            }
        }
        if !self.memory.write_raw(addr, &image) {
            self.write_code(addr, &image).map_err(|_| TargetError::Unmapped(addr))?;
        }
        self.memory.note_write(addr, bytes);
        Ok(())
    }

    pub(super) fn change_breakpoints(
        &mut self,
        clear: &[u64],
        set: &[u64],
    ) -> Result<Vec<NotChanged>, TargetError> {
        self.need_stopped()?;
        let cleared = clear.iter().map(|a| (*a, self.clear_breakpoint(*a))).collect::<Vec<_>>();
        let done = cleared.into_iter().chain(set.iter().map(|a| (*a, self.set_breakpoint(*a))));
        Ok(done.filter_map(|(addr, r)| r.err().map(|why| NotChanged { addr, why })).collect())
    }

    fn set_breakpoint(&mut self, addr: u64) -> Result<(), TargetError> {
        if self.memory.original(addr).is_some() {
            return Ok(());
        }
        let mut byte = [0];
        match machine::Memory::read(&*self.memory, addr, &mut byte) {
            Ok(1) => {}
            _ => return Err(TargetError::Unmapped(addr)),
        }
        let [original] = byte;
        self.memory.add(addr, original);
        self.ever.insert(addr);
        if self.vfork.is_empty() && self.write_code(addr, &[INT3]).is_err() {
            self.memory.remove(addr);
            return Err(TargetError::Unmapped(addr));
        }
        Ok(())
    }

    fn clear_breakpoint(&mut self, addr: u64) -> Result<(), TargetError> {
        let Some(original) = self.memory.original(addr) else { return Ok(()) };
        self.write_code(addr, &[original]).map_err(|_| TargetError::Unmapped(addr))?;
        self.memory.remove(addr);
        Ok(())
    }

    /// Writes text through any thread that stands.
    pub(super) fn write_code(&self, addr: u64, bytes: &[u8]) -> std::io::Result<()> {
        let mut last = std::io::Error::from_raw_os_error(libc::ESRCH);
        for (tid, _) in self.threads.iter().filter(|(_, t)| !t.running) {
            match ptrace::write_bytes(*tid, addr, bytes) {
                Err(e) if e.raw_os_error() == Some(libc::ESRCH) => last = e,
                other => return other,
            }
        }
        Err(last)
    }

    /// Puts every int3 in place, or every original byte.
    pub(super) fn write_breakpoints(&self, insert: bool) {
        for (addr, original) in self.memory.breakpoints() {
            // A page that was unmapped meanwhile needs none.
            let _unmapped = self.write_code(addr, &[if insert { INT3 } else { original }]);
        }
    }

    pub(super) fn interrupt(&mut self) -> Result<(), TargetError> {
        if self.state != State::Running {
            return Ok(());
        }
        self.stop_all();
        if self.state == State::Stopped && !self.report_pending(|_| true) {
            let tid = Tid(if self.threads.contains_key(&self.pid) { self.pid } else { self.first_thread() });
            self.outbox.push(Event::Stopped(crate::Stop { tid, why: crate::Why::Interrupted }));
        }
        Ok(())
    }

    pub(super) fn first_thread(&self) -> i32 {
        self.threads.keys().next().copied().unwrap_or(self.pid)
    }

    pub(super) fn kill(&mut self) -> Result<(), TargetError> {
        if matches!(self.state, State::Ended | State::Detached) {
            return Ok(());
        }
        process::signal(if self.launched { -self.pid } else { self.pid }, libc::SIGKILL);
        self.await_death();
        Ok(())
    }

    pub(super) fn detach(&mut self) -> Result<(), TargetError> {
        match self.state {
            State::Running => self.stop_all(),
            State::Stopped => {}
            State::Ended | State::Detached => return Ok(()),
        }
        if self.state == State::Ended {
            return Ok(());
        }
        self.write_breakpoints(false);
        for (addr, _) in self.memory.breakpoints() {
            self.memory.remove(addr);
        }
        for (tid, signal) in std::mem::take(&mut self.held) {
            process::signal_thread(self.pid, tid.0, signal.0);
        }
        for (tid, t) in std::mem::take(&mut self.threads) {
            let mut signals = t.signals.into_iter().chain(match t.pending {
                Some(Pending::Signal(s)) => Some(s),
                _ => None,
            });
            let first = signals.next().unwrap_or(0);
            for s in signals {
                process::signal_thread(self.pid, tid, s);
            }
            let _ended = ptrace::detach(tid, first);
        }
        self.state = State::Detached;
        Ok(())
    }

    pub(super) fn resume(&mut self, plan: Plan) -> Result<(), TargetError> {
        match self.state {
            State::Ended => return Ok(()),
            _ => self.need_stopped()?,
        }
        for (tid, _, signal) in &plan.threads {
            let Some(signal) = signal else { continue };
            if let Some(i) = self.held.iter().position(|h| h == &(*tid, *signal)) {
                self.held.swap_remove(i);
            }
            if let Some(t) = self.threads.get_mut(&tid.0) {
                t.signals.push(signal.0);
            }
        }
        self.plan = plan;
        let plan = self.plan.clone();
        if !self.report_pending(|tid| action_of(&plan, tid).is_some()) {
            self.run_all();
        }
        Ok(())
    }
}

/// What a plan wants of a thread; `None`: it is held.
pub(super) fn action_of(plan: &Plan, tid: i32) -> Option<Action> {
    let named = plan.threads.iter().find(|t| t.0.0 == tid).map(|t| t.1);
    named.or_else(|| plan.run_others.then_some(Action::Continue))
}
