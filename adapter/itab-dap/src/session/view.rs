//! The stopped program as requests see it: goroutines, frames and variables by handle, reads with a budget.
//!
//! Handles belong to one stop; a new one begins at each resume.

use std::sync::Arc;

use eval::Item;
use golang::{Frame, Goroutine, Process, Stack, StackOf};
use target::Tid;
use wire::types as t;

use super::{Reported, Session, State};
use crate::error::Refused;

/// A frame that the client knows by an id.
#[derive(Clone, Debug)]
pub(crate) struct FrameHandle {
    pub(crate) goid: u64,
    /// From the top, inlined frames counted.
    pub(crate) index: usize,
    pub(crate) frame: Frame,
}

impl FrameHandle {
    /// True if the frame executes at its pc; a caller's pc is a return address.
    pub(crate) fn is_top(&self) -> bool {
        self.frame.pc == self.frame.lookup_pc
    }
}

/// A `variablesReference`.
#[derive(Clone)]
pub(crate) enum VariableHandle {
    Scope { frame: i64, kind: ScopeKind },
    Item { frame: Option<i64>, item: Arc<Item> },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ScopeKind {
    Locals,
    Globals(String),
    Registers,
    Dispatch,
}

impl Session {
    /// Everything handed out for the present stop is void.
    pub(super) fn new_epoch(&mut self) {
        if self.client.as_delve {
            self.frames.restart();
            self.variables.restart();
        }
        self.frames.clear();
        self.variables.clear();
        self.frame_ids.clear();
        self.call_sites.clear();
        self.locations.clear();
        self.current = None;
        self.returned = None;
        self.scratch.clear();
    }

    /// The user lets the program run: what the present stop showed is over.
    pub(crate) fn leave_stop(&mut self) {
        self.remember_itabs();
        self.folded = None;
        self.new_epoch();
    }

    /// The thread that the next resume steps over a breakpoint for: the one of the selected goroutine.
    pub(crate) fn stopped_thread(&self) -> Option<Tid> {
        self.stopped_tid
    }

    pub(crate) fn set_stopped_thread(&mut self, tid: Tid) {
        self.stopped_tid = Some(tid);
    }

    pub(crate) fn want_pause(&mut self, goid: u64) {
        self.pause_wanted = Some(goid);
    }

    pub(crate) fn tell_continued(&self, goid: u64) {
        self.event(t::ContinuedEvent { thread_id: goid as i64, all_threads_continued: Some(true) });
    }

    /// The kernel thread that runs a goroutine at this stop.
    pub(crate) fn thread_of(&mut self, goid: u64) -> Option<Tid> {
        self.read_all().ok()?;
        let inf = self.inferior.as_ref()?;
        inf.process().goroutine(goid)?.thread.map(Tid)
    }

    /// Tells the client of a stop: exactly one event.
    pub(crate) fn report(&mut self, r: Reported) {
        self.state = State::Stopped;
        self.cancel_step();
        let goid = r.goid.or_else(|| self.stopped_tid.and_then(|t| self.goroutine_to_show(t))).unwrap_or(1);
        self.selected = Some(goid);
        self.event(t::StoppedEvent {
            reason: r.reason.as_str().into(),
            description: r.description.clone(),
            thread_id: Some(goid as i64),
            text: r.text.clone(),
            all_threads_stopped: Some(true),
            hit_breakpoint_ids: (!r.hit.is_empty()).then(|| r.hit.clone()),
            ..Default::default()
        });
        self.current = Some(Reported { goid: Some(goid), ..r });
        self.entry_was_told();
        self.analyse_ahead();
    }

    /// While the user looks at the stop: what a step into a call of its function will ask for.
    fn analyse_ahead(&mut self) {
        let frame = self.stopped_tid.and_then(|tid| self.top_frame(tid)).filter(|f| !f.runtime);
        if let Some((function, inf)) = frame.and_then(|f| f.function).zip(self.inferior.as_ref()) {
            inf.analyse_ahead(function);
        }
    }

    /// The user goroutine on a thread at this stop.
    pub(crate) fn goid_of(&mut self, tid: Tid) -> Option<u64> {
        let inf = self.inferior.as_mut()?;
        inf.read_thread(tid).ok()?;
        let process = inf.process();
        let thread = process.threads.iter().find(|t| t.tid == tid.0)?;
        process.goid_of(thread)
    }

    pub(crate) fn top_frame(&mut self, tid: Tid) -> Option<Frame> {
        let inf = self.inferior.as_mut()?;
        inf.read_thread(tid).ok()?;
        let process = inf.process();
        let thread = process.threads.iter().find(|t| t.tid == tid.0)?;
        Some(process.frame_at(thread))
    }

    /// The goroutine a stop without one (a pause in the scheduler) is shown for: the selected one, else one that runs user code.
    pub(super) fn goroutine_to_show(&mut self, tid: Tid) -> Option<u64> {
        if let Some(g) = self.goid_of(tid) {
            return Some(g);
        }
        let inf = self.inferior.as_mut()?;
        inf.read_all_threads().ok()?;
        let process = inf.process();
        if let Some(g) = self.selected.filter(|g| process.goroutine(*g).is_some()) {
            return Some(g);
        }
        let list = process.goroutines(crate::requests::threads::MAX_GOROUTINES);
        let user = |g: &&Goroutine| !g.system;
        list.goroutines
            .iter()
            .filter(user)
            .find(|g| g.thread.is_some())
            .or_else(|| list.goroutines.iter().find(user))
            .map(|g| g.id)
    }

    /// Registers of all threads, so that goroutines can be told from each other.
    pub(crate) fn read_all(&mut self) -> Result<(), Refused> {
        let Some(inf) = self.inferior.as_mut() else { return Err(Refused::Ended) };
        inf.read_all_threads().map_err(|e| Refused::Threads(e.to_string()))
    }

    /// Frames of a goroutine. A thread without goroutine (before the runtime is up) is shown as goroutine 1.
    pub(crate) fn stack_of(&mut self, goid: u64, start: usize, levels: usize) -> Result<Stack, Refused> {
        self.read_all()?;
        let fallback = self.stopped_tid;
        let Some(inf) = self.inferior.as_ref() else { return Err(Refused::Ended) };
        let process = inf.process();
        match process.goroutine(goid) {
            Some(g) => Ok(process.stack(stack_source(&process, &g), start, levels)),
            None => {
                let selected = self.selected == Some(goid);
                let thread = process.threads.iter().find(|t| selected && Some(Tid(t.tid)) == fallback);
                match thread {
                    Some(t) => Ok(process.stack(StackOf::Thread(t), start, levels)),
                    None => Err(Refused::StackTrace(format!("unknown goroutine {goid}"))),
                }
            }
        }
    }

    /// The id of a frame at this stop: the same for the same place.
    pub(crate) fn frame_id(&mut self, goid: u64, index: usize, frame: &Frame) -> i64 {
        if let Some(id) = self.frame_ids.get(&(goid, index)).filter(|_| !self.client.as_delve) {
            return *id;
        }
        let id = self.frames.add(FrameHandle { goid, index, frame: frame.clone() });
        self.frame_ids.insert((goid, index), id);
        id
    }

    pub(crate) fn stale_frame(&self, id: i64) -> Refused {
        match self.frames.was_given(id) {
            true => Refused::Stale("frame", id),
            false => Refused::UnknownFrame(id),
        }
    }

    pub(crate) fn stale_variables(&self, id: i64) -> Refused {
        match self.variables.was_given(id) {
            true => Refused::Stale("variables reference", id),
            false => Refused::UnknownVariable(id),
        }
    }

    /// A frame by id, or the top frame of the selected goroutine.
    pub(crate) fn frame(&mut self, id: Option<i64>) -> Result<FrameHandle, Refused> {
        match id {
            Some(id) if id != 0 && !(self.client.as_delve && self.frames.get(id).is_none()) => {
                self.frames.get(id).cloned().ok_or_else(|| self.stale_frame(id))
            }
            _ => {
                let goid = self.selected.unwrap_or(1);
                let stack = self.stack_of(goid, 0, 1)?;
                let frame = stack
                    .frames
                    .into_iter()
                    .next()
                    .ok_or(Refused::StackTrace("the goroutine has no frames".into()))?;
                Ok(FrameHandle { goid, index: 0, frame })
            }
        }
    }
}

/// Where a goroutine's frames are: in its thread's registers, or saved.
pub(crate) fn stack_source<'a>(process: &'a Process<'_>, g: &'a Goroutine) -> StackOf<'a> {
    match g.thread.and_then(|tid| process.threads.iter().find(|t| t.tid == tid)) {
        Some(t) => StackOf::Thread(t),
        None => StackOf::Goroutine(g),
    }
}
