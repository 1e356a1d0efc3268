//! Maps of Go 1.23 and older: `runtime.hmap` with buckets of eight, growing incrementally (runtime/map.go).

use machine::MemoryExt;

use super::map::{MapType, Page};

/// Offsets in runtime.hmap; the same from Go 1.21 to 1.25 (GOEXPERIMENT=noswissmap).
const FLAGS: u64 = 8;
const LOG2_BUCKETS: u64 = 9;
const BUCKETS: u64 = 16;
const OLD_BUCKETS: u64 = 24;

const SAME_SIZE_GROW: u8 = 8;
const EVACUATED: std::ops::RangeInclusive<u8> = 2..=4;
const MIN_TOP_HASH: u8 = 5;
const SLOTS: u64 = 8;

/// Largest log2 of the number of buckets that is believed.
const MAX_LOG2: u8 = 44;

pub(super) fn walk(map: &MapType<'_>, at: u64, page: &mut Page) {
    let mut head = [0; 32];
    if let Err(e) = map.p.mem.read_exact(at, &mut head) {
        return page.fail(e);
    }
    let byte = |i: u64| head.get(i as usize).copied().unwrap_or(0);
    let word = |i: u64| {
        let i = i as usize;
        head.get(i..i + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
    };
    let log2 = byte(LOG2_BUCKETS);
    if log2 > MAX_LOG2 {
        return page.fail(format!("invalid map: 2^{log2} buckets"));
    }
    let size = bucket_size(map);
    let buckets = Buckets { map, size, old: false };
    buckets.walk(word(BUCKETS), 1 << log2, page);
    let old = word(OLD_BUCKETS);
    if old != 0 && !page.full() {
        let count = if byte(FLAGS) & SAME_SIZE_GROW != 0 { 1 << log2 } else { (1u64 << log2) / 2 };
        Buckets { map, size, old: true }.walk(old, count, page);
    }
}

/// Eight hash bytes, eight keys, eight elements, the overflow pointer.
fn bucket_size(map: &MapType<'_>) -> u64 {
    SLOTS + SLOTS * (map.key_slot() + map.elem_slot()) + 8
}

struct Buckets<'a> {
    map: &'a MapType<'a>,
    size: u64,
    /// Old buckets of a growing map: those already moved are passed over.
    old: bool,
}

impl Buckets<'_> {
    fn walk(&self, base: u64, count: u64, page: &mut Page) {
        if base == 0 {
            return;
        }
        for i in 0..count {
            if page.full() {
                return;
            }
            let Some(first) = i.checked_mul(self.size).and_then(|o| base.checked_add(o)) else {
                return page.fail("invalid map: buckets beyond the address space");
            };
            self.chain(first, page);
        }
    }

    fn chain(&self, first: u64, page: &mut Page) {
        let mut at = first;
        while at != 0 {
            if page.visit() {
                return;
            }
            let mut top = [0; SLOTS as usize];
            if let Err(e) = self.map.p.mem.read_exact(at, &mut top) {
                return page.fail(e);
            }
            if self.old && at == first && EVACUATED.contains(&top[0]) {
                return;
            }
            self.slots(at, &top, page);
            match self.map.p.mem.read_u64(at.wrapping_add(self.size - 8)) {
                Ok(next) => at = next,
                Err(e) => return page.fail(e),
            }
        }
    }

    fn slots(&self, bucket: u64, top: &[u8], page: &mut Page) {
        let (key_slot, elem_slot) = (self.map.key_slot(), self.map.elem_slot());
        let keys = bucket.wrapping_add(SLOTS);
        let elems = keys.wrapping_add(SLOTS * key_slot);
        for (i, hash) in (0u64..).zip(top) {
            if *hash >= MIN_TOP_HASH && page.take() {
                let e = self.map.entry(keys.wrapping_add(i * key_slot), elems.wrapping_add(i * elem_slot));
                page.walk.entries.push(e);
            }
        }
    }
}
