//! One `runtime.g`, read in one piece and checked.

use machine::MemoryExt;

use super::Goroutine;
use crate::Process;
use crate::facts::{Facts, GOffsets};

/// `_Gscan` (runtime/runtime2.go).
const SCAN: u32 = 0x1000;
/// No goroutine's stack is larger (runtime.maxstackceiling is twice maxstacksize, 1 GB).
const MAX_STACK: u64 = 4 << 30;
/// `fingRunningFinalizer` (runtime/mfinal.go).
const RUNNING_FINALIZER: u32 = 2;

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

impl Status {
    pub(crate) fn from_word(word: u32) -> (Status, bool) {
        let status = match word & !SCAN {
            0 => Status::Idle,
            1 => Status::Runnable,
            2 => Status::Running,
            3 => Status::Syscall,
            4 => Status::Waiting,
            6 => Status::Dead,
            8 => Status::CopyStack,
            9 => Status::Preempted,
            10 => Status::Leaked,
            11 => Status::DeadExtra,
            n => Status::Unknown(n),
        };
        (status, word & SCAN != 0)
    }

    /// A goroutine that exists for the program.
    pub fn is_live(self) -> bool {
        !matches!(self, Status::Idle | Status::Dead | Status::DeadExtra | Status::Unknown(_))
    }

    /// As runtime.Stack prints it.
    pub fn text(self) -> &'static str {
        match self {
            Status::Idle => "idle",
            Status::Runnable => "runnable",
            Status::Running => "running",
            Status::Syscall => "syscall",
            Status::Waiting => "waiting",
            Status::Dead | Status::DeadExtra => "dead",
            Status::CopyStack => "copystack",
            Status::Preempted => "preempted",
            Status::Leaked => "leaked",
            Status::Unknown(_) => "???",
        }
    }
}

/// Where a goroutine that is not on a thread goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SavedRegs {
    pub pc: u64,
    pub sp: u64,
    pub bp: u64,
    pub lr: u64,
}

/// The bytes of a `runtime.g`.
pub(crate) struct Raw {
    pub(crate) addr: u64,
    bytes: Vec<u8>,
}

impl Raw {
    pub(crate) fn word(&self, offset: u64) -> u64 {
        self.get(offset).map_or(0, u64::from_le_bytes)
    }

    pub(crate) fn half(&self, offset: u64) -> u32 {
        self.get(offset).map_or(0, u32::from_le_bytes)
    }

    pub(crate) fn byte(&self, offset: u64) -> u8 {
        self.get(offset).map_or(0, |[b]: [u8; 1]| b)
    }

    fn get<const N: usize>(&self, offset: u64) -> Option<[u8; N]> {
        let start = usize::try_from(offset).ok()?;
        self.bytes.get(start..start.checked_add(N)?)?.try_into().ok()
    }

    /// `g.stack` is a plausible range; a g without a stack (dead, its stack freed) has none.
    pub(crate) fn stack(&self, o: &GOffsets) -> Option<(u64, u64)> {
        let (lo, hi) = (self.word(o.stack_lo), self.word(o.stack_hi));
        (lo != 0 && lo < hi && hi - lo <= MAX_STACK).then_some((lo, hi))
    }

    /// `g.sched`.
    pub(crate) fn sched(&self, o: &GOffsets) -> SavedRegs {
        SavedRegs {
            pc: self.word(o.sched_pc),
            sp: self.word(o.sched_sp),
            bp: self.word(o.sched_bp),
            lr: self.word(o.sched_lr),
        }
    }

    /// `g.syscall*`, if the goroutine is in a system call or in C.
    pub(crate) fn syscall(&self, o: &GOffsets) -> Option<SavedRegs> {
        let (pc, sp) = (self.word(o.syscallpc), self.word(o.syscallsp));
        let bp = o.syscallbp.map_or(0, |at| self.word(at));
        (sp != 0 && pc != 0).then_some(SavedRegs { pc, sp, bp, lr: 0 })
    }
}

impl<'a> Process<'a> {
    pub(crate) fn raw_g(&self, addr: u64) -> Option<Raw> {
        let o = self.facts().g.as_ref()?;
        if addr == 0 || !addr.is_multiple_of(8) {
            return None;
        }
        let size = usize::try_from(o.size).ok()?;
        let bytes = self.mem.read_vec(addr, size, 4096).ok()?;
        Some(Raw { addr, bytes })
    }

    pub(crate) fn goid_at(&self, g: u64) -> Option<u64> {
        let o = self.facts().g.as_ref()?;
        self.mem.read_u64(g.checked_add(o.goid)?).ok()
    }

    /// Everything about one goroutine. `tid`: its thread, as `m.procid` says.
    pub(crate) fn describe(&self, raw: &Raw, tid: Option<i32>) -> Option<Goroutine> {
        let facts = self.facts();
        let o = facts.g.as_ref()?;
        let (status, scan) = Status::from_word(raw.half(o.status));
        let (stack_lo, stack_hi) = raw.stack(o).unwrap_or((0, 0));
        let wait_reason = matches!(status, Status::Waiting | Status::Preempted | Status::Leaked)
            .then(|| facts.wait_reason(self.image, self.mem, raw.byte(o.waitreason)))
            .flatten();
        let wait_since = raw.word(o.waitsince);
        let system = self.is_system(facts, o, raw, wait_reason.as_deref());
        let saved = match status {
            Status::Syscall => raw.syscall(o).unwrap_or_else(|| raw.sched(o)),
            _ => raw.sched(o),
        };
        Some(Goroutine {
            addr: raw.addr,
            id: raw.word(o.goid),
            status,
            scan,
            wait_reason,
            wait_since_ns: (wait_since != 0).then_some(wait_since),
            thread: tid,
            start_pc: raw.word(o.startpc),
            go_pc: raw.word(o.gopc),
            parent: o.parent.map(|at| raw.word(at)).filter(|&p| p != 0),
            labels: self.labels_of(raw.word(o.labels)),
            system,
            locked: raw.word(o.lockedm) != 0,
            stack_lo,
            stack_hi,
            saved,
        })
    }

    /// isSystemGoroutine(gp, false) (runtime/traceback.go).
    fn is_system(&self, facts: &Facts, o: &GOffsets, raw: &Raw, wait_reason: Option<&str>) -> bool {
        let Some(f) = self.image.functions().at(raw.word(o.startpc)) else { return false };
        match f.name() {
            "runtime.main" | "runtime.corostart" | "runtime.handleAsyncEvent" => false,
            // Not while it runs a finalizer of the program.
            "runtime.runfinq" | "runtime.runFinalizers" => {
                match facts.fing_status.and_then(|at| self.mem.read_u32(at).ok()) {
                    Some(status) => status & RUNNING_FINALIZER == 0,
                    None => wait_reason == Some("finalizer wait"),
                }
            }
            "runtime.runCleanups" => match o.running_cleanups {
                Some(at) => raw.byte(at) == 0,
                None => wait_reason == Some("cleanup wait"),
            },
            name => name.starts_with("runtime."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scan_bit_is_apart_from_the_status() {
        assert_eq!(Status::from_word(0x1004), (Status::Waiting, true));
        assert_eq!(Status::from_word(2), (Status::Running, false));
        assert_eq!(Status::from_word(77), (Status::Unknown(77), false));
        assert!(Status::Leaked.is_live() && !Status::DeadExtra.is_live());
    }

    #[test]
    fn a_short_g_reads_as_zeroes() {
        let raw = Raw { addr: 8, bytes: vec![1; 12] };
        assert_eq!(raw.word(0), 0x0101_0101_0101_0101);
        assert_eq!((raw.word(8), raw.half(u64::MAX), raw.byte(12)), (0, 0, 0));
    }
}
