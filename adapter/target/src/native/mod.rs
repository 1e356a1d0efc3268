//! The embedded back end: ptrace, with no debugger installed at all. One tracer thread owns all ptrace calls.
//!
//!     session --jobs--> tracer thread <--wake-- waiter thread (waitid, consumes nothing)
//!
//! All-stop is made here: an event that counts stops every other thread by PTRACE_INTERRUPT before it is told. Signals go to the
//! program at once; they are never delivered between a hit and the execution of its instruction, because a thread with a hit
//! that is not told yet does not run.

mod children;
mod ptrace;
mod step;
mod stopping;
mod waiter;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    thread,
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, bounded, select};
use machine::Regs;

use self::waiter::Waiter;
use crate::{
    Event, Plan, Signal, StepOver, Stop, Target, TargetError, Tid, Why,
    actor::{Driver, Handle, Job, queue},
    memory::{INT3, ProcMemory, Shadow, lock},
    process,
    spawn::{Spawned, kill_group},
    stdio::Readers,
};

/// While the program runs the tracer looks by itself this often: the waiter does not see threads that changed their group.
const POLL: Duration = Duration::from_millis(50);

/// What a traced thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Running,
    Stopped,
}

#[derive(Debug)]
struct Thread {
    doing: Doing,
    /// PTRACE_INTERRUPT was asked for and its stop has not come.
    interrupt_pending: bool,
    /// Created by clone; its first stop says nothing.
    new: bool,
    /// Signal to deliver when it is continued.
    deliver: Vec<i32>,
}

impl Thread {
    fn stopped() -> Thread {
        Thread { doing: Doing::Stopped, interrupt_pending: false, new: false, deliver: Vec::new() }
    }
}

/// The tracer's state; lives on its thread.
struct Native {
    pid: i32,
    launched: bool,
    threads: BTreeMap<i32, Thread>,
    memory: Arc<ProcMemory>,
    shadow: Shadow,
    events: Sender<Event>,
    /// Stops that happened and are not told yet.
    pending: VecDeque<Stop>,
    running: bool,
    /// The session asked for a stop.
    interrupt_wanted: bool,
    waiter: Waiter,
    readers: Readers,
    /// Dropped at the end: lets the spawner thread go.
    _keeper: Option<Sender<()>>,
    over: bool,
}

pub(crate) fn launch(child: Spawned, events: Sender<Event>) -> Result<Box<dyn Target>, TargetError> {
    let Spawned { pid, pc, saved, keeper, readers } = child;
    start(pid, true, events, readers, Some(keeper.park()), move |n| {
        n.memory
            .write_raw(pc, &saved)
            .map_err(|source| TargetError::Io { what: "restoring the entry", source })
    })
    .inspect_err(|_| kill_group(pid))
}

pub(crate) fn attach(pid: i32, events: Sender<Event>) -> Result<Box<dyn Target>, TargetError> {
    start(pid, false, events, Readers::default(), None, |_| Ok(()))
}

fn start(
    pid: i32,
    launched: bool,
    events: Sender<Event>,
    readers: Readers,
    keeper: Option<Sender<()>>,
    prepare: impl FnOnce(&mut Native) -> Result<(), TargetError> + Send + 'static,
) -> Result<Box<dyn Target>, TargetError> {
    let shadow = Shadow::default();
    let memory = Arc::new(
        ProcMemory::open(pid, shadow.clone())
            .map_err(|source| TargetError::Io { what: "opening memory", source })?,
    );
    let (jobs, queue) = queue::<Native>();
    let (ready_tx, ready) = bounded(1);
    let (mem, shad) = (Arc::clone(&memory), shadow.clone());
    let tracer = move || {
        let waiter = match Waiter::start(pid) {
            Ok(w) => w,
            Err(source) => {
                let _gone = ready_tx.send(Err(TargetError::Io { what: "starting the waiter", source }));
                return;
            }
        };
        let mut native = Native {
            pid,
            launched,
            threads: BTreeMap::new(),
            memory: mem,
            shadow: shad,
            events,
            pending: VecDeque::new(),
            running: false,
            interrupt_wanted: false,
            waiter,
            readers,
            _keeper: keeper,
            over: false,
        };
        let seized = native.seize_all().and_then(|()| prepare(&mut native));
        let failed = seized.is_err();
        if ready_tx.send(seized).is_ok() && !failed {
            native.run(&queue);
        }
    };
    thread::Builder::new()
        .name("tracer".into())
        .spawn(tracer)
        .map_err(|source| TargetError::Io { what: "starting the tracer", source })?;
    ready.recv().map_err(|_| TargetError::Gone)??;
    Ok(Box::new(Handle { jobs, pid, memory, shadow, description: "native ptrace".into() }))
}

impl Native {
    /// The tracer thread's loop. Ends with the program, or when the session is gone.
    fn run(&mut self, jobs: &Receiver<Job<Native>>) {
        let wakes = self.waiter.wakes().clone();
        while !self.over {
            select! {
                recv(jobs) -> job => match job {
                    Ok(job) => job(self),
                    Err(_) => return self.session_is_gone(),
                },
                recv(wakes) -> _ => self.collect(),
                default(POLL) => if self.running { self.collect() },
            }
        }
        // The end was told; calls that still come get an error, not silence.
        drop(wakes);
    }

    fn session_is_gone(&mut self) {
        if self.launched {
            kill_group(self.pid);
        } else if let Err(e) = self.detach() {
            tracing::warn!("detaching: {e}");
        }
    }

    fn tell(&self, e: Event) {
        let _session_gone = self.events.send(e);
    }

    /// Takes every thread of the process, also those that are created meanwhile.
    fn seize_all(&mut self) -> Result<(), TargetError> {
        loop {
            let fresh: Vec<Tid> = process::threads(self.pid)?
                .into_iter()
                .filter(|t| !self.threads.contains_key(&t.0))
                .collect();
            if fresh.is_empty() {
                break;
            }
            for tid in fresh {
                match ptrace::seize(tid.0, self.launched) {
                    Ok(()) => {
                        self.threads.insert(tid.0, Thread { doing: Doing::Running, ..Thread::stopped() });
                    }
                    Err(e) if e.raw_os_error() == Some(libc::ESRCH) => {}
                    // Seized already: created by a thread that we trace.
                    Err(e) if e.raw_os_error() == Some(libc::EPERM) && !self.threads.is_empty() => {
                        let new = Thread { doing: Doing::Running, new: true, ..Thread::stopped() };
                        self.threads.insert(tid.0, new);
                    }
                    Err(e) => return Err(TargetError::AttachRefused { pid: self.pid, why: e.to_string() }),
                }
            }
            self.stop_all();
        }
        if self.threads.is_empty() { Err(TargetError::NoSuchProcess(self.pid)) } else { Ok(()) }
    }

    fn need_stopped(&self) -> Result<(), TargetError> {
        if self.over {
            Err(TargetError::Gone)
        } else if self.running {
            Err(TargetError::Running)
        } else {
            Ok(())
        }
    }

    /// Writes original bytes back, or the breakpoints again.
    fn write_all_breakpoints(&self, memory: &ProcMemory, armed: bool) {
        for (addr, byte) in lock(&self.shadow).iter() {
            let b = if armed { INT3 } else { *byte };
            if let Err(e) = memory.write_raw(*addr, &[b]) {
                tracing::warn!("breakpoint at {addr:#x}: {e}");
            }
        }
    }
}

impl Driver for Native {
    fn threads(&mut self) -> Result<Vec<Tid>, TargetError> {
        self.need_stopped()?;
        Ok(self.threads.keys().map(|t| Tid(*t)).collect())
    }

    fn read_regs(&mut self, tid: Tid) -> Result<Regs, TargetError> {
        self.need_stopped()?;
        ptrace::read_regs(tid.0).map_err(|_| TargetError::NoSuchThread(tid))
    }

    fn write_regs(&mut self, tid: Tid, regs: &Regs) -> Result<(), TargetError> {
        self.need_stopped()?;
        ptrace::write_regs(tid.0, regs)
            .map_err(|source| TargetError::Io { what: "writing registers", source })
    }

    fn write_memory(&mut self, addr: u64, bytes: &[u8]) -> Result<(), TargetError> {
        self.need_stopped()?;
        self.memory
            .write_raw(addr, bytes)
            .or_else(|_| ptrace::poke_bytes(self.pid, addr, bytes))
            .map_err(|_| TargetError::Unmapped(addr))
    }

    fn set_breakpoint(&mut self, addr: u64) -> Result<(), TargetError> {
        self.need_stopped()?;
        let byte = self.memory.raw_byte(addr).ok_or(TargetError::Unmapped(addr))?;
        self.write_memory(addr, &[INT3])?;
        lock(&self.shadow).insert(addr, byte);
        Ok(())
    }

    fn clear_breakpoint(&mut self, addr: u64) -> Result<(), TargetError> {
        self.need_stopped()?;
        let Some(byte) = lock(&self.shadow).get(&addr).copied() else { return Ok(()) };
        self.write_memory(addr, &[byte])?;
        lock(&self.shadow).remove(&addr);
        Ok(())
    }

    fn resume(&mut self, plan: &Plan) -> Result<(), TargetError> {
        self.need_stopped()?;
        for (tid, _, signal) in &plan.threads {
            if let (Some(Signal(s)), Some(t)) = (signal, self.threads.get_mut(&tid.0)) {
                t.deliver.push(*s);
            }
        }
        if self.tell_pending() {
            return Ok(());
        }
        self.continue_by(plan);
        Ok(())
    }

    fn step_over(&mut self, tid: Tid, deadline: Duration) -> Result<StepOver, TargetError> {
        self.need_stopped()?;
        self.step_one(tid, deadline)
    }

    fn interrupt(&mut self) -> Result<(), TargetError> {
        if !self.running {
            return Ok(());
        }
        self.interrupt_wanted = true;
        let first = self.threads.iter_mut().find(|(_, t)| t.doing == Doing::Running);
        if let Some((tid, t)) = first
            && !t.interrupt_pending
            && ptrace::interrupt(*tid)
        {
            t.interrupt_pending = true;
        }
        Ok(())
    }

    fn detach(&mut self) -> Result<(), TargetError> {
        if self.over {
            return Ok(());
        }
        if self.running {
            self.stop_all();
            self.running = false;
        }
        self.write_all_breakpoints(&self.memory, false);
        lock(&self.shadow).clear();
        for (tid, t) in &self.threads {
            ptrace::detach(self.pid, *tid, &t.deliver);
        }
        self.threads.clear();
        self.over = true;
        Ok(())
    }

    fn kill(&mut self) -> Result<(), TargetError> {
        if self.over {
            return Ok(());
        }
        if self.launched {
            kill_group(self.pid);
        } else {
            ptrace::kill(self.pid);
        }
        // SIGKILL gets through a ptrace stop; the end arrives as an event.
        self.running = true;
        for t in self.threads.values_mut() {
            t.doing = Doing::Running;
        }
        self.waiter.arm();
        Ok(())
    }
}

impl Native {
    /// The first stop that still counts is told; true if there was one.
    fn tell_pending(&mut self) -> bool {
        while let Some(stop) = self.pending.pop_front() {
            if let Why::Breakpoint(addr) = stop.why
                && !lock(&self.shadow).contains_key(&addr)
            {
                continue;
            }
            if !self.threads.contains_key(&stop.tid.0) {
                continue;
            }
            self.tell(Event::Stopped(stop));
            return true;
        }
        false
    }
}
