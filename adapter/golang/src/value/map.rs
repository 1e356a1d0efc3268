//! Maps, both designs: which one a program has, and paging over it. The designs are in `map_swiss` and `map_buckets`.

use image::{Shape, Type, TypeId};
use machine::MemoryExt;

use super::place::{Value, underlying, word};
use super::{map_buckets, map_swiss};
use crate::Process;

/// Keys and elements larger than this are kept behind a pointer (internal/abi MapMaxKeyBytes; the same in both designs).
const MAX_INLINE: u64 = 128;

/// Buckets, groups or tables that one walk looks at: garbage must not keep us for ever.
pub(super) const MAX_VISITED: usize = 1 << 22;

/// One page of a map.
#[derive(Clone, Debug, Default)]
pub struct MapWalk {
    pub entries: Vec<(Value, Value)>,
    /// Why the walk ended early, if it did.
    pub incomplete: Option<String>,
}

/// What both designs need to know of a map.
pub(super) struct MapType<'a> {
    pub(super) p: &'a Process<'a>,
    pub(super) ty: &'a Type,
    pub(super) key: TypeId,
    pub(super) elem: TypeId,
    pub(super) key_size: u64,
    pub(super) elem_size: u64,
    pub(super) header: Option<TypeId>,
}

impl MapType<'_> {
    pub(super) fn indirect_key(&self) -> bool {
        self.key_size > MAX_INLINE
    }

    pub(super) fn indirect_elem(&self) -> bool {
        self.elem_size > MAX_INLINE
    }

    /// Bytes that a key (an element) takes in its slot.
    pub(super) fn key_slot(&self) -> u64 {
        if self.indirect_key() { 8 } else { self.key_size }
    }

    pub(super) fn elem_slot(&self) -> u64 {
        if self.indirect_elem() { 8 } else { self.elem_size }
    }

    /// The entry in a slot: key and element addresses, pointers followed.
    pub(super) fn entry(&self, key: u64, elem: u64) -> (Value, Value) {
        (self.at(self.key, key, self.indirect_key()), self.at(self.elem, elem, self.indirect_elem()))
    }

    fn at(&self, ty: TypeId, addr: u64, indirect: bool) -> Value {
        if !indirect {
            return Value::at(ty, addr);
        }
        match self.p.mem.read_u64(addr) {
            Ok(to) => Value::at(ty, to),
            Err(e) => Value::unavailable(ty, e.to_string()),
        }
    }
}

/// Collects the entries of one page: skips, then takes.
pub(super) struct Page {
    pub(super) skip: u64,
    pub(super) want: usize,
    pub(super) visited: usize,
    pub(super) walk: MapWalk,
}

impl Page {
    pub(super) fn full(&self) -> bool {
        self.walk.entries.len() >= self.want || self.walk.incomplete.is_some()
    }

    /// Counts one group or bucket; true when the walk must end.
    pub(super) fn visit(&mut self) -> bool {
        self.visited += 1;
        if self.visited > MAX_VISITED {
            self.walk.incomplete =
                Some(format!("gave up after {MAX_VISITED} groups: the map is damaged or very sparse"));
        }
        self.full()
    }

    pub(super) fn fail(&mut self, why: impl ToString) {
        self.walk.incomplete.get_or_insert(why.to_string());
    }

    /// True if this entry is on the page.
    pub(super) fn take(&mut self) -> bool {
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        !self.full()
    }
}

/// Number of entries; None for a nil map.
pub fn map_len(p: &Process<'_>, v: &Value) -> Result<Option<u64>, String> {
    let header = word(p, v, 0)?;
    if header == 0 {
        return Ok(None);
    }
    // Both headers begin with the count (runtime.hmap.count, internal/runtime/maps.Map.used).
    let n = p.mem.read_u64(header).map_err(|e| e.to_string())?;
    if n >= 1 << 48 {
        return Err(format!("invalid map: {} entries", n.cast_signed()));
    }
    Ok(Some(n))
}

/// At most `count` entries after the first `skip`, in table order. Stable while the program stands still.
pub fn walk_map(p: &Process<'_>, v: &Value, skip: u64, count: usize) -> Result<MapWalk, String> {
    let ty = underlying(p, v.ty).map_err(|e| e.to_string())?;
    let Shape::Map { key, elem, header } = ty.shape else {
        return Err(format!("{} is not a map type", ty.name));
    };
    let Some(len) = map_len(p, v)? else { return Ok(MapWalk::default()) };
    let at = word(p, v, 0)?;
    let size = |t| p.type_of(t).map(|t| t.size).map_err(|e| e.to_string());
    let map = MapType { p, ty: &ty, key, elem, key_size: size(key)?, elem_size: size(elem)?, header };
    let want = count.min(usize::try_from(len.saturating_sub(skip)).unwrap_or(usize::MAX));
    let mut page = Page { skip, want, visited: 0, walk: MapWalk::default() };
    if want > 0 {
        if map_swiss::is_swiss(&map) {
            map_swiss::walk(&map, at, &mut page)?;
        } else {
            map_buckets::walk(&map, at, &mut page);
        }
        if page.walk.entries.len() < want {
            page.fail(format!(
                "only {} of {want} entries were found: the map is being written or damaged",
                page.walk.entries.len()
            ));
        }
    }
    Ok(page.walk)
}

/// [`walk_map`] without the note on completeness.
pub fn map_entries(
    p: &Process<'_>,
    v: &Value,
    skip: usize,
    count: usize,
) -> Result<Vec<(Value, Value)>, String> {
    walk_map(p, v, skip as u64, count).map(|w| w.entries)
}
