//! Where the interface calls of a running program can be watched: one instruction for each call, passed exactly once per call, at
//! which the itab is still at hand; and the call's arguments there. Reads only.

use std::sync::Arc;

use image::{FuncId, Image, TypeId};
use machine::{Memory, Reg, Regs};
use rayon::prelude::*;

use crate::abi::{self, Place};
use crate::api::{Site, SiteKind, SourceText, Span};
use crate::code::{Code, sp_reg};
use crate::engine::{Analysis, Engine, World};
use crate::flow::{Flowed, Loc};
use crate::interp::{Machine, Step};
use crate::matching::{self, Machine as Written};
use crate::model::{Flow, Op, R, Special, Src};
use crate::predict::{Line, Prediction};

/// Instructions between a load and its call, at most.
const MAX_WAY: usize = 80;

/// Where the itab is at the watched instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItabAt {
    Register(Reg),
    Constant(u64),
    /// Overwritten: only the target is known there.
    Lost,
}

/// One interface call and the instruction to watch for it.
#[derive(Clone, Debug)]
pub struct Probe {
    pub function: FuncId,
    pub site: Arc<Site>,
    pub pc: u64,
    pub itab: ItabAt,
    /// An instruction between here and the call may fault: whether the call happens must be asked at each hit.
    pub may_fault: bool,
    pub span: Option<Span>,
    /// As written: `w.Write`.
    pub expression: Option<String>,
}

impl Engine {
    /// The interface calls of functions, in address order. Found in parallel, nothing is cached.
    pub fn interface_probes(
        &self,
        image: &Image,
        functions: &[FuncId],
        source: &dyn SourceText,
        wanted: &(dyn Fn(&Site) -> bool + Sync),
    ) -> Vec<Probe> {
        let mut out: Vec<Probe> = functions
            .par_iter()
            .flat_map_iter(|id| self.probes_of(image, *id, source, wanted).unwrap_or_default())
            .collect();
        out.sort_by_key(|p| p.pc);
        out
    }

    fn probes_of(
        &self,
        image: &Image,
        id: FuncId,
        source: &dyn SourceText,
        wanted: &(dyn Fn(&Site) -> bool + Sync),
    ) -> Option<Vec<Probe>> {
        let a = self.dynamic_analysis(image, id)?;
        let read_only = |at: u64| image.is_read_only(at);
        let w = World { engine: self, image, mem: image, read_only: &read_only };
        let flow = Flowed::new(&a.code, image);
        let sites = a.sites.iter().enumerate();
        let calls = sites.filter(|(_, s)| s.kind == SiteKind::Interface && wanted(s));
        let probe = |(k, site): (usize, &Arc<Site>)| {
            let (pc, itab, may_fault) = watch(&a.code, &flow, site);
            let written = written(&w, &a, k, source);
            Probe {
                function: id,
                site: site.clone(),
                pc,
                itab,
                may_fault,
                span: written.as_ref().map(|c| c.0),
                expression: written.map(|c| c.1),
            }
        };
        Some(calls.map(probe).collect())
    }

    /// The arguments of the call that a thread stopped at a probe is about to make: one entry for each type, the bytes or why they
    /// are not known. The receiver's word goes first in the registers and is not among `types`.
    pub fn call_arguments(
        &self,
        image: &Image,
        mem: &dyn Memory,
        regs: &Regs,
        site: &Site,
        word: TypeId,
        types: &[TypeId],
    ) -> Result<Vec<Result<Vec<u8>, String>>, String> {
        let read_only = |a: u64| image.is_read_only(a);
        let m = self.at_call(image, Machine::new(mem, regs, &read_only), regs.pc(), site)?;
        let all: Vec<TypeId> = std::iter::once(word).chain(types.iter().copied()).collect();
        let (assigned, _) = abi::assign(image, &all, if site.tail { 8 } else { 0 });
        let mut floats = 0;
        let mut words: Vec<(usize, u64, Option<u64>)> = Vec::new();
        for part in assigned {
            let value = match part.place {
                Place::Int(n) => m.arg(n).map(|v| v.n),
                Place::Float => {
                    floats += 1;
                    m.vector(floats - 1)
                }
                Place::Stack(off) => {
                    m.sp().and_then(|sp| m.load(sp.n.wrapping_add(off as u64), 8, true)).map(|v| v.n)
                }
            };
            words.push((part.index, part.offset, value));
        }
        let gather = |(i, ty): (usize, &TypeId)| {
            let size = image.type_of(*ty, mem).map_err(|e| e.to_string())?.size;
            let mut bytes = vec![0; usize::try_from(size.min(4096)).unwrap_or(0)];
            let parts: Vec<_> = words.iter().filter(|w| w.0 == i + 1).collect();
            if parts.is_empty() && !bytes.is_empty() {
                return Err("passed on the stack".to_string());
            }
            for (_, offset, value) in parts {
                let value = value.ok_or("not known at the call")?.to_le_bytes();
                let at = usize::try_from(*offset).unwrap_or(usize::MAX);
                let room = bytes.len().saturating_sub(at).min(8);
                if let (Some(to), Some(from)) = (bytes.get_mut(at..at + room), value.get(..room)) {
                    to.copy_from_slice(from);
                }
            }
            Ok(bytes)
        };
        Ok(types.iter().enumerate().map(gather).collect())
    }

    /// Whether the call is reached from a probe; false: an instruction on the way faults.
    pub fn call_is_reached(&self, image: &Image, mem: &dyn Memory, regs: &Regs, site: &Site) -> bool {
        let read_only = |a: u64| image.is_read_only(a);
        let m = Machine::new(mem, regs, &read_only);
        !matches!(self.at_call(image, m, regs.pc(), site), Err(why) if why == FAULT)
    }

    /// Interprets from `pc` up to the call, which is not executed.
    fn at_call<'a>(
        &self,
        image: &Image,
        mut m: Machine<'a>,
        mut pc: u64,
        site: &Site,
    ) -> Result<Machine<'a>, String> {
        let f = image.functions().at(pc).ok_or("not Go code")?;
        let code = self.code(image, f).ok_or("no machine code")?;
        for _ in 0..MAX_WAY {
            if pc == site.pc {
                return Ok(m);
            }
            let inst = code.at(pc).and_then(|i| code.inst(i)).ok_or("the call was not reached")?;
            match m.step(inst, true) {
                Step::Next => pc = inst.end(),
                Step::Fault(_) => return Err(FAULT.into()),
                _ => return Err("the call was not reached".into()),
            }
        }
        Err("the call was not reached".into())
    }
}

const FAULT: &str = "an instruction before the call faults";

/// The last instruction before the call at which the itab's register is intact: the call itself, or the one that overwrites it.
fn watch(code: &Code, flow: &Flowed<'_>, site: &Site) -> (u64, ItabAt, bool) {
    let lost = (site.pc, ItabAt::Lost, false);
    if let Some(itab) = site.constant_itab {
        return (site.pc, ItabAt::Constant(itab), false);
    }
    let ([load], Some(call)) = (site.loads.as_slice(), code.at(site.pc)) else { return lost };
    let (Some(base), Some(first)) = (load.base, code.at(load.pc)) else { return lost };
    if first >= call || code.block_of.get(first) != code.block_of.get(call) {
        return lost;
    }
    let between = |from: usize| (from..call).filter_map(|k| code.inst(k));
    if between(first).any(|i| matches!(i.flow, Flow::Call(_))) {
        return lost;
    }
    let overwritten = (first..call).find(|k| flow.defines(*k, Loc::Reg(base.0 as R)).is_some());
    let at = overwritten.unwrap_or(call);
    let pc = code.inst(at).map_or(site.pc, |i| i.addr);
    let rest = if at == first { first + 1 } else { at };
    let may_fault = between(rest).any(|i| i.ops.iter().any(|op| faults(code, op)));
    (pc, ItabAt::Register(base), may_fault)
}

/// The operation reads or writes memory that is not the own frame's.
fn faults(code: &Code, op: &Op) -> bool {
    let foreign = |m: &crate::model::Mem| m.base != Some(sp_reg(code.arch)) && m.base.is_some();
    let src = |s: &Src| matches!(s, Src::Mem(m) if foreign(m));
    let dst = |d: &crate::model::Dst| matches!(d, crate::model::Dst::Mem(m) if foreign(m));
    match op {
        Op::Mov { dst: d, src: s, .. } => dst(d) || src(s),
        Op::Alu { dst: d, a, b, .. } => dst(d) || src(a) || src(b),
        Op::Select { dst: d, a, b, .. } => dst(d) || src(a) || src(b),
        Op::Choose { a, b, .. } => src(a) || src(b),
        Op::SetCond { dst: d, .. } | Op::Clobber { dst: d, .. } => dst(d),
        Op::Special { op, dst: d, src: s, .. } => {
            matches!(op, Special::Div { .. } | Special::RepMovs | Special::RepStos) || dst(d) || src(s)
        }
        Op::Simd { src: s, .. } => src(s),
        Op::Lea { .. } | Op::ClobberFlags => false,
    }
}

/// Where the source writes the call, as far as that is certain.
fn written(w: &World<'_>, a: &Analysis, k: usize, source: &dyn SourceText) -> Option<(Span, String)> {
    let site = a.sites.get(k)?;
    let text = source.source(&site.file)?;
    let parsed = w.engine.sources.get(&site.file, text);
    let calls = parsed.on_line(site.line, site.start_line);
    let stack = w.image.functions().inline_stack(site.pc);
    let line = Line::of(&stack, 0)?;
    let on_line = matching::sites_on(w, a, &line);
    let machine: Vec<Written> = matching::machine_calls(w, a, &on_line, &Prediction::default());
    let at = machine.iter().position(|m| m.site == Some(k))?;
    let index = matching::assign(&machine, &calls).get(at).copied().flatten()?;
    calls.get(index).map(|c| (c.span, c.callee.clone()))
}
