//! What must not stay behind when this process is killed: the server, and the children that it makes for itself (it tries out
//! ptrace on a child that stands stopped for a moment, and would stand for ever if its parent died then).
//!
//! ```text
//!     adapter --fork--> server's group: guard (waits for the pipe's end, then kills the group)
//!                                       server (exec)
//! ```
//!
//! The guard runs between fork and exec only: system calls, no allocation, no locks.

use std::{
    fs::File,
    io::Read,
    os::fd::{AsRawFd, OwnedFd},
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// How long a server may take to print its version.
const VERSION_TIME: Duration = Duration::from_secs(2);

/// Puts a command into a process group of its own, which dies with the returned end of the pipe (and so with this process).
pub(super) fn guarded(c: &mut Command) -> std::io::Result<OwnedFd> {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let parent = std::process::id() as i32;
    // SAFETY: between fork and exec only system calls are made.
    unsafe {
        c.pre_exec(move || {
            // A Ctrl-C in the adapter's terminal is for the adapter.
            libc::setpgid(0, 0);
            let group = libc::getpid();
            if libc::fork() == 0 {
                wait_and_kill(read.as_raw_fd(), group);
            }
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                return Err(std::io::Error::last_os_error());
            }
            if libc::getppid() != parent {
                libc::kill(-group, libc::SIGKILL);
                libc::_exit(1);
            }
            Ok(())
        });
    }
    Ok(write)
}

/// The guard: nothing but the pipe is left open in it.
fn wait_and_kill(pipe: i32, group: i32) -> ! {
    let mut byte = 0_u8;
    // SAFETY: only system calls; the buffer is one byte on this stack.
    unsafe {
        if pipe > 0 {
            libc::syscall(libc::SYS_close_range, 0, pipe - 1, 0);
        }
        libc::syscall(libc::SYS_close_range, pipe + 1, u32::MAX, 0);
        while libc::read(pipe, (&raw mut byte).cast(), 1) < 0 && *libc::__errno_location() == libc::EINTR {}
        libc::kill(-group, libc::SIGKILL);
        libc::_exit(0)
    }
}

/// What a program prints when called with one argument; `None` if it does not end in time.
pub(super) fn output_of(path: &Path, argument: &str) -> Option<String> {
    let mut c = Command::new(path);
    c.arg(argument).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let guard = guarded(&mut c).ok()?;
    let mut child = c.spawn().ok()?;
    let until = Instant::now() + VERSION_TIME;
    while matches!(child.try_wait(), Ok(None)) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(2));
    }
    let ended = matches!(child.try_wait(), Ok(Some(_)));
    // What still runs of it ends here.
    drop(guard);
    let _dead = child.kill();
    let _reaped = child.wait();
    let mut text = String::new();
    let out: OwnedFd = child.stdout.take()?.into();
    ended.then(|| File::from(out).take(4096).read_to_string(&mut text).ok())??;
    Some(text)
}
