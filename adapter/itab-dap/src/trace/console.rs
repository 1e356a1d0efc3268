//! `trace ...` in the debug console, and a trace's records as lines of it.

use std::{fmt::Write as _, path::Path};

use wire::itab::TraceRecord;

use super::{Trace, What, filter::Request};
use crate::{console::Answer, session::Session};

const USAGE: &str = "write trace dispatch [FILTER], trace asserts [FILTER], trace off [N], trace on N, trace show [N], trace pprof FILE [N] or trace graph FILE [N]";

impl Session {
    pub(crate) fn trace_command(&mut self, rest: &str) -> Answer {
        let (verb, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let rest = rest.trim();
        let result = match verb {
            "" => Ok(self.list_traces()),
            "dispatch" => self.trace_by_words(What::Dispatch, rest),
            "asserts" => self.trace_by_words(What::Asserts, rest),
            "on" | "off" => self.switch_traces(rest, verb == "on"),
            "show" => self.numbered(rest).and_then(|id| self.show_trace(id)),
            "pprof" | "graph" => self.trace_file(verb, rest),
            _ => Err(USAGE.into()),
        };
        match result {
            Ok(text) => Answer::Text(text),
            Err(why) => Answer::Error(why),
        }
    }

    fn trace_by_words(&mut self, what: What, words: &str) -> Result<String, String> {
        let id = self.start_trace(what, Request::of_words(words)?, true)?;
        let trace = self.traces.list.get(&id).ok_or("the trace is gone")?;
        let note = trace.note.as_ref().map(|n| format!("\n{n}")).unwrap_or_default();
        Ok(format!(
            "trace {id}: {} sites are watched; trace off ends it, trace show shows the counts{note}",
            trace.sites().len()
        ))
    }

    /// The launch attribute `trace`: a filter, `dispatch FILTER` or `asserts FILTER`.
    pub(crate) fn start_trace_of_launch(&mut self) {
        let text = self.settings.common.trace.trim().to_string();
        if text.is_empty() {
            return;
        }
        let (what, words) = match text.split_once(char::is_whitespace).unwrap_or((&text, "")) {
            ("dispatch", rest) => (What::Dispatch, rest),
            ("asserts", rest) => (What::Asserts, rest),
            _ => (What::Dispatch, text.as_str()),
        };
        let said = match self.trace_by_words(what, words) {
            Ok(text) => text,
            Err(why) => format!("trace: {why}"),
        };
        self.console(&said);
    }

    fn list_traces(&self) -> String {
        let line = |t: &Trace| {
            let what = if t.what == What::Dispatch { "dispatch" } else { "asserts" };
            let state = if t.enabled { "on" } else { "off" };
            format!("{} {what}, {state}, {} sites, {} counted", t.id, t.sites().len(), t.tally.total())
        };
        match self.traces.list.len() {
            0 => format!("no traces; {USAGE}"),
            _ => self.traces.list.values().map(line).collect::<Vec<_>>().join("\n"),
        }
    }

    fn switch_traces(&mut self, number: &str, on: bool) -> Result<String, String> {
        let ids: Vec<u32> = match (number, on) {
            ("", false) => self.traces.list.values().filter(|t| t.enabled).map(|t| t.id).collect(),
            _ => vec![self.numbered(number)?],
        };
        if ids.is_empty() {
            return Err("no trace is on".into());
        }
        let mut out = Vec::new();
        for id in ids {
            self.switch_trace(id, on)?;
            let counted = self.traces.list.get(&id).map_or(0, |t| t.tally.total());
            out.push(format!("trace {id} {}, {counted} counted", if on { "on" } else { "off" }));
        }
        Ok(out.join("\n"))
    }

    /// The trace that a number names; none: the newest.
    fn numbered(&self, number: &str) -> Result<u32, String> {
        if number.is_empty() {
            return self.traces.newest().ok_or_else(|| format!("no traces; {USAGE}"));
        }
        let id: Option<u32> = number.parse().ok().filter(|id| self.traces.list.contains_key(id));
        id.ok_or_else(|| format!("there is no trace {number}; trace lists them"))
    }

    fn show_trace(&self, id: u32) -> Result<String, String> {
        let rows = self.trace_rows(id)?;
        if rows.is_empty() {
            return Ok(format!("trace {id} has counted nothing yet"));
        }
        let mut out = String::new();
        for r in &rows {
            let method =
                [&*r.interface, &*r.method].into_iter().filter(|s| !s.is_empty()).collect::<Vec<_>>();
            let time =
                if r.timed { format!(", {:?} in all, {:?} at most", r.total, r.max) } else { String::new() };
            let _infallible = writeln!(
                out,
                "{:>8} {} {} {} -> {}{}{time}",
                r.count,
                r.short_site(),
                method.join("."),
                r.concrete,
                r.target,
                outcome(r.ok)
            );
        }
        let _infallible = write!(out, "{:>8} in all", rows.iter().map(|r| r.count).sum::<u64>());
        Ok(out)
    }

    fn trace_file(&self, form: &str, rest: &str) -> Result<String, String> {
        let (path, number) = match rest.rsplit_once(char::is_whitespace) {
            Some((path, n)) if n.bytes().all(|b| b.is_ascii_digit()) => (path.trim(), n),
            _ => (rest, ""),
        };
        let path = (!path.is_empty()).then(|| Path::new(path));
        let written = self.write_trace(self.numbered(number)?, form, path)?;
        let hint = if form == "pprof" { "; go tool pprof opens it" } else { "; dot -Tsvg draws it" };
        Ok(format!("written to {written}{hint}"))
    }
}

fn outcome(ok: Option<bool>) -> &'static str {
    match ok {
        Some(true) => " ok",
        Some(false) => " failed",
        None => "",
    }
}

/// One record as a line.
pub(super) fn record_line(trace: &Trace, r: &TraceRecord) -> String {
    let site = r.site.rsplit('/').next().unwrap_or(&r.site);
    let method = [r.interface_type.as_deref(), r.method.as_deref()];
    let method = method.into_iter().flatten().collect::<Vec<_>>().join(".");
    let mut line = format!(
        "trace {}: {:.6}s goroutine {} {site} {method} {} -> {}",
        trace.id,
        r.time as f64 / 1e9,
        r.goroutine,
        r.concrete_type,
        r.target
    );
    if let Some(a) = &r.arguments {
        let _infallible = write!(line, "({})", a.join(", "));
    }
    if let Some(v) = r.results.as_ref().filter(|v| !v.is_empty()) {
        let _infallible = write!(line, " = {}", v.join(", "));
    }
    if let Some(n) = r.elapsed {
        let _infallible = write!(line, " in {:?}", std::time::Duration::from_nanos(n));
    }
    line.push_str(outcome(r.ok));
    if r.cached == Some(true) {
        line.push_str(" (cached)");
    }
    line
}
