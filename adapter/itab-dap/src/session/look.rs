//! One look at the stopped program under a request's budget: the evaluator's scope and the viewer's view, made together.

use std::{sync::Arc, time::Duration};

use eval::{Budget, Limits, Scope, View};
use golang::{Frame, Process};
use wire::CancelToken;

use super::{FrameHandle, Session, stack_source};
use crate::error::Refused;

/// Frames searched for the function around a range-over-func body.
const OUTER_FRAMES: usize = 24;
/// Bytes of a string in contexts where one value is asked for, as Delve.
const LONG_STRING: u64 = 4096;

/// How a value is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Detail {
    /// A row of a tree, a watch.
    #[default]
    Row,
    /// One value that was asked for: console, hover.
    Single,
    /// The whole value: `variables` and `clipboard` contexts.
    Whole,
}

/// What a look works with.
pub(crate) struct Look<'a> {
    pub(crate) scope: Scope<'a>,
    pub(crate) view: View<'a>,
}

impl Session {
    /// Runs `f` on the stopped program. Reads stop at the settings' time limit and when the client cancels.
    pub(crate) fn look<T>(
        &mut self,
        frame: Option<&FrameHandle>,
        cancel: Option<&CancelToken>,
        detail: Detail,
        f: impl FnOnce(&Look<'_>) -> T,
    ) -> Result<T, Refused> {
        self.read_all()?;
        let limits = self.limits(detail);
        let mut budget = Budget::within(Duration::from_millis(self.settings.read_milliseconds()));
        budget.cancel = cancel.map(CancelToken::flag);
        let outer = frame.map(|h| self.outer_frames(h)).unwrap_or_default();
        let sources = Arc::clone(&self.sources);
        let Some(inf) = self.inferior.as_ref() else { return Err(Refused::Ended) };
        let memory = self.scratch.over(&**inf.memory());
        let process = inf.process_over(&memory);
        let frame = frame.map(|h| &h.frame);
        let scope = Scope { process: &process, frame, scratch: &self.scratch, source: Some(&*sources) };
        let view = View {
            process: &process,
            frame,
            outer: &outer,
            dispatch: Some(&inf.engine),
            show_itab: self.settings.show_itab(),
            limits: &limits,
            budget: &budget,
        };
        Ok(f(&Look { scope, view }))
    }

    /// The same for one internal stop: only the frame's thread was read.
    pub(crate) fn peek<T>(&self, frame: &Frame, f: impl FnOnce(&Look<'_>) -> T) -> Option<T> {
        self.peek_in(frame, Detail::Row, f)
    }

    /// The same with another detail.
    pub(crate) fn peek_in<T>(
        &self,
        frame: &Frame,
        detail: Detail,
        f: impl FnOnce(&Look<'_>) -> T,
    ) -> Option<T> {
        let inf = self.inferior.as_ref()?;
        let limits = self.limits(detail);
        let budget = Budget::within(Duration::from_millis(self.settings.read_milliseconds()));
        let memory = self.scratch.over(&**inf.memory());
        let process = inf.process_over(&memory);
        let scope = Scope::new(&process, Some(frame), &self.scratch);
        let view = View {
            process: &process,
            frame: Some(frame),
            outer: &[],
            dispatch: None,
            show_itab: eval::ShowItab::Never,
            limits: &limits,
            budget: &budget,
        };
        Some(f(&Look { scope, view }))
    }

    fn limits(&self, detail: Detail) -> Limits {
        let mut limits = self.settings.limits();
        if detail != Detail::Row {
            limits.whole_string = limits.whole_string.max(LONG_STRING);
        }
        if detail == Detail::Whole {
            limits.text = None;
        }
        limits
    }

    /// The callers of a range-over-func body's frame: its function's variables are visible in it.
    fn outer_frames(&mut self, h: &FrameHandle) -> Vec<Frame> {
        if !h.frame.symbol.contains("-range") {
            return Vec::new();
        }
        let Some(inf) = self.inferior.as_ref() else { return Vec::new() };
        let process: Process<'_> = inf.process();
        let Some(g) = process.goroutine(h.goid) else { return Vec::new() };
        process.stack(stack_source(&process, &g), h.index + 1, OUTER_FRAMES).frames
    }
}
