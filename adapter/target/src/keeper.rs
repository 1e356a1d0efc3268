//! The thread that a launched program is tied to: it forked it, tells of its end, and clears away what is left of its process group.
//!
//! The program's number stays ours (as a zombie) until the session is through, so no signal can ever reach a stranger.

use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::{
    Event, LaunchSpec, TargetError,
    output::{Emitter, Outputs},
    process::{End, reap, signal, wait_end},
    spawn::Prepared,
};

/// How long a killed process may take to disappear before we stop waiting for it.
pub(crate) const DYING: Duration = Duration::from_secs(3);

/// The owner's end: dropping it kills the process group and waits for the end of the thread.
pub(crate) struct Keeper {
    release: Option<Sender<()>>,
    done: Receiver<()>,
}

impl Keeper {
    /// A keeper and what its thread holds.
    pub(crate) fn pair() -> (Keeper, Kept) {
        let (release, released) = bounded(0);
        let (finish, done) = bounded(0);
        (Keeper { release: Some(release), done }, Kept { released, _finish: finish })
    }

    /// Lets the thread end without waiting for it.
    pub(crate) fn release(&mut self) {
        self.release = None;
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.release();
        let _ended = self.done.recv_timeout(DYING);
    }
}

/// The thread's end.
pub(crate) struct Kept {
    released: Receiver<()>,
    /// Dropped when the thread has ended.
    _finish: Sender<()>,
}

impl Kept {
    /// Waits until the owner has dropped its end.
    pub(crate) fn wait(&self) {
        let _disconnected = self.released.recv();
    }
}

/// Tells of a child's end once everything that it wrote is sent, waits for the owner, and clears the group away.
pub(crate) fn keep(
    pid: i32,
    outputs: &Outputs,
    emitter: &Emitter,
    kept: &Kept,
    tell: impl FnOnce(End) -> bool,
) {
    if let Some(end) = wait_end(pid) {
        outputs.drain();
        if tell(end) {
            emitter.post(end.event());
        }
    }
    kept.wait();
    signal(-pid, libc::SIGKILL);
    reap(pid);
}

/// A program that runs without a debugger.
pub struct Untraced {
    pid: i32,
    emitter: Emitter,
    _keeper: Keeper,
}

impl Untraced {
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Ends the program and its process group; `Event::Signalled` follows.
    pub fn kill(&mut self) {
        signal(-self.pid, libc::SIGKILL);
    }
}

impl Drop for Untraced {
    fn drop(&mut self) {
        self.emitter.stop();
        self.kill();
    }
}

/// Runs without tracing (noDebug): same stdio, dies with us. Dropping it kills the process group.
pub fn run_untraced(spec: &LaunchSpec, events: Sender<Event>) -> Result<Untraced, TargetError> {
    let prepared = Prepared::new(spec)?;
    let emitter = Emitter::new(events)?;
    let (keeper, kept) = Keeper::pair();
    let (answer, answered) = bounded(1);
    let theirs = emitter.clone();
    std::thread::Builder::new()
        .name("spawner".into())
        .spawn(move || {
            let started = prepared.run().and_then(|r| Ok((r.pid, Outputs::start(r.pipes, &theirs)?)));
            match started {
                Ok((pid, outputs)) => {
                    let _caller_waits = answer.send(Ok(pid));
                    keep(pid, &outputs, &theirs, &kept, |_| true);
                }
                Err(e) => {
                    let _caller_waits = answer.send(Err(e));
                }
            }
        })
        .map_err(TargetError::io("starting a thread"))?;
    let pid = answered.recv().unwrap_or(Err(TargetError::Ended))?;
    Ok(Untraced { pid, emitter, _keeper: keeper })
}
