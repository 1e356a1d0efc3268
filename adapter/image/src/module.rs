//! `runtime.firstmoduledata` (runtime/symtab.go): where text, types and itabs are. Found by its section, by a scan for
//! the words that the linker put there, or by its symbol; so it is there in stripped and position-independent programs too.
//! All addresses here are link addresses. Must never accept words that contradict pclntab or the segments.

use std::ops::Range;

use crate::core::Static;
use crate::elf::{Elf, le_u64};
use crate::layout::table::Column;
use crate::pclntab::{Pclntab, TextSection};

const NAME: &str = "runtime.moduledata";
/// More text sections than this are a lie.
const MAX_TEXT_SECTIONS: u64 = 1024;
/// More static itabs than this are a lie.
const MAX_ITABS: u64 = 1 << 20;

/// The words of moduledata that a debugger needs.
#[derive(Clone, Debug)]
pub(crate) struct Module {
    pub(crate) addr: u64,
    pub(crate) text: u64,
    pub(crate) types: Range<u64>,
    pub(crate) gofunc: u64,
    pub(crate) sections: Vec<TextSection>,
    itabs: Itabs,
}

/// How the static itabs are listed.
#[derive(Clone, Debug)]
enum Itabs {
    /// A slice of pointers (up to Go 1.26): address, length.
    Links(u64, u64),
    /// The itabs themselves one after the other (since Go 1.27): address, bytes.
    Area(u64, u64),
}

impl Module {
    /// Finds moduledata; `column` says where its fields are.
    pub(crate) fn find(st: &Static, pcln: &Pclntab, column: Column) -> Option<Module> {
        let section = st.elf.section(".go.module").map(|s| s.addr);
        if let Some(m) = section.and_then(|a| Module::read(st, pcln, column, a)) {
            return Some(m);
        }
        if st.elf.is_pie {
            let hits = st.relocations().pointing_at(pcln.addr);
            if let Some(m) = hits.into_iter().take(256).find_map(|a| Module::read(st, pcln, column, a)) {
                return Some(m);
            }
        } else if let Some(m) = scan(st, pcln, column) {
            return Some(m);
        }
        st.symbol("runtime.firstmoduledata").and_then(|a| Module::read(st, pcln, column, a))
    }

    fn read(st: &Static, pcln: &Pclntab, column: Column, addr: u64) -> Option<Module> {
        // pcHeader, then the slice funcnametab: pointer, len, cap.
        let word = |off: u64| st.word(addr.checked_add(off)?);
        if word(0)? != pcln.addr
            || word(8)? != pcln.addr.wrapping_add(pcln.funcname)
            || word(16)? != word(24)?
        {
            return None;
        }
        let field = |name: &str| word(column.offset(NAME, name)?);
        let (text, etext) = (field("text")?, field("etext")?);
        let types = field("types")?..field("etypes")?;
        let is_code = st.elf.segment_at(text).is_some_and(|s| s.executable);
        if !is_code || etext < text || types.end < types.start || st.elf.segment_at(types.start).is_none() {
            return None;
        }
        let itabs = match (column.offset(NAME, "itablinks"), field("itaboffset")) {
            (None, Some(offset)) => Itabs::Area(types.start.checked_add(offset)?, field("itabsize")?),
            (Some(at), _) => Itabs::Links(word(at)?, word(at + 8)?),
            (None, None) => Itabs::Links(0, 0),
        };
        let sections = text_sections(st, addr, column);
        Some(Module { addr, text, types, gofunc: field("gofunc")?, sections, itabs })
    }

    /// Link addresses of the static itabs.
    pub(crate) fn itabs(&self, st: &Static) -> Vec<u64> {
        match self.itabs {
            Itabs::Links(ptr, len) => {
                (0..len.min(MAX_ITABS)).map_while(|i| st.word(ptr.checked_add(i * 8)?)).collect()
            }
            Itabs::Area(start, size) => self.itab_area(st, start, size),
        }
    }

    /// Walks the area by the size of each itab: 24 bytes and its methods (at least one word).
    fn itab_area(&self, st: &Static, start: u64, size: u64) -> Vec<u64> {
        let mut out = Vec::new();
        let end = start.saturating_add(size).min(self.types.end.max(start));
        let mut at = start;
        while at < end && (out.len() as u64) < MAX_ITABS {
            let Some(inter) = st.word(at) else { break };
            let methods = match st.word(at + 24) {
                None => break,
                Some(0) => 1,
                Some(_) => match st.word(inter.wrapping_add(64)) {
                    Some(n) if self.types.contains(&inter) && n < 1 << 16 => n.max(1),
                    _ => break,
                },
            };
            out.push(at);
            at += 24 + methods * 8;
        }
        out
    }
}

/// Looks for the first two words through the writable segments.
fn scan(st: &Static, pcln: &Pclntab, column: Column) -> Option<Module> {
    st.elf.segments.iter().filter(|s| s.writable).find_map(|s| {
        // In steps, so that a table near the beginning does not read the whole data segment.
        let step = 256 << 10;
        let mut from = 0;
        while from < s.file_size {
            let len = (s.file_size - from).min(step);
            let bytes = st.file.bytes(s.offset.checked_add(from)?, len)?;
            for (i, w) in bytes.chunks_exact(8).enumerate() {
                if le_u64(w, 0) == Some(pcln.addr)
                    && let Some(m) = Module::read(st, pcln, column, s.addr + from + i as u64 * 8)
                {
                    return Some(m);
                }
            }
            from += step;
        }
        None
    })
}

fn text_sections(st: &Static, addr: u64, column: Column) -> Vec<TextSection> {
    let read = || {
        let at = addr.checked_add(column.offset(NAME, "textsectmap")?)?;
        let (ptr, len) = (st.word(at)?, st.word(at + 8)?);
        // With one section the offsets count from moduledata.text.
        if !(2..=MAX_TEXT_SECTIONS).contains(&len) {
            return None;
        }
        let one = |i: u64| {
            let at = ptr.checked_add(i * 24)?;
            Some(TextSection { from: st.word(at)?, to: st.word(at + 8)?, addr: st.word(at + 16)? })
        };
        (0..len).map(one).collect::<Option<Vec<_>>>()
    };
    read().unwrap_or_default()
}

impl Elf {
    /// A link address that the program executes.
    pub(crate) fn is_text(&self, addr: u64) -> bool {
        self.segment_at(addr).is_some_and(|s| s.executable)
            && self.section_at(addr).is_none_or(|s| s.is_code())
    }
}
