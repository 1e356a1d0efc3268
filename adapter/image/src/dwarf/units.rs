//! Compile units: what their root entries say. Must never read past the root.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use gimli::constants as dw;
use rustc_hash::FxHashMap;

use super::die::{self, UnitIndex};
use super::{Slice, Value};

/// More units than this are a lie.
const MAX_UNITS: usize = 1 << 20;
const DW_LANG_GO: u64 = 22;

/// One compile unit.
pub(crate) struct Unit {
    pub(crate) inner: gimli::Unit<Slice>,
    /// Section offsets of the unit.
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// Import path; of C units the file.
    pub(crate) name: String,
    pub(crate) is_go: bool,
    /// Compiled without `-N`.
    pub(crate) optimised: bool,
    pub(crate) ranges: Vec<Range<u64>>,
    pub(crate) index: OnceLock<UnitIndex>,
}

pub(crate) fn read(dwarf: &gimli::Dwarf<Slice>) -> Vec<Unit> {
    let mut out = Vec::new();
    // Go's units share one table of abbreviations.
    let mut abbreviations = FxHashMap::default();
    let mut headers = dwarf.units();
    while let Ok(Some(header)) = headers.next() {
        let key = header.debug_abbrev_offset();
        let table = match abbreviations.get(&key) {
            Some(t) => Arc::clone(t),
            None => {
                let Ok(t) = dwarf.abbreviations(&header) else { continue };
                abbreviations.insert(key, t.clone());
                t
            }
        };
        if let Some(u) = read_unit(dwarf, header, table) {
            out.push(u);
        }
        if out.len() >= MAX_UNITS {
            break;
        }
    }
    out
}

fn read_unit(
    dwarf: &gimli::Dwarf<Slice>,
    header: gimli::UnitHeader<Slice>,
    abbreviations: Arc<gimli::Abbreviations>,
) -> Option<Unit> {
    let start = header.debug_info_offset()?.0 as u64;
    let end = start.checked_add(header.length_including_self() as u64)?;
    let encoding = header.encoding();
    let file_type = gimli::DwarfFileType::Main;
    // Built by hand: gimli's constructor would parse the header of the line program too.
    let mut inner = gimli::Unit {
        abbreviations,
        name: None,
        comp_dir: None,
        low_pc: 0,
        str_offsets_base: gimli::DebugStrOffsetsBase::default_for_encoding_and_file(encoding, file_type),
        addr_base: gimli::DebugAddrBase(0),
        loclists_base: gimli::DebugLocListsBase::default_for_encoding_and_file(encoding, file_type),
        rnglists_base: gimli::DebugRngListsBase::default_for_encoding_and_file(encoding, file_type),
        line_program: None,
        dwo_id: None,
        header,
    };
    let root = inner.header.entry(&inner.abbreviations, inner.header.root_offset()).ok()?;
    for attr in root.attrs() {
        match attr.value() {
            Value::DebugAddrBase(b) => inner.addr_base = b,
            Value::DebugLocListsBase(b) => inner.loclists_base = b,
            Value::DebugRngListsBase(b) => inner.rnglists_base = b,
            Value::DebugStrOffsetsBase(b) => inner.str_offsets_base = b,
            _ => {}
        }
    }
    if let Some(low) = root.attr_value(dw::DW_AT_low_pc) {
        inner.low_pc = dwarf.attr_address(&inner, low).ok().flatten().unwrap_or(0);
    }
    let text = |at| root.attr_value(at).and_then(|v| die::string(dwarf, &inner, v));
    let language = match root.attr_value(dw::DW_AT_language) {
        Some(Value::Language(l)) => u64::from(l.0),
        other => other.and_then(|v| v.udata_value()).unwrap_or(0),
    };
    let producer = text(dw::DW_AT_producer).unwrap_or("");
    let is_go = language == DW_LANG_GO || producer.starts_with("Go cmd/compile");
    Some(Unit {
        start,
        end,
        name: text(dw::DW_AT_name).unwrap_or("").to_string(),
        is_go,
        optimised: !producer.split([' ', ';']).any(|flag| flag == "-N"),
        ranges: die::ranges(dwarf, &inner, &root),
        index: OnceLock::new(),
        inner,
    })
}
