//! L0 `expr`: Go expressions: lexer, parser, syntax tree with spans, exact constants, log templates, hit conditions.
//!
//! Text in, values out. Parsing never fails: [`parse`] gives a tree and a list of errors, for any bytes, in bounded depth and time.
//! One node set serves types and expressions, because `f[T](x)`, `(*T)(p)` and `T{}` can't be told apart before names are known
//! (go/ast does the same). Must never look at a program, a type or memory.

mod ast;
mod constant;
mod hit;
mod lexer;
mod parser;
mod template;
mod types;

pub use ast::{BinaryOp, ChanDir, Element, Node, NodeKind, Param, Statement, UnaryOp};
pub use constant::{Constant, ConstantError, ConstantKind};
pub use hit::HitCondition;
pub use lexer::{KEYWORDS, MARKS, Token, TokenKind, number_length, tokens};
pub use parser::{MAX_DEPTH, Parsed, parse, parse_statement};
pub use template::{Segment, Template};

use thiserror::Error;

/// A byte range of the parsed text, half open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

impl Span {
    pub fn new(start: usize, end: usize) -> Span {
        let clamp = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Span { start: clamp(start), end: clamp(end) }
    }

    /// From the beginning of `self` to the end of `other`.
    pub fn to(self, other: Span) -> Span {
        Span { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// The text of the span, empty when it lies outside of `text`.
    pub fn of(self, text: &str) -> &str {
        text.get(self.start as usize..self.end as usize).unwrap_or("")
    }

    /// Column as an editor counts it: characters, from 1.
    pub fn column(self, text: &str) -> u32 {
        let before = text.get(..(self.start as usize).min(text.len())).unwrap_or(text);
        let line = before.rsplit('\n').next().unwrap_or(before);
        u32::try_from(line.chars().count()).unwrap_or(u32::MAX).saturating_add(1)
    }
}

/// What is wrong with a text, and where; the message is in the words of the Go compiler.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct SyntaxError {
    pub message: String,
    pub span: Span,
}

impl SyntaxError {
    pub(crate) fn new(span: Span, message: impl Into<String>) -> SyntaxError {
        SyntaxError { message: message.into(), span }
    }
}
