//! `setBreakpoints`, `setFunctionBreakpoints`, `setInstructionBreakpoints`, `setExceptionBreakpoints`.
//!
//! Answers have as many entries as were asked for, in the same order, each with a line. A running program is stopped for the
//! moment it takes to write the breakpoints. Conditions, hit conditions and log messages are refused when set, with the column.

use eval::{HitCondition, LogTemplate};
use image::Image;
use wire::{Responder, requests as rq, types as t};

use crate::{
    control::{
        breakpoints::{Breakpoint, Options, Place},
        locate::locate,
        plan::body_of,
        table::{BreakpointId, Owner},
    },
    session::{Session, State},
};

/// Where a place was found, or why not.
struct Found {
    addrs: Vec<u64>,
    file: Option<String>,
    line: Option<u32>,
}

impl Session {
    pub(crate) fn on_set_breakpoints(
        &mut self,
        a: t::SetBreakpointsArguments,
        r: Responder<rq::SetBreakpoints>,
    ) {
        let path = a.source.path.clone().unwrap_or_default();
        let wanted: Vec<(Place, Options)> = a
            .breakpoints
            .unwrap_or_default()
            .into_iter()
            .map(|b| {
                let line = u32::try_from(b.line).unwrap_or(0);
                let options = Options {
                    condition: b.condition,
                    hit_condition: b.hit_condition,
                    log_message: b.log_message,
                };
                (Place::Source { path: path.clone(), line }, options.cleaned())
            })
            .collect();
        let same = |p: &Place| matches!(p, Place::Source { path: q, .. } if *q == path);
        let breakpoints = self.replace_breakpoints(same, wanted);
        r.answer(Ok(t::SetBreakpointsResponse { breakpoints }));
    }

    pub(crate) fn on_set_function_breakpoints(
        &mut self,
        a: t::SetFunctionBreakpointsArguments,
        r: Responder<rq::SetFunctionBreakpoints>,
    ) {
        let wanted = a
            .breakpoints
            .into_iter()
            .map(|b| {
                let options =
                    Options { condition: b.condition, hit_condition: b.hit_condition, log_message: None };
                (Place::Function { name: b.name }, options.cleaned())
            })
            .collect();
        let breakpoints = self.replace_breakpoints(|p| matches!(p, Place::Function { .. }), wanted);
        r.answer(Ok(t::SetFunctionBreakpointsResponse { breakpoints }));
    }

    pub(crate) fn on_set_instruction_breakpoints(
        &mut self,
        a: t::SetInstructionBreakpointsArguments,
        r: Responder<rq::SetInstructionBreakpoints>,
    ) {
        let wanted = a
            .breakpoints
            .into_iter()
            .map(|b| {
                let addr = parse_address(&b.instruction_reference)
                    .map(|base| base.wrapping_add_signed(b.offset.unwrap_or(0)));
                let options =
                    Options { condition: b.condition, hit_condition: b.hit_condition, log_message: None };
                (Place::Instruction { reference: b.instruction_reference, addr }, options.cleaned())
            })
            .collect();
        let breakpoints = self.replace_breakpoints(|p| matches!(p, Place::Instruction { .. }), wanted);
        r.answer(Ok(t::SetInstructionBreakpointsResponse { breakpoints }));
    }

    pub(crate) fn on_set_exception_breakpoints(
        &mut self,
        a: t::SetExceptionBreakpointsArguments,
        r: Responder<rq::SetExceptionBreakpoints>,
    ) {
        let mut filters = a.filters;
        filters.extend(a.filter_options.unwrap_or_default().into_iter().map(|o| o.filter_id));
        let unknown: Vec<&String> =
            filters.iter().filter(|f| !crate::session::KNOWN_FILTERS.contains(&f.as_str())).collect();
        if let Some(name) = unknown.first() {
            self.console(&format!("There is no exception filter {name:?}; it is ignored."));
        }
        let breakpoints = filters
            .iter()
            .map(|f| t::Breakpoint {
                verified: crate::session::KNOWN_FILTERS.contains(&f.as_str()),
                ..Default::default()
            })
            .collect();
        self.exception_filters = filters;
        self.with_program_stopped(|s| s.arm_exception_breakpoints());
        r.answer(Ok(t::SetExceptionBreakpointsResponse { breakpoints: Some(breakpoints) }));
    }

    /// Replaces a group of breakpoints. One that is asked for again as it was keeps its id and its count.
    fn replace_breakpoints(
        &mut self,
        same: impl Fn(&Place) -> bool,
        wanted: Vec<(Place, Options)>,
    ) -> Vec<t::Breakpoint> {
        let mut old = self.breakpoints.group(|p| same(p));
        let mut answers = Vec::with_capacity(wanted.len());
        let mut fresh = Vec::new();
        for (place, options) in wanted {
            let is_here = |b: &Breakpoint| b.place == place && b.verified();
            if answers.iter().any(|id| self.breakpoints.get(*id).is_some_and(is_here)) {
                let why = "breakpoint already exists";
                answers.push(self.insert_refused(place, options, why.into()));
                continue;
            }
            let kept = old.iter().position(|id| {
                self.breakpoints
                    .get(*id)
                    .is_some_and(|b| b.place == place && b.options == options && b.verified())
            });
            if let Some(i) = kept {
                answers.push(old.remove(i));
            } else {
                let id = self.breakpoints.next_id();
                let mut b = self.make_breakpoint(id, place, options);
                if let Some(why) = self.named_before(&b, &answers) {
                    b.addrs.clear();
                    b.message = Some(why);
                }
                self.breakpoints.insert(b);
                fresh.push(id);
                answers.push(id);
            }
        }
        self.with_program_stopped(|s| {
            for id in &old {
                s.breakpoints.remove(*id);
            }
            s.disarm_users(&old);
            s.arm_users(&fresh);
        });
        answers.iter().map(|id| self.present_breakpoint(*id)).collect()
    }

    /// Runs `f` with the program stopped: a running one is interrupted for it and goes on.
    pub(crate) fn with_program_stopped(&mut self, f: impl FnOnce(&mut Session)) {
        if self.state != State::Running || self.inferior.is_none() {
            return f(self);
        }
        let resume = self.stop_for_a_moment();
        f(self);
        if resume {
            self.go_on();
        }
    }

    /// `break LOCATION` of the console.
    pub(crate) fn add_function_breakpoint(&mut self, name: &str) -> Result<String, String> {
        let id = self.breakpoints.next_id();
        let b = self.make_breakpoint(id, Place::Function { name: name.to_string() }, Options::default());
        if let Some(why) = &b.message {
            return Err(why.clone());
        }
        self.breakpoints.insert(b);
        self.with_program_stopped(|s| s.arm_users(&[id]));
        let shown = self.present_breakpoint(id);
        self.event(t::BreakpointEvent { reason: "new".into(), breakpoint: shown.clone() });
        let place = shown.source.and_then(|s| s.path).unwrap_or_default();
        Ok(format!("breakpoint {} at {place}:{}", id.0, shown.line.unwrap_or(0)))
    }

    /// `break -d N` of the console.
    pub(crate) fn remove_breakpoint(&mut self, id: i64) -> bool {
        let id = BreakpointId(id);
        if self.breakpoints.get(id).is_none() {
            return false;
        }
        let shown = self.present_breakpoint(id);
        self.with_program_stopped(|s| {
            s.breakpoints.remove(id);
            s.disarm_users(&[id]);
        });
        self.event(t::BreakpointEvent { reason: "removed".into(), breakpoint: shown });
        true
    }

    /// A breakpoint that is answered for but stands nowhere.
    fn insert_refused(&mut self, place: Place, options: Options, why: String) -> BreakpointId {
        let id = self.breakpoints.next_id();
        let mut b = Breakpoint::unbound(id, place, options);
        b.message = Some(why);
        self.breakpoints.insert(b);
        id
    }

    /// Two names of one function in one request: the second is refused, so that no hit counts twice.
    fn named_before(&self, b: &Breakpoint, answers: &[BreakpointId]) -> Option<String> {
        let Place::Function { .. } = b.place else { return None };
        let same = |other: &Breakpoint| b.verified() && other.addrs == b.addrs;
        answers.iter().find(|id| self.breakpoints.get(**id).is_some_and(same))?;
        let file = b.file.as_deref().unwrap_or_default();
        Some(format!("Breakpoint exists at {file}:{}", b.line.unwrap_or(0)))
    }

    fn make_breakpoint(&self, id: BreakpointId, place: Place, options: Options) -> Breakpoint {
        let mut b = Breakpoint::unbound(id, place, options);
        if let Err(why) = self.bind(&mut b) {
            b.addrs.clear();
            b.message = Some(why);
        }
        b
    }

    /// Finds the addresses and compiles the options.
    fn bind(&self, b: &mut Breakpoint) -> Result<(), String> {
        if let Some(text) = &b.options.hit_condition {
            b.hit_condition =
                Some(HitCondition::parse(text).map_err(|e| format!("hit condition: {}", located(&e, text)))?);
        }
        if let Some(text) = &b.options.log_message {
            LogTemplate::check(text).map_err(|e| format!("log message: column {}: {e}", e.column))?;
        }
        let inf = self.inferior.as_ref().ok_or(match self.state {
            State::Ended => "the program has ended",
            _ => "no program is being debugged yet",
        })?;
        let found = match &b.place {
            Place::Source { path, line } => self.find_source(&inf.image, path, *line),
            Place::Function { name } => {
                let process = inf.process();
                locate(&inf.image, name, |entry| body_of(&inf.engine, &inf.image, process.mem, entry))
                    .map(|l| Found { addrs: l.addrs, file: Some(l.file), line: Some(l.line) })
            }
            Place::Instruction { reference, addr } => find_instruction(&inf.image, reference, *addr),
        }?;
        if let Some(text) = &b.options.condition {
            let pc = found.addrs.first().copied().unwrap_or(0);
            b.condition = Some(self.compile_condition(text, pc).map_err(|e| format!("condition: {e}"))?);
        }
        if let Some(text) = &b.options.log_message {
            let pc = found.addrs.first().copied().unwrap_or(0);
            b.log = Some(self.compile_log(text, pc).map_err(|e| format!("log message: {e}"))?);
        }
        b.addrs = found.addrs;
        b.file = found.file;
        b.line = found.line;
        Ok(())
    }

    fn find_source(&self, image: &Image, path: &str, line: u32) -> Result<Found, String> {
        let server = self.sources.to_server(path);
        let functions = image.functions();
        if let Some((line, addrs)) = functions.breakpoint_locations(&server, line)
            && !addrs.is_empty()
        {
            return Ok(Found { addrs, file: Some(server), line: Some(line) });
        }
        let known = functions.files().iter().any(|f| **f == *server);
        if known {
            return Err(format!(
                "could not find statement at {path}:{line} or after it in its function, please use a line with a statement"
            ));
        }
        let name = server.rsplit('/').next().unwrap_or(&server);
        let same_name: Vec<_> =
            functions.files().iter().filter(|f| f.rsplit('/').next() == Some(name)).take(2).collect();
        Err(match same_name.as_slice() {
            [] => format!("could not find file {server} in the program"),
            [other, ..] => format!(
                "could not find file {server} in the program; it has {other}: a substitutePath rule may be needed"
            ),
        })
    }

    /// Writes breakpoints. Of one that has several addresses those that the target takes are kept.
    fn arm_users(&mut self, ids: &[BreakpointId]) {
        let Some(inf) = self.inferior.as_mut() else { return };
        let found = ids.iter().filter_map(|id| self.breakpoints.get(*id));
        let wanted: Vec<(u64, Owner)> =
            found.flat_map(|b| b.addrs.iter().map(|addr| (*addr, Owner::User(b.id)))).collect();
        let result = inf.arm(&wanted);
        for id in ids {
            let Some(b) = self.breakpoints.get_mut(*id) else { continue };
            let failed = match &result {
                Ok(refused) => {
                    let why =
                        |addr: &u64| refused.iter().find(|r| r.addr == *addr).map(|r| r.why.to_string());
                    let failed = b.addrs.iter().find_map(why);
                    b.addrs.retain(|addr| why(addr).is_none());
                    failed
                }
                Err(e) => {
                    b.addrs.clear();
                    Some(e.to_string())
                }
            };
            if b.addrs.is_empty() {
                b.message = b.message.take().or(failed);
            }
        }
    }

    fn disarm_users(&mut self, ids: &[BreakpointId]) {
        if let Some(inf) = self.inferior.as_mut() {
            inf.disarm_where(|o| matches!(o, Owner::User(id) if ids.contains(&id)));
        }
    }

    fn present_breakpoint(&self, id: BreakpointId) -> t::Breakpoint {
        let Some(b) = self.breakpoints.get(id) else { return t::Breakpoint::default() };
        let asked = match &b.place {
            Place::Source { line, .. } => Some(*line),
            _ => None,
        };
        let source = match (&b.place, &b.file) {
            (Place::Source { path, .. }, _) => Some(t::Source {
                name: path.rsplit('/').next().map(str::to_string),
                path: Some(path.clone()),
                ..Default::default()
            }),
            (_, Some(file)) => self.source_of(file),
            _ => None,
        };
        t::Breakpoint {
            id: Some(b.id.0),
            verified: b.verified(),
            message: b.message.clone(),
            source,
            line: b.line.or(asked).map(i64::from),
            instruction_reference: b.addrs.first().map(|a| format!("{a:#x}")),
            reason: (!b.verified()).then(|| "failed".into()),
            ..Default::default()
        }
    }
}

impl Options {
    /// Empty texts are absent.
    fn cleaned(self) -> Self {
        let some = |s: Option<String>| s.filter(|t| !t.trim().is_empty());
        Options {
            condition: some(self.condition),
            hit_condition: some(self.hit_condition),
            log_message: self.log_message.filter(|t| !t.is_empty()),
        }
    }
}

/// A fault with its column, 1-based.
fn located(e: &expr::SyntaxError, text: &str) -> String {
    format!("column {}: {e}", e.span.column(text))
}

/// `0x…` or decimal.
pub(crate) fn parse_address(text: &str) -> Option<u64> {
    let text = text.trim();
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

fn find_instruction(image: &Image, reference: &str, addr: Option<u64>) -> Result<Found, String> {
    let addr = addr.ok_or_else(|| format!("{reference:?} is not an address"))?;
    if !image.is_text(addr) {
        return Err(format!("{addr:#x} is not in the program's code"));
    }
    let at = image.functions().location(addr);
    Ok(Found { addrs: vec![addr], file: at.as_ref().map(|l| l.file.to_string()), line: at.map(|l| l.line) })
}
