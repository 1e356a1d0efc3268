//! One step in progress: its temporary breakpoints, and who may accept a hit of one.
//!
//! A step is a set of temporary breakpoints on a goroutine and a frame, then everything runs. It survives goroutine switches,
//! stack growth (frames are named by their distance from the stack's top), recursion, defers, panics and other goroutines' stops.
//! Must never run the program itself: it only says what to arm and what a hit means.

use std::sync::Arc;

use dispatch::{CallKind, Site};
use golang::{Frame, Process, StackOf};
use image::FuncId;

/// What the user asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StepKind {
    Next,
    In,
    Out,
    /// The dispatch step, into a chosen call; the text names it for `stopped.description`: `dispatch: main.Shape.Area`.
    Into {
        what: String,
        how: CallKind,
    },
}

/// Where the step began.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) goid: u64,
    pub(crate) function: Option<FuncId>,
    /// stack.hi - CFA of the physical frame, in bytes.
    pub(crate) frame_offset: u64,
    /// The frame of the function whose range-over-func body this is: (function, frame_offset); itself otherwise.
    pub(crate) group: (Option<FuncId>, u64),
    pub(crate) file: String,
    pub(crate) line: u32,
    pub(crate) pc: u64,
}

/// Who may accept a hit of a temporary breakpoint.
#[derive(Clone, Debug)]
pub(crate) enum Accept {
    /// The same goroutine, the very frame.
    Frame(u64),
    /// The same goroutine, in the group's function at its offset, or in one of its range bodies with that frame on the stack.
    Group,
    /// The same goroutine, a frame below the offset, called from `return_pc` directly or through wrappers (if given).
    Callee { below: u64, return_pc: Option<u64> },
    /// Another goroutine than the step's, whose stack is body, wrappers, goexit.
    NewGoroutine,
    /// The same goroutine, called by the runtime because of a panic.
    DeferredByPanic,
    /// The same goroutine, called by deferreturn, a return of the function, or by a panic.
    Deferred,
    /// The same goroutine, called as that deferred func value of the frame at this offset: the value is not pending any more.
    DeferredValue { funcval: u64, offset: u64 },
    /// The same goroutine.
    Goroutine,
    /// Any goroutine: what is called back after the call, or by goroutines of somebody else's.
    Anywhere,
}

/// What an accepted hit means.
#[derive(Clone, Debug)]
pub(crate) enum Meaning {
    /// The step is over: an ordinary stop.
    Arrived,
    /// The step is over: back in the caller; results of the function that returned are in registers.
    Returned { from: FuncId },
    /// The body of a dispatch step.
    Body { description: String, folded: Option<Shown> },
    /// At a CALL instruction of the line: find out where it goes.
    Call { index: usize },
    /// The line was left without the call that was asked for.
    LineLeft,
    /// The `defer` statement is over: the newest deferred call of the frame that is none of these is the one that was asked for. Where
    /// the compiler keeps no record of it, it is the one that leads to `body`.
    DeferMade { before: Vec<u64>, body: Option<dispatch::Body> },
}

/// How a body without instructions of its own is shown: as the function whose wrapper is all that is left of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) name: String,
    pub(crate) file: Arc<str>,
    pub(crate) line: u32,
}

impl Shown {
    /// None for a body that stands for itself.
    pub(crate) fn of(body: &dispatch::Body) -> Option<Shown> {
        let file = body.file.clone().filter(|_| body.folded)?;
        Some(Shown { name: body.name.clone(), file, line: body.line? })
    }
}

/// One temporary breakpoint.
#[derive(Clone, Debug)]
pub(crate) struct Temporary {
    pub(crate) addr: u64,
    pub(crate) accept: Accept,
    pub(crate) meaning: Meaning,
}

/// The step in progress.
pub(crate) struct Step {
    pub(crate) kind: StepKind,
    pub(crate) origin: Origin,
    pub(crate) temporaries: Vec<Temporary>,
    /// Calls of the line that `Meaning::Call` refers to.
    pub(crate) calls: Vec<Arc<Site>>,
}

impl Step {
    /// True if this hit counts for the step. `frame` is the top frame of the thread that hit.
    pub(crate) fn accepts(
        &self,
        process: &Process<'_>,
        frame: &Frame,
        goid: Option<u64>,
        t: &Temporary,
    ) -> bool {
        let same = goid == Some(self.origin.goid);
        match &t.accept {
            Accept::Frame(offset) => same && frame.frame_offset == *offset,
            Accept::Group => same && self.in_group(process, frame),
            Accept::Callee { below, return_pc } => {
                same && frame.frame_offset > *below
                    && return_pc.is_none_or(|pc| called_from(process, frame, pc, *below))
            }
            Accept::NewGoroutine => goid.is_some() && !same && starts_goroutine(process, frame),
            Accept::DeferredByPanic => same && matches!(deferred_by(process, frame), Some(DeferredBy::Panic)),
            Accept::Deferred => same && deferred_by(process, frame).is_some(),
            Accept::DeferredValue { funcval, offset } => {
                same && frame.frame_offset > *offset
                    && runs_deferred(process, frame, *offset)
                    && !pending(process, self.origin.goid, *offset).contains(funcval)
            }
            Accept::Goroutine => same,
            Accept::Anywhere => true,
        }
    }

    fn in_group(&self, process: &Process<'_>, frame: &Frame) -> bool {
        let (function, offset) = self.origin.group;
        if frame.function == function {
            return frame.frame_offset == offset;
        }
        // A range-over-func body: the function that wrote the loop is further up.
        let mut at = frame.clone();
        for _ in 0..MAX_ITERATOR_FRAMES {
            let Some(up) = process.caller_of(&at) else { return false };
            if up.frame_offset == offset {
                return up.function == function;
            }
            if up.frame_offset < offset {
                return false;
            }
            at = up;
        }
        false
    }
}

/// Frames between a range body and its function: the iterator and its helpers.
const MAX_ITERATOR_FRAMES: usize = 64;
/// Wrappers between a call and its body: `(*T).M` -> promoted -> ...
const MAX_WRAPPERS: usize = 8;

/// True if `frame` was called from the call that returns to `return_pc` in the frame at `offset`, wrappers in between allowed.
fn called_from(process: &Process<'_>, frame: &Frame, return_pc: u64, offset: u64) -> bool {
    let mut at = frame.clone();
    for _ in 0..MAX_WRAPPERS {
        let Some(up) = process.caller_of(&at) else { return false };
        if up.frame_offset <= offset {
            return up.frame_offset == offset && up.pc == return_pc;
        }
        if !up.wrapper {
            return false;
        }
        at = up;
    }
    false
}

/// True if all callers of `frame` are wrappers down to `runtime.goexit`.
fn starts_goroutine(process: &Process<'_>, frame: &Frame) -> bool {
    let mut at = frame.clone();
    for _ in 0..MAX_WRAPPERS {
        match process.caller_of(&at) {
            None => return true,
            Some(up) if up.symbol == "runtime.goexit" => return true,
            Some(up) if up.wrapper => at = up,
            Some(_) => return false,
        }
    }
    false
}

/// True if the runtime calls `frame` as a deferred call, or the frame at `offset` itself does (an open-coded defer).
fn runs_deferred(process: &Process<'_>, frame: &Frame, offset: u64) -> bool {
    if deferred_by(process, frame).is_some() {
        return true;
    }
    let mut at = frame.clone();
    for _ in 0..MAX_WRAPPERS {
        match process.caller_of(&at) {
            Some(up) if up.frame_offset == offset => return true,
            Some(up) if up.wrapper && up.frame_offset > offset => at = up,
            _ => return false,
        }
    }
    false
}

/// Frames read to find the one that defers: deferred calls run below panics.
const DEFERRING_FRAMES: usize = 256;

/// Func values of the pending deferred calls of a frame, the next one first.
pub(crate) fn pending(process: &Process<'_>, goid: u64, offset: u64) -> Vec<u64> {
    let Some(g) = process.goroutine(goid) else { return Vec::new() };
    let thread = g.thread.and_then(|tid| process.threads.iter().find(|t| t.tid == tid));
    let of = thread.map_or(StackOf::Goroutine(&g), StackOf::Thread);
    let stack = process.stack(of, 0, DEFERRING_FRAMES);
    let Some(cfa) = stack.frames.iter().find(|f| f.frame_offset == offset).map(|f| f.cfa) else {
        return Vec::new();
    };
    process.deferred(&g, &stack).into_iter().filter(|d| d.cfa == Some(cfa)).map(|d| d.funcval).collect()
}

enum DeferredBy {
    Panic,
    Return,
}

/// Who runs `frame` as a deferred call, if it is one.
fn deferred_by(process: &Process<'_>, frame: &Frame) -> Option<DeferredBy> {
    let mut at = frame.clone();
    for _ in 0..MAX_WRAPPERS {
        let up = process.caller_of(&at)?;
        match up.symbol.as_str() {
            "runtime.gopanic" | "runtime.Goexit" | "runtime.(*_panic).nextDefer" => {
                return Some(DeferredBy::Panic);
            }
            "runtime.deferreturn" => return Some(DeferredBy::Return),
            "runtime.deferCallSave" | "runtime.callDeferred" | "runtime.reflectcallSave" => {}
            _ if up.wrapper => {}
            // An open-coded defer at the function's exit: a plain call by the function that deferred it.
            _ => return Some(DeferredBy::Return).filter(|_| at.wrapper || up.runtime),
        }
        at = up;
    }
    None
}
