//! L2 `dispatch`: call sites, their targets and the chain from itab to the body that the author wrote.
//!
//! Machine code through capstone (one module), whole-function data flow, interpretation of a line over a copy-on-write overlay.
//! An answer that may be wrong is worse than "not known yet": precision before recall. Reads only; never resumes the program,
//! does no I/O and opens no file.

mod api;
mod decode;
mod model;

use std::sync::Arc;

pub use api::{
    Body, CallKind, CallSite, Certainty, Chain, Claim, Context, Link, Load, NoSource, Role, Scope, Site,
    SiteKind, SlotEntry, SourceText, Span, State, StepPlan,
};
use image::{FuncId, Image, Itab};
use machine::{Memory, Regs};

/// The calls of a function in address order, direct ones included; cached by entry inside [`Engine`].
#[derive(Default)]
pub struct Engine {}

impl Engine {
    /// One per image; share it over all stops.
    pub fn new() -> Engine {
        Engine::default()
    }

    /// All call instructions of `func`, classified.
    pub fn sites(&self, _image: &Image, _func: FuncId) -> Arc<[Arc<Site>]> {
        Arc::from(Vec::new())
    }

    /// The calls of a frame's line (or function) in evaluation order.
    pub fn call_sites(&self, _cx: &Context<'_>, _scope: Scope) -> Vec<CallSite> {
        Vec::new()
    }

    /// Word to body: follows wrappers by emulating them with the registers of the call (at the target's first instruction).
    pub fn resolve(&self, _image: &Image, _mem: &dyn Memory, _target: u64, _regs: Option<&Regs>) -> Chain {
        Chain { reason: Some("not analysed".into()), ..Chain::default() }
    }

    /// The method table of an itab in slot order, each entry followed to its body.
    pub fn method_table(&self, _image: &Image, _mem: &dyn Memory, _itab: &Itab) -> Vec<SlotEntry> {
        Vec::new()
    }

    /// What a step into `call` has to do.
    pub fn plan(&self, _cx: &Context<'_>, _call: &CallSite) -> StepPlan {
        StepPlan { reason: Some("not analysed".into()), ..StepPlan::default() }
    }

    /// The chain of a call whose load (or CALL) the thread is stopped at.
    pub fn resolve_at_load(&self, _image: &Image, _mem: &dyn Memory, _regs: &Regs, _site: &Site) -> Chain {
        Chain { reason: Some("not analysed".into()), ..Chain::default() }
    }
}

/// The call as a row of a menu (docs/PROTOCOL.md, `stepInTargets`).
pub fn label(call: &CallSite) -> String {
    let what = call.expression.clone().or_else(|| call.method.clone()).unwrap_or_else(|| "call".into());
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
