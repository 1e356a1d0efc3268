//! Facts about one program's runtime that never change while it runs: offsets, addresses, functions of a special kind.
//! Found once, at first use. Must never read anything that the program can change.

mod derive;
mod heap;
mod offsets;
mod special;

use std::sync::OnceLock;

use image::Image;
use machine::{Memory, MemoryExt};

pub(crate) use heap::{HeapFacts, SpanOffsets};
pub(crate) use offsets::{GOffsets, MOffsets};
pub(crate) use special::{Special, Specials};

/// Where `runtime.allgs` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AllGs {
    /// Addresses of `allgptr` and `allglen` (atomic copies, in step with each other).
    Atomic { ptr: u64, len: u64 },
    /// Address of the slice header.
    Slice(u64),
}

/// No version has more wait reasons (1.27: 47).
const WAIT_REASONS: usize = 128;

pub(crate) struct Facts {
    pub(crate) g: Option<GOffsets>,
    pub(crate) m: Option<MOffsets>,
    pub(crate) allgs: Option<AllGs>,
    pub(crate) specials: Specials,
    /// `[N]string` of wait reasons, and their texts as they are asked for.
    wait_reasons: Option<u64>,
    wait_texts: [OnceLock<Option<String>>; WAIT_REASONS],
    /// `runtime.fingStatus`.
    pub(crate) fing_status: Option<u64>,
    /// Where addresses come from; found when somebody asks for one.
    heap: OnceLock<HeapFacts>,
    /// pprof labels are a map (Go 1.23 and older), not a list.
    pub(crate) labels_are_map: bool,
}

impl Facts {
    pub(crate) fn find(image: &Image) -> Facts {
        let layout = image.layout();
        let global = |name: &str| image.symbol(name).or_else(|| image.global(name).map(|(a, _)| a));
        let allgs = match (global("runtime.allgptr"), global("runtime.allglen")) {
            (Some(ptr), Some(len)) => Some(AllGs::Atomic { ptr, len }),
            _ => global("runtime.allgs").or_else(|| derive::allgs(image)).map(AllGs::Slice),
        };
        Facts {
            g: GOffsets::find(layout),
            m: MOffsets::find(layout),
            allgs,
            specials: Specials::find(image.functions()),
            wait_reasons: global("runtime.waitReasonStrings"),
            wait_texts: [const { OnceLock::new() }; WAIT_REASONS],
            fing_status: global("runtime.fingStatus"),
            heap: OnceLock::new(),
            labels_are_map: labels_are_map(image),
        }
    }

    pub(crate) fn heap(&self, image: &Image) -> &HeapFacts {
        self.heap.get_or_init(|| HeapFacts::find(image))
    }

    /// Text of wait reason `i`: from the process, else from the table.
    pub(crate) fn wait_reason(&self, image: &Image, mem: &dyn Memory, i: u8) -> Option<String> {
        let slot = self.wait_texts.get(usize::from(i))?;
        slot.get_or_init(|| self.read_wait_reason(image, mem, i)).clone()
    }

    fn read_wait_reason(&self, image: &Image, mem: &dyn Memory, i: u8) -> Option<String> {
        let from_process = self.wait_reasons.and_then(|base| {
            let at = base.checked_add(u64::from(i) * 16)?;
            let (ptr, len) = (mem.read_u64(at).ok()?, mem.read_u64(at.checked_add(8)?).ok()?);
            let text = String::from_utf8(mem.read_vec(ptr, usize::try_from(len).ok()?, 128).ok()?).ok()?;
            (!text.is_empty() && text.chars().all(|c| !c.is_control())).then_some(text)
        });
        from_process.or_else(|| image.layout().wait_reason(i).map(str::to_string)).filter(|s| !s.is_empty())
    }
}

/// runtime/pprof.labelMap was `map[string]string` and became a struct with a list together with the Swiss maps.
fn labels_are_map(image: &Image) -> bool {
    let described = image.find_type("runtime/pprof.labelMap");
    match described.and_then(|id| image.type_of(id, image).ok()) {
        Some(ty) => ty.kind == image::Kind::Map,
        None => !image.layout().swiss_maps(),
    }
}

/// The lazily found facts, kept beside the made types for as long as the program lives.
#[derive(Default)]
pub(crate) struct FactsCell(OnceLock<Facts>);

impl FactsCell {
    pub(crate) fn get(&self, image: &Image) -> &Facts {
        self.0.get_or_init(|| Facts::find(image))
    }
}
