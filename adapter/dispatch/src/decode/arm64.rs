//! Lifts arm64 instructions. What is not listed clobbers everything that it writes.

use capstone::arch::arm64::{Arm64Insn as I, Arm64Reg as X};
use capstone::{Insn, InsnDetail};

use super::operands::{Arm, Opd, ZERO, general, negate, read, shifted};
use crate::model::{Alu, Cond, Dst, Flags, Flow, Mem, Op, R, SelectHow, Src, Target};

pub(super) fn lift(insn: &Insn<'_>, detail: &InsnDetail<'_>, ops: &mut Vec<Op>) -> Flow {
    let word = insn.bytes().iter().rev().fold(0u32, |w, b| w << 8 | u32::from(*b));
    if unreadable(word, ops) {
        return Flow::Next;
    }
    let Some(i) = read(insn, detail) else { return Flow::Trap };
    if let Some(flow) = control(&i) {
        return flow;
    }
    if loads(&i, ops) || moves(&i, insn.address(), ops) || arithmetic(&i, ops) || selects(&i, ops) {
        return Flow::Next;
    }
    ops.clear();
    clobber(&i, ops);
    Flow::Next
}

/// Instructions whose operands are system registers, barriers, prefetch hints: capstone hands out numbers that its Rust types don't have,
/// so that reading them is undefined. Lifted from their encoding (Arm ARM, C4.1) instead.
fn unreadable(word: u32, ops: &mut Vec<Op>) -> bool {
    let rt = (word & 31) as R;
    let mut lost = |r: R| ops.push(Op::Clobber { dst: Dst::Reg(r), size: 8 });
    // MSR, MRS, SYS, SYSL, hints, barriers.
    if word & 0xffc0_0000 == 0xd500_0000 {
        if word & 1 << 21 != 0 && rt != 31 {
            lost(rt);
        }
        return true;
    }
    // PRFM with an immediate, a literal, a register; PRFUM.
    let prefetch = word & 0xffc0_0000 == 0xf980_0000
        || word & 0xff00_0000 == 0xd800_0000
        || word & 0xffe0_0c00 == 0xf8a0_0800
        || word & 0xffe0_0c00 == 0xf880_0000;
    // SVE, SME: Go's compiler makes none.
    let scalable = word >> 25 & 15 == 2 || word >> 31 == 1 && word >> 25 & 15 == 0;
    if scalable {
        (0..31).for_each(&mut lost);
        (0..32).flat_map(|v| [(v, 0), (v, 1)]).for_each(|(v, h)| {
            ops.push(Op::Clobber { dst: Dst::Vec(v, h), size: 8 });
        });
        ops.push(Op::ClobberFlags);
    }
    prefetch || scalable
}

fn is(i: &Arm<'_>, list: &[I]) -> bool {
    list.iter().any(|x| *x as u32 == i.id)
}

fn control(i: &Arm<'_>) -> Option<Flow> {
    use I::*;
    let [a, b, c, ..] = i.o;
    if is(i, &[ARM64_INS_BL, ARM64_INS_BLR]) {
        return Some(match a {
            Opd::Imm(t) => Flow::Call(Target::Const(t as u64)),
            Opd::Reg(r, _) => Flow::Call(Target::Reg(r)),
            _ => Flow::Trap,
        });
    }
    if is(i, &[ARM64_INS_B]) {
        let Opd::Imm(t) = a else { return Some(Flow::Trap) };
        return Some(match i.cc {
            Cond::Unknown => Flow::Jump(Target::Const(t as u64)),
            cc => Flow::Branch(cc, t as u64),
        });
    }
    if is(i, &[ARM64_INS_BR]) {
        let Opd::Reg(r, _) = a else { return Some(Flow::Trap) };
        return Some(Flow::Jump(Target::Reg(r)));
    }
    if is(i, &[ARM64_INS_RET]) {
        // `ret x1` is a jump.
        return Some(match a {
            Opd::Reg(r, _) if r != 30 && i.n > 0 => Flow::Jump(Target::Reg(r)),
            _ => Flow::Ret,
        });
    }
    if is(i, &[ARM64_INS_CBZ, ARM64_INS_CBNZ]) {
        let (Opd::Reg(r, s), Opd::Imm(t)) = (a, b) else { return Some(Flow::Trap) };
        let zero = is(i, &[ARM64_INS_CBZ]);
        return Some(Flow::Branch(if zero { Cond::Zero(r, s) } else { Cond::NotZero(r, s) }, t as u64));
    }
    if is(i, &[ARM64_INS_TBZ, ARM64_INS_TBNZ]) {
        let (Opd::Reg(r, _), Opd::Imm(n), Opd::Imm(t)) = (a, b, c) else { return Some(Flow::Trap) };
        let zero = is(i, &[ARM64_INS_TBZ]);
        let n = (n & 63) as u8;
        return Some(Flow::Branch(if zero { Cond::BitClear(r, n) } else { Cond::BitSet(r, n) }, t as u64));
    }
    if is(i, &[ARM64_INS_BRK, ARM64_INS_UDF, ARM64_INS_HLT]) {
        return Some(Flow::Trap);
    }
    if is(i, &[ARM64_INS_SVC]) {
        return Some(Flow::Syscall);
    }
    None
}

/// Bytes in memory and sign extension of a load or store mnemonic; 0: the register's size.
fn access(i: &Arm<'_>) -> Option<(bool, u8, bool)> {
    use I::*;
    const T: [(I, bool, u8, bool); 27] = [
        (ARM64_INS_LDR, true, 0, false),
        (ARM64_INS_LDUR, true, 0, false),
        (ARM64_INS_LDAR, true, 0, false),
        (ARM64_INS_LDP, true, 0, false),
        (ARM64_INS_LDNP, true, 0, false),
        (ARM64_INS_LDRB, true, 1, false),
        (ARM64_INS_LDURB, true, 1, false),
        (ARM64_INS_LDARB, true, 1, false),
        (ARM64_INS_LDRH, true, 2, false),
        (ARM64_INS_LDURH, true, 2, false),
        (ARM64_INS_LDRSB, true, 1, true),
        (ARM64_INS_LDURSB, true, 1, true),
        (ARM64_INS_LDRSH, true, 2, true),
        (ARM64_INS_LDURSH, true, 2, true),
        (ARM64_INS_LDRSW, true, 4, true),
        (ARM64_INS_LDURSW, true, 4, true),
        (ARM64_INS_LDPSW, true, 4, true),
        (ARM64_INS_STR, false, 0, false),
        (ARM64_INS_STUR, false, 0, false),
        (ARM64_INS_STLR, false, 0, false),
        (ARM64_INS_STP, false, 0, false),
        (ARM64_INS_STNP, false, 0, false),
        (ARM64_INS_STRB, false, 1, false),
        (ARM64_INS_STURB, false, 1, false),
        (ARM64_INS_STRH, false, 2, false),
        (ARM64_INS_STURH, false, 2, false),
        (ARM64_INS_STLRB, false, 1, false),
    ];
    T.iter().find(|t| t.0 as u32 == i.id).map(|t| (t.1, t.2, t.3))
}

fn loads(i: &Arm<'_>, ops: &mut Vec<Op>) -> bool {
    let Some((load, bytes, sign)) = access(i) else { return false };
    let Some((at, mut mem)) = i.o.iter().enumerate().find_map(|(k, o)| match o {
        Opd::Mem(m) => Some((k, *m)),
        _ => None,
    }) else {
        return false;
    };
    // A post-index amount is a separate operand or the displacement, depending on the decoder's version.
    let mut step = mem.disp;
    if i.post {
        if let Some(Opd::Imm(n)) = i.o.get(at + 1) {
            step = *n;
        }
        mem.disp = 0;
    }
    let base = mem.base;
    let before = base.filter(|_| i.writeback && !i.post);
    if let Some(b) = before {
        ops.push(add_imm(b, step));
        mem.disp = 0;
    }
    // A pair may overwrite its own base with the first load: the second address is taken before.
    let order: [usize; 2] = match (load, i.o.first()) {
        (true, Some(Opd::Reg(r, _))) if at == 2 && Some(*r) == base => [1, 0],
        _ => [0, 1],
    };
    for k in order {
        if k >= at {
            continue;
        }
        let Some(o) = i.o.get(k) else { continue };
        let size = if bytes == 0 { o.size() } else { bytes };
        let m = mem.plus(k as i64 * i64::from(size));
        if load { one_load(*o, m, size, sign, ops) } else { one_store(*o, m, size, ops) }
    }
    if let Some(b) = base.filter(|_| i.post) {
        ops.push(add_imm(b, step));
    }
    true
}

fn add_imm(r: R, n: i64) -> Op {
    Op::Alu { op: Alu::Add, dst: Dst::Reg(r), a: Src::Reg(r), b: Src::Imm(n), size: 8, flags: Flags::Keep }
}

fn one_load(o: Opd, m: Mem, size: u8, sign: bool, ops: &mut Vec<Op>) {
    match o {
        Opd::Vec(v, _) => {
            ops.push(Op::Mov {
                dst: Dst::Vec(v, 0),
                src: Src::Mem(m),
                size: size.min(8),
                wide: 8,
                sign: false,
            });
            let high = if size == 16 { Src::Mem(m.plus(8)) } else { Src::Imm(0) };
            ops.push(Op::Mov { dst: Dst::Vec(v, 1), src: high, size: 8, wide: 8, sign: false });
        }
        o => {
            let Some(dst) = o.dst() else { return };
            ops.push(Op::Mov { dst, src: Src::Mem(m), size, wide: if sign { o.size() } else { 8 }, sign });
        }
    }
}

fn one_store(o: Opd, m: Mem, size: u8, ops: &mut Vec<Op>) {
    match o {
        Opd::Vec(v, _) => {
            let low = size.min(8);
            ops.push(Op::Mov { dst: Dst::Mem(m), src: Src::Vec(v, 0), size: low, wide: low, sign: false });
            if size == 16 {
                ops.push(Op::Mov {
                    dst: Dst::Mem(m.plus(8)),
                    src: Src::Vec(v, 1),
                    size: 8,
                    wide: 8,
                    sign: false,
                });
            }
        }
        o => {
            let Some(src) = o.src() else { return };
            ops.push(Op::Mov { dst: Dst::Mem(m), src, size, wide: size, sign: false });
        }
    }
}

fn moves(i: &Arm<'_>, _addr: u64, ops: &mut Vec<Op>) -> bool {
    use I::*;
    let [a, b, ..] = i.o;
    if is(
        i,
        &[
            ARM64_INS_NOP,
            ARM64_INS_HINT,
            ARM64_INS_DMB,
            ARM64_INS_DSB,
            ARM64_INS_ISB,
            ARM64_INS_YIELD,
            ARM64_INS_PRFM,
        ],
    ) {
        return true;
    }
    if let (Opd::Vec(d, 16), Opd::Vec(s, 16)) = (a, b)
        && is(i, &[ARM64_INS_MOV, ARM64_INS_ORR])
        && !matches!(i.o.get(2), Some(Opd::Vec(x, _)) if *x != s)
    {
        for h in 0..2 {
            ops.push(Op::Mov { dst: Dst::Vec(d, h), src: Src::Vec(s, h), size: 8, wide: 8, sign: false });
        }
        return true;
    }
    let Some(dst) = a.dst() else { return false };
    let size = a.size();
    if is(i, &[ARM64_INS_MOV, ARM64_INS_MOVZ, ARM64_INS_ADR, ARM64_INS_ADRP]) && i.n >= 2 {
        let Some(src) = b.src() else { return false };
        let src = match (src, i.shift) {
            (Src::Imm(v), Some((Alu::Shl, n))) => Src::Imm(v.wrapping_shl(u32::from(n))),
            (s, _) => s,
        };
        ops.push(Op::Mov { dst, src, size, wide: size, sign: false });
        return true;
    }
    if let (true, Opd::Imm(v)) = (is(i, &[ARM64_INS_MOVN]), b) {
        let n = i.shift.map_or(0, |s| u32::from(s.1));
        ops.push(Op::Mov { dst, src: Src::Imm(!v.wrapping_shl(n)), size, wide: size, sign: false });
        return true;
    }
    if let (true, Opd::Imm(v), Some(old)) = (is(i, &[ARM64_INS_MOVK]), b, a.src()) {
        let n = i.shift.map_or(0, |s| u32::from(s.1));
        let keep = !(0xffff_i64.wrapping_shl(n));
        ops.push(Op::Alu { op: Alu::And, dst, a: old, b: Src::Imm(keep), size, flags: Flags::Keep });
        let bits = Src::Imm(v.wrapping_shl(n));
        ops.push(Op::Alu { op: Alu::Or, dst, a: old, b: bits, size, flags: Flags::Keep });
        return true;
    }
    for (x, bytes, sign) in [
        (ARM64_INS_SXTB, 1, true),
        (ARM64_INS_SXTH, 2, true),
        (ARM64_INS_SXTW, 4, true),
        (ARM64_INS_UXTB, 1, false),
        (ARM64_INS_UXTH, 2, false),
        (ARM64_INS_UXTW, 4, false),
    ] {
        if let (true, Some(src)) = (is(i, &[x]), b.src()) {
            ops.push(Op::Mov { dst, src, size: bytes, wide: size, sign });
            return true;
        }
    }
    false
}

fn arithmetic(i: &Arm<'_>, ops: &mut Vec<Op>) -> bool {
    use I::*;
    const T: [(I, Alu); 25] = [
        (ARM64_INS_ADD, Alu::Add),
        (ARM64_INS_ADDS, Alu::Add),
        (ARM64_INS_CMN, Alu::Add),
        (ARM64_INS_SUB, Alu::Sub),
        (ARM64_INS_SUBS, Alu::Sub),
        (ARM64_INS_CMP, Alu::Sub),
        (ARM64_INS_NEG, Alu::Sub),
        (ARM64_INS_NEGS, Alu::Sub),
        (ARM64_INS_AND, Alu::And),
        (ARM64_INS_ANDS, Alu::And),
        (ARM64_INS_TST, Alu::And),
        (ARM64_INS_ORR, Alu::Or),
        (ARM64_INS_EOR, Alu::Xor),
        (ARM64_INS_BIC, Alu::AndNot),
        (ARM64_INS_BICS, Alu::AndNot),
        (ARM64_INS_ORN, Alu::OrNot),
        (ARM64_INS_MVN, Alu::OrNot),
        (ARM64_INS_LSL, Alu::Shl),
        (ARM64_INS_LSR, Alu::Shr),
        (ARM64_INS_ASR, Alu::Sar),
        (ARM64_INS_ROR, Alu::Ror),
        (ARM64_INS_MUL, Alu::Mul),
        (ARM64_INS_LSLV, Alu::Shl),
        (ARM64_INS_LSRV, Alu::Shr),
        (ARM64_INS_ASRV, Alu::Sar),
    ];
    let Some((ins, op)) = T.iter().find(|(x, _)| *x as u32 == i.id) else { return false };
    let [a, b, c, ..] = i.o;
    let size = a.size();
    let compare = matches!(ins, ARM64_INS_CMN | ARM64_INS_CMP | ARM64_INS_TST);
    let unary = matches!(ins, ARM64_INS_NEG | ARM64_INS_NEGS | ARM64_INS_MVN);
    let (dst, x, y) = if compare {
        (Some(Dst::None), a.src(), b.src())
    } else if unary {
        (a.dst(), Some(Src::Imm(0)), b.src())
    } else {
        (a.dst(), b.src(), c.src())
    };
    let (Some(dst), Some(x), Some(y)) = (dst, x, y) else { return false };
    let sets = compare || i.flags || matches!(ins, ARM64_INS_ADDS | ARM64_INS_SUBS | ARM64_INS_ANDS);
    let flags = if sets { Flags::Set } else { Flags::Keep };
    match shifted(i, y) {
        Some(y) => ops.push(Op::Alu { op: *op, dst, a: x, b: y, size, flags }),
        None if compare => ops.push(Op::ClobberFlags),
        None => {
            // base + (index << n) is an address computation; others are not followed.
            if let (Alu::Add, Src::Reg(base), Src::Reg(index), Dst::Reg(d), 8, false) =
                (*op, x, y, dst, size, sets)
            {
                let scale = match i.shift {
                    Some((Alu::Shl, n @ 0..=4)) => 1u8 << n,
                    None => 1,
                    _ => 0,
                };
                let extend = match i.extend {
                    Some((4, signed)) => Some(signed),
                    None => None,
                    _ => {
                        ops.push(Op::Clobber { dst, size: 8 });
                        return true;
                    }
                };
                if scale != 0 {
                    let mem =
                        Mem { base: Some(base), index: Some(index), scale, disp: 0, extend, thread: false };
                    ops.push(Op::Lea { dst: d, mem, size: 8 });
                    return true;
                }
            }
            ops.push(Op::Clobber { dst, size: 8 });
            if sets {
                ops.push(Op::ClobberFlags);
            }
        }
    }
    true
}

fn selects(i: &Arm<'_>, ops: &mut Vec<Op>) -> bool {
    use I::*;
    let [a, b, c, ..] = i.o;
    let size = a.size();
    let Some(dst) = a.dst() else { return false };
    if is(i, &[ARM64_INS_CSEL]) {
        let (Some(x), Some(y)) = (b.src(), c.src()) else { return false };
        ops.push(Op::Select { cond: i.cc, dst, a: x, b: y, size });
        return true;
    }
    if is(i, &[ARM64_INS_CSET]) {
        ops.push(Op::Select { cond: i.cc, dst, a: Src::Imm(1), b: Src::Imm(0), size });
        return true;
    }
    if is(i, &[ARM64_INS_CSETM]) {
        ops.push(Op::Select { cond: i.cc, dst, a: Src::Imm(-1), b: Src::Imm(0), size });
        return true;
    }
    let Dst::Reg(d) = dst else { return false };
    for (three, two, how) in [
        (ARM64_INS_CSINC, ARM64_INS_CINC, SelectHow::Inc),
        (ARM64_INS_CSINV, ARM64_INS_CINV, SelectHow::Not),
        (ARM64_INS_CSNEG, ARM64_INS_CNEG, SelectHow::Neg),
    ] {
        if is(i, &[three])
            && let (Some(x), Some(y)) = (b.src(), c.src())
        {
            ops.push(Op::Choose { cond: i.cc, dst: d, a: x, b: y, size, how });
            return true;
        }
        if is(i, &[two])
            && let Some(x) = b.src()
        {
            ops.push(Op::Choose { cond: negate(i.cc), dst: d, a: x, b: x, size, how });
            return true;
        }
    }
    false
}

fn clobber(i: &Arm<'_>, ops: &mut Vec<Op>) {
    for k in 0..i.n {
        let (Some(o), Some(true)) = (i.o.get(k), i.written.get(k)) else { continue };
        match *o {
            Opd::Reg(r, _) if r != ZERO => ops.push(Op::Clobber { dst: Dst::Reg(r), size: 8 }),
            Opd::Vec(v, _) => {
                ops.push(Op::Clobber { dst: Dst::Vec(v, 0), size: 8 });
                ops.push(Op::Clobber { dst: Dst::Vec(v, 1), size: 8 });
            }
            Opd::Mem(m) => ops.push(Op::Clobber { dst: Dst::Mem(m), size: 16 }),
            _ => {}
        }
    }
    if i.flags {
        ops.push(Op::ClobberFlags);
    }
    for r in i.detail.regs_write() {
        match general(u32::from(r.0)) {
            Some((r, _)) if r != ZERO => ops.push(Op::Clobber { dst: Dst::Reg(r), size: 8 }),
            _ if u32::from(r.0) == X::ARM64_REG_NZCV => ops.push(Op::ClobberFlags),
            _ => {}
        }
    }
    if i.writeback
        && let Some(Opd::Mem(Mem { base: Some(b), .. })) =
            i.o.iter().find(|o| matches!(o, Opd::Mem(_))).copied()
    {
        ops.push(Op::Clobber { dst: Dst::Reg(b), size: 8 });
    }
}
