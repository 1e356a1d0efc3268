//! Values of the process: a type and a place, and readers for every kind of Go value.

use std::sync::Arc;

use image::{Piece, TypeId};

/// A typed place.
#[derive(Clone, Debug)]
pub struct Value {
    pub ty: TypeId,
    pub place: Place,
}

/// Where a value is.
#[derive(Clone, Debug)]
pub enum Place {
    /// Run-time address.
    Memory(u64),
    /// From pieces or computed. `known[i]` is false where byte i was optimised away; `homes`: where the pieces were read from.
    Bytes { bytes: Arc<[u8]>, known: Option<Arc<[bool]>>, homes: Option<Arc<[Piece]>> },
    /// Nowhere, and why.
    Unavailable(Arc<str>),
}

/// What is inside an interface value.
#[derive(Clone, Debug)]
pub enum Interface {
    Nil,
    Dynamic(Dynamic),
    /// Half of it is lost: what is left of the two words.
    Half {
        rtype: Option<u64>,
        itab: Option<u64>,
        data: Option<u64>,
    },
    /// Garbage, and why.
    Bad(String),
}

/// The concrete value in an interface.
#[derive(Clone, Debug)]
pub struct Dynamic {
    /// Address of the concrete type's descriptor.
    pub rtype: u64,
    /// Address of the itab; None in an empty interface.
    pub itab: Option<u64>,
    pub value: Value,
    /// The concrete kind is pointer, map, chan, func or unsafe.Pointer and the data word is zero.
    pub typed_nil: bool,
}
