//! L3 `eval`: expressions compiled to a small verified program, run by an I/O-free machine; values, children, rendering.
//!
//! Watch, hover, conditions, log points, console and set-variable share this one evaluator. Knows no DAP, writes nothing,
//! never makes the program run.

mod children;
mod decode;
mod evaluated;
pub mod expression;
mod functions;
mod item;
mod metered;
mod render;
mod variables;
mod view;
mod viewer;
mod views;

pub use children::{children, item};
pub use decode::{Decoded, Raw, decode, decode_words};
pub use evaluated::{evaluate_item, evaluated_item, type_arguments};
pub use expression::{
    Callable, Candidate, CandidateKind, EvalError, Evaluated, HitCondition, LogTemplate, Names, Program,
    Purpose, Scope, Scratch, WithScratch, Write, WritePart, assign, assignment, compile, complete, evaluate,
    holds, run,
};
pub use functions::call_item;
pub use item::{Children, Content, Filter, Item, ItemKind, Page, SourceLocation};
pub use metered::{Cached, PageCache};
pub use render::{quote, render};
pub use variables::{Variables, variables};
pub use view::{Budget, Limits, ShowItab, View};
pub use views::{interface_view, itab_rows, type_rows};
