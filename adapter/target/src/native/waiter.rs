//! Wakes the tracer when one of its threads has something to tell. Consumes nothing: only the tracer thread reaps.
//!
//!     tracer: arm ------> waiter: waitid(P_PGID, WNOWAIT) ... returns ------> wake
//!     tracer: collects everything, arms again while the program runs

use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};

/// The waiter thread's ends.
pub(super) struct Waiter {
    arm: Sender<()>,
    wakes: Receiver<()>,
}

impl Waiter {
    pub(super) fn start(pid: i32) -> std::io::Result<Waiter> {
        let (arm, armed) = bounded(1);
        let (wake, wakes) = bounded(1);
        thread::Builder::new().name("waiter".into()).spawn(move || {
            while armed.recv().is_ok() {
                if !wait_for_any(pid) || wake.send(()).is_err() {
                    return;
                }
            }
        })?;
        Ok(Waiter { arm, wakes })
    }

    /// One wake is wanted. Harmless when one is under way.
    pub(super) fn arm(&self) {
        let _already_armed = self.arm.try_send(());
    }

    pub(super) fn wakes(&self) -> &Receiver<()> {
        &self.wakes
    }
}

/// Blocks until a thread of the program's process group has a status; false when there is none left to wait for.
fn wait_for_any(pid: i32) -> bool {
    loop {
        // SAFETY: getpgid takes no pointers; siginfo_t is plain data and lives through the call.
        let r = unsafe {
            let group = libc::getpgid(pid);
            let mut info: libc::siginfo_t = std::mem::zeroed();
            let id = if group > 0 { group as libc::id_t } else { pid as libc::id_t };
            libc::waitid(
                libc::P_PGID,
                id,
                &raw mut info,
                libc::WEXITED | libc::WSTOPPED | libc::WNOWAIT | libc::__WALL,
            )
        };
        if r == 0 {
            return true;
        }
        if std::io::Error::last_os_error().kind() != std::io::ErrorKind::Interrupted {
            return false;
        }
    }
}
