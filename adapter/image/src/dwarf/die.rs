//! Small readers of one DIE's attributes, and the index of what a unit declares at its top level.
//! Must never follow a reference out of the section.

use std::ops::Range;

use gimli::constants as dw;
use gimli::{DwAt, DwTag};

use super::units::Unit;
use super::{Dwarf, Entry, Slice, Value};

/// Go's own attributes (cmd/internal/dwarf/dwarf.go).
pub(crate) const GO_KIND: DwAt = DwAt(0x2900);
pub(crate) const GO_KEY: DwAt = DwAt(0x2901);
pub(crate) const GO_ELEM: DwAt = DwAt(0x2902);
pub(crate) const GO_EMBEDDED: DwAt = DwAt(0x2903);
pub(crate) const GO_RUNTIME_TYPE: DwAt = DwAt(0x2904);
pub(crate) const GO_DICT_INDEX: DwAt = DwAt(0x2906);
pub(crate) const GO_CLOSURE_OFFSET: DwAt = DwAt(0x2907);

/// More ranges of one DIE than this are a lie.
const MAX_RANGES: usize = 1 << 16;

pub(crate) fn string<'a>(
    dwarf: &gimli::Dwarf<Slice>,
    unit: &gimli::Unit<Slice>,
    v: Value,
) -> Option<&'a str> {
    std::str::from_utf8(dwarf.attr_string(unit, v).ok()?.slice()).ok()
}

/// DW_AT_name.
pub(crate) fn name<'a>(dwarf: &gimli::Dwarf<Slice>, unit: &gimli::Unit<Slice>, e: &Entry) -> Option<&'a str> {
    string(dwarf, unit, e.attr_value(dw::DW_AT_name)?)
}

pub(crate) fn number(e: &Entry, at: DwAt) -> Option<u64> {
    match e.attr_value(at)? {
        Value::Addr(a) => Some(a),
        Value::Flag(f) => Some(u64::from(f)),
        Value::FileIndex(i) => Some(i),
        v => v.udata_value().or_else(|| v.sdata_value().map(|s| s as u64)),
    }
}

pub(crate) fn flag(e: &Entry, at: DwAt) -> bool {
    number(e, at).is_some_and(|n| n != 0)
}

/// Section offset of the DIE that a reference names.
pub(crate) fn reference(unit: &gimli::Unit<Slice>, e: &Entry, at: DwAt) -> Option<u64> {
    match e.attr_value(at)? {
        Value::UnitRef(o) => Some(o.to_debug_info_offset(&unit.header)?.0 as u64),
        Value::DebugInfoRef(o) => Some(o.0 as u64),
        _ => None,
    }
}

/// Section offset of a DIE.
pub(crate) fn offset(unit: &gimli::Unit<Slice>, e: &Entry) -> Option<u64> {
    Some(e.offset.to_debug_info_offset(&unit.header)?.0 as u64)
}

/// The code that a DIE covers: low_pc/high_pc or ranges; empty when it has none.
pub(crate) fn ranges(dwarf: &gimli::Dwarf<Slice>, unit: &gimli::Unit<Slice>, e: &Entry) -> Vec<Range<u64>> {
    let mut out = Vec::new();
    let Ok(mut all) = dwarf.die_ranges(unit, e) else { return out };
    while let Ok(Some(r)) = all.next() {
        if r.begin < r.end {
            out.push(r.begin..r.end);
        }
        if out.len() >= MAX_RANGES {
            break;
        }
    }
    out
}

/// What a unit declares at its top level; built once, by one walk that skips the insides.
#[derive(Default)]
pub(crate) struct UnitIndex {
    /// Functions with code: (low, high, DIE), sorted.
    pub(crate) functions: Vec<(u64, u64, u64)>,
    /// Variables: name, DIE.
    pub(crate) globals: Vec<(&'static str, u64)>,
    /// Constants: name, DIE.
    pub(crate) constants: Vec<(&'static str, u64)>,
}

pub(crate) fn is_type(tag: DwTag) -> bool {
    matches!(
        tag,
        dw::DW_TAG_base_type
            | dw::DW_TAG_structure_type
            | dw::DW_TAG_typedef
            | dw::DW_TAG_pointer_type
            | dw::DW_TAG_array_type
            | dw::DW_TAG_subroutine_type
    )
}

impl Dwarf {
    pub(crate) fn unit_index<'a>(&'a self, unit: &'a Unit) -> &'a UnitIndex {
        unit.index.get_or_init(|| {
            let mut out = UnitIndex::default();
            self.top_level(unit, &mut |tag| !is_type(tag), &mut |e| self.add_to_index(unit, e, &mut out));
            out.functions.sort_unstable();
            out.globals.sort_unstable();
            out.constants.sort_unstable();
            out
        })
    }

    fn add_to_index(&self, unit: &Unit, e: &Entry, out: &mut UnitIndex) -> bool {
        let Some(at) = offset(&unit.inner, e) else { return true };
        match e.tag {
            dw::DW_TAG_subprogram => {
                for r in ranges(&self.inner, &unit.inner, e) {
                    out.functions.push((r.start, r.end, at));
                }
            }
            dw::DW_TAG_variable => out.globals.extend(name(&self.inner, &unit.inner, e).map(|n| (n, at))),
            dw::DW_TAG_constant => out.constants.extend(name(&self.inner, &unit.inner, e).map(|n| (n, at))),
            _ => {}
        }
        true
    }

    /// Visits the children of a unit's root whose tag is wanted, without reading what is inside them.
    /// The visitor returns false to stop.
    pub(crate) fn top_level(
        &self,
        unit: &Unit,
        wanted: &mut dyn FnMut(DwTag) -> bool,
        visit: &mut dyn FnMut(&Entry) -> bool,
    ) {
        let Ok(mut raw) = unit.inner.entries_raw(None) else { return };
        let mut entry = Entry::null();
        while !raw.is_empty() {
            let depth = raw.next_depth();
            let at = raw.next_offset();
            let abbrev = match raw.read_abbreviation() {
                Ok(Some(a)) => a,
                // The end of a list of children; that of the root's ends the unit.
                Ok(None) if raw.next_depth() > 0 => continue,
                _ => return,
            };
            if depth != 1 || !wanted(abbrev.tag()) {
                if raw.skip_attributes(abbrev.attributes()).is_err() {
                    return;
                }
                continue;
            }
            if raw.read_attributes(abbrev.attributes(), &mut entry.attrs).is_err() {
                return;
            }
            (entry.tag, entry.has_children) = (abbrev.tag(), abbrev.has_children());
            (entry.offset, entry.depth) = (at, depth);
            if !visit(&entry) {
                return;
            }
        }
    }
}
