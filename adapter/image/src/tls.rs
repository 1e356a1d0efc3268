//! Where a thread keeps its g: the offset from the thread pointer (runtime/sys_linux_amd64.s, runtime/tls_arm64.s).
//! Must never guess from the file's name or build settings: the segment, the symbol or the code decides.

use machine::Arch;

use crate::core::Static;

/// Byte offset of the g pointer from fs_base (amd64) or tpidr_el0 (arm64); `gogo` is the code of the runtime's function of
/// that name, which stores g.
pub(crate) fn g_offset(st: &Static, gogo: impl FnOnce() -> Vec<u8>) -> i64 {
    match st.elf.arch {
        Arch::Amd64 => amd64(st, gogo),
        Arch::Arm64 => arm64(st),
    }
}

/// The block of the executable lies directly below the thread pointer; `runtime.tlsg` is an offset in it.
fn amd64(st: &Static, gogo: impl FnOnce() -> Vec<u8>) -> i64 {
    // Without the segment runtime.settls points FS behind m.tls[0].
    let Some((size, align)) = st.elf.tls else { return -8 };
    let block = size.checked_next_multiple_of(align.max(1)).unwrap_or(size) as i64;
    match st.symbol("runtime.tlsg") {
        Some(offset) => (offset as i64).wrapping_sub(block),
        None => stored_at(&gogo()).unwrap_or(-block),
    }
}

/// The offset in `mov %reg, %fs:disp32`, or in `mov $imm32, %rcx; mov %reg, %fs:(%rcx)` of position-independent code.
fn stored_at(code: &[u8]) -> Option<i64> {
    let disp = |b: &[u8]| Some(i64::from(i32::from_le_bytes(b.try_into().ok()?)));
    let mut immediate = None;
    for i in 0..code.len() {
        match code.get(i..)? {
            [0x48, 0xc7, 0xc1, rest @ ..] => immediate = disp(rest.get(..4)?),
            [0x64, 0x48, 0x89, modrm, 0x25, rest @ ..] if modrm & 0xc7 == 0x04 => {
                return disp(rest.get(..4)?);
            }
            [0x64, 0x48, 0x89, modrm, ..] if modrm & 0xc7 == 0x01 => return immediate,
            _ => {}
        }
    }
    None
}

/// The word that `runtime.load_g` adds; 16 (behind the thread control block) where the linker resolved it.
fn arm64(st: &Static) -> i64 {
    let word = st.symbol("runtime.tls_g").and_then(|a| st.word(a)).unwrap_or(0);
    i64::try_from(word).ok().filter(|w| (1..1 << 20).contains(w)).unwrap_or(16)
}

#[cfg(test)]
mod tests {
    use super::stored_at;

    #[test]
    fn both_forms_of_the_store() {
        assert_eq!(stored_at(&[0x90, 0x64, 0x48, 0x89, 0x14, 0x25, 0x50, 0xff, 0xff, 0xff]), Some(-176));
        let pic = [0x48, 0xc7, 0xc1, 0xf8, 0xff, 0xff, 0xff, 0x64, 0x48, 0x89, 0x11];
        assert_eq!(stored_at(&pic), Some(-8));
        assert_eq!(stored_at(&[0x64, 0x48, 0x89, 0x14, 0x25]), None);
    }
}
