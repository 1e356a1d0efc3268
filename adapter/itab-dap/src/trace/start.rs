//! Starting and switching a trace: which functions are looked at, which instructions are watched.

use std::{collections::HashMap, sync::Arc, time::Instant};

use dispatch::{Claim, Site};
use image::{FuncId, Image};

use super::{
    Point, Trace, What,
    filter::{Place, Request, is_standard},
    results::Open,
    tally::Tally,
};
use crate::{control::table::TracePoint, session::Session};

/// Points of one trace; more make a program crawl.
const MAX_POINTS: usize = 20_000;
/// Records of a trace that are sent, unless `limit` says otherwise.
const RECORDS: u64 = 100_000;
/// The same where they are lines of a console.
const LINES: u64 = 1_000;

impl Session {
    /// Starts a trace. The running program is stopped for as long as it takes to write the breakpoints.
    pub(crate) fn start_trace(&mut self, what: What, request: Request, console: bool) -> Result<u32, String> {
        if what == What::Asserts && (request.arguments || request.results || request.method.is_some()) {
            return Err("assertions have no method, arguments or results".into());
        }
        let Some(inf) = self.inferior.as_ref() else { return Err("no program is being debugged".into()) };
        let image = Arc::clone(&inf.image);
        let mut points = match what {
            What::Dispatch => self.call_points(&image, &request),
            What::Asserts => self.assert_points(&image, &request),
        };
        if points.is_empty() {
            return Err(nothing_found(&image, what, &request));
        }
        if request.results {
            let returns: Vec<(u64, Point)> = points.iter().enumerate().filter_map(return_point).collect();
            points.extend(returns);
        }
        if points.len() > MAX_POINTS {
            return Err(format!(
                "the filter selects {} instructions, more than {MAX_POINTS}; narrow it by package=, interface= or site=",
                points.len()
            ));
        }
        let limit = request.limit.unwrap_or(if console { LINES } else { RECORDS });
        self.traces.last += 1;
        let id = self.traces.last;
        let trace = Trace {
            id,
            what,
            enabled: false,
            console,
            said_limit: false,
            began: Instant::now(),
            began_at: std::time::SystemTime::now(),
            ended: None,
            points,
            note: request.is_default_scope().then(|| scope_note(&image)),
            tally: Tally::new(limit),
            known: HashMap::new(),
            open: Open::default(),
            request,
        };
        self.traces.list.insert(id, trace);
        if let Err(why) = self.switch_trace(id, true) {
            self.traces.list.remove(&id);
            return Err(why);
        }
        Ok(id)
    }

    /// Switches a trace on or off.
    pub(crate) fn switch_trace(&mut self, id: u32, on: bool) -> Result<(), String> {
        let Some(trace) = self.traces.list.get(&id) else { return Err(format!("there is no trace {id}")) };
        if trace.enabled == on {
            return Ok(());
        }
        if self.inferior.is_none() {
            return Err("the program has ended".into());
        }
        let points: Vec<(u64, TracePoint)> = trace
            .points
            .iter()
            .zip(0..)
            .map(|((addr, _), index)| (*addr, TracePoint { trace: id, index }))
            .collect();
        let mechanism = self.traces.mechanism();
        let mut result = Ok(());
        self.with_program_stopped(|s| {
            let Some(inf) = s.inferior.as_mut() else {
                result = Err("the program has ended".to_string());
                return;
            };
            if on {
                result = mechanism.watch(inf, &points).map_err(|e| e.to_string());
            }
            if !on || result.is_err() {
                mechanism.forget(inf, id);
            }
        });
        result?;
        if let Some(trace) = self.traces.list.get_mut(&id) {
            trace.enabled = on;
            if !on {
                trace.close_all();
            }
        }
        Ok(())
    }

    fn call_points(&self, image: &Image, request: &Request) -> Vec<(u64, Point)> {
        let near = self.functions_at(image, request);
        let mut found = self.probes(image, &near, request);
        if found.is_empty() && request.site.is_some() {
            // A line in the middle of a statement, or code inlined elsewhere.
            let all: Vec<FuncId> = image.functions().iter().map(|f| f.id()).collect();
            found = self.probes(image, &all, request);
        }
        found
    }

    /// Functions that may hold what the request wants.
    pub(super) fn functions_at(&self, image: &Image, request: &Request) -> Vec<FuncId> {
        let functions = image.functions();
        let mut ids: Vec<FuncId> = match &request.site {
            Some(Place::Address(a)) => functions.at(*a).map(|f| f.id()).into_iter().collect(),
            Some(Place::Line { file, line, .. }) => functions
                .files()
                .iter()
                .filter(|f| {
                    request.takes_place(0, &self.sources.to_client(f), *line, None) || f.ends_with(file)
                })
                .filter_map(|f| functions.breakpoint_locations(f, *line))
                .flat_map(|(_, addrs)| addrs)
                .filter_map(|a| functions.at(a).map(|f| f.id()))
                .collect(),
            None => {
                let own = functions.iter().filter(|f| request.takes_package(image, &f.package()));
                let mut ids: Vec<FuncId> = own.map(|f| f.id()).collect();
                // Code of a package may be inlined anywhere; that of the main module only into itself.
                if request.package.is_some() {
                    let of_it = |name: &str| {
                        request.takes_package(image, &image::names::package_of(&image::names::unescape(name)))
                    };
                    ids.extend(functions.inlined_copies(&of_it).into_iter().map(|copy| copy.function));
                }
                ids
            }
        };
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    fn probes(&self, image: &Image, functions: &[FuncId], request: &Request) -> Vec<(u64, Point)> {
        let Some(inf) = self.inferior.as_ref() else { return Vec::new() };
        let sources = Arc::clone(&self.sources);
        let wanted = |site: &Site| {
            let package = image::names::package_of(&image::names::unescape(&site.function));
            let file = sources.to_client(&site.file);
            // What the compiler wrote is no call of the author's, but for method values.
            (!site.file.starts_with('<') || site.function.ends_with("-fm"))
                && request.takes_code(image, &package)
                && request.takes_place(site.pc, &file, site.line, None)
                && may_fit(image, site, request)
        };
        inf.engine
            .interface_probes(image, functions, &*self.sources, &wanted)
            .into_iter()
            .filter(|p| {
                let file = self.sources.to_client(&p.site.file);
                request.takes_place(p.site.pc, &file, p.site.line, p.span.map(|s| s.column))
            })
            .map(|p| {
                let column = p.span.map(|s| format!(":{}", s.column)).unwrap_or_default();
                let file = self.sources.to_client(&p.site.file);
                let site = format!("{file}:{}{column}", p.site.line).into();
                (p.pc, Point::Call { probe: Box::new(p), site })
            })
            .collect()
    }
}

fn return_point((i, (_, point)): (usize, &(u64, Point))) -> Option<(u64, Point)> {
    match point {
        Point::Call { probe, .. } if probe.site.return_pc != 0 => {
            Some((probe.site.return_pc, Point::Return { of: u32::try_from(i).ok()? }))
        }
        _ => None,
    }
}

/// A site that data flow names otherwise can't be the wanted one.
fn may_fit(image: &Image, site: &Site, request: &Request) -> bool {
    let method = site.method.as_deref().is_none_or(|m| request.takes_method(m));
    let interface = match &site.interface {
        Claim::Known { interface, .. } => image.type_of(*interface, image).is_ok_and(|t| {
            // Types without a name, and shapes, go by other names at the itab.
            t.name.starts_with("interface {")
                || t.name.contains("go.shape")
                || request.takes_interface(&image::names::short(&t.name), &t.name)
        }),
        _ => true,
    };
    method && interface
}

fn scope_note(image: &Image) -> String {
    let module = image.build_info().main_module.as_str();
    let which = if module.is_empty() { "package main".into() } else { format!("module {module}") };
    format!(
        "only code of {which} is traced; package=NAME (a glob, std for the standard library) traces other code, which slows the program much more"
    )
}

fn nothing_found(image: &Image, what: What, request: &Request) -> String {
    let what = match what {
        What::Dispatch => "interface call",
        What::Asserts => "type assertion",
    };
    let known = |p: &String| image.packages().iter().any(|q| request.takes_package(image, q)) || p == "std";
    match &request.package {
        Some(p) if !known(p) => format!("the program has no package {p}"),
        Some(p) if p == "std" && !image.packages().iter().any(|q| is_standard(image, q)) => {
            "the program has nothing of the standard library".into()
        }
        _ if request.is_default_scope() => format!("no {what} fits the filter ({})", scope_note(image)),
        _ => format!("no {what} fits the filter; what the compiler resolved is not there to trace"),
    }
}
