//! The itabs in the file, sorted by address: which one a constant address points into.

use image::{Image, Itab};
use rustc_hash::FxHashMap;

#[derive(Default)]
pub(crate) struct StaticItabs {
    /// (address, end)
    ranges: Vec<(u64, u64)>,
    by_addr: FxHashMap<u64, Itab>,
}

impl StaticItabs {
    pub(crate) fn new(image: &Image) -> StaticItabs {
        let mut out = StaticItabs::default();
        for a in image.static_itabs() {
            let Ok(itab) = image.itab(a, image) else { continue };
            let n = itab.fun.len().max(1) as u64;
            out.ranges.push((a, a + 24 + 8 * n));
            out.by_addr.insert(a, itab);
        }
        out.ranges.sort_unstable();
        out
    }

    pub(crate) fn get(&self, addr: u64) -> Option<&Itab> {
        self.by_addr.get(&addr)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Itab> {
        self.by_addr.values()
    }

    /// The itab whose method array contains the word at `addr`, and the slot.
    pub(crate) fn slot_at(&self, addr: u64) -> Option<(u64, u16)> {
        let i = self.ranges.partition_point(|(a, _)| *a <= addr).checked_sub(1)?;
        let (start, end) = *self.ranges.get(i)?;
        let off = addr.checked_sub(start)?;
        if addr >= end || off < 24 || off % 8 != 0 {
            return None;
        }
        Some((start, u16::try_from((off - 24) / 8).ok()?))
    }
}
