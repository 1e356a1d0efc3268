//! L1 `target`: the wrapped debugger. One trait, its back ends, and the spawner. The only crate that knows processes, pipes and ptys.
//!
//! Knows nothing of Go and reads no symbols. Breakpoints here are addresses; conditions, counts and stepping by line belong to
//! the caller. The semantics that every back end must keep stand at [`Target`].

mod actor;
mod error;
mod gdbserver;
mod memory;
mod native;
mod process;
mod spawn;
mod stdio;

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf, sync::Arc, time::Duration};

use crossbeam_channel::Sender;
use machine::{Arch, Memory, Regs};

pub use error::TargetError;
pub use process::at_entry;
pub use spawn::{Untraced, run_untraced};

/// Kernel thread id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tid(pub i32);

/// A signal by Linux number, whatever numbers the server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Signal(pub i32);

/// The program's standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stdin {
    Null,
    File(PathBuf),
    Inherit,
}

/// Where the program's output goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Pipes, read by us, sent as [`Event::Output`].
    Piped,
    Inherit,
    File(PathBuf),
}

/// What to start: exact, without a shell.
#[derive(Clone, Debug)]
pub struct LaunchSpec {
    pub program: PathBuf,
    /// argv[1..].
    pub args: Vec<OsString>,
    /// The whole environment.
    pub env: BTreeMap<OsString, OsString>,
    pub cwd: Option<PathBuf>,
    pub stdin: Stdin,
    pub stdout: Output,
    pub stderr: Output,
    /// personality(ADDR_NO_RANDOMIZE).
    pub disable_aslr: bool,
}

/// Which back end. `Auto`: gdbserver if it is found (PATH, cache), else native.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendChoice {
    Auto,
    Gdbserver(Option<PathBuf>),
    Native,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    Stdout,
    Stderr,
}

/// What back ends push. The channel may be bounded: readers of output block when the session is slow, and so does the program.
#[derive(Clone, Debug)]
pub enum Event {
    Stopped(Stop),
    /// exec: all addresses are void, breakpoints are gone. The program is stopped.
    Exec {
        tid: Tid,
        path: PathBuf,
    },
    Exited {
        code: i32,
    },
    Signalled {
        signal: Signal,
    },
    /// The server died or its connection broke. Breakpoint bytes of an attached program are restored, a launched one is killed.
    Lost {
        why: String,
    },
    Output {
        stream: Stream,
        bytes: Vec<u8>,
    },
    /// EOF of a stream.
    OutputClosed {
        stream: Stream,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    pub tid: Tid,
    pub why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Our breakpoint at this address; the thread's pc is the address, the instruction has not run.
    Breakpoint(u64),
    StepDone,
    /// A hard-coded int3 (runtime.Breakpoint); pc is already behind it.
    HardTrap,
    /// Not delivered yet: the caller names it in `resume`.
    Signal(Signal),
    Interrupted,
    /// A fact that needs no decision (a hit of a breakpoint that was removed meanwhile): resume.
    Spurious,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Continue,
    Step,
}

/// What each thread does.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub threads: Vec<(Tid, Action, Option<Signal>)>,
    /// Threads that are not named: true, they run too; false, they are held.
    pub run_others: bool,
}

/// What came of [`Target::step_over`].
#[derive(Clone, Debug, Default)]
pub struct StepOver {
    /// Signals that arrived and are not delivered yet: the caller names them in `resume`.
    pub pending: Vec<(Tid, Signal)>,
    /// The process ended, or another event came instead of the step.
    pub instead: Option<Event>,
}

/// One traced process. All-stop: between `Event::Stopped` and `resume` no thread of it runs.
///
/// 1. A step executes exactly one instruction of its thread or none; no step ends inside a signal handler.
/// 2. A signal is delivered only when the caller names it; a signal met while stepping is handed over, never lost.
/// 3. After `resume` each other thread's pending hit is reported one by one; hits whose breakpoint is gone are dropped.
/// 4. Memory never shows a breakpoint's byte; a write under a breakpoint changes the byte that will be there again.
/// 5. Children made by fork, vfork and exec run unharmed and untraced.
/// 6. A launched program dies with this process; an attached one is left running by `detach`, unharmed.
pub trait Target: Send {
    fn pid(&self) -> i32;
    fn arch(&self) -> Arch;
    /// "GDB's server 13.1", "native ptrace".
    fn description(&self) -> String;
    fn threads(&mut self) -> Result<Vec<Tid>, TargetError>;
    fn read_regs(&mut self, tid: Tid) -> Result<Regs, TargetError>;
    fn write_regs(&mut self, tid: Tid, regs: &Regs) -> Result<(), TargetError>;
    /// The process's memory while it is stopped, breakpoint bytes masked; valid from any thread until the process ends.
    fn memory(&self) -> Arc<dyn Memory>;
    fn write_memory(&mut self, addr: u64, bytes: &[u8]) -> Result<(), TargetError>;
    /// Idempotent; an error at once if the address is not mapped.
    fn set_breakpoint(&mut self, addr: u64) -> Result<(), TargetError>;
    fn clear_breakpoint(&mut self, addr: u64) -> Result<(), TargetError>;
    fn has_breakpoint(&self, addr: u64) -> bool;
    fn resume(&mut self, plan: &Plan) -> Result<(), TargetError>;
    /// Steps one instruction of `tid`, others held (released for a SYSCALL instruction), a breakpoint under it lifted meanwhile.
    fn step_over(&mut self, tid: Tid, deadline: Duration) -> Result<StepOver, TargetError>;
    /// Asks a running program to stop; `Stopped{Interrupted}` or an earlier event follows.
    fn interrupt(&mut self) -> Result<(), TargetError>;
    /// Removes every breakpoint, hands back held signals, leaves the program running.
    fn detach(&mut self) -> Result<(), TargetError>;
    fn kill(&mut self) -> Result<(), TargetError>;
}

/// Starts a program, stopped at its first instruction, under a back end. `events` gets everything that happens from then on.
pub fn launch(
    spec: &LaunchSpec,
    backend: &BackendChoice,
    events: Sender<Event>,
) -> Result<Box<dyn Target>, TargetError> {
    let child = spawn::spawn_stopped(spec, &events)?;
    match find_backend(backend)? {
        Found::Gdbserver(path) => gdbserver::launch(&path, child, events),
        Found::Native => native::launch(child, events),
    }
}

/// Attaches to a running process; it is stopped when this returns (without an event for that).
pub fn attach(
    pid: i32,
    backend: &BackendChoice,
    events: Sender<Event>,
) -> Result<Box<dyn Target>, TargetError> {
    process::check_attachable(pid)?;
    match find_backend(backend)? {
        Found::Gdbserver(path) => gdbserver::attach(&path, pid, events),
        Found::Native => native::attach(pid, events),
    }
}

enum Found {
    Gdbserver(PathBuf),
    Native,
}

fn find_backend(choice: &BackendChoice) -> Result<Found, TargetError> {
    match choice {
        BackendChoice::Native => Ok(Found::Native),
        BackendChoice::Gdbserver(Some(path)) => {
            if path.is_file() {
                Ok(Found::Gdbserver(path.clone()))
            } else {
                Err(TargetError::NoServer(path.clone()))
            }
        }
        BackendChoice::Gdbserver(None) => {
            gdbserver::find().map(Found::Gdbserver).ok_or_else(|| TargetError::NoServer("gdbserver".into()))
        }
        BackendChoice::Auto => Ok(gdbserver::find().map_or(Found::Native, Found::Gdbserver)),
    }
}
