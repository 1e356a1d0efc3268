//! Goroutines: `runtime.g` as data. Never trusts a pointer it did not validate.

use crate::{Process, ThreadState};

/// `g.atomicstatus` without the scan bit (runtime/runtime2.go).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    Idle,
    Runnable,
    Running,
    Syscall,
    Waiting,
    Dead,
    CopyStack,
    Preempted,
    /// Found unreachable by the garbage collector (1.26).
    Leaked,
    /// Dead, kept for an extra M of cgo callbacks (1.26).
    DeadExtra,
    Unknown(u32),
}

/// Where a goroutine that is not on a thread goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SavedRegs {
    pub pc: u64,
    pub sp: u64,
    pub bp: u64,
    pub lr: u64,
}

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
    /// Locked to its thread (runtime.LockOSThread).
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
    /// Live goroutines in the order of `allgs`, at most `limit`.
    pub fn goroutines(&self, _limit: usize) -> GoroutineList {
        GoroutineList { incomplete: Some("goroutines are not available".into()), ..GoroutineList::default() }
    }

    /// The live goroutine with this id.
    pub fn goroutine(&self, _goid: u64) -> Option<Goroutine> {
        None
    }

    /// The goroutine at this address.
    pub fn goroutine_at(&self, _addr: u64) -> Option<Goroutine> {
        None
    }

    /// Address of the user goroutine (`m.curg`) of a thread; None when the thread runs none.
    pub fn g_of_thread(&self, _t: &ThreadState) -> Option<u64> {
        None
    }

    /// Id of the user goroutine of a thread: a few reads only.
    pub fn goid_of(&self, _t: &ThreadState) -> Option<u64> {
        None
    }

    /// runtime.isSystemGoroutine.
    pub fn is_system_goroutine(&self, g: &Goroutine) -> bool {
        g.system
    }
}
