//! A typed place, its bytes and its parts. Places say honestly which bytes are known.

use std::sync::Arc;

use image::{Piece, PieceHome, Shape, Type, TypeId};
use machine::{MemError, MemoryExt};

use crate::Process;

/// Why bytes of an optimised function's variable can't be shown.
pub const OPTIMIZED_OUT: &str = "optimized out: the compiler keeps no copy of it here";

/// Longest chain of `typedef .paramN` that is followed.
const PARAM_DEPTH: usize = 4;

/// A typed place.
#[derive(Clone, Debug)]
pub struct Value {
    pub ty: TypeId,
    pub place: Place,
}

/// Where the bytes of a value are.
#[derive(Clone, Debug)]
pub enum Place {
    /// At this run-time address.
    Memory(u64),
    /// Put together from registers and pieces, or computed.
    Bytes {
        bytes: Arc<[u8]>,
        /// `known[i]` is false where the compiler kept nothing; None: all are known.
        known: Option<Arc<[bool]>>,
        /// Where they came from, for assignment; None for computed values.
        homes: Option<Arc<[Piece]>>,
    },
    /// Nowhere, and why.
    Unavailable(Arc<str>),
}

impl Value {
    pub fn at(ty: TypeId, addr: u64) -> Value {
        Value { ty, place: Place::Memory(addr) }
    }

    pub fn unavailable(ty: TypeId, why: impl Into<Arc<str>>) -> Value {
        Value { ty, place: Place::Unavailable(why.into()) }
    }

    /// A computed value: it has bytes but no address.
    pub fn computed(ty: TypeId, bytes: Vec<u8>) -> Value {
        Value { ty, place: Place::Bytes { bytes: bytes.into(), known: None, homes: None } }
    }
}

/// The run-time address, for values that lie in memory.
pub fn address(v: &Value) -> Option<u64> {
    match &v.place {
        Place::Memory(addr) => Some(*addr),
        Place::Bytes { homes: Some(homes), .. } => match homes.as_ref() {
            [Piece { home: PieceHome::Memory(addr), .. }] => Some(*addr),
            _ => None,
        },
        _ => None,
    }
}

/// The type with `typedef .paramN` taken away.
pub fn underlying(p: &Process<'_>, id: TypeId) -> Result<Arc<Type>, MemError> {
    let mut ty = p.type_of(id)?;
    for _ in 0..PARAM_DEPTH {
        match ty.shape {
            Shape::Param { under, .. } => ty = p.type_of(under)?,
            _ => break,
        }
    }
    Ok(ty)
}

/// `len` bytes of `v` from `offset`; the caller bounds `len`. Err when one of them is unmapped or optimised away.
pub fn bytes(p: &Process<'_>, v: &Value, offset: u64, len: usize) -> Result<Vec<u8>, String> {
    match &v.place {
        Place::Memory(addr) => {
            let mut buf = vec![0; len];
            p.mem.read_exact(addr.wrapping_add(offset), &mut buf).map_err(|e| e.to_string())?;
            Ok(buf)
        }
        Place::Bytes { bytes, known, .. } => {
            let range =
                range(offset, len as u64, bytes.len()).ok_or("the value has fewer bytes than its type")?;
            let there =
                known.as_ref().is_none_or(|k| k.get(range.clone()).is_some_and(|k| k.iter().all(|b| *b)));
            if !there {
                return Err(OPTIMIZED_OUT.into());
            }
            Ok(bytes.get(range).unwrap_or_default().to_vec())
        }
        Place::Unavailable(why) => Err(why.to_string()),
    }
}

/// The 8 bytes of `v` at `offset`.
pub fn word(p: &Process<'_>, v: &Value, offset: u64) -> Result<u64, String> {
    if let Place::Memory(addr) = &v.place {
        return p.mem.read_u64(addr.wrapping_add(offset)).map_err(|e| e.to_string());
    }
    let b = bytes(p, v, offset, 8)?;
    Ok(b.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b)))
}

fn range(offset: u64, len: u64, total: usize) -> Option<std::ops::Range<usize>> {
    let end = offset.checked_add(len)?;
    (end <= total as u64).then_some(offset as usize..end as usize)
}

/// The part of `v` at `offset` that has type `ty`. A part of which no byte is known is unavailable.
pub fn part(p: &Process<'_>, v: &Value, offset: u64, ty: TypeId) -> Result<Value, String> {
    let place = match &v.place {
        Place::Memory(addr) => Place::Memory(addr.wrapping_add(offset)),
        Place::Unavailable(why) => Place::Unavailable(why.clone()),
        Place::Bytes { bytes, known, homes } => {
            let size = p.type_of(ty).map_err(|e| e.to_string())?.size;
            let range = range(offset, size, bytes.len()).ok_or("the value has fewer bytes than its type")?;
            let known: Option<Arc<[bool]>> = known.as_ref().and_then(|k| k.get(range.clone())).map(Arc::from);
            if size > 0 && known.as_ref().is_some_and(|k| k.iter().all(|b| !b)) {
                return Ok(Value::unavailable(ty, OPTIMIZED_OUT));
            }
            Place::Bytes {
                bytes: Arc::from(bytes.get(range).unwrap_or_default()),
                known: known.filter(|k| k.iter().any(|b| !b)),
                homes: homes.as_ref().map(|h| cut(h, offset, size)),
            }
        }
    };
    Ok(Value { ty, place })
}

/// The pieces that hold `[offset, offset + size)`. A register or computed piece that is cut keeps its register and becomes lost for
/// writing unless the part begins where the piece begins.
fn cut(homes: &[Piece], offset: u64, size: u64) -> Arc<[Piece]> {
    let mut out = Vec::new();
    let mut at = 0u64;
    let end = offset.saturating_add(size);
    for piece in homes {
        let (from, to) = (at.max(offset), at.saturating_add(piece.size).min(end));
        if from < to {
            let skipped = from - at;
            let home = match &piece.home {
                PieceHome::Memory(addr) => PieceHome::Memory(addr.wrapping_add(skipped)),
                PieceHome::Value(v) => {
                    PieceHome::Value(v.get(skipped as usize..).unwrap_or_default().to_vec())
                }
                home if skipped == 0 => home.clone(),
                _ => PieceHome::Lost,
            };
            out.push(Piece { size: to - from, home });
        }
        at = at.saturating_add(piece.size);
    }
    out.into()
}
