//! The compiled form: a flat list of ops for a stack machine, verified once. Jumps only go forward, so every run ends.

use std::sync::Arc;

use expr::{BinaryOp, Span, UnaryOp};
use image::{ScopeVariable, TypeId};

use super::operand::{Operand, TypeRef};
use super::registers::RegisterRef;
use super::select::Path;

/// An expression that was compiled for one place in the program; run it as often as that place is reached.
#[derive(Clone, Debug)]
pub struct Program {
    pub(crate) text: Arc<str>,
    pub(crate) ops: Vec<Op>,
    /// The part of the text that each op comes from.
    pub(crate) spans: Vec<Span>,
    /// What [`Op::Variable`] counts.
    pub(crate) variables: Vec<ScopeVariable>,
    /// The static type of the result, when it has one.
    pub(crate) result: Option<TypeId>,
    /// True when the result is a bool, or may turn out to be one.
    pub(crate) may_be_bool: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Push(Operand),
    /// A variable of the frame.
    Variable(u32),
    Register(RegisterRef),
    Special(Special),
    /// Has the value's bytes read (at most 16), in one request to the driver.
    Load,
    /// Fields and embedded structs that were found when compiling.
    Path(Arc<Path>),
    /// A field or method that can only be looked for at run time.
    Select(Arc<str>),
    /// container, index
    Index,
    /// container, then the bounds that are there
    Slice {
        low: bool,
        high: bool,
        max: bool,
    },
    Deref,
    Address,
    Unary(UnaryOp),
    /// left, right; with the spans of both for messages.
    Binary {
        op: BinaryOp,
        left: Span,
        right: Span,
    },
    /// Refuses anything but a bool.
    Boolean(BinaryOp),
    /// Looks at the bool on top: if it is `when`, jumps with it, else drops it.
    JumpIf {
        when: bool,
        to: usize,
    },
    Convert(TypeId),
    Assert(TypeRef),
    /// `x.(data)`: whatever is inside.
    Inside,
    Builtin {
        builtin: Builtin,
        count: usize,
    },
    Intrinsic(Intrinsic),
    /// One operand for each of the fields or elements named by position.
    Composite {
        ty: TypeId,
        places: Arc<[u64]>,
    },
    /// Until [`Op::EndCatch`]: an error gives `false` and goes on at `to`.
    Catch {
        to: usize,
    },
    EndCatch,
}

/// Facts about the frame that have no variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Special {
    /// `runtime.curg`
    CurrentG,
    /// `runtime.frameoff`
    FrameOffset,
    /// `runtime.threadid`
    ThreadId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Builtin {
    Len,
    Cap,
    Complex,
    Real,
    Imag,
    Min,
    Max,
}

impl Builtin {
    pub(crate) const ALL: [(&'static str, Builtin); 7] = [
        ("len", Builtin::Len),
        ("cap", Builtin::Cap),
        ("complex", Builtin::Complex),
        ("real", Builtin::Real),
        ("imag", Builtin::Imag),
        ("min", Builtin::Min),
        ("max", Builtin::Max),
    ];

    pub(crate) fn name(self) -> &'static str {
        Builtin::ALL.iter().find(|b| b.1 == self).map_or("", |b| b.0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intrinsic {
    TypeOf,
    Itab,
    Where,
}

impl Intrinsic {
    pub(crate) const ALL: [(&'static str, Intrinsic); 3] =
        [("typeof", Intrinsic::TypeOf), ("itab", Intrinsic::Itab), ("where", Intrinsic::Where)];
}

impl Op {
    /// How many operands it takes and gives (on the path that doesn't jump).
    fn effect(&self) -> (usize, usize) {
        match self {
            Op::Push(_) | Op::Variable(_) | Op::Register(_) | Op::Special(_) => (0, 1),
            Op::Load | Op::Path(_) | Op::Select(_) | Op::Deref | Op::Address | Op::Unary(_) => (1, 1),
            Op::Boolean(_) | Op::Convert(_) | Op::Assert(_) | Op::Inside | Op::Intrinsic(_) => (1, 1),
            Op::Index | Op::Binary { .. } => (2, 1),
            Op::Slice { low, high, max } => {
                (1 + usize::from(*low) + usize::from(*high) + usize::from(*max), 1)
            }
            Op::JumpIf { .. } => (1, 0),
            Op::Builtin { count, .. } => (*count, 1),
            Op::Composite { places, .. } => (places.len(), 1),
            Op::Catch { .. } | Op::EndCatch => (0, 0),
        }
    }

    /// Where it may jump to, and how many more operands there are after the jump than after going on.
    fn jump(&self) -> Option<(usize, usize)> {
        match self {
            Op::JumpIf { to, .. } | Op::Catch { to } => Some((*to, 1)),
            _ => None,
        }
    }
}

impl Program {
    /// What it was compiled from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The static type of the result; None for untyped constants, types, functions, and what is only known when it runs.
    pub fn result_type(&self) -> Option<TypeId> {
        self.result
    }

    /// Whether it can serve as a condition: a bool, or something whose type only shows when it runs.
    pub fn may_be_bool(&self) -> bool {
        self.may_be_bool
    }

    /// Checks the stack depth at every op and at every jump's target, and that jumps go forward and inside. One operand is left at the end.
    pub(crate) fn verify(&self) -> Result<(), String> {
        let mut expected: Vec<Option<usize>> = vec![None; self.ops.len() + 1];
        let mut depth = 0usize;
        for (i, op) in self.ops.iter().enumerate() {
            if expected.get(i).copied().flatten().is_some_and(|d| d != depth) {
                return Err(format!("op {i}: stack depth {depth} differs between the ways that lead to it"));
            }
            let (takes, gives) = op.effect();
            depth = depth.checked_sub(takes).ok_or_else(|| format!("op {i}: not enough operands"))? + gives;
            if let Some((to, more)) = op.jump() {
                let slot = expected.get_mut(to).filter(|_| to > i);
                let slot = slot.ok_or_else(|| format!("op {i}: jump to {to}"))?;
                if slot.replace(depth + more).is_some_and(|d| d != depth + more) {
                    return Err(format!("op {i}: jump to {to} with another stack depth"));
                }
            }
        }
        let end = expected.last().copied().flatten().unwrap_or(depth);
        if depth == 1 && end == 1 { Ok(()) } else { Err(format!("{depth} operands at the end")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verify(ops: Vec<Op>) -> Result<(), String> {
        let spans = vec![Span::default(); ops.len()];
        Program { text: "".into(), ops, spans, variables: Vec::new(), result: None, may_be_bool: false }
            .verify()
    }

    fn push() -> Op {
        Op::Push(Operand::Nil)
    }

    #[test]
    fn programs_that_would_break_the_stack_or_never_end_are_found() {
        assert_eq!(verify(vec![push()]), Ok(()));
        assert_eq!(verify(vec![push(), Op::JumpIf { when: true, to: 3 }, push()]), Ok(()));
        assert_eq!(verify(vec![Op::Catch { to: 3 }, push(), Op::EndCatch]), Ok(()));
        assert!(verify(vec![]).is_err());
        assert!(verify(vec![push(), push()]).is_err());
        assert!(verify(vec![push(), Op::Index]).is_err());
        assert!(verify(vec![push(), Op::JumpIf { when: true, to: 0 }, push()]).is_err(), "backwards");
        assert!(verify(vec![push(), Op::JumpIf { when: true, to: 9 }, push()]).is_err(), "outside");
        assert!(verify(vec![push(), push(), Op::JumpIf { when: true, to: 3 }, push()]).is_err(), "depth");
    }
}
