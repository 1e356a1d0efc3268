//! Instructions as text, with what is known of each: calls named, itabs and types recognised. Reads only.

use std::ops::Range;

use image::Image;
use machine::{Memory, MemoryExt};

use crate::{Claim, Engine, Site, SiteKind, decode};

/// Bytes of one listing, at most: the largest function of the Go distribution is far below.
const MAX_BYTES: u64 = 4 << 20;

/// One line of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instruction {
    pub addr: u64,
    pub bytes: Vec<u8>,
    /// Intel syntax on amd64; `(bad)` where the bytes are no instruction.
    pub text: String,
    /// `call io.Writer.Write`, `main.main`: what a reader would look up.
    pub note: Option<String>,
}

impl Engine {
    /// The instructions in a range of addresses; shorter where memory can't be read.
    pub fn disassemble(&self, image: &Image, mem: &dyn Memory, range: Range<u64>) -> Vec<Instruction> {
        let len = range.end.saturating_sub(range.start).min(MAX_BYTES) as usize;
        let Ok(code) = mem.read_vec(range.start, len, MAX_BYTES as usize) else { return Vec::new() };
        let sites = image.functions().at(range.start).map(|f| self.sites(image, f.id()));
        decode::text(image.arch(), &code, range.start, usize::MAX)
            .into_iter()
            .map(|t| {
                let site = sites.iter().flat_map(|s| s.iter()).find(|s| s.pc == t.addr);
                let note = site.and_then(|s| note(image, mem, s));
                Instruction { addr: t.addr, bytes: t.bytes, text: t.text, note }
            })
            .collect()
    }
}

fn note(image: &Image, mem: &dyn Memory, site: &Site) -> Option<String> {
    let function = |addr: u64| {
        image.functions().at(addr).map(|f| image::names::short(&image::names::unescape(f.name())))
    };
    match site.kind {
        SiteKind::Static { target } | SiteKind::Constant { target } => function(target),
        SiteKind::Interface => {
            let method = site.method.clone().or_else(|| site.slot.map(|s| format!("slot {s}")))?;
            let interface = match &site.interface {
                Claim::Known { interface, .. } => {
                    image.type_of(*interface, mem).ok().map(|t| image::names::short(&t.name))
                }
                Claim::Ambiguous(_) | Claim::Unknown(_) => None,
            };
            Some(format!("call {}.{method}", interface.as_deref().unwrap_or("?")))
        }
        SiteKind::Closure => Some("closure".into()),
        SiteKind::Dictionary { word } => Some(format!("dictionary word {word}")),
        SiteKind::Other => None,
    }
}
