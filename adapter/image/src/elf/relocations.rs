//! Relative relocations of position-independent programs: which words of the data get `addend + bias` at load time.
//! Must never believe that the table is sorted or that it lies inside the file.

use super::file::LazyFile;
use super::{Elf, le_u64};
use object::elf;

use machine::Arch;

/// One R_*_RELATIVE: the word at link address `at` becomes `addend + bias`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Relative {
    pub(crate) at: u64,
    pub(crate) addend: u64,
}

/// All relative relocations, sorted by address.
pub(crate) struct Relocations(Vec<Relative>);

impl Relocations {
    pub(crate) fn read(elf: &Elf, file: &LazyFile) -> Relocations {
        let mut out = Vec::new();
        if elf.is_pie {
            for s in elf.sections.iter().filter(|s| s.is_loaded()) {
                match s.kind {
                    elf::SHT_RELA => read_rela(elf.arch, file.bytes(s.offset, s.size), &mut out),
                    elf::SHT_RELR => read_relr(elf, file, file.bytes(s.offset, s.size), &mut out),
                    _ => {}
                }
            }
            if elf.sections.is_empty() {
                read_dynamic(elf, file, &mut out);
            }
        }
        if !out.is_sorted_by_key(|r| r.at) {
            out.sort_by_key(|r| r.at);
        }
        Relocations(out)
    }

    /// Link addresses of the words that will point at `target`.
    pub(crate) fn pointing_at(&self, target: u64) -> Vec<u64> {
        self.0.iter().filter(|r| r.addend == target).map(|r| r.at).collect()
    }

    /// Those whose word overlaps `start..end`.
    pub(crate) fn overlapping(&self, start: u64, end: u64) -> &[Relative] {
        let from = self.0.partition_point(|r| r.at.saturating_add(8) <= start);
        let to = self.0.partition_point(|r| r.at < end);
        self.0.get(from..to.max(from)).unwrap_or(&[])
    }
}

fn read_rela(arch: Arch, bytes: Option<&[u8]>, out: &mut Vec<Relative>) {
    let relative = match arch {
        Arch::Amd64 => u64::from(elf::R_X86_64_RELATIVE.0),
        Arch::Arm64 => u64::from(elf::R_AARCH64_RELATIVE.0),
    };
    for entry in bytes.unwrap_or(&[]).chunks_exact(24) {
        let (Some(at), Some(info), Some(addend)) = (le_u64(entry, 0), le_u64(entry, 8), le_u64(entry, 16))
        else {
            return;
        };
        if info & 0xffff_ffff == relative {
            out.push(Relative { at, addend });
        }
    }
}

/// SHT_RELR: an address, then bitmaps of the 63 words that follow; the addends are the words themselves.
fn read_relr(elf: &Elf, file: &LazyFile, bytes: Option<&[u8]>, out: &mut Vec<Relative>) {
    let mut next = 0u64;
    let push = |at: u64, out: &mut Vec<Relative>| {
        let word = elf.file_offset(at).and_then(|(o, _)| file.bytes(o, 8)).and_then(|b| le_u64(b, 0));
        if let Some(addend) = word {
            out.push(Relative { at, addend });
        }
    };
    for entry in bytes.unwrap_or(&[]).chunks_exact(8) {
        let Some(word) = le_u64(entry, 0) else { return };
        if word & 1 == 0 {
            push(word, out);
            next = word.wrapping_add(8);
            continue;
        }
        for bit in 1..64 {
            if word >> bit & 1 == 1 {
                push(next.wrapping_add((bit - 1) * 8), out);
            }
        }
        next = next.wrapping_add(63 * 8);
    }
}

/// Without section headers: DT_RELA (7) and DT_RELASZ (8) of PT_DYNAMIC.
fn read_dynamic(elf: &Elf, file: &LazyFile, out: &mut Vec<Relative>) {
    let Some((offset, size)) = elf.dynamic else { return };
    let Some(bytes) = file.bytes(offset, size.min(1 << 16)) else { return };
    let tag = |wanted: u64| {
        bytes.chunks_exact(16).find(|e| le_u64(e, 0) == Some(wanted)).and_then(|e| le_u64(e, 8))
    };
    if let (Some(addr), Some(len)) = (tag(7), tag(8))
        && let Some((offset, left)) = elf.file_offset(addr)
    {
        read_rela(elf.arch, file.bytes(offset, len.min(left)), out);
    }
}
