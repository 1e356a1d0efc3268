//! Frames of code that is not Go's: C by call frame information, the vDSO and what else is unknown by what the runtime saved.

use machine::{Arch, Regs};

use super::FrameKind;
use super::walk::{Next, Physical, Walk};

impl Walk<'_> {
    pub(super) fn foreign_frame(&mut self, regs: &Regs, pc: u64, lookup_pc: u64) -> (Option<Physical>, Next) {
        let mut frame = Physical {
            pc,
            lookup_pc,
            regs: regs.clone(),
            cfa: regs.sp(),
            function: None,
            kind: FrameKind::C,
            stack_hi: self.owner.hi_of(regs.sp()),
        };
        let mut up = regs.clone();
        if self.p.image.is_text(lookup_pc)
            && self.p.image.unwind_cfi(&mut up, self.p.mem).is_ok()
            && up.sp() > regs.sp()
        {
            frame.cfa = up.sp();
            let next = if up.pc() == 0 { Next::Bottom } else { Next::Frame { regs: up, exact: false } };
            return (Some(frame), next);
        }
        if let Some((cfa, next)) = self.called_through_nil(regs, pc) {
            frame.cfa = cfa;
            return (Some(frame), next);
        }
        let next = self.past_foreign(regs);
        (Some(frame), next)
    }

    /// A call to an address without code: the return address is on top of the stack.
    fn called_through_nil(&mut self, regs: &Regs, pc: u64) -> Option<(u64, Next)> {
        if pc >= 4096 {
            return None;
        }
        let (ret, sp) = match self.arch {
            Arch::Amd64 => (self.words.get(regs.sp()).ok()?, regs.sp().checked_add(8)?),
            Arch::Arm64 => (regs.get(machine::Reg(30))?, regs.sp()),
        };
        self.code(ret.wrapping_sub(1))?;
        let mut up = self.regs_at(regs, ret, sp);
        up.set(self.arch.fp(), regs.fp());
        Some((sp, Next::Frame { regs: up, exact: false }))
    }

    /// What the runtime saved when it left Go: for the vDSO, for a call to C, else nothing is known.
    fn past_foreign(&mut self, regs: &Regs) -> Next {
        if let Some(up) = self.past_c.take() {
            return Next::Switch { regs: up, exact: false };
        }
        let on_user = self.owner.on_user(regs.sp());
        let saved = self.owner.vdso.or_else(|| self.owner.syscall.filter(|_| !on_user));
        let Some(saved) = saved else {
            return Next::Broken(format!("no Go code at {:#x} and no way to its caller", regs.pc()));
        };
        if self.owner.hi_of(saved.sp).is_none() || self.code(saved.pc.wrapping_sub(1)).is_none() {
            return Next::Broken("the saved stack pointer is not the goroutine's".into());
        }
        let mut up = self.regs_at(regs, saved.pc, saved.sp);
        if saved.bp != 0 {
            up.set(self.arch.fp(), saved.bp);
        }
        Next::Switch { regs: up, exact: false }
    }
}
