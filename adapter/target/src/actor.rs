//! A back end lives on a thread of its own (ptrace demands it; a server's stops need a reader). The session's calls are jobs
//! sent to that thread and waited for; what happens by itself goes to the event channel.

use std::{collections::BTreeSet, os::fd::RawFd, sync::Arc, time::Duration};

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};
use machine::{Arch, Memory, Regs};

use crate::{
    NotChanged, Plan, StepOver, Target, TargetError, Tid,
    keeper::{DYING, Keeper},
    memory::ProcMemory,
    output::Emitter,
    process::{self, Wake},
};

/// What runs on the back end's thread.
pub(crate) type Job<D> = Box<dyn FnOnce(&mut D) + Send>;

/// The work of one back end. All calls come on its own thread; all but `interrupt` and `kill` while the program is stopped.
pub(crate) trait Driver: 'static {
    fn threads(&mut self) -> Result<Vec<Tid>, TargetError>;
    fn read_regs(&mut self, tids: &[Tid]) -> Result<Vec<(Tid, Regs)>, TargetError>;
    fn write_regs(&mut self, tid: Tid, regs: &Regs) -> Result<(), TargetError>;
    fn write_memory(&mut self, addr: u64, bytes: &[u8]) -> Result<(), TargetError>;
    /// `clear`: armed ones, `set`: others; no address twice.
    fn change_breakpoints(&mut self, clear: &[u64], set: &[u64]) -> Result<Vec<NotChanged>, TargetError>;
    fn resume(&mut self, plan: &Plan) -> Result<(), TargetError>;
    fn step_over(&mut self, tid: Tid, deadline: Duration) -> Result<StepOver, TargetError>;
    fn interrupt(&mut self) -> Result<(), TargetError>;
    fn detach(&mut self) -> Result<(), TargetError>;
    fn kill(&mut self) -> Result<(), TargetError>;
}

/// The session's end of a back end's thread.
pub(crate) struct Handle<D> {
    pub(crate) jobs: Jobs<D>,
    /// Waited for after `jobs` is dropped.
    pub(crate) _ending: Ending,
    /// Of a launched program. Dropped last: nothing of it is left then.
    pub(crate) keeper: Option<Keeper>,
    pub(crate) pid: i32,
    pub(crate) memory: Arc<ProcMemory>,
    pub(crate) emitter: Emitter,
    pub(crate) description: String,
    pub(crate) detached: bool,
}

/// The end of a back end's thread, waited for when dropped.
pub(crate) struct Ending(pub(crate) Receiver<()>);

impl Drop for Ending {
    fn drop(&mut self) {
        let _ended = self.0.recv_timeout(DYING);
    }
}

impl<D> Drop for Handle<D> {
    fn drop(&mut self) {
        self.emitter.stop();
        match &self.keeper {
            // The program lives on, tied to the keeper's thread.
            Some(_) if self.detached => std::mem::forget(self.keeper.take()),
            Some(_) => process::signal(-self.pid, libc::SIGKILL),
            None => {}
        }
    }
}

/// The session's end of the queue of jobs: it sends one at a time and waits. The driver is woken for each, and when this is dropped.
pub(crate) struct Jobs<D> {
    queue: Option<Sender<Job<D>>>,
    wake: Arc<Wake>,
}

impl<D> Jobs<D> {
    fn send(&self, job: Job<D>) -> Result<(), TargetError> {
        self.queue.as_ref().and_then(|q| q.send(job).ok()).ok_or(TargetError::Ended)?;
        self.wake.wake();
        Ok(())
    }
}

impl<D> Drop for Jobs<D> {
    fn drop(&mut self) {
        self.queue = None;
        self.wake.wake();
    }
}

/// The driver's end of the queue.
pub(crate) struct Inbox<D> {
    queue: Receiver<Job<D>>,
    wake: Arc<Wake>,
}

/// The session has dropped its end.
pub(crate) struct Gone;

impl<D> Inbox<D> {
    /// A job that waits.
    pub(crate) fn next(&self) -> Result<Option<Job<D>>, Gone> {
        match self.queue.try_recv() {
            Ok(job) => Ok(Some(job)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(Gone),
        }
    }

    /// For `poll`: readable when there may be something new.
    pub(crate) fn fd(&self) -> RawFd {
        self.wake.fd()
    }

    /// To be called before looking for what is new.
    pub(crate) fn awake(&self) {
        self.wake.clear();
    }

    /// Does what is asked until the session drops its end.
    pub(crate) fn serve(&self, driver: &mut D) {
        for job in &self.queue {
            job(driver);
        }
    }
}

/// A queue of jobs; `wake` is what its driver waits for.
pub(crate) fn queue<D>(wake: Arc<Wake>) -> (Jobs<D>, Inbox<D>) {
    let (tx, rx) = bounded(4);
    (Jobs { queue: Some(tx), wake: Arc::clone(&wake) }, Inbox { queue: rx, wake })
}

impl<D: Driver> Handle<D> {
    fn call<R: Send + 'static>(
        &self,
        f: impl FnOnce(&mut D) -> Result<R, TargetError> + Send + 'static,
    ) -> Result<R, TargetError> {
        let (tx, rx) = bounded(1);
        let job: Job<D> = Box::new(move |d| {
            let _session_gone = tx.send(f(d));
        });
        self.jobs.send(job)?;
        rx.recv().map_err(|_| TargetError::Ended)?
    }
}

impl<D: Driver> Target for Handle<D> {
    fn pid(&self) -> i32 {
        self.pid
    }

    fn arch(&self) -> Arch {
        Arch::Amd64
    }

    fn description(&self) -> String {
        self.description.clone()
    }

    fn threads(&mut self) -> Result<Vec<Tid>, TargetError> {
        self.call(Driver::threads)
    }

    fn read_all_regs(&mut self, tids: &[Tid]) -> Result<Vec<(Tid, Regs)>, TargetError> {
        let tids = tids.to_vec();
        self.call(move |d| d.read_regs(&tids))
    }

    fn write_regs(&mut self, tid: Tid, regs: &Regs) -> Result<(), TargetError> {
        let regs = regs.clone();
        self.call(move |d| d.write_regs(tid, &regs))
    }

    fn memory(&self) -> Arc<dyn Memory> {
        Arc::clone(&self.memory) as Arc<dyn Memory>
    }

    fn write_memory(&mut self, addr: u64, bytes: &[u8]) -> Result<(), TargetError> {
        let owned = bytes.to_vec();
        self.call(move |d| d.write_memory(addr, &owned))?;
        self.memory.note_write(addr, bytes);
        Ok(())
    }

    fn change_breakpoints(&mut self, clear: &[u64], set: &[u64]) -> Result<Vec<NotChanged>, TargetError> {
        let change = |list: &[u64], armed: bool| {
            let unique: BTreeSet<u64> = list.iter().copied().collect();
            unique.into_iter().filter(|a| self.has_breakpoint(*a) == armed).collect::<Vec<u64>>()
        };
        let (clear, set) = (change(clear, true), change(set, false));
        if clear.is_empty() && set.is_empty() {
            return Ok(Vec::new());
        }
        self.call(move |d| d.change_breakpoints(&clear, &set))
    }

    fn has_breakpoint(&self, addr: u64) -> bool {
        self.memory.original(addr).is_some()
    }

    fn resume(&mut self, plan: &Plan) -> Result<(), TargetError> {
        let plan = plan.clone();
        self.memory.drop_cache();
        self.call(move |d| d.resume(&plan))
    }

    fn step_over(&mut self, tid: Tid, deadline: Duration) -> Result<StepOver, TargetError> {
        self.memory.drop_cache();
        let r = self.call(move |d| d.step_over(tid, deadline));
        self.memory.drop_cache();
        r
    }

    fn interrupt(&mut self) -> Result<(), TargetError> {
        self.call(Driver::interrupt)
    }

    fn detach(&mut self) -> Result<(), TargetError> {
        self.detached = true;
        self.call(Driver::detach)
    }

    fn kill(&mut self) -> Result<(), TargetError> {
        self.call(Driver::kill)
    }
}
