//! pclntab as the linker wrote it (runtime/symtab.go, internal/abi/symtab.go; Go 1.21 and newer): header, functab, `_func`,
//! pcvalue tables, file tables, inline trees. All addresses here are link addresses.
//! Must never trust an offset: every read is bounded by the table, every walk by the function.

use crate::elf::file::LazyFile;
use crate::elf::{Elf, le_u32, le_u64};
use crate::pcvalue::Runs;

/// Go 1.20 and newer; older magics belong to versions that are refused before.
const MAGIC: u32 = 0xffff_fff1;
const HEADER: u64 = 72;
const FUNC: u64 = 44;
/// Longest symbol or file name believed.
const MAX_NAME: u64 = 1 << 16;
/// More functions than this are a lie (the largest known program has 1.5 million).
const MAX_FUNCS: u64 = 16 << 20;
/// Deepest inlining believed; the compiler's budget allows far less.
const MAX_INLINE: usize = 64;

pub(crate) const PCDATA_INL_TREE: u32 = 2;
pub(crate) const FUNCDATA_INL_TREE: usize = 3;
const NONE: u32 = u32::MAX;

/// One text section of a program that the linker split (moduledata.textsectmap): offsets `from..to` lie at `addr`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TextSection {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) addr: u64,
}

/// The header's facts, and what moduledata adds.
#[derive(Clone, Debug)]
pub(crate) struct Pclntab {
    /// Where it is in the file, and how many bytes may belong to it.
    offset: u64,
    size: u64,
    /// Link address of the header.
    pub(crate) addr: u64,
    quantum: u64,
    pub(crate) nfunc: u32,
    pub(crate) funcname: u64,
    cu: u64,
    files: u64,
    pctab: u64,
    pcln: u64,
    /// Base of all entry offsets.
    pub(crate) text: u64,
    /// textStart of the header; 0 since Go 1.26.
    pub(crate) header_text: u64,
    pub(crate) sections: Vec<TextSection>,
    /// Base of FUNCDATA offsets; 0 if moduledata was not found.
    pub(crate) gofunc: u64,
}

/// One `_func`, copied out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawFunc {
    pub(crate) entry: u64,
    pub(crate) end: u64,
    pub(crate) name: u32,
    pub(crate) args: u32,
    pub(crate) deferreturn: u32,
    pub(crate) pcsp: u32,
    pub(crate) pcfile: u32,
    pub(crate) pcln: u32,
    npcdata: u32,
    pub(crate) cu: u32,
    pub(crate) start_line: u32,
    pub(crate) func_id: u8,
    pub(crate) flag: u8,
    nfuncdata: u8,
    /// Offset of the `_func` from the header.
    at: u64,
}

/// One inlined call (runtime/symtabinl.go).
#[derive(Clone, Copy, Debug)]
pub(crate) struct InlinedCall {
    pub(crate) func_id: u8,
    pub(crate) name: u32,
    pub(crate) parent_pc: u32,
    pub(crate) start_line: u32,
}

impl Pclntab {
    /// Finds and checks the header: by section name, else by a scan of what the file maps read-only.
    pub(crate) fn find(elf: &Elf, file: &LazyFile) -> Option<Pclntab> {
        for name in [".gopclntab", ".data.rel.ro.gopclntab"] {
            if let Some(s) = elf.section(name)
                && let Some(t) = Pclntab::parse(file, s.offset, s.size, s.addr)
            {
                return Some(t);
            }
        }
        elf.segments.iter().filter(|s| !s.executable).find_map(|s| {
            let bytes = file.bytes(s.offset, s.file_size)?;
            let hits = bytes.chunks_exact(8).enumerate().filter(|(_, c)| {
                le_u32(c, 0) == Some(MAGIC) && matches!(c.get(4..8), Some([0, 0, 1 | 4, 8]))
            });
            hits.take(64).find_map(|(i, _)| {
                let at = i as u64 * 8;
                Pclntab::parse(file, s.offset + at, s.file_size - at, s.addr + at)
            })
        })
    }

    fn parse(file: &LazyFile, offset: u64, size: u64, addr: u64) -> Option<Pclntab> {
        let h = file.bytes(offset, HEADER.min(size))?;
        if le_u32(h, 0)? != MAGIC || h.get(4..6)? != [0, 0] || *h.get(7)? != 8 {
            return None;
        }
        let word = |at: usize| le_u64(h, at);
        let nfunc = word(8)?;
        let t = Pclntab {
            offset,
            size,
            addr,
            quantum: u64::from(*h.get(6)?),
            nfunc: u32::try_from(nfunc).ok()?,
            header_text: word(24)?,
            text: word(24)?,
            funcname: word(32)?,
            cu: word(40)?,
            files: word(48)?,
            pctab: word(56)?,
            pcln: word(64)?,
            sections: Vec::new(),
            gofunc: 0,
        };
        let offsets_fit = [t.funcname, t.cu, t.files, t.pctab, t.pcln].iter().all(|o| *o < size);
        let functab_fits = t.pcln.checked_add(nfunc * 8 + 4).is_some_and(|end| end <= size);
        let plausible =
            matches!(t.quantum, 1 | 4) && nfunc > 0 && nfunc < MAX_FUNCS && offsets_fit && functab_fits;
        (plausible && t.functab(file, 0)?.0 == 0).then_some(t)
    }

    fn bytes<'a>(&self, file: &'a LazyFile, at: u64, len: u64) -> Option<&'a [u8]> {
        if at.checked_add(len)? > self.size {
            return None;
        }
        file.bytes(self.offset.checked_add(at)?, len)
    }

    /// Entry offset and `_func` offset number `i`; `i == nfunc` gives the end of text.
    fn functab(&self, file: &LazyFile, i: u32) -> Option<(u32, u32)> {
        let at = self.pcln.checked_add(u64::from(i) * 8)?;
        let entry = le_u32(self.bytes(file, at, 4)?, 0)?;
        let func = if i < self.nfunc { le_u32(self.bytes(file, at + 4, 4)?, 0)? } else { 0 };
        Some((entry, func))
    }

    /// Address of a text offset (runtime.moduledata.textAddr).
    pub(crate) fn text_addr(&self, off: u32) -> u64 {
        let off = u64::from(off);
        for s in &self.sections {
            if off >= s.from && off < s.to
                || off == s.to && self.sections.last().is_some_and(|l| l.from == s.from)
            {
                return s.addr.wrapping_add(off - s.from);
            }
        }
        self.text.wrapping_add(off)
    }

    /// Text offset of an address (runtime.moduledata.textOff).
    fn text_offset(&self, addr: u64) -> Option<u32> {
        for s in &self.sections {
            if let Some(o) = addr.checked_sub(s.addr)
                && o < s.to.saturating_sub(s.from)
            {
                return u32::try_from(s.from + o).ok();
            }
        }
        if !self.sections.is_empty() {
            return None;
        }
        u32::try_from(addr.checked_sub(self.text)?).ok()
    }

    /// Index of the function that covers the link address.
    pub(crate) fn index_at(&self, file: &LazyFile, addr: u64) -> Option<u32> {
        let off = self.text_offset(addr)?;
        let (mut lo, mut hi) = (0, self.nfunc);
        while lo < hi {
            let mid = lo + (hi - lo) / 2;
            if self.functab(file, mid)?.0 <= off {
                lo = mid + 1;
            } else {
                hi = mid;
            }
        }
        let i = lo.checked_sub(1)?;
        (off < self.functab(file, i + 1)?.0).then_some(i)
    }

    pub(crate) fn func(&self, file: &LazyFile, i: u32) -> Option<RawFunc> {
        if i >= self.nfunc {
            return None;
        }
        let (entry, func) = self.functab(file, i)?;
        let (next, _) = self.functab(file, i + 1)?;
        let at = self.pcln.checked_add(u64::from(func))?;
        let b = self.bytes(file, at, FUNC)?;
        let word = |n: usize| le_u32(b, n * 4);
        let [func_id, flag, _, nfuncdata] = *b.get(40..44)? else { return None };
        let entry = self.text_addr(entry);
        // The next function may begin another text section; then the address runs on, and the gap belongs to nobody.
        let end = self.text_addr(next).max(entry);
        Some(RawFunc {
            entry,
            end,
            name: word(1)?,
            args: word(2)?,
            deferreturn: word(3)?,
            pcsp: word(4)?,
            pcfile: word(5)?,
            pcln: word(6)?,
            npcdata: word(7)?,
            cu: word(8)?,
            start_line: word(9)?,
            func_id,
            flag,
            nfuncdata,
            at,
        })
    }

    /// Name offset and CU offset of function `i` without the rest.
    pub(crate) fn name_and_cu(&self, file: &LazyFile, i: u32) -> Option<(u32, u32)> {
        let at = self.pcln.checked_add(u64::from(self.functab(file, i)?.1))?;
        let b = self.bytes(file, at, FUNC)?;
        Some((le_u32(b, 4)?, le_u32(b, 32)?))
    }

    fn string<'a>(&self, file: &'a LazyFile, from: u64, to: u64) -> Option<&'a str> {
        use object::read::ReadRef;
        let to = to.min(self.size).min(from.saturating_add(MAX_NAME));
        let range = self.offset.checked_add(from)?..self.offset.checked_add(to)?;
        if range.is_empty() {
            return None;
        }
        std::str::from_utf8(file.read_bytes_at_until(range, 0).ok()?).ok()
    }

    /// A function name by its offset in the name table.
    pub(crate) fn name<'a>(&self, file: &'a LazyFile, off: u32) -> Option<&'a str> {
        self.string(file, self.funcname.checked_add(u64::from(off))?, self.cu.max(self.funcname))
    }

    /// Offset in the file table of file number `index` of the compile unit.
    pub(crate) fn file_offset(&self, file: &LazyFile, cu: u32, index: i32) -> Option<u32> {
        if cu == NONE {
            return None;
        }
        let n = u64::from(cu).checked_add(u64::try_from(index).ok()?)?;
        let at = self.cu.checked_add(n.checked_mul(4)?)?;
        if at >= self.files {
            return None;
        }
        le_u32(self.bytes(file, at, 4)?, 0).filter(|o| *o != NONE)
    }

    /// A file name by its offset in the file table.
    pub(crate) fn file_name<'a>(&self, file: &'a LazyFile, off: u32) -> Option<&'a str> {
        self.string(file, self.files.checked_add(u64::from(off))?, self.pctab)
    }

    /// All file names with their offsets.
    pub(crate) fn all_files<'a>(&self, file: &'a LazyFile) -> Vec<(u32, &'a str)> {
        let len = self.pctab.saturating_sub(self.files).min(u64::from(u32::MAX));
        let bytes = self.bytes(file, self.files, len).unwrap_or(&[]);
        let mut at = 0u32;
        let mut out = Vec::new();
        for name in bytes.split(|b| *b == 0) {
            if let Ok(s) = std::str::from_utf8(name)
                && !s.is_empty()
            {
                out.push((at, s));
            }
            at = at.saturating_add(name.len() as u32 + 1);
        }
        out
    }

    /// The compile-unit file table, number by number (u32 offsets; all units one after the other).
    pub(crate) fn cu_table<'a>(&self, file: &'a LazyFile) -> &'a [u8] {
        self.bytes(file, self.cu, self.files.saturating_sub(self.cu)).unwrap_or(&[])
    }

    /// The runs of one pcvalue table of a function (runtime.pcvalue), in address order.
    pub(crate) fn runs<'a>(&self, file: &'a LazyFile, f: &RawFunc, table: u32) -> Runs<'a> {
        let from = self.pctab.saturating_add(u64::from(table));
        let end = if table == 0 || table == NONE { from } else { self.pcln.min(self.size) };
        let span = self.offset.saturating_add(from)..self.offset.saturating_add(end);
        Runs::new(file, span, f.entry..f.end, self.quantum)
    }

    /// The value at a link address.
    pub(crate) fn value(&self, file: &LazyFile, f: &RawFunc, table: u32, pc: u64) -> Option<i32> {
        self.runs(file, f, table).find(|r| pc < r.end).filter(|r| pc >= r.start).map(|r| r.value)
    }

    /// Offset of PCDATA table `index`; 0 if the function has none.
    pub(crate) fn pcdata(&self, file: &LazyFile, f: &RawFunc, index: u32) -> u32 {
        if index >= f.npcdata {
            return 0;
        }
        let at = f.at + FUNC + u64::from(index) * 4;
        self.bytes(file, at, 4).and_then(|b| le_u32(b, 0)).unwrap_or(0)
    }

    /// Link address of FUNCDATA `index`.
    pub(crate) fn funcdata(&self, file: &LazyFile, f: &RawFunc, index: usize) -> Option<u64> {
        if index >= usize::from(f.nfuncdata) || self.gofunc == 0 {
            return None;
        }
        let at = f.at + FUNC + u64::from(f.npcdata) * 4 + index as u64 * 4;
        let off = le_u32(self.bytes(file, at, 4)?, 0)?;
        (off != NONE).then(|| self.gofunc.wrapping_add(u64::from(off)))
    }

    /// Entry number `index` of an inline tree at link address `tree`.
    pub(crate) fn inlined_call(
        &self,
        elf: &Elf,
        file: &LazyFile,
        tree: u64,
        index: i32,
    ) -> Option<InlinedCall> {
        let at = tree.checked_add(u64::try_from(index).ok()?.checked_mul(16)?)?;
        let (offset, left) = elf.file_offset(at)?;
        let b = file.bytes(offset, 16.min(left))?;
        Some(InlinedCall {
            func_id: *b.first()?,
            name: le_u32(b, 4)?,
            parent_pc: le_u32(b, 8)?,
            start_line: le_u32(b, 12)?,
        })
    }

    /// The inlined calls at a link address, innermost first: index in the tree, the call, the pc within its frame.
    /// The pc of the physical frame comes last, without a call.
    pub(crate) fn inline_chain(
        &self,
        elf: &Elf,
        file: &LazyFile,
        f: &RawFunc,
        pc: u64,
    ) -> (Vec<(i32, InlinedCall, u64)>, u64) {
        let mut chain = Vec::new();
        let mut pc = pc;
        let Some(tree) = self.funcdata(file, f, FUNCDATA_INL_TREE) else { return (chain, pc) };
        let table = self.pcdata(file, f, PCDATA_INL_TREE);
        while chain.len() < MAX_INLINE {
            let Some(index) = self.value(file, f, table, pc).filter(|i| *i >= 0) else { break };
            let Some(call) = self.inlined_call(elf, file, tree, index) else { break };
            chain.push((index, call, pc));
            let parent = f.entry.wrapping_add(u64::from(call.parent_pc));
            if !(f.entry..f.end).contains(&parent) {
                break;
            }
            pc = parent;
        }
        (chain, pc)
    }
}
