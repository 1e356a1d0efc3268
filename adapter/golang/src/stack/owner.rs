//! Whose stack is walked: the user goroutine, its M, and the bounds of both stacks.

use machine::MemoryExt;

use crate::goroutine::{Machine, Raw};
use crate::{Process, SavedRegs};

/// A range of stack addresses, `lo < sp <= hi`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) lo: u64,
    pub(crate) hi: u64,
}

impl Bounds {
    pub(crate) fn contains(self, sp: u64) -> bool {
        self.lo < sp && sp <= self.hi
    }
}

/// The goroutine and thread that a stack belongs to. Everything optional: foreign threads have neither.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Owner {
    /// Address of the user goroutine.
    pub(crate) g: Option<u64>,
    pub(crate) goid: Option<u64>,
    pub(crate) user: Option<Bounds>,
    pub(crate) sched: SavedRegs,
    pub(crate) syscall: Option<SavedRegs>,
    /// Fault address of the last signal that became a panic.
    pub(crate) sigpc: u64,
    pub(crate) system: Option<Bounds>,
    pub(crate) signal: Option<Bounds>,
    /// `m.g0.sched.sp`: where the innermost callback from C left the system stack.
    pub(crate) g0_sp: u64,
    pub(crate) vdso: Option<SavedRegs>,
}

impl Owner {
    pub(crate) fn on_user(&self, sp: u64) -> bool {
        self.user.is_some_and(|b| b.contains(sp))
    }

    /// Upper end of the stack that `sp` lies in.
    pub(crate) fn hi_of(&self, sp: u64) -> Option<u64> {
        [self.user, self.system, self.signal].into_iter().flatten().find(|b| b.contains(sp)).map(|b| b.hi)
    }
}

impl Process<'_> {
    /// Owner of a goroutine's stack and of the M that it is on (or locked to).
    pub(crate) fn owner_of_g(&self, g: u64) -> Owner {
        let mut owner = Owner::default();
        let Some(o) = self.facts().g.as_ref() else { return owner };
        let Some(raw) = self.raw_g(g) else { return owner };
        self.fill_goroutine(&mut owner, &raw);
        let m = match (raw.word(o.m), raw.word(o.lockedm)) {
            (0, locked) => locked,
            (m, _) => m,
        };
        if let Some(machine) = (m != 0).then(|| self.machine_at(m, g)).flatten() {
            self.fill_machine(&mut owner, &machine);
        }
        owner
    }

    /// Owner of the frame at `sp` of a thread: without the M's own stacks, where the goroutine's is enough.
    pub(crate) fn owner_of_top(&self, machine: &Machine, sp: u64) -> Owner {
        let mut owner = Owner::default();
        if let Some(raw) = machine.curg.and_then(|g| self.raw_g(g)) {
            self.fill_goroutine(&mut owner, &raw);
        }
        if !owner.on_user(sp) {
            self.fill_machine(&mut owner, machine);
        }
        owner
    }

    /// Owner of a thread's stack.
    pub(crate) fn owner_of_machine(&self, machine: &Machine) -> Owner {
        let mut owner = Owner::default();
        if let Some(raw) = machine.curg.and_then(|g| self.raw_g(g)) {
            self.fill_goroutine(&mut owner, &raw);
        }
        self.fill_machine(&mut owner, machine);
        owner
    }

    fn fill_goroutine(&self, owner: &mut Owner, raw: &Raw) {
        let Some(o) = self.facts().g.as_ref() else { return };
        owner.g = Some(raw.addr);
        owner.goid = Some(raw.word(o.goid));
        owner.user = raw.stack(o).map(|(lo, hi)| Bounds { lo, hi });
        owner.sched = raw.sched(o);
        owner.syscall = raw.syscall(o);
        owner.sigpc = o.sigpc.map_or(0, |at| raw.word(at));
    }

    fn fill_machine(&self, owner: &mut Owner, machine: &Machine) {
        let facts = self.facts();
        let (Some(o), Some(m)) = (facts.g.as_ref(), facts.m.as_ref()) else { return };
        if let Some(g0) = self.raw_g(machine.g0) {
            owner.system = g0.stack(o).map(|(lo, hi)| Bounds { lo, hi });
            owner.g0_sp = g0.sched(o).sp;
        }
        owner.signal = self.raw_g(machine.gsignal).and_then(|g| g.stack(o)).map(|(lo, hi)| Bounds { lo, hi });
        let word = |offset: Option<u64>| self.mem.read_u64(machine.addr.checked_add(offset?)?).ok();
        if let (Some(sp), Some(pc)) = (word(m.vdso_sp), word(m.vdso_pc)) {
            owner.vdso = (sp != 0 && pc != 0).then_some(SavedRegs { pc, sp, bp: 0, lr: 0 });
        }
    }
}
