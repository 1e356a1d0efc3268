//! The allocator's books: arena, span, object (runtime/mheap.go, runtime/mbitmap.go). Nothing read here is trusted further than its
//! own check: the program may be in the middle of changing it, or have overwritten it.

use machine::{Arch, MemoryExt};

use crate::Process;
use crate::facts::{HeapFacts, SpanOffsets};

/// `heapArenaBytes` and `pageSize` on Linux, as powers of two.
const ARENA_SHIFT: u32 = 26;
const PAGE_SHIFT: u32 = 13;
const PAGES_PER_ARENA: u64 = 1 << (ARENA_SHIFT - PAGE_SHIFT);
/// Entries of `mheap_.arenas[0]`.
const ARENAS: u64 = 1 << 22;
/// What is added to an address of amd64 before it is divided into arenas (`-arenaBaseOffset`).
const AMD64_BASE: u64 = 1 << 47;
/// No span is larger.
const MAX_PAGES: u64 = 1 << (47 - PAGE_SHIFT);
/// Span class of the blocks that small objects without pointers share (`tinySpanClass`).
const TINY: u8 = 2 << 1 | 1;

/// An address within the heap's arenas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InHeap {
    Object(Object),
    /// A span that the runtime manages by hand: stacks. Its bounds.
    Manual(u64, u64),
    /// Pages that no span uses now.
    Unused,
    /// Behind the last object of a span.
    Tail,
}

/// A slot of a span, used or free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) start: u64,
    pub(super) size: u64,
    /// 0: a large object, which has its span for itself.
    pub(super) class: u8,
    pub(super) tiny: bool,
    pub(super) pointers: bool,
    pub(super) free: bool,
    /// The span was not swept since the last collection: the object may be garbage.
    pub(super) unswept: bool,
}

/// Where in the heap an address is; None when it is not in an arena. Err: the books contradict themselves.
pub(super) fn look_up(p: &Process<'_>, facts: &HeapFacts, addr: u64) -> Result<Option<InHeap>, String> {
    let Some((arenas, o)) = facts.arenas.zip(facts.span) else { return Ok(None) };
    let biased = match p.image.arch() {
        Arch::Amd64 => addr.wrapping_add(AMD64_BASE),
        Arch::Arm64 => addr,
    };
    let index = biased >> ARENA_SHIFT;
    let read = |at: Option<u64>| at.and_then(|at| p.mem.read_u64(at).ok()).filter(|w| *w != 0);
    let Some(table) = read(Some(arenas)).filter(|_| index < ARENAS) else { return Ok(None) };
    let Some(arena) = read(table.checked_add(index * 8)) else { return Ok(None) };
    let page = addr >> PAGE_SHIFT & (PAGES_PER_ARENA - 1);
    let Some(span) = read(arena.wrapping_add(facts.spans).checked_add(page * 8)) else {
        return Ok(Some(InHeap::Unused));
    };
    in_span(p, facts, &o, span, addr).map(Some)
}

fn in_span(
    p: &Process<'_>,
    facts: &HeapFacts,
    o: &SpanOffsets,
    span: u64,
    addr: u64,
) -> Result<InHeap, String> {
    let size = usize::try_from(o.size).unwrap_or(0);
    let bytes =
        p.mem.read_vec(span, size, 1024).map_err(|e| format!("its span at {span:#x} is unreadable: {e}"))?;
    let number = |at: u64, width: u64| {
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let part = bytes.get(at..at.saturating_add(width as usize)).unwrap_or_default();
        part.iter().rev().fold(0u64, |n, b| n << 8 | u64::from(*b))
    };
    let (start, pages) = (number(o.start, 8), number(o.pages, 8));
    let wrong = |why: &str| Err(format!("its span at {span:#x} is not one: {why}"));
    if start == 0 || start & ((1 << PAGE_SHIFT) - 1) != 0 || pages == 0 || pages > MAX_PAGES {
        return wrong("its bounds are impossible");
    }
    let Some(end) = start.checked_add(pages << PAGE_SHIFT) else { return wrong("it ends beyond memory") };
    // The table keeps stale entries for pages that were given back.
    if !(start..end).contains(&addr) {
        return Ok(InHeap::Unused);
    }
    match number(o.state, 1) {
        0 => return Ok(InHeap::Unused),
        1 => {}
        2 => return Ok(InHeap::Manual(start, end)),
        other => return wrong(&format!("its state is {other}")),
    }
    let (size, limit) = (number(o.element_size, 8), number(o.limit, 8));
    if size == 0 || size > pages << PAGE_SHIFT || limit > end {
        return wrong("its objects do not fit into it");
    }
    let index = (addr - start) / size;
    if addr >= limit || index >= number(o.elements, o.index_width) {
        return Ok(InHeap::Tail);
    }
    let class = number(o.class, 1) as u8;
    let allocated = index < number(o.free_index, o.index_width) || {
        let bit = number(o.alloc_bits, 8).checked_add(index / 8).and_then(|at| {
            let mut byte = [0u8];
            p.mem.read_exact(at, &mut byte).ok()?;
            Some(byte.first().is_some_and(|b| b >> (index % 8) & 1 == 1))
        });
        match bit {
            Some(bit) => bit,
            None => return wrong("its allocation bits are unreadable"),
        }
    };
    // Span: 2 less than the heap, or 1 less while it is swept, or 1 more when it was cached before the sweep began.
    let generation = facts.sweepgen.and_then(|at| p.mem.read_u32(at).ok());
    let behind = generation.map(|g| g.wrapping_sub(number(o.sweepgen, 4) as u32));
    Ok(InHeap::Object(Object {
        start: start + index * size,
        size,
        class: class >> 1,
        tiny: class == TINY,
        pointers: class & 1 == 0,
        free: !allocated,
        unswept: behind.is_some_and(|b| matches!(b, 1 | 2 | u32::MAX)),
    }))
}
