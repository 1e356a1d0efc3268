//! Log messages of breakpoints: `{expression}` is compiled when the breakpoint is set and rendered at every hit.

use expr::{Segment, Span, Template};

use super::compile::{Purpose, compile};
use super::error::EvalError;
use super::names::Names;
use super::program::Program;
use super::{Evaluated, Scope, run};

/// A compiled log message.
#[derive(Clone, Debug)]
pub struct LogTemplate {
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Expression(Program),
}

impl LogTemplate {
    /// Only checks the syntax: for a breakpoint whose place is not known yet.
    pub fn check(text: &str) -> Result<(), EvalError> {
        match Template::parse(text).1.first() {
            Some(e) => Err(EvalError::syntax(text, e)),
            None => Ok(()),
        }
    }

    /// Columns of errors count in the whole message.
    pub fn parse(text: &str, names: &Names<'_>) -> Result<LogTemplate, EvalError> {
        let (template, errors) = Template::parse(text);
        if let Some(e) = errors.first() {
            return Err(EvalError::syntax(text, e));
        }
        let mut parts = Vec::new();
        for segment in template.segments {
            parts.push(match segment {
                Segment::Text(t) => Part::Text(t),
                Segment::Expression { text: inner, span, .. } => {
                    let program = compile(&inner, names, Purpose::Value).map_err(|e| {
                        let (start, end) = (e.span.start as usize, e.span.end as usize);
                        let base = span.start as usize;
                        EvalError::new(text, Span::new(base + start, base + end), e.message)
                    })?;
                    Part::Expression(program)
                }
            });
        }
        Ok(LogTemplate { parts })
    }

    /// The message at a hit; `show` makes the text of a value. What can't be evaluated is shown as the reason, in place.
    pub fn render(&self, scope: &Scope<'_>, show: &dyn Fn(&Evaluated) -> String) -> String {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(t) => out.push_str(t),
                Part::Expression(program) => match run(program, scope) {
                    Ok(value) => out.push_str(&show(&value)),
                    Err(e) => out.push_str(&format!("({}: {e})", program.text())),
                },
            }
        }
        out
    }
}
