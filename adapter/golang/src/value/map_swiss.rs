//! Maps of Go 1.24 and newer: Swiss tables (internal/runtime/maps): a directory of tables of groups of eight slots.
//!
//! Where keys and elements lie in a group comes from DWARF (`map<K,V>` → `table<K,V>` → the group), else from the type's descriptor.

use image::{Field, Shape, TypeId};
use machine::MemoryExt;

use super::map::{MapType, Page};

/// internal/runtime/maps.Map: used, seed, dirPtr, dirLen.
const DIR_PTR: u64 = 16;
const DIR_LEN: u64 = 24;
/// internal/runtime/maps.table: used u16, capacity u16, growthLeft u16, localDepth u8, index int, groups {data, lengthMask}.
const TABLE_INDEX: u64 = 8;
const TABLE_DATA: u64 = 16;
const TABLE_MASK: u64 = 24;
const SLOTS: u64 = 8;

/// Largest group that is believed: the control word and eight slots of two 128 byte values, padded.
const MAX_GROUP: u64 = 4096;

/// A table splits when it holds more than 1024 slots; its groups are at most this many.
const MAX_GROUPS: u64 = 1 << 20;

/// Where the slots of a group are, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Group {
    size: u64,
    keys: u64,
    key_stride: u64,
    elems: u64,
    elem_stride: u64,
}

/// What the debug information says if there is some, else what the version does.
pub(super) fn is_swiss(map: &MapType<'_>) -> bool {
    match map.header.and_then(|h| fields(map, h)) {
        Some(f) => f.iter().any(|f| &*f.name == "dirPtr"),
        None => map.p.image.layout().swiss_maps(),
    }
}

fn fields(map: &MapType<'_>, id: TypeId) -> Option<Vec<Field>> {
    match &map.p.type_of(id).ok()?.shape {
        Shape::Struct { fields } => Some(fields.clone()),
        _ => None,
    }
}

fn field(map: &MapType<'_>, id: TypeId, name: &str) -> Option<Field> {
    fields(map, id)?.into_iter().find(|f| &*f.name == name)
}

fn target(map: &MapType<'_>, id: TypeId) -> Option<TypeId> {
    match map.p.type_of(id).ok()?.shape {
        Shape::Pointer { elem } => elem,
        _ => None,
    }
}

fn array_elem(map: &MapType<'_>, id: TypeId) -> Option<(TypeId, u64)> {
    match map.p.type_of(id).ok()?.shape {
        Shape::Array { elem, .. } => Some((elem, map.p.type_of(elem).ok()?.size)),
        _ => None,
    }
}

/// From DWARF: the fields of `noalg.map.group[K]V`.
fn from_dwarf(map: &MapType<'_>) -> Option<Group> {
    let directory = field(map, map.header?, "dirPtr")?;
    let table = target(map, target(map, directory.ty)?)?;
    let data = field(map, field(map, table, "groups")?.ty, "data")?;
    let group = target(map, data.ty)?;
    let size = map.p.type_of(group).ok()?.size;
    if let Some(slots) = field(map, group, "slots") {
        let (slot, stride) = array_elem(map, slots.ty)?;
        let (key, elem) = (field(map, slot, "key")?, field(map, slot, "elem")?);
        let keys = slots.offset + key.offset;
        let elems = slots.offset + elem.offset;
        return Some(Group { size, keys, key_stride: stride, elems, elem_stride: stride });
    }
    let (keys, elems) = (field(map, group, "keys")?, field(map, group, "elems")?);
    let (key_stride, elem_stride) = (array_elem(map, keys.ty)?.1, array_elem(map, elems.ty)?.1);
    Some(Group { size, keys: keys.offset, key_stride, elems: elems.offset, elem_stride })
}

/// From the map type's descriptor (internal/abi.MapType; offsets by version in the image's table of layouts).
fn from_descriptor(map: &MapType<'_>) -> Option<Group> {
    let at = map.ty.runtime?;
    let layout = map.p.image.layout();
    let read =
        |name: &str| map.p.mem.read_u64(at.checked_add(layout.offset("internal/abi.MapType", name)?)?).ok();
    let size = read("GroupSize")?;
    if layout.offset("internal/abi.MapType", "KeyStride").is_some() {
        return Some(Group {
            size,
            keys: read("KeysOff")?,
            key_stride: read("KeyStride")?,
            elems: read("ElemsOff")?,
            elem_stride: read("ElemStride")?,
        });
    }
    let (stride, elem) = (read("SlotSize")?, read("ElemOff")?);
    Some(Group { size, keys: 8, key_stride: stride, elems: 8 + elem, elem_stride: stride })
}

impl Group {
    fn sane(&self, map: &MapType<'_>) -> bool {
        let fits = |at: u64, stride: u64, slot: u64| {
            let placed = (slot..=MAX_GROUP).contains(&stride) && (8..=MAX_GROUP).contains(&at);
            placed && at + 7 * stride + slot <= self.size
        };
        self.size <= MAX_GROUP
            && fits(self.keys, self.key_stride, map.key_slot())
            && fits(self.elems, self.elem_stride, map.elem_slot())
    }
}

pub(super) fn walk(map: &MapType<'_>, at: u64, page: &mut Page) -> Result<(), String> {
    let group = from_dwarf(map)
        .filter(|g| g.sane(map))
        .or_else(|| from_descriptor(map).filter(|g| g.sane(map)))
        .ok_or_else(|| format!("the layout of {} is not in the program", map.ty.name))?;
    let read = |at: u64| map.p.mem.read_u64(at).map_err(|e| e.to_string());
    let (directory, len) = (read(at.wrapping_add(DIR_PTR))?, read(at.wrapping_add(DIR_LEN))?);
    let walker = Walker { map, group };
    if directory == 0 {
        return Ok(());
    }
    if len == 0 {
        walker.group(directory, page);
        return Ok(());
    }
    let mut previous = 0;
    for i in 0..len {
        if page.visit() {
            break;
        }
        let table = match i.checked_mul(8).and_then(|o| directory.checked_add(o)).map(read) {
            Some(Ok(t)) => t,
            Some(Err(e)) => {
                page.fail(e);
                break;
            }
            None => break,
        };
        // Consecutive entries may share a table: it is walked where its own index says.
        if table == previous || table == 0 {
            continue;
        }
        previous = table;
        walker.table(table, i, page);
    }
    Ok(())
}

struct Walker<'a> {
    map: &'a MapType<'a>,
    group: Group,
}

impl Walker<'_> {
    fn table(&self, at: u64, i: u64, page: &mut Page) {
        let mut head = [0; 32];
        if let Err(e) = self.map.p.mem.read_exact(at, &mut head) {
            return page.fail(e);
        }
        let word = |i: u64| {
            let i = i as usize;
            head.get(i..i + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
        };
        if word(TABLE_INDEX) != i {
            return;
        }
        let used = word(0) & 0xffff;
        if page.skip >= used {
            page.skip -= used;
            return;
        }
        let count = word(TABLE_MASK).saturating_add(1);
        if count > MAX_GROUPS || !count.is_power_of_two() {
            return page.fail(format!("invalid map: a table of {count} groups"));
        }
        let data = word(TABLE_DATA);
        for g in 0..count {
            if page.visit() {
                return;
            }
            self.group(data.wrapping_add(g * self.group.size), page);
        }
    }

    fn group(&self, at: u64, page: &mut Page) {
        let mut control = [0; SLOTS as usize];
        if let Err(e) = self.map.p.mem.read_exact(at, &mut control) {
            return page.fail(e);
        }
        for (i, c) in (0u64..).zip(control) {
            // The high bit is set in empty (0x80) and deleted (0xfe) slots.
            if c & 0x80 == 0 && page.take() {
                let key = at.wrapping_add(self.group.keys + i * self.group.key_stride);
                let elem = at.wrapping_add(self.group.elems + i * self.group.elem_stride);
                page.walk.entries.push(self.map.entry(key, elem));
            }
        }
    }
}
