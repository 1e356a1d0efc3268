//! `stackTrace`, `scopes`.

use std::sync::Arc;

use golang::Frame;
use wire::{Responder, requests as rq, types as t};

use crate::{
    error::Refused,
    session::{ScopeKind, Session, VariableHandle},
};

/// Frames in one answer, at most.
const MAX_FRAMES: usize = 10_000;

impl Session {
    pub(crate) fn on_stack_trace(&mut self, a: t::StackTraceArguments, r: Responder<rq::StackTrace>) {
        let body = self.stack_trace(&a).map_err(Into::into);
        r.answer(body);
    }

    fn stack_trace(&mut self, a: &t::StackTraceArguments) -> Result<t::StackTraceResponse, Refused> {
        let none = |_| Refused::StackTrace(format!("unknown goroutine {}", a.thread_id));
        // Delve's "the selected one".
        let goid = match a.thread_id {
            -1 => self.selected.unwrap_or(1),
            id => u64::try_from(id).map_err(none)?,
        };
        let start = a.start_frame.and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
        let levels = match a.levels.and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0) {
            Some(n) => n.min(MAX_FRAMES),
            None => self.settings.common.stack_trace_depth as usize,
        };
        let stack = self.stack_of(goid, start, levels)?;
        let system = self.is_system_goroutine(goid);
        let exception = self.is_exception_stop(goid);
        let mut stack_frames = Vec::with_capacity(stack.frames.len());
        for (i, frame) in stack.frames.iter().enumerate() {
            let id = self.frame_id(goid, start + i, frame);
            stack_frames.push(self.present_frame(id, frame, system, exception, start + i == 0));
        }
        let seen = if stack.frames.is_empty() { 0 } else { start + stack.frames.len() };
        let total = stack.total.max(seen);
        Ok(t::StackTraceResponse { stack_frames, total_frames: Some(total as i64) })
    }

    fn present_frame(
        &self,
        id: i64,
        frame: &Frame,
        system: bool,
        exception: bool,
        top: bool,
    ) -> t::StackFrame {
        // A step that ended in a wrapper because nothing else is left of the body: shown as that body.
        let folded = self.folded.as_ref().filter(|(pc, _)| top && *pc == frame.pc).map(|(_, shown)| shown);
        // A range-over-func body has a wrapper's mark, and is the author's.
        let wrapper = frame.wrapper && !frame.symbol.contains("-range");
        let subtle = (frame.runtime || wrapper) && !system && folded.is_none();
        let (name, file, line) = match folded {
            Some(s) => (s.name.clone(), &s.file, s.line),
            None => (frame.name.clone(), &frame.file, frame.line),
        };
        let source = self.source_of(file).map(|mut s| {
            if subtle && exception {
                // So that editors go to the line that panicked, not into the runtime.
                s.presentation_hint = Some("deemphasize".into());
            }
            s
        });
        t::StackFrame {
            id,
            name,
            line: if source.is_some() { i64::from(line.max(1)) } else { 0 },
            // Clients ignore it without a source, but nvim-dap takes a 0 for a position.
            column: 1,
            source,
            instruction_pointer_reference: Some(format!("{:#x}", frame.pc)),
            presentation_hint: subtle.then(|| "subtle".into()),
            ..Default::default()
        }
    }

    /// DAP's source of a file named by the compiler; none for generated code.
    pub(crate) fn source_of(&self, file: &str) -> Option<t::Source> {
        if file.is_empty() || file == "?" || file.starts_with('<') {
            return None;
        }
        let path = self.sources.to_client(file);
        let name = path.rsplit('/').next().unwrap_or(&path).to_string();
        Some(t::Source { name: Some(name), path: Some(path), ..Default::default() })
    }

    fn calls_dynamically(&mut self, frame: i64) -> bool {
        self.line_calls(Some(frame), ::dispatch::Scope::Line)
            .is_ok_and(|calls| calls.iter().any(|c| c.site.kind != ::dispatch::CallKind::Static))
    }

    fn is_system_goroutine(&self, goid: u64) -> bool {
        self.inferior.as_ref().and_then(|i| i.process().goroutine(goid)).is_some_and(|g| g.system)
    }

    fn is_exception_stop(&self, goid: u64) -> bool {
        self.current.as_ref().is_some_and(|c| c.exception.is_some() && c.goid == Some(goid))
    }

    pub(crate) fn on_scopes(&mut self, a: t::ScopesArguments, r: Responder<rq::Scopes>) {
        r.answer(self.scopes(a.frame_id).map_err(Into::into));
    }

    fn scopes(&mut self, id: i64) -> Result<t::ScopesResponse, Refused> {
        let handle = self.frames.get(id).cloned().ok_or_else(|| self.stale_frame(id))?;
        let Some(inf) = self.inferior.as_ref() else { return Err(Refused::Ended) };
        let image = Arc::clone(&inf.image);
        let optimised = image.has_dwarf() && image.is_optimised(handle.frame.lookup_pc);
        let package = handle.frame.function.and_then(|f| image.functions().get(f)).map(|f| f.package());
        let locals = if optimised { "Locals (warning: optimized function)" } else { "Locals" };
        let mut wanted = vec![(locals.to_string(), ScopeKind::Locals, Some("locals"), false)];
        let dispatch = ("Dispatch".to_string(), ScopeKind::Dispatch, None, true);
        let in_go = handle.frame.function.is_some();
        if in_go && !self.client.as_delve {
            wanted.push(dispatch.clone());
        }
        if self.settings.common.show_global_variables
            && let Some(p) = package.filter(|p| !p.is_empty())
        {
            wanted.push((format!("Globals (package {p})"), ScopeKind::Globals(p), None, true));
        }
        if self.settings.common.show_registers {
            wanted.push(("Registers".into(), ScopeKind::Registers, Some("registers"), true));
        }
        if in_go && self.client.as_delve && self.calls_dynamically(id) {
            wanted.push(dispatch);
        }
        let scope = |(name, kind, hint, expensive): (String, ScopeKind, Option<&str>, bool)| t::Scope {
            name,
            variables_reference: self.variables.add(VariableHandle::Scope { frame: id, kind }),
            expensive: expensive && !self.client.as_delve,
            presentation_hint: hint.map(Into::into),
            ..Default::default()
        };
        Ok(t::ScopesResponse { scopes: wanted.into_iter().map(scope).collect() })
    }
}
