//! L2 `dispatch`: call sites, their targets and the chain from itab to the body that the author wrote.
//!
//! Machine code through capstone (one module), whole-function data flow, interpretation of a line over a copy-on-write overlay.
//! An answer that may be wrong is worse than "not known yet": precision before recall. Reads only; never resumes the program,
//! does no I/O and opens no file.

mod abi;
mod api;
mod arrived;
mod asm;
mod asserting;
mod asserts;
mod bodies;
mod callbacks;
mod calls;
mod captures;
mod classify;
mod code;
mod coroutine;
mod decode;
mod dom;
mod engine;
mod exec;
mod flow;
mod identity;
mod interleaved;
mod interp;
mod itabs;
mod matching;
mod model;
mod names;
mod plan;
mod predict;
mod probes;
mod reflected;
mod resolve;
mod results;
mod scan;
mod source;
mod speculate;
mod stripped;
mod tables;
mod typegraph;
mod types;
mod views;
mod words;

pub use api::{
    Body, CallKind, CallSite, Certainty, Chain, Claim, Context, Link, Load, NoSource, Placement, Role, Scope,
    Site, SiteKind, SlotEntry, SourceText, Span, State, StepPlan,
};
pub use arrived::{CalledThrough, Passage, WatchedLoad};
pub use asm::Instruction;
pub use asserting::{AssertProbe, Found, Written};
pub use asserts::{AssertForm, AssertSite, Asserted};
pub use bodies::{Implementation, Implementations, NamedInterface};
pub use engine::Engine;
pub use probes::{ItabAt, Probe};
pub use source::operations::{Operation, OperationKind};
pub use views::{Implementer, ItabRow, ItabTable, MethodRow, Miss};

/// The call as a row of a menu (docs/PROTOCOL.md, `stepInTargets`).
pub fn label(call: &CallSite) -> String {
    let unwritten = if call.kind == CallKind::Deferred { "deferred call" } else { "call" };
    let what = call.expression.clone().or_else(|| call.method.clone()).unwrap_or_else(|| unwritten.into());
    let target = call.target.as_ref().map(|t| t.name.clone());
    let mut text = match (call.kind, call.state, target) {
        (CallKind::Static, State::Known, Some(t)) => t,
        (CallKind::Callback, _, Some(t)) => {
            format!("{} => {t}", call.via.clone().unwrap_or(what))
        }
        (_, State::Known, Some(t)) => {
            let tilde = if call.certainty == Certainty::Certain { "" } else { "~" };
            format!("{what} -> {tilde}{t}")
        }
        (_, State::Panics, _) => {
            format!("{what} -> panic: {}", call.reason.as_deref().unwrap_or("nil interface"))
        }
        _ => match (&call.interface_name, &call.method) {
            (Some(i), Some(m)) => format!("{what} -> ? ({i}.{m})"),
            _ => format!("{what} -> ?"),
        },
    };
    if call.conditional {
        text.push_str(" ?");
    }
    text
}
