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
                let made = Meaning::DeferMade { before, body: call.body.clone() };
                match call.deferred_at {
                    Some(addr) => {
                        out.temporaries.push(Temporary { addr, accept: here, meaning: made });
                        // Up to there the statement lasts, whatever lines the compiler has moved into it.
                        let lines = self.lines(cache, false).into_iter();
                        let ahead = lines.filter(|t| !(self.origin.pc..=addr).contains(&t.addr));
                        out.temporaries.extend(ahead.map(left));
                    }
                    None => {
                        let lines = self.lines(cache, false).into_iter();
                        out.temporaries.extend(lines.map(|t| Temporary { meaning: made.clone(), ..t }));
                    }
                }
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
        let to = call.call_pc.or(body.map(|b| b.stop_pc)).unwrap_or(self.origin.pc);
        out.temporaries.extend(self.leaves(cache, call, to));
        out.temporaries.extend(self.callers(false).into_iter().map(left));
        for t in self.deferred(false) {
            // A panic comes before the return at which the call was to be made.
            let chosen = body.filter(|b| call.kind == CallKind::Deferred && b.stop_pc == t.addr);
            out.temporaries
                .push(chosen.map_or_else(|| left(t.clone()), |b| arrival(b, t.addr, t.accept.clone(), what)));
        }
        Ok(out)
    }

    /// Where the line is left before `to`, the place of the call.
    fn leaves(&self, cache: &mut RowCache, call: &CallSite, to: u64) -> Vec<Temporary> {
        let rows = self.lines(cache, false).into_iter();
        rows.filter(|t| !self.is_on_the_way(t.addr, call, to)).map(left).collect()
    }

    /// A row of another line that leaves nothing: one of the lines over which the call's own expression extends, or instructions that the
    /// compiler has moved into this line.
    fn is_on_the_way(&self, row: u64, call: &CallSite, to: u64) -> bool {
        let functions = self.process.image.functions();
        if self.origin.function.is_none() || functions.at(row).map(|f| f.id()) != self.origin.function {
            return false;
        }
        let stack = functions.inline_stack(row);
        let at = stack.iter().rev().nth(self.depth);
        let within =
            |span: dispatch::Span| at.is_some_and(|at| (span.line..=span.end_line).contains(&at.line));
        if call.span.is_some_and(within) && at.is_some_and(|at| *at.file == *self.origin.file) {
            return true;
        }
        let here = functions.inline_stack(self.origin.pc).len().checked_sub(self.depth + 1);
        (self.origin.pc..to).contains(&row)
            && here.is_some_and(|d| self.engine.comes_back(self.process.image, row, self.origin.pc, d))
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
