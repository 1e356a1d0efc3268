//! `.debug_line`: which addresses begin a statement and where prologues end. Files and lines come from pclntab.
//!
//! Works without `.debug_info`: Go's compiler writes one sequence for each function, which begins with the function's
//! address, so that one pass over the bytes finds them all; a sequence is run when somebody asks for its function.
//! Code of other compilers is found by running the programs. Must never trust that anything is in address order.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use gimli::{DebugLine, DebugLineOffset, LittleEndian};
use rayon::prelude::*;

use super::{Bytes, Slice};
use crate::core::Static;
use crate::elf::{le_u32, le_u64};

/// More programs, or rows of one program, than this are a lie.
const MAX_PROGRAMS: usize = 1 << 20;
const MAX_ROWS: usize = 16 << 20;
/// DW_LNE_set_address as every 64-bit producer writes it: extended opcode, length 9, opcode 2; the address follows.
const SET_ADDRESS: [u8; 3] = [0, 9, 2];

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
    bytes: Slice,
    /// Where the programs are in the section, in order.
    programs: Vec<(Range<usize>, OnceLock<Option<Header>>)>,
    /// Address, offset behind DW_LNE_set_address; sorted.
    sequences: Vec<(u64, u32)>,
    /// All rows of programs in which sequences are not functions.
    others: OnceLock<Vec<LineFlag>>,
    /// Keeps what `section` borrows.
    _bytes: Bytes,
}

impl Lines {
    pub(crate) fn load(st: &Arc<Static>) -> Option<Lines> {
        let owner = Bytes::load(st, ".debug_line")?;
        let bytes = owner.slice();
        let section = DebugLine::new(bytes.slice(), LittleEndian);
        let mut programs = Vec::new();
        let mut at = 0usize;
        while let Some(len) = le_u32(bytes.slice(), at) {
            // 64-bit DWARF has never been seen from Go.
            if len >= 0xffff_fff0 || programs.len() >= MAX_PROGRAMS {
                break;
            }
            let end = at.checked_add(len as usize + 4)?;
            programs.push((at..end, OnceLock::new()));
            at = end;
        }
        let is_code =
            |a: u64| st.elf.segments.iter().any(|s| s.executable && a.wrapping_sub(s.addr) < s.mem_size);
        let mut sequences = Vec::new();
        for (i, w) in bytes.slice().windows(SET_ADDRESS.len()).enumerate() {
            if w == SET_ADDRESS
                && let Some(addr) = le_u64(bytes.slice(), i + SET_ADDRESS.len()).filter(|a| is_code(*a))
                && let Ok(after) = u32::try_from(i + SET_ADDRESS.len() + 8)
            {
                sequences.push((addr, after));
            }
        }
        sequences.sort_unstable();
        let others = OnceLock::new();
        (!programs.is_empty()).then_some(Lines { section, bytes, programs, sequences, others, _bytes: owner })
    }

    /// The rows of the function `entry..end`; None if the table does not know it.
    pub(crate) fn function(&self, entry: u64, end: u64) -> Option<Vec<LineFlag>> {
        let from = self.sequences.partition_point(|s| s.0 < entry);
        let exact = self.sequences.get(from..)?.iter().take_while(|s| s.0 == entry);
        for (_, at) in exact {
            if let Some(rows) = self.run_sequence(*at as usize, entry, end).filter(|r| !r.is_empty()) {
                return Some(rows);
            }
        }
        let others = self.others.get_or_init(|| self.run_all());
        let from = others.partition_point(|r| r.addr < entry);
        let to = others.partition_point(|r| r.addr < end);
        others.get(from..to).filter(|r| !r.is_empty()).map(<[_]>::to_vec)
    }

    /// Runs the sequence whose first instruction behind the address is at `at`; None if it is none.
    fn run_sequence(&self, at: usize, entry: u64, end: u64) -> Option<Vec<LineFlag>> {
        let i = self.programs.partition_point(|p| p.0.start <= at).checked_sub(1)?;
        let (range, header) = self.programs.get(i).filter(|p| at < p.0.end)?;
        let header = header.get_or_init(|| Header::read(&self.section, range.start)).as_ref()?;
        let code = self.bytes.slice().get(at..range.end)?;
        let mut machine = Machine {
            code,
            at: 0,
            quantum: header.quantum,
            base: header.base,
            range: header.range,
            is_stmt: header.is_stmt,
            addr: entry,
            prologue_end: false,
        };
        machine.rows(&header.lengths, end)
    }

    fn run_all(&self) -> Vec<LineFlag> {
        let mut rows: Vec<LineFlag> =
            self.programs.par_iter().flat_map_iter(|p| run(&self.section, p.0.start)).collect();
        rows.sort_by_key(|r| r.addr);
        rows
    }
}

/// What the state machine needs of a program's header.
struct Header {
    quantum: u64,
    base: u8,
    range: u8,
    is_stmt: bool,
    /// Operands of the standard opcodes.
    lengths: Vec<u8>,
}

impl Header {
    fn read(section: &DebugLine<Slice>, offset: usize) -> Option<Header> {
        let program = section.program(DebugLineOffset(offset), 8, None, None).ok()?;
        let h = program.header();
        Some(Header {
            quantum: u64::from(h.minimum_instruction_length()),
            base: h.opcode_base(),
            range: h.line_range(),
            is_stmt: h.default_is_stmt(),
            lengths: h.standard_opcode_lengths().slice().to_vec(),
        })
    }
}

/// The part of the line state machine that addresses and flags need (DWARF 5, 6.2.2).
struct Machine<'a> {
    code: &'a [u8],
    at: usize,
    quantum: u64,
    base: u8,
    range: u8,
    is_stmt: bool,
    addr: u64,
    prologue_end: bool,
}

impl Machine<'_> {
    fn byte(&mut self) -> Option<u8> {
        let b = *self.code.get(self.at)?;
        self.at += 1;
        Some(b)
    }

    fn leb(&mut self) -> Option<u64> {
        let mut v = 0u64;
        for shift in (0..64).step_by(7) {
            let b = self.byte()?;
            v |= u64::from(b & 0x7f) << shift;
            if b & 0x80 == 0 {
                return Some(v);
            }
        }
        None
    }

    fn push(&mut self, out: &mut Vec<LineFlag>) {
        let row = LineFlag { addr: self.addr, is_stmt: self.is_stmt, prologue_end: self.prologue_end };
        self.prologue_end = false;
        out.push(row);
    }

    fn advance(&mut self, n: u64) {
        self.addr = self.addr.wrapping_add(n.wrapping_mul(self.quantum));
    }

    /// The rows below `end`, up to the end of the sequence; None for bytes that are no sequence.
    fn rows(&mut self, lengths: &[u8], end: u64) -> Option<Vec<LineFlag>> {
        let mut out = Vec::new();
        if self.range == 0 || self.base == 0 {
            return None;
        }
        while out.len() < MAX_ROWS {
            let op = self.byte()?;
            if op >= self.base {
                self.advance(u64::from((op - self.base) / self.range));
                self.push(&mut out);
                continue;
            }
            match op {
                0 => {
                    let len = usize::try_from(self.leb()?).ok().filter(|n| *n > 0)?;
                    let next = self.at.checked_add(len)?;
                    match self.byte()? {
                        1 => break,
                        2 => self.addr = le_u64(self.code, self.at)?,
                        _ => {}
                    }
                    self.at = next;
                }
                1 => self.push(&mut out),
                2 => {
                    let n = self.leb()?;
                    self.advance(n);
                }
                6 => self.is_stmt = !self.is_stmt,
                8 => self.advance(u64::from((255 - self.base) / self.range)),
                9 => {
                    let n = le_u32(self.code, self.at)? & 0xffff;
                    self.at += 2;
                    self.addr = self.addr.wrapping_add(u64::from(n));
                }
                10 => self.prologue_end = true,
                other => {
                    for _ in 0..*lengths.get(usize::from(other) - 1)? {
                        self.leb()?;
                    }
                }
            }
        }
        out.retain(|r| r.addr < end);
        Some(out)
    }
}

fn run(section: &DebugLine<Slice>, offset: usize) -> Vec<LineFlag> {
    let mut out = Vec::new();
    let Ok(program) = section.program(DebugLineOffset(offset), 8, None, None) else { return out };
    let mut rows = program.rows();
    while let Ok(Some((_, row))) = rows.next_row() {
        if !row.end_sequence() {
            let (addr, is_stmt, prologue_end) = (row.address(), row.is_stmt(), row.prologue_end());
            out.push(LineFlag { addr, is_stmt, prologue_end });
        }
        if out.len() >= MAX_ROWS {
            break;
        }
    }
    out
}
