//! Tier 1: interprets the frame's line from where it stands to its end, and notes every call that is met.
//!
//! Nothing is assumed about callees that can't be executed: registers are lost, memory becomes stale.

mod line;
mod merge;
mod met;

use std::borrow::Cow;
use std::sync::Arc;

use image::InlineFrame;
use machine::Regs;
use rustc_hash::FxHashMap;

use crate::api::{Chain, SiteKind};
use crate::code::Code;
use crate::engine::{Analysis, World};
use crate::exec::{self, Modelled};
use crate::interp::{Machine, Stale, Step, V};
use crate::model::{Dst, Flow, Inst, Op, Target};
use crate::speculate::{self, Budget};

const MAX_INSTRUCTIONS: usize = 3000;
const MAX_PATHS: usize = 24;
const MAX_VISITS: u32 = 40;
const MAX_FORKS_AT: u32 = 2;
/// Instructions of other lines that may lie between parts of this one in optimised code.
const INTERLEAVED: u32 = 24;
/// Instructions between a `return` and the deferred calls.
const MAX_TO_DEFERRETURN: usize = 24;
/// Instructions between a branch and the call that tells the collector.
const MAX_TO_BARRIER: usize = 12;
/// Bytes that a frame slot whose address is taken may extend.
const TAKEN_EXTENT: i64 = 128;

pub(crate) use line::Line;
use merge::merge;

/// What was found out about one call.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    Known(Box<Chain>),
    Panics(String),
    Pending(Cow<'static, str>),
}

#[derive(Clone, Debug)]
pub(crate) struct Hit {
    /// Index in the analysis' sites, or None for an inlined callee.
    pub(crate) site: Option<usize>,
    /// Inlined callee: its name and first pc.
    pub(crate) inlined: Option<(String, u64)>,
    pub(crate) outcome: Outcome,
    pub(crate) itab: Option<u64>,
    /// Code address, func value for closures and go/defer.
    pub(crate) target: Option<u64>,
    pub(crate) stale: Stale,
    pub(crate) conditional: bool,
    /// Code that its arguments lead to: func values, and methods of interface values. Of deferreturn: the calls after the first.
    pub(crate) callbacks: Vec<Chain>,
    /// Of `reflect.Value.Call`: what that calls, and what that rests on.
    pub(crate) reflected: Option<(Outcome, Stale)>,
    /// An open-coded `defer`, which has no call: the pc at which its func value is in place.
    pub(crate) defers: Option<u64>,
}

#[derive(Default)]
pub(crate) struct Prediction {
    /// In the order in which they were met first.
    pub(crate) hits: Vec<Hit>,
    /// pcs at which the line is left for another line.
    pub(crate) exits: Vec<u64>,
    /// A limit was hit or a path could not be followed.
    pub(crate) incomplete: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum End {
    Left(u64),
    Panics,
    Returned,
    Lost,
}

struct Path<'a> {
    m: Machine<'a>,
    pc: u64,
    events: Vec<Hit>,
    itabs: FxHashMap<u64, V>,
    visits: FxHashMap<u64, u32>,
    forks: FxHashMap<u64, u32>,
    off_line: u32,
    left_at: u64,
    /// Inlined callee that the last instruction was in.
    inside: Option<String>,
    /// Why the sandbox could not run a callee of this path.
    stopped: Option<String>,
}

impl<'a> Path<'a> {
    fn fork(&self) -> Path<'a> {
        Path {
            m: self.m.clone(),
            pc: self.pc,
            events: self.events.clone(),
            itabs: self.itabs.clone(),
            visits: self.visits.clone(),
            forks: self.forks.clone(),
            off_line: self.off_line,
            left_at: self.left_at,
            inside: self.inside.clone(),
            stopped: self.stopped.clone(),
        }
    }
}

pub(crate) struct Predictor<'a> {
    w: World<'a>,
    a: Arc<Analysis>,
    line: Line,
    stacks: FxHashMap<u64, Arc<[InlineFrame]>>,
    is_stmt: Vec<(u64, u64, bool)>,
    frame: (u64, u64),
    /// Where the frame keeps its open-coded defers.
    defers: Option<OpenCoded>,
    /// The way from here to the function's deferred calls belongs to the line: it is a `return`.
    returns: bool,
    /// Callees are run in the sandbox where they can't be otherwise.
    sandbox: Option<Budget>,
}

/// Open-coded defers of the frame: the address of the byte with their bits, and of the func value of each.
struct OpenCoded {
    bits: u64,
    slots: Vec<u64>,
}

impl OpenCoded {
    /// The slot of the only bit in `set`.
    fn slot(&self, set: u64) -> Option<u64> {
        if set.count_ones() != 1 {
            return None;
        }
        self.slots.get(set.trailing_zeros() as usize).copied()
    }
}

impl<'a> Predictor<'a> {
    pub(crate) fn new(w: World<'a>, a: Arc<Analysis>, line: Line) -> Predictor<'a> {
        let rows = w.image.functions().at(a.code.entry).map(|f| f.rows()).unwrap_or_default();
        let is_stmt = rows.iter().map(|r| (r.start, r.end, r.is_stmt)).collect();
        Predictor {
            w,
            a,
            line,
            stacks: FxHashMap::default(),
            is_stmt,
            frame: (0, 0),
            defers: None,
            returns: false,
            sandbox: None,
        }
    }

    /// Runs the line's callees in a sandbox: tier 2.
    pub(crate) fn speculating(mut self) -> Self {
        self.sandbox = Some(Budget::new());
        self
    }

    /// The line is a `return` statement: what is deferred runs as a part of it.
    pub(crate) fn returning(mut self) -> Self {
        self.returns = true;
        self
    }

    fn stack(&mut self, pc: u64) -> Arc<[InlineFrame]> {
        let w = self.w;
        self.stacks.entry(pc).or_insert_with(|| w.image.functions().inline_stack(pc).into()).clone()
    }

    fn stmt(&self, pc: u64) -> bool {
        let i = self.is_stmt.partition_point(|r| r.0 <= pc);
        i.checked_sub(1).and_then(|i| self.is_stmt.get(i)).is_none_or(|r| r.2)
    }

    /// Interprets from `regs.pc()`; `returned`: a call has just come back there, so that registers are lost and memory may have changed.
    pub(crate) fn run(&mut self, regs: &Regs, returned: bool) -> Prediction {
        let w = self.w;
        let mut m = Machine::new(w.mem, regs, w.read_only);
        if returned {
            m.forget_registers();
            m.dirty = true;
        }
        let pc = regs.pc();
        let Some(start) = self.a.code.at(pc) else {
            return Prediction { incomplete: true, ..Default::default() };
        };
        m.others = self.w.others(regs);
        self.frame_of(&mut m, regs.sp(), start);
        if returned {
            self.escape(&mut m);
        }
        let mut work = vec![Path {
            m,
            pc,
            events: Vec::new(),
            itabs: FxHashMap::default(),
            visits: FxHashMap::default(),
            forks: FxHashMap::default(),
            off_line: 0,
            left_at: 0,
            inside: None,
            stopped: None,
        }];
        let mut done: Vec<(Vec<Hit>, End)> = Vec::new();
        let mut budget = MAX_INSTRUCTIONS;
        let mut paths = 1;
        while let Some(mut p) = work.pop() {
            let end = loop {
                if budget == 0 {
                    break End::Lost;
                }
                budget -= 1;
                match self.advance(&mut p, &mut paths) {
                    Ok(None) => {}
                    Ok(Some(other)) => work.push(other),
                    Err(end) => break end,
                }
            };
            done.push((p.events, end));
        }
        merge(done)
    }

    /// Words of the own frame that no callee can reach.
    fn frame_of(&mut self, m: &mut Machine<'_>, sp: u64, start: usize) {
        let entry_sp = sp.wrapping_add(self.a.code.depth_at(start) as u64);
        let deepest = self.a.code.depth.iter().copied().max().unwrap_or(0).max(0) as u64;
        let low = entry_sp.wrapping_sub(deepest);
        let high = entry_sp.wrapping_add(8 + 8 * 24);
        self.frame = (low, high);
        // Both architectures keep one word, return address or frame pointer, above the variables.
        let varp = entry_sp.wrapping_sub(8);
        let defers = self.w.image.functions().at(self.a.code.entry);
        self.defers =
            defers.and_then(|f| golang::open_coded_defers(self.w.image, self.w.image, f)).map(|o| {
                let at = |below: &u64| varp.wrapping_sub(*below);
                OpenCoded { bits: at(&o.bits), slots: o.slots.iter().map(at).collect() }
            });
        let mut from = low;
        let mut safe = Vec::new();
        for off in &self.a.taken {
            let at = entry_sp.wrapping_add(*off as u64);
            if at > from {
                safe.push((from, at));
            }
            from = from.max(entry_sp.wrapping_add((off + TAKEN_EXTENT) as u64));
        }
        if from < high {
            safe.push((from, high));
        }
        m.safe = safe;
    }

    /// After a call that wasn't executed: what it may have written is stale or unknown.
    fn escape(&self, m: &mut Machine<'_>) {
        let (low, high) = self.frame;
        let passed: Vec<u64> = (0..m.arch.int_args().len())
            .filter_map(|i| m.arg(i))
            .map(|v| v.n)
            .filter(|n| (low..high).contains(n))
            .collect();
        let mut at = low;
        for (from, to) in m.safe.clone() {
            if from > at {
                m.make_stale(at, from - at);
            }
            at = to;
        }
        for p in passed {
            let end = m.safe.iter().map(|s| s.0).filter(|s| *s > p).min().unwrap_or(high);
            m.forget(p, end.saturating_sub(p).min(TAKEN_EXTENT as u64));
        }
    }

    /// One instruction. `Err`: the path has ended; `Ok(Some)`: the other side of a fork.
    fn advance(&mut self, p: &mut Path<'a>, paths: &mut usize) -> Result<Option<Path<'a>>, End> {
        let code = self.a.code.clone();
        let Some(i) = code.at(p.pc) else { return Err(End::Lost) };
        let Some(inst) = code.inst(i) else { return Err(End::Lost) };
        self.place(p)?;
        let visits = p.visits.entry(p.pc).or_insert(0);
        *visits += 1;
        if *visits > MAX_VISITS {
            return Err(End::Lost);
        }
        let is_load = self.a.loads.contains(&p.pc);
        let constant = is_load || self.a.constants.contains(&p.pc);
        if is_load && let Some(v) = exec::load_base(inst).and_then(|b| p.m.reg(b)) {
            p.itabs.insert(p.pc, v);
        }
        let bits = self.stores_defer_bits(&p.m, inst).then(|| self.defer_bits(&p.m)).flatten();
        let slot = self.stores_defer_slot(&p.m, inst);
        let step = p.m.step(inst, constant);
        if bits.is_some() {
            self.open_coded(p, bits, inst.end());
        }
        if let Some(slot) = slot {
            self.slot_filled(p, slot, inst.end());
        }
        match step {
            Step::Next => p.pc = inst.end(),
            Step::Branch { to, .. } if exec::is_growth(&self.w, &code, to) => p.pc = inst.end(),
            Step::Branch { taken: Some(t), to } => {
                let (next, other) = if t.n != 0 { (to, inst.end()) } else { (inst.end(), to) };
                // A check that panics when it fails leaves no choice of calls, nor does one that only tells the collector.
                let barrier = || [next, other].into_iter().any(|to| self.is_write_barrier(&code, to));
                if !code.only_panics(other) && !barrier() {
                    p.m.branches |= t.stale;
                }
                p.pc = next;
            }
            Step::Branch { taken: None, to } => return self.split(p, to, inst.end(), paths),
            Step::Jump(Some(t)) if code.contains(t.n) && !self.a.by_index.contains_key(&i) => p.pc = t.n,
            Step::Jump(t) => {
                if self.a.by_index.contains_key(&i) {
                    self.call(p, i, t, 0);
                }
                return Err(if self.a.by_index.contains_key(&i) { End::Returned } else { End::Lost });
            }
            Step::Call(t) => {
                if p.off_line > 0 {
                    return Err(End::Left(p.left_at));
                }
                self.call(p, i, t, inst.end());
                self.after_call(p, t, inst.end())?;
                p.pc = inst.end();
            }
            Step::Ret(_) => return Err(End::Returned),
            Step::Fault(a) => {
                self.fault(p, i, a);
                return Err(End::Panics);
            }
            Step::Syscall => {
                p.m.dirty = true;
                p.m.forget_registers();
                p.pc = inst.end();
            }
            Step::Stop => return Err(End::Panics),
        }
        Ok(None)
    }

    /// Where the path is: on the line, in an inlined callee, or leaving.
    fn place(&mut self, p: &mut Path<'a>) -> Result<(), End> {
        let stack = self.stack(p.pc);
        if self.line.holds(&stack) {
            p.off_line = 0;
            let inside = self.line.inlined(&stack).map(|f| f.name.clone());
            if inside.is_some() && inside != p.inside {
                self.inlined(p, &stack);
            }
            p.inside = inside;
            return Ok(());
        }
        if self.returns && self.leads_to_deferreturn(p.pc) {
            p.off_line = 0;
            return Ok(());
        }
        if p.off_line == 0 {
            if !self.stmt(p.pc) {
                return Ok(());
            }
            p.left_at = p.pc;
        }
        p.off_line += 1;
        if p.off_line > INTERLEAVED { Err(End::Left(p.left_at)) } else { Ok(()) }
    }

    /// Nothing but moves and jumps lies between `pc` and the call that runs the deferred calls.
    fn leads_to_deferreturn(&self, pc: u64) -> bool {
        let Some(to) = self.w.image.functions().at(self.a.code.entry).and_then(|f| f.deferreturn()) else {
            return false;
        };
        let mut at = pc;
        for _ in 0..MAX_TO_DEFERRETURN {
            let Some(inst) = self.a.code.at(at).and_then(|i| self.a.code.inst(i)) else { return false };
            at = match inst.flow {
                // The recorded place is the call or its return address, by version.
                Flow::Call(Target::Const(t)) => {
                    return inst.addr == to
                        || inst.end() == to
                        || self.is_deferreturn(SiteKind::Static { target: t });
                }
                Flow::Next => inst.end(),
                Flow::Jump(Target::Const(t)) => t,
                _ => return false,
            };
        }
        false
    }

    /// The block that `pc` leads to tells the collector of a pointer that is about to be stored. Both sides of the branch to it store
    /// the same, whatever the flag says that the branch tests.
    fn is_write_barrier(&self, code: &Code, pc: u64) -> bool {
        let mut at = code.at(pc);
        for _ in 0..MAX_TO_BARRIER {
            let Some(inst) = at.and_then(|i| code.inst(i)) else { return false };
            at = match inst.flow {
                Flow::Call(Target::Const(t)) => {
                    return self.w.image.functions().at(t).is_some_and(|f| {
                        let name = f.name();
                        name.starts_with("runtime.gcWriteBarrier") || name.starts_with("runtime.wb")
                    });
                }
                Flow::Next => at.map(|i| i + 1),
                Flow::Jump(Target::Const(t)) => code.at(t),
                _ => return false,
            };
        }
        false
    }

    fn defer_bits(&self, m: &Machine<'a>) -> Option<V> {
        m.load(self.defers.as_ref()?.bits, 1, false)
    }

    /// The instruction writes the byte that says which open-coded defers are pending.
    fn stores_defer_bits(&self, m: &Machine<'a>, inst: &Inst) -> bool {
        let Some(at) = self.defers.as_ref().map(|d| d.bits) else { return false };
        inst.ops.iter().any(|op| match op {
            Op::Mov { dst: Dst::Mem(mem), size: 1, .. } | Op::Alu { dst: Dst::Mem(mem), size: 1, .. } => {
                m.address(mem).is_some_and(|a| a.n == at)
            }
            _ => false,
        })
    }

    /// The instruction writes a func value's slot of an open-coded defer.
    fn stores_defer_slot(&self, m: &Machine<'a>, inst: &Inst) -> Option<u64> {
        let slots = &self.defers.as_ref()?.slots;
        inst.ops.iter().find_map(|op| match op {
            Op::Mov { dst: Dst::Mem(mem), size: 8, .. } => {
                m.address(mem).map(|a| a.n).filter(|a| slots.contains(a))
            }
            _ => None,
        })
    }

    fn inlined(&self, p: &mut Path<'a>, stack: &[InlineFrame]) {
        let Some(f) = self.line.inlined(stack) else { return };
        p.events.push(Hit {
            site: None,
            inlined: Some((f.name.clone(), p.pc)),
            outcome: Outcome::Known(Box::default()),
            itab: None,
            target: Some(p.pc),
            stale: p.m.branches,
            conditional: p.m.branches.by_call(),
            callbacks: Vec::new(),
            reflected: None,
            defers: None,
        });
    }

    fn split(
        &mut self,
        p: &mut Path<'a>,
        to: u64,
        next: u64,
        paths: &mut usize,
    ) -> Result<Option<Path<'a>>, End> {
        let n = p.forks.entry(p.pc).or_insert(0);
        *n += 1;
        if *n > MAX_FORKS_AT || *paths >= MAX_PATHS {
            return Err(End::Lost);
        }
        *paths += 1;
        let mut other = p.fork();
        other.pc = to;
        p.pc = next;
        Ok(Some(other))
    }

    /// Tier 2 of a call, where it is asked for and nothing before it is in doubt.
    fn sandboxed(&mut self, p: &mut Path<'a>, target: V, return_pc: u64) -> bool {
        let Some(budget) = self.sandbox.as_mut() else { return false };
        if p.m.dirty || p.m.lost_track() || target.stale.by_call() {
            return false;
        }
        match speculate::run(&self.w, &mut p.m, target.n, return_pc, budget) {
            Ok(()) => {
                p.m.branches |= target.stale | Stale::SPECULATIVE;
                true
            }
            Err(why) => {
                let f = self.w.image.functions().at(target.n);
                let name = f.map_or_else(String::new, |f| crate::names::display(self.w.image, f.name()));
                p.stopped.get_or_insert_with(|| format!("{name} can't be run in the sandbox: {why}"));
                false
            }
        }
    }

    fn after_call(&mut self, p: &mut Path<'a>, target: Option<V>, return_pc: u64) -> Result<(), End> {
        let Some(t) = target else {
            self.unknown_callee(p, None);
            return Ok(());
        };
        let name = self.w.image.functions().at(t.n).map(|f| f.name().to_string()).unwrap_or_default();
        if self.sandbox.is_some() && !p.m.dirty && speculate::assertion(&self.w, &mut p.m, &name) {
            p.m.branches |= Stale::SPECULATIVE;
            return Ok(());
        }
        match exec::model(&self.w, &mut p.m, &name, t.n) {
            Modelled::Done => return Ok(()),
            Modelled::Panics => return Err(End::Panics),
            Modelled::No => {}
        }
        if !t.stale.by_call() && exec::run_callee(&self.w, &mut p.m, t.n, return_pc) {
            return Ok(());
        }
        if self.sandboxed(p, t, return_pc) {
            return Ok(());
        }
        self.unknown_callee(p, Some(t.n));
        Ok(())
    }

    fn unknown_callee(&self, p: &mut Path<'a>, target: Option<u64>) {
        // The callee owns the outgoing argument area, results on the stack included.
        let area = target
            .and_then(|t| self.w.image.functions().at(t))
            .and_then(|f| f.args_size())
            .map(u64::from)
            .filter(|n| *n <= 4096);
        if let Some(sp) = p.m.sp() {
            let at = sp.n.wrapping_add(if p.m.arch == machine::Arch::Arm64 { 8 } else { 0 });
            match area {
                Some(n) => p.m.forget(at, n),
                None => p.m.make_stale(at, 80),
            }
        }
        p.m.dirty = true;
        self.escape(&mut p.m);
        p.m.forget_registers();
    }
}

/// A helper of the runtime's own, which the source doesn't write.
pub(crate) fn is_runtime(w: &World<'_>, target: u64) -> bool {
    w.image.functions().at(target).is_some_and(|f| {
        f.name()
            .strip_prefix("runtime.")
            .is_some_and(|n| !n.starts_with(|c: char| c.is_ascii_uppercase()) && !n.starts_with("(*"))
    })
}

/// runtime functions that take a func value to run it elsewhere or later.
pub(crate) fn starts_function(name: &str) -> bool {
    matches!(name, "runtime.newproc" | "runtime.deferproc" | "runtime.deferprocStack" | "runtime.deferprocat")
}
