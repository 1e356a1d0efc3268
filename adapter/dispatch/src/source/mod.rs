//! Call expressions of a Go source file, in evaluation order, with their spans: what the source writes where machine code has sites.
//!
//! Works on tokens with a stack of brackets; a file that doesn't compile gives fewer calls, never a hang.

mod asserts;
pub(crate) mod operations;
pub(crate) mod params;
mod scan;
mod tokens;

use std::sync::Arc;

use crate::api::Span;

pub(crate) use asserts::SourceAssert;

/// How the called function is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// `expr.Name(...)`
    Selector,
    /// `Name(...)`
    Ident,
    /// A function literal, the result of a call or index, a conversion to a composite type.
    Other,
    /// `for ... := range expr`: the iterator.
    Range,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prefix {
    Go,
    Defer,
}

/// One call expression. Calls are listed in the order in which they are evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SourceCall {
    /// The last identifier of the function's expression; empty for [`Form::Other`].
    pub(crate) name: String,
    /// The function's expression as written.
    pub(crate) callee: String,
    /// The whole call as written, on one line.
    pub(crate) text: String,
    /// Of a selector: what stands before the dot.
    pub(crate) receiver: Option<String>,
    pub(crate) form: Form,
    /// `f[i](...)`: an index or type arguments stand between name and call.
    pub(crate) indexed: bool,
    /// The line that the compiler gives the call: that of the selector's name.
    pub(crate) line: u32,
    pub(crate) span: Span,
    /// Line of the `func` keyword whose body the call is in; 0 at package level.
    pub(crate) owner: u32,
    pub(crate) prefix: Option<Prefix>,
    /// In the right operand of && or ||.
    pub(crate) conditional: bool,
    /// In the header of a `for`: loop rotation may change the order of its machine code.
    pub(crate) for_header: bool,
    /// A function literal stands among the arguments.
    pub(crate) literal_argument: bool,
}

impl SourceCall {
    /// `func() { ... }()`
    pub(crate) fn is_literal(&self) -> bool {
        self.form == Form::Other && self.callee.starts_with("func")
    }
}

/// All calls of a file.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    pub(crate) all: Vec<SourceCall>,
    /// Type assertions and cases of type switches.
    pub(crate) asserts: Vec<SourceAssert>,
    /// Lines of the `func` keywords that have a body.
    functions: Vec<u32>,
}

impl Calls {
    pub(crate) fn parse(text: &str) -> Calls {
        let (all, functions) = scan::calls(text);
        Calls { all, functions, asserts: asserts::assertions(text) }
    }

    /// The calls that the compiler puts on `line`, in evaluation order. `owner`: start line of the function; 0 when it isn't known.
    pub(crate) fn on_line(&self, line: u32, owner: u32) -> Vec<&SourceCall> {
        let on: Vec<&SourceCall> = self.all.iter().filter(|c| c.line == line).collect();
        if owner != 0 && (self.functions.contains(&owner) || on.iter().any(|c| c.owner == owner)) {
            return on.into_iter().filter(|c| c.owner == owner).collect();
        }
        on
    }
}

/// A text and its calls.
type Parsed = (Arc<str>, Arc<Calls>);

/// Parsed files, by name; a file whose text changed is parsed anew.
#[derive(Default)]
pub(crate) struct Cache {
    files: std::sync::Mutex<rustc_hash::FxHashMap<Arc<str>, Parsed>>,
}

impl Cache {
    pub(crate) fn get(&self, file: &Arc<str>, text: Arc<str>) -> Arc<Calls> {
        let mut files = self.files.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((old, calls)) = files.get(file)
            && (Arc::ptr_eq(old, &text) || **old == *text)
        {
            return calls.clone();
        }
        if files.len() >= 256 {
            files.clear();
        }
        let calls = Arc::new(Calls::parse(&text));
        files.insert(file.clone(), (text, calls.clone()));
        calls
    }
}

#[cfg(test)]
mod tests;
