//! What /proc says about a process. Reads only; a process that is gone is a value, never a panic.

use std::{
    fs, io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
    path::PathBuf,
    time::Duration,
};

use crate::{TargetError, Tid};

/// AT_ENTRY of a process, for the load bias (link entry subtracted).
pub fn at_entry(pid: i32) -> Result<u64, TargetError> {
    let bytes = fs::read(format!("/proc/{pid}/auxv")).map_err(|_| TargetError::NoSuchProcess(pid))?;
    let words = |pair: &[u8; 16]| {
        let (key, value) = (pair.first_chunk::<8>(), pair.last_chunk::<8>());
        (key.map_or(0, |k| u64::from_le_bytes(*k)), value.map_or(0, |v| u64::from_le_bytes(*v)))
    };
    let mut pairs = bytes.as_chunks::<16>().0.iter().map(words);
    pairs
        .find_map(|(key, value)| (key == libc::AT_ENTRY).then_some(value))
        .ok_or(TargetError::NoSuchProcess(pid))
}

/// The threads of a process, in ascending order.
pub(crate) fn threads(pid: i32) -> Result<Vec<Tid>, TargetError> {
    let entries = fs::read_dir(format!("/proc/{pid}/task")).map_err(|_| TargetError::Ended)?;
    let mut tids: Vec<Tid> =
        entries.filter_map(|e| e.ok()?.file_name().to_str()?.parse().ok().map(Tid)).collect();
    tids.sort_unstable();
    if tids.is_empty() { Err(TargetError::Ended) } else { Ok(tids) }
}

/// A field of /proc/PID/status, trimmed.
pub(crate) fn status_field(pid: i32, name: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':').map(|v| v.trim().to_string()))
}

/// The letter of the process's state (`R`, `S`, `T` stopped, `t` traced, `Z`); `None` when it is gone.
pub(crate) fn state(pid: i32) -> Option<char> {
    status_field(pid, "State")?.chars().next()
}

/// The process that a thread belongs to.
pub(crate) fn thread_group(tid: i32) -> Option<i32> {
    status_field(tid, "Tgid")?.parse().ok()
}

/// Who traces the process, and that tracer's name.
pub(crate) fn tracer(pid: i32) -> Option<(i32, String)> {
    let tracer = status_field(pid, "TracerPid")?.parse().ok().filter(|t| *t != 0)?;
    Some((tracer, status_field(tracer, "Name").unwrap_or_else(|| "unknown".into())))
}

/// The running executable's path.
pub(crate) fn executable(pid: i32) -> PathBuf {
    fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default()
}

/// How often a process that stands is looked at: a kill from outside shows nowhere else, as its threads wait for their tracer.
pub(crate) const DEATH_WATCH: Duration = Duration::from_millis(200);

/// Whether every thread of the process is dead, reaped or not.
pub(crate) fn is_dead(pid: i32) -> bool {
    let dead = |tid: i32| matches!(state(tid), None | Some('Z' | 'X'));
    dead(pid) && threads(pid).is_ok_and(|all| all.iter().all(|t| dead(t.0)))
}

/// Sends a signal to a process, or with a negative number to a process group. Errors (it is gone) are of no interest to any caller.
pub(crate) fn signal(pid: i32, signal: i32) {
    if pid != 0 && pid != -1 {
        // SAFETY: no memory is involved.
        unsafe { libc::kill(pid, signal) };
    }
}

/// Sends a signal to one thread.
pub(crate) fn signal_thread(pid: i32, tid: i32, signal: i32) {
    // SAFETY: no memory is involved.
    unsafe { libc::syscall(libc::SYS_tgkill, pid, tid, signal) };
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Exited(i32),
    Killed(i32),
}

impl End {
    pub(crate) fn event(self) -> crate::Event {
        match self {
            End::Exited(code) => crate::Event::Exited { code },
            End::Killed(signal) => crate::Event::Signalled { signal: crate::Signal(signal) },
        }
    }
}

/// Waits for our child's end and leaves it a zombie, so that its number and its group's stay ours until [`reap`].
pub(crate) fn wait_end(pid: i32) -> Option<End> {
    loop {
        // SAFETY: an all-zero siginfo_t is valid; the kernel fills it.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: `info` lives through the call.
        let r =
            unsafe { libc::waitid(libc::P_PID, pid as libc::id_t, &mut info, libc::WEXITED | libc::WNOWAIT) };
        if r == 0 {
            return Some(end_of(&info));
        }
        if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return None;
        }
    }
}

/// The end that a CLD_EXITED, CLD_KILLED or CLD_DUMPED tells of.
pub(crate) fn end_of(info: &libc::siginfo_t) -> End {
    // SAFETY: waitid filled the SIGCHLD variant.
    let status = unsafe { info.si_status() };
    if info.si_code == libc::CLD_EXITED { End::Exited(status) } else { End::Killed(status) }
}

/// Takes a dead child's entry out of the process table; waits for a dying one.
pub(crate) fn reap(pid: i32) {
    loop {
        let mut status = 0;
        // SAFETY: `status` lives through the call.
        let r = unsafe { libc::waitpid(pid, &mut status, libc::__WALL) };
        let over = match r {
            -1 => io::Error::last_os_error().kind() != io::ErrorKind::Interrupted,
            // A stop of a tracee that is being killed is not its end.
            _ => !libc::WIFSTOPPED(status),
        };
        if over {
            return;
        }
    }
}

/// A counter in the kernel that wakes a `poll`.
#[derive(Debug)]
pub(crate) struct Wake(OwnedFd);

impl Wake {
    pub(crate) fn new() -> Result<Wake, TargetError> {
        // SAFETY: plain system call; a non-negative result is a fresh descriptor that nobody else owns.
        unsafe {
            match libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) {
                fd if fd >= 0 => Ok(Wake(OwnedFd::from_raw_fd(fd))),
                _ => Err(TargetError::os("eventfd")),
            }
        }
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    pub(crate) fn wake(&self) {
        let one = 1u64;
        // SAFETY: eight readable bytes.
        unsafe { libc::write(self.fd(), (&raw const one).cast(), 8) };
    }

    pub(crate) fn clear(&self) {
        let mut n = 0u64;
        // SAFETY: eight writable bytes.
        unsafe { libc::read(self.fd(), (&raw mut n).cast(), 8) };
    }
}

/// `poll` over (descriptor, events); the answer has the returned events in the same order. Interrupted or failed: all zero.
pub(crate) fn poll<const N: usize>(fds: [(RawFd, i16); N], timeout_ms: i32) -> [i16; N] {
    let mut set = fds.map(|(fd, events)| libc::pollfd { fd, events, revents: 0 });
    // SAFETY: `set` has N entries and lives through the call.
    let r = unsafe { libc::poll(set.as_mut_ptr(), N as libc::nfds_t, timeout_ms) };
    if r <= 0 { [0; N] } else { set.map(|p| p.revents) }
}
