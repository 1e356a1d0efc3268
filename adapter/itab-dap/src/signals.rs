//! SIGINT and SIGTERM as a channel: an attached program must be let go, breakpoints removed, before we die.
//!
//! The handler writes one byte into a pipe and does nothing else. The disposition is not inherited by programs that we start
//! (exec resets handlers), and no signal is ever blocked.

use std::{
    io::Read,
    os::fd::{FromRawFd, IntoRawFd, OwnedFd},
    sync::atomic::{AtomicI32, Ordering},
    thread,
};

use crossbeam_channel::{Receiver, bounded};

/// Write end of the pipe; -1 before [`install`].
static PIPE: AtomicI32 = AtomicI32::new(-1);

extern "C" fn on_signal(signal: libc::c_int) {
    let fd = PIPE.load(Ordering::Relaxed);
    let byte = signal as u8;
    // SAFETY: write(2) is async-signal-safe; the buffer is one byte on this stack; a closed or full pipe only makes it fail.
    unsafe { libc::write(fd, (&raw const byte).cast(), 1) };
}

/// Catches SIGINT, SIGTERM and SIGHUP from now on; each arrives as its number.
pub(crate) fn install() -> std::io::Result<Receiver<i32>> {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    PIPE.store(OwnedFd::into_raw_fd(write), Ordering::Relaxed);
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: a zeroed sigaction is valid, the handler is async-signal-safe and lives for ever.
        let failed = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = on_signal as *const () as usize;
            action.sa_flags = libc::SA_RESTART;
            libc::sigaction(signal, &raw const action, std::ptr::null_mut()) != 0
        };
        if failed {
            return Err(std::io::Error::last_os_error());
        }
    }
    let (tx, rx) = bounded(4);
    // SAFETY: the read end was just created and is owned by nobody else.
    let mut pipe = unsafe { std::fs::File::from_raw_fd(read.into_raw_fd()) };
    thread::Builder::new().name("signals".into()).spawn(move || {
        let mut byte = [0_u8; 1];
        while pipe.read_exact(&mut byte).is_ok() {
            if tx.send(i32::from(u8::from_le_bytes(byte))).is_err() {
                return;
            }
        }
    })?;
    Ok(rx)
}
