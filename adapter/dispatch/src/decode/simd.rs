//! Vector instructions of amd64 that the runtime's maps and hashes use, in their two-operand form.

use capstone::arch::x86::X86Insn as I;

use super::amd64::{Insn64, Opd};
use crate::model::{Dst, Op, Simd, Src};

/// True if the instruction is one of them.
pub(super) fn lift(i: &Insn64<'_>, ops: &mut Vec<Op>) -> bool {
    use I::*;
    const T: [(I, Simd); 20] = [
        (X86_INS_PXOR, Simd::Xor),
        (X86_INS_XORPS, Simd::Xor),
        (X86_INS_POR, Simd::Or),
        (X86_INS_ORPS, Simd::Or),
        (X86_INS_PAND, Simd::And),
        (X86_INS_ANDPS, Simd::And),
        (X86_INS_PANDN, Simd::AndNot),
        (X86_INS_PCMPEQB, Simd::EqualBytes),
        (X86_INS_PUNPCKLBW, Simd::UnpackLowBytes),
        (X86_INS_PSHUFB, Simd::ShuffleBytes),
        (X86_INS_PSHUFLW, Simd::ShuffleLowWords),
        (X86_INS_PSHUFHW, Simd::ShuffleHighWords),
        (X86_INS_PSHUFD, Simd::ShuffleDwords),
        (X86_INS_PSLLDQ, Simd::ShiftLeftBytes),
        (X86_INS_PSRLDQ, Simd::ShiftRightBytes),
        (X86_INS_PINSRB, Simd::Insert(1)),
        (X86_INS_PINSRW, Simd::Insert(2)),
        (X86_INS_PINSRD, Simd::Insert(4)),
        (X86_INS_PINSRQ, Simd::Insert(8)),
        (X86_INS_AESENC, Simd::AesRound),
    ];
    let [a, b, c, _] = i.o;
    if i.id == X86_INS_PMOVMSKB as u32 {
        let (Opd::Reg(d, _), Opd::Vec(s, 16)) = (a, b) else { return false };
        ops.push(Op::Simd { op: Simd::SignMask, dst: Dst::Reg(d), src: Src::Vec(s, 0), imm: 0 });
        return true;
    }
    let Some((_, op)) = T.iter().find(|(x, _)| *x as u32 == i.id) else { return false };
    let Opd::Vec(d, 16) = a else { return false };
    let shift = matches!(op, Simd::ShiftLeftBytes | Simd::ShiftRightBytes);
    let (src, imm) = match (shift, b, c) {
        (true, Opd::Imm(n), _) => (Src::Vec(d, 0), n),
        (true, ..) => return false,
        (false, b, c) => {
            let Some(src) = b.src() else { return false };
            (src, if let Opd::Imm(n) = c { n } else { 0 })
        }
    };
    ops.push(Op::Simd { op: *op, dst: Dst::Vec(d, 0), src, imm: imm as u8 });
    true
}
