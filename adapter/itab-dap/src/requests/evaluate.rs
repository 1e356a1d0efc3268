//! `evaluate` in every context, breakpoint conditions and log points. One evaluator; contexts differ by limits and permissions.
//!
//! A hover has no side effects; console commands are taken in context `repl` or when there is none (Helix).

use eval::{Item, expression::Program};
use target::Tid;
use wire::{CancelToken, Responder, requests as rq, types as t};

use crate::{
    console,
    control::table::BreakpointId,
    error::Refused,
    session::{FrameHandle, Session, State},
};

/// String bytes in contexts where one value is asked for, as Delve.
const LONG_STRING: usize = 4096;

/// What a context may do and shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Console,
    Hover,
    Watch,
    /// `variables`, `clipboard`: the whole value.
    Whole,
    Other,
}

impl Place {
    fn of(context: Option<&t::EvaluateContext>) -> Place {
        match context.map(t::EvaluateContext::as_str) {
            None | Some("repl" | "") => Place::Console,
            Some("hover") => Place::Hover,
            Some("watch") => Place::Watch,
            Some("variables" | "clipboard") => Place::Whole,
            Some(_) => Place::Other,
        }
    }
}

impl Session {
    pub(crate) fn on_evaluate(&mut self, a: t::EvaluateArguments, r: Responder<rq::Evaluate>) {
        let place = Place::of(a.context.as_ref());
        let cancel = r.token().clone();
        if place == Place::Console
            && let Some(command) = self.console_command(&a)
        {
            return match self.run_command(&command, &a) {
                console::Answer::Text(text) => r.answer(Ok(plain(text))),
                console::Answer::Error(text) => r.answer(Err(Refused::Evaluate(text).into())),
                console::Answer::ThenRun(text, run) => {
                    r.answer(Ok(plain(text)));
                    run(self);
                }
            };
        }
        let refused = match self.state {
            State::Stopped => None,
            State::Running => Some(Refused::Running),
            State::Ended => Some(Refused::Ended),
            State::Starting | State::Building => Some(Refused::NoSession),
            State::Configuring => Some(Refused::Evaluate("the program has not begun to run".into())),
        };
        match refused {
            Some(e) => r.answer(Err(e.into())),
            None => {
                let body = self.evaluate(&a, place, cancel);
                r.answer(body.map_err(Into::into));
            }
        }
    }

    fn evaluate(
        &mut self,
        a: &t::EvaluateArguments,
        place: Place,
        cancel: CancelToken,
    ) -> Result<t::EvaluateResponse, Refused> {
        let handle = self.frame(a.frame_id)?;
        if place == Place::Hover
            && let Some(answer) = self.hover_over_call(a, &handle)?
        {
            return Ok(answer);
        }
        let item = self.evaluate_item(&handle, &a.expression, place, Some(cancel))?;
        let id = a
            .frame_id
            .filter(|id| *id != 0)
            .unwrap_or_else(|| self.frame_id(handle.goid, handle.index, &handle.frame));
        Ok(self.present_result(id, item))
    }

    fn present_result(&mut self, frame: i64, item: Item) -> t::EvaluateResponse {
        let v = self.present_item(Some(frame), item);
        t::EvaluateResponse {
            result: v.value,
            type_field: v.type_field,
            variables_reference: v.variables_reference,
            named_variables: v.named_variables,
            indexed_variables: v.indexed_variables,
            memory_reference: v.memory_reference,
            value_location_reference: v.value_location_reference,
            presentation_hint: v.presentation_hint,
        }
    }

    pub(crate) fn evaluate_item(
        &mut self,
        handle: &FrameHandle,
        text: &str,
        place: Place,
        cancel: Option<CancelToken>,
    ) -> Result<Item, Refused> {
        if place == Place::Console
            && let Some((left, right)) = eval::expression::split_assignment(text)
        {
            let target = self.evaluate_item(handle, &left, Place::Other, cancel)?;
            let fresh = self.assign(Some(handle), &target, &right)?;
            self.invalidate_variables();
            return Ok(fresh);
        }
        let long = matches!(place, Place::Console | Place::Hover | Place::Whole);
        self.with_scope(Some(handle), cancel, |scope| {
            let mut scope = scope.clone();
            if long {
                scope.limits.string = scope.limits.string.max(LONG_STRING);
            }
            scope.limits.whole_text = place == Place::Whole;
            eval::expression::evaluate(&scope, text).map(|value| value.into_item(&scope, text))
        })?
        .map_err(|e| Refused::Evaluate(e.to_string()))
    }

    /// Hovering over `w.Write` answers who will run: the call of the line at the request's position, or with that text.
    fn hover_over_call(
        &mut self,
        a: &t::EvaluateArguments,
        handle: &FrameHandle,
    ) -> Result<Option<t::EvaluateResponse>, Refused> {
        let on_this_line = a.line.is_none_or(|l| l == i64::from(handle.frame.line));
        if !on_this_line || !a.expression.contains('.') || handle.frame.function.is_none() {
            return Ok(None);
        }
        let Ok(calls) = self.line_calls(a.frame_id, ::dispatch::Scope::Line) else { return Ok(None) };
        let text: String = a.expression.split_whitespace().collect();
        let at_position = |c: &::dispatch::CallSite| match (&c.span, a.line, a.column) {
            (Some(s), Some(line), Some(column)) => contains(s, line, column),
            _ => true,
        };
        let call = calls.into_iter().map(|c| c.site).find(|c| {
            c.kind != ::dispatch::CallKind::Static
                && at_position(c)
                && c.expression.as_ref().is_some_and(|e| e.split_whitespace().collect::<String>() == text)
        });
        let Some(call) = call else { return Ok(None) };
        let id = self.frame_id(handle.goid, handle.index, &handle.frame);
        Ok(Some(self.present_result(id, eval::call_item(&call))))
    }

    // ---- breakpoints

    /// Compiles a condition for a place in the program; the error has the column.
    pub(crate) fn compile_condition(&self, text: &str, pc: u64) -> Result<Program, String> {
        let inf = self.inferior.as_ref().ok_or("no program")?;
        let process = inf.process();
        eval::expression::compile_at(&process, text, pc).map_err(|e| e.to_string())
    }

    /// Whether a breakpoint's condition is true for the thread that hit it.
    pub(crate) fn condition_holds(&mut self, tid: Tid, id: BreakpointId) -> Result<bool, String> {
        if self.breakpoints.get(id).is_none_or(|b| b.condition.is_none()) {
            return Ok(true);
        }
        let frame = self.top_frame(tid).ok_or("the frame could not be read")?;
        let Some(inf) = self.inferior.as_ref() else { return Ok(false) };
        let Some(program) = self.breakpoints.get(id).and_then(|b| b.condition.as_ref()) else {
            return Ok(true);
        };
        let process = inf.process();
        let scope = eval::Scope::new(&process, Some(&frame), self.settings.limits());
        eval::expression::run_condition(program, &scope).map_err(|e| e.to_string())
    }

    /// Writes a log point's message: `> [Go 1]: text`, as Delve.
    pub(crate) fn log_point(&mut self, tid: Tid, goid: Option<u64>, id: BreakpointId) {
        let Some(frame) = self.top_frame(tid) else { return };
        let Some(inf) = self.inferior.as_ref() else { return };
        let Some(b) = self.breakpoints.get(id) else { return };
        let Some(template) = b.log.as_ref() else { return };
        let process = inf.process();
        let scope = eval::Scope::new(&process, Some(&frame), self.settings.limits());
        let text = eval::expression::render_log(template, &scope);
        let source = self.source_of(&frame.file);
        let output = format!("> [Go {}]: {text}\n", goid.unwrap_or(0));
        self.event(t::OutputEvent {
            category: Some("stdout".into()),
            output,
            source,
            line: Some(i64::from(frame.line)),
            ..Default::default()
        });
    }
}

fn plain(text: String) -> t::EvaluateResponse {
    t::EvaluateResponse { result: text, ..Default::default() }
}

/// True if a 1-based position lies in a call expression.
fn contains(s: &::dispatch::Span, line: i64, column: i64) -> bool {
    let begin = (i64::from(s.line), i64::from(s.column));
    let end = (i64::from(s.end_line), i64::from(s.end_column));
    (begin..end).contains(&(line, column))
}
