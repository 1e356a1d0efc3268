//! Frames of code that is not Go's: C by call frame information, the vDSO and what else is unknown by what the runtime saved.

use machine::{Arch, Regs};

use super::FrameKind;
use super::walk::{Next, Physical, Walk};

/// Bytes of the system stack in which a C frame is looked for.
const SCAN: u64 = 32 << 10;
/// C calls between Go and a shared library.
const MAX_C_FRAMES: usize = 64;

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
        let next = match self.c_frame_above(regs) {
            Some(up) => Next::Frame { regs: up, exact: false },
            None => self.past_foreign(regs),
        };
        (Some(frame), next)
    }

    /// From a shared library (libc blocks in a system call), of which no unwind tables are at hand, to the program's C function
    /// that called it: a return address on the stack from which call frame information leads exactly to the call from Go.
    /// Anything less exact could be a leftover.
    fn c_frame_above(&mut self, regs: &Regs) -> Option<Regs> {
        if !self.p.image.is_cgo() || self.owner.on_user(regs.sp()) {
            return None;
        }
        let limit = self.owner.system.map_or(SCAN, |b| b.hi.saturating_sub(regs.sp()).min(SCAN));
        for at in (regs.sp()..regs.sp().checked_add(limit)?).step_by(8) {
            let word = self.words.get(at).ok()?;
            if !self.p.image.is_text(word) || self.code(word.wrapping_sub(1)).is_some() {
                continue;
            }
            let mut up = Regs::new(self.arch);
            up.tls = regs.tls;
            up.set_pc(word);
            up.set_sp(at + 8);
            if self.leads_to_go(up.clone()) {
                return Some(up);
            }
        }
        None
    }

    /// Call frame information leads from here to asmcgocall.
    fn leads_to_go(&mut self, mut regs: Regs) -> bool {
        for _ in 0..MAX_C_FRAMES {
            let sp = regs.sp();
            if self.p.image.unwind_cfi(&mut regs, self.p.mem).is_err() || regs.sp() <= sp {
                return false;
            }
            let pc = regs.pc().wrapping_sub(1);
            if self.code(pc).is_some() {
                let f = self.p.image.functions().at(pc);
                return f.is_some_and(|f| f.name().starts_with("runtime.asmcgocall"));
            }
        }
        false
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
