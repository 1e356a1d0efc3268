//! The process' itab table: static itabs and those made at run time (runtime/iface.go, itabTableType).

use image::{Image, Itab};
use machine::{Memory, MemoryExt};

/// Entries of a table that are believed; a program with more has garbage there.
const MAX_ENTRIES: u64 = 1 << 20;

/// Address of the current table: {size, count, entries...}. Always read anew: it moves when it grows.
fn table(image: &Image, mem: &dyn Memory) -> Option<(u64, u64)> {
    let var = image
        .symbol("runtime.itabTable")
        .or_else(|| image.global("runtime.itabTable").map(|g| g.0))
        .or_else(|| by_code(image))?;
    let at = mem.read_u64(var).ok()?;
    let size = mem.read_u64(at).ok()?;
    (size.is_power_of_two() && size <= MAX_ENTRIES).then_some((at, size))
}

/// Without symbols: the first word of initialised data that `runtime.getitab`, `itabAdd` or `itabsinit` uses whose value points to 512.
fn by_code(image: &Image) -> Option<u64> {
    use crate::model::{Op, Src};
    for name in ["runtime.getitab", "runtime.itabAdd", "runtime.itabsinit"] {
        for f in image.functions().by_name(name) {
            let Some(code) = crate::code::Code::of(image, f) else { continue };
            let flow = crate::flow::Flowed::new(&code, image);
            for (i, inst) in code.insts.iter().enumerate() {
                for op in inst.ops.iter() {
                    let Op::Mov { src: Src::Mem(m), size: 8, .. } = op else { continue };
                    let Some(a) = flow.absolute(i, m) else { continue };
                    let points_to_512 =
                        image.read_u64(a).and_then(|p| image.read_u64(p)).is_ok_and(|n| n == 512);
                    if points_to_512 && !image.is_read_only(a) {
                        return Some(a);
                    }
                }
            }
        }
    }
    None
}

/// All itabs of the process, negative ones included; `None` when the table can't be found (the caller says so).
pub(crate) fn all(image: &Image, mem: &dyn Memory) -> Option<Vec<Itab>> {
    let (at, size) = table(image, mem)?;
    let mut out = Vec::new();
    let mut chunk = vec![0u8; 8 * 512];
    let mut i = 0;
    while i < size {
        let n = (size - i).min(512);
        let buf = chunk.get_mut(..(8 * n) as usize)?;
        if mem.read_exact(at.wrapping_add(16 + 8 * i), buf).is_err() {
            break;
        }
        for w in buf.chunks_exact(8) {
            let p = u64::from_le_bytes(w.try_into().unwrap_or([0; 8]));
            if p != 0
                && let Ok(itab) = image.itab(p, mem)
            {
                out.push(itab);
            }
        }
        i += n;
    }
    Some(out)
}

/// What the runtime knows of the pair: `Some(Some(itab))` implements, `Some(None)` doesn't, `None` not asked yet.
pub(crate) fn lookup(image: &Image, mem: &dyn Memory, inter: u64, typ: u64) -> Option<Option<u64>> {
    let (at, size) = table(image, mem)?;
    let hash = |t: u64| mem.read_u32(t.wrapping_add(16)).ok();
    let mask = size - 1;
    let mut h = u64::from(hash(inter)? ^ hash(typ)?) & mask;
    for step in 1..=size.min(4096) {
        let p = mem.read_u64(at.wrapping_add(16 + 8 * h)).ok()?;
        if p == 0 {
            return None;
        }
        let pair = (mem.read_u64(p).ok()?, mem.read_u64(p.wrapping_add(8)).ok()?);
        if pair == (inter, typ) {
            let negative = mem.read_u64(p.wrapping_add(24)).ok()? == 0;
            return Some((!negative).then_some(p));
        }
        h = (h + step) & mask;
    }
    None
}
