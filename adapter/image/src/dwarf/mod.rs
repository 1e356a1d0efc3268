//! DWARF 4 and 5 through gimli: units at once (only their headers and root entries), everything else on demand.
//! Addresses and DIE offsets in here are those of the file. Must never panic or loop on garbage: gimli checks every read,
//! and every walk here is bounded.

pub(crate) mod cfi;
pub(crate) mod die;
mod globals;
pub(crate) mod lines;
mod locate;
pub(crate) mod scopes;
pub(crate) mod type_index;
pub(crate) mod types;
pub(crate) mod units;

use std::sync::{Arc, OnceLock, RwLock};

use gimli::{EndianSlice, LittleEndian, SectionId};
use rayon::prelude::*;
use rustc_hash::FxHashMap;

use crate::core::Static;
use units::Unit;

pub(crate) type Slice = EndianSlice<'static, LittleEndian>;
pub(crate) type Entry = gimli::DebuggingInformationEntry<Slice>;
pub(crate) type Value = gimli::AttributeValue<Slice>;

/// The sections that are loaded together on the first question.
const SECTIONS: [SectionId; 11] = [
    SectionId::DebugInfo,
    SectionId::DebugAbbrev,
    SectionId::DebugAddr,
    SectionId::DebugLoc,
    SectionId::DebugLocLists,
    SectionId::DebugRanges,
    SectionId::DebugRngLists,
    SectionId::DebugStr,
    SectionId::DebugLineStr,
    SectionId::DebugStrOffsets,
    SectionId::DebugTypes,
];

/// Section contents with an address that never moves.
pub(crate) struct Bytes {
    owned: Option<Vec<u8>>,
    /// Keeps the file behind borrowed bytes open.
    st: Arc<Static>,
    range: (u64, u64),
}

impl Bytes {
    pub(crate) fn load(st: &Arc<Static>, name: &str) -> Option<Bytes> {
        let s = st.elf.section(name)?;
        if s.is_zero() {
            return None;
        }
        let range = (s.offset, s.size);
        let owned = if s.is_compressed() { Some(st.elf.decompressed(&st.file, s)?) } else { None };
        Some(Bytes { owned, st: st.clone(), range })
    }

    /// The bytes, for as long as `self` is kept.
    pub(crate) fn slice(&self) -> Slice {
        let bytes = match &self.owned {
            Some(v) => v.as_slice(),
            None => self.st.file.bytes(self.range.0, self.range.1).unwrap_or(&[]),
        };
        // SAFETY: the bytes are the heap block of a Vec that is never changed, or filled pages of a mapping that `st`
        // keeps; neither moves or goes away before `self`. Every holder of the slice keeps `self` beside it and hands
        // out nothing that outlives it (strings and entries are copied or borrowed from the holder).
        let bytes: &'static [u8] = unsafe { std::slice::from_raw_parts(bytes.as_ptr(), bytes.len()) };
        EndianSlice::new(bytes, LittleEndian)
    }
}

/// The debug information of one program.
pub(crate) struct Dwarf {
    pub(crate) inner: gimli::Dwarf<Slice>,
    pub(crate) units: Vec<Unit>,
    /// (start, end, index in `units`) sorted by start, link addresses.
    ranges: Vec<(u64, u64, u32)>,
    pub(crate) types: OnceLock<type_index::TypeIndex>,
    /// By the offset of the function's DIE.
    pub(crate) scopes: RwLock<FxHashMap<u64, Arc<scopes::FunctionScopes>>>,
    /// Keeps what `inner` borrows; dropped last.
    _bytes: Vec<Bytes>,
}

impl Dwarf {
    /// Decompresses the sections in parallel and reads the units' root entries.
    pub(crate) fn load(st: &Arc<Static>) -> Option<Dwarf> {
        st.elf.section(SectionId::DebugInfo.name()).filter(|s| s.size > 0)?;
        let loaded: Vec<Option<Bytes>> = SECTIONS.par_iter().map(|id| Bytes::load(st, id.name())).collect();
        let empty = EndianSlice::new(&[][..], LittleEndian);
        let find = |id: SectionId| -> Result<Slice, gimli::Error> {
            let i = SECTIONS.iter().position(|s| *s == id);
            let bytes = i.and_then(|i| loaded.get(i)).and_then(Option::as_ref);
            Ok(bytes.map_or(empty, Bytes::slice))
        };
        let inner = gimli::Dwarf::load(find).ok()?;
        let units = units::read(&inner);
        if units.is_empty() {
            return None;
        }
        let mut ranges: Vec<(u64, u64, u32)> = Vec::new();
        for (i, u) in units.iter().enumerate() {
            ranges.extend(u.ranges.iter().map(|r| (r.start, r.end, i as u32)));
        }
        ranges.sort_unstable();
        let bytes = loaded.into_iter().flatten().collect();
        let (types, scopes) = (OnceLock::new(), RwLock::default());
        Some(Dwarf { inner, units, ranges, types, scopes, _bytes: bytes })
    }

    /// The unit whose code covers the link address.
    pub(crate) fn unit_at(&self, addr: u64) -> Option<&Unit> {
        let i = self.ranges.partition_point(|r| r.0 <= addr);
        // Ranges of different units don't overlap in a sane program; a few steps back cost nothing.
        let hit = self.ranges.get(i.saturating_sub(4)..i)?.iter().rev().find(|r| addr < r.1)?;
        self.units.get(hit.2 as usize)
    }

    /// The unit that contains the DIE at a section offset.
    pub(crate) fn unit_of(&self, offset: u64) -> Option<&Unit> {
        let i = self.units.partition_point(|u| u.start <= offset).checked_sub(1)?;
        self.units.get(i).filter(|u| offset < u.end)
    }

    /// The DIE at a section offset with its unit.
    pub(crate) fn entry(&self, offset: u64) -> Option<(&Unit, Entry)> {
        let unit = self.unit_of(offset)?;
        let local =
            gimli::DebugInfoOffset(usize::try_from(offset).ok()?).to_unit_offset(&unit.inner.header)?;
        Some((unit, unit.inner.entry(local).ok()?))
    }
}
