//! The temporary breakpoints of a step into a chosen call: where its body begins, and where the line is left without it.
//!
//! Pure, like the other plans. A call that has a CALL instruction is followed there, with the registers of that moment.

use std::sync::Arc;

use dispatch::{CallKind, CallSite, Site};

use super::{
    plan::{RowCache, Start},
    step::{Accept, Meaning, Shown, Temporary, pending},
};

/// What a chosen call needs.
#[derive(Default)]
pub(crate) struct Into {
    pub(crate) temporaries: Vec<Temporary>,
    /// Sites to stop at and follow.
    pub(crate) calls: Vec<Arc<Site>>,
}

impl Start<'_> {
    pub(crate) fn plan_call(
        &self,
        cache: &mut RowCache,
        call: &CallSite,
        what: &str,
    ) -> Result<Into, String> {
        let mut out = Into::default();
        let here = Accept::Frame(self.origin.frame_offset);
        let below = Accept::Callee { below: self.origin.frame_offset, return_pc: None };
        let body = call.body.as_ref();
        match (&call.site, call.kind, body) {
            (Some(site), ..) if call.call_pc.is_some() => out.calls.push(Arc::clone(site)),
            // Reached through code of others (sort.Sort(x) => byKey.Less).
            (_, CallKind::Callback, Some(b)) if call.elsewhere => {
                out.temporaries.push(arrival(b, b.stop_pc, Accept::Anywhere, what));
                return Ok(out);
            }
            (_, CallKind::Callback, Some(b)) => out.temporaries.push(arrival(b, b.stop_pc, below, what)),
            // Run by the runtime at the return: other lines of the function don't come any more.
            (_, CallKind::Deferred, Some(b)) => {
                out.temporaries.push(arrival(b, b.stop_pc, Accept::Deferred, what));
                out.temporaries.extend(self.callers(false).into_iter().map(left));
                return Ok(out);
            }
            // An open-coded defer: only after the statement it is known what it deferred.
            (_, CallKind::Defer, _) => {
                let before = pending(self.process, self.origin.goid, self.origin.frame_offset);
                let made = |t: Temporary| match t.meaning {
                    Meaning::Arrived => {
                        Temporary { meaning: Meaning::DeferMade { before: before.clone() }, ..t }
                    }
                    _ => t,
                };
                out.temporaries.extend(self.lines(cache, false).into_iter().map(made));
                out.temporaries.extend(self.callers(false).into_iter().map(left));
                return Ok(out);
            }
            // Inlined: there is no CALL; the body begins in this very frame.
            (_, _, Some(b)) => {
                let mut rows = self.inlined_rows(cache, &b.qualified_name);
                if rows.is_empty() || self.innermost_is(b.stop_pc, &b.qualified_name) {
                    rows.push(b.stop_pc);
                }
                rows.sort_unstable();
                rows.dedup();
                out.temporaries.extend(rows.into_iter().map(|pc| arrival(b, pc, here.clone(), what)));
            }
            _ => return Err(call.reason.clone().unwrap_or_else(|| "this call can't be entered".into())),
        }
        let leave =
            self.lines(cache, false).into_iter().chain(self.callers(false)).chain(self.deferred(false));
        out.temporaries.extend(leave.map(left));
        Ok(out)
    }
}

fn arrival(body: &dispatch::Body, addr: u64, accept: Accept, what: &str) -> Temporary {
    let description = format!("{what} -> {}", body.name);
    Temporary { addr, accept, meaning: Meaning::Body { description, folded: Shown::of(body) } }
}

/// What leaving the line means for a step into a chosen call.
fn left(t: Temporary) -> Temporary {
    let meaning = match t.meaning {
        Meaning::Arrived | Meaning::Returned { .. } => Meaning::LineLeft,
        m => m,
    };
    Temporary { meaning, ..t }
}
