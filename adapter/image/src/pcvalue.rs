//! pcvalue tables (runtime.pcvalue, cmd/link/internal/ld/pcln.go): pairs of zig-zag value delta and pc delta.
//! Must never run past the function or the table.

use std::ops::Range;

use crate::elf::file::LazyFile;

/// More runs in one function's table than this are a lie.
const MAX_RUNS: usize = 1 << 20;

/// A run of one value in a pcvalue table, link addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) value: i32,
}

/// Decoder of one pcvalue table: pairs of zig-zag value delta and pc delta.
pub(crate) struct Runs<'a> {
    file: &'a LazyFile,
    at: u64,
    end: u64,
    window: &'a [u8],
    pc: u64,
    limit: u64,
    quantum: u64,
    value: i32,
    count: usize,
}

impl<'a> Runs<'a> {
    /// The table at `span` of the file, of a function whose code is `code`.
    pub(crate) fn new(file: &'a LazyFile, span: Range<u64>, code: Range<u64>, quantum: u64) -> Runs<'a> {
        let (pc, limit) = (code.start, code.end);
        Runs { file, at: span.start, end: span.end, window: &[], pc, limit, quantum, value: -1, count: 0 }
    }

    fn byte(&mut self) -> Option<u8> {
        if self.window.is_empty() {
            let len = 512.min(self.end.checked_sub(self.at)?);
            self.window = self.file.bytes(self.at, len)?;
            self.at += len;
        }
        let (b, rest) = self.window.split_first()?;
        self.window = rest;
        Some(*b)
    }

    fn varint(&mut self) -> Option<u32> {
        let mut v = 0u32;
        for shift in (0..35).step_by(7) {
            let b = self.byte()?;
            v |= u32::from(b & 0x7f).checked_shl(shift).unwrap_or(0);
            if b & 0x80 == 0 {
                return Some(v);
            }
        }
        None
    }
}

impl Iterator for Runs<'_> {
    type Item = Run;

    fn next(&mut self) -> Option<Run> {
        if self.pc >= self.limit || self.count >= MAX_RUNS {
            return None;
        }
        let delta = self.varint()?;
        if delta == 0 && self.count > 0 {
            return None;
        }
        let signed = (delta >> 1) as i32 ^ -((delta & 1) as i32);
        self.value = self.value.wrapping_add(signed);
        let advance = u64::from(self.varint()?) * self.quantum;
        let start = self.pc;
        self.pc = self.pc.saturating_add(advance);
        self.count += 1;
        Some(Run { start, end: self.pc.min(self.limit), value: self.value })
    }
}
