//! L1 `target`: the wrapped debugger. One trait, its back ends, and the spawner. The only crate that knows processes, pipes and ptrace.
//!
//! Knows nothing of Go and reads no symbols. Breakpoints here are addresses; conditions, counts and stepping belong to the caller.
//! Must never leave a process behind, drop a signal, or deliver one between a reported hit and the execution of the instruction there.

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
compile_error!(
    "programs are run on x86-64 Linux only; the other crates analyse programs of both architectures anywhere"
);

mod actor;
mod error;
mod gdbserver;
mod keeper;
mod memory;
mod native;
mod output;
mod permission;
mod process;
mod ptrace;
mod spawn;
mod types;

use std::{sync::Arc, time::Duration};

use crossbeam_channel::Sender;
use machine::{Arch, Memory, Regs};

pub use error::TargetError;
pub use keeper::{Untraced, run_untraced};
pub use process::at_entry;
pub use types::{
    Action, BackendChoice, Event, LaunchSpec, NotChanged, Output, Plan, Signal, Stdin, StepOver, Stop,
    Stream, Tid, Why,
};

/// One traced process. All-stop: between [`Event::Stopped`] and [`Target::resume`] no thread of it runs.
///
/// Dropping a launched target kills the program's process group; dropping an attached one detaches.
pub trait Target: Send {
    fn pid(&self) -> i32;
    fn arch(&self) -> Arch;
    /// "gdbserver 13.1", "native ptrace".
    fn description(&self) -> String;
    fn threads(&mut self) -> Result<Vec<Tid>, TargetError>;
    /// Needs a stopped process. General registers, flags, fs_base, orig_rax and XMM0-15 of each thread that still lives.
    fn read_all_regs(&mut self, tids: &[Tid]) -> Result<Vec<(Tid, Regs)>, TargetError>;
    /// The same of one thread.
    fn read_regs(&mut self, tid: Tid) -> Result<Regs, TargetError> {
        let found = self.read_all_regs(&[tid])?.into_iter().next();
        found.map(|(_, regs)| regs).ok_or(TargetError::NoSuchThread(tid))
    }
    /// Writes the known registers as a set. A changed pc keeps the kernel from restarting a system call that the thread was stopped in;
    /// writing the registers back that were read before restores that too.
    fn write_regs(&mut self, tid: Tid, regs: &Regs) -> Result<(), TargetError>;
    /// /proc/PID/mem with breakpoint bytes masked; cheap to clone, usable from any thread, valid until the process ends.
    fn memory(&self) -> Arc<dyn Memory>;
    /// Also writes read-only pages. Under a breakpoint the byte takes effect when the breakpoint goes.
    fn write_memory(&mut self, addr: u64, bytes: &[u8]) -> Result<(), TargetError>;
    /// Takes breakpoints out and puts others in, in as few exchanges with the debugger as it can. Idempotent. An address that is refused
    /// (not mapped) is returned with the reason and stays as it was; all others are done.
    fn change_breakpoints(&mut self, clear: &[u64], set: &[u64]) -> Result<Vec<NotChanged>, TargetError>;
    fn has_breakpoint(&self, addr: u64) -> bool;
    /// A thread that is to run on from a breakpoint must have been stepped over it, else it hits again.
    fn resume(&mut self, plan: &Plan) -> Result<(), TargetError>;
    /// Steps exactly one instruction of `tid` (others held; released for a SYSCALL instruction) with the breakpoint at its pc lifted, and
    /// waits for it (at most `deadline`). Signals met on the way are not delivered and are returned. The breakpoint is back in place after.
    fn step_over(&mut self, tid: Tid, deadline: Duration) -> Result<StepOver, TargetError>;
    /// Asks for a stop; `Event::Stopped{Interrupted}` (or an earlier event) follows. Nothing happens if the process is stopped.
    fn interrupt(&mut self) -> Result<(), TargetError>;
    /// Removes every breakpoint, hands back held signals, leaves the program running; also while it runs.
    fn detach(&mut self) -> Result<(), TargetError>;
    /// Ends the process and its process group if we launched it; `Event::Signalled` follows. Also while it runs.
    fn kill(&mut self) -> Result<(), TargetError>;
}

/// Starts a program stopped at its first instruction and puts it under the back end. Events go to `events`.
pub fn launch(
    spec: &LaunchSpec,
    backend: &BackendChoice,
    events: Sender<Event>,
) -> Result<Box<dyn Target>, TargetError> {
    match gdbserver::choose(backend)? {
        Some(server) => gdbserver::launch(&server, spec, events),
        None => native::launch(spec, events),
    }
}

/// Attaches to a running process; it is stopped when this returns (no `Stopped` event for that).
pub fn attach(
    pid: i32,
    backend: &BackendChoice,
    events: Sender<Event>,
) -> Result<Box<dyn Target>, TargetError> {
    match gdbserver::choose(backend)? {
        Some(server) => gdbserver::attach(&server, pid, events),
        None => native::attach(pid, events),
    }
}
