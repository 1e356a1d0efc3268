//! Threads and their Ms: which goroutine a kernel thread runs, through TLS and the g register, each checked against the thread id.

use machine::{Arch, MemoryExt, Regs};

use crate::facts::MOffsets;
use crate::{Process, ThreadState};

/// The `runtime.m` of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Machine {
    pub(crate) addr: u64,
    /// The g that runs on the thread now: user goroutine, g0 or gsignal.
    pub(crate) g: u64,
    pub(crate) g0: u64,
    pub(crate) gsignal: u64,
    /// The user goroutine.
    pub(crate) curg: Option<u64>,
}

impl Process<'_> {
    /// The M of a thread. None for threads that Go does not know (yet).
    pub(crate) fn machine_of(&self, t: &ThreadState) -> Option<Machine> {
        let o = self.facts().m.as_ref()?;
        let candidates = match t.regs.arch() {
            Arch::Amd64 => [self.g_of_tls(&t.regs), self.g_of_register(&t.regs)],
            // Without cgo the runtime does not keep TLS up to date.
            Arch::Arm64 => [self.g_of_register(&t.regs), self.g_of_tls(&t.regs)],
        };
        candidates.into_iter().flatten().find_map(|g| self.validated(o, g, t.tid))
    }

    fn g_of_tls(&self, regs: &Regs) -> Option<u64> {
        if regs.tls == 0 {
            return None;
        }
        let slot = regs.tls.checked_add_signed(self.image.tls_g_offset())?;
        self.mem.read_u64(slot).ok()
    }

    fn g_of_register(&self, regs: &Regs) -> Option<u64> {
        regs.get(regs.arch().g())
    }

    /// `g.m.procid` must name the thread.
    fn validated(&self, o: &MOffsets, g: u64, tid: i32) -> Option<Machine> {
        let m = self.m_of_g(g)?;
        let procid = self.mem.read_u64(m.checked_add(o.procid)?).ok()?;
        if procid != u64::try_from(tid).ok()? {
            return None;
        }
        self.machine_at(m, g)
    }

    pub(crate) fn m_of_g(&self, g: u64) -> Option<u64> {
        if g == 0 || !g.is_multiple_of(8) {
            return None;
        }
        let o = self.facts().g.as_ref()?;
        self.mem.read_u64(g.checked_add(o.m)?).ok().filter(|&m| m != 0)
    }

    pub(crate) fn machine_at(&self, m: u64, g: u64) -> Option<Machine> {
        let o = self.facts().m.as_ref()?;
        let word = |offset: u64| self.mem.read_u64(m.checked_add(offset)?).ok();
        let curg = word(o.curg)?;
        Some(Machine {
            addr: m,
            g,
            g0: word(o.g0)?,
            gsignal: word(o.gsignal)?,
            curg: (curg != 0 && curg.is_multiple_of(8)).then_some(curg),
        })
    }

    /// Kernel thread of an M.
    pub(crate) fn tid_of_m(&self, m: u64) -> Option<i32> {
        let o = self.facts().m.as_ref()?;
        let procid = self.mem.read_u64(m.checked_add(o.procid)?).ok()?;
        i32::try_from(procid).ok().filter(|&t| t > 0)
    }
}
