//! The one table of layouts: offsets of runtime structures. DWARF of the runtime first, table by Go version second.
//! No other file may test the Go version.

/// `go1.26.6` -> 1, 26, 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoVersion {
    pub major: u16,
    pub minor: u16,
    pub patch: u16,
}

/// Where the fields of runtime structures are in one program.
pub struct Layout {
    version: GoVersion,
}

impl Layout {
    /// Byte offset of `field` (dotted for nested: `sched.pc`) in `runtime.g`, `runtime.m`, `runtime.hchan`, ... None: the version has no such field.
    pub fn offset(&self, _strukt: &str, _field: &str) -> Option<u64> {
        None
    }
    pub fn size(&self, _strukt: &str) -> Option<u64> {
        None
    }
    pub fn version(&self) -> GoVersion {
        self.version
    }
    pub fn swiss_maps(&self) -> bool {
        self.version.minor >= 24
    }
    pub fn wrapper_func_id(&self) -> u8 {
        match self.version.minor {
            ..=21 => 21,
            22..=24 => 22,
            _ => 23,
        }
    }
    /// waitReasonStrings[i], when it can't be read from the process.
    pub fn wait_reason(&self, _i: u8) -> Option<&'static str> {
        None
    }
}
