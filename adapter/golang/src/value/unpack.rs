//! Where a closure of Go 1.22 or older keeps its variables: those versions don't say it (DW_AT_go_closure_offset is of 1.23), but
//! unoptimised code begins by copying each captured word from the closure (RDX) to the variable's slot. Optimised code of those
//! versions, and arm64 code, are left unknown.

use image::Function;
use machine::{Arch, Memory};

const RDX: u8 = 2;
const RSP: u8 = 4;

/// Bytes of code after the prologue that are looked at.
const MAX_CODE: usize = 1024;

/// One copied word: from this offset in the closure to this distance from the canonical frame address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Copied {
    pub(super) closure_offset: u64,
    pub(super) frame_offset: i64,
}

/// The copies that a closure's code begins with.
pub(super) fn copies(f: &Function<'_>, arch: Arch, mem: &dyn Memory) -> Vec<Copied> {
    if arch != Arch::Amd64 {
        return Vec::new();
    }
    let start = f.prologue_end();
    let mut code = vec![0; MAX_CODE.min(f.end().saturating_sub(start) as usize)];
    let n = mem.read(start, &mut code).unwrap_or(0);
    code.truncate(n);
    scan(&code, |at| f.sp_delta(start + at as u64))
}

/// An instruction of the copying sequence.
enum Step {
    /// register <- [base + displacement]
    Load {
        base: u8,
        displacement: i64,
        register: u8,
    },
    Store {
        base: u8,
        displacement: i64,
        register: u8,
    },
    /// `sub rsp, N`
    Frame,
}

/// Vector registers are numbered behind the general ones.
const VECTOR: u8 = 16;

fn scan(code: &[u8], sp_delta: impl Fn(usize) -> Option<i64>) -> Vec<Copied> {
    let mut held: [Option<u64>; 32] = [None; 32];
    let mut out = Vec::new();
    let mut closure_known = true;
    let mut at = 0;
    while let Some((step, len)) = code.get(at..).and_then(decode) {
        match step {
            Step::Frame => {}
            Step::Load { base, displacement, register } => {
                let from = (base == RDX && closure_known && displacement >= 8).then_some(displacement as u64);
                if let Some(slot) = held.get_mut(register as usize) {
                    *slot = from;
                }
                closure_known &= register != RDX;
            }
            Step::Store { base, displacement, register } => {
                let held = held.get(register as usize).copied().flatten();
                if let (RSP, Some(closure_offset), Some(delta)) = (base, held, sp_delta(at)) {
                    // The return address lies between the stack pointer at entry and the frame's address.
                    out.push(Copied { closure_offset, frame_offset: displacement - delta - 8 });
                }
            }
        }
        at += len;
    }
    out
}

/// Moves between registers and memory, and the frame's allocation; None for all others.
fn decode(code: &[u8]) -> Option<(Step, usize)> {
    let mut at = 0;
    let byte = |i: usize| code.get(i).copied();
    let prefix = byte(0).filter(|b| matches!(b, 0x66 | 0xf2 | 0xf3));
    at += usize::from(prefix.is_some());
    let rex = byte(at).filter(|b| b & 0xf0 == 0x40);
    at += usize::from(rex.is_some());
    let rex = rex.unwrap_or(0);
    let opcode = byte(at)?;
    at += 1;
    if rex == 0x48 && matches!(opcode, 0x81 | 0x83) && byte(at)? == 0xec {
        return Some((Step::Frame, at + if opcode == 0x81 { 5 } else { 2 }));
    }
    let (load, vector) = match opcode {
        0x8b => (true, false),
        0x89 | 0x88 => (false, false),
        0x0f => {
            let second = byte(at)?;
            at += 1;
            match second {
                0xb6 | 0xb7 => (true, false),
                0x10 | 0x6f => (true, true),
                0x11 | 0x7f => (false, true),
                _ => return None,
            }
        }
        _ => return None,
    };
    let modrm = byte(at)?;
    at += 1;
    let (mode, low) = (modrm >> 6, modrm & 7);
    let mut base = low | (rex & 1) << 3;
    if mode == 3 {
        return None;
    }
    if low == 4 {
        let sib = byte(at)?;
        at += 1;
        // No index register.
        if sib & 0x38 != 0x20 || rex & 2 != 0 {
            return None;
        }
        base = sib & 7 | (rex & 1) << 3;
    }
    let displacement = match mode {
        0 if low == 5 => return None,
        0 => 0,
        1 => {
            at += 1;
            i64::from(byte(at - 1)?.cast_signed())
        }
        _ => {
            let b: [u8; 4] = code.get(at..at + 4)?.try_into().ok()?;
            at += 4;
            i64::from(i32::from_le_bytes(b))
        }
    };
    let register = (modrm >> 3 & 7 | (rex & 4) << 1) + if vector { VECTOR } else { 0 };
    let step = if load {
        Step::Load { base, displacement, register }
    } else {
        Step::Store { base, displacement, register }
    };
    Some((step, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_read_from_the_code_of_a_closure() {
        // Of a closure of Go 1.22 that captured a pointer, an int and a string.
        let code = [
            0x48, 0x83, 0xec, 0x28, // sub rsp, 0x28
            0x48, 0x8b, 0x4a, 0x08, 0x48, 0x89, 0x4c, 0x24, 0x20, // [rdx+8] -> [rsp+0x20]
            0x48, 0x8b, 0x4a, 0x10, 0x48, 0x89, 0x4c, 0x24, 0x08, // [rdx+0x10] -> [rsp+8]
            0x48, 0x8b, 0x4a, 0x18, 0x48, 0x8b, 0x52, 0x20, // rcx, rdx <- [rdx+0x18], [rdx+0x20]
            0x48, 0x89, 0x4c, 0x24, 0x10, 0x48, 0x89, 0x54, 0x24, 0x18, // -> [rsp+0x10], [rsp+0x18]
            0x48, 0xc7, 0x04, 0x24, 0, 0, 0, 0, // mov qword [rsp], 0
        ];
        let all = scan(&code, |at| Some(if at == 0 { 8 } else { 0x30 }));
        let pairs: Vec<_> = all.iter().map(|c| (c.closure_offset, c.frame_offset)).collect();
        assert_eq!(pairs, [(8, -24), (0x10, -48), (0x18, -40), (0x20, -32)]);
    }

    #[test]
    fn any_bytes_can_be_scanned() {
        let mut n = 1u32;
        for _ in 0..2000 {
            let code: Vec<u8> = (0..64)
                .map(|_| {
                    n = n.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (n >> 24) as u8
                })
                .collect();
            scan(&code, |_| Some(0));
        }
    }
}
