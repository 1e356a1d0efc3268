//! Panics, fatal errors and failed assertions: the debugger's own breakpoints for them, and what is said where one stops.
//!
//! The text of a stop is made once and goes into `stopped`, `exceptionInfo` and the output at the program's end alike.

mod assertions;
mod explain;
mod filters;
mod panics;
mod raised;
mod unreached;

use std::collections::{HashMap, HashSet};

use dispatch::AssertProbe;
use golang::Frame;
use machine::MemoryExt;
use target::Tid;
use wire::{Responder, requests as rq, types as t};

pub(crate) use self::filters::{Described, FILTERS, Filter, Wanted};
use self::panics::{Kept, PanicText};
use super::{Exception, Reported, Session};
use crate::{
    control::table::{Internal, Owner},
    error::Refused,
};

/// Bytes of a runtime message, at most.
const MAX_MESSAGE: usize = 64 << 10;
/// Frames in `exceptionInfo`'s stack trace.
const TRACE_FRAMES: usize = 50;

/// What is stopped at, and what is remembered between the stops of one panic.
pub(crate) struct Exceptions {
    pub(crate) wanted: Vec<Wanted>,
    assertions: Vec<AssertProbe>,
    /// Goroutine whose assertion was seen to fail and panics next.
    asserted: Option<u64>,
    /// By goroutine: what its unrecovered panic was before the runtime made text of it.
    kept: HashMap<u64, Kept>,
    /// What was said of conditions already.
    told: HashSet<(Filter, String)>,
    /// The panic that ends the program.
    pub(crate) last_words: Option<String>,
}

impl Default for Exceptions {
    fn default() -> Self {
        let on = FILTERS.iter().filter(|d| d.on_by_default());
        Exceptions {
            wanted: on.map(|d| Wanted { filter: d.filter, condition: None }).collect(),
            assertions: Vec::new(),
            asserted: None,
            kept: HashMap::new(),
            told: HashSet::new(),
            last_words: None,
        }
    }
}

impl Session {
    /// Replaces the filters: one answer for each, in the order given. One with a wrong condition does not stop.
    pub(crate) fn set_exceptions(&mut self, asked: Vec<(String, Option<String>)>) -> Vec<t::Breakpoint> {
        let mut wanted = Vec::new();
        let answers = asked
            .into_iter()
            .map(|(name, condition)| match self.wanted_exception(&name, condition.as_deref()) {
                Ok(w) => {
                    wanted.push(w);
                    t::Breakpoint { verified: true, ..Default::default() }
                }
                Err(why) => t::Breakpoint {
                    verified: false,
                    message: Some(why),
                    reason: Some("failed".into()),
                    ..Default::default()
                },
            })
            .collect();
        self.change_exceptions(wanted);
        answers
    }

    /// A filter by name, with its condition checked.
    pub(crate) fn wanted_exception(&self, name: &str, condition: Option<&str>) -> Result<Wanted, String> {
        let known = || FILTERS.iter().map(|d| d.name).collect::<Vec<_>>().join(", ");
        let filter =
            Filter::named(name).ok_or_else(|| format!("there is no filter {name:?}; known: {}", known()))?;
        let condition = condition.filter(|c| !c.trim().is_empty());
        let condition = condition.map(|c| self.parse_condition(filter, c)).transpose()?;
        Ok(Wanted { filter, condition })
    }

    pub(crate) fn change_exceptions(&mut self, wanted: Vec<Wanted>) {
        self.exceptions.told.clear();
        self.exceptions.wanted = wanted;
        self.find_assertions();
        self.with_program_stopped(|s| s.arm_exceptions());
    }

    /// There is a program: its breakpoints for the filters that are on.
    pub(crate) fn begin_exceptions(&mut self) {
        self.find_assertions();
        self.arm_exceptions();
    }

    fn wants(&self, filter: Filter) -> bool {
        self.exceptions.wanted.iter().any(|w| w.filter == filter)
    }

    /// Makes the armed breakpoints those of the filters that are on.
    fn arm_exceptions(&mut self) {
        let unrecovered = self.wants(Filter::UnrecoveredPanic);
        let groups = [
            (Internal::UnrecoveredPanic, unrecovered, &["runtime.fatalpanic"][..]),
            (Internal::PanicKept, unrecovered, &["runtime.preprintpanics"][..]),
            (Internal::FatalThrow, self.wants(Filter::FatalThrow), &["runtime.throw", "runtime.fatal"][..]),
            (
                Internal::AnyPanic,
                self.wants(Filter::Panic) || self.wants(Filter::FailedAssertion),
                &["runtime.gopanic"][..],
            ),
        ];
        let recovered = self.wants(Filter::RecoveredPanic);
        let Some(inf) = self.inferior.as_mut() else { return };
        inf.disarm_where(|o| matches!(o, Owner::Internal(i) if i.is_exception()));
        let functions = inf.image.functions();
        let mut armed = Vec::new();
        for (which, _, names) in groups.iter().filter(|(_, on, _)| *on) {
            let found = names.iter().flat_map(|name| functions.by_name(name));
            armed.extend(found.map(|f| (f.prologue_end(), Owner::Internal(*which))));
        }
        if recovered {
            let found = functions.by_name("runtime.gorecover").into_iter();
            let returns = found.flat_map(|f| inf.engine.returns(&inf.image, f));
            armed.extend(returns.map(|pc| (pc, Owner::Internal(Internal::Recovered))));
        }
        let assertions = self.exceptions.assertions.iter().zip(0..);
        armed.extend(assertions.map(|(p, i)| (p.pc, Owner::Internal(Internal::Assertion(i)))));
        inf.arm_or_warn(&armed, "exceptions");
    }

    /// What the stop at a breakpoint of the filters is reported as; None: it is no stop.
    pub(super) fn exception_report(
        &mut self,
        tid: Tid,
        goid: Option<u64>,
        which: Internal,
    ) -> Option<Reported> {
        match which {
            Internal::FatalThrow => self.fatal_report(tid, goid),
            Internal::UnrecoveredPanic => self.unrecovered_report(tid, goid),
            Internal::PanicKept => {
                self.keep_panic(tid, goid);
                None
            }
            Internal::AnyPanic => self.panic_report(tid, goid),
            Internal::Recovered => self.recovered_report(tid, goid),
            Internal::Assertion(index) => self.assertion_report(tid, goid, index),
            Internal::Entry | Internal::ItabMade | Internal::MethodLoad => None,
        }
    }

    fn fatal_report(&mut self, tid: Tid, goid: Option<u64>) -> Option<Reported> {
        let shown = goid.or_else(|| self.goroutine_to_show(tid));
        let frame = self.top_frame(tid)?;
        let raised = self.raised(tid, shown, None);
        if !self.condition_of(Filter::FatalThrow, raised.as_ref()) {
            return None;
        }
        let text = self.throw_text(&frame);
        let exception = Exception { id: "fatal error", text, unhandled: true, type_names: None };
        Some(Reported::exception(shown, exception))
    }

    /// The runtime's message, quoted as a panic's string is: a string in the first two argument registers.
    fn throw_text(&self, frame: &Frame) -> String {
        self.peek(frame, |look| {
            let process = look.view.process;
            let word = |i: usize| process.image.arch().int_args().get(i).and_then(|r| frame.regs.get(*r));
            let len = usize::try_from(word(1)?).ok()?;
            let bytes = process.mem.read_vec(word(0)?, len, MAX_MESSAGE).ok()?;
            Some(eval::quote(&bytes))
        })
        .flatten()
        .unwrap_or_else(|| "the runtime's message can't be read".into())
    }

    /// The program has ended: of what, if it was a panic that stopped.
    pub(super) fn tell_last_words(&mut self, code: i32) {
        if let Some(text) = self.exceptions.last_words.take()
            && code != 0
        {
            self.console(&format!("The program ended by a panic: {text}"));
        }
    }

    pub(crate) fn on_exception_info(
        &mut self,
        a: t::ExceptionInfoArguments,
        r: Responder<rq::ExceptionInfo>,
    ) {
        r.answer(self.exception_info(a.thread_id).map_err(Into::into));
    }

    fn exception_info(&mut self, thread_id: i64) -> Result<t::ExceptionInfoResponse, Refused> {
        let exception = self.current.as_ref().and_then(|c| c.exception.clone());
        let Some(Exception { id, text, unhandled, type_names }) = exception else {
            return Err(Refused::Exception("the program did not stop because of an exception".into()));
        };
        let goid = u64::try_from(thread_id).unwrap_or(1);
        let stack = self.stack_of(goid, 0, TRACE_FRAMES)?;
        let trace: Vec<String> = stack
            .frames
            .iter()
            .filter(|f| !f.runtime)
            .map(|f| format!("{}\n\tat {}:{}", f.name, self.sources.to_client(&f.file), f.line))
            .collect();
        let (type_name, full_type_name) = type_names.unzip();
        Ok(t::ExceptionInfoResponse {
            exception_id: id.into(),
            description: Some(text.clone()),
            break_mode: match unhandled {
                true => t::ExceptionBreakMode::Unhandled,
                false => t::ExceptionBreakMode::Always,
            },
            details: Some(t::ExceptionDetails {
                message: Some(text),
                type_name,
                full_type_name,
                stack_trace: Some(trace.join("\n")),
                ..Default::default()
            }),
        })
    }
}

impl PanicText {
    fn exception(self, id: &'static str, unhandled: bool) -> Exception {
        Exception { id, text: self.text, unhandled, type_names: self.type_names }
    }
}
