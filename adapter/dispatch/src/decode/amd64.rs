//! Lifts amd64 instructions. What is not listed clobbers everything that it writes.

use capstone::arch::x86::{X86Insn as I, X86OperandType, X86Reg as X};
use capstone::arch::{ArchDetail, DetailsArchInsn};
use capstone::{Insn, InsnDetail, RegId};

use crate::model::{Alu, Cond, Dst, Flags, Flow, Mem, Op, R, Special, Src, Target};

const RSP: R = 7;
const RBP: R = 6;
const RAX: R = 0;
const RDX: R = 1;

/// DWARF number and size of a general register; high byte registers have none.
fn general(r: u32) -> Option<(R, u8)> {
    // Order of DWARF: rax rdx rcx rbx rsi rdi rbp rsp r8-r15.
    const T: [[u32; 4]; 16] = [
        [X::X86_REG_RAX, X::X86_REG_EAX, X::X86_REG_AX, X::X86_REG_AL],
        [X::X86_REG_RDX, X::X86_REG_EDX, X::X86_REG_DX, X::X86_REG_DL],
        [X::X86_REG_RCX, X::X86_REG_ECX, X::X86_REG_CX, X::X86_REG_CL],
        [X::X86_REG_RBX, X::X86_REG_EBX, X::X86_REG_BX, X::X86_REG_BL],
        [X::X86_REG_RSI, X::X86_REG_ESI, X::X86_REG_SI, X::X86_REG_SIL],
        [X::X86_REG_RDI, X::X86_REG_EDI, X::X86_REG_DI, X::X86_REG_DIL],
        [X::X86_REG_RBP, X::X86_REG_EBP, X::X86_REG_BP, X::X86_REG_BPL],
        [X::X86_REG_RSP, X::X86_REG_ESP, X::X86_REG_SP, X::X86_REG_SPL],
        [X::X86_REG_R8, X::X86_REG_R8D, X::X86_REG_R8W, X::X86_REG_R8B],
        [X::X86_REG_R9, X::X86_REG_R9D, X::X86_REG_R9W, X::X86_REG_R9B],
        [X::X86_REG_R10, X::X86_REG_R10D, X::X86_REG_R10W, X::X86_REG_R10B],
        [X::X86_REG_R11, X::X86_REG_R11D, X::X86_REG_R11W, X::X86_REG_R11B],
        [X::X86_REG_R12, X::X86_REG_R12D, X::X86_REG_R12W, X::X86_REG_R12B],
        [X::X86_REG_R13, X::X86_REG_R13D, X::X86_REG_R13W, X::X86_REG_R13B],
        [X::X86_REG_R14, X::X86_REG_R14D, X::X86_REG_R14W, X::X86_REG_R14B],
        [X::X86_REG_R15, X::X86_REG_R15D, X::X86_REG_R15W, X::X86_REG_R15B],
    ];
    static TABLE: std::sync::OnceLock<Vec<Option<(R, u8)>>> = std::sync::OnceLock::new();
    let table = TABLE.get_or_init(|| {
        let mut v = vec![None; 256];
        for (dwarf, names) in T.iter().enumerate() {
            for (i, id) in names.iter().enumerate() {
                if let Some(slot) = v.get_mut(*id as usize) {
                    *slot = Some((dwarf as R, 8u8 >> i));
                }
            }
        }
        v
    });
    table.get(r as usize).copied().flatten()
}

fn vector(r: u32) -> Option<R> {
    for base in [X::X86_REG_XMM0, X::X86_REG_YMM0, X::X86_REG_ZMM0] {
        if (base..base + 16).contains(&r) {
            return Some((r - base) as R);
        }
    }
    None
}

/// A decoded operand.
#[derive(Clone, Copy)]
pub(super) enum Opd {
    Reg(R, u8),
    /// ah, bh, ch, dh and anything else that isn't a general or vector register.
    Other,
    Vec(R, u8),
    Imm(i64),
    Mem(Mem, u8),
}

impl Opd {
    pub(super) fn src(self) -> Option<Src> {
        Some(match self {
            Opd::Reg(r, _) => Src::Reg(r),
            Opd::Vec(r, _) => Src::Vec(r, 0),
            Opd::Imm(i) => Src::Imm(i),
            Opd::Mem(m, _) => Src::Mem(m),
            Opd::Other => return None,
        })
    }

    fn dst(self) -> Option<Dst> {
        Some(match self {
            Opd::Reg(r, _) => Dst::Reg(r),
            Opd::Vec(r, _) => Dst::Vec(r, 0),
            Opd::Mem(m, _) => Dst::Mem(m),
            _ => return None,
        })
    }

    fn size(self) -> u8 {
        match self {
            Opd::Reg(_, s) | Opd::Vec(_, s) | Opd::Mem(_, s) => s,
            _ => 8,
        }
    }
}

pub(super) struct Insn64<'a> {
    pub(super) id: u32,
    n: usize,
    pub(super) o: [Opd; 4],
    /// Operand i is written.
    written: [bool; 4],
    rep: bool,
    detail: &'a InsnDetail<'a>,
}

fn read<'a>(insn: &Insn<'_>, detail: &'a InsnDetail<'a>) -> Option<Insn64<'a>> {
    let arch = detail.arch_detail();
    let ArchDetail::X86Detail(x86) = &arch else { return None };
    let next = insn.address().wrapping_add(insn.len() as u64);
    let mut out = Insn64 {
        id: insn.id().0,
        n: 0,
        o: [Opd::Other; 4],
        written: [false; 4],
        rep: matches!(x86.prefix().first(), Some(0xf2 | 0xf3)),
        detail,
    };
    for op in x86.operands() {
        let v = match op.op_type {
            X86OperandType::Reg(RegId(r)) => match general(u32::from(r)) {
                Some((r, s)) => Opd::Reg(r, s),
                None => vector(u32::from(r)).map_or(Opd::Other, |v| Opd::Vec(v, op.size)),
            },
            X86OperandType::Imm(i) => Opd::Imm(i),
            X86OperandType::Mem(m) => memory(&m, next, op.size),
            X86OperandType::Invalid => Opd::Other,
        };
        let (Some(slot), Some(w)) = (out.o.get_mut(out.n), out.written.get_mut(out.n)) else { break };
        *slot = v;
        *w = op.access.is_none_or(|a| a.is_writable());
        out.n += 1;
    }
    Some(out)
}

fn memory(m: &capstone::arch::x86::X86OpMem, next: u64, size: u8) -> Opd {
    let (base, index) = (u32::from(m.base().0), u32::from(m.index().0));
    let thread = matches!(u32::from(m.segment().0), X::X86_REG_FS | X::X86_REG_GS);
    if base == X::X86_REG_RIP {
        return Opd::Mem(Mem { thread, ..Mem::absolute(next.wrapping_add(m.disp() as u64)) }, size);
    }
    let reg = |r: u32| if r == X::X86_REG_INVALID { Some(None) } else { general(r).map(|(r, _)| Some(r)) };
    match (reg(base), reg(index)) {
        (Some(base), Some(index)) => Opd::Mem(
            Mem { base, index, scale: m.scale().clamp(1, 8) as u8, disp: m.disp(), extend: None, thread },
            size,
        ),
        _ => Opd::Other,
    }
}

/// Appends what `insn` does to `ops` and says where it goes.
pub(super) fn lift(insn: &Insn<'_>, detail: &InsnDetail<'_>, ops: &mut Vec<Op>) -> Flow {
    let Some(i) = read(insn, detail) else { return Flow::Trap };
    if let Some(flow) = control(&i, ops) {
        return flow;
    }
    if moves(&i, ops) || arithmetic(&i, ops) || special(&i, ops) || super::simd::lift(&i, ops) {
        return Flow::Next;
    }
    ops.clear();
    clobber(&i, ops);
    Flow::Next
}

fn target(i: &Insn64<'_>) -> Option<Target> {
    match i.o.first().copied()? {
        Opd::Imm(a) => Some(Target::Const(a as u64)),
        Opd::Reg(r, _) => Some(Target::Reg(r)),
        Opd::Mem(m, _) => Some(Target::Mem(m)),
        _ => None,
    }
}

fn control(i: &Insn64<'_>, ops: &mut Vec<Op>) -> Option<Flow> {
    use I::*;
    let (a, _) = (i.o.first().copied()?, ());
    Some(match i.id {
        x if x == X86_INS_CALL as u32 => target(i).map_or(Flow::Trap, Flow::Call),
        x if x == X86_INS_JMP as u32 => target(i).map_or(Flow::Trap, Flow::Jump),
        x if x == X86_INS_RET as u32 || x == X86_INS_RETF as u32 || x == X86_INS_IRETQ as u32 => Flow::Ret,
        x if x == X86_INS_UD2 as u32
            || x == X86_INS_INT3 as u32
            || x == X86_INS_HLT as u32
            || x == X86_INS_INT as u32 =>
        {
            Flow::Trap
        }
        x if x == X86_INS_SYSCALL as u32 || x == X86_INS_SYSENTER as u32 => Flow::Syscall,
        x if x == X86_INS_LEAVE as u32 => {
            ops.push(Op::Mov { dst: Dst::Reg(RSP), src: Src::Reg(RBP), size: 8, wide: 8, sign: false });
            pop(Dst::Reg(RBP), ops);
            Flow::Next
        }
        x if x == X86_INS_PUSH as u32 => {
            ops.push(stack(Alu::Sub));
            let src = a.src().unwrap_or(Src::Imm(0));
            // `push [rsp+n]` computes its address before the decrement.
            let src = match src {
                Src::Mem(m) if m.base == Some(RSP) => Src::Mem(m.plus(8)),
                s => s,
            };
            ops.push(Op::Mov { dst: Dst::Mem(Mem::at(RSP, 0)), src, size: 8, wide: 8, sign: false });
            Flow::Next
        }
        x if x == X86_INS_POP as u32 => {
            pop(a.dst()?, ops);
            Flow::Next
        }
        x => match (jump_condition(x), a) {
            (Some(c), Opd::Imm(t)) => Flow::Branch(c, t as u64),
            _ => return None,
        },
    })
}

fn stack(op: Alu) -> Op {
    Op::Alu { op, dst: Dst::Reg(RSP), a: Src::Reg(RSP), b: Src::Imm(8), size: 8, flags: Flags::Keep }
}

fn pop(dst: Dst, ops: &mut Vec<Op>) {
    ops.push(Op::Mov { dst, src: Src::Mem(Mem::at(RSP, 0)), size: 8, wide: 8, sign: false });
    ops.push(stack(Alu::Add));
}

fn jump_condition(id: u32) -> Option<Cond> {
    use I::*;
    const T: [(I, Cond); 18] = [
        (X86_INS_JE, Cond::Eq),
        (X86_INS_JNE, Cond::Ne),
        (X86_INS_JB, Cond::Below),
        (X86_INS_JAE, Cond::AboveEq),
        (X86_INS_JBE, Cond::BelowEq),
        (X86_INS_JA, Cond::Above),
        (X86_INS_JL, Cond::Less),
        (X86_INS_JGE, Cond::GreaterEq),
        (X86_INS_JLE, Cond::LessEq),
        (X86_INS_JG, Cond::Greater),
        (X86_INS_JS, Cond::Neg),
        (X86_INS_JNS, Cond::NotNeg),
        (X86_INS_JO, Cond::Overflow),
        (X86_INS_JNO, Cond::NoOverflow),
        (X86_INS_JP, Cond::Parity),
        (X86_INS_JNP, Cond::NoParity),
        (X86_INS_JRCXZ, Cond::Zero(2, 8)),
        (X86_INS_LOOP, Cond::Unknown),
    ];
    T.iter().find(|(i, _)| *i as u32 == id).map(|(_, c)| *c)
}

fn cmov_condition(id: u32) -> Option<Cond> {
    use I::*;
    const T: [(I, Cond); 16] = [
        (X86_INS_CMOVE, Cond::Eq),
        (X86_INS_CMOVNE, Cond::Ne),
        (X86_INS_CMOVB, Cond::Below),
        (X86_INS_CMOVAE, Cond::AboveEq),
        (X86_INS_CMOVBE, Cond::BelowEq),
        (X86_INS_CMOVA, Cond::Above),
        (X86_INS_CMOVL, Cond::Less),
        (X86_INS_CMOVGE, Cond::GreaterEq),
        (X86_INS_CMOVLE, Cond::LessEq),
        (X86_INS_CMOVG, Cond::Greater),
        (X86_INS_CMOVS, Cond::Neg),
        (X86_INS_CMOVNS, Cond::NotNeg),
        (X86_INS_CMOVO, Cond::Overflow),
        (X86_INS_CMOVNO, Cond::NoOverflow),
        (X86_INS_CMOVP, Cond::Parity),
        (X86_INS_CMOVNP, Cond::NoParity),
    ];
    T.iter().find(|(i, _)| *i as u32 == id).map(|(_, c)| *c)
}

fn set_condition(id: u32) -> Option<Cond> {
    use I::*;
    const T: [(I, Cond); 16] = [
        (X86_INS_SETE, Cond::Eq),
        (X86_INS_SETNE, Cond::Ne),
        (X86_INS_SETB, Cond::Below),
        (X86_INS_SETAE, Cond::AboveEq),
        (X86_INS_SETBE, Cond::BelowEq),
        (X86_INS_SETA, Cond::Above),
        (X86_INS_SETL, Cond::Less),
        (X86_INS_SETGE, Cond::GreaterEq),
        (X86_INS_SETLE, Cond::LessEq),
        (X86_INS_SETG, Cond::Greater),
        (X86_INS_SETS, Cond::Neg),
        (X86_INS_SETNS, Cond::NotNeg),
        (X86_INS_SETO, Cond::Overflow),
        (X86_INS_SETNO, Cond::NoOverflow),
        (X86_INS_SETP, Cond::Parity),
        (X86_INS_SETNP, Cond::NoParity),
    ];
    T.iter().find(|(i, _)| *i as u32 == id).map(|(_, c)| *c)
}

fn moves(i: &Insn64<'_>, ops: &mut Vec<Op>) -> bool {
    use I::*;
    let [a, b, ..] = i.o;
    let is = |list: &[I]| list.iter().any(|x| *x as u32 == i.id);
    if is(&[X86_INS_NOP, X86_INS_PAUSE, X86_INS_LFENCE, X86_INS_MFENCE, X86_INS_SFENCE, X86_INS_ENDBR64])
        || is(&[X86_INS_PREFETCHNTA, X86_INS_PREFETCHT0, X86_INS_PREFETCHT1, X86_INS_PREFETCHT2])
    {
        return true;
    }
    if is(&[X86_INS_MOV, X86_INS_MOVABS]) {
        let (Some(dst), Some(src)) = (a.dst(), b.src()) else { return false };
        let size = a.size();
        ops.push(Op::Mov { dst, src, size, wide: size, sign: false });
        return true;
    }
    if is(&[X86_INS_MOVZX, X86_INS_MOVSX, X86_INS_MOVSXD]) {
        let (Some(dst), Some(src)) = (a.dst(), b.src()) else { return false };
        ops.push(Op::Mov { dst, src, size: b.size(), wide: a.size(), sign: !is(&[X86_INS_MOVZX]) });
        return true;
    }
    if is(&[X86_INS_LEA]) {
        let (Opd::Reg(dst, size), Opd::Mem(mem, _)) = (a, b) else { return false };
        ops.push(Op::Lea { dst, mem, size });
        return true;
    }
    if let (Some(cond), Some(dst), Some(src), Some(old)) = (cmov_condition(i.id), a.dst(), b.src(), a.src()) {
        ops.push(Op::Select { cond, dst, a: src, b: old, size: a.size() });
        return true;
    }
    if let (Some(cond), Some(dst)) = (set_condition(i.id), a.dst()) {
        ops.push(Op::SetCond { cond, dst });
        return true;
    }
    vector_moves(i, ops)
}

/// 16-byte moves as two halves, 8-byte ones as one.
fn vector_moves(i: &Insn64<'_>, ops: &mut Vec<Op>) -> bool {
    use I::*;
    let [a, b, c, _] = i.o;
    let is = |list: &[I]| list.iter().any(|x| *x as u32 == i.id);
    let half = |dst, src| Op::Mov { dst, src, size: 8, wide: 8, sign: false };
    if is(&[
        X86_INS_MOVUPS,
        X86_INS_MOVAPS,
        X86_INS_MOVDQU,
        X86_INS_MOVDQA,
        X86_INS_MOVUPD,
        X86_INS_MOVAPD,
        X86_INS_VMOVDQU,
        X86_INS_VMOVDQA,
        X86_INS_VMOVUPS,
    ]) && i.n == 2
        && a.size().min(b.size()) == 16
    {
        match (a, b) {
            (Opd::Vec(d, _), Opd::Vec(s, _)) => {
                ops.push(half(Dst::Vec(d, 0), Src::Vec(s, 0)));
                ops.push(half(Dst::Vec(d, 1), Src::Vec(s, 1)));
            }
            (Opd::Vec(d, _), Opd::Mem(m, _)) => {
                ops.push(half(Dst::Vec(d, 0), Src::Mem(m)));
                ops.push(half(Dst::Vec(d, 1), Src::Mem(m.plus(8))));
            }
            (Opd::Mem(m, _), Opd::Vec(s, _)) => {
                ops.push(half(Dst::Mem(m), Src::Vec(s, 0)));
                ops.push(half(Dst::Mem(m.plus(8)), Src::Vec(s, 1)));
            }
            _ => return false,
        }
        return true;
    }
    if is(&[X86_INS_MOVQ, X86_INS_MOVD, X86_INS_MOVSD, X86_INS_MOVSS, X86_INS_MOVLPS, X86_INS_MOVHPS]) {
        let size = if is(&[X86_INS_MOVD, X86_INS_MOVSS]) { 4 } else { 8 };
        if is(&[X86_INS_MOVHPS]) {
            match (a, b) {
                (Opd::Vec(d, _), Opd::Mem(m, _)) => ops.push(half(Dst::Vec(d, 1), Src::Mem(m))),
                (Opd::Mem(m, _), Opd::Vec(s, _)) => ops.push(half(Dst::Mem(m), Src::Vec(s, 1))),
                _ => return false,
            }
            return true;
        }
        match (a, b) {
            (Opd::Vec(d, _), Opd::Vec(s, _)) if is(&[X86_INS_MOVSD, X86_INS_MOVSS]) => {
                // Merges with the upper part.
                let op = if size == 8 {
                    half(Dst::Vec(d, 0), Src::Vec(s, 0))
                } else {
                    Op::Clobber { dst: Dst::Vec(d, 0), size: 8 }
                };
                ops.push(op);
            }
            (Opd::Vec(d, _), src) => {
                let Some(src) = src.src() else { return false };
                ops.push(Op::Mov { dst: Dst::Vec(d, 0), src, size, wide: 8, sign: false });
                if !is(&[X86_INS_MOVLPS]) {
                    ops.push(half(Dst::Vec(d, 1), Src::Imm(0)));
                }
            }
            (dst, Opd::Vec(s, _)) => {
                let Some(dst) = dst.dst() else { return false };
                ops.push(Op::Mov { dst, src: Src::Vec(s, 0), size, wide: size, sign: false });
            }
            _ => return false,
        }
        return true;
    }
    let zeroing = match (a, b, c) {
        (Opd::Vec(x, 16), Opd::Vec(y, 16), _) if i.n == 2 && x == y => Some(x),
        (Opd::Vec(d, 16), Opd::Vec(x, 16), Opd::Vec(y, 16)) if x == y => Some(d),
        _ => None,
    };
    if let Some(d) = zeroing
        && is(&[X86_INS_XORPS, X86_INS_PXOR, X86_INS_XORPD, X86_INS_VPXOR, X86_INS_VXORPS])
    {
        ops.push(half(Dst::Vec(d, 0), Src::Imm(0)));
        ops.push(half(Dst::Vec(d, 1), Src::Imm(0)));
        return true;
    }
    false
}

fn arithmetic(i: &Insn64<'_>, ops: &mut Vec<Op>) -> bool {
    use I::*;
    const TWO: [(I, Alu); 15] = [
        (X86_INS_ADD, Alu::Add),
        (X86_INS_SUB, Alu::Sub),
        (X86_INS_AND, Alu::And),
        (X86_INS_OR, Alu::Or),
        (X86_INS_XOR, Alu::Xor),
        (X86_INS_ADC, Alu::Adc),
        (X86_INS_SBB, Alu::Sbb),
        (X86_INS_SHL, Alu::Shl),
        (X86_INS_SAL, Alu::Shl),
        (X86_INS_SHR, Alu::Shr),
        (X86_INS_SAR, Alu::Sar),
        (X86_INS_ROL, Alu::Rol),
        (X86_INS_ROR, Alu::Ror),
        (X86_INS_CMP, Alu::Sub),
        (X86_INS_TEST, Alu::And),
    ];
    let [a, b, c, _] = i.o;
    let size = a.size();
    let is = |x: I| x as u32 == i.id;
    let (Some(dst), Some(src)) = (a.dst(), a.src()) else { return false };
    if let Some((ins, op)) = TWO.iter().find(|(x, _)| *x as u32 == i.id) {
        let b = if i.n == 1 { Some(Src::Imm(1)) } else { b.src() };
        let Some(b) = b else { return false };
        let dst = if matches!(ins, X86_INS_CMP | X86_INS_TEST) { Dst::None } else { dst };
        let flags = if matches!(op, Alu::Rol | Alu::Ror) { Flags::Lost } else { Flags::Set };
        // x ^ x and x - x are zero whatever x is.
        if src == b && matches!(b, Src::Reg(_)) && matches!(ins, X86_INS_XOR | X86_INS_SUB) {
            ops.push(Op::Alu { op: Alu::And, dst, a: Src::Imm(0), b: Src::Imm(0), size, flags });
        } else {
            ops.push(Op::Alu { op: *op, dst, a: src, b, size, flags });
        }
        return true;
    }
    let one = |op, a, b, flags| Op::Alu { op, dst, a, b, size, flags };
    if is(X86_INS_INC) {
        ops.push(one(Alu::Add, src, Src::Imm(1), Flags::KeepCarry));
    } else if is(X86_INS_DEC) {
        ops.push(one(Alu::Sub, src, Src::Imm(1), Flags::KeepCarry));
    } else if is(X86_INS_NEG) {
        ops.push(one(Alu::Sub, Src::Imm(0), src, Flags::Set));
    } else if is(X86_INS_NOT) {
        ops.push(one(Alu::Xor, src, Src::Imm(-1), Flags::Keep));
    } else if is(X86_INS_IMUL) && i.n >= 2 {
        let (x, y) = if i.n == 2 { (Some(src), b.src()) } else { (b.src(), c.src()) };
        let (Some(x), Some(y)) = (x, y) else { return false };
        ops.push(one(Alu::Mul, x, y, Flags::Lost));
    } else if is(X86_INS_RORX) {
        let (Some(x), Some(y)) = (b.src(), c.src()) else { return false };
        ops.push(one(Alu::Ror, x, y, Flags::Keep));
    } else if is(X86_INS_SHLX) || is(X86_INS_SHRX) || is(X86_INS_SARX) {
        let (Some(x), Some(y)) = (b.src(), c.src()) else { return false };
        let op = if is(X86_INS_SHLX) {
            Alu::Shl
        } else if is(X86_INS_SHRX) {
            Alu::Shr
        } else {
            Alu::Sar
        };
        ops.push(one(op, x, y, Flags::Keep));
    } else if is(X86_INS_ANDN) {
        let (Some(x), Some(y)) = (b.src(), c.src()) else { return false };
        ops.push(one(Alu::AndNot, y, x, Flags::Set));
    } else {
        return false;
    }
    true
}

fn special(i: &Insn64<'_>, ops: &mut Vec<Op>) -> bool {
    use I::*;
    const T: [(I, Special); 17] = [
        (X86_INS_BSWAP, Special::Bswap),
        (X86_INS_BSF, Special::Bsf),
        (X86_INS_BSR, Special::Bsr),
        (X86_INS_POPCNT, Special::Popcnt),
        (X86_INS_LZCNT, Special::Lzcnt),
        (X86_INS_TZCNT, Special::Tzcnt),
        (X86_INS_BT, Special::BitTest),
        (X86_INS_BTS, Special::BitSet),
        (X86_INS_BTR, Special::BitReset),
        (X86_INS_BTC, Special::BitFlip),
        (X86_INS_XADD, Special::Xadd),
        (X86_INS_XCHG, Special::Xchg),
        (X86_INS_CMPXCHG, Special::CmpXchg),
        (X86_INS_MUL, Special::MulWide { signed: false }),
        (X86_INS_IMUL, Special::MulWide { signed: true }),
        (X86_INS_DIV, Special::Div { signed: false }),
        (X86_INS_IDIV, Special::Div { signed: true }),
    ];
    let [a, b, ..] = i.o;
    let is = |x: I| x as u32 == i.id;
    let string = |op, size| Op::Special { op, dst: Dst::None, src: Src::Imm(0), size };
    if i.rep {
        for (x, op, size) in [
            (X86_INS_MOVSQ, Special::RepMovs, 8),
            (X86_INS_MOVSD, Special::RepMovs, 4),
            (X86_INS_MOVSB, Special::RepMovs, 1),
            (X86_INS_STOSQ, Special::RepStos, 8),
            (X86_INS_STOSD, Special::RepStos, 4),
            (X86_INS_STOSB, Special::RepStos, 1),
        ] {
            if is(x) && !matches!(a, Opd::Vec(..)) && !matches!(b, Opd::Vec(..)) {
                ops.push(string(op, size));
                return true;
            }
        }
    }
    if is(X86_INS_CQO) || is(X86_INS_CDQ) {
        let size = if is(X86_INS_CQO) { 8 } else { 4 };
        ops.push(Op::Special { op: Special::SignRdx, dst: Dst::Reg(RDX), src: Src::Reg(RAX), size });
        return true;
    }
    if is(X86_INS_CDQE) || is(X86_INS_CWDE) {
        let (size, wide) = if is(X86_INS_CDQE) { (4, 8) } else { (2, 4) };
        ops.push(Op::Mov { dst: Dst::Reg(RAX), src: Src::Reg(RAX), size, wide, sign: true });
        return true;
    }
    let Some((_, op)) = T.iter().find(|(x, _)| *x as u32 == i.id) else { return false };
    let one_operand = i.n == 1;
    let (dst, src) = match op {
        Special::MulWide { .. } | Special::Div { .. } => (Some(Dst::None), a.src()),
        _ if one_operand => (a.dst(), a.src()),
        _ => (a.dst(), b.src()),
    };
    let (Some(dst), Some(src)) = (dst, src) else { return false };
    ops.push(Op::Special { op: *op, dst, src, size: a.size() });
    true
}

/// Everything that the instruction writes becomes unknown.
fn clobber(i: &Insn64<'_>, ops: &mut Vec<Op>) {
    for k in 0..i.n {
        let (Some(o), Some(true)) = (i.o.get(k), i.written.get(k)) else { continue };
        match *o {
            Opd::Reg(r, _) => ops.push(Op::Clobber { dst: Dst::Reg(r), size: 8 }),
            Opd::Vec(r, _) => {
                ops.push(Op::Clobber { dst: Dst::Vec(r, 0), size: 8 });
                ops.push(Op::Clobber { dst: Dst::Vec(r, 1), size: 8 });
            }
            Opd::Mem(m, size) => ops.push(Op::Clobber { dst: Dst::Mem(m), size: size.max(1) }),
            // A high byte register or something exotic: which one doesn't matter, all that could be meant go.
            Opd::Other => {
                for r in 0..4 {
                    ops.push(Op::Clobber { dst: Dst::Reg(r), size: 8 });
                }
            }
            Opd::Imm(_) => {}
        }
    }
    for r in i.detail.regs_write() {
        let id = u32::from(r.0);
        if let Some((r, _)) = general(id) {
            ops.push(Op::Clobber { dst: Dst::Reg(r), size: 8 });
        } else if let Some(v) = vector(id) {
            ops.push(Op::Clobber { dst: Dst::Vec(v, 0), size: 8 });
            ops.push(Op::Clobber { dst: Dst::Vec(v, 1), size: 8 });
        } else if id == X::X86_REG_EFLAGS {
            ops.push(Op::ClobberFlags);
        }
    }
}
