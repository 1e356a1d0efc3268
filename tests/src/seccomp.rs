//! A child that may not use ptrace, as in many containers.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// Makes `ptrace` fail with EPERM in the process that the command starts, and in all its children.
pub fn refuse_ptrace(command: &mut Command) {
    let install = || {
        let jump = |code: u32, value: u32, hit: u8, miss: u8| libc::sock_filter {
            code: u16::try_from(code).unwrap_or_default(),
            jt: hit,
            jf: miss,
            k: value,
        };
        let load = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
        let equal = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
        let number = u32::try_from(libc::SYS_ptrace).unwrap_or_default();
        let error = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
        let mut program = [
            jump(load, 0, 0, 0),
            jump(equal, number, 0, 1),
            jump(libc::BPF_RET | libc::BPF_K, error, 0, 0),
            jump(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0, 0),
        ];
        let filter = libc::sock_fprog { len: 4, filter: program.as_mut_ptr() };
        // SAFETY: prctl reads the filter during the call only; both pointers outlive it.
        let failed = unsafe {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
                || libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter) != 0
        };
        if failed { Err(std::io::Error::last_os_error()) } else { Ok(()) }
    };
    // SAFETY: the closure only makes system calls and touches its own stack.
    unsafe { command.pre_exec(install) };
}
