//! Panics: at their origin, where nobody recovers them, where they are recovered; and the text of each.

use golang::{Interface, Panic, Process, RuntimeError, Value};
use target::Tid;

use super::{filters::Filter, raised::Raised};
use crate::session::{Reported, Session, look::Look};

/// Panics in progress that a text names, at most.
const MAX_CHAIN: usize = 8;

/// What is said of a panic.
#[derive(Clone, Debug, Default)]
pub(super) struct PanicText {
    pub(super) text: String,
    /// Type of the value, short and with the import path.
    pub(super) type_names: Option<(String, String)>,
    /// The value has an `Error` or `String` method, or something else that can't be told by reading alone.
    may_have_message: bool,
    /// What is said of the panics under it.
    under: String,
}

/// A panic as it was before the runtime replaced the value by its text.
pub(super) struct Kept(PanicText);

impl Session {
    /// `runtime.gopanic`: the value in its argument registers, its frame not linked yet.
    pub(super) fn panic_report(&mut self, tid: Tid, goid: Option<u64>) -> Option<Reported> {
        let shown = goid.or_else(|| self.goroutine_to_show(tid));
        let value = self.value_in_registers(tid);
        let raised = self.raised(tid, shown, value)?;
        let all = self.wants(Filter::Panic) && self.condition_of(Filter::Panic, Some(&raised));
        if !all && !self.is_unseen_assertion(&raised) {
            return None;
        }
        let id = if all { "panic" } else { "failed assertion" };
        let text = self.panic_text(&raised, 0);
        Some(Reported::exception(Some(raised.goid), joined(text).exception(id, false)))
    }

    /// An assertion that no probe stands at: one to a type parameter, or in code that can't be analysed.
    fn is_unseen_assertion(&mut self, raised: &Raised) -> bool {
        if !self.wants(Filter::FailedAssertion) {
            return false;
        }
        let seen = self.exceptions.asserted.take_if(|g| *g == raised.goid).is_some();
        let conversion = || {
            let value = raised.value.as_ref()?;
            self.peek(raised.frames.first()?, |look| conversion_in(look.view.process, value))
        };
        !seen && conversion() == Some(true) && self.condition_of(Filter::FailedAssertion, Some(raised))
    }

    /// `runtime.preprintpanics`: what the panic is, before only its text is left.
    pub(super) fn keep_panic(&mut self, tid: Tid, goid: Option<u64>) {
        let Some(goid) = goid else { return };
        let value = self.newest_panic(goid);
        let Some(raised) = self.raised(tid, Some(goid), value) else { return };
        let text = self.panic_text(&raised, 1);
        self.exceptions.kept.insert(goid, Kept(text));
    }

    /// `runtime.fatalpanic`: deferred calls have run, the value is text if it had a method for that.
    pub(super) fn unrecovered_report(&mut self, tid: Tid, goid: Option<u64>) -> Option<Reported> {
        let kept = goid.and_then(|g| self.exceptions.kept.remove(&g));
        let shown = goid.or_else(|| self.goroutine_to_show(tid));
        let value = shown.and_then(|g| self.newest_panic(g));
        let raised = self.raised(tid, shown, value)?;
        let text = match kept {
            Some(Kept(text)) if text.may_have_message => {
                let message = self.string_given(&raised);
                let whole = message.map(|m| format!("{m} ({})", text.text));
                PanicText { text: whole.unwrap_or_else(|| text.text.clone()), ..text }
            }
            Some(Kept(text)) => text,
            None => self.panic_text(&raised, 1),
        };
        let exception = joined(text).exception("panic", true);
        self.exceptions.last_words = Some(exception.text.clone());
        self.condition_of(Filter::UnrecoveredPanic, Some(&raised))
            .then(|| Reported::exception(Some(raised.goid), exception))
    }

    /// A return of `runtime.gorecover` with something in hand. The stop is one instruction later, in the function that called it.
    pub(super) fn recovered_report(&mut self, tid: Tid, goid: Option<u64>) -> Option<Reported> {
        let value = self.value_in_registers(tid)?;
        let frame = self.top_frame(tid)?;
        let recovered =
            self.peek(&frame, |look| !matches!(golang::interface(look.view.process, &value), Interface::Nil));
        if recovered != Some(true) {
            return None;
        }
        let raised = self.raised(tid, goid, Some(value))?;
        if !self.condition_of(Filter::RecoveredPanic, Some(&raised)) {
            return None;
        }
        let mut text = joined(self.panic_text(&raised, 1));
        let from = match raised.frame() {
            Some(f) => format!("raised in {}", self.place_of(f)),
            None => "where it was raised is not known".into(),
        };
        text.text = format!("recovered {}; {from}", text.text);
        self.step_out_of_recover(tid);
        Some(Reported::exception(Some(raised.goid), text.exception("recovered panic", false)))
    }

    fn step_out_of_recover(&mut self, tid: Tid) {
        let Some(inf) = self.inferior.as_mut() else { return };
        match inf.step_instruction(tid) {
            // Another event that comes first is handled next.
            Ok(_) => {}
            Err(e) => tracing::warn!("stepping out of runtime.gorecover: {e}"),
        }
    }

    /// The two words in the first argument (and result) registers as a value of type `any`.
    fn value_in_registers(&mut self, tid: Tid) -> Option<Value> {
        let frame = self.top_frame(tid)?;
        let process = self.inferior.as_ref()?.process();
        let word = |i: usize| process.image.arch().int_args().get(i).and_then(|r| frame.regs.get(*r));
        let words = [word(0)?, word(1)?];
        let bytes = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        Some(Value::computed(process.empty_interface(), bytes))
    }

    pub(super) fn panics_of(&self, goid: u64) -> Vec<Panic> {
        let Some(inf) = self.inferior.as_ref() else { return Vec::new() };
        let process = inf.process();
        process.goroutine(goid).map(|g| process.panics(&g)).unwrap_or_default()
    }

    fn newest_panic(&mut self, goid: u64) -> Option<Value> {
        self.read_all().ok()?;
        self.panics_of(goid).into_iter().next().map(|p| p.arg)
    }

    /// The value, quoted, if it is a string.
    fn string_given(&mut self, raised: &Raised) -> Option<String> {
        let value = raised.value.as_ref()?;
        let text = self.peek(raised.frames.first()?, |look| match inside(look.view.process, value) {
            Some(v) if look.view.process.display_name(v.ty) == "string" => Some(eval::render(&look.view, &v)),
            _ => None,
        });
        text.flatten()
    }

    /// What is said of a panic. `linked`: how many of the goroutine's panics belong to this one: 1 once it is linked, 0 before.
    pub(super) fn panic_text(&mut self, raised: &Raised, linked: usize) -> PanicText {
        let cannot = "the value given to panic can't be read";
        let (Some(top), Some(value)) = (raised.frames.first(), raised.value.as_ref()) else {
            return PanicText { text: cannot.into(), ..PanicText::default() };
        };
        let chain = self.panics_of(raised.goid);
        let read = self.peek(top, |look| {
            let older = chain.iter().skip(linked).take(MAX_CHAIN);
            let under: String = older.map(|p| under(look, value, p)).collect();
            (value_text(look, value), under)
        });
        let Some((Some((mut text, error)), under)) = read else {
            return PanicText { text: cannot.into(), ..PanicText::default() };
        };
        text.under = under;
        if let Some(error) = error {
            self.explain(raised, &error, &mut text.text);
        }
        text
    }
}

/// The text with what is under it.
fn joined(text: PanicText) -> PanicText {
    PanicText { text: format!("{}{}", text.text, text.under), ..text }
}

fn inside(process: &Process<'_>, value: &Value) -> Option<Value> {
    match golang::interface(process, value) {
        Interface::Dynamic(d) => Some(d.value),
        _ => None,
    }
}

fn conversion_in(process: &Process<'_>, value: &Value) -> bool {
    let error = inside(process, value).and_then(|v| golang::runtime_error(process, &v));
    matches!(error, Some(RuntimeError::Conversion(_)))
}

/// The value given to `panic` as text, and the runtime's error in it. None: it can't be read.
fn value_text(look: &Look<'_>, value: &Value) -> Option<(PanicText, Option<RuntimeError>)> {
    let process = look.view.process;
    let dynamic = match golang::interface(process, value) {
        Interface::Dynamic(d) => d,
        Interface::Nil => {
            let text = RuntimeError::Nil.message(process);
            return Some((PanicText { text, ..PanicText::default() }, None));
        }
        Interface::Half(_) | Interface::Bad(_) => return None,
    };
    let v = &dynamic.value;
    let name = process.display_name(v.ty);
    let type_names = Some((name.clone(), process.qualified_name(v.ty)));
    if let Some(error) = golang::runtime_error(process, v) {
        let text = error.message(process);
        return Some((PanicText { text, type_names, ..PanicText::default() }, Some(error)));
    }
    if let Some(message) = golang::error_text(process, v) {
        let text = format!("{} ({name})", eval::quote(message.as_bytes()));
        return Some((PanicText { text, type_names, ..PanicText::default() }, None));
    }
    let shown = eval::render(&look.view, v);
    let text = match name == "string" || shown.starts_with(&name) || shown.starts_with('*') {
        true => shown,
        false => format!("{name}({shown})"),
    };
    let may_have_message = name != "string";
    Some((PanicText { text, type_names, may_have_message, under: String::new() }, None))
}

/// A panic under another one: `; while panicking with "a"`.
fn under(look: &Look<'_>, newest: &Value, p: &Panic) -> String {
    if p.goexit {
        return "; during runtime.Goexit".into();
    }
    let words = |v: &Value| golang::bytes(look.view.process, v, 0, 16).ok();
    if p.recovered && words(&p.arg).is_some() && words(&p.arg) == words(newest) {
        return " [recovered, repanicked]".into();
    }
    let text = value_text(look, &p.arg).map_or_else(|| "a value that can't be read".into(), |t| t.0.text);
    match p.recovered {
        true => format!("; after recovering from {text}"),
        false => format!("; while panicking with {text}"),
    }
}
