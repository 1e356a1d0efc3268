//! Go expressions on a stopped program: names, compilation to a flat program, the machine that runs it, assignments, log messages.
//!
//! One evaluator for watches, hovers, conditions, log points, the console, set-variable and core files. Must never write to the program
//! and never make it run.

mod assign;
mod builtins;
mod calls;
mod compile;
mod complete;
mod convert;
mod cx;
mod error;
mod generics;
mod index;
mod log;
mod machine;
mod names;
mod number;
mod operand;
mod operate;
mod program;
mod readers;
mod registers;
mod scratch;
mod select;
mod shift;
mod types;
mod typing;

use std::sync::Arc;

use ::machine::MemoryExt;
use dispatch::SourceText;
use golang::{Frame, Process, Value, Whereabouts};
use image::TypeId;

pub use assign::{Write, WritePart, assign, assignment};
pub use compile::{Purpose, compile};
pub use complete::{Candidate, CandidateKind, complete};
pub use error::EvalError;
pub use expr::HitCondition;
pub use log::LogTemplate;
pub use names::Names;
pub use operand::Callable;
pub use program::Program;
pub use scratch::{Scratch, WithScratch};

use cx::Cx;
use machine::{Machine, Need, Step};
use operand::{Operand, TypeRef};

/// What an expression is evaluated in.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    pub process: &'a Process<'a>,
    /// None: only package variables and constants.
    pub frame: Option<&'a Frame>,
    /// Keeps the strings and slices that expressions make. To show such a value later, the process's memory must be
    /// `scratch.over(memory)`; clear it when the program runs on.
    pub scratch: &'a Scratch,
    /// For type parameters by name; None: they are undefined.
    pub source: Option<&'a dyn SourceText>,
}

impl<'a> Scope<'a> {
    pub fn new(process: &'a Process<'a>, frame: Option<&'a Frame>, scratch: &'a Scratch) -> Scope<'a> {
        Scope { process, frame, scratch, source: None }
    }
}

/// What an expression gave.
#[derive(Clone, Debug)]
pub enum Evaluated {
    Value(Value),
    /// `nil` without a type.
    Nil,
    /// `typeof(x)`, or a type's name.
    Type(TypeId),
    /// A function's name, `x.Method`.
    Function(Callable),
    /// `itab(x)`: the itab's address.
    Itab(u64),
    /// `where(x)`.
    Place(Arc<Whereabouts>),
    /// A sentence in place of a value.
    Text(String),
}

/// Compiles and runs.
pub fn evaluate(text: &str, scope: &Scope<'_>) -> Result<Evaluated, EvalError> {
    let names = Names::of(scope);
    run(&compile(text, &names, Purpose::Value)?, scope)
}

/// Runs a compiled expression in a frame of the place that it was compiled for.
pub fn run(program: &Program, scope: &Scope<'_>) -> Result<Evaluated, EvalError> {
    let operand = run_operand(program, scope)?;
    let memory = scope.scratch.over(scope.process.mem);
    let process = Process { mem: &memory, ..*scope.process };
    let cx = Cx { process: &process, scratch: scope.scratch };
    let fail = |why: String| EvalError::new(program.text(), expr::Span::new(0, program.text().len()), why);
    Ok(match operand {
        Operand::Nil => Evaluated::Nil,
        Operand::Type(TypeRef::Known(ty)) => Evaluated::Type(ty),
        Operand::Type(TypeRef::Nil) => Evaluated::Nil,
        Operand::Type(TypeRef::Missing(name)) => Evaluated::Text(name.to_string()),
        Operand::Function(f) => Evaluated::Function(f),
        Operand::Itab(addr) => Evaluated::Itab(addr),
        Operand::Place(place) => Evaluated::Place(place),
        Operand::Note(text) => Evaluated::Text(text.to_string()),
        other => Evaluated::Value(cx.default_value(other).map_err(fail)?),
    })
}

/// The truth of a condition at a hit. What the expression makes on the way is forgotten at once.
pub fn holds(program: &Program, scope: &Scope<'_>) -> Result<bool, EvalError> {
    let mark = scope.scratch.mark();
    let result = run_operand(program, scope).and_then(|o| {
        let memory = scope.scratch.over(scope.process.mem);
        let process = Process { mem: &memory, ..*scope.process };
        let cx = Cx { process: &process, scratch: scope.scratch };
        let whole = expr::Span::new(0, program.text().len());
        cx.truth(&o)
            .map_err(|why| EvalError::new(program.text(), whole, format!("non-boolean condition: {why}")))
    });
    scope.scratch.truncate(mark);
    result
}

/// The driver: gives the machine what it asks for. All I/O is in the process's memory, which carries budget and cancellation.
pub(crate) fn run_operand(program: &Program, scope: &Scope<'_>) -> Result<Operand, EvalError> {
    let memory = scope.scratch.over(scope.process.mem);
    let process = Process { mem: &memory, ..*scope.process };
    let cx = Cx { process: &process, scratch: scope.scratch };
    let mut machine = Machine::new(program);
    loop {
        match machine.step(&cx) {
            Step::Done(operand) => return Ok(operand),
            Step::Failed(error) => return Err(error),
            Step::Need(Need::Registers) => machine.registers(scope.frame)?,
            Step::Need(Need::Memory { addr, len }) => machine.memory(process.mem.read_vec(addr, len, len)),
        }
    }
}
