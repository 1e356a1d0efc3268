//! The caches: decoded functions and their sites, by entry address (names aren't unique).

use std::sync::{Arc, Mutex, OnceLock};

use image::{Function, Image};
use machine::{Memory, MemoryExt};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::api::{Site, SiteKind};
use crate::classify::{self, Found};
use crate::code::Code;
use crate::flow::Flowed;
use crate::itabs::StaticItabs;
use crate::types::Typer;

/// Functions kept; beyond it the caches start anew.
const MAX_CACHED: usize = 4096;

/// What is known of a function's calls.
pub(crate) struct Analysis {
    pub(crate) code: Arc<Code>,
    pub(crate) found: Vec<Found>,
    pub(crate) sites: Arc<[Arc<Site>]>,
    /// Instruction index -> index in `sites`.
    pub(crate) by_index: FxHashMap<usize, usize>,
    /// Frame slots whose address is taken, relative to the SP at entry.
    pub(crate) taken: Vec<i64>,
    pub(crate) loads: Arc<FxHashSet<u64>>,
    /// The loads of a func value's code: nobody writes there.
    pub(crate) constants: FxHashSet<u64>,
}

/// Answers about one image's code; share it over all stops. Cheap to make: everything is found on demand.
#[derive(Default)]
pub struct Engine {
    codes: Mutex<FxHashMap<u64, Option<Arc<Code>>>>,
    analyses: Mutex<FxHashMap<u64, Option<Arc<Analysis>>>>,
    itabs: OnceLock<StaticItabs>,
    descriptors: OnceLock<Vec<u64>>,
    pub(crate) sources: crate::source::Cache,
    pub(crate) shared: crate::types::Shared,
    /// Facts about the program's runtime.
    made: golang::MadeTypes,
}

/// Everything a reader of the stopped process needs.
#[derive(Clone, Copy)]
pub(crate) struct World<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) image: &'a Image,
    pub(crate) mem: &'a dyn Memory,
    pub(crate) read_only: &'a (dyn Fn(u64) -> bool + Sync),
}

impl World<'_> {
    /// Other goroutines may run before this one gets on: the bounds of its own stack, which they don't write to. None: there are none.
    pub(crate) fn others(&self, regs: &machine::Regs) -> Option<(u64, u64)> {
        let process = golang::Process::new(self.image, self.mem, &[], &self.engine.made);
        let g = regs.get(self.image.arch().g()).unwrap_or(0);
        if !process.others_may_run(g) {
            return None;
        }
        let word = |at: u64| self.mem.read_u64(at).ok();
        let stack = word(g).zip(g.checked_add(8).and_then(word));
        Some(stack.filter(|(low, high)| (*low..*high).contains(&regs.sp())).unwrap_or((0, 0)))
    }
}

fn locked<T>(m: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    m.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Engine {
    /// One per image.
    pub fn new() -> Engine {
        Engine::default()
    }

    pub(crate) fn made(&self) -> &golang::MadeTypes {
        &self.made
    }

    pub(crate) fn itabs(&self, image: &Image) -> &StaticItabs {
        self.itabs.get_or_init(|| StaticItabs::new(image))
    }

    /// All type descriptors of the file, sorted: they don't change while the program runs.
    pub(crate) fn descriptors(&self, image: &Image) -> &[u64] {
        self.descriptors.get_or_init(|| crate::typegraph::of_file(self, image))
    }

    /// The operations of a source line that can panic, in source order; nothing where there is no source.
    pub fn operations(
        &self,
        source: &dyn crate::api::SourceText,
        file: &Arc<str>,
        line: u32,
    ) -> Vec<crate::Operation> {
        source.source(file).map(|text| crate::source::operations::on_line(&text, line)).unwrap_or_default()
    }

    /// A named type of the program, also where there is no debug information.
    pub fn type_named(&self, image: &Image, name: &str) -> Option<image::TypeId> {
        self.named_type(image, name)
    }

    /// Addresses of a function's return instructions.
    pub fn returns(&self, image: &Image, f: Function<'_>) -> Vec<u64> {
        let code = self.code(image, f);
        let returns = |i: &&crate::model::Inst| i.flow == crate::model::Flow::Ret;
        code.map(|c| c.insts.iter().filter(returns).map(|i| i.addr).collect()).unwrap_or_default()
    }

    pub(crate) fn code(&self, image: &Image, f: Function<'_>) -> Option<Arc<Code>> {
        if let Some(c) = locked(&self.codes).get(&f.entry()) {
            return c.clone();
        }
        let made = Code::of(image, f).map(Arc::new);
        let mut map = locked(&self.codes);
        if map.len() >= MAX_CACHED {
            map.clear();
        }
        map.insert(f.entry(), made.clone());
        made
    }

    pub(crate) fn analysis(&self, image: &Image, f: Function<'_>) -> Option<Arc<Analysis>> {
        if let Some(a) = locked(&self.analyses).get(&f.entry()) {
            return a.clone();
        }
        let made = self.code(image, f).map(|code| Arc::new(self.analyse(image, f, code)));
        let mut map = locked(&self.analyses);
        if map.len() >= MAX_CACHED {
            map.clear();
        }
        map.insert(f.entry(), made.clone());
        made
    }

    /// True if asking for the function's sites costs nothing.
    pub fn is_analysed(&self, f: Function<'_>) -> bool {
        locked(&self.analyses).contains_key(&f.entry())
    }

    /// The loads of itab slots in a function that was analysed before.
    pub(crate) fn load_pcs(&self, _image: &Image, f: Function<'_>) -> Option<Arc<FxHashSet<u64>>> {
        locked(&self.analyses).get(&f.entry())?.as_ref().map(|a| a.loads.clone())
    }

    pub(crate) fn analyse(&self, image: &Image, f: Function<'_>, code: Arc<Code>) -> Analysis {
        let flow = Flowed::new(&code, image);
        let mut found =
            if f.is_assembly() { Vec::new() } else { classify::find(image, self.itabs(image), &flow) };
        let typer = Typer::new(self, image, f, &flow, &found);
        typer.refine(&mut found);
        let sites: Arc<[Arc<Site>]> = found.iter().map(|x| Arc::new(site(image, &flow, x, &typer))).collect();
        let by_index = found.iter().enumerate().map(|(i, x)| (x.index, i)).collect();
        let loads = sites
            .iter()
            .filter(|s| s.kind == SiteKind::Interface)
            .flat_map(|s| s.loads.iter().map(|l| l.pc))
            .collect();
        let constants = sites
            .iter()
            .filter(|s| s.kind == SiteKind::Closure)
            .flat_map(|s| s.loads.iter().filter(|l| l.base.is_some()).map(|l| l.pc))
            .collect();
        let mut taken: Vec<i64> = (0..code.insts.len())
            .flat_map(|i| flow.definitions(i))
            .filter_map(|(_, e)| match e {
                crate::flow::Expr::Sp(off) => Some(*off),
                _ => None,
            })
            .collect();
        taken.sort_unstable();
        taken.dedup();
        drop(typer);
        drop(flow);
        Analysis { code, found, sites, by_index, taken, loads: Arc::new(loads), constants }
    }
}

fn site(image: &Image, flow: &Flowed<'_>, x: &Found, typer: &Typer<'_>) -> Site {
    let claim = typer.claim(x);
    let receiver = if x.kind == SiteKind::Interface { typer.receiver_name(x) } else { None };
    let inst = flow.code.inst(x.index);
    let pc = inst.map_or(0, |i| i.addr);
    let stack = image.functions().inline_stack(pc);
    let inner = stack.first();
    Site {
        pc,
        return_pc: if x.tail { 0 } else { inst.map_or(0, |i| i.end()) },
        kind: x.kind,
        tail: x.tail,
        slot: x.slot,
        loads: x.load_list(flow),
        constant_itab: x.constant_itab,
        interface: claim.0,
        method: claim.1,
        file: inner.map_or_else(|| "".into(), |i| i.file.clone()),
        line: inner.map_or(0, |i| i.line),
        inline_depth: stack.len().saturating_sub(1),
        function: inner.map(|i| i.name.clone()).unwrap_or_default(),
        start_line: inner.map_or(0, |i| i.start_line),
        receiver,
    }
}
