//! The walk: one physical frame after the other, each exact at every instruction, from pclntab's SP deltas.
//!
//! Must never loop: within one stack the stack pointer only rises, and the number of changes of stack is bounded.

use image::{FuncId, Function};
use machine::{Arch, Reg, Regs};
use rustc_hash::FxHashMap;

use super::FrameKind;
use super::owner::Owner;
use super::words::Words;
use crate::Process;
use crate::facts::Special;

/// Changes of stack in one walk: nested callbacks from C, each with three.
const MAX_SWITCHES: usize = 4096;
/// No frame of Go is larger (the stack itself is limited to 1 GB).
const MAX_FRAME: i64 = 1 << 30;

/// One frame of machine code.
#[derive(Clone, Debug)]
pub(crate) struct Physical {
    pub(crate) pc: u64,
    pub(crate) lookup_pc: u64,
    pub(crate) regs: Regs,
    pub(crate) cfa: u64,
    pub(crate) function: Option<FuncId>,
    pub(crate) kind: FrameKind,
    /// Upper end of the stack that the frame is on, if known.
    pub(crate) stack_hi: Option<u64>,
}

/// Where the walk goes on.
pub(crate) enum Next {
    /// `exact`: the pc is where it goes on, not a return address.
    Frame {
        regs: Regs,
        exact: bool,
    },
    /// Another stack.
    Switch {
        regs: Regs,
        exact: bool,
    },
    /// The outermost frame.
    Bottom,
    Broken(String),
}

/// What pclntab says of a pc.
#[derive(Clone, Copy)]
pub(super) struct Code {
    pub(super) id: FuncId,
    pub(super) delta: Option<i64>,
    pub(super) special: Option<Special>,
    pub(super) top: bool,
    pub(super) writes_sp: bool,
}

pub(crate) struct Walk<'a> {
    pub(super) p: &'a Process<'a>,
    pub(super) owner: Owner,
    pub(super) words: Words<'a>,
    pub(super) arch: Arch,
    /// Where the innermost callback not yet walked over left the system stack.
    pub(super) callback_sp: u64,
    /// In C frames below a callback: where the goroutine's stack goes on if they can't be followed.
    pub(super) past_c: Option<Regs>,
    state: Option<(Regs, bool)>,
    codes: FxHashMap<u64, Option<Code>>,
    switches: usize,
    /// Highest CFA seen on the goroutine's own stack.
    user_top: u64,
    pub(crate) why: Option<String>,
}

impl<'a> Walk<'a> {
    /// `exact`: `regs.pc()` is the next instruction of the thread, not a return address.
    pub(crate) fn new(p: &'a Process<'a>, owner: Owner, regs: Regs, exact: bool) -> Walk<'a> {
        Walk {
            p,
            owner,
            words: Words::new(p.mem),
            arch: regs.arch(),
            callback_sp: owner.g0_sp,
            past_c: None,
            state: Some((regs, exact)),
            codes: FxHashMap::default(),
            switches: 0,
            user_top: 0,
            why: None,
        }
    }

    /// The next frame; None at the end, with the reason in `why` if it is not the bottom.
    pub(crate) fn next_frame(&mut self) -> Option<Physical> {
        let (regs, exact) = self.state.take()?;
        let pc = regs.pc();
        let lookup_pc = if exact { pc } else { pc.wrapping_sub(1) };
        let (frame, next) = match self.code(lookup_pc) {
            Some(code) => self.go_frame(&regs, pc, lookup_pc, &code),
            None => self.foreign_frame(&regs, pc, lookup_pc),
        };
        let Some(frame) = frame else {
            if let Next::Broken(why) = next {
                self.why = Some(why);
            }
            return None;
        };
        match next {
            Next::Frame { regs, exact } => self.advance(&frame, regs, exact),
            Next::Switch { regs, exact } => self.switch(regs, exact),
            Next::Bottom => {}
            Next::Broken(why) => self.why = Some(why),
        }
        Some(frame)
    }

    /// On the same stack: SP must rise.
    fn advance(&mut self, frame: &Physical, regs: Regs, exact: bool) {
        let sp = regs.sp();
        if sp < frame.regs.sp() || (sp == frame.regs.sp() && self.arch == Arch::Amd64) {
            self.why = Some(format!("the stack pointer does not rise at {sp:#x}"));
        } else if self.owner.on_user(frame.regs.sp()) && !self.owner.on_user(sp) {
            self.why = Some(format!("the frame at {:#x} ends beyond its stack", frame.regs.sp()));
        } else {
            self.state = Some((regs, exact));
        }
    }

    /// To another stack: the goroutine's own must be left at a higher place each time.
    fn switch(&mut self, regs: Regs, exact: bool) {
        self.switches += 1;
        let sp = regs.sp();
        if self.switches > MAX_SWITCHES {
            self.why = Some("too many changes of stack".into());
        } else if self.owner.on_user(sp) && sp < self.user_top {
            self.why = Some(format!("the goroutine's stack goes on below where it was left, at {sp:#x}"));
        } else {
            if self.owner.on_user(sp) {
                self.user_top = sp;
            }
            self.state = Some((regs, exact));
        }
    }

    /// Facts about a pc, remembered: recursion asks for the same ones over and over.
    pub(super) fn code(&mut self, lookup_pc: u64) -> Option<Code> {
        if let Some(known) = self.codes.get(&lookup_pc) {
            return *known;
        }
        let p = self.p;
        let code = p.image.functions().at(lookup_pc).map(|f| Code {
            id: f.id(),
            delta: sp_delta(&f, lookup_pc),
            special: p.facts().specials.get(f.entry()),
            top: f.is_top_frame(),
            writes_sp: f.writes_sp(),
        });
        self.codes.insert(lookup_pc, code);
        code
    }

    fn physical(&self, regs: &Regs, pc: u64, lookup_pc: u64, cfa: u64, code: Option<&Code>) -> Physical {
        let kind = match code {
            None => FrameKind::C,
            Some(_) => FrameKind::Go,
        };
        Physical {
            pc,
            lookup_pc,
            regs: regs.clone(),
            cfa,
            function: code.map(|c| c.id),
            kind,
            stack_hi: self.owner.hi_of(regs.sp()),
        }
    }

    fn go_frame(&mut self, regs: &Regs, pc: u64, lookup_pc: u64, code: &Code) -> (Option<Physical>, Next) {
        if let Some(special) = code.special
            && let Some((cfa, kind, next)) = self.special(regs, code, special)
        {
            let mut frame = self.physical(regs, pc, lookup_pc, cfa, Some(code));
            frame.kind = kind;
            return (Some(frame), next);
        }
        let Some(delta) = code.delta.filter(|d| (0..MAX_FRAME).contains(d)) else {
            let frame = self.physical(regs, pc, lookup_pc, regs.sp(), Some(code));
            return (Some(frame), Next::Broken(format!("no frame size is known at {pc:#x}")));
        };
        let cfa = regs.sp().wrapping_add(delta as u64).wrapping_add(self.arch.call_push());
        let frame = self.physical(regs, pc, lookup_pc, cfa, Some(code));
        if code.top {
            return (Some(frame), Next::Bottom);
        }
        let next = self.caller(regs, code, delta, cfa);
        (Some(frame), next)
    }

    /// The caller's registers by the frame's size.
    pub(super) fn caller(&mut self, regs: &Regs, code: &Code, delta: i64, cfa: u64) -> Next {
        let ret = match self.arch {
            Arch::Amd64 => self.words.get(cfa.wrapping_sub(8)),
            Arch::Arm64 if delta == 0 => match regs.get(Reg(30)) {
                Some(lr) => Ok(lr),
                None => return Next::Broken("the link register is not known".into()),
            },
            Arch::Arm64 => self.words.get(regs.sp()),
        };
        let ret = match ret {
            Ok(0) => return Next::Bottom,
            Ok(ret) => ret,
            Err(e) => return Next::Broken(e.to_string()),
        };
        let mut up = self.regs_at(regs, ret, cfa);
        match self.caller_fp(regs, delta, cfa) {
            Some(fp) => up.set(self.arch.fp(), fp),
            None => up.forget(self.arch.fp()),
        }
        let injected = code.special == Some(Special::Injected);
        if injected && self.arch == Arch::Arm64 {
            self.undo_injected_push(&mut up);
        }
        let exact = injected && self.is_interrupted_pc(ret, code);
        if code.writes_sp && !self.plausible_return(ret) {
            return Next::Broken(format!("assembly that moves the stack pointer, at {:#x}", regs.pc()));
        }
        Next::Frame { regs: up, exact }
    }

    /// A call to a nil function has no pc to go on at: there the return address of the call stands in its place.
    fn is_interrupted_pc(&self, ret: u64, code: &Code) -> bool {
        let f = self.p.image.functions().get(code.id);
        let is_sigpanic = f.is_some_and(|f| f.name() == "runtime.sigpanic");
        !is_sigpanic || self.owner.sigpc == 0 || self.owner.sigpc == ret
    }

    fn plausible_return(&mut self, ret: u64) -> bool {
        self.code(ret.wrapping_sub(1)).is_some() || self.p.image.is_text(ret)
    }

    /// On arm64 the signal handler saves LR below the interrupted frame (runtime/signal_arm64.go: preparePanic, pushCall).
    fn undo_injected_push(&mut self, up: &mut Regs) {
        let sp = up.sp();
        if let Ok(lr) = self.words.get(sp) {
            up.set(Reg(30), lr);
        }
        up.set_sp(sp.wrapping_add(16));
    }

    /// Only PC, SP, and g (in Go code on the goroutine's stack) are known in a caller.
    pub(super) fn regs_at(&self, from: &Regs, pc: u64, sp: u64) -> Regs {
        let mut regs = Regs::new(self.arch);
        regs.tls = from.tls;
        regs.set_pc(pc);
        regs.set_sp(sp);
        if let Some(g) = self.owner.g.filter(|_| self.owner.on_user(sp)) {
            regs.set(self.arch.g(), g);
        }
        regs
    }

    /// Frame pointer of the caller: saved at the top of the frame as soon as there is a frame.
    fn caller_fp(&mut self, regs: &Regs, delta: i64, cfa: u64) -> Option<u64> {
        match self.arch {
            Arch::Amd64 if delta >= 8 => self.words.get(cfa.wrapping_sub(16)).ok(),
            Arch::Arm64 if delta > 0 => self.words.get(regs.sp().wrapping_sub(8)).ok(),
            _ => regs.get(self.arch.fp()),
        }
    }
}

/// The SP delta at a pc. Between a return and the next label pclntab may have a gap: None.
fn sp_delta(f: &Function<'_>, pc: u64) -> Option<i64> {
    f.sp_delta(pc)
}
