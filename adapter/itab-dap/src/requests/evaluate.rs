//! `evaluate` in every context, breakpoint conditions and log points. One evaluator; contexts differ by limits and permissions.
//!
//! A hover has no side effects; console commands are taken in context `repl` or when there is none (Helix).

use eval::{Evaluated, Item, Names, Program, Purpose};
use target::Tid;
use wire::{CancelToken, Responder, requests as rq, types as t};

use crate::{
    console,
    control::table::BreakpointId,
    error::Refused,
    session::{Detail, FrameHandle, Session, State},
};

/// What a context may do and shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Console,
    /// No context: Helix's console.
    Bare,
    Hover,
    Watch,
    /// `variables`, `clipboard`: the whole value.
    Whole,
    Other,
}

impl Place {
    fn of(context: Option<&t::EvaluateContext>) -> Place {
        match context.map(t::EvaluateContext::as_str) {
            None | Some("") => Place::Bare,
            Some("repl") => Place::Console,
            Some("hover") => Place::Hover,
            Some("watch") => Place::Watch,
            Some("variables" | "clipboard") => Place::Whole,
            Some(_) => Place::Other,
        }
    }

    /// Editors show nothing of a failure here by themselves.
    fn is_silent(self) -> bool {
        matches!(self, Place::Bare | Place::Whole | Place::Other)
    }

    fn is_console(self) -> bool {
        matches!(self, Place::Console | Place::Bare)
    }
}

impl Session {
    pub(crate) fn on_evaluate(&mut self, a: t::EvaluateArguments, r: Responder<rq::Evaluate>) {
        let place = Place::of(a.context.as_ref());
        let cancel = r.token().clone();
        if place.is_console()
            && let Some(command) = self.console_command(&a)
        {
            return match self.run_command(&command, &a) {
                console::Answer::Text(text) => r.answer(Ok(plain(text))),
                console::Answer::Error(text) => r.answer(Err(Refused::Evaluate(text).into())),
                console::Answer::Refused(why) => r.answer(Err(why.into())),
                console::Answer::ThenRun(text, run) => {
                    r.answer(Ok(plain(text)));
                    run(self);
                }
            };
        }
        let refused = match self.state {
            State::Stopped => None,
            State::Running => Some(Refused::Running("evaluate".into())),
            State::Ended => Some(Refused::Ended),
            State::Starting | State::Building => Some(Refused::NoSession),
            State::Configuring => Some(Refused::Evaluate("the program has not begun to run".into())),
        };
        match refused {
            Some(e) => r.answer(Err(e.into())),
            None => {
                let body = self.evaluate(&a, place, cancel).map_err(|why| match why {
                    Refused::Evaluate(text) if place.is_silent() => Refused::EvaluateShown(text),
                    other => other,
                });
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
        let mut item = self.evaluate_item(&handle, &a.expression, place, Some(&cancel))?;
        if self.client.as_delve {
            item.evaluate_name = Some(format!("({})", a.expression));
        }
        let id = a
            .frame_id
            .filter(|id| *id != 0)
            .unwrap_or_else(|| self.frame_id(handle.goid, handle.index, &handle.frame));
        Ok(self.present_result(id, item))
    }

    pub(crate) fn present_result(&mut self, frame: i64, item: Item) -> t::EvaluateResponse {
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
        cancel: Option<&CancelToken>,
    ) -> Result<Item, Refused> {
        let located = |e: eval::EvalError| Refused::Evaluate(format!("{e} (column {})", e.column));
        let detail = match place {
            Place::Bare if self.client.as_delve => Detail::Row,
            Place::Console | Place::Bare | Place::Hover => Detail::Single,
            Place::Whole => Detail::Whole,
            Place::Watch | Place::Other => Detail::Row,
        };
        // Delve's word for statements that may run the program: `call x = y` assigns, `call f(x)` says what is not there yet.
        let text = text.trim_start().strip_prefix("call ").map_or(text, str::trim_start);
        if place.is_console() {
            let assigned =
                self.look(Some(handle), cancel, detail, |look| eval::assignment(&look.scope, text))?;
            if let Some((target, write)) = assigned.map_err(located)? {
                self.write(Some(handle), &write).map_err(Refused::SetVariable)?;
                self.invalidate_variables();
                return self
                    .look(Some(handle), cancel, detail, |look| eval::item(&look.view, text, &target, None));
            }
        }
        self.look(Some(handle), cancel, detail, |look| eval::evaluate_item(text, &look.scope, &look.view))?
            .map_err(located)
    }

    /// Hovering over `w.Write` answers who will run: the call at the request's position, or the one of the line with that text.
    fn hover_over_call(
        &mut self,
        a: &t::EvaluateArguments,
        handle: &FrameHandle,
    ) -> Result<Option<t::EvaluateResponse>, Refused> {
        if !a.expression.contains('.') || handle.frame.function.is_none() {
            return Ok(None);
        }
        let on_this_line = a.line.is_none_or(|l| l == i64::from(handle.frame.line));
        let scope = if on_this_line { ::dispatch::Scope::Line } else { ::dispatch::Scope::Function };
        let Ok(calls) = self.line_calls(a.frame_id, scope) else { return Ok(None) };
        let bare = |text: &str| text.split_whitespace().collect::<String>();
        let text = bare(&a.expression);
        let mut same: Vec<_> = calls
            .into_iter()
            .map(|c| c.site)
            .filter(|c| c.kind != ::dispatch::CallKind::Static)
            .filter(|c| c.expression.as_ref().is_some_and(|e| bare(e) == text))
            .filter(|c| a.line.is_none_or(|l| c.span.as_ref().is_none_or(|s| lines(s).contains(&l))))
            .collect();
        if let (Some(line), Some(column)) = (a.line, a.column) {
            let here = |c: &::dispatch::CallSite| c.span.as_ref().is_none_or(|s| contains(s, line, column));
            same.retain(here);
        }
        let Some(call) = same.into_iter().next() else { return Ok(None) };
        let id = self.frame_id(handle.goid, handle.index, &handle.frame);
        let item =
            self.look(Some(handle), None, Detail::Single, |look| eval::call_item(&look.view, &call))?;
        Ok(Some(self.present_result(id, item)))
    }

    // ---- breakpoints

    /// Whether a breakpoint's condition is true for the thread that hit it at `addr`.
    pub(crate) fn condition_holds(&mut self, tid: Tid, id: BreakpointId, addr: u64) -> Result<bool, String> {
        let has_one = |s: &Session| {
            s.breakpoints.get(id).and_then(|b| b.spot(addr)).is_some_and(|spot| spot.condition.is_some())
        };
        if !has_one(self) {
            return Ok(true);
        }
        let frame = self.generic_frame(tid).ok_or("the frame could not be read")?;
        let spot = self.breakpoints.get(id).and_then(|b| b.spot(addr));
        let Some(program) = spot.and_then(|s| s.condition.as_ref()) else { return Ok(true) };
        self.peek(&frame, |look| eval::holds(program, &look.scope))
            .ok_or("the program has ended")?
            .map_err(|e| e.to_string())
    }

    /// The top frame with its dictionary: type parameters have their real types.
    fn generic_frame(&mut self, tid: Tid) -> Option<golang::Frame> {
        let frame = self.top_frame(tid)?;
        Some(self.inferior.as_ref()?.process().with_dictionary(frame))
    }

    /// Writes a log point's message: `> [Go 1]: text`, as Delve.
    pub(crate) fn log_point(&mut self, tid: Tid, goid: Option<u64>, id: BreakpointId, addr: u64) {
        let Some(frame) = self.generic_frame(tid) else { return };
        let spot = self.breakpoints.get(id).and_then(|b| b.spot(addr));
        let Some(template) = spot.and_then(|s| s.log.as_ref()) else { return };
        let text = self.peek_in(&frame, Detail::Whole, |look| {
            template.render(&look.scope, &|e: &Evaluated| eval::evaluated_item(&look.view, "", e).text)
        });
        let source = self.source_of(&frame.file);
        self.event(t::OutputEvent {
            category: Some("stdout".into()),
            output: format!("> [Go {}]: {}\n", goid.unwrap_or(0), text.unwrap_or_default()),
            source,
            line: Some(i64::from(frame.line)),
            ..Default::default()
        });
    }

    /// Compiles a condition for a place in the program; the error has the column.
    pub(crate) fn compile_condition(&self, text: &str, pc: u64) -> Result<Program, String> {
        let inf = self.inferior.as_ref().ok_or("no program")?;
        let process = inf.process();
        eval::compile(text, &Names::at(&process, pc, 0).with_receiver(), Purpose::Condition)
            .map_err(|e| format!("column {}: {e}", e.column))
    }

    pub(crate) fn compile_log(&self, text: &str, pc: u64) -> Result<eval::LogTemplate, String> {
        let inf = self.inferior.as_ref().ok_or("no program")?;
        let process = inf.process();
        eval::LogTemplate::parse(text, &Names::at(&process, pc, 0).with_receiver())
            .map_err(|e| format!("column {}: {e}", e.column))
    }
}

fn plain(text: String) -> t::EvaluateResponse {
    t::EvaluateResponse { result: text, ..Default::default() }
}

/// The lines that a call expression covers.
fn lines(s: &::dispatch::Span) -> std::ops::RangeInclusive<i64> {
    i64::from(s.line)..=i64::from(s.end_line)
}

/// True if a 1-based position lies in a call expression.
fn contains(s: &::dispatch::Span, line: i64, column: i64) -> bool {
    let begin = (i64::from(s.line), i64::from(s.column));
    let end = (i64::from(s.end_line), i64::from(s.end_column));
    (begin..end).contains(&(line, column))
}
