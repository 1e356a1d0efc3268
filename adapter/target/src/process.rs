//! Facts about processes from /proc.

use std::fs;

use crate::{TargetError, Tid};

/// AT_ENTRY in the auxiliary vector (elf.h).
const AT_ENTRY: u64 = 9;

/// Run-time address of the program's entry point, for the load bias. (Of the program, not of ld.so, also when that runs first.)
pub fn at_entry(pid: i32) -> Result<u64, TargetError> {
    let bytes = fs::read(format!("/proc/{pid}/auxv"))
        .map_err(|source| TargetError::Io { what: "reading auxv", source })?;
    let words: Vec<u64> =
        bytes.chunks_exact(8).filter_map(|c| c.try_into().ok().map(u64::from_le_bytes)).collect();
    words
        .chunks_exact(2)
        .find_map(|pair| match pair {
            [AT_ENTRY, value] => Some(*value),
            _ => None,
        })
        .ok_or(TargetError::NoSuchProcess(pid))
}

/// Thread ids of a process, in order.
pub(crate) fn threads(pid: i32) -> Result<Vec<Tid>, TargetError> {
    let dir = fs::read_dir(format!("/proc/{pid}/task")).map_err(|_| TargetError::NoSuchProcess(pid))?;
    let mut v: Vec<Tid> = dir.filter_map(|e| e.ok()?.file_name().to_str()?.parse().ok().map(Tid)).collect();
    v.sort_unstable();
    Ok(v)
}

/// A field of /proc/PID/status.
fn status_field(pid: i32, name: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':').map(|v| v.trim().to_string()))
}

/// Thread group of a tid: the pid.
pub(crate) fn thread_group(tid: i32) -> Option<i32> {
    status_field(tid, "Tgid")?.parse().ok()
}

/// Whether a process can be attached to; found before any server is started, because gdbserver would hang on a refusal.
pub(crate) fn check_attachable(pid: i32) -> Result<(), TargetError> {
    let tracer = status_field(pid, "TracerPid").ok_or(TargetError::NoSuchProcess(pid))?;
    match tracer.parse::<i32>() {
        Ok(0) | Err(_) => {}
        Ok(tracer) => return Err(TargetError::AlreadyTraced { pid, tracer }),
    }
    if pid == std::process::id() as i32 {
        return Err(TargetError::AttachRefused { pid, why: "it is this debugger".into() });
    }
    let refused = std::thread::spawn(move || {
        // SAFETY: PTRACE_SEIZE takes no pointers; a success is undone by PTRACE_DETACH from the same thread.
        unsafe {
            if libc::ptrace(libc::PTRACE_SEIZE, pid, 0, 0) != 0 {
                return Some(std::io::Error::last_os_error());
            }
            libc::ptrace(libc::PTRACE_INTERRUPT, pid, 0, 0);
            let mut status = 0;
            libc::waitpid(pid, &raw mut status, libc::__WALL);
            libc::ptrace(libc::PTRACE_DETACH, pid, 0, 0);
        }
        None
    })
    .join()
    .unwrap_or(None);
    match refused {
        None => Ok(()),
        Some(e) if e.raw_os_error() == Some(libc::ESRCH) => Err(TargetError::NoSuchProcess(pid)),
        Some(e) => Err(TargetError::AttachRefused { pid, why: e.to_string() }),
    }
}
