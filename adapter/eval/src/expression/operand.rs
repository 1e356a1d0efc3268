//! What expressions compute with: typed values, untyped constants, nil, types, functions. No meaning here, only data.

use std::sync::Arc;

use expr::Constant;
use golang::{Value, Whereabouts};
use image::TypeId;

/// An entry of the machine's stack.
#[derive(Clone, Debug)]
pub(crate) enum Operand {
    Value(Value),
    /// Untyped number.
    Number(Constant),
    /// Untyped string.
    Text(Arc<[u8]>),
    /// Untyped bool: what comparisons give.
    Bool(bool),
    /// Untyped nil.
    Nil,
    /// What `typeof` gives, or a type's name where a type may stand.
    Type(TypeRef),
    Function(Callable),
    /// Address of an itab: what `itab(x)` gives.
    Itab(u64),
    /// What `where(x)` gives.
    Place(Arc<Whereabouts>),
    /// Text for people: what `where(x)` gives for what has no address.
    Note(Arc<str>),
}

/// A type, which the program may not contain.
#[derive(Clone, Debug)]
pub(crate) enum TypeRef {
    Known(TypeId),
    /// Written as Go would; no value of it can exist in the program.
    Missing(Arc<str>),
    /// The dynamic type of a nil interface.
    Nil,
}

/// A function of the program, or a method with its receiver.
#[derive(Clone, Debug)]
pub struct Callable {
    /// Run-time address of the entry that a call would go to (it may be a wrapper); None when only the name is known.
    pub entry: Option<u64>,
    /// Linker symbol name with escapes undone.
    pub name: Arc<str>,
    /// What a method is bound to.
    pub receiver: Option<Box<Value>>,
    /// For a method of an interface value: the interface's type, and the method's slot in its itab.
    pub interface: Option<(TypeId, usize)>,
    /// The itab that the entry was read from.
    pub itab: Option<u64>,
}

/// What is known of an operand before it is computed.
#[derive(Clone, Debug)]
pub(crate) enum Static {
    Typed(TypeId),
    Number(Constant),
    Text(Arc<[u8]>),
    Bool,
    Nil,
    Type,
    Function,
    /// An itab, a place or a note: nothing can be done with it but show it.
    Shown,
    /// Decided when it runs: what is inside an interface, a value of a type parameter.
    Dynamic,
}

impl Operand {
    pub(crate) fn statics(&self) -> Static {
        match self {
            Operand::Value(v) => Static::Typed(v.ty),
            Operand::Number(c) => Static::Number(c.clone()),
            Operand::Text(t) => Static::Text(t.clone()),
            Operand::Bool(_) => Static::Bool,
            Operand::Nil => Static::Nil,
            Operand::Type(_) => Static::Type,
            Operand::Function(_) => Static::Function,
            Operand::Itab(_) | Operand::Place(_) | Operand::Note(_) => Static::Shown,
        }
    }
}
