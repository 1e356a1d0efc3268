//! Steps into a call that ended before its body: what came instead. Only texts: where such a step stops is the step's own business.

use golang::Frame;

use super::raised::Raised;
use crate::{
    control::step::StepKind,
    session::{Reported, Session},
};

impl Session {
    /// A panic, a fatal error or a failed assertion came before the step's end.
    pub(in crate::session) fn tell_step_interrupted(&self, r: &Reported) {
        if let Some(exception) = &r.exception {
            self.tell_unreached(&format!("{}: {}", exception.id, exception.text));
        }
    }

    /// The program ended.
    pub(in crate::session) fn tell_step_at_exit(&self, code: i32) {
        self.tell_unreached(&format!("the program exited with status {code}"));
    }

    /// The line was left. The same text for the stop, as not every client shows the console.
    pub(in crate::session) fn tell_line_left(&mut self, frame: &Frame) -> Option<String> {
        let here = self.step.as_ref().is_some_and(|s| s.origin.frame_offset == frame.frame_offset);
        let panic = frame.goid.and_then(|g| self.panics_of(g).into_iter().next());
        let why = match panic {
            Some(p) if p.goexit => "runtime.Goexit came first".to_string(),
            Some(p) if !p.recovered => {
                let raised = frame.goid.and_then(|g| self.raised_in(g, Some(p.arg)));
                let text = raised.map(|r: Raised| self.panic_text(&r, 1).text);
                format!("a panic came first: {}", text.unwrap_or_else(|| "its value can't be read".into()))
            }
            _ if here => "the line was left without making it".to_string(),
            _ => "the function was left without making it".to_string(),
        };
        self.tell_unreached(&why)
    }

    fn tell_unreached(&self, why: &str) -> Option<String> {
        let Some(StepKind::Into { what, .. }) = self.step.as_ref().map(|s| &s.kind) else { return None };
        let text = format!("The step into the call ({what}) ended before its body: {why}.");
        self.console(&text);
        Some(text)
    }
}
