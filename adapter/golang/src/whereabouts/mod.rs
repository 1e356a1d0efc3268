//! What an address belongs to: a stack and its frame, an object of the heap, a variable or function of the executable, nothing.
//! Says only what the program's own books say; where they are unreadable, that is the answer.

mod heap;
mod stack;

use std::fmt::Write as _;

use image::{Kind, names};
use machine::MemoryExt;

use crate::Process;
use heap::{InHeap, Object};
pub use stack::OnStack;

/// The kind of memory, as docs/PROTOCOL.md names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Region {
    Stack,
    Heap,
    ReadOnly,
    Data,
    Bss,
    Text,
    /// `runtime.zerobase`: all values without size.
    ZeroBase,
    /// `runtime.zeroVal`: zero values that nobody stores.
    ZeroVal,
    /// `runtime.staticuint64s`: small integers in interfaces.
    SmallInts,
    /// Readable, but not Go's.
    Mapped,
    Unmapped,
}

impl Region {
    pub fn as_str(self) -> &'static str {
        match self {
            Region::Stack => "stack",
            Region::Heap => "heap",
            Region::ReadOnly => "readonly",
            Region::Data => "data",
            Region::Bss => "bss",
            Region::Text => "text",
            Region::ZeroBase => "zerobase",
            Region::ZeroVal => "zeroVal",
            Region::SmallInts => "smallInts",
            Region::Mapped => "mapped",
            Region::Unmapped => "unmapped",
        }
    }
}

/// What an address belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whereabouts {
    pub addr: u64,
    pub region: Region,
    /// The sentence for a user.
    pub text: String,
    /// Function, variable, type or itab of the executable, and how far into it.
    pub symbol: Option<(String, u64)>,
    pub stack: Option<OnStack>,
    /// Start of the heap object.
    pub object: Option<u64>,
    pub size: Option<u64>,
    /// 0: a large object.
    pub size_class: Option<u8>,
    /// Of the heap and of stacks: nothing lives there now.
    pub free: Option<bool>,
}

impl Whereabouts {
    fn new(addr: u64, region: Region, text: String) -> Whereabouts {
        Whereabouts {
            addr,
            region,
            text,
            symbol: None,
            stack: None,
            object: None,
            size: None,
            size_class: None,
            free: None,
        }
    }
}

/// What an address belongs to.
pub fn whereabouts(p: &Process<'_>, addr: u64) -> Whereabouts {
    if addr == 0 {
        return Whereabouts::new(addr, Region::Unmapped, "nil".into());
    }
    if let Some(shared) = shared_value(p, addr) {
        return shared;
    }
    if let Some(region) = p.image.region(addr) {
        return in_executable(p, region, addr);
    }
    if let Some(on) = stack::look_up(p, addr) {
        return on_stack(addr, on);
    }
    let facts = p.facts().heap(p.image);
    match heap::look_up(p, facts, addr) {
        Ok(Some(found)) => in_heap(p, addr, found),
        Ok(None) => elsewhere(p, addr, facts.arenas.is_none()),
        Err(why) => {
            let mut w = Whereabouts::new(addr, Region::Heap, format!("heap, but {why}"));
            if !readable(p, addr) {
                w.region = Region::Unmapped;
                w.text = "not mapped".into();
            }
            w
        }
    }
}

/// Values that the runtime keeps once for all.
fn shared_value(p: &Process<'_>, addr: u64) -> Option<Whereabouts> {
    let facts = p.facts().heap(p.image);
    let named = |region, name: &str, start: u64, text: String| Whereabouts {
        symbol: Some((name.to_string(), addr - start)),
        ..Whereabouts::new(addr, region, text)
    };
    if facts.zero_base == Some(addr) {
        let text = "runtime.zerobase: the address of every value without size".into();
        return Some(named(Region::ZeroBase, "runtime.zerobase", addr, text));
    }
    if facts.zero_val.contains(&addr) {
        let text = "runtime.zeroVal: zero values that are not stored anywhere else".into();
        return Some(named(Region::ZeroVal, "runtime.zeroVal", facts.zero_val.start, text));
    }
    if facts.small_ints.contains(&addr) {
        let start = facts.small_ints.start;
        let text =
            format!("runtime.staticuint64s[{}]: small integers in interfaces share it", (addr - start) / 8);
        return Some(named(Region::SmallInts, "runtime.staticuint64s", start, text));
    }
    None
}

fn plus(offset: u64) -> String {
    if offset == 0 { String::new() } else { format!("+{offset:#x}") }
}

fn in_executable(p: &Process<'_>, region: image::Region, addr: u64) -> Whereabouts {
    let (region, what) = match region {
        image::Region::Text => (Region::Text, "code"),
        image::Region::ReadOnly => (Region::ReadOnly, "read-only data"),
        image::Region::Data => (Region::Data, "data"),
        image::Region::Bss => (Region::Bss, "bss"),
    };
    let mut w = Whereabouts::new(addr, region, what.into());
    w.symbol = match region {
        Region::Text => function(p, addr),
        Region::ReadOnly => descriptor(p, addr).or_else(|| linked(p, addr)),
        _ => p.image.global_at(addr).map(|(name, start, _)| (names::short(&name), addr.wrapping_sub(start))),
    };
    if let Some((name, offset)) = &w.symbol {
        w.text = format!("{what}: {name}{}", plus(*offset));
    }
    if region == Region::Text
        && let Some(at) = p.image.functions().location(addr)
    {
        let _infallible = write!(w.text, " ({}:{})", at.file, at.line);
    }
    w
}

fn function(p: &Process<'_>, addr: u64) -> Option<(String, u64)> {
    match p.image.functions().at(addr) {
        Some(f) => Some((p.function_display_name(&f, None), addr.wrapping_sub(f.entry()))),
        None => linked(p, addr),
    }
}

fn linked(p: &Process<'_>, addr: u64) -> Option<(String, u64)> {
    p.image.symbol_at(addr).map(|(name, offset)| (names::short(&names::unescape(&name)), offset))
}

/// Type descriptors and itabs have names also where there are no symbols.
fn descriptor(p: &Process<'_>, addr: u64) -> Option<(String, u64)> {
    let name = |rtype: u64| p.display_name(p.image.type_from_runtime(rtype));
    if p.image.static_itabs().contains(&addr) {
        let itab = p.image.itab(addr, p.mem).ok()?;
        return Some((format!("itab of {} as {}", name(itab.typ), name(itab.inter)), 0));
    }
    let described = p.image.type_range().contains(&addr)
        && p.image.type_of(image::TypeId::Runtime(addr), p.mem).is_ok_and(|t| t.kind != Kind::Invalid);
    described.then(|| (format!("type {}", name(addr)), 0))
}

fn on_stack(addr: u64, on: OnStack) -> Whereabouts {
    let whose = match (on.goid, on.tid) {
        (Some(goid), _) => format!("stack of goroutine {goid}"),
        (None, Some(tid)) => format!("system stack of thread {tid}"),
        (None, None) => "a stack".into(),
    };
    let mut text = whose;
    if on.unused {
        text.push_str(", below the stack pointer: unused");
    }
    if let (Some(frame), Some(function)) = (on.frame, &on.function) {
        let _infallible = write!(text, ", frame {frame} {function}");
    }
    if let Some((name, offset)) = &on.variable {
        let _infallible = write!(text, ", variable {name}{}", plus(*offset));
    }
    Whereabouts {
        free: on.unused.then_some(true),
        stack: Some(on),
        ..Whereabouts::new(addr, Region::Stack, text)
    }
}

fn in_heap(p: &Process<'_>, addr: u64, found: InHeap) -> Whereabouts {
    let free =
        |region, text: String| Whereabouts { free: Some(true), ..Whereabouts::new(addr, region, text) };
    match found {
        InHeap::Object(o) => in_object(addr, &o),
        InHeap::Manual(..) => free(Region::Stack, "stack memory that no goroutine uses".into()),
        InHeap::Unused if !readable(p, addr) => {
            Whereabouts::new(addr, Region::Unmapped, "not mapped: reserved for the heap".into())
        }
        InHeap::Unused => free(Region::Heap, "heap page that is not in use: freed, or never used".into()),
        InHeap::Tail => free(Region::Heap, "the end of a heap span, where no object fits".into()),
    }
}

fn in_object(addr: u64, o: &Object) -> Whereabouts {
    let what = match (o.class, o.tiny) {
        (0, _) => "large object".to_string(),
        (_, true) => "block of small objects without pointers".to_string(),
        (n, false) => format!("object of size class {n}"),
    };
    let mut text = format!("heap: {what}, {} bytes at {:#x}", o.size, o.start);
    if addr != o.start {
        let _infallible = write!(text, ", {} bytes into it", addr - o.start);
    }
    text.push_str(match (o.free, o.unswept) {
        (true, _) => "; free: nothing is allocated there now",
        (false, true) => "; allocated, not swept since the last collection: it may be garbage",
        (false, false) => "; allocated",
    });
    if !o.pointers && !o.tiny {
        text.push_str(", without pointers");
    }
    Whereabouts {
        object: Some(o.start),
        size: Some(o.size),
        size_class: Some(o.class),
        free: Some(o.free),
        ..Whereabouts::new(addr, Region::Heap, text)
    }
}

fn readable(p: &Process<'_>, addr: u64) -> bool {
    p.mem.read_exact(addr, &mut [0]).is_ok()
}

fn elsewhere(p: &Process<'_>, addr: u64, no_books: bool) -> Whereabouts {
    match (readable(p, addr), no_books) {
        (false, _) => Whereabouts::new(addr, Region::Unmapped, "not mapped".into()),
        (true, false) => Whereabouts::new(addr, Region::Mapped, "mapped, but not Go's memory".into()),
        (true, true) => Whereabouts::new(
            addr,
            Region::Mapped,
            "mapped; whether it is Go's heap is unknown: runtime.mheap_ was not found in this program".into(),
        ),
    }
}
