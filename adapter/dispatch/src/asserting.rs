//! Where the type assertions of a running program can be watched: the first instruction of each, the way from there to its outcome,
//! and what the source calls it. Reads only: the outcome is computed from the itab table or the method tables, nothing is called.

mod way;
mod written;

use image::{FuncId, Image, TypeId};
use machine::{Memory, MemoryExt, Regs};
use rayon::prelude::*;

use crate::api::{SourceText, Span};
use crate::asserts::{AssertForm, AssertSite, Asserted};
use crate::dom;
use crate::engine::Engine;
use crate::flow::Flowed;
use crate::interp::{Machine, Step};
use crate::model::Mem;
use crate::views::Miss;
use way::{failing_side, first_instruction, way};
pub use written::Written;
use written::may_fail;

/// Entries of an assertion's cache that are probed.
const MAX_PROBES: u64 = 1 << 16;

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
            let Some(mut way) = way(&flow, from, index) else { continue };
            let from_itab = site.itab_load(&flow, index);
            let empty_interface = !site.is_itab() && from_itab.is_none();
            let mut pc = code.inst(from).map_or(site.pc, |i| i.addr);
            if which == Which::Failing
                && from_itab.is_none()
                && let Some(side) = failing_side(image, &flow, index, &site)
            {
                (pc, way) = (side, Vec::new());
            }
            let from_itab = from_itab.filter(|(pc, _)| way.contains(pc));
            out.push(AssertProbe {
                function: id,
                pc,
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

impl AssertSite {
    /// An argument of the call that panics: (have, want, static type).
    fn told(&self, image: &Image, regs: &Regs, argument: usize) -> Option<u64> {
        let word = || regs.get(*image.arch().int_args().get(argument)?);
        if self.form == AssertForm::Panic { word().filter(|w| *w != 0) } else { None }
    }
}
