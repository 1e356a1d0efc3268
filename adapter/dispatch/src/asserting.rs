//! Where the type assertions of a running program can be watched: the first instruction of each, the way from there to its outcome,
//! and what the source calls it. Reads only: the outcome is computed from the itab table or the method tables, nothing is called.

use std::sync::Arc;

use image::{FuncId, Image, TypeId};
use machine::{Memory, MemoryExt, Regs};
use rayon::prelude::*;

use crate::api::{SourceText, Span};
use crate::asserts::{AssertForm, AssertSite, Asserted};
use crate::dom;
use crate::engine::Engine;
use crate::flow::{Expr, Flowed, Loc};
use crate::interp::{Machine, Step};
use crate::model::{Alu, Cond, Dst, Flow, Mem, Op, Src};
use crate::source::SourceAssert;
use crate::views::Miss;

/// Blocks that a nil test stands above the assertion, at most.
const MAX_UP: usize = 4;
/// Instructions from the watched one to the runtime call.
const MAX_WAY: usize = 120;
/// Entries of an assertion's cache that are probed.
const MAX_PROBES: u64 = 1 << 16;

/// What the source writes at an assertion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// `x.(T)`
    Assertion,
    /// A case of a type switch.
    Case,
    /// There is no source to ask.
    Unknown,
}

/// One assertion and the instruction to watch for it.
#[derive(Clone, Debug)]
pub struct AssertProbe {
    pub function: FuncId,
    pub site: AssertSite,
    /// The instruction to watch.
    pub pc: u64,
    /// Instructions from there to the site, which is not executed.
    way: Vec<u64>,
    /// The instruction of the way that loads the type out of an itab, and its operand.
    from_itab: Option<(u64, Mem)>,
    /// Neither the word nor what it comes from is an itab.
    empty_interface: bool,
    /// Address of the runtime's cache for this assertion, where the code probes one.
    cache: Option<u64>,
    pub written: Written,
    pub span: Option<Span>,
    /// As written: `v.(T)`; None where the source is not there or several may be meant.
    pub expression: Option<String>,
    /// A failure is a panic.
    pub panics: bool,
    /// Linker name of the (inlined) function that writes it.
    pub owner: String,
}

/// What a watched assertion finds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Descriptor of the dynamic type; None: nil.
    pub dynamic: Option<u64>,
    /// None: a method can't be compared, or a register is lost.
    pub ok: Option<bool>,
    /// The case that an interface switch takes.
    pub case: Option<usize>,
    /// The runtime's cache has the answer.
    pub cached: bool,
    /// The static type of the value: an interface, None where it is not known (of an empty interface: `any`).
    pub interface: Option<TypeId>,
    pub empty_interface: bool,
    /// The type that is asked for; where the code does not say it (one argument of generic code), as the runtime is told.
    pub wanted: Option<TypeId>,
    /// The first method that the dynamic type lacks, and why.
    pub missing: Option<(String, Miss)>,
}

/// What the source says of a site.
struct InSource {
    written: Written,
    span: Option<Span>,
    expression: Option<String>,
    /// The type that is written there is the one that the code asks for.
    by_name: bool,
    comma_ok: bool,
    /// The line.
    line: String,
}

/// Which sites are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    /// All that are evaluated, the failing side being part of the compare before it.
    Evaluated,
    /// `x.(T)` where it may fail: the panic's call where there is one, else the evaluation.
    Failing,
}

impl Engine {
    /// The assertions of functions, in address order. Found in parallel, nothing is cached. What the source does not write (`==`,
    /// guards of the compiler) is left out where there is source.
    pub fn assertion_probes(
        &self,
        image: &Image,
        functions: &[FuncId],
        source: &dyn SourceText,
        wanted: &(dyn Fn(&AssertSite, &str) -> bool + Sync),
    ) -> Vec<AssertProbe> {
        self.probes_in(image, functions, source, wanted, Which::Evaluated)
    }

    /// Where failures of type assertions are seen, in address order: the panicking form at the call that panics, which nothing but a
    /// failure reaches, or before the runtime decides; the comma-ok form where it is evaluated. Cases of type switches are left out, and
    /// so is what can't be told from them because there is no source.
    pub fn failing_assertions(
        &self,
        image: &Image,
        functions: &[FuncId],
        source: &dyn SourceText,
        wanted: &(dyn Fn(&AssertSite, &str) -> bool + Sync),
    ) -> Vec<AssertProbe> {
        self.probes_in(image, functions, source, wanted, Which::Failing)
    }

    fn probes_in(
        &self,
        image: &Image,
        functions: &[FuncId],
        source: &dyn SourceText,
        wanted: &(dyn Fn(&AssertSite, &str) -> bool + Sync),
        which: Which,
    ) -> Vec<AssertProbe> {
        let mut out: Vec<AssertProbe> = functions
            .par_iter()
            .flat_map_iter(|id| self.asserts_of(image, *id, source, wanted, which).unwrap_or_default())
            .collect();
        out.sort_by_key(|p| p.pc);
        out
    }

    fn asserts_of(
        &self,
        image: &Image,
        id: FuncId,
        source: &dyn SourceText,
        wanted: &(dyn Fn(&AssertSite, &str) -> bool + Sync),
        which: Which,
    ) -> Option<Vec<AssertProbe>> {
        let sites = self.assertions(image, id);
        if sites.is_empty() {
            return None;
        }
        let code = self.code(image, image.functions().get(id)?)?;
        let flow = Flowed::new(&code, image);
        let idom = dom::dominators(&code);
        let mut out = Vec::new();
        let panics: Vec<AssertSite> = sites.iter().filter(|s| s.form == AssertForm::Panic).cloned().collect();
        for site in sites {
            if which == Which::Evaluated && site.form == AssertForm::Panic {
                continue;
            }
            let stack = image.functions().inline_stack(site.pc);
            let owner = stack.first().map(|f| f.name.clone()).unwrap_or_default();
            if !wanted(&site, &owner) {
                continue;
            }
            let Some(said) = self.written(image, source, &site) else { continue };
            // The compare whose failing side is a panic of its own.
            let panicking = |p: &AssertSite| {
                p.line == site.line && p.file == site.file && p.wanted == site.wanted && p.pc != site.pc
            };
            let fails_at_panic = site.form == AssertForm::Compare && panics.iter().any(panicking);
            if which == Which::Failing && (fails_at_panic || !may_fail(&site, &said)) {
                continue;
            }
            let Some(index) = code.at(site.pc) else { continue };
            let (from, cache) = first_instruction(image, &flow, &idom, index, &site, &said.line);
            let Some(way) = way(&flow, from, index) else { continue };
            let from_itab = site.itab_load(&flow, index);
            let empty_interface = !site.is_itab() && from_itab.is_none();
            let from_itab = from_itab.filter(|(pc, _)| way.contains(pc));
            out.push(AssertProbe {
                function: id,
                pc: code.inst(from).map_or(site.pc, |i| i.addr),
                way,
                from_itab,
                empty_interface,
                cache,
                written: said.written,
                span: said.span,
                expression: said.expression,
                panics: fails_at_panic || site.panics(),
                owner,
                site,
            });
        }
        Some(out)
    }

    /// What the source writes there; None: no assertion.
    fn written(&self, image: &Image, source: &dyn SourceText, site: &AssertSite) -> Option<InSource> {
        let nothing = |written, line| InSource {
            written,
            span: None,
            expression: None,
            by_name: false,
            comma_ok: false,
            line,
        };
        let Some(text) = source.source(&site.file) else {
            return Some(nothing(Written::Unknown, String::new()));
        };
        let calls = self.sources.get(&site.file, Arc::clone(&text));
        let on: Vec<&SourceAssert> =
            calls.asserts.iter().filter(|a| (a.span.line..=a.span.end_line).contains(&site.line)).collect();
        let names: Vec<String> = site.wanted.iter().map(|t| name_of(image, *t)).collect();
        let plain: Vec<&&SourceAssert> = on.iter().filter(|a| !a.switch).collect();
        let named: Vec<&&SourceAssert> =
            plain.iter().copied().filter(|a| names.iter().any(|n| same_name(n, &a.wanted))).collect();
        let line = text.lines().nth(site.line.saturating_sub(1) as usize).unwrap_or("").to_string();
        let (found, kind) = match (named.as_slice(), plain.as_slice(), on.iter().find(|a| a.switch)) {
            ([one], ..) => (Some(**one), Written::Assertion),
            ([], [one], None) => (Some(**one), Written::Assertion),
            ([], _, Some(case)) => (Some(*case), Written::Case),
            ([], [], None) => return None,
            // Several on the line: which one is not certain.
            _ => (None, Written::Assertion),
        };
        if site.form == AssertForm::Switch && kind == Written::Assertion {
            return Some(nothing(Written::Case, line));
        }
        let candidates = if named.is_empty() { &plain } else { &named };
        Some(InSource {
            written: kind,
            span: found.map(|a| a.span),
            expression: found.map(|a| a.text.clone()).filter(|t| !t.is_empty()),
            by_name: !named.is_empty(),
            comma_ok: found.map_or_else(|| candidates.iter().any(|a| a.comma_ok), |a| a.comma_ok),
            line,
        })
    }

    /// What the assertion finds for the thread that is stopped at its probe.
    pub fn read_probe(&self, image: &Image, mem: &dyn Memory, regs: &Regs, probe: &AssertProbe) -> Found {
        let read_only = |a: u64| image.is_read_only(a);
        let mut m = Machine::new(mem, regs, &read_only);
        let mut nil = false;
        let mut source = None;
        let code = image.functions().at(probe.pc).and_then(|f| self.code(image, f));
        // Both sides of each branch lead over the same words: only the way to the call is of interest.
        for pc in &probe.way {
            let inst = code.as_ref().and_then(|c| c.inst(c.at(*pc)?));
            let Some(inst) = inst else { return Found::default() };
            if let Some((load, operand)) = &probe.from_itab
                && load == pc
            {
                source = m.address(operand).map(|a| a.n.wrapping_sub(8));
            }
            if let Step::Fault(_) = m.step(inst, true) {
                nil = true;
                break;
            }
        }
        let (itab, seen) = match nil {
            true => (None, Asserted { dynamic: None, ok: Some(false), case: None }),
            false => self.read_with(image, mem, &m, &probe.site),
        };
        let mut found = Found { dynamic: seen.dynamic, ok: seen.ok, case: seen.case, ..Found::default() };
        let told = || probe.site.told(image, regs, 1).map(|t| image.type_from_runtime(t));
        found.wanted = probe.site.wanted.first().copied().or_else(told);
        found.cached = seen.dynamic.is_some_and(|d| probe.is_cached(mem, d));
        // A word at offset 8 of something else looks like an itab's type.
        let source = source.filter(|i| image.itab(*i, mem).is_ok_and(|i| Some(i.typ) == seen.dynamic));
        found.interface = itab
            .or(source)
            .and_then(|i| mem.read_u64(i).ok())
            .or_else(|| probe.site.constant_interface(mem))
            .or_else(|| probe.site.told(image, regs, 2))
            .map(|i| image.type_from_runtime(i));
        found.empty_interface =
            found.interface.is_none() && (probe.empty_interface || seen.dynamic.is_some());
        if found.ok == Some(false)
            && matches!(probe.site.form, AssertForm::Interface | AssertForm::Panic)
            && let (Some(typ), Some(inter)) = (found.dynamic, self.wanted_descriptor(image, mem, &probe.site))
        {
            found.missing = crate::views::missing_method(image, mem, typ, inter).ok().flatten();
        }
        found
    }

    fn wanted_descriptor(&self, image: &Image, mem: &dyn Memory, site: &AssertSite) -> Option<u64> {
        image.type_of(*site.wanted.first()?, mem).ok()?.runtime
    }
}

/// Whether a site is an assertion of the author's whose failure can be seen there.
fn may_fail(site: &AssertSite, said: &InSource) -> bool {
    match site.form {
        AssertForm::Panic => said.written != Written::Case,
        AssertForm::Switch => false,
        AssertForm::Compare => said.written == Written::Assertion && said.comma_ok,
        AssertForm::Interface if site.panics() => said.written != Written::Case,
        // Conversions between interfaces are compiled the same way, and a nil interface converts to nil.
        AssertForm::Interface => said.written == Written::Assertion && said.comma_ok && said.by_name,
    }
}

impl AssertProbe {
    /// abi.TypeAssertCache {Mask, Entries [1]{Typ, Itab}}, abi.InterfaceSwitchCache {Mask, Entries [1]{Typ, Case, Itab}}: open
    /// addressing by the type's hash, as the compiler's inline probe does it.
    fn is_cached(&self, mem: &dyn Memory, typ: u64) -> bool {
        let size = if self.site.form == AssertForm::Switch { 24 } else { 16 };
        let probe = || -> Option<bool> {
            let cache = mem.read_u64(self.cache?).ok()?;
            let mask = mem.read_u64(cache).ok()?;
            let mut hash = u64::from(mem.read_u32(typ.wrapping_add(16)).ok()?);
            for _ in 0..=mask.min(MAX_PROBES) {
                let entry = cache.wrapping_add(8).wrapping_add((hash & mask).wrapping_mul(size));
                match mem.read_u64(entry).ok()? {
                    0 => return Some(false),
                    t if t == typ => return Some(true),
                    _ => hash = hash.wrapping_add(1),
                }
            }
            None
        };
        probe() == Some(true)
    }
}

/// Unqualified name of a type: what the source may write.
fn name_of(image: &Image, ty: TypeId) -> String {
    image.type_of(ty, image).map(|t| image::names::short(&t.name)).unwrap_or_default()
}

/// `*main.Square` and `*Square`, `shapes.Square` and `*sq.Square`: the last names agree, and so do the stars.
fn same_name(full: &str, written: &str) -> bool {
    let last = |s: &str| {
        let head = s.split('[').next().unwrap_or(s);
        head.rsplit(['.', '*']).next().unwrap_or(head).to_string()
    };
    let stars = |s: &str| s.bytes().take_while(|b| *b == b'*').count();
    let plain = |s: &str| s.split_whitespace().collect::<String>();
    let (full, written) = (plain(full), plain(written));
    let composite = |s: &str| s.contains(['{', '(']) || s.starts_with('[');
    if composite(&full) || composite(&written) {
        let squeezed = |s: &str| s.replace("interface{", "{").replace(';', "");
        return squeezed(&full) == squeezed(&written) || composite(&full) == composite(&written);
    }
    stars(&full) == stars(&written) && last(&full) == last(&written)
        || matches!((&*full, &*written), ("uint8", "byte") | ("int32", "rune") | ("interface{}", "any"))
}

/// Where the assertion begins, and its cache's address: the call or compare; before it the load of the cache; before that the nil
/// test on the same line.
fn first_instruction(
    image: &Image,
    flow: &Flowed<'_>,
    idom: &[Option<usize>],
    site_at: usize,
    site: &AssertSite,
    line_text: &str,
) -> (usize, Option<u64>) {
    if site.form == AssertForm::Compare {
        return (site_at, None);
    }
    let load = site.descriptor(flow, site_at).and_then(|d| Some((cache_load(flow, idom, site_at, d)?, d)));
    let (start, cache) = load.map_or((site_at, None), |(i, d)| (i, Some(d)));
    // A nil test that the author wrote is not the assertion's.
    if site.form == AssertForm::Switch || line_text.contains("nil") {
        return (start, cache);
    }
    (nil_test(image, flow, idom, start, site_at, site).unwrap_or(start), cache)
}

fn block_of(flow: &Flowed<'_>, i: usize) -> Option<usize> {
    flow.code.block_of.get(i).map(|b| *b as usize)
}

fn dominates(idom: &[Option<usize>], above: usize, mut b: usize) -> bool {
    for _ in 0..64 {
        if b == above {
            return true;
        }
        match idom.get(b).copied().flatten() {
            Some(up) if up != b => b = up,
            _ => return false,
        }
    }
    false
}

/// The load of the descriptor's first word that comes before the call on every way.
fn cache_load(flow: &Flowed<'_>, idom: &[Option<usize>], site_at: usize, desc: u64) -> Option<usize> {
    let call = block_of(flow, site_at)?;
    flow.code.insts.iter().enumerate().take(site_at).find_map(|(i, inst)| {
        let loads = inst.ops.iter().any(|op| match op {
            Op::Mov { src: Src::Mem(m), size: 8, .. } => flow.absolute(i, m) == Some(desc),
            _ => false,
        });
        (loads && dominates(idom, block_of(flow, i)?, call)).then_some(i)
    })
}

/// The test of the assertion's own word against nil, on the same line, at most a few blocks above.
fn nil_test(
    image: &Image,
    flow: &Flowed<'_>,
    idom: &[Option<usize>],
    start: usize,
    site_at: usize,
    site: &AssertSite,
) -> Option<usize> {
    let words = site.word_origins(flow, site_at);
    let place = image.functions().inline_stack(site.pc);
    let mut b = block_of(flow, start)?;
    for up in 0..MAX_UP {
        if up > 0 {
            b = idom.get(b).copied().flatten().filter(|x| *x != b)?;
        }
        let block = flow.code.blocks.get(b)?;
        let last = if up == 0 { start } else { block.end };
        let test = (block.first..last).rev().find(|i| {
            let tested =
                |op: &Op| match op {
                    Op::Alu {
                        op: Alu::And, dst: Dst::None, a: Src::Reg(x), b: Src::Reg(y), size: 8, ..
                    } if x == y => Some(Loc::Reg(*x)),
                    Op::Alu {
                        op: Alu::Sub, dst: Dst::None, a: Src::Reg(x), b: Src::Imm(0), size: 8, ..
                    } => Some(Loc::Reg(*x)),
                    Op::Alu {
                        op: Alu::Sub, dst: Dst::None, a: Src::Mem(m), b: Src::Imm(0), size: 8, ..
                    } if m.base == Some(crate::code::sp_reg(flow.code.arch)) && m.index.is_none() => {
                        Some(Loc::Slot(flow.code.slot(*i, m.disp)))
                    }
                    _ => None,
                };
            let Some(inst) = flow.code.inst(*i) else { return false };
            let same_place = || {
                let here = image.functions().inline_stack(inst.addr);
                here.len() == place.len()
                    && here.iter().zip(&place).all(|(a, b)| a.line == b.line && a.name == b.name)
            };
            inst.ops.iter().filter_map(tested).any(|loc| {
                let here: Vec<_> = flow.origins(*i, loc).into_iter().map(|d| (d.at, d.loc)).collect();
                !here.is_empty() && here.iter().all(|d| words.contains(d)) && same_place()
            })
        });
        if let Some(i) = test
            && matches!(
                flow.code.inst(block.end.checked_sub(1)?).map(|x| x.flow),
                Some(Flow::Branch(Cond::Eq | Cond::Ne, _))
            )
        {
            return Some(i);
        }
    }
    None
}

/// Addresses of the instructions from `from` up to, without, `to`, on the shortest way through the blocks.
fn way(flow: &Flowed<'_>, from: usize, to: usize) -> Option<Vec<u64>> {
    let (first, last) = (block_of(flow, from)?, block_of(flow, to)?);
    let blocks = if first == last && from <= to { vec![first] } else { shortest(flow, first, last)? };
    let mut out = Vec::new();
    for (n, b) in blocks.iter().enumerate() {
        let block = flow.code.blocks.get(*b)?;
        let begin = if n == 0 { from } else { block.first };
        let end = if n + 1 == blocks.len() { to } else { block.end };
        out.extend((begin..end).filter_map(|i| flow.code.inst(i)).map(|i| i.addr));
        if out.len() > MAX_WAY {
            return None;
        }
    }
    Some(out)
}

fn shortest(flow: &Flowed<'_>, first: usize, last: usize) -> Option<Vec<usize>> {
    let mut before = rustc_hash::FxHashMap::default();
    let mut queue = std::collections::VecDeque::from([first]);
    while let Some(b) = queue.pop_front() {
        for s in &flow.code.blocks.get(b)?.succs {
            if *s != first && !before.contains_key(s) {
                before.insert(*s, b);
                queue.push_back(*s);
            }
        }
        if before.len() > 4096 {
            return None;
        }
    }
    let mut out = vec![last];
    while out.last() != Some(&first) {
        out.push(*before.get(out.last()?)?);
    }
    out.reverse();
    Some(out)
}

impl AssertSite {
    /// Descriptor of a cached form.
    fn descriptor(&self, flow: &Flowed<'_>, at: usize) -> Option<u64> {
        if self.is_itab() || !self.takes_descriptor() {
            return None;
        }
        flow.constant(at, Loc::Reg(flow.code.arch.int_args().first()?.0 as u8))
    }

    /// An argument of the call that panics: (have, want, static type).
    fn told(&self, image: &Image, regs: &Regs, argument: usize) -> Option<u64> {
        let word = || regs.get(*image.arch().int_args().get(argument)?);
        if self.form == AssertForm::Panic { word().filter(|w| *w != 0) } else { None }
    }

    /// Where the interface's first word comes from: the definitions of the type word, or of the itab it is loaded from.
    fn word_origins(&self, flow: &Flowed<'_>, at: usize) -> Vec<(usize, Loc)> {
        let Some(Loc::Reg(word)) = self.word_register() else { return Vec::new() };
        let mut out = Vec::new();
        for d in flow.origins(at, Loc::Reg(word)) {
            out.push((d.at, d.loc));
            if let Expr::Load(Mem { base: Some(base), index: None, disp: 8, .. }) = d.expr {
                out.extend(flow.origins(d.at, Loc::Reg(base)).into_iter().map(|d| (d.at, d.loc)));
            }
        }
        out
    }

    /// The load of the type word out of an itab, if that is where it comes from.
    fn itab_load(&self, flow: &Flowed<'_>, at: usize) -> Option<(u64, Mem)> {
        let Loc::Reg(word) = self.word_register()? else { return None };
        flow.origins(at, Loc::Reg(word)).into_iter().find_map(|d| match d.expr {
            Expr::Load(m @ Mem { base: Some(_), index: None, disp: 8, .. }) => {
                Some((flow.code.inst(d.at)?.addr, m))
            }
            _ => None,
        })
    }
}
