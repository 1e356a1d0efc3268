//! Addresses of runtime variables in programs without symbols, from the code that uses them.

use std::collections::BTreeSet;

use image::{Function, Image};
use machine::{Arch, MemoryExt};

/// `runtime.allgs` from `runtime.allgadd` (runtime/proc.go), which appends to it: the only slice there, so the only place
/// of which all three words are referred to.
pub(crate) fn allgs(image: &Image) -> Option<u64> {
    let functions = image.functions();
    let f = functions.by_name("runtime.allgadd").into_iter().next()?;
    let code = code_of(image, &f)?;
    let refs = match image.arch() {
        Arch::Amd64 => references_amd64(f.entry(), &code),
        Arch::Arm64 => references_arm64(f.entry(), &code),
    };
    let mut headers = refs.iter().copied().filter(|a| refs.contains(&(a + 8)) && refs.contains(&(a + 16)));
    let first = headers.next()?;
    headers.next().is_none().then_some(first)
}

fn code_of(image: &Image, f: &Function<'_>) -> Option<Vec<u8>> {
    let len = usize::try_from(f.end().checked_sub(f.entry())?).ok()?;
    image.read_vec(f.entry(), len, 1 << 16).ok()
}

/// Targets of RIP-relative loads and stores of 8 bytes (`REX.W 8b/89/87`, `REX.W 83 /7` compares).
fn references_amd64(entry: u64, code: &[u8]) -> BTreeSet<u64> {
    let mut refs = BTreeSet::new();
    for (i, w) in code.windows(8).enumerate() {
        let &[rex, op, modrm, d0, d1, d2, d3, _] = w else { continue };
        let trailing = match op {
            0x8b | 0x89 | 0x87 | 0x3b | 0x39 | 0x03 | 0x8d => 0,
            0x83 => 1,
            _ => continue,
        };
        if rex & 0xf8 != 0x48 || modrm & 0xc7 != 0x05 {
            continue;
        }
        let disp = i64::from(i32::from_le_bytes([d0, d1, d2, d3]));
        refs.insert(entry.wrapping_add(i as u64 + 7 + trailing).wrapping_add_signed(disp));
    }
    refs
}

/// Targets of `adrp` followed by `add`, `ldr` or `str` (64 bit, unsigned offset) on the same register.
fn references_arm64(entry: u64, code: &[u8]) -> BTreeSet<u64> {
    let mut refs = BTreeSet::new();
    let mut pages = [None::<u64>; 32];
    for (i, w) in code.as_chunks::<4>().0.iter().enumerate() {
        let insn = u32::from_le_bytes(*w);
        let pc = entry.wrapping_add(i as u64 * 4);
        let (rd, rn) = ((insn & 31) as usize, (insn >> 5 & 31) as usize);
        let base = pages.get(rn).copied().flatten();
        let imm12 = u64::from(insn >> 10 & 0xfff);
        if insn & 0x9f00_0000 == 0x9000_0000 {
            let imm = (u64::from(insn >> 5 & 0x7_ffff) << 2 | u64::from(insn >> 29 & 3)) << 12;
            let offset = ((imm << 31) as i64) >> 31;
            if let Some(slot) = pages.get_mut(rd) {
                *slot = Some((pc & !0xfff).wrapping_add_signed(offset));
            }
        } else if let (0xf940_0000 | 0xf900_0000, Some(base)) = (insn & 0xffc0_0000, base) {
            refs.insert(base.wrapping_add(imm12 * 8));
        } else if let (0x9100_0000, Some(base)) = (insn & 0xffc0_0000, base) {
            refs.insert(base.wrapping_add(imm12));
            if let Some(slot) = pages.get_mut(rd) {
                *slot = Some(base.wrapping_add(imm12));
            }
        }
    }
    refs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rip_relative_operands_are_found() {
        // mov rcx, [rip+0x10]; mov [rip-0x20], rdx
        let code = [0x48, 0x8b, 0x0d, 0x10, 0, 0, 0, 0x48, 0x89, 0x15, 0xe0, 0xff, 0xff, 0xff, 0x90];
        let refs = references_amd64(0x1000, &code);
        assert_eq!(refs.into_iter().collect::<Vec<_>>(), [0x1000 + 14 - 0x20, 0x1000 + 7 + 0x10]);
    }

    #[test]
    fn pages_are_followed_on_arm64() {
        // adrp x1, +1 page; ldr x2, [x1, #0x18]; add x3, x1, #0x10; str x2, [x3]
        let code: Vec<u8> = [0xb000_0001_u32, 0xf940_0c22, 0x9100_4023, 0xf900_0062]
            .iter()
            .flat_map(|w| w.to_le_bytes())
            .collect();
        let refs = references_arm64(0x40_0123_4000, &code);
        assert_eq!(refs.into_iter().collect::<Vec<_>>(), [0x40_0123_5010, 0x40_0123_5018]);
    }
}
