//! Where a panic came from: the frame of the author's that raised it, and the conditions of filters evaluated there.

use eval::{Names, Purpose, Scope};
use golang::{Frame, Value};
use target::Tid;

use super::filters::{Filter, PANIC_VALUE, Wanted};
use crate::session::{Detail, FrameHandle, Session};

/// Frames between the top and the one that panicked.
const FAULT_FRAMES: usize = 60;

/// A panic and its place.
pub(super) struct Raised {
    pub(super) goid: u64,
    pub(super) frames: Vec<Frame>,
    /// Index of the frame that panicked.
    pub(super) at: Option<usize>,
    /// The value given to `panic`; type `any`.
    pub(super) value: Option<Value>,
}

impl Raised {
    pub(super) fn frame(&self) -> Option<&Frame> {
        self.frames.get(self.at?)
    }

    /// The frame that panicked, as requests know frames.
    pub(super) fn handle(&self) -> Option<FrameHandle> {
        Some(FrameHandle { goid: self.goid, index: self.at?, frame: self.frame()?.clone() })
    }

    /// The fault of an instruction, not a call, led to the panic: the frame executes at its pc.
    pub(super) fn is_fault(&self) -> bool {
        self.at.is_some_and(|at| self.frames.iter().take(at).any(|f| f.symbol == "runtime.sigpanic"))
    }
}

impl Session {
    /// The stack of a panic that is being raised, printed or recovered: below `gopanic`, past the runtime and wrappers. Without a
    /// `gopanic`: the innermost frame outside the runtime.
    pub(super) fn raised(&mut self, tid: Tid, goid: Option<u64>, value: Option<Value>) -> Option<Raised> {
        let goid = goid.or_else(|| self.goroutine_to_show(tid))?;
        self.raised_in(goid, value)
    }

    /// The same for a goroutine.
    pub(super) fn raised_in(&mut self, goid: u64, value: Option<Value>) -> Option<Raised> {
        let frames = self.stack_of(goid, 0, FAULT_FRAMES).ok()?.frames;
        let begin = frames.iter().position(|f| f.symbol == "runtime.gopanic").map_or(0, |i| i + 1);
        let at = frames
            .iter()
            .enumerate()
            .skip(begin)
            .find(|(_, f)| !f.runtime && (!f.wrapper || f.symbol.contains("-range")))
            .map(|(i, _)| i);
        Some(Raised { goid, frames, at, value })
    }

    /// `main.recovered at main.go:48`.
    pub(super) fn place_of(&self, frame: &Frame) -> String {
        let file = self.sources.to_client(&frame.file);
        format!("{} at {file}:{}", frame.name, frame.line)
    }

    /// Whether one of the filter's entries stops for this panic.
    pub(super) fn condition_of(&mut self, filter: Filter, raised: Option<&Raised>) -> bool {
        let all: Vec<Wanted> =
            self.exceptions.wanted.iter().filter(|w| w.filter == filter).cloned().collect();
        all.iter().any(|w| self.stops_for(w, raised))
    }

    fn stops_for(&mut self, wanted: &Wanted, raised: Option<&Raised>) -> bool {
        let handle = raised.and_then(Raised::handle);
        if wanted.condition.is_none() && wanted.filter != Filter::FailedAssertion {
            return true;
        }
        let Some(handle) = handle else { return wanted.condition.is_none() };
        let package = image::names::package_of(&image::names::unescape(&handle.frame.symbol));
        if self.inferior.as_ref().is_none_or(|inf| !wanted.takes_package(&inf.image, &package)) {
            return false;
        }
        let Some(text) = wanted.condition.as_ref().and_then(|c| c.expression.as_ref()) else { return true };
        let value = raised.and_then(|r| r.value.clone()).filter(|_| wanted.filter.has_value());
        match self.truth_in(&handle, text, value.as_ref()) {
            Ok(holds) => holds,
            Err(Failed::NoMeaning(why)) => {
                self.tell_once(wanted.filter, format!("is not met in {}: {why}", handle.frame.name));
                false
            }
            Err(Failed::NoValue(why)) => {
                self.tell_once(wanted.filter, format!("failed in {}: {why}", handle.frame.name));
                true
            }
        }
    }

    fn tell_once(&mut self, filter: Filter, what: String) {
        if self.exceptions.told.insert((filter, what.clone())) {
            self.console(&format!("The condition of {} {what}", filter.name()));
        }
    }

    /// The truth of an expression in a frame of the stopped goroutine.
    fn truth_in(&mut self, handle: &FrameHandle, text: &str, value: Option<&Value>) -> Result<bool, Failed> {
        let mut handle = handle.clone();
        if let Some(inf) = self.inferior.as_ref() {
            handle.frame = inf.process().with_dictionary(handle.frame);
        }
        let result = self.look(Some(&handle), None, Detail::Row, |look| {
            let names = names_in(&look.scope, value);
            let program = eval::compile(text, &names, Purpose::Condition)
                .map_err(|e| Failed::NoMeaning(e.to_string()))?;
            eval::holds(&program, &look.scope).map_err(|e| match e.to_string() {
                // panicValue.(T), and the value is no T.
                why if why.starts_with("interface conversion") => Failed::NoMeaning(why),
                why => Failed::NoValue(why),
            })
        });
        result.unwrap_or_else(|e| Err(Failed::NoValue(e.cause())))
    }
}

/// Why a condition has no truth.
enum Failed {
    /// It means nothing in this frame: another one was meant.
    NoMeaning(String),
    NoValue(String),
}

fn names_in<'a>(scope: &Scope<'a>, value: Option<&'a Value>) -> Names<'a> {
    let names = Names::of(scope).with_receiver();
    match value {
        Some(value) => names.with_value(PANIC_VALUE, value),
        None => names,
    }
}
