//! The stopped process as the machine's ops see it: types, bytes and numbers of values, values that an expression makes.
//! Reads memory only through the process's `Memory`, with limits; garbage gives a sentence, never a panic.

use std::sync::Arc;

use golang::{Place, Process, Value};
use image::{Field, Kind, Shape, Type, TypeId};
use machine::MemoryExt;

use super::number::{Number, Numeric};
use super::scratch::Scratch;

/// Largest string or byte slice that is read as a whole, in bytes.
pub(crate) const TEXT_LIMIT: u64 = 16 << 20;

/// Largest value that is copied (an array, a struct), in bytes.
const VALUE_LIMIT: u64 = 4 << 20;

/// Longest chain of `typedef`s of type parameters.
const PARAM_DEPTH: usize = 4;

/// What ops work with. Made anew for every run.
#[derive(Clone, Copy)]
pub(crate) struct Cx<'a> {
    pub(crate) process: &'a Process<'a>,
    pub(crate) scratch: &'a Scratch,
}

impl Cx<'_> {
    pub(crate) fn ty(&self, id: TypeId) -> Result<Arc<Type>, String> {
        let mut ty = self.process.type_of(id).map_err(|e| format!("the type can't be read: {e}"))?;
        for _ in 0..PARAM_DEPTH {
            match ty.shape {
                Shape::Param { under, .. } => {
                    ty = self.process.type_of(under).map_err(|e| format!("the type can't be read: {e}"))?;
                }
                _ => break,
            }
        }
        Ok(ty)
    }

    pub(crate) fn kind(&self, id: TypeId) -> Kind {
        self.ty(id).map_or(Kind::Invalid, |t| t.kind)
    }

    /// As the user reads it.
    pub(crate) fn name(&self, id: TypeId) -> String {
        self.process.display_name(id)
    }

    pub(crate) fn numeric(&self, id: TypeId) -> Option<Numeric> {
        Numeric::of(self.kind(id))
    }

    pub(crate) fn fields(&self, id: TypeId) -> Option<Vec<Field>> {
        match &self.ty(id).ok()?.shape {
            Shape::Struct { fields } => Some(fields.clone()),
            _ => None,
        }
    }

    /// Element type of a pointer, slice, array, channel or map.
    pub(crate) fn elem(&self, id: TypeId) -> Option<TypeId> {
        match self.ty(id).ok()?.shape {
            Shape::Array { elem, .. } | Shape::Slice { elem } | Shape::Chan { elem, .. } => Some(elem),
            Shape::Map { elem, .. } => Some(elem),
            Shape::Pointer { elem } => elem,
            _ => None,
        }
    }

    /// A predeclared type by name; the sentence says that the program doesn't have it.
    pub(crate) fn basic(&self, name: &str) -> Result<TypeId, String> {
        self.process.basic(name).ok_or_else(|| format!("the program has no type {name}"))
    }

    /// A computed value.
    pub(crate) fn make(&self, ty: TypeId, bytes: Vec<u8>) -> Value {
        Value { ty, place: Place::Bytes { bytes: bytes.into(), known: None, homes: None } }
    }

    pub(crate) fn make_number(&self, ty: TypeId, n: Number) -> Result<Value, String> {
        let numeric = self.numeric(ty).ok_or_else(|| format!("{} is not a numeric type", self.name(ty)))?;
        Ok(self.make(ty, numeric.encode(n)))
    }

    pub(crate) fn make_int(&self, n: i128) -> Result<Value, String> {
        self.make_number(self.basic("int")?, Number::Int(n))
    }

    /// A string (or byte slice) whose content lies in the scratch memory.
    pub(crate) fn make_text(&self, ty: TypeId, content: &[u8]) -> Result<Value, String> {
        let addr = self.keep(content)?;
        Ok(self.make(ty, words(&[addr, content.len() as u64])))
    }

    pub(crate) fn keep(&self, content: &[u8]) -> Result<u64, String> {
        self.scratch.keep(content).ok_or_else(|| "the expression's values take too much memory".into())
    }

    /// All bytes of a value.
    pub(crate) fn bytes(&self, v: &Value) -> Result<Vec<u8>, String> {
        let size = self.ty(v.ty)?.size;
        if size > VALUE_LIMIT {
            return Err(format!("a {} of {size} bytes is too large to be copied", self.name(v.ty)));
        }
        self.prefix(v, size as usize)
    }

    /// The first `n` bytes of a value.
    pub(crate) fn prefix(&self, v: &Value, n: usize) -> Result<Vec<u8>, String> {
        match &v.place {
            Place::Memory(addr) => {
                self.process.mem.read_vec(*addr, n, VALUE_LIMIT as usize).map_err(|e| e.to_string())
            }
            Place::Bytes { bytes, known, .. } => {
                if known.as_ref().is_some_and(|k| k.iter().take(n).any(|known| !known)) {
                    return Err("the value was optimised away in part".into());
                }
                bytes.get(..n).map(<[u8]>::to_vec).ok_or_else(|| "the value is incomplete".into())
            }
            Place::Unavailable(why) => Err(why.to_string()),
        }
    }

    /// The value's `i`-th word of 8 bytes.
    pub(crate) fn word(&self, v: &Value, i: usize) -> Result<u64, String> {
        let bytes = match &v.place {
            Place::Memory(addr) => {
                let addr = addr.wrapping_add(8 * i as u64);
                return self.process.mem.read_u64(addr).map_err(|e| e.to_string());
            }
            _ => self.prefix(v, 8 * (i + 1))?,
        };
        read_word(&bytes, i).ok_or_else(|| "the value is incomplete".into())
    }

    pub(crate) fn number(&self, v: &Value) -> Result<(Numeric, Number), String> {
        let numeric = self.numeric(v.ty).ok_or_else(|| format!("{} is not a number", self.name(v.ty)))?;
        let bytes = self.bytes(v)?;
        Ok((numeric, numeric.decode(&bytes).ok_or("the value is incomplete")?))
    }

    pub(crate) fn boolean(&self, v: &Value) -> Result<bool, String> {
        Ok(self.prefix(v, 1)?.first().is_some_and(|b| *b != 0))
    }

    /// Content of a string or of a slice of bytes.
    pub(crate) fn text(&self, v: &Value) -> Result<Vec<u8>, String> {
        let (addr, len) = (self.word(v, 0)?, self.word(v, 1)?);
        self.memory(addr, len)
    }

    pub(crate) fn memory(&self, addr: u64, len: u64) -> Result<Vec<u8>, String> {
        if len == 0 {
            return Ok(Vec::new());
        }
        if len > TEXT_LIMIT {
            return Err(format!("{len} bytes are too many to be read (the limit is {TEXT_LIMIT})"));
        }
        self.process.mem.read_vec(addr, len as usize, TEXT_LIMIT as usize).map_err(|e| e.to_string())
    }

    /// The part of a value at `offset`: in memory if it is, else cut out of its bytes with what is known of them.
    pub(crate) fn part(&self, v: &Value, offset: u64, ty: TypeId) -> Result<Value, String> {
        let place = match &v.place {
            Place::Memory(addr) => Place::Memory(addr.wrapping_add(offset)),
            Place::Unavailable(why) => Place::Unavailable(why.clone()),
            Place::Bytes { .. } => return self.cut(v, offset, ty),
        };
        Ok(Value { ty, place })
    }

    /// What a pointer value points to.
    pub(crate) fn pointee(&self, v: &Value) -> Result<Value, String> {
        let Some(elem) = self.elem(v.ty) else {
            return Err(format!("{} has no element type; convert it, as in (*T)(x)", self.name(v.ty)));
        };
        let addr = self.word(v, 0)?;
        if addr == 0 {
            return Err(NIL_DEREFERENCE.into());
        }
        Ok(Value { ty: elem, place: Place::Memory(addr) })
    }

    /// Where the value lies; made values and values in registers have no address.
    pub(crate) fn address(&self, v: &Value) -> Result<u64, String> {
        match &v.place {
            Place::Memory(addr) if !Scratch::contains(*addr) => Ok(*addr),
            Place::Unavailable(why) => Err(why.to_string()),
            Place::Bytes { homes: Some(_), .. } => {
                Err("the variable lives in registers here and has no address".into())
            }
            _ => Err("a computed value has no address".into()),
        }
    }
}

pub(crate) const NIL_DEREFERENCE: &str = "runtime error: invalid memory address or nil pointer dereference";

/// Words in memory order.
pub(crate) fn words(w: &[u64]) -> Vec<u8> {
    w.iter().flat_map(|w| w.to_le_bytes()).collect()
}

/// The `i`-th word.
pub(crate) fn read_word(bytes: &[u8], i: usize) -> Option<u64> {
    let w = bytes.get(8 * i..8 * i + 8)?;
    Some(u64::from_le_bytes(w.try_into().ok()?))
}
