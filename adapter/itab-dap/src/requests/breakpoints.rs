//! `setBreakpoints`, `setFunctionBreakpoints`, `setInstructionBreakpoints`, `setExceptionBreakpoints`.
//!
//! Answers have as many entries as were asked for, in the same order, each with a line. A running program is stopped for the
//! moment it takes to write the breakpoints. Conditions, hit conditions and log messages are refused when set, with the column.

use wire::{Responder, requests as rq, types as t};

use crate::{
    control::{
        breakpoints::{Breakpoint, Options, Place},
        table::{BreakpointId, Owner},
    },
    session::{Session, State},
};

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
        let plain = a.filters.into_iter().map(|name| (name, None));
        let options = a.filter_options.unwrap_or_default().into_iter().map(|o| (o.filter_id, o.condition));
        let wanted: Vec<_> = plain.chain(options).collect();
        // Delve's numbers of its own breakpoints, for its own clients. Helix can't read a negative one.
        let numbers: Vec<Option<i64>> = wanted
            .iter()
            .map(|(name, _)| match name.as_str() {
                "unrecovered-panic" => Some(-1),
                "runtime-fatal-throw" => Some(-2),
                _ => None,
            })
            .collect();
        let mut breakpoints = self.set_exceptions(wanted);
        if self.client.as_delve {
            for (b, number) in breakpoints.iter_mut().zip(numbers) {
                b.id = number.or(b.id);
            }
        }
        r.answer(Ok(t::SetExceptionBreakpointsResponse { breakpoints: Some(breakpoints) }));
    }

    /// Replaces a group of breakpoints. One that is asked for again keeps its id and its count.
    fn replace_breakpoints(
        &mut self,
        same: impl Fn(&Place) -> bool,
        wanted: Vec<(Place, Options)>,
    ) -> Vec<t::Breakpoint> {
        let mut old = self.breakpoints.group(|p| same(p));
        let mut answers = Vec::with_capacity(wanted.len());
        let mut fresh = Vec::new();
        let mut changed = Vec::new();
        for (place, options) in wanted {
            let is_here = |b: &Breakpoint| b.place == place && b.verified();
            if answers.iter().any(|id| self.breakpoints.get(*id).is_some_and(is_here)) {
                let why = "breakpoint already exists";
                answers.push(self.insert_refused(place, options, why.into()));
                continue;
            }
            let kept = old.iter().position(|id| {
                self.breakpoints.get(*id).is_some_and(|b| {
                    b.place == place && b.options == options && (b.verified() || b.watch.is_some())
                })
            });
            if let Some(i) = kept {
                answers.push(old.remove(i));
            } else {
                // With other options it stays the same breakpoint: its hits go on counting.
                let before =
                    old.iter().position(|id| self.breakpoints.get(*id).is_some_and(|b| b.place == place));
                let before = before.map(|i| old.remove(i));
                changed.extend(before);
                let id = before.unwrap_or_else(|| self.breakpoints.next_id());
                let hits = self.breakpoints.get(id).map_or(0, |b| b.hits);
                let mut b = self.make_breakpoint(id, place, options);
                b.hits = hits;
                if let Some(why) = self.named_before(&b, &answers) {
                    b.spots.clear();
                    b.watch = None;
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
            old.extend(changed);
            s.disarm_users(&old);
            s.arm_users(&fresh);
            s.arm_itab_watch();
        });
        answers.iter().map(|id| self.present_breakpoint(*id)).collect()
    }

    /// There is a program now: breakpoints that were set before get their places, and the client is told.
    pub(crate) fn bind_early_breakpoints(&mut self) {
        let early: Vec<BreakpointId> =
            self.breakpoints.iter().filter(|b| !b.verified() && b.watch.is_none()).map(|b| b.id).collect();
        for id in early {
            let Some(old) = self.breakpoints.remove(id) else { continue };
            let (place, options) = (old.place.clone(), old.options.clone());
            let duplicate = self.breakpoints.iter().any(|b| b.place == place && b.options == options);
            let console = old.console;
            let mut b = if duplicate { old } else { self.make_breakpoint(id, place, options) };
            b.console = console;
            self.breakpoints.insert(b);
            if duplicate {
                continue;
            }
            self.arm_users(&[id]);
            if !self.client.as_delve {
                let breakpoint = self.present_breakpoint(id);
                self.event(t::BreakpointEvent { reason: "changed".into(), breakpoint });
            }
        }
        self.arm_itab_watch();
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
    pub(crate) fn add_console_breakpoint(&mut self, name: &str, options: Options) -> Result<String, String> {
        let id = self.breakpoints.next_id();
        let mut b = self.make_breakpoint(id, Place::Function { name: name.to_string() }, options);
        if let (false, Some(why), true) = (b.verified(), &b.message, b.watch.is_none()) {
            return Err(why.clone());
        }
        b.console = true;
        self.breakpoints.insert(b);
        self.with_program_stopped(|s| {
            s.arm_users(&[id]);
            s.arm_itab_watch();
        });
        let shown = self.present_breakpoint(id);
        self.event(t::BreakpointEvent { reason: "new".into(), breakpoint: shown });
        Ok(format!("breakpoint {} at {}", id.0, self.breakpoint_place(id)))
    }

    /// Where a breakpoint is, in one line.
    pub(crate) fn breakpoint_place(&self, id: BreakpointId) -> String {
        let Some(b) = self.breakpoints.get(id) else { return String::new() };
        let at = match (&b.file, b.line) {
            (Some(file), Some(line)) => format!("{}:{line}", self.sources.to_client(file)),
            _ => String::new(),
        };
        let message = b.message.as_ref().map(|m| format!(" ({m})")).unwrap_or_default();
        match &b.place {
            Place::Source { path, line } => format!("{path}:{}{message}", b.line.unwrap_or(*line)),
            Place::Instruction { reference, .. } => format!("{reference}{message}"),
            Place::Function { name } if b.watch.is_none() && !at.is_empty() => {
                format!("{name} {at}{message}")
            }
            Place::Function { name } => format!("{name}{message}"),
            Place::Method { interface, method, concrete } => {
                let concrete = concrete.as_ref().map(|c| format!("({c})")).unwrap_or_default();
                format!("{interface}.{method}{concrete}{message}")
            }
        }
    }

    /// `break -d N` of the console.
    pub(crate) fn remove_breakpoint(&mut self, id: i64) -> bool {
        let id = BreakpointId(id);
        if self.breakpoints.get(id).is_none() {
            return false;
        }
        let shown = self.present_all(id);
        self.with_program_stopped(|s| {
            s.breakpoints.remove(id);
            s.disarm_users(&[id]);
            s.arm_itab_watch();
        });
        for breakpoint in shown {
            self.event(t::BreakpointEvent { reason: "removed".into(), breakpoint });
        }
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
        let same = |other: &Breakpoint| b.verified() && other.same_places(b);
        answers.iter().find(|id| self.breakpoints.get(**id).is_some_and(same))?;
        let file = b.file.as_deref().unwrap_or_default();
        Some(format!("Breakpoint exists at {file}:{}", b.line.unwrap_or(0)))
    }

    /// Writes the places of breakpoints that are not written yet. Of one that has several, those that the target takes are kept.
    pub(crate) fn arm_users(&mut self, ids: &[BreakpointId]) {
        let Some(inf) = self.inferior.as_mut() else { return };
        let found = ids.iter().filter_map(|id| self.breakpoints.get(*id));
        let wanted: Vec<(u64, Owner)> =
            found.flat_map(|b| b.spots.iter().map(|s| (s.addr, Owner::User(b.id)))).collect();
        let result = inf.arm(&wanted);
        for id in ids {
            let Some(b) = self.breakpoints.get_mut(*id) else { continue };
            let failed = match &result {
                Ok(refused) => {
                    let why = |addr: u64| refused.iter().find(|r| r.addr == addr).map(|r| r.why.to_string());
                    let failed = b.spots.iter().find_map(|s| why(s.addr));
                    b.spots.retain(|s| why(s.addr).is_none());
                    failed
                }
                Err(e) => {
                    b.spots.clear();
                    Some(e.to_string())
                }
            };
            if b.spots.is_empty() {
                b.message = failed.or(b.message.take());
            }
        }
    }

    pub(crate) fn disarm_users(&mut self, ids: &[BreakpointId]) {
        if let Some(inf) = self.inferior.as_mut() {
            inf.disarm_where(|o| matches!(o, Owner::User(id) if ids.contains(&id)));
        }
    }

    /// A breakpoint as the client sees it: one, or one for each body of a method.
    pub(crate) fn present_all(&self, id: BreakpointId) -> Vec<t::Breakpoint> {
        match self.breakpoints.get(id) {
            Some(b) if matches!(b.place, Place::Method { .. }) => {
                b.spots.iter().map(|s| self.present_body(b, s)).collect()
            }
            _ => vec![self.present_breakpoint(id)],
        }
    }

    pub(crate) fn present_breakpoint(&self, id: BreakpointId) -> t::Breakpoint {
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

        let reason = if b.watch.is_some() { "pending" } else { "failed" };
        t::Breakpoint {
            id: Some(b.id.0),
            verified: b.verified(),
            message: b.message.clone(),
            source,
            line: b.line.or(asked).map(i64::from),
            instruction_reference: b.spots.first().map(|s| format!("{:#x}", s.addr)),
            reason: (!b.verified()).then(|| reason.into()),
            ..Default::default()
        }
    }
}

/// `0x…` or decimal.
pub(crate) fn parse_address(text: &str) -> Option<u64> {
    let text = text.trim();
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}
