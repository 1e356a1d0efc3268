//! Strings, slices, arrays, structs and pointers.

use image::{Field, Shape};

use super::place::{Value, part, underlying, word};
use crate::Process;

/// Words of a slice value, checked for sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SliceHeader {
    pub base: u64,
    /// Elements.
    pub len: u64,
    pub cap: u64,
}

/// Largest length of a string or slice that is believed (2^47 bytes of user address space).
const MAX_LEN: u64 = 1 << 47;

/// Address and length in bytes of a string value.
pub fn string_header(p: &Process<'_>, v: &Value) -> Result<(u64, u64), String> {
    let len = word(p, v, 8)?;
    if len == 0 {
        return Ok((0, 0));
    }
    let base = word(p, v, 0)?;
    if len >= MAX_LEN {
        return Err(format!("invalid length {} of a string", len.cast_signed()));
    }
    if base == 0 || base.checked_add(len).is_none() {
        return Err(format!("a string of {len} bytes at {base:#x}"));
    }
    Ok((base, len))
}

/// The header of a slice; refuses lengths that no slice has.
pub fn slice_header(p: &Process<'_>, v: &Value) -> Result<SliceHeader, String> {
    let ty = underlying(p, v.ty).map_err(|e| e.to_string())?;
    let Shape::Slice { elem } = ty.shape else { return Err(format!("{} is not a slice type", ty.name)) };
    let size = p.type_of(elem).map_or(1, |t| t.size);
    let h = SliceHeader { base: word(p, v, 0)?, len: word(p, v, 8)?, cap: word(p, v, 16)? };
    if h.len >= MAX_LEN || h.cap >= MAX_LEN || h.len > h.cap {
        return Err(format!(
            "invalid slice: length {}, capacity {}",
            h.len.cast_signed(),
            h.cap.cast_signed()
        ));
    }
    let bytes = h.cap.checked_mul(size).filter(|b| *b < MAX_LEN);
    if bytes.and_then(|b| h.base.checked_add(b)).is_none() || (h.base == 0 && h.len > 0) {
        return Err(format!("invalid slice: length {}, capacity {} at {:#x}", h.len, h.cap, h.base));
    }
    Ok(h)
}

/// Element `i` of an array or slice; the caller checked the bounds.
pub fn element(p: &Process<'_>, v: &Value, i: u64) -> Result<Value, String> {
    let ty = underlying(p, v.ty).map_err(|e| e.to_string())?;
    let (elem, base) = match ty.shape {
        Shape::Array { elem, .. } => (elem, None),
        Shape::Slice { elem } => (elem, Some(slice_header(p, v)?.base)),
        _ => return Err(format!("{} has no elements", ty.name)),
    };
    let size = p.type_of(elem).map_err(|e| e.to_string())?.size;
    let offset = i.checked_mul(size).ok_or("index out of range")?;
    match base {
        Some(base) => Ok(Value::at(elem, base.wrapping_add(offset))),
        None => part(p, v, offset, elem),
    }
}

/// Fields of a struct value with their places. A field whose type can't be read is an unavailable value.
pub fn fields(p: &Process<'_>, v: &Value) -> Result<Vec<(Field, Value)>, String> {
    let ty = underlying(p, v.ty).map_err(|e| e.to_string())?;
    let Shape::Struct { fields } = &ty.shape else { return Err(format!("{} is not a struct type", ty.name)) };
    let field = |f: &Field| match part(p, v, f.offset, f.ty) {
        Ok(value) => (f.clone(), value),
        Err(why) => (f.clone(), Value::unavailable(f.ty, why)),
    };
    Ok(fields.iter().map(field).collect())
}

/// What a pointer points to; None for nil and for pointers without an element type (unsafe.Pointer).
pub fn pointee(p: &Process<'_>, v: &Value) -> Result<Option<Value>, String> {
    let ty = underlying(p, v.ty).map_err(|e| e.to_string())?;
    let addr = word(p, v, 0)?;
    Ok(match ty.shape {
        Shape::Pointer { elem: Some(elem) } if addr != 0 => Some(Value::at(elem, addr)),
        _ => None,
    })
}
