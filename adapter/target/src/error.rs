//! What can go wrong with a process, each with what to do next.

use std::path::PathBuf;

use thiserror::Error;

use crate::Tid;

/// A failure of the process or of the debugger behind it.
#[derive(Debug, Error)]
pub enum TargetError {
    #[error("could not start {program}: {source}")]
    Start { program: PathBuf, source: std::io::Error },
    #[error(
        "the kernel refuses ptrace here ({0}): in a container run it with --cap-add=SYS_PTRACE or a seccomp profile that allows ptrace"
    )]
    PtraceRefused(String),
    #[error(
        "not allowed to attach to process {pid} ({why}): run as the same user, or as root, or set /proc/sys/kernel/yama/ptrace_scope to 0"
    )]
    AttachRefused { pid: i32, why: String },
    #[error("process {pid} is traced by process {tracer} already; detach that debugger first")]
    AlreadyTraced { pid: i32, tracer: i32 },
    #[error("there is no process {0}")]
    NoSuchProcess(i32),
    #[error("there is no thread {}", .0.0)]
    NoSuchThread(Tid),
    #[error("{0} was not found; install gdbserver, or use the backend \"native\"")]
    NoServer(PathBuf),
    #[error("{server} did not answer within {seconds} s after its start{output}; try the backend \"native\"")]
    ServerSilent { server: String, seconds: u64, output: String },
    #[error("the debug server answered {0}")]
    Protocol(String),
    #[error("memory at {0:#x} can't be accessed")]
    Unmapped(u64),
    #[error("the program is running")]
    Running,
    #[error("the program has ended")]
    Gone,
    #[error("the instruction did not finish in time")]
    StepTimeout,
    #[error("{what}: {source}")]
    Io { what: &'static str, source: std::io::Error },
}

impl TargetError {
    /// The last system call's error.
    pub(crate) fn last(what: &'static str) -> TargetError {
        TargetError::Io { what, source: std::io::Error::last_os_error() }
    }
}
