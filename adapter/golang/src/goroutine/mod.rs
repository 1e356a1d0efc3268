//! Goroutines: `runtime.g` as data. Never trusts a pointer it did not validate.

mod labels;
mod list;
mod read;
mod threads;

pub(crate) use read::Raw;
pub use read::{SavedRegs, Status};
pub(crate) use threads::Machine;

use crate::{Process, ThreadState};

/// One goroutine.
#[derive(Clone, Debug)]
pub struct Goroutine {
    /// Address of the `runtime.g`.
    pub addr: u64,
    pub id: u64,
    pub status: Status,
    /// `_Gscan` was set.
    pub scan: bool,
    /// Only while waiting: `chan receive`, `select`, ...
    pub wait_reason: Option<String>,
    /// Since when it waits, in nanoseconds of runtime.nanotime; set by the garbage collector only.
    pub wait_since_ns: Option<u64>,
    /// Kernel thread that runs it (also in a system call).
    pub thread: Option<i32>,
    /// Entry of the goroutine's function.
    pub start_pc: u64,
    /// Return address of the `go` statement.
    pub go_pc: u64,
    pub parent: Option<u64>,
    /// pprof labels, sorted by key.
    pub labels: Vec<(String, String)>,
    /// Belongs to the runtime (isSystemGoroutine).
    pub system: bool,
    /// Locked to its thread (runtime.LockOSThread, or a callback from C).
    pub locked: bool,
    pub stack_lo: u64,
    pub stack_hi: u64,
    /// `g.sched`, or `g.syscall*` while in a system call.
    pub saved: SavedRegs,
}

/// What `goroutines` found.
#[derive(Clone, Debug, Default)]
pub struct GoroutineList {
    pub goroutines: Vec<Goroutine>,
    /// Goroutines that live (allgs without the dead), also those beyond the limit.
    pub total: usize,
    /// Why the list is not complete.
    pub incomplete: Option<String>,
}

impl Process<'_> {
    /// Address of the user goroutine (`m.curg`) of a thread; None when the thread runs none.
    pub fn g_of_thread(&self, t: &ThreadState) -> Option<u64> {
        self.machine_of(t)?.curg
    }

    /// Id of the user goroutine of a thread: a few reads only.
    pub fn goid_of(&self, t: &ThreadState) -> Option<u64> {
        let g = self.g_of_thread(t)?;
        self.goid_at(g)
    }

    /// runtime.isSystemGoroutine.
    pub fn is_system_goroutine(&self, g: &Goroutine) -> bool {
        g.system
    }
}
