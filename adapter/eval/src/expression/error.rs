//! Why an expression has no value, and where in its text.

use expr::{Span, SyntaxError};
use thiserror::Error;

/// The message is in the words of the Go compiler or runtime, followed by what to do next where there is something.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct EvalError {
    pub message: String,
    /// Bytes of the expression's text that are at fault.
    pub span: Span,
    /// Where `span` begins: characters, counted from 1.
    pub column: u32,
}

impl EvalError {
    pub(crate) fn new(text: &str, span: Span, message: impl Into<String>) -> EvalError {
        EvalError { message: message.into(), span, column: span.column(text) }
    }

    pub(crate) fn syntax(text: &str, error: &SyntaxError) -> EvalError {
        EvalError::new(text, error.span, error.message.clone())
    }
}
