//! Calls whose end is awaited: results and elapsed time, matched by goroutine and frame, which survive stack growth.
//!
//! Every call that was counted gets exactly one record: at its end, or without results when a panic or the program's end came instead.

use std::{collections::HashMap, time::Instant};

use image::TypeId;
use target::Tid;

use super::{Point, Trace, calls::signature, tally::RowId};
use crate::{control::results::values_in_registers, session::Session};

/// Calls that may wait at once; more get their record without results.
const MAX_OPEN: usize = 100_000;

/// What is known of a call when it is made.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) row: RowId,
    pub(super) goroutine: i64,
    /// Nanoseconds since the trace began.
    pub(super) time: u64,
    pub(super) arguments: Option<Vec<String>>,
}

/// A call that has not returned yet.
#[derive(Debug)]
struct Waiting {
    index: u32,
    /// `stack.hi - CFA` of the frame that calls: deeper frames have more.
    frame: u64,
    since: Instant,
    method_type: Option<TypeId>,
    call: Call,
}

/// The calls in progress of each goroutine, innermost last.
#[derive(Default)]
pub(super) struct Open {
    by_goroutine: HashMap<u64, Vec<Waiting>>,
    count: usize,
}

impl Session {
    /// A call begins whose end is wanted.
    pub(super) fn open_call(
        &mut self,
        trace: &mut Trace,
        tid: Tid,
        goid: u64,
        index: u32,
        method_type: Option<TypeId>,
        call: Call,
    ) {
        let tail = matches!(trace.points.get(index as usize),
            Some((_, Point::Call { probe, .. })) if probe.site.return_pc == 0);
        let frame = self.top_frame(tid).map_or(0, |f| f.frame_offset);
        trace.close_deeper(goid, frame, true);
        if tail || frame == 0 || trace.open.count >= MAX_OPEN {
            return trace.record(call.row, |r| call.record(r));
        }
        let waiting = Waiting { index, frame, since: Instant::now(), method_type, call };
        trace.open.by_goroutine.entry(goid).or_default().push(waiting);
        trace.open.count += 1;
    }

    /// A thread is behind the call of the point `of`.
    pub(super) fn trace_return(&mut self, trace: &mut Trace, tid: Tid, goid: Option<u64>, of: u32) {
        let Some(goid) = goid else { return };
        let Some(frame) = self.top_frame(tid) else { return };
        trace.close_deeper(goid, frame.frame_offset, false);
        let Some(list) = trace.open.by_goroutine.get_mut(&goid) else { return };
        if !list.last().is_some_and(|w| w.index == of && w.frame == frame.frame_offset) {
            return;
        }
        let Some(w) = list.pop() else { return };
        trace.open.count -= 1;
        let elapsed = w.since.elapsed();
        trace.tally.time(w.call.row, elapsed);
        let results = trace.tally.has_room().then(|| {
            self.peek(&frame, |look| {
                let process = look.view.process;
                let types = w.method_type.and_then(|t| signature(process, t)).unwrap_or_default().1;
                values_in_registers(process, &types, &frame.regs)
                    .iter()
                    .map(|v| eval::render(&look.view, v))
                    .collect::<Vec<_>>()
            })
            .unwrap_or_default()
        });
        trace.record(w.call.row, |r| {
            let mut record = w.call.record(r);
            record.results = results;
            record.elapsed = Some(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX));
            record
        });
    }
}

impl Trace {
    /// Calls of frames below `frame` are over without a return: a panic unwound them. `same`: those of the frame itself too.
    fn close_deeper(&mut self, goid: u64, frame: u64, same: bool) {
        let Some(list) = self.open.by_goroutine.get_mut(&goid) else { return };
        let keep = list.iter().take_while(|w| w.frame < frame || (!same && w.frame == frame)).count();
        let over: Vec<Waiting> = list.drain(keep..).collect();
        self.open.count -= over.len();
        for w in over {
            self.record(w.call.row, |r| w.call.record(r));
        }
    }

    /// No call's end is awaited any longer.
    pub(super) fn close_all(&mut self) {
        let open = std::mem::take(&mut self.open);
        for w in open.by_goroutine.into_values().flatten() {
            self.record(w.call.row, |r| w.call.record(r));
        }
    }
}
