//! A hit at a type assertion: what was wanted, what was there, and whether it held, counted by site, dynamic type and outcome.

use std::sync::Arc;

use dispatch::{AssertForm, AssertProbe, AssertSite, Found};
use golang::Process;
use image::{FuncId, Image};
use target::Tid;
use wire::itab::TraceRecord;

use super::{Point, Trace, calls::frames, filter::Request, tally::Row};
use crate::{control::inferior::Inferior, session::Session};

impl Session {
    /// The assertions that a filter selects.
    pub(super) fn assert_points(&self, image: &Image, request: &Request) -> Vec<(u64, Point)> {
        let near = self.functions_at(image, request);
        let mut found = self.assertions(image, &near, request);
        if found.is_empty() && request.site.is_some() {
            let all: Vec<FuncId> = image.functions().iter().map(|f| f.id()).collect();
            found = self.assertions(image, &all, request);
        }
        let point = |p: AssertProbe| {
            let column = p.span.map(|s| format!(":{}", s.column)).unwrap_or_default();
            let file = self.sources.to_client(&p.site.file);
            let site = format!("{file}:{}{column}", p.site.line).into();
            (p.pc, Point::Assert { probe: Box::new(p), site, interface: None })
        };
        found.into_iter().map(point).collect()
    }

    fn assertions(&self, image: &Image, functions: &[FuncId], request: &Request) -> Vec<AssertProbe> {
        let Some(inf) = self.inferior.as_ref() else { return Vec::new() };
        let sources = Arc::clone(&self.sources);
        let wanted = |site: &AssertSite, owner: &str| {
            let package = image::names::package_of(&image::names::unescape(owner));
            !site.file.starts_with('<')
                && request.takes_code(image, &package)
                && request.takes_place(site.pc, &sources.to_client(&site.file), site.line, None)
        };
        let mut found = inf.engine.assertion_probes(image, functions, &*self.sources, &wanted);
        found.retain(|p| {
            let file = self.sources.to_client(&p.site.file);
            request.takes_place(p.site.pc, &file, p.site.line, p.span.map(|s| s.column))
        });
        found
    }

    pub(super) fn trace_assert(&mut self, trace: &mut Trace, tid: Tid, goid: Option<u64>, index: u32) {
        let Some(inf) = self.inferior.as_ref() else { return };
        let process = inf.process();
        let Some(thread) = process.threads.iter().find(|t| t.tid == tid.0) else { return };
        let Some((_, Point::Assert { probe, interface, .. })) = trace.points.get_mut(index as usize) else {
            return;
        };
        let found = inf.engine.read_probe(&inf.image, process.mem, &thread.regs, probe);
        // Of a nil value the static type is the one that was seen there before.
        if let Some(i) = found.interface {
            *interface = Some(process.display_name(i));
        } else if found.empty_interface {
            *interface = Some("any".into());
        }
        let cached = found.cached;
        let Some(row) = trace.assert_row(inf, index, &found) else { return };
        if !trace.request.takes_interface(&row.interface, &row.interface)
            && !trace.request.takes_interface(&row.target, &row.target)
            || !trace.request.takes_concrete(&row.concrete, &row.concrete)
        {
            return;
        }
        let row = trace.tally.row(row);
        trace.tally.count(row);
        let time = trace.nanos();
        let goroutine = goid.map_or(0, |g| i64::try_from(g).unwrap_or(0));
        trace.record(row, |r| TraceRecord {
            time,
            goroutine,
            site: r.site.to_string(),
            interface_type: (!r.interface.is_empty()).then(|| r.interface.clone()),
            concrete_type: r.concrete.clone(),
            target: r.target.clone(),
            ok: r.ok,
            wanted: r.wanted.clone(),
            cached: Some(cached),
            ..TraceRecord::default()
        });
    }
}

impl Trace {
    fn assert_row(&self, inf: &Inferior, index: u32, found: &Found) -> Option<Row> {
        let Some((_, Point::Assert { probe, site, interface })) = self.points.get(index as usize) else {
            return None;
        };
        let process = inf.process();
        let wanted = wanted_names(&process, &probe.site);
        let target = match (probe.site.form, found.case) {
            (AssertForm::Switch, Some(k)) => wanted.get(k).cloned().unwrap_or_default(),
            (AssertForm::Switch, None) => "no case".into(),
            _ => wanted.first().cloned().unwrap_or_default(),
        };
        Some(Row {
            site: site.clone(),
            line: probe.site.line,
            pc: probe.site.pc,
            function: process.symbol_display_name(&probe.owner, None),
            frames: frames(&process, probe.site.pc),
            interface: interface.clone().unwrap_or_default(),
            concrete: dynamic_name(&process, found),
            target,
            wanted: Some(wanted.join(", ")),
            ok: found.ok,
            ..Row::default()
        })
    }
}

/// The dynamic type's name; `nil` for a nil value.
pub(super) fn dynamic_name(process: &Process<'_>, found: &Found) -> String {
    match found.dynamic {
        Some(t) => process.display_name(process.image.type_from_runtime(t)),
        None if found.ok.is_none() => "unknown: the value's register is lost".into(),
        None => "nil".into(),
    }
}

/// Names of the wanted type, or of a switch's cases.
pub(super) fn wanted_names(process: &Process<'_>, site: &AssertSite) -> Vec<String> {
    let names: Vec<String> = site.wanted.iter().map(|t| process.display_name(*t)).collect();
    if names.is_empty() { vec!["(a type that is not in the code)".into()] } else { names }
}
