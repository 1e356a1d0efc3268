//! A back end lives on a thread of its own (ptrace demands it; a server's answers need a reader). The session's calls are jobs
//! sent to that thread and waited for; what happens by itself goes to the event channel.

use std::{sync::Arc, time::Duration};

use crossbeam_channel::{Receiver, Sender, bounded};
use machine::{Arch, Memory, Regs};

use crate::{
    Plan, StepOver, Target, TargetError, Tid,
    keeper::{DYING, Keeper},
    memory::ProcMemory,
    output::Emitter,
    process,
};

/// What runs on the back end's thread.
pub(crate) type Job<D> = Box<dyn FnOnce(&mut D) + Send>;

/// The work of one back end. All calls come on its own thread; all but `interrupt` and `kill` while the program is stopped.
pub(crate) trait Driver: 'static {
    fn threads(&mut self) -> Result<Vec<Tid>, TargetError>;
    fn read_regs(&mut self, tid: Tid) -> Result<Regs, TargetError>;
    fn write_regs(&mut self, tid: Tid, regs: &Regs) -> Result<(), TargetError>;
    fn write_memory(&mut self, addr: u64, bytes: &[u8]) -> Result<(), TargetError>;
    fn set_breakpoint(&mut self, addr: u64) -> Result<(), TargetError>;
    fn clear_breakpoint(&mut self, addr: u64) -> Result<(), TargetError>;
    fn resume(&mut self, plan: &Plan) -> Result<(), TargetError>;
    fn step_over(&mut self, tid: Tid, deadline: Duration) -> Result<StepOver, TargetError>;
    fn interrupt(&mut self) -> Result<(), TargetError>;
    fn detach(&mut self) -> Result<(), TargetError>;
    fn kill(&mut self) -> Result<(), TargetError>;
}

/// The session's end of a back end's thread.
pub(crate) struct Handle<D> {
    pub(crate) jobs: Sender<Job<D>>,
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

/// A queue of jobs: the session sends one at a time and waits.
pub(crate) fn queue<D>() -> (Sender<Job<D>>, Receiver<Job<D>>) {
    bounded(4)
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
        self.jobs.send(job).map_err(|_| TargetError::Ended)?;
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

    fn read_regs(&mut self, tid: Tid) -> Result<Regs, TargetError> {
        self.call(move |d| d.read_regs(tid))
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

    fn set_breakpoint(&mut self, addr: u64) -> Result<(), TargetError> {
        if self.has_breakpoint(addr) {
            return Ok(());
        }
        self.call(move |d| d.set_breakpoint(addr))
    }

    fn clear_breakpoint(&mut self, addr: u64) -> Result<(), TargetError> {
        if !self.has_breakpoint(addr) {
            return Ok(());
        }
        self.call(move |d| d.clear_breakpoint(addr))
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
