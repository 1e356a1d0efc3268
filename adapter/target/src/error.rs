//! What can go wrong between us and a process. Each text says what to do next; none is a bare errno.

use std::{io, path::PathBuf, time::Duration};

use crate::Tid;

/// Errors of the spawner and of every back end.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    #[error("there is no program at {}: build it first, or correct the path", .0.display())]
    ProgramNotFound(PathBuf),
    #[error("{} can't be executed: {why}", path.display())]
    NotExecutable { path: PathBuf, why: String },
    #[error("the working directory {} can't be used: {why}", path.display())]
    BadDirectory { path: PathBuf, why: String },
    #[error("{} can't be opened for the program's input or output: {why}", path.display())]
    Redirection { path: PathBuf, why: String },
    #[error("an argument or environment variable contains a NUL byte, which no program can receive: {0}")]
    NulByte(String),
    /// seccomp, Yama, a container: found before a server is started.
    #[error("the system refuses to let this program be debugged ({what}: {why}). {advice}")]
    PtraceRefused { what: &'static str, why: String, advice: String },
    #[error("there is no process {0}: it has ended, or the number is wrong")]
    NoSuchProcess(i32),
    #[error("process {pid} is already being debugged by process {tracer} ({name}): end that session first")]
    AlreadyTraced { pid: i32, tracer: i32, name: String },
    #[error(
        "no gdbserver was found ({tried}): install the package `gdbserver`, give its path, or use the back end `native`"
    )]
    ServerMissing { tried: String },
    #[error(
        "gdbserver could not take over the program within {deadline:?}: {why}. Try the back end `native`"
    )]
    ServerStart { deadline: Duration, why: String },
    #[error("the program is running: stop it first")]
    Running,
    #[error("memory at {0:#x} is not mapped")]
    Unmapped(u64),
    #[error("thread {} has ended", .0.0)]
    NoSuchThread(Tid),
    #[error("the instruction did not finish within {0:?}")]
    StepTimeout(Duration),
    #[error("the program has ended")]
    Ended,
    #[error("the debug server answered {0}")]
    Protocol(String),
    #[error("the debug server does not answer")]
    Silent,
    /// The server died, hangs or talks nonsense. `Event::Lost` says the same once.
    #[error("the connection to the debugger is lost: {0}")]
    Lost(String),
    #[error("{what}: {source}")]
    Io { what: &'static str, source: io::Error },
}

impl TargetError {
    pub(crate) fn os(what: &'static str) -> TargetError {
        TargetError::Io { what, source: io::Error::last_os_error() }
    }

    pub(crate) fn io(what: &'static str) -> impl FnOnce(io::Error) -> TargetError {
        move |source| TargetError::Io { what, source }
    }
}
