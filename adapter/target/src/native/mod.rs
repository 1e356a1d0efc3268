//! The embedded back end: ptrace, no other program needed. This is the caller's side; the tracer's thread does the work.
//!
//! A command is a closure that the tracer runs; while the program runs, a signal to the tracer's thread takes it out of its wait.

mod family;
mod halt;
mod step;
mod tracer;

use std::{
    sync::{Arc, Once},
    time::Duration,
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use machine::{Arch, Memory, Regs};

use crate::{
    Event, LaunchSpec, NotChanged, Plan, StepOver, Target, TargetError, Tid, keeper::DYING,
    memory::ProcMemory, output::Emitter, process, spawn::Prepared,
};
use tracer::{Command, Tracer};

/// How long the tracer is given before it is woken (again); also how often a step looks at its deadline.
const KICK: Duration = Duration::from_millis(1);

/// The session's handle on a traced process.
struct Native {
    pid: i32,
    memory: Arc<ProcMemory>,
    commands: Sender<Command>,
    done: Receiver<()>,
    tracer_tid: i32,
    emitter: Emitter,
    launched: bool,
    detached: bool,
}

pub(crate) fn launch(spec: &LaunchSpec, events: Sender<Event>) -> Result<Box<dyn Target>, TargetError> {
    let prepared = Prepared::new(spec)?;
    start(events, true, move |emitter| Tracer::launch(prepared, emitter))
}

pub(crate) fn attach(pid: i32, events: Sender<Event>) -> Result<Box<dyn Target>, TargetError> {
    crate::permission::check_attach(pid)?;
    start(events, false, move |emitter| Tracer::attach(pid, emitter))
}

fn start(
    events: Sender<Event>,
    launched: bool,
    begin: impl FnOnce(Emitter) -> Result<Tracer, TargetError> + Send + 'static,
) -> Result<Box<dyn Target>, TargetError> {
    install_kick();
    let emitter = Emitter::new(events)?;
    let (commands, inbox) = unbounded();
    let (finish, done) = bounded::<()>(0);
    let (answer, answered) = bounded(1);
    let theirs = emitter.clone();
    std::thread::Builder::new()
        .name("tracer".into())
        .spawn(move || {
            let _finish = finish;
            match begin(theirs) {
                Ok(tracer) => {
                    // SAFETY: no arguments, no failure.
                    let tid = unsafe { libc::gettid() };
                    let _caller_waits = answer.send(Ok((tid, tracer.pid(), tracer.memory())));
                    tracer.run(&inbox);
                }
                Err(e) => {
                    let _caller_waits = answer.send(Err(e));
                }
            }
        })
        .map_err(TargetError::io("starting a thread"))?;
    let (tracer_tid, pid, memory) = answered.recv().unwrap_or(Err(TargetError::Ended))?;
    Ok(Box::new(Native { pid, memory, commands, done, tracer_tid, emitter, launched, detached: false }))
}

/// The signal that takes the tracer out of `waitid`: the second real-time one, of no meaning to anybody else in the adapter.
fn kick_signal() -> i32 {
    libc::SIGRTMIN() + 1
}

/// An empty handler, so that the signal interrupts and does nothing. Programs that we start get the default back by exec.
fn install_kick() {
    extern "C" fn nothing(_: libc::c_int) {}
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: a zeroed sigaction with a handler that does nothing; no SA_RESTART, the wait is to end.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            let handler: extern "C" fn(libc::c_int) = nothing;
            action.sa_sigaction = handler as usize;
            libc::sigaction(kick_signal(), &action, std::ptr::null_mut());
        }
    });
}

fn kick(tracer: i32) {
    process::signal_thread(std::process::id() as i32, tracer, kick_signal());
}

impl Native {
    /// Runs `f` on the tracer's thread.
    fn call<R: Send + 'static>(
        &self,
        f: impl FnOnce(&mut Tracer) -> Result<R, TargetError> + Send + 'static,
    ) -> Result<R, TargetError> {
        let (answer, answered) = bounded(1);
        let command: Command = Box::new(move |t| {
            let _caller_waits = answer.send(f(t));
        });
        self.commands.send(command).map_err(|_| TargetError::Ended)?;
        loop {
            match answered.recv_timeout(KICK) {
                Ok(r) => return r,
                Err(RecvTimeoutError::Timeout) => kick(self.tracer_tid),
                Err(RecvTimeoutError::Disconnected) => return Err(TargetError::Ended),
            }
        }
    }
}

impl Target for Native {
    fn pid(&self) -> i32 {
        self.pid
    }

    fn arch(&self) -> Arch {
        Arch::Amd64
    }

    fn description(&self) -> String {
        "native ptrace".into()
    }

    fn threads(&mut self) -> Result<Vec<Tid>, TargetError> {
        process::threads(self.pid)
    }

    fn read_all_regs(&mut self, tids: &[Tid]) -> Result<Vec<(Tid, Regs)>, TargetError> {
        let tids = tids.to_vec();
        self.call(move |t| t.read_regs(&tids))
    }

    fn write_regs(&mut self, tid: Tid, regs: &Regs) -> Result<(), TargetError> {
        let regs = regs.clone();
        self.call(move |t| t.write_regs(tid, &regs))
    }

    fn memory(&self) -> Arc<dyn Memory> {
        self.memory.clone()
    }

    fn write_memory(&mut self, addr: u64, bytes: &[u8]) -> Result<(), TargetError> {
        let bytes = bytes.to_vec();
        self.call(move |t| t.write_memory(addr, &bytes))
    }

    fn change_breakpoints(&mut self, clear: &[u64], set: &[u64]) -> Result<Vec<NotChanged>, TargetError> {
        let (clear, set) = (clear.to_vec(), set.to_vec());
        self.call(move |t| t.change_breakpoints(&clear, &set))
    }

    fn has_breakpoint(&self, addr: u64) -> bool {
        self.memory.original(addr).is_some()
    }

    fn resume(&mut self, plan: &Plan) -> Result<(), TargetError> {
        let plan = plan.clone();
        self.call(move |t| t.resume(plan))
    }

    fn step_over(&mut self, tid: Tid, deadline: Duration) -> Result<StepOver, TargetError> {
        self.call(move |t| t.step_over(tid, deadline))
    }

    fn interrupt(&mut self) -> Result<(), TargetError> {
        self.call(Tracer::interrupt)
    }

    fn detach(&mut self) -> Result<(), TargetError> {
        self.detached = true;
        self.call(Tracer::detach)
    }

    fn kill(&mut self) -> Result<(), TargetError> {
        self.call(Tracer::kill)
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        self.emitter.stop();
        let _tracer_ended = self.commands.send(Box::new(Tracer::quit));
        if self.detached && self.launched {
            // The program lives on, tied to the tracer's thread.
            kick(self.tracer_tid);
            return;
        }
        let deadline = std::time::Instant::now() + DYING;
        while std::time::Instant::now() < deadline {
            match self.done.recv_timeout(KICK) {
                Err(RecvTimeoutError::Timeout) => kick(self.tracer_tid),
                _ => return,
            }
        }
    }
}
