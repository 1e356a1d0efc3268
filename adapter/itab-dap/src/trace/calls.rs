//! A hit at an interface call: whom it reaches, counted by site and target.

use dispatch::{Chain, ItabAt, Probe};
use golang::Process;
use image::{Shape, TypeId};
use machine::Regs;
use target::Tid;
use wire::itab::TraceRecord;

use super::{
    Point, Trace,
    results::Call,
    tally::{Row, RowId},
};
use crate::{control::inferior::Inferior, profile::build::Line, session::Session};

/// What a call through a given itab reaches.
#[derive(Clone, Debug)]
pub(super) struct Callee {
    /// None: the filter does not want it.
    pub(super) row: Option<RowId>,
    /// The method's type: parameters and results.
    pub(super) method_type: Option<TypeId>,
    /// A wrapper dispatches again: the value decides, not the itab.
    again: bool,
}

impl Session {
    pub(super) fn trace_call(&mut self, trace: &mut Trace, tid: Tid, goid: Option<u64>, index: u32) {
        let Some((_, Point::Call { probe, .. })) = trace.points.get(index as usize) else { return };
        let Some(inf) = self.inferior.as_ref() else { return };
        let process = inf.process();
        let Some(thread) = process.threads.iter().find(|t| t.tid == tid.0) else { return };
        let regs = thread.regs.clone();
        let itab = match probe.itab {
            ItabAt::Register(r) => regs.get(r),
            ItabAt::Constant(c) => Some(c),
            ItabAt::Lost => None,
        };
        // A nil interface faults at the load: there is no call.
        if itab == Some(0)
            || (probe.may_fault && !inf.engine.call_is_reached(&inf.image, process.mem, &regs, &probe.site))
        {
            return;
        }
        let Some(callee) = trace.callee(inf, &regs, index, itab) else { return };
        let Some(row) = callee.row else { return };
        trace.tally.count(row);
        let arguments = (trace.request.arguments && trace.tally.has_room())
            .then(|| self.argument_texts(trace, tid, index, &callee));
        let call = Call {
            row,
            goroutine: goid.map_or(0, |g| i64::try_from(g).unwrap_or(0)),
            time: trace.nanos(),
            arguments,
        };
        match (trace.request.results, goid) {
            (true, Some(goid)) => self.open_call(trace, tid, goid, index, callee.method_type, call),
            _ => trace.record(row, |r| call.record(r)),
        }
    }

    /// Each argument as text, with its name where the target's debug information has one.
    fn argument_texts(&mut self, trace: &Trace, tid: Tid, index: u32, callee: &Callee) -> Vec<String> {
        let Some((_, Point::Call { probe, .. })) = trace.points.get(index as usize) else {
            return Vec::new();
        };
        let Some(frame) = self.top_frame(tid) else { return Vec::new() };
        let Some(inf) = self.inferior.as_ref() else { return Vec::new() };
        let Some((params, _)) = callee.method_type.and_then(|t| signature(&inf.process(), t)) else {
            return vec!["the method's type is not in the program".into()];
        };
        let Some(word) = inf.process().basic("uintptr") else { return Vec::new() };
        let bytes =
            inf.engine.call_arguments(&inf.image, &**inf.memory(), &frame.regs, &probe.site, word, &params);
        let values = match bytes {
            Ok(v) => v,
            Err(why) => return vec![why],
        };
        self.peek(&frame, |look| {
            let text = |(bytes, ty): (Result<Vec<u8>, String>, &TypeId)| match bytes {
                Ok(b) => eval::render(&look.view, &golang::Value::computed(*ty, b)),
                Err(why) => format!("({why})"),
            };
            values.into_iter().zip(&params).map(text).collect()
        })
        .unwrap_or_default()
    }
}

/// Parameters and results of a func type.
pub(super) fn signature(process: &Process<'_>, ty: TypeId) -> Option<(Vec<TypeId>, Vec<TypeId>)> {
    match &process.type_of(ty).ok()?.shape {
        Shape::Func(sig) => Some((sig.params.clone(), sig.results.clone())),
        _ => None,
    }
}

impl Trace {
    /// What the call reaches, kept for each itab.
    fn callee(&mut self, inf: &Inferior, regs: &Regs, index: u32, itab: Option<u64>) -> Option<Callee> {
        let (_, Point::Call { probe, .. }) = self.points.get(index as usize)? else { return None };
        let process = inf.process();
        let at_call = || inf.engine.resolve_at_load(&inf.image, process.mem, regs, &probe.site);
        // Without an itab the target itself is the key.
        let (key, chain) = match itab {
            Some(i) => (i, None),
            None => {
                let chain = at_call();
                (chain.links.first().map_or(0, |l| l.address), Some(chain))
            }
        };
        if let Some(c) = self.known.get(&(index, key)).filter(|c| !c.again) {
            return Some(c.clone());
        }
        let mut facts = match itab {
            Some(i) => Facts::of_itab(&process, probe, i),
            None => Facts::of_target(inf, probe, key),
        };
        let mut chain = match (chain, facts.entry) {
            (Some(c), _) => c,
            (None, Some(e)) => inf.engine.resolve(&inf.image, process.mem, e, None),
            (None, None) => Chain::default(),
        };
        let again = chain.links.iter().any(|l| l.kind == Some("embedded interface"));
        if again || chain.body.is_none() {
            let exact = at_call();
            if exact.body.is_some() || exact.will_panic.is_some() {
                chain = exact;
            }
        }
        let wanted = self.request.takes_interface(&facts.interface, &facts.qualified_interface)
            && self.request.takes_method(&facts.method)
            && self.request.takes_concrete(&facts.concrete, &facts.qualified_concrete);
        let method_type = facts.method_type.take();
        let row = wanted.then(|| self.tally.row(self.row_of(inf, index, facts, &chain))).filter(|_| wanted);
        let callee = Callee { row, method_type, again };
        self.known.insert((index, key), callee.clone());
        Some(callee)
    }

    fn row_of(&self, inf: &Inferior, index: u32, facts: Facts, chain: &Chain) -> Row {
        let Some((_, Point::Call { probe, site })) = self.points.get(index as usize) else {
            return Row::default();
        };
        let process = inf.process();
        let symbol = |name: &str| process.symbol_display_name(name, None);
        let (target, target_at) = match (&chain.body, &chain.will_panic) {
            (Some(b), _) => {
                let file = b.file.as_ref().map(|f| f.to_string()).unwrap_or_default();
                (b.name.clone(), Some((file, b.line.unwrap_or(0), b.entry)))
            }
            (None, Some(why)) => (format!("panic: {why}"), None),
            (None, None) => match chain.links.last() {
                Some(l) => (l.name.clone(), Some((String::new(), 0, l.address))),
                None => (format!("unknown: {}", chain.reason.as_deref().unwrap_or("no code")), None),
            },
        };
        Row {
            site: site.clone(),
            line: probe.site.line,
            pc: probe.site.pc,
            function: symbol(&probe.site.function),
            frames: frames(&process, probe.site.pc),
            interface: facts.interface,
            method: facts.method,
            concrete: facts.concrete,
            target,
            target_at,
            ..Row::default()
        }
    }
}

/// The functions around an instruction, innermost first.
pub(super) fn frames(process: &Process<'_>, pc: u64) -> Vec<Line> {
    let frame = |f: image::InlineFrame| Line {
        function: process.symbol_display_name(&f.name, None),
        file: f.file.to_string(),
        line: f.line,
    };
    process.image.functions().inline_stack(pc).into_iter().map(frame).collect()
}

/// Names of the types that meet at a call.
#[derive(Default)]
struct Facts {
    interface: String,
    qualified_interface: String,
    method: String,
    concrete: String,
    qualified_concrete: String,
    entry: Option<u64>,
    method_type: Option<TypeId>,
}

impl Facts {
    fn of_itab(process: &Process<'_>, probe: &Probe, addr: u64) -> Facts {
        let mut f = Facts::of_claim(process, probe);
        let itab = match process.image.itab(addr, process.mem) {
            Ok(i) => i,
            Err(e) => {
                f.concrete = format!("unknown: {addr:#x} is not an itab: {e}");
                return f;
            }
        };
        let (inter, concrete) =
            (process.image.type_from_runtime(itab.inter), process.image.type_from_runtime(itab.typ));
        f.take_interface(process, probe, inter);
        f.concrete = process.display_name(concrete);
        f.qualified_concrete = process.qualified_name(concrete);
        f.entry = probe.site.slot.and_then(|s| itab.fun.get(s as usize)).copied();
        f
    }

    /// The itab is gone: the one type of the itab table whose method this is.
    fn of_target(inf: &Inferior, probe: &Probe, target: u64) -> Facts {
        let process = inf.process();
        let mut f = Facts::of_claim(&process, probe);
        f.entry = Some(target);
        let table = inf.engine.itab_table(&inf.image, process.mem);
        let slot = usize::from(probe.site.slot.unwrap_or(0));
        let mut fitting: Vec<_> = table
            .rows
            .iter()
            .filter(|r| r.itab.fun.get(slot) == Some(&target))
            .filter(|r| f.interface.is_empty() || r.interface_type == f.interface)
            .collect();
        fitting.dedup_by_key(|r| r.itab.typ);
        match fitting.as_slice() {
            [one] => {
                let concrete = process.image.type_from_runtime(one.itab.typ);
                f.concrete = one.concrete_type.clone();
                f.qualified_concrete = process.qualified_name(concrete);
                let inter = process.image.type_from_runtime(one.itab.inter);
                f.take_interface(&process, probe, inter);
            }
            [] => f.concrete = "unknown: the itab is overwritten at the call".into(),
            _ => f.concrete = "unknown: several types share this method".into(),
        }
        f
    }

    fn of_claim(process: &Process<'_>, probe: &Probe) -> Facts {
        let mut f = Facts { method: probe.site.method.clone().unwrap_or_default(), ..Facts::default() };
        if let dispatch::Claim::Known { interface, .. } = &probe.site.interface {
            f.take_interface(process, probe, *interface);
        }
        f
    }

    fn take_interface(&mut self, process: &Process<'_>, probe: &Probe, inter: TypeId) {
        self.interface = process.display_name(inter);
        self.qualified_interface = process.qualified_name(inter);
        let slot = probe.site.slot.map(usize::from);
        if let (Ok(t), Some(slot)) = (process.type_of(inter), slot)
            && let Shape::Interface { methods: Some(list), .. } = &t.shape
            && let Some(m) = list.get(slot)
        {
            self.method = m.name.to_string();
            self.method_type = m.ty;
        }
    }
}

impl Call {
    /// The record of a call, before or without its end.
    pub(super) fn record(self, row: &Row) -> TraceRecord {
        let some = |s: &str| (!s.is_empty()).then(|| s.to_string());
        TraceRecord {
            time: self.time,
            goroutine: self.goroutine,
            site: row.site.to_string(),
            interface_type: some(&row.interface),
            method: some(&row.method),
            concrete_type: row.concrete.clone(),
            target: row.target.clone(),
            arguments: self.arguments,
            ..TraceRecord::default()
        }
    }
}
