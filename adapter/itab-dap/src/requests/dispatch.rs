//! What no other adapter answers: the calls of a line with their targets, and the step into one of them.
//!
//! Three doors, one answer: `stepInTargets` (execution.rs), `itab/dispatch` and `itab/dispatchStep` here, `dispatch` in the console.

use std::sync::Arc;

use ::dispatch::{Context, Link, Scope, State};
use wire::{Responder, itab};

use crate::{
    control::step::StepKind,
    error::Refused,
    session::{KnownCall, Session},
};

impl Session {
    /// The calls of a frame's line (or function), in evaluation order, each with the id that a step takes.
    pub(crate) fn line_calls(&mut self, frame: Option<i64>, scope: Scope) -> Result<Vec<KnownCall>, Refused> {
        self.calls_of_frame(frame, scope, self.settings.common.speculate)
    }

    /// The same; `speculate`: callees of the line that must run first are run in a sandbox, without any effect on the program.
    pub(crate) fn calls_of_frame(
        &mut self,
        frame: Option<i64>,
        scope: Scope,
        speculate: bool,
    ) -> Result<Vec<KnownCall>, Refused> {
        let handle = self.frame(frame)?;
        let sources = Arc::clone(&self.sources);
        let Some(inf) = self.inferior.as_ref() else { return Err(Refused::Ended) };
        let cx = Context {
            image: &inf.image,
            mem: &**inf.memory(),
            regs: &handle.frame.regs,
            top: handle.is_top(),
            inline_depth: handle.frame.inline_depth,
            source: &*sources,
        };
        let sites = match speculate {
            true => inf.engine.speculate(&cx, scope),
            false => inf.engine.call_sites(&cx, scope),
        };
        Ok(sites.into_iter().map(|site| self.call_sites.note(handle.goid, handle.index, site)).collect())
    }

    pub(crate) fn on_itab_dispatch(&mut self, a: itab::DispatchArguments, r: Responder<itab::Dispatch>) {
        let scope = match &a.scope {
            Some(itab::DispatchScope::Function) => Scope::Function,
            None | Some(itab::DispatchScope::Line) => Scope::Line,
            Some(itab::DispatchScope::Other(other)) => {
                let why = format!("scope {other:?} is neither \"line\" nor \"function\"");
                return r.answer(Err(Refused::Dispatch(why).into()));
            }
        };
        let speculate = a.speculate.unwrap_or(self.settings.common.speculate);
        let body = self.calls_of_frame(a.frame_id, scope, speculate).map(|calls| {
            let count = a.count.filter(|n| *n > 0).unwrap_or(usize::MAX);
            let sites =
                calls.iter().skip(a.start.unwrap_or(0)).take(count).map(|c| self.present_call(c)).collect();
            itab::DispatchResponse { sites, total: calls.len(), incomplete: None }
        });
        r.answer(body.map_err(Into::into));
    }

    pub(crate) fn on_itab_dispatch_step(
        &mut self,
        a: itab::DispatchStepArguments,
        r: Responder<itab::DispatchStep>,
    ) {
        let goid = u64::try_from(a.thread_id).unwrap_or(0);
        let call = match a.site_id {
            Some(id) => self.call_sites.get(id).ok_or(Refused::Stale("call site", id)),
            None => self.next_dynamic_call(goid),
        };
        match call {
            Ok(call) => {
                r.answer(Ok(()));
                // Unlike `continue` and the steps, DAP does not imply this for a custom request.
                self.tell_continued(goid);
                self.dispatch_step(goid, &call);
            }
            Err(e) => r.answer(Err(e.into())),
        }
    }

    /// The first call of the line that is decided while the program runs.
    pub(crate) fn next_dynamic_call(&mut self, goid: u64) -> Result<KnownCall, Refused> {
        self.selected = Some(goid);
        let calls = self.line_calls(None, Scope::Line)?;
        calls
            .into_iter()
            .find(|c| c.site.kind != ::dispatch::CallKind::Static && !c.site.in_progress)
            .ok_or_else(|| Refused::Step("this line has no dynamic call that is still to be made".into()))
    }

    /// Runs to the call and into the body that the author wrote.
    pub(crate) fn dispatch_step(&mut self, goid: u64, call: &KnownCall) {
        let what = crate::session::describe(&call.site);
        let (chosen, how) = (call.site.clone(), call.site.kind);
        self.leave_stop();
        self.run_or_say(|s| s.begin_step(goid, StepKind::Into { what, how }, Some(chosen)));
    }

    /// protocol.md's CallSite.
    pub(crate) fn present_call(&self, c: &KnownCall) -> itab::CallSite {
        let s = &c.site;
        let span = s.span.as_ref();
        itab::CallSite {
            id: c.id,
            kind: s.kind.as_str().into(),
            via: s.via.clone(),
            order: s.order,
            in_progress: s.in_progress.then_some(true),
            expression: s.expression.clone(),
            source: s.file.as_deref().and_then(|f| self.source_of(f)),
            line: span.map(|p| p.line).or(s.line).map(i64::from),
            column: span.map(|p| i64::from(p.column)),
            end_line: span.map(|p| i64::from(p.end_line)),
            end_column: span.map(|p| i64::from(p.end_column)),
            instruction_reference: s.call_pc.map(|a| format!("{a:#x}")),
            interface_type: s.interface_name.clone(),
            method: s.method.clone(),
            slot: s.slot.map(i64::from),
            interface_type_from: s.interface_from.map(Into::into),
            type_parameter: s.type_parameter.clone(),
            type_argument: s.type_argument.clone(),
            state: s.state.as_str().into(),
            conditional: s.conditional.then_some(true),
            certainty: (s.state == State::Known).then(|| s.certainty.as_str().into()),
            reason: s.reason.clone(),
            target: s.target.as_ref().map(|l| self.present_link(l)),
            chain: s.chain.iter().map(|l| self.present_link(l)).collect(),
        }
    }

    pub(crate) fn present_link(&self, l: &Link) -> itab::Link {
        itab::Link {
            role: l.role.as_str().into(),
            name: l.name.clone(),
            qualified_name: Some(l.qualified_name.clone()).filter(|q| !q.is_empty() && *q != l.name),
            address: format!("{:#x}", l.address),
            kind: l.kind.map(Into::into),
            interface_type: l.interface_type.clone(),
            concrete_type: l.concrete_type.clone(),
            slot: l.slot.map(i64::from),
            source: l.file.as_deref().and_then(|f| self.source_of(f)),
            line: l.line.map(i64::from),
        }
    }
}
