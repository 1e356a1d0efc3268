//! The table of layouts itself, for programs without DWARF of the runtime: read from two text files that a person can check.

use std::sync::OnceLock;

use rustc_hash::FxHashMap;

use super::GoVersion;

const TABLE: &str = include_str!("table.txt");
const WAIT_REASONS: &str = include_str!("wait_reasons.txt");
/// The first and the last minor version of the table.
const FIRST: u16 = 21;
const LAST: u16 = 27;

/// A column of the table: one minor version of Go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Column(usize);

/// Size or offset in each version.
type Row = [Option<u32>; (LAST - FIRST + 1) as usize];

struct Table {
    sizes: FxHashMap<&'static str, Row>,
    /// Structure, field -> type, offsets.
    fields: FxHashMap<(&'static str, &'static str), (&'static str, Row)>,
}

fn row(text: &str) -> Row {
    let mut out = [None; (LAST - FIRST + 1) as usize];
    for (slot, word) in out.iter_mut().zip(text.split_whitespace()) {
        *slot = word.parse().ok();
    }
    out
}

fn table() -> &'static Table {
    static T: OnceLock<Table> = OnceLock::new();
    T.get_or_init(|| {
        let mut t = Table { sizes: FxHashMap::default(), fields: FxHashMap::default() };
        let mut name = "";
        for line in TABLE.lines().filter(|l| !l.starts_with('#')) {
            let Some((left, right)) = line.split_once(" = ") else { continue };
            match left.trim_start().split_once(' ') {
                Some((field, ty)) => {
                    t.fields.insert((name, field), (ty, row(right)));
                }
                None => {
                    name = left;
                    t.sizes.insert(name, row(right));
                }
            }
        }
        t
    })
}

/// The name in the table of a structure that moved between packages.
fn canonical(strukt: &str) -> &str {
    match strukt {
        "runtime._type" => "internal/abi.Type",
        "runtime.itab" => "internal/abi.ITab",
        "runtime.maptype" | "internal/abi.SwissMapType" | "internal/abi.OldMapType" => "internal/abi.MapType",
        other => other,
    }
}

impl Column {
    /// The column of a version; a version newer than the table gets the last one.
    pub(crate) fn of(v: GoVersion) -> Column {
        Column(usize::from(v.minor.clamp(FIRST, LAST) - FIRST))
    }

    /// Offset of a field; dots descend into the structure that a field is.
    pub(crate) fn offset(self, strukt: &str, field: &str) -> Option<u64> {
        let (head, rest) = field.split_once('.').unwrap_or((field, ""));
        let (ty, row) = table().fields.get(&(canonical(strukt), head))?;
        let here = u64::from((*row.get(self.0)?)?);
        if rest.is_empty() { Some(here) } else { here.checked_add(self.offset(ty, rest)?) }
    }

    pub(crate) fn size(self, strukt: &str) -> Option<u64> {
        (*table().sizes.get(canonical(strukt))?.get(self.0)?).map(u64::from)
    }

    pub(crate) fn wait_reason(self, i: u8) -> Option<&'static str> {
        let minor = (FIRST as usize + self.0).min(26);
        let header = format!("[1.{minor}]");
        let of_version = WAIT_REASONS.lines().skip_while(|l| *l != header).skip(1);
        of_version.take_while(|l| !l.starts_with('[')).nth(usize::from(i.checked_sub(1)?))
    }
}

/// Every structure and field of the table.
pub(crate) fn all_fields() -> Vec<(&'static str, &'static str)> {
    let mut all: Vec<_> = table().fields.keys().copied().collect();
    all.sort_unstable();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(minor: u16) -> Column {
        Column::of(GoVersion { major: 1, minor, patch: 0 })
    }

    #[test]
    fn nested_fields_add_up() {
        assert_eq!(column(21).offset("runtime.g", "sched.bp"), Some(56 + 48));
        assert_eq!(column(27).offset("runtime.g", "sched.bp"), Some(56 + 40));
        assert_eq!(column(27).offset("runtime.g", "sched.ret"), None);
        assert_eq!(column(21).offset("runtime.hchan", "recvq.last"), Some(64));
        assert_eq!(column(27).offset("runtime.itab", "Fun"), Some(24));
        assert_eq!(column(30).size("runtime.g"), column(27).size("runtime.g"));
    }

    #[test]
    fn wait_reasons_stay_inside_their_version() {
        assert_eq!(column(21).wait_reason(14), Some("chan receive"));
        assert_eq!(column(27).wait_reason(14), Some("sleep"));
        assert_eq!(column(21).wait_reason(0), None);
        assert_eq!(column(21).wait_reason(31), Some("stopping the world"));
        assert_eq!(column(21).wait_reason(32), None);
        assert_eq!(column(27).wait_reason(46), Some("cleanup wait"));
        assert_eq!(column(27).wait_reason(255), None);
    }
}
