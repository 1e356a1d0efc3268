//! Operands of arm64 instructions in our model's terms.

use capstone::arch::arm64::{Arm64CC as C, Arm64Extender as E, Arm64OperandType, Arm64Reg as X, Arm64Shift};
use capstone::arch::{ArchDetail, DetailsArchInsn};
use capstone::{Insn, InsnDetail, RegId};

use crate::model::{Alu, Cond, Dst, Mem, R, Src};

const SP: R = 31;
/// Stands for XZR: reads as 0, writes go nowhere.
pub(super) const ZERO: R = 255;

pub(super) fn general(r: u32) -> Option<(R, u8)> {
    Some(match r {
        X::ARM64_REG_SP => (SP, 8),
        X::ARM64_REG_WSP => (SP, 4),
        X::ARM64_REG_XZR => (ZERO, 8),
        X::ARM64_REG_WZR => (ZERO, 4),
        X::ARM64_REG_FP => (29, 8),
        X::ARM64_REG_LR => (30, 8),
        r if (X::ARM64_REG_X0..=X::ARM64_REG_X28).contains(&r) => ((r - X::ARM64_REG_X0) as R, 8),
        r if (X::ARM64_REG_W0..=X::ARM64_REG_W30).contains(&r) => ((r - X::ARM64_REG_W0) as R, 4),
        _ => return None,
    })
}

/// Vector register and the bytes that its name stands for.
pub(super) fn vector(r: u32) -> Option<(R, u8)> {
    for (base, size) in [
        (X::ARM64_REG_Q0, 16),
        (X::ARM64_REG_V0, 16),
        (X::ARM64_REG_D0, 8),
        (X::ARM64_REG_S0, 4),
        (X::ARM64_REG_H0, 2),
        (X::ARM64_REG_B0, 1),
    ] {
        if (base..base + 32).contains(&r) {
            return Some(((r - base) as R, size));
        }
    }
    None
}

pub(super) fn condition(cc: C) -> Cond {
    match cc {
        C::ARM64_CC_EQ => Cond::Eq,
        C::ARM64_CC_NE => Cond::Ne,
        C::ARM64_CC_HS => Cond::AboveEq,
        C::ARM64_CC_LO => Cond::Below,
        C::ARM64_CC_MI => Cond::Neg,
        C::ARM64_CC_PL => Cond::NotNeg,
        C::ARM64_CC_VS => Cond::Overflow,
        C::ARM64_CC_VC => Cond::NoOverflow,
        C::ARM64_CC_HI => Cond::Above,
        C::ARM64_CC_LS => Cond::BelowEq,
        C::ARM64_CC_GE => Cond::GreaterEq,
        C::ARM64_CC_LT => Cond::Less,
        C::ARM64_CC_GT => Cond::Greater,
        C::ARM64_CC_LE => Cond::LessEq,
        _ => Cond::Unknown,
    }
}

pub(super) fn negate(c: Cond) -> Cond {
    match c {
        Cond::Eq => Cond::Ne,
        Cond::Ne => Cond::Eq,
        Cond::AboveEq => Cond::Below,
        Cond::Below => Cond::AboveEq,
        Cond::Neg => Cond::NotNeg,
        Cond::NotNeg => Cond::Neg,
        Cond::Overflow => Cond::NoOverflow,
        Cond::NoOverflow => Cond::Overflow,
        Cond::Above => Cond::BelowEq,
        Cond::BelowEq => Cond::Above,
        Cond::GreaterEq => Cond::Less,
        Cond::Less => Cond::GreaterEq,
        Cond::Greater => Cond::LessEq,
        Cond::LessEq => Cond::Greater,
        _ => Cond::Unknown,
    }
}

pub(super) fn read<'a>(insn: &Insn<'_>, detail: &'a InsnDetail<'a>) -> Option<Arm<'a>> {
    let arch = detail.arch_detail();
    let ArchDetail::Arm64Detail(arm) = &arch else { return None };
    let mut out = Arm {
        id: insn.id().0,
        n: 0,
        o: [Opd::Other; 5],
        written: [false; 5],
        shift: None,
        extend: None,
        cc: condition(arm.cc()),
        flags: arm.update_flags(),
        writeback: arm.writeback(),
        post: false,
        detail,
    };
    if out.writeback {
        out.post = !insn.op_str().unwrap_or("").ends_with('!');
    }
    for op in arm.operands() {
        let v = match op.op_type {
            Arm64OperandType::Reg(RegId(r)) => match general(u32::from(r)) {
                Some((r, s)) => Opd::Reg(r, s),
                None => vector(u32::from(r)).map_or(Opd::Other, |(v, s)| Opd::Vec(v, s)),
            },
            Arm64OperandType::Imm(i) | Arm64OperandType::Cimm(i) => Opd::Imm(i),
            Arm64OperandType::Mem(m) => memory(&m, &op.shift, op.ext),
            _ => Opd::Other,
        };
        match op.shift {
            Arm64Shift::Lsl(n) => out.shift = Some((Alu::Shl, n as u8)),
            Arm64Shift::Lsr(n) => out.shift = Some((Alu::Shr, n as u8)),
            Arm64Shift::Asr(n) => out.shift = Some((Alu::Sar, n as u8)),
            Arm64Shift::Ror(n) => out.shift = Some((Alu::Ror, n as u8)),
            _ => {}
        }
        out.extend = extension(op.ext).or(out.extend);
        let (Some(slot), Some(w)) = (out.o.get_mut(out.n), out.written.get_mut(out.n)) else { break };
        *slot = v;
        *w = op.access.is_none_or(|a| a.is_writable());
        out.n += 1;
    }
    Some(out)
}

pub(super) fn extension(e: E) -> Option<(u8, bool)> {
    Some(match e {
        E::ARM64_EXT_UXTB => (1, false),
        E::ARM64_EXT_UXTH => (2, false),
        E::ARM64_EXT_UXTW => (4, false),
        E::ARM64_EXT_SXTB => (1, true),
        E::ARM64_EXT_SXTH => (2, true),
        E::ARM64_EXT_SXTW => (4, true),
        _ => return None,
    })
}

pub(super) fn memory(m: &capstone::arch::arm64::Arm64OpMem, shift: &Arm64Shift, ext: E) -> Opd {
    let reg = |r: u32| if r == X::ARM64_REG_INVALID { Some(None) } else { general(r).map(|(r, _)| Some(r)) };
    let (Some(base), Some(index)) = (reg(u32::from(m.base().0)), reg(u32::from(m.index().0))) else {
        return Opd::Other;
    };
    let scale = match shift {
        Arm64Shift::Lsl(n) => 1u8.checked_shl(*n).unwrap_or(1),
        _ => 1,
    };
    let extend = extension(ext).and_then(|(n, signed)| (n == 4).then_some(signed));
    Opd::Mem(Mem { base, index, scale, disp: i64::from(m.disp()), extend, thread: false })
}

/// The second operand when it needs no shift or extension of a register.
pub(super) fn shifted(i: &Arm<'_>, y: Src) -> Option<Src> {
    match (y, i.shift, i.extend) {
        (Src::Imm(v), Some((Alu::Shl, n)), _) => Some(Src::Imm(v.wrapping_shl(u32::from(n)))),
        (Src::Imm(v), _, _) => Some(Src::Imm(v)),
        (y, None | Some((_, 0)), None) => Some(y),
        _ => None,
    }
}

#[derive(Clone, Copy)]
pub(super) enum Opd {
    Reg(R, u8),
    Vec(R, u8),
    Imm(i64),
    Mem(Mem),
    Other,
}

impl Opd {
    pub(super) fn src(self) -> Option<Src> {
        Some(match self {
            Opd::Reg(ZERO, _) => Src::Imm(0),
            Opd::Reg(r, _) => Src::Reg(r),
            Opd::Imm(i) => Src::Imm(i),
            _ => return None,
        })
    }

    pub(super) fn dst(self) -> Option<Dst> {
        Some(match self {
            Opd::Reg(ZERO, _) => Dst::None,
            Opd::Reg(r, _) => Dst::Reg(r),
            _ => return None,
        })
    }

    pub(super) fn size(self) -> u8 {
        match self {
            Opd::Reg(_, s) | Opd::Vec(_, s) => s,
            _ => 8,
        }
    }
}

pub(super) struct Arm<'a> {
    pub(super) id: u32,
    pub(super) n: usize,
    pub(super) o: [Opd; 5],
    pub(super) written: [bool; 5],
    /// Shift or extension of the last register operand: (how, amount).
    pub(super) shift: Option<(Alu, u8)>,
    pub(super) extend: Option<(u8, bool)>,
    pub(super) cc: Cond,
    pub(super) flags: bool,
    pub(super) writeback: bool,
    pub(super) post: bool,
    pub(super) detail: &'a InsnDetail<'a>,
}
