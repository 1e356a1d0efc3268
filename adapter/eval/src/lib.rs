//! L3 `eval`: expressions compiled to a small verified program, run by an I/O-free machine; values, children, rendering.
//!
//! Watch, hover, conditions, log points, console and set-variable share this one evaluator. Knows no DAP, writes nothing,
//! never makes the program run.

mod expression;

pub use expression::{
    Callable, Candidate, CandidateKind, EvalError, Evaluated, HitCondition, LogTemplate, Names, Program,
    Purpose, Scope, Scratch, WithScratch, Write, WritePart, assign, assignment, compile, complete, evaluate,
    holds, run,
};
