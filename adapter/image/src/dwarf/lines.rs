//! `.debug_line`: which addresses begin a statement and where prologues end. Files and lines come from pclntab.
//!
//! Works without `.debug_info`: the programs follow one another, and each begins at its unit's first function. A program
//! is run only when somebody asks for a function of its unit. Must never trust that programs are in address order.

use std::sync::{Arc, OnceLock};

use gimli::{DebugLine, DebugLineOffset, LittleEndian};
use rayon::prelude::*;

use super::{Bytes, Slice};
use crate::core::Static;
use crate::elf::le_u32;

/// More programs, or rows of one program, than this are a lie.
const MAX_PROGRAMS: usize = 1 << 20;
const MAX_ROWS: usize = 16 << 20;

/// One row of the table: link address and flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LineFlag {
    pub(crate) addr: u64,
    pub(crate) is_stmt: bool,
    pub(crate) prologue_end: bool,
}

/// The line programs of a file.
pub(crate) struct Lines {
    section: DebugLine<Slice>,
    /// First address, index in `programs`; sorted.
    starts: Vec<(u64, u32)>,
    programs: Vec<Program>,
    /// Keeps what `section` borrows.
    _bytes: Bytes,
}

struct Program {
    offset: usize,
    table: OnceLock<Table>,
}

/// What one program says, in address order.
#[derive(Default)]
struct Table {
    /// (start, end) of the sequences.
    sequences: Vec<(u64, u64)>,
    rows: Vec<LineFlag>,
}

impl Lines {
    pub(crate) fn load(st: &Arc<Static>) -> Option<Lines> {
        let bytes = Bytes::load(st, ".debug_line")?;
        let slice = bytes.slice();
        let section = DebugLine::new(slice.slice(), LittleEndian);
        let mut programs = Vec::new();
        let mut at = 0usize;
        while let Some(len) = le_u32(slice.slice(), at) {
            // 64-bit DWARF has never been seen from Go.
            if len >= 0xffff_fff0 || programs.len() >= MAX_PROGRAMS {
                break;
            }
            programs.push(Program { offset: at, table: OnceLock::new() });
            at = at.checked_add(len as usize + 4)?;
        }
        let first = |(i, p): (usize, &Program)| Some((first_address(&section, p.offset)?, i as u32));
        let mut starts: Vec<(u64, u32)> = programs.iter().enumerate().filter_map(first).collect();
        starts.sort_unstable();
        (!starts.is_empty()).then_some(Lines { section, starts, programs, _bytes: bytes })
    }

    /// The rows of the function `entry..end`; None if the table does not know it.
    pub(crate) fn function(&self, entry: u64, end: u64) -> Option<&[LineFlag]> {
        let likely =
            self.starts.partition_point(|s| s.0 < end).checked_sub(1).and_then(|i| self.starts.get(i));
        if let Some((_, i)) = likely
            && let Some(rows) = self.rows_of(*i as usize, entry, end)
        {
            return Some(rows);
        }
        // Not where the order says: read them all, once.
        self.programs.par_iter().for_each(|p| {
            p.table.get_or_init(|| run(&self.section, p.offset));
        });
        (0..self.programs.len()).find_map(|i| self.rows_of(i, entry, end))
    }

    fn rows_of(&self, program: usize, entry: u64, end: u64) -> Option<&[LineFlag]> {
        let p = self.programs.get(program)?;
        let table = p.table.get_or_init(|| run(&self.section, p.offset));
        let i = table.sequences.partition_point(|s| s.1 <= entry);
        // Wrappers may have their first row behind the entry.
        table.sequences.get(i).filter(|s| s.0 < end)?;
        let from = table.rows.partition_point(|r| r.addr < entry);
        let to = table.rows.partition_point(|r| r.addr < end);
        table.rows.get(from..to).filter(|r| !r.is_empty())
    }
}

fn first_address(section: &DebugLine<Slice>, offset: usize) -> Option<u64> {
    let program = section.program(DebugLineOffset(offset), 8, None, None).ok()?;
    let mut rows = program.rows();
    let (_, row) = rows.next_row().ok()??;
    Some(row.address())
}

fn run(section: &DebugLine<Slice>, offset: usize) -> Table {
    let mut table = Table::default();
    let Ok(program) = section.program(DebugLineOffset(offset), 8, None, None) else { return table };
    let mut rows = program.rows();
    let mut start = None;
    while let Ok(Some((_, row))) = rows.next_row() {
        let addr = row.address();
        if row.end_sequence() {
            if let Some(s) = start.take()
                && s < addr
            {
                table.sequences.push((s, addr));
            }
            continue;
        }
        start.get_or_insert(addr);
        table.rows.push(LineFlag { addr, is_stmt: row.is_stmt(), prologue_end: row.prologue_end() });
        if table.rows.len() >= MAX_ROWS {
            break;
        }
    }
    table.sequences.sort_unstable();
    // Stable: of several rows at one address the last one holds.
    table.rows.sort_by_key(|r| r.addr);
    table
}
