//! Index and slice expressions (go.dev/ref/spec#Index_expressions), and beyond Go the same through interfaces.

use golang::{Place, Value};
use image::{Kind, Shape, TypeId};

use super::cx::{Cx, NIL_DEREFERENCE, words};
use super::operand::{Operand, Static};
use super::typing::Fault;

/// Entries of a map that are searched for a key.
const MAX_ENTRIES: usize = 1 << 19;

/// Bounds of a slice expression.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bounds {
    pub(crate) low: Option<i128>,
    pub(crate) high: Option<i128>,
    pub(crate) max: Option<i128>,
}

impl Cx<'_> {
    /// The type of `container[index]`; `text` is how the container was written.
    pub(crate) fn index_result(
        &self,
        container: &Static,
        index: &Static,
        text: &str,
    ) -> Result<Static, String> {
        let t = match container {
            Static::Dynamic => return Ok(Static::Dynamic),
            Static::Text(_) => {
                self.index_type(index)?;
                return self.basic("uint8").map(Static::Typed);
            }
            Static::Typed(t) => *t,
            other => return Err(format!("invalid operation: cannot index {}", self.describe(other, text))),
        };
        let ty = self.ty(t)?;
        let array_behind = |elem: &Option<TypeId>| match self.ty((*elem)?).ok()?.shape {
            Shape::Array { elem, .. } => Some(elem),
            _ => None,
        };
        match &ty.shape {
            Shape::Map { key, elem, .. } => {
                self.key_type(index, *key)?;
                Ok(Static::Typed(*elem))
            }
            Shape::Interface { .. } => Ok(Static::Dynamic),
            Shape::Array { elem, .. } | Shape::Slice { elem } => {
                self.index_type(index)?;
                Ok(Static::Typed(*elem))
            }
            Shape::Pointer { elem } if array_behind(elem).is_some() => {
                self.index_type(index)?;
                Ok(array_behind(elem).map_or(Static::Dynamic, Static::Typed))
            }
            _ if ty.kind == Kind::String => {
                self.index_type(index)?;
                self.basic("uint8").map(Static::Typed)
            }
            Shape::Pointer { .. } => Err(format!(
                "invalid operation: cannot index {}; for memory behind a pointer write (*[N]T)(unsafe.Pointer(p))[i]",
                self.describe(container, text)
            )),
            _ => Err(format!("invalid operation: cannot index {}", self.describe(container, text))),
        }
    }

    fn index_type(&self, index: &Static) -> Result<(), String> {
        match index {
            Static::Number(c) => match c.to_int() {
                Some(0..) => Ok(()),
                Some(i) => {
                    Err(format!("invalid argument: index {i} (constant of type int) must not be negative"))
                }
                None => Err(format!("invalid argument: index {c} (untyped float constant) truncated to int")),
            },
            Static::Typed(t) if self.numeric(*t).is_some_and(super::number::Numeric::is_int) => Ok(()),
            Static::Dynamic => Ok(()),
            other => {
                Err(format!("invalid argument: index of type {} must be integer", self.type_text(other)))
            }
        }
    }

    fn key_type(&self, index: &Static, key: TypeId) -> Result<(), String> {
        if self.kind(key) == Kind::Interface || matches!(index, Static::Dynamic) {
            return Ok(());
        }
        match self.common(expr::BinaryOp::Equal, &Static::Typed(key), index) {
            Ok(_) => Ok(()),
            Err(Fault::Constant { constant, ty, why }) => Err(format!("{constant} {why} {}", self.name(ty))),
            Err(_) => Err(format!(
                "cannot use a value of type {} as {} value in map index",
                self.type_text(index),
                self.name(key)
            )),
        }
    }

    pub(crate) fn index(&self, container: Operand, index: Operand) -> Result<Value, String> {
        let v = match container {
            Operand::Text(_) => self.default_value(container)?,
            Operand::Value(v) => v,
            other => {
                return Err(format!("cannot index a value of type {}", self.type_text(&other.statics())));
            }
        };
        if self.kind(v.ty) == Kind::Interface {
            let Some(inside) = self.concrete(&Operand::Value(v.clone()))? else {
                return Err(format!("{NIL_DEREFERENCE}: the {} is nil", self.name(v.ty)));
            };
            return self.index(Operand::Value(inside), index);
        }
        self.index_result(&Static::Typed(v.ty), &index.statics(), "x")?;
        let ty = self.ty(v.ty)?;
        match ty.shape {
            Shape::Map { key, elem, .. } => self.map_entry(&v, key, elem, index),
            Shape::Array { elem, len } => {
                let i = self.checked_index(&index, len)?;
                self.part(&v, i.wrapping_mul(self.ty(elem)?.size), elem)
            }
            Shape::Slice { elem } => {
                let i = self.checked_index(&index, self.word(&v, 1)?)?;
                let addr = self.word(&v, 0)?.wrapping_add(i.wrapping_mul(self.ty(elem)?.size));
                Ok(Value { ty: elem, place: Place::Memory(addr) })
            }
            Shape::Pointer { .. } => self.index(Operand::Value(self.pointee(&v)?), index),
            _ => {
                let i = self.checked_index(&index, self.word(&v, 1)?)?;
                let addr = self.word(&v, 0)?.wrapping_add(i);
                Ok(Value { ty: self.basic("uint8")?, place: Place::Memory(addr) })
            }
        }
    }

    fn checked_index(&self, index: &Operand, len: u64) -> Result<u64, String> {
        let i = self.integer(index)?;
        match u64::try_from(i) {
            Ok(n) if n < len => Ok(n),
            _ => Err(format!("runtime error: index out of range [{i}] with length {len}")),
        }
    }

    /// The value of a key. A key that is not there gives the zero value in Go; a debugger says so.
    fn map_entry(&self, v: &Value, key: TypeId, elem: TypeId, index: Operand) -> Result<Value, String> {
        let wanted = match self.kind(key) {
            Kind::Interface => self.concrete(&index)?,
            _ => Some(self.typed_value(index, key)?),
        };
        match self.find_key(v, key, wanted.as_ref())? {
            Some((_, value)) => Ok(value),
            None => Ok(self.make(elem, vec![0; self.ty(elem)?.size as usize])),
        }
    }

    /// The entry of a key, found by comparing keys: the map's hash function needs the program to run.
    pub(crate) fn find_key(
        &self,
        v: &Value,
        key: TypeId,
        wanted: Option<&Value>,
    ) -> Result<Option<(Value, Value)>, String> {
        let interface = self.kind(key) == Kind::Interface;
        let same = |k: &Value| -> Result<bool, String> {
            match (interface, wanted) {
                (false, Some(w)) => self.equal(k, w, 64),
                (false, None) => Ok(false),
                (true, w) => match (self.concrete(&Operand::Value(k.clone()))?, w) {
                    (None, None) => Ok(true),
                    (Some(k), Some(w)) if self.process.same_type(k.ty, w.ty) => self.equal(&k, w, 64),
                    _ => Ok(false),
                },
            }
        };
        // Pages that grow, because each walk begins anew.
        let (mut skip, mut page_size) = (0, 1024);
        while skip < MAX_ENTRIES {
            let page = self.map_entries(v, skip, page_size)?;
            let n = page.len();
            for (k, value) in page {
                if same(&k)? {
                    return Ok(Some((k, value)));
                }
            }
            if n < page_size {
                return Ok(None);
            }
            skip += n;
            page_size = (page_size * 8).min(MAX_ENTRIES);
        }
        Err(format!("the key is not among the first {MAX_ENTRIES} entries of the map"))
    }

    /// The type of `container[low:high:max]`.
    pub(crate) fn slice_result(&self, container: &Static, three: bool, text: &str) -> Result<Static, String> {
        let t = match container {
            Static::Dynamic => return Ok(Static::Dynamic),
            Static::Text(_) if !three => return self.basic("string").map(Static::Typed),
            Static::Typed(t) => *t,
            other => return Err(format!("cannot slice {}", self.describe(other, text))),
        };
        let ty = self.ty(t)?;
        match &ty.shape {
            Shape::Interface { .. } => Ok(Static::Dynamic),
            Shape::Slice { .. } => Ok(container.clone()),
            Shape::Array { elem, .. } => Ok(Static::Typed(self.process.slice_of(*elem))),
            Shape::Pointer { elem: Some(e) } => match self.ty(*e)?.shape {
                Shape::Array { elem, .. } => Ok(Static::Typed(self.process.slice_of(elem))),
                _ => Err(format!("cannot slice {}", self.describe(container, text))),
            },
            _ if ty.kind == Kind::String && three => {
                Err(format!("invalid operation: 3-index slice of string {text}"))
            }
            _ if ty.kind == Kind::String => Ok(container.clone()),
            _ => Err(format!("cannot slice {}", self.describe(container, text))),
        }
    }

    pub(crate) fn slice(&self, container: Operand, bounds: Bounds) -> Result<Value, String> {
        let v = self.default_value(container)?;
        if self.kind(v.ty) == Kind::Interface {
            let inside = self.concrete(&Operand::Value(v.clone()))?;
            let inside =
                inside.ok_or_else(|| format!("{NIL_DEREFERENCE}: the {} is nil", self.name(v.ty)))?;
            return self.slice(Operand::Value(inside), bounds);
        }
        let ty = self.ty(v.ty)?;
        let (result, elem, addr, len, cap) = match ty.shape {
            Shape::Slice { elem } => (v.ty, elem, self.word(&v, 0)?, self.word(&v, 1)?, self.word(&v, 2)?),
            Shape::Array { elem, len } => {
                let addr = match &v.place {
                    Place::Memory(addr) => *addr,
                    _ => self.keep(&self.bytes(&v)?)?,
                };
                (self.process.slice_of(elem), elem, addr, len, len)
            }
            Shape::Pointer { .. } => return self.slice(Operand::Value(self.pointee(&v)?), bounds),
            _ if ty.kind == Kind::String => {
                let len = self.word(&v, 1)?;
                (v.ty, self.basic("uint8")?, self.word(&v, 0)?, len, len)
            }
            _ => return Err(format!("cannot slice a value of type {}", self.name(v.ty))),
        };
        let is_string = ty.kind == Kind::String;
        let (low, high) = (bounds.low.unwrap_or(0), bounds.high.unwrap_or(i128::from(len)));
        let max = bounds.max.unwrap_or(i128::from(cap));
        let limit = |what: &str, i: i128, of: u64, kind: &str| {
            Err(format!("runtime error: slice bounds out of range [{what}{i}] with {kind} {of}"))
        };
        let room = if is_string { "length" } else { "capacity" };
        if !(0..=i128::from(cap)).contains(&max) {
            return limit("::", max, cap, room);
        }
        if !(0..=max).contains(&high) {
            return if bounds.max.is_some() {
                Err(format!("runtime error: slice bounds out of range [:{high}:{max}]"))
            } else {
                limit(":", high, cap, room)
            };
        }
        if !(0..=high).contains(&low) {
            return Err(format!("runtime error: slice bounds out of range [{low}:{high}]"));
        }
        let offset = (low as u64).wrapping_mul(self.ty(elem)?.size);
        // An empty rest keeps the base, as compiled code does, so that no pointer leads past the object.
        let start = if low == max { addr } else { addr.wrapping_add(offset) };
        let (n, room) = ((high - low) as u64, (max - low) as u64);
        Ok(self.make(result, if is_string { words(&[start, n]) } else { words(&[start, n, room]) }))
    }
}
