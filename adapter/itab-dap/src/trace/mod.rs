//! Traces: every interface call, or every type assertion, of the code that a filter selects, counted and logged while the program runs.
//!
//! A hit is never a stop that the user sees, and never takes one away: trace points are owners of an address like all others. Counts
//! are exact; records are bounded. Results are kept until the session ends, also after the program's end.

mod asserts;
mod calls;
mod console;
mod filter;
mod graph;
mod requests;
mod results;
mod start;
mod tally;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Instant,
};

use dispatch::{AssertProbe, Probe};
use target::{TargetError, Tid};
use wire::{itab, types as t};

pub(crate) use self::filter::{Request, is_standard};
use self::{
    calls::Callee,
    results::Open,
    tally::{RowId, Tally},
};
use crate::{
    control::{
        inferior::Inferior,
        table::{Owner, TracePoint},
    },
    session::Session,
};

/// What a trace records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Dispatch,
    Asserts,
}

/// How points of the program are watched. Breakpoints today; what is faster puts itself behind the same two functions and hands
/// its hits to [`Session::on_trace_point`].
pub(crate) trait Mechanism {
    /// As `itab/trace` names it.
    fn name(&self) -> &'static str;
    fn watch(&self, inf: &mut Inferior, points: &[(u64, TracePoint)]) -> Result<(), TargetError>;
    fn forget(&self, inf: &mut Inferior, trace: u32);
}

/// An int3 at each point.
pub(crate) struct Breakpoints;

impl Mechanism for Breakpoints {
    fn name(&self) -> &'static str {
        "breakpoint"
    }

    fn watch(&self, inf: &mut Inferior, points: &[(u64, TracePoint)]) -> Result<(), TargetError> {
        let wanted: Vec<_> = points.iter().map(|(addr, p)| (*addr, Owner::Trace(*p))).collect();
        inf.arm(&wanted)?.into_iter().next().map_or(Ok(()), |refused| Err(refused.why))
    }

    fn forget(&self, inf: &mut Inferior, trace: u32) {
        inf.disarm_where(|o| matches!(o, Owner::Trace(p) if p.trace == trace));
    }
}

/// One watched instruction.
pub(crate) enum Point {
    Call {
        probe: Box<Probe>,
        site: Arc<str>,
    },
    Assert {
        probe: Box<AssertProbe>,
        site: Arc<str>,
        /// The value's static type, once it was seen.
        interface: Option<String>,
    },
    /// The instruction behind the call of the point with this index.
    Return {
        of: u32,
    },
}

/// One trace.
pub(crate) struct Trace {
    id: u32,
    what: What,
    request: Request,
    enabled: bool,
    /// Started where there are no views: records are lines of the console too.
    console: bool,
    /// The limit was told.
    said_limit: bool,
    began: Instant,
    began_at: std::time::SystemTime,
    /// The program's end.
    ended: Option<Instant>,
    points: Vec<(u64, Point)>,
    /// Why it may see less than there is.
    note: Option<String>,
    tally: Tally,
    /// What a point with an itab (or a target) leads to: neither ever changes.
    known: HashMap<(u32, u64), Callee>,
    open: Open,
}

/// All traces of the session.
#[derive(Default)]
pub(crate) struct Traces {
    list: BTreeMap<u32, Trace>,
    last: u32,
    /// Trace points of the hit that is being handled: already counted when the thread is stepped over.
    noted: Vec<TracePoint>,
}

impl Traces {
    fn mechanism(&self) -> &'static dyn Mechanism {
        &Breakpoints
    }

    /// When records have to be sent next.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.list.values().filter_map(|t| t.tally.due()).min()
    }

    fn newest(&self) -> Option<u32> {
        self.list.keys().next_back().copied()
    }
}

impl Session {
    /// A hit is being handled.
    pub(crate) fn begin_trace_hit(&mut self) {
        self.traces.noted.clear();
    }

    /// A thread is at a trace point and will execute the instruction there.
    pub(crate) fn on_trace_point(&mut self, tid: Tid, goid: Option<u64>, at: TracePoint) {
        self.traces.noted.push(at);
        let Some(mut trace) = self.traces.list.remove(&at.trace) else { return };
        match trace.points.get(at.index as usize).map(|p| &p.1) {
            Some(Point::Call { .. }) => self.trace_call(&mut trace, tid, goid, at.index),
            Some(Point::Assert { .. }) => self.trace_assert(&mut trace, tid, goid, at.index),
            Some(Point::Return { of }) => {
                let of = *of;
                self.trace_return(&mut trace, tid, goid, of);
            }
            None => {}
        }
        let due = trace.tally.due();
        self.traces.list.insert(at.trace, trace);
        if due.is_some_and(|d| d <= Instant::now()) {
            self.send_trace_records(false);
        }
    }

    /// A single step of a thread: as [`Self::trace_what_is_passed`].
    pub(crate) fn trace_before_instruction(&mut self, tid: Option<Tid>) {
        let Some(inf) = self.inferior.as_ref() else { return };
        // A hit of another thread is left alone by this step.
        if inf.at_breakpoint().is_none_or(|t| Some(t) == tid) {
            self.trace_what_is_passed(tid);
        }
    }

    /// A thread is about to run the instruction under it without a hit: it was stopped there by a step, or the trace came after the
    /// hit that is being left.
    pub(crate) fn trace_what_is_passed(&mut self, from: Option<Tid>) {
        if self.traces.list.is_empty() {
            return;
        }
        let Some(inf) = self.inferior.as_mut() else { return };
        let at_hit = inf.at_breakpoint();
        let Some(tid) = at_hit.or(from) else { return };
        let Ok(pc) = inf.read_thread(tid).map(|t| t.regs.pc()) else { return };
        let noted = if at_hit == Some(tid) { std::mem::take(&mut self.traces.noted) } else { Vec::new() };
        let missed: Vec<TracePoint> = inf
            .owners(pc)
            .into_iter()
            .filter_map(|o| match o {
                Owner::Trace(p) if !noted.contains(&p) => Some(p),
                _ => None,
            })
            .collect();
        if missed.is_empty() {
            self.traces.noted = noted;
            return;
        }
        let goid = self.goid_of(tid);
        for p in missed {
            self.on_trace_point(tid, goid, p);
        }
        self.traces.noted.extend(noted);
    }

    /// Sends what waits: when it is due, or at once at the program's end.
    pub(crate) fn send_trace_records(&mut self, at_once: bool) {
        let now = Instant::now();
        let mut list = std::mem::take(&mut self.traces.list);
        for trace in list.values_mut() {
            if !trace.tally.due().is_some_and(|d| at_once || d <= now) {
                continue;
            }
            let (records, dropped) = trace.tally.take();
            if trace.console {
                self.print_trace_records(trace, &records, dropped);
            }
            self.event(itab::TraceRecordsEvent { trace_id: i64::from(trace.id), records, dropped });
        }
        self.traces.list = list;
    }

    fn print_trace_records(&self, trace: &mut Trace, records: &[itab::TraceRecord], dropped: u64) {
        let mut text = String::new();
        for r in records {
            text.push_str(&console::record_line(trace, r));
            text.push('\n');
        }
        if dropped != 0 && !trace.said_limit {
            trace.said_limit = !trace.tally.has_room();
            let why = if trace.said_limit { ": the limit of shown lines is reached" } else { "" };
            text.push_str(&format!(
                "trace {}: {dropped} more are counted but not shown{why} (trace show)\n",
                trace.id
            ));
        }
        if !text.is_empty() {
            self.event(t::OutputEvent {
                category: Some("console".into()),
                output: text,
                ..Default::default()
            });
        }
    }

    /// The program is gone: calls without an end get their records, and all that waits is sent.
    pub(crate) fn end_traces(&mut self) {
        for trace in self.traces.list.values_mut() {
            trace.enabled = false;
            trace.ended.get_or_insert_with(Instant::now);
            trace.close_all();
        }
        self.send_trace_records(true);
    }
}

impl Trace {
    /// Counts a call and keeps its record.
    fn record(&mut self, row: RowId, make: impl FnOnce(&tally::Row) -> itab::TraceRecord) {
        let room = self.tally.has_room();
        let record = self.tally.get(row).filter(|_| room).map(make);
        self.tally.record(record);
    }

    fn nanos(&self) -> u64 {
        let now = self.ended.unwrap_or_else(Instant::now);
        u64::try_from(now.duration_since(self.began).as_nanos()).unwrap_or(u64::MAX)
    }
}
