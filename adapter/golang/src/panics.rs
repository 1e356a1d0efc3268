//! Panics in progress and calls that wait for a function's end (runtime/panic.go).

use image::FuncId;

use crate::{Goroutine, Process, Stack, Value};

/// One `runtime._panic` of a goroutine, newest first.
#[derive(Clone, Debug)]
pub struct Panic {
    /// Address of the `_panic`.
    pub addr: u64,
    /// The interface value given to `panic`; type `any`.
    pub arg: Value,
    pub recovered: bool,
    /// Made by runtime.Goexit, not by panic.
    pub goexit: bool,
}

/// One call that waits for its function's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deferred {
    /// Address of the funcval; 0 if it is nil.
    pub funcval: u64,
    /// Code address of the deferred function (often `F.deferwrapN`).
    pub entry: u64,
    pub function: Option<FuncId>,
    /// CFA of the frame that deferred it, as in [`crate::Frame::cfa`]; None if it is not known.
    pub cfa: Option<u64>,
    /// Open-coded: kept in the frame, not on the goroutine's list.
    pub open_coded: bool,
}

impl Process<'_> {
    /// Panics in progress, newest first.
    pub fn panics(&self, _g: &Goroutine) -> Vec<Panic> {
        Vec::new()
    }

    /// Pending deferred calls of a goroutine in the order in which they would run. `stack`: its frames (for open-coded defers).
    pub fn deferred(&self, _g: &Goroutine, _stack: &Stack) -> Vec<Deferred> {
        Vec::new()
    }
}
