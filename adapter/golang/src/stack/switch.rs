//! Changes of stack: systemstack, mcall, morestack, gogo; calls to and from C; signals; the vDSO.
//!
//! Each rule asks where SP is, not which instruction is next, so that it holds at every instruction of the assembly.

use machine::{Arch, Reg, Regs};

use super::FrameKind;
use super::signal::interrupted;
use super::walk::{Code, Next, Walk};
use crate::SavedRegs;
use crate::facts::Special;

/// CFA, kind and continuation of a special frame.
type Rule = Option<(u64, FrameKind, Next)>;

/// Words between the stack pointer of crosscall2 at its call and C's rbx (its arguments to cgocallback).
const CROSSCALL_ARGS: u64 = 24;

impl Walk<'_> {
    /// None: the frame is an ordinary one.
    pub(super) fn special(&mut self, regs: &Regs, code: &Code, special: Special) -> Rule {
        let sp = regs.sp();
        let user = self.owner.on_user(sp);
        match special {
            Special::SystemStack if !user => self.back_in_frame(regs, code, self.owner.sched.sp),
            Special::Mcall | Special::MoreStack if !user => Some(self.back_to_sched(regs)),
            Special::Gogo if user => {
                let to = SavedRegs { sp, bp: regs.fp(), ..self.owner.sched };
                let next = match self.go_on_at(regs, to) {
                    // It is about to be there, not to return there.
                    Next::Switch { regs, .. } => Next::Switch { regs, exact: true },
                    other => other,
                };
                Some((sp, FrameKind::StackSwitch, next))
            }
            Special::AsmCgoCall if !user => {
                self.past_c = None;
                // g.sched is that of the innermost call.
                let innermost = self.callback_sp == self.owner.g0_sp;
                let from = self.asmcgocall_sp(sp).or_else(|| innermost.then_some(self.owner.sched.sp))?;
                self.back_in_frame(regs, code, from)
            }
            Special::CgoCallback if user => self.leave_callback(regs, code),
            Special::CrossCall2 => self.enter_c(regs, code),
            Special::SigTramp => self.handler(regs, code, self.handler_cfa(sp, code)),
            Special::SigReturn => self.handler(regs, code, sp),
            Special::Vdso if !user => {
                let saved = self.owner.vdso?;
                Some((saved.sp, FrameKind::StackSwitch, self.go_on_at(regs, saved)))
            }
            Special::RaceCall if !user => {
                let saved = regs.get(Reg::R12).filter(|&sp| self.owner.on_user(sp))?;
                self.back_in_frame(regs, code, saved)
            }
            _ => None,
        }
    }

    /// The function's own frame lies on the goroutine's stack, at `sp`.
    fn back_in_frame(&mut self, regs: &Regs, code: &Code, sp: u64) -> Rule {
        if !self.owner.on_user(sp) {
            return None;
        }
        let delta = code.delta?;
        let cfa = sp.checked_add_signed(delta)?.checked_add(self.arch.call_push())?;
        let there = self.regs_at(regs, regs.pc(), sp);
        let next = match self.caller(&there, code, delta, cfa) {
            Next::Frame { regs, exact } => Next::Switch { regs, exact },
            other => other,
        };
        Some((cfa, FrameKind::StackSwitch, next))
    }

    /// The goroutine goes on at `g.sched`; if the M has let go of it, the stack ends here.
    fn back_to_sched(&mut self, regs: &Regs) -> (u64, FrameKind, Next) {
        let sched = self.owner.sched;
        let next = match self.owner.g {
            None => Next::Bottom,
            Some(_) => self.go_on_at(regs, sched),
        };
        (regs.sp(), FrameKind::StackSwitch, next)
    }

    /// At registers that the runtime saved.
    fn go_on_at(&mut self, regs: &Regs, saved: SavedRegs) -> Next {
        if self.owner.hi_of(saved.sp).is_none() || self.code(saved.pc.wrapping_sub(1)).is_none() {
            return Next::Broken(format!(
                "the saved stack pointer {:#x} and pc {:#x} are not the goroutine's",
                saved.sp, saved.pc
            ));
        }
        let (up, exact) = self.saved(regs, saved);
        Next::Switch { regs: up, exact }
    }

    fn saved(&self, regs: &Regs, saved: SavedRegs) -> (Regs, bool) {
        let mut up = self.regs_at(regs, saved.pc, saved.sp);
        if saved.bp != 0 {
            up.set(self.arch.fp(), saved.bp);
        }
        if self.arch == Arch::Arm64 && saved.lr != 0 {
            up.set(Reg(30), saved.lr);
        }
        (up, self.p.is_entry(saved.pc))
    }

    /// asmcgocall keeps the goroutine and the depth in its stack at the bottom of its part of the system stack (the goroutine's
    /// stack may be copied while C runs).
    fn asmcgocall_sp(&mut self, sp: u64) -> Option<u64> {
        let (g_at, depth_at) = match (self.arch, self.p.facts().specials.landing_pad) {
            (Arch::Arm64, _) => (0, 8),
            (Arch::Amd64, true) => (8, 0),
            (Arch::Amd64, false) => (48, 40),
        };
        let g = self.words.get(sp.checked_add(g_at)?).ok()?;
        let depth = self.words.get(sp.checked_add(depth_at)?).ok()?;
        if Some(g) != self.owner.g {
            return None;
        }
        let user_sp = self.owner.user?.hi.checked_sub(depth)?;
        self.owner.on_user(user_sp).then_some(user_sp)
    }

    /// From the goroutine's stack to the C frames that called back into Go. Where those can't be followed, the copy of the
    /// frame on the goroutine's stack leads past them.
    fn leave_callback(&mut self, regs: &Regs, code: &Code) -> Rule {
        let at = self.callback_sp;
        let delta = code.delta?;
        let cfa = regs.sp().checked_add_signed(delta)?.checked_add(self.arch.call_push())?;
        if at == 0 || !self.owner.system.is_some_and(|b| b.contains(at)) {
            return None;
        }
        let older = self.words.get(at).ok()?;
        let past = match self.caller(regs, code, delta, cfa) {
            Next::Frame { regs, .. } => Some(regs),
            _ => None,
        };
        let there = self.regs_at(regs, regs.pc(), at);
        let c_cfa = at.checked_add_signed(delta)?.checked_add(self.arch.call_push())?;
        match self.caller(&there, code, delta, c_cfa) {
            Next::Frame { regs: up, exact } => {
                self.callback_sp = older;
                self.past_c = past;
                Some((cfa, FrameKind::StackSwitch, Next::Switch { regs: up, exact }))
            }
            _ => None,
        }
    }

    /// crosscall2 saved the registers that C wants back: with them C's frames can be unwound.
    fn enter_c(&mut self, regs: &Regs, code: &Code) -> Rule {
        let delta = code.delta?;
        let cfa = regs.sp().checked_add_signed(delta)?.checked_add(self.arch.call_push())?;
        let Next::Frame { regs: mut up, exact } = self.caller(regs, code, delta, cfa) else { return None };
        if self.arch == Arch::Amd64 && delta as u64 >= CROSSCALL_ARGS + 48 {
            let saved = regs.sp().checked_add(CROSSCALL_ARGS)?;
            for (i, reg) in [Reg::RBX, Reg::R12, Reg::R13, Reg::R14, Reg::R15].into_iter().enumerate() {
                if let Ok(value) = self.words.get(saved.wrapping_add(i as u64 * 8)) {
                    up.set(reg, value);
                }
            }
            if let Ok(rbp) = self.words.get(saved.wrapping_add(40)) {
                up.set(Reg::RBP, self.c_frame_pointer(rbp, delta, saved));
            }
        }
        Some((cfa, FrameKind::Go, Next::Frame { regs: up, exact }))
    }

    /// Where crosscall2 has a frame of its own, its prologue pushed C's rbp first.
    fn c_frame_pointer(&mut self, rbp: u64, delta: i64, saved: u64) -> u64 {
        if delta as u64 >= CROSSCALL_ARGS + 56 {
            return self.words.get(saved.wrapping_add(48)).unwrap_or(rbp);
        }
        rbp
    }

    fn handler_cfa(&self, sp: u64, code: &Code) -> u64 {
        let delta = code.delta.unwrap_or(0);
        sp.wrapping_add_signed(delta).wrapping_add(self.arch.call_push())
    }

    /// The frame that the signal interrupted, with all its registers.
    fn handler(&mut self, regs: &Regs, _code: &Code, at: u64) -> Rule {
        let next = match interrupted(self.arch, self.p.mem, at, regs.tls) {
            Some(up) if up.pc() != 0 && up.sp() != 0 => Next::Switch { regs: up, exact: true },
            _ => Next::Broken(format!("no signal context at {at:#x}")),
        };
        Some((at, FrameKind::SignalHandler, next))
    }
}
