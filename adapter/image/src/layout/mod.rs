//! The one table of layouts: offsets of runtime structures. No other file may test the Go version.
//!
//! A released version of Go is looked up in the table, which tests check against DWARF, so that the first stop needs no
//! debug information. What the table does not have (another version, an experiment, another structure) comes from the
//! DWARF of the runtime.

pub(crate) mod table;

use std::sync::Arc;

use crate::core::Core;
use table::Column;

/// `go1.26.6` -> 1, 26, 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoVersion {
    pub major: u16,
    pub minor: u16,
    pub patch: u16,
}

impl std::fmt::Display for GoVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "go{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// The newest version that the table knows.
const NEWEST: u16 = 27;

/// Where the fields of runtime structures are in one program.
pub struct Layout {
    core: Arc<Core>,
    column: Column,
    /// The version is a release in the table without experiments.
    exact: bool,
}

impl Layout {
    pub(crate) fn new(core: Arc<Core>) -> Layout {
        let text = &core.build_info.go_version;
        let released = text.starts_with("go") && !text.contains(" X:") && !text.contains("rc");
        let exact = released && core.version.minor <= NEWEST;
        Layout { column: Column::of(core.version), exact, core }
    }

    /// Byte offset of `field` (dotted for nested: `sched.pc`) in `runtime.g`, `runtime.m`, `runtime.hchan`, ...
    /// None: the version has no such field.
    pub fn offset(&self, strukt: &str, field: &str) -> Option<u64> {
        if self.exact && self.column.size(strukt).is_some() {
            return self.column.offset(strukt, field).or_else(|| self.in_dwarf(strukt, field));
        }
        self.in_dwarf(strukt, field).or_else(|| self.column.offset(strukt, field))
    }

    pub fn size(&self, strukt: &str) -> Option<u64> {
        let table = self.column.size(strukt);
        if self.exact && table.is_some() {
            return table;
        }
        let dwarf = || {
            let d = self.core.dwarf()?;
            d.struct_size(d.find_type(strukt)?)
        };
        dwarf().or(table)
    }

    fn in_dwarf(&self, strukt: &str, field: &str) -> Option<u64> {
        let d = self.core.dwarf()?;
        d.field_offset(d.find_type(strukt)?, field)
    }

    /// Every row of the table that this version has, with what the program's own DWARF says: structure, field, table, DWARF.
    /// For the test that keeps the table honest.
    pub fn compare_with_dwarf(&self) -> Vec<(&'static str, &'static str, Option<u64>, Option<u64>)> {
        let rows = table::all_fields().into_iter();
        rows.map(|(s, f)| (s, f, self.column.offset(s, f), self.in_dwarf(s, f))).collect()
    }

    pub fn version(&self) -> GoVersion {
        self.core.version
    }

    /// Maps are Swiss tables (Go 1.24 and newer, unless the experiment was turned off).
    pub fn swiss_maps(&self) -> bool {
        self.core.version.minor >= 24 && !self.core.build_info.go_version.contains("noswissmap")
    }

    /// abi.FuncIDWrapper.
    pub fn wrapper_func_id(&self) -> u8 {
        wrapper_func_id(self.core.version)
    }

    /// waitReasonStrings\[i\], when it can't be read from the process.
    pub fn wait_reason(&self, i: u8) -> Option<&'static str> {
        self.column.wait_reason(i)
    }
}

pub(crate) fn wrapper_func_id(v: GoVersion) -> u8 {
    match v.minor {
        ..=21 => 21,
        22..=24 => 22,
        _ => 23,
    }
}

/// Where an abi.Type says that interfaces hold its values themselves: byte offset, mask.
pub(crate) fn direct_iface_bit(v: GoVersion) -> (u64, u8) {
    if v.minor >= 26 { (20, 0x20) } else { (23, 0x20) }
}
