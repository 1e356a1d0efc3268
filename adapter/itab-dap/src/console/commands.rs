//! What each console command does. Rows are numbered from 0, as `order` is.

use std::fmt::Write as _;

use dispatch::Scope;
use wire::types as t;

use super::{Answer, COMMANDS, Command, is_command, parse};
use crate::{
    control::breakpoints::Options,
    error::Refused,
    requests::{evaluate::Place as Context, views::TableFilter},
    session::{Described, Detail, FILTERS, KnownCall, Session, State, Wanted},
};

impl Session {
    /// The command in a console line: `None` for expressions, and for a word that names a variable in scope.
    pub(crate) fn console_command(&mut self, a: &t::EvaluateArguments) -> Option<Command> {
        let (command, forced) = parse(&a.expression)?;
        if !forced && command.rest.is_empty() && self.is_variable(&command.name, a.frame_id) {
            self.console(&format!("{0} is a variable here; :{0} is the command.", command.name));
            return None;
        }
        Some(command)
    }

    /// A local variable, or one of the package.
    fn is_variable(&mut self, name: &str, frame: Option<i64>) -> bool {
        if self.state != State::Stopped {
            return false;
        }
        let Ok(handle) = self.frame(frame) else { return false };
        self.look(Some(&handle), None, Detail::Row, |look| {
            eval::variables(&look.view, eval::Variables::All).iter().any(|i| i.name == name)
                || matches!(eval::evaluate(name, &look.scope), Ok(eval::Evaluated::Value(_)))
        })
        .unwrap_or(false)
    }

    /// Runs a command. Without a context (Helix) the answer is one line.
    pub(crate) fn run_command(&mut self, c: &Command, a: &t::EvaluateArguments) -> Answer {
        let answer = match c.name.as_str() {
            "help" => Answer::Text(help()),
            "config" => self.config_command(&c.rest),
            "dlv" => self.dlv_command(&c.rest, a),
            "breaks" => Answer::Text(self.breaks()),
            "break" => self.break_command(&c.rest),
            "catch" => self.catch_command(&c.rest),
            "trace" => self.trace_command(&c.rest),
            "profile" => self.profile_command(&c.rest),
            "-exec" => self.native_command(&c.rest),
            name if !is_command(name) => Answer::Error(format!("there is no command {name:?}; try help")),
            _ if self.state != State::Stopped => {
                Answer::Error(format!("{}: the program is not stopped; pause it first", c.name))
            }
            "dispatch" => self.dispatch_command(&c.rest, a),
            "itab" => self.itab_command(&c.rest, a),
            "iface" => self.decode_command(&c.rest, eval::Raw::Iface),
            "eface" => self.decode_command(&c.rest, eval::Raw::Eface),
            "where" => self.where_command(&c.rest, a),
            "itabs" => self.itabs_command(&c.rest),
            "implementers" => self.implementers_command(&c.rest),
            "methods" => self.methods_command(&c.rest, a),
            "goroutines" => self.goroutines_command(&c.rest),
            "goroutine" => self.goroutine_command(&c.rest),
            "regs" => self.regs_command(a),
            "disass" => self.disass_command(&c.rest, a),
            other => Answer::Error(format!("there is no command {other:?}; try help")),
        };
        match answer {
            Answer::Text(text) => finish(text, c, a.context.is_none()),
            other => other,
        }
    }

    fn dispatch_command(&mut self, rest: &str, a: &t::EvaluateArguments) -> Answer {
        let words: Vec<&str> = rest.split_whitespace().collect();
        match words.as_slice() {
            [] => self.dispatch_table(a.frame_id, Scope::Line, false),
            ["function"] => self.dispatch_table(a.frame_id, Scope::Function, false),
            ["speculate"] => self.dispatch_table(a.frame_id, Scope::Line, true),
            ["speculate", "function"] | ["function", "speculate"] => {
                self.dispatch_table(a.frame_id, Scope::Function, true)
            }
            ["step"] => self.dispatch_step_command(None),
            ["step", n] => match n.parse() {
                Ok(n) => self.dispatch_step_command(Some(n)),
                Err(_) => Answer::Error(format!("{n:?} is not a row of the table; write dispatch step N")),
            },
            ["chain", n] => match n.parse::<u32>() {
                Ok(n) => self.dispatch_chain(a.frame_id, n),
                Err(_) => Answer::Error(format!("{n:?} is not a row of the table; write dispatch chain N")),
            },
            _ => Answer::Error(
                "write dispatch, dispatch function, dispatch speculate, dispatch step [N] or dispatch chain N".into(),
            ),
        }
    }

    fn dispatch_table(&mut self, frame: Option<i64>, scope: Scope, speculate: bool) -> Answer {
        let speculate = speculate || self.settings.common.speculate;
        match self.calls_of_frame(frame, scope, speculate) {
            Err(e) => Answer::Error(e.cause()),
            Ok(calls) if calls.is_empty() => Answer::Text("no calls here".into()),
            Ok(calls) => Answer::Text(calls.iter().map(row).collect::<Vec<_>>().join("\n")),
        }
    }

    fn dispatch_step_command(&mut self, order: Option<u32>) -> Answer {
        let goid = self.selected.unwrap_or(1);
        let call = match order {
            None => self.next_dynamic_call(goid),
            Some(n) => self.line_calls(None, Scope::Line).and_then(|calls| {
                calls
                    .into_iter()
                    .find(|c| c.site.order == n)
                    .ok_or_else(|| Refused::Step(format!("the line has no call {n}; dispatch lists them")))
            }),
        };
        match call {
            Err(e) => Answer::Error(e.cause()),
            Ok(call) => Answer::ThenRun(
                dispatch::label(&call.site),
                Box::new(move |s| {
                    s.tell_continued(goid);
                    s.dispatch_step(goid, &call);
                }),
            ),
        }
    }

    fn dispatch_chain(&mut self, frame: Option<i64>, order: u32) -> Answer {
        let calls = match self.line_calls(frame, Scope::Line) {
            Ok(c) => c,
            Err(e) => return Answer::Error(e.cause()),
        };
        let Some(call) = calls.iter().find(|c| c.site.order == order) else {
            return Answer::Error(format!("the line has no call {order}; dispatch lists them"));
        };
        let mut lines = vec![row(call)];
        for link in &call.site.chain {
            let kind = link.kind.map(|k| format!(" ({k})")).unwrap_or_default();
            let place = match (&link.file, link.line) {
                (Some(f), Some(n)) => format!(" {}:{n}", self.sources.to_client(f)),
                _ => String::new(),
            };
            lines.push(format!("  {} {:#x} {}{kind}{place}", link.role.as_str(), link.address, link.name));
        }
        if call.site.chain.is_empty() {
            lines.push(format!("  {}", call.site.reason.as_deref().unwrap_or("the chain is not known yet")));
        }
        Answer::Text(lines.join("\n"))
    }

    fn itab_command(&mut self, rest: &str, a: &t::EvaluateArguments) -> Answer {
        if rest.is_empty() {
            return Answer::Error("write itab EXPR or itab 0xADDRESS".into());
        }
        if rest.starts_with("0x") || rest.starts_with("0X") {
            return self.decode_command(rest, eval::Raw::Itab);
        }
        let handle = match self.frame(a.frame_id) {
            Ok(h) => h,
            Err(e) => return Answer::Error(e.cause()),
        };
        match self.itab_of_expression(&handle, rest) {
            Ok(Err(text)) => Answer::Error(format!(
                "{rest} is not an interface value with something in it: its value is {text}"
            )),
            Ok(Ok(rows)) => Answer::Text(
                rows.iter().map(|r| format!("{}: {}", r.name, r.text)).collect::<Vec<_>>().join("\n"),
            ),
            Err(e) => Answer::Error(e.cause()),
        }
    }

    /// The virtual child of an interface value, then its rows.
    fn itab_of_expression(
        &mut self,
        handle: &crate::session::FrameHandle,
        text: &str,
    ) -> Result<Result<Vec<eval::Item>, String>, Refused> {
        let item = self.evaluate_item(handle, text, Context::Other, None)?;
        self.look(Some(handle), None, Detail::Single, |look| {
            let view = eval::interface_view(&look.view, &item.value).ok_or(item.text)?;
            let children = eval::children(&look.view, &view, eval::Page::default()).items;
            Ok(std::iter::once(view).chain(children).collect())
        })
    }

    fn itabs_command(&mut self, rest: &str) -> Answer {
        self.itabs_asked = true;
        let mut filter = TableFilter::default();
        for word in rest.split_whitespace() {
            match word {
                "new" => filter.since = Some(wire::itab::Since::LastStop),
                w if filter.interface.is_none() => filter.interface = Some(w.to_string()),
                w => filter.concrete = Some(w.to_string()),
            }
        }
        match self.itab_rows(&filter) {
            Ok((rows, incomplete)) => {
                let mut lines: Vec<String> = rows
                    .iter()
                    .map(|(r, new)| {
                        let origin = if r.is_static { "static" } else { "runtime" };
                        let new = if *new { " new" } else { "" };
                        format!(
                            "{:#x} {} as {} ({origin}){new}",
                            r.itab.addr, r.concrete_type, r.interface_type
                        )
                    })
                    .collect();
                lines.extend(incomplete);
                Answer::Text(if lines.is_empty() { "no itabs".into() } else { lines.join("\n") })
            }
            Err(e) => Answer::Error(e.cause()),
        }
    }

    fn implementers_command(&mut self, rest: &str) -> Answer {
        let (name, near) = match rest.strip_suffix(" near") {
            Some(name) => (name.trim(), true),
            None => (rest, false),
        };
        match self.implementers(name, near) {
            Ok(rows) if rows.is_empty() => Answer::Text(format!("nothing in the program implements {name}")),
            Ok(rows) => Answer::Text(rows.iter().map(implementer_row).collect::<Vec<_>>().join("\n")),
            Err(e) => Answer::Error(e.cause()),
        }
    }

    fn methods_command(&mut self, rest: &str, a: &t::EvaluateArguments) -> Answer {
        let rows =
            self.methods(Some(rest), None, None).or_else(|_| self.methods(None, Some(rest), a.frame_id));
        match rows {
            Ok(rows) if rows.is_empty() => Answer::Text("no methods".into()),
            Ok(rows) => Answer::Text(rows.iter().map(method_row).collect::<Vec<_>>().join("\n")),
            Err(e) => Answer::Error(e.cause()),
        }
    }

    fn goroutines_command(&mut self, rest: &str) -> Answer {
        let all = rest == "-all";
        if let Err(e) = self.read_all() {
            return Answer::Error(e.cause());
        }
        let selected = self.selected;
        let Some(inf) = self.inferior.as_ref() else { return Answer::Error("the program has ended".into()) };
        let process = inf.process();
        let mut out = String::new();
        for g in process.goroutines(usize::MAX).goroutines.iter().filter(|g| all || !g.system) {
            let star = if Some(g.id) == selected { "*" } else { " " };
            let stack = process.stack(crate::session::stack_source(&process, g), 0, 20);
            let at = stack.frames.iter().find(|f| !f.runtime).or_else(|| stack.frames.first());
            let place = at
                .map(|f| format!("{} {}:{}", f.name, self.sources.to_client(&f.file), f.line))
                .unwrap_or_default();
            let wait = g.wait_reason.as_ref().map(|w| format!(" [{w}]")).unwrap_or_default();
            let _infallible = writeln!(out, "{star} {} {}{wait} {place}", g.id, g.status.text());
        }
        Answer::Text(out.trim_end().to_string())
    }

    fn goroutine_command(&mut self, rest: &str) -> Answer {
        let Ok(goid) = rest.parse::<u64>() else { return Answer::Error("write goroutine N".into()) };
        match self.stack_of(goid, 0, 1) {
            Ok(stack) => {
                self.selected = Some(goid);
                let at = stack
                    .frames
                    .first()
                    .map(|f| format!("{} {}:{}", f.name, f.file, f.line))
                    .unwrap_or_default();
                Answer::Text(format!("goroutine {goid} {at}"))
            }
            Err(e) => Answer::Error(e.cause()),
        }
    }

    fn regs_command(&mut self, a: &t::EvaluateArguments) -> Answer {
        let items = self.frame(a.frame_id).and_then(|h| {
            self.look(Some(&h), None, Detail::Row, |look| {
                eval::variables(&look.view, eval::Variables::Registers)
            })
        });
        match items {
            Ok(items) => Answer::Text(
                items.iter().map(|i| format!("{} = {}", i.name, i.text)).collect::<Vec<_>>().join("\n"),
            ),
            Err(e) => Answer::Error(e.cause()),
        }
    }

    fn disass_command(&mut self, rest: &str, a: &t::EvaluateArguments) -> Answer {
        let handle = match self.frame(a.frame_id) {
            Ok(h) => h,
            Err(e) => return Answer::Error(e.cause()),
        };
        let Some(inf) = self.inferior.as_ref() else { return Answer::Error("the program has ended".into()) };
        let Some(f) = inf.image.functions().at(handle.frame.pc) else {
            return Answer::Error("this frame is not in Go code".into());
        };
        let whole = match rest {
            "" => false,
            "-a" => true,
            _ => return Answer::Error("write disass, or disass -a for the whole function".into()),
        };
        let mut listing = inf.engine.disassemble(&inf.image, &**inf.memory(), f.entry()..f.end());
        self.note_targets(&mut listing, a.frame_id);
        let Some(inf) = self.inferior.as_ref() else { return Answer::Error("the program has ended".into()) };
        let mut out = String::new();
        for i in listing {
            let at = inf.image.functions().location(i.addr);
            if !whole && at.as_ref().is_none_or(|l| l.line != handle.frame.line) {
                continue;
            }
            let mark = if i.addr == handle.frame.pc { "=>" } else { "  " };
            let note = i.note.map(|n| format!(" ; {n}")).unwrap_or_default();
            let line = at.map(|l| l.line).unwrap_or(0);
            let _infallible = writeln!(out, "{mark} {:#x} :{line} {}{note}", i.addr, i.text);
        }
        Answer::Text(out.trim_end().to_string())
    }

    fn breaks(&self) -> String {
        let rows: Vec<String> = self
            .breakpoints
            .iter()
            .map(|b| {
                let mut options = String::new();
                for (name, text) in [
                    ("if", &b.options.condition),
                    ("hits", &b.options.hit_condition),
                    ("logs", &b.options.log_message),
                ] {
                    if let Some(text) = text {
                        let _infallible = write!(options, " {name} {text}");
                    }
                }
                format!("{} {}{options}, {} hits", b.id.0, self.breakpoint_place(b.id), b.hits)
            })
            .collect();
        if rows.is_empty() { "no breakpoints".into() } else { rows.join("\n") }
    }

    fn break_command(&mut self, rest: &str) -> Answer {
        if let Some(n) = rest.strip_prefix("-d") {
            let Ok(id) = n.trim().parse() else {
                return Answer::Error("write break -d N; breaks lists them".into());
            };
            return match self.remove_breakpoint(id) {
                true => Answer::Text(format!("breakpoint {id} removed")),
                false => Answer::Error(format!("there is no breakpoint {id}; breaks lists them")),
            };
        }
        let (place, condition) = match rest.split_once(" if ") {
            Some((place, condition)) => (place.trim(), Some(condition.trim().to_string())),
            None => (rest, None),
        };
        let name = match self.break_place(place) {
            Ok(name) => name,
            Err(why) => return Answer::Error(why),
        };
        let options = Options { condition, ..Options::default() }.cleaned();
        match self.add_console_breakpoint(&name, options) {
            Ok(text) => Answer::Text(text),
            Err(why) => Answer::Error(why),
        }
    }

    /// What `break` was given, in the spelling of function breakpoints: `INTERFACE.METHOD TYPE` and a bare line are rewritten.
    fn break_place(&mut self, place: &str) -> Result<String, String> {
        const USAGE: &str =
            "write break FUNCTION, break file.go:LINE, break LINE or break INTERFACE.METHOD [TYPE]";
        if place.is_empty() {
            return Err(USAGE.into());
        }
        if let Ok(line) = place.parse::<u32>() {
            let handle = self.frame(None).map_err(|_| USAGE.to_string())?;
            return Ok(format!("{}:{line}", handle.frame.file));
        }
        Ok(match place.split_once(char::is_whitespace) {
            Some((method, ty)) if !method.contains('[') || method.ends_with(|c: char| c != ',') => {
                format!("{method}({})", ty.trim())
            }
            _ => place.to_string(),
        })
    }

    fn catch_command(&mut self, rest: &str) -> Answer {
        let (rest, condition) = match rest.split_once(" if ") {
            Some((head, condition)) => (head, Some(condition.trim())),
            None => (rest, None),
        };
        let words: Vec<&str> = rest.split_whitespace().collect();
        let (name, on) = match words.as_slice() {
            [] => return Answer::Text(self.caught().join("\n")),
            [name] | [name, "on"] => (*name, true),
            [name, "off"] => (*name, false),
            _ => return Answer::Error("write catch FILTER [on|off] [if CONDITION]".into()),
        };
        let asked = match self.wanted_exception(name, condition) {
            Ok(asked) => asked,
            Err(why) => return Answer::Error(why),
        };
        let mut wanted = self.exceptions.wanted.clone();
        wanted.retain(|w| w.filter != asked.filter);
        if on {
            wanted.push(asked);
        }
        self.change_exceptions(wanted);
        let row = self.caught().into_iter().find(|row| row.starts_with(name)).unwrap_or_default();
        Answer::Text(row)
    }

    /// The exception filters, one a line.
    fn caught(&self) -> Vec<String> {
        let row = |d: &Described| {
            let on: Vec<&Wanted> = self.exceptions.wanted.iter().filter(|w| w.filter == d.filter).collect();
            let conditions =
                on.iter().filter_map(|w| w.condition.as_ref()).map(|c| format!(" if {}", c.text));
            let state = if on.is_empty() { "off" } else { "on" };
            format!("{} {state}{}", d.name, conditions.collect::<Vec<_>>().join(" or"))
        };
        FILTERS.iter().map(row).collect()
    }

    fn config_command(&mut self, rest: &str) -> Answer {
        let changed = self.settings.config(rest.trim_start_matches("-list").trim());
        self.answer_config(changed)
    }
}

/// `0 s.Area -> main.(*Square).Area`.
fn row(c: &KnownCall) -> String {
    let done = if c.site.in_progress { " (in progress)" } else { "" };
    // A panic's reason is in the label.
    let open = c.site.target.is_none() && c.site.state != dispatch::State::Panics;
    let reason = c.site.reason.as_ref().filter(|_| open).map(|r| format!(": {r}")).unwrap_or_default();
    format!("{} {}{reason}{done}", c.site.order, dispatch::label(&c.site))
}

fn implementer_row(i: &dispatch::Implementer) -> String {
    let itab = if i.has_itab { ", has an itab" } else { "" };
    let doubt = if i.maybe { " (maybe: the linker removed a method's type)" } else { "" };
    let missing =
        i.missing.as_ref().map(|(m, why)| format!(" misses {m}: {}", why.as_str())).unwrap_or_default();
    format!("{}{itab}{doubt}{missing}", i.concrete_type)
}

fn method_row(m: &dispatch::MethodRow) -> String {
    let slot = m.slot.map(|s| format!("{s} ")).unwrap_or_default();
    let link = m.link.as_ref().map(|l| format!(" {} {:#x}", l.name, l.address)).unwrap_or_default();
    let from = m.promoted_from.as_ref().map(|p| format!(" promoted from {p}")).unwrap_or_default();
    let removed = if m.removed { " removed by the linker" } else { "" };
    format!("{slot}{}{link}{from}{removed}", m.name)
}

pub(super) fn help() -> String {
    let lines: Vec<&str> = COMMANDS.iter().map(|(_, h)| *h).collect();
    format!("Commands (anything else is a Go expression, NAME = EXPR sets a variable):\n{}", lines.join("\n"))
}

/// Writes to a file when asked to; one line for clients that show one.
fn finish(text: String, c: &Command, one_line: bool) -> Answer {
    if let Some(path) = &c.to_file {
        return match std::fs::write(path, format!("{text}\n")) {
            Ok(()) => Answer::Text(format!("written to {path}")),
            Err(e) => Answer::Error(format!("{path}: {e}")),
        };
    }
    if one_line {
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
        return Answer::Text(lines.join(" | "));
    }
    Answer::Text(text)
}
