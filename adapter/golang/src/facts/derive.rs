//! Addresses of runtime variables in programs without symbols, from the code that uses them.

use std::collections::BTreeSet;

use image::{Function, Image};
use machine::{Arch, MemoryExt};

/// `runtime.allgs` from `runtime.allgadd` (runtime/proc.go), which appends to it: the only slice there, so the only place
/// of which all three words are referred to.
pub(crate) fn allgs(image: &Image) -> Option<u64> {
    let refs = references(image, "runtime.allgadd")?;
    only(refs.iter().copied().filter(|a| refs.contains(&(a + 8)) && refs.contains(&(a + 16))))
}

/// `runtime.mheap_.arenas` (runtime/mheap.go): the only variable that a look-up of a span reads whole.
pub(crate) fn arenas(image: &Image) -> Option<u64> {
    let in_function = |name| only(references(image, name)?.into_iter().filter(|a| is_bss(image, *a)));
    in_function("runtime.findObject").or_else(|| in_function("runtime.spanOf"))
}

/// `runtime.zerobase` (runtime/malloc.go): what a slice of empty elements that grows points to.
pub(crate) fn zero_base(image: &Image) -> Option<u64> {
    only(references(image, "runtime.growslice")?.into_iter().filter(|a| is_bss(image, *a)))
}

/// `runtime.zeroVal` (runtime/runtime.go): what the empty string and the nil slice in an interface point to; the only variable that
/// both conversions use.
pub(crate) fn zero_val(image: &Image) -> Option<u64> {
    let slices = references(image, "runtime.convTslice")?;
    let both = references(image, "runtime.convTstring")?.into_iter().filter(|a| slices.contains(a));
    only(both.filter(|a| is_bss(image, *a)))
}

/// `runtime.staticuint64s` (runtime/iface.go): small integers in an interface point into it. It holds 0, 1, 2, ...
pub(crate) fn small_ints(image: &Image) -> Option<u64> {
    let counts = |at: &u64| {
        let words = image.read_vec(*at, 256 * 8, 256 * 8).unwrap_or_default();
        words.len() == 256 * 8
            && words.as_chunks::<8>().0.iter().zip(0u64..).all(|(w, n)| u64::from_le_bytes(*w) == n)
    };
    only(references(image, "runtime.convT64")?.into_iter().filter(counts))
}

fn is_bss(image: &Image, addr: u64) -> bool {
    image.region(addr) == Some(image::Region::Bss)
}

fn only(mut found: impl Iterator<Item = u64>) -> Option<u64> {
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

/// What the code of a function refers to.
fn references(image: &Image, function: &str) -> Option<BTreeSet<u64>> {
    let functions = image.functions();
    let f = functions.by_name(function).into_iter().next()?;
    let code = code_of(image, &f)?;
    Some(match image.arch() {
        Arch::Amd64 => references_amd64(f.entry(), &code),
        Arch::Arm64 => references_arm64(f.entry(), &code),
    })
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
