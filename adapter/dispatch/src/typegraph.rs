//! All type descriptors that can be found: the linker's list, the itabs' types, and everything reachable from those.
//!
//! What the linker dropped can't be listed; what only `reflect` made is found through the process' itab table.

use image::{Image, Kind, Shape, TypeId};
use machine::{Memory, MemoryExt};
use rustc_hash::FxHashSet;

use crate::Engine;

/// Descriptors that are looked at.
const MAX_TYPES: usize = 400_000;

/// Addresses of all descriptors found, sorted: the file's, and what the itabs that the program made add to them.
pub(crate) fn all(engine: &Engine, image: &Image, mem: &dyn Memory, made: &[image::Itab]) -> Vec<u64> {
    let known = engine.descriptors(image);
    let added = reachable(image, mem, known, made.iter().flat_map(|i| [i.inter, i.typ]).collect());
    let mut out = known.to_vec();
    if !added.is_empty() {
        out.extend(added);
        out.sort_unstable();
    }
    out
}

/// The descriptors of the file, sorted.
pub(crate) fn of_file(engine: &Engine, image: &Image) -> Vec<u64> {
    let itabs = engine.itabs(image).iter().flat_map(|i| [i.inter, i.typ]);
    let mut out: Vec<u64> =
        reachable(image, image, &[], listed(image).into_iter().chain(itabs).collect()).into_iter().collect();
    out.sort_unstable();
    out
}

/// What can be reached from `work` without the `known` ones, which are sorted and reach nothing else.
fn reachable(image: &Image, mem: &dyn Memory, known: &[u64], mut work: Vec<u64>) -> FxHashSet<u64> {
    let mut seen: FxHashSet<u64> = FxHashSet::default();
    while let Some(t) = work.pop() {
        if seen.len() >= MAX_TYPES || known.binary_search(&t).is_ok() || !seen.insert(t) {
            continue;
        }
        let Ok(ty) = image.type_of(TypeId::Runtime(t), mem) else {
            seen.remove(&t);
            continue;
        };
        let mut add = |id: &TypeId| {
            if let Ok(x) = image.type_of(*id, mem)
                && let Some(a) = x.runtime.or(match id {
                    TypeId::Runtime(a) => Some(*a),
                    _ => None,
                })
            {
                work.push(a);
            }
        };
        match &ty.shape {
            Shape::Array { elem, .. } | Shape::Slice { elem } | Shape::Chan { elem, .. } => add(elem),
            Shape::Pointer { elem: Some(elem) } => add(elem),
            Shape::Map { key, elem, .. } => {
                add(key);
                add(elem);
            }
            Shape::Struct { fields } => fields.iter().for_each(|f| add(&f.ty)),
            Shape::Func(sig) => sig.params.iter().chain(&sig.results).for_each(add),
            Shape::Interface { methods: Some(m), .. } => m.iter().filter_map(|m| m.ty.as_ref()).for_each(add),
            _ => {}
        }
        work.extend(pointer_to(image, mem, t));
        if let Ok(methods) = image.methods_of(t, mem) {
            work.extend(methods.iter().filter_map(|m| match m.ty {
                Some(TypeId::Runtime(a)) => Some(a),
                _ => None,
            }));
        }
    }
    seen
}

/// abi.Type.PtrToThis.
pub(crate) fn pointer_to(image: &Image, mem: &dyn Memory, t: u64) -> Option<u64> {
    let off = mem.read_u32(t.checked_add(44)?).ok()? as i32;
    let range = image.type_range();
    if off <= 0 || !range.contains(&t) {
        return None;
    }
    Some(range.start.wrapping_add(off as u64)).filter(|a| range.contains(a))
}

/// The linker's list: `typelinks` of moduledata, or the walkable first part of the descriptors where there is no list (Go 1.27).
fn listed(image: &Image) -> Vec<u64> {
    let (Some(md), range) = (image.moduledata(), image.type_range()) else { return Vec::new() };
    let field = |name: &str| image.layout().offset("runtime.moduledata", name);
    if let Some(off) = field("typelinks") {
        let (Ok(ptr), Ok(len)) = (image.read_u64(md + off), image.read_u64(md + off + 8)) else {
            return Vec::new();
        };
        return (0..len.min(MAX_TYPES as u64))
            .filter_map(|i| image.read_u32(ptr.wrapping_add(4 * i)).ok())
            .map(|o| range.start.wrapping_add(u64::from(o)))
            .filter(|a| range.contains(a))
            .collect();
    }
    let Some(len) = field("typedesclen").and_then(|o| image.read_u64(md + o).ok()) else { return Vec::new() };
    let mut out = Vec::new();
    let (mut at, end) = (range.start + 8, range.start.saturating_add(len).min(range.end));
    while at < end && out.len() < MAX_TYPES {
        out.push(at);
        match descriptor_size(image, at) {
            Some(n) => at += n.next_multiple_of(8),
            None => break,
        }
    }
    out
}

/// abi.Type.DescriptorSize (internal/abi/type.go).
fn descriptor_size(image: &Image, t: u64) -> Option<u64> {
    let kind = Kind::from_number(image.read_u8(t + 23).ok()? & 31)?;
    let uncommon = image.read_u8(t + 20).ok()? & 1 != 0;
    let base = match kind {
        Kind::Array => 72,
        Kind::Chan => 64,
        Kind::Func | Kind::Pointer | Kind::Slice => 56,
        Kind::Interface | Kind::Struct => 80,
        Kind::Map => image.layout().size("internal/abi.MapType").unwrap_or(112),
        _ => 48,
    };
    let extra = match kind {
        Kind::Func => {
            let (i, o) = (image.read_u16(t + 48).ok()?, image.read_u16(t + 50).ok()? & 0x7fff);
            8 * (u64::from(i) + u64::from(o))
        }
        Kind::Interface => 8 * image.read_u64(t + 64).ok()?.min(10_000),
        Kind::Struct => 24 * image.read_u64(t + 64).ok()?.min(10_000),
        _ => 0,
    };
    let methods = if uncommon { 16 + 16 * u64::from(image.read_u16(t + base + 4).ok()?) } else { 0 };
    Some(base + extra + methods)
}

impl Engine {
    /// Every type of the file that has a descriptor and can be found, by address.
    pub fn all_types(&self, image: &Image) -> Vec<TypeId> {
        self.descriptors(image).iter().map(|t| TypeId::Runtime(*t)).collect()
    }
}
