//! Disassembly with notes: which itab, which call, which assertion.

use std::ops::Range;
use std::sync::Arc;

use image::{Image, TypeId};
use machine::Memory;
use rustc_hash::FxHashMap;

use crate::api::{Claim, SiteKind};
use crate::asserts::{AssertForm, AssertSite};
use crate::decode;
use crate::engine::{Analysis, Engine};
use crate::model::{Op, Src};

/// Bytes of one request.
const MAX_BYTES: usize = 4 << 20;

/// One instruction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instruction {
    pub addr: u64,
    pub bytes: Vec<u8>,
    /// Intel syntax on amd64; `(bad)` where the bytes are no instruction.
    pub text: String,
    /// `itab of io.Writer`, `call io.Writer.Write`, `closure main.f.func1`, `assert *os.File`, `type *os.File`; None when there is
    /// nothing to say.
    pub note: Option<String>,
}

/// What there is to say of one function.
struct Noted {
    range: Range<u64>,
    analysis: Arc<Analysis>,
    /// By the pc of the compare or call.
    asserts: FxHashMap<u64, String>,
}

impl Engine {
    /// The instructions in a range of addresses, with notes; shorter where memory can't be read. Bytes come from the process
    /// (breakpoints masked by `mem`).
    pub fn disassemble(&self, image: &Image, mem: &dyn Memory, range: Range<u64>) -> Vec<Instruction> {
        let len = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(MAX_BYTES);
        let mut bytes = vec![0; len.min(MAX_BYTES)];
        let n = mem.read(range.start, &mut bytes).unwrap_or(0);
        bytes.truncate(n);
        let lines = decode::text(image.arch(), &bytes, range.start, MAX_BYTES);
        let mut current: Option<Noted> = None;
        lines
            .into_iter()
            .map(|l| {
                let inside = current.as_ref().is_some_and(|n| n.range.contains(&l.addr));
                if !inside {
                    current = image.functions().at(l.addr).and_then(|f| self.noted(image, f));
                }
                let note = current.as_ref().and_then(|n| {
                    n.asserts.get(&l.addr).cloned().or_else(|| self.note(image, &n.analysis, l.addr))
                });
                Instruction { addr: l.addr, bytes: l.bytes, text: l.text, note }
            })
            .collect()
    }

    fn noted(&self, image: &Image, f: image::Function<'_>) -> Option<Noted> {
        let name = |t: &TypeId| type_name(image, *t);
        let note = |a: &AssertSite| {
            let wanted = a.wanted.iter().map(name).collect::<Vec<_>>().join(", ");
            Some(match a.form {
                _ if wanted.is_empty() => return None,
                AssertForm::Compare | AssertForm::Interface => format!("assert {wanted}"),
                AssertForm::Switch => format!("assert one of {wanted}"),
                AssertForm::Panic => format!("assert {wanted} failed"),
            })
        };
        let asserts = self.assertions(image, f.id());
        Some(Noted {
            range: f.entry()..f.end(),
            analysis: self.analysis(image, f)?,
            asserts: asserts.iter().filter_map(|a| Some((a.pc, note(a)?))).collect(),
        })
    }

    fn note(&self, image: &Image, a: &Analysis, pc: u64) -> Option<String> {
        let i = a.code.at(pc)?;
        if let Some(site) = a.by_index.get(&i).and_then(|k| a.sites.get(*k)) {
            return self.site_note(image, site);
        }
        if a.loads.contains(&pc)
            && let Some(s) = a.sites.iter().find(|s| s.loads.iter().any(|l| l.pc == pc))
        {
            let slot = s.slot.unwrap_or(0);
            return Some(match (&s.interface, &s.method) {
                (Claim::Known { interface, .. }, Some(m)) => {
                    format!("itab of {}, {m}", type_name(image, *interface))
                }
                (Claim::Known { interface, .. }, None) => {
                    format!("itab of {}, slot {slot}", type_name(image, *interface))
                }
                _ => format!("itab, slot {slot}"),
            });
        }
        // Addresses of itabs and type descriptors.
        a.code.inst(i)?.ops.iter().find_map(|op| {
            let addr = match op {
                Op::Lea { mem, .. } if mem.base.is_none() && mem.index.is_none() => mem.disp as u64,
                Op::Mov { src: Src::Imm(v), size: 8, .. } => *v as u64,
                _ => return None,
            };
            if let Some(i) = self.itabs(image).get(addr) {
                let (t, i) = (TypeId::Runtime(i.typ), TypeId::Runtime(i.inter));
                return Some(format!("itab {} as {}", type_name(image, t), type_name(image, i)));
            }
            let ty = image.type_range().contains(&addr).then_some(TypeId::Runtime(addr))?;
            image.type_of(ty, image).ok().map(|t| format!("type {}", image::names::short(&t.name)))
        })
    }

    fn site_note(&self, image: &Image, s: &crate::api::Site) -> Option<String> {
        let name = |t: u64| image.functions().at(t).map(|f| crate::names::display(image, f.name()));
        Some(match s.kind {
            SiteKind::Interface => {
                let target = s
                    .constant_itab
                    .and_then(|i| self.itabs(image).get(i))
                    .and_then(|i| i.fun.get(s.slot? as usize).copied())
                    .and_then(name);
                let what = match (&s.interface, &s.method) {
                    (Claim::Known { interface, .. }, Some(m)) => {
                        format!("call {}.{m}", type_name(image, *interface))
                    }
                    (_, Some(m)) => format!("call interface method {m}"),
                    _ => format!("call interface method, slot {}", s.slot.unwrap_or(0)),
                };
                match target {
                    Some(t) => format!("{what} -> {t}"),
                    None => what,
                }
            }
            SiteKind::Closure => "call func value".into(),
            SiteKind::Dictionary { word } => format!("call through dictionary word {word}"),
            SiteKind::Constant { target } => format!("closure {}", name(target)?),
            SiteKind::Static { target } => name(target)?,
            SiteKind::Other => return None,
        })
    }
}

fn type_name(image: &Image, t: TypeId) -> String {
    image.type_of(t, image).map_or_else(|_| "?".into(), |t| image::names::short(&t.name))
}
