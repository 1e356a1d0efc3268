//! Whether the system lets us debug, found out before any server starts: a server that is refused may hang without a word.

use std::{fs, io};

use crate::{TargetError, process, ptrace};

/// A refusal in the user's terms, with what to change on this very machine.
pub(crate) fn refused(what: &'static str, e: &io::Error) -> TargetError {
    TargetError::PtraceRefused { what, why: e.to_string(), advice: advice() }
}

fn advice() -> String {
    let yama = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").ok();
    let scope = yama.as_deref().map(str::trim);
    let seccomp = process::status_field(std::process::id() as i32, "Seccomp").is_some_and(|s| s != "0");
    let contained = ["/.dockerenv", "/run/.containerenv"].iter().any(|p| fs::exists(p).unwrap_or(false));
    if matches!(scope, Some("3")) {
        "kernel.yama.ptrace_scope is 3: debugging is switched off until the next boot".into()
    } else if matches!(scope, Some("2")) {
        "kernel.yama.ptrace_scope is 2: run as root, or `sysctl kernel.yama.ptrace_scope=1` as root".into()
    } else if seccomp || contained {
        "This looks like a container or sandbox: start it with `--cap-add=SYS_PTRACE --security-opt seccomp=unconfined`, \
         or debug outside of it"
            .into()
    } else if matches!(scope, Some("1")) {
        "kernel.yama.ptrace_scope is 1: only own children can be debugged; launch the program from here, run as root, or \
         `sysctl kernel.yama.ptrace_scope=0` as root"
            .into()
    } else {
        "Run as the program's own user or as root, or give CAP_SYS_PTRACE".into()
    }
}

/// A trial on a process that is to be attached to.
pub(crate) fn check_attach(pid: i32) -> Result<(), TargetError> {
    if pid <= 0 || process::thread_group(pid) != Some(pid) || process::state(pid) == Some('Z') {
        return Err(TargetError::NoSuchProcess(pid));
    }
    if pid == std::process::id() as i32 {
        let why = "it is this debugger itself".into();
        return Err(TargetError::PtraceRefused {
            what: "attaching",
            why,
            advice: "Give another process".into(),
        });
    }
    if let Some((tracer, name)) = process::tracer(pid) {
        return Err(TargetError::AlreadyTraced { pid, tracer, name });
    }
    match ptrace::try_seize(pid) {
        Ok(()) => {
            // The probe's thread is still ending, and lets go a moment after it can be joined.
            let own = std::process::id() as i32;
            for _ in 0..200 {
                if process::tracer(pid).is_none_or(|(t, _)| t != own) {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_micros(500));
            }
            Ok(())
        }
        Err(e) if e.raw_os_error() == Some(libc::ESRCH) => Err(TargetError::NoSuchProcess(pid)),
        Err(e) => Err(refused("attaching", &e)),
    }
}
