//! Where the allocator keeps its books, and the runtime's shared values that many addresses are: from symbols, else from code.

use std::ops::Range;

use image::{Image, Layout};

use super::derive;

/// Bytes of `runtime.zeroVal` (abi.ZeroValSize).
const ZERO_VAL: u64 = 1024;
/// Bytes of `runtime.staticuint64s`.
const SMALL_INTS: u64 = 256 * 8;

pub(crate) struct HeapFacts {
    /// Address of `mheap_.arenas[0]`.
    pub(crate) arenas: Option<u64>,
    /// Address of `mheap_.sweepgen`.
    pub(crate) sweepgen: Option<u64>,
    /// `heapArena.spans`.
    pub(crate) spans: u64,
    pub(crate) span: Option<SpanOffsets>,
    pub(crate) zero_base: Option<u64>,
    pub(crate) zero_val: Range<u64>,
    pub(crate) small_ints: Range<u64>,
}

/// Fields of `runtime.mspan`, in bytes from its start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SpanOffsets {
    pub(crate) size: u64,
    pub(crate) start: u64,
    pub(crate) pages: u64,
    pub(crate) free_index: u64,
    pub(crate) elements: u64,
    /// Bytes of the two above: they were words, and became 16 bits.
    pub(crate) index_width: u64,
    pub(crate) alloc_bits: u64,
    pub(crate) sweepgen: u64,
    pub(crate) class: u64,
    pub(crate) state: u64,
    pub(crate) element_size: u64,
    pub(crate) limit: u64,
}

impl HeapFacts {
    pub(crate) fn find(image: &Image) -> HeapFacts {
        let layout = image.layout();
        let global = |name: &str| image.symbol(name).or_else(|| image.global(name).map(|(a, _)| a));
        let heap = |field: &str| layout.offset("runtime.mheap", field);
        let from_symbol =
            global("runtime.mheap_").zip(heap("arenas")).map(|(base, at)| base.wrapping_add(at));
        let arenas = from_symbol.or_else(|| derive::arenas(image));
        let sweepgen = arenas
            .zip(heap("arenas"))
            .zip(heap("sweepgen"))
            .map(|((arenas, at), gen_at)| arenas.wrapping_sub(at).wrapping_add(gen_at));
        let range = |start: Option<u64>, len: u64| start.map_or(0..0, |a| a..a.saturating_add(len));
        let small = global("runtime.staticuint64s").or_else(|| derive::small_ints(image));
        let zero = global("runtime.zeroVal").or_else(|| derive::zero_val(image));
        HeapFacts {
            arenas: arenas.filter(|_| layout.offset("runtime.heapArena", "spans").is_some()),
            sweepgen,
            spans: layout.offset("runtime.heapArena", "spans").unwrap_or(0),
            span: SpanOffsets::find(layout),
            zero_base: global("runtime.zerobase").or_else(|| derive::zero_base(image)),
            zero_val: range(zero, ZERO_VAL),
            small_ints: range(small, SMALL_INTS),
        }
    }
}

impl SpanOffsets {
    fn find(layout: &Layout) -> Option<SpanOffsets> {
        let s = |field: &str| layout.offset("runtime.mspan", field);
        let (free_index, elements) = (s("freeindex")?, s("nelems")?);
        Some(SpanOffsets {
            size: layout.size("runtime.mspan")?.clamp(64, 1024),
            start: s("startAddr")?,
            pages: s("npages")?,
            free_index,
            elements,
            index_width: elements.checked_sub(free_index).filter(|w| matches!(w, 2 | 8))?,
            alloc_bits: s("allocBits")?,
            sweepgen: s("sweepgen")?,
            class: s("spanclass")?,
            state: s("state")?,
            element_size: s("elemsize")?,
            limit: s("limit")?,
        })
    }
}
