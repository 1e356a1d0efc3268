//! The only module that mentions capstone: bytes in, our model ([`crate::model`]) or text out.
//!
//! One decoder per thread and architecture (opening one costs more than decoding a function). Bytes that are no instruction end
//! the decoding; nothing here panics on them.

mod amd64;
mod arm64;
mod operands;
mod simd;

use std::cell::OnceCell;

use capstone::prelude::*;
use machine::Arch;

use crate::model::Inst;

thread_local! {
    static AMD64: OnceCell<Option<Capstone>> = const { OnceCell::new() };
    static ARM64: OnceCell<Option<Capstone>> = const { OnceCell::new() };
}

fn with<T>(arch: Arch, f: impl FnOnce(&Capstone) -> T) -> Option<T> {
    match arch {
        Arch::Amd64 => AMD64.with(|c| {
            c.get_or_init(|| {
                Capstone::new().x86().mode(arch::x86::ArchMode::Mode64).detail(true).build().ok()
            })
            .as_ref()
            .map(f)
        }),
        Arch::Arm64 => ARM64.with(|c| {
            c.get_or_init(|| {
                Capstone::new().arm64().mode(arch::arm64::ArchMode::Arm).detail(true).build().ok()
            })
            .as_ref()
            .map(f)
        }),
    }
}

/// Lifts the instructions of `code`, which lies at `addr`; ends at the first bytes that are none.
pub(crate) fn decode(arch: Arch, code: &[u8], addr: u64) -> Vec<Inst> {
    let mut out = Vec::with_capacity(code.len() / 4);
    with(arch, |cs| {
        let Ok(mut iter) = cs.disasm_iter(code, addr) else { return };
        let mut ops = Vec::new();
        while let Some(insn) = iter.next() {
            let Ok(detail) = cs.insn_detail(&insn) else { break };
            ops.clear();
            let flow = match arch {
                Arch::Amd64 => amd64::lift(&insn, &detail, &mut ops),
                Arch::Arm64 => arm64::lift(&insn, &detail, &mut ops),
            };
            out.push(Inst {
                addr: insn.address(),
                size: insn.len() as u8,
                ops: crate::model::Ops::from_vec(&mut ops),
                flow,
            });
        }
    });
    out
}

/// One instruction as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) addr: u64,
    pub(crate) bytes: Vec<u8>,
    /// Intel syntax on amd64.
    pub(crate) text: String,
}

/// Instructions of `code` as text; bytes that are no instruction become `(bad)` of one byte (amd64) or one word (arm64).
pub(crate) fn text(arch: Arch, code: &[u8], addr: u64, limit: usize) -> Vec<Text> {
    let unit = if arch == Arch::Amd64 { 1 } else { 4 };
    let mut out = Vec::new();
    with(arch, |cs| {
        let mut at = 0usize;
        while at < code.len() && out.len() < limit {
            let Some(rest) = code.get(at..) else { break };
            let before = at;
            if let Ok(mut iter) = cs.disasm_iter(rest, addr.wrapping_add(at as u64)) {
                while let Some(insn) = iter.next() {
                    let text = match (insn.mnemonic(), insn.op_str()) {
                        (Some(m), Some(o)) if !o.is_empty() => format!("{m} {o}"),
                        (Some(m), _) => m.to_string(),
                        _ => "(bad)".to_string(),
                    };
                    at += insn.len();
                    out.push(Text { addr: insn.address(), bytes: insn.bytes().to_vec(), text });
                    if out.len() >= limit {
                        return;
                    }
                }
            }
            if at == before || at < code.len() {
                let Some(bad) = code.get(at..code.len().min(at + unit)) else { break };
                out.push(Text {
                    addr: addr.wrapping_add(at as u64),
                    bytes: bad.to_vec(),
                    text: "(bad)".into(),
                });
                at += bad.len().max(1);
            }
        }
    });
    out
}
