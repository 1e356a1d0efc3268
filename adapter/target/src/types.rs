//! The vocabulary between a back end and its caller: what to start, what happened, what to do next. Plain values.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf};

use crate::TargetError;

/// Kernel thread id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tid(pub i32);

/// A signal by Linux number, whatever numbers the server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Signal(pub i32);

/// Where the program reads from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stdin {
    /// /dev/null.
    Null,
    File(PathBuf),
    Inherit,
}

/// Where one of the program's output streams goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A pipe, read by us, sent as [`Event::Output`].
    Piped,
    Inherit,
    /// Created or truncated. The same path for both streams is opened once.
    File(PathBuf),
}

/// What to start: exact, without a shell.
#[derive(Clone, Debug)]
pub struct LaunchSpec {
    /// The file to execute; also argv\[0\]. Relative to the adapter's own working directory, never searched in PATH.
    pub program: PathBuf,
    /// argv\[1..\].
    pub args: Vec<OsString>,
    /// The whole environment.
    pub env: BTreeMap<OsString, OsString>,
    /// `None`: the adapter's own.
    pub cwd: Option<PathBuf>,
    pub stdin: Stdin,
    pub stdout: Output,
    pub stderr: Output,
    /// personality(ADDR_NO_RANDOMIZE).
    pub disable_aslr: bool,
}

/// Which back end. `Auto`: gdbserver if found (PATH, cache), else native.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendChoice {
    Auto,
    /// A given path is used as it is; `None` looks in PATH and the cache.
    Gdbserver(Option<PathBuf>),
    Native,
}

/// One of the program's two output streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    Stdout,
    Stderr,
}

/// What back ends push. Sending applies back pressure: a bounded channel makes the reader, and in the end the program, wait.
///
/// Exactly one of `Exited`, `Signalled` and `Lost` is sent for a process that was not detached; after it come only `Output` and
/// `OutputClosed`, of descendants that still hold the pipe. What the program itself wrote always precedes its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Stopped(Stop),
    /// The process, stopped as after `Stopped`, runs another program: all addresses are void, breakpoints are gone.
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
    /// Server died or its connection broke. The back end has restored the breakpoint bytes of an attached program and killed a launched one.
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

/// All threads stand still; this one is the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    pub tid: Tid,
    pub why: Why,
}

/// Why a thread stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Our breakpoint at this address; the thread's pc is the address, the instruction has not run.
    Breakpoint(u64),
    StepDone,
    /// A hard-coded int3 (runtime.Breakpoint); pc is already behind it.
    HardTrap,
    /// Met by a thread that was to make a step; not delivered yet: the caller names it in `resume` (or it is lost).
    /// Threads that just run receive their signals without a stop.
    Signal(Signal),
    Interrupted,
    /// A fact that needs no decision: resume.
    Spurious,
}

/// What one thread does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Continue,
    Step,
}

/// What each thread does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Several entries for one thread deliver several signals; the first one's action counts.
    pub threads: Vec<(Tid, Action, Option<Signal>)>,
    /// Threads not named: true: they run too; false: they are held.
    pub run_others: bool,
}

impl Plan {
    /// Everything runs.
    pub fn run() -> Plan {
        Plan { threads: Vec::new(), run_others: true }
    }
}

/// What a [`crate::Target::step_over`] came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepOver {
    /// Signals that arrived and are not delivered: the caller names them in the next `resume`. If the instruction itself raised one
    /// (SIGSEGV of a nil dereference), it is the last and the pc has not moved.
    pub pending: Vec<(Tid, Signal)>,
    /// What came instead of, or before, the step's end: the process ended, or another thread stopped while a SYSCALL released it.
    pub instead: Option<Event>,
}

/// A breakpoint that could not be set or cleared.
#[derive(Debug)]
pub struct NotChanged {
    pub addr: u64,
    pub why: TargetError,
}
