//! Operators on operands: what [`super::typing`] allows, computed. Truth comes from bytes, never from rendered text.

use expr::{BinaryOp, UnaryOp};
use golang::{Interface, Value};
use image::{Kind, Shape, TypeId};

use super::cx::Cx;
use super::number::Number;
use super::operand::{Operand, TypeRef};
use super::typing::{Common, Fault};

/// Structs, arrays and interfaces within each other that are compared.
const MAX_NESTING: usize = 64;

impl Cx<'_> {
    pub(crate) fn binary(&self, op: BinaryOp, l: Operand, r: Operand) -> Result<Operand, Fault> {
        let common = self.common(op, &l.statics(), &r.statics())?;
        let other = Fault::Other;
        match common {
            Common::Constants => constants(op, &l, &r).map_err(other),
            Common::Booleans => {
                let (Operand::Bool(a), Operand::Bool(b)) = (&l, &r) else { return Err(Fault::Mismatched) };
                Ok(Operand::Bool(logical(op, *a, *b)))
            }
            Common::Nil => {
                let v = if matches!(l, Operand::Nil) { &r } else { &l };
                let nil = self.is_nil(v).map_err(other)?;
                Ok(Operand::Bool(nil == (op == BinaryOp::Equal)))
            }
            Common::Types => {
                let same = self.same_named_types(&l, &r).map_err(other)?;
                Ok(Operand::Bool(same == (op == BinaryOp::Equal)))
            }
            Common::Interfaces => {
                let same = self.interfaces_equal(&l, &r).map_err(other)?;
                Ok(Operand::Bool(same == (op == BinaryOp::Equal)))
            }
            Common::Shift => self.shift(op, l, r).map_err(other),
            Common::Typed(t) => {
                let (a, b) = (self.typed_value(l, t).map_err(other)?, self.typed_value(r, t).map_err(other)?);
                self.typed(op, t, &a, &b).map_err(other)
            }
            Common::Unknown => Err(Fault::Mismatched),
        }
    }

    /// Two values of one type.
    fn typed(&self, op: BinaryOp, t: TypeId, a: &Value, b: &Value) -> Result<Operand, String> {
        if let Some(numeric) = self.numeric(t) {
            let ((_, x), (_, y)) = (self.number(a)?, self.number(b)?);
            if op.is_comparison() {
                return x.compare(op, y).map(Operand::Bool).ok_or_else(|| "not comparable".into());
            }
            return Ok(Operand::Value(self.make(t, numeric.encode(numeric.binary(op, x, y)?))));
        }
        match self.kind(t) {
            Kind::Bool if op.is_logical() => {
                let result = logical(op, self.boolean(a)?, self.boolean(b)?);
                Ok(Operand::Value(self.make(t, vec![u8::from(result)])))
            }
            Kind::String if op == BinaryOp::Add => {
                let mut text = self.text(a)?;
                text.extend(self.text(b)?);
                self.make_text(t, &text).map(Operand::Value)
            }
            Kind::String if op.is_ordering() => {
                let order = self.text(a)?.cmp(&self.text(b)?);
                let n = Number::Int(order as i128);
                n.compare(op, Number::Int(0)).map(Operand::Bool).ok_or_else(String::new)
            }
            _ => Ok(Operand::Bool(self.equal(a, b, MAX_NESTING)? == (op == BinaryOp::Equal))),
        }
    }

    fn shift(&self, op: BinaryOp, l: Operand, r: Operand) -> Result<Operand, String> {
        let count = self.integer(&r)?;
        let v = match l {
            Operand::Number(c) => self.typed_value(Operand::Number(c), self.basic("int")?)?,
            Operand::Value(v) => v,
            _ => return Err("shifted operand must be integer".into()),
        };
        let (numeric, n) = self.number(&v)?;
        Ok(Operand::Value(self.make(v.ty, numeric.encode(numeric.shift(op, n, count)?))))
    }

    /// An index, a count: any integer, or a constant that is one.
    pub(crate) fn integer(&self, o: &Operand) -> Result<i128, String> {
        match o {
            Operand::Number(c) => {
                c.to_int().ok_or_else(|| format!("{c} (untyped float constant) truncated to int"))
            }
            Operand::Value(v) => match self.number(v)? {
                (n, Number::Int(i)) if n.is_int() => Ok(i),
                _ => Err(format!("must be integer, not {}", self.name(v.ty))),
            },
            other => Err(format!("must be integer, not {}", self.type_text(&other.statics()))),
        }
    }

    pub(crate) fn unary(&self, op: UnaryOp, o: Operand) -> Result<Operand, String> {
        match (op, o) {
            (UnaryOp::Not, Operand::Bool(b)) => Ok(Operand::Bool(!b)),
            (UnaryOp::Not, Operand::Value(v)) if self.kind(v.ty) == Kind::Bool => {
                let not = u8::from(!self.boolean(&v)?);
                Ok(Operand::Value(self.make(v.ty, vec![not])))
            }
            (op, Operand::Number(c)) => c.unary(op).map(Operand::Number).map_err(|e| e.to_string()),
            (op, Operand::Value(v)) if self.numeric(v.ty).is_some() => {
                let (numeric, n) = self.number(&v)?;
                let undefined = || {
                    format!("invalid operation: operator {} not defined on {}", op.text(), self.name(v.ty))
                };
                let result = numeric.unary(op, n).ok_or_else(undefined)?;
                Ok(Operand::Value(self.make(v.ty, numeric.encode(result))))
            }
            (op, o) => {
                let ty = self.type_text(&o.statics());
                Err(format!("invalid operation: operator {} not defined on a value of type {ty}", op.text()))
            }
        }
    }

    /// The truth of a bool.
    pub(crate) fn truth(&self, o: &Operand) -> Result<bool, String> {
        match o {
            Operand::Bool(b) => Ok(*b),
            Operand::Value(v) if self.kind(v.ty) == Kind::Bool => self.boolean(v),
            other => Err(format!("expected a bool, this is of type {}", self.type_text(&other.statics()))),
        }
    }

    /// Whether a value of a nilable kind is nil. An interface is nil when its first word is.
    pub(crate) fn is_nil(&self, o: &Operand) -> Result<bool, String> {
        match o {
            Operand::Nil => Ok(true),
            Operand::Function(_) => Ok(false),
            Operand::Value(v) => Ok(self.word(v, 0)? == 0),
            other => Err(format!("{} can't be nil", self.type_text(&other.statics()))),
        }
    }

    /// `==` of two values of identical type.
    pub(crate) fn equal(&self, a: &Value, b: &Value, nesting: usize) -> Result<bool, String> {
        let Some(nesting) = nesting.checked_sub(1) else {
            return Err("the values are nested too deeply".into());
        };
        let ty = self.ty(a.ty)?;
        match &ty.shape {
            Shape::Struct { fields } => {
                for f in fields.iter().filter(|f| &*f.name != "_") {
                    let (x, y) = (self.part(a, f.offset, f.ty)?, self.part(b, f.offset, f.ty)?);
                    if !self.equal(&x, &y, nesting)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Shape::Array { elem, len } => self.arrays_equal(a, b, *elem, *len, nesting),
            Shape::Interface { .. } => {
                self.interfaces_equal(&Operand::Value(a.clone()), &Operand::Value(b.clone()))
            }
            Shape::Slice { .. } | Shape::Map { .. } | Shape::Func(_) => {
                Err(format!("runtime error: comparing uncomparable type {}", self.name(a.ty)))
            }
            _ if ty.kind == Kind::String => {
                if self.word(a, 1)? != self.word(b, 1)? {
                    return Ok(false);
                }
                Ok(self.word(a, 0)? == self.word(b, 0)? || self.text(a)? == self.text(b)?)
            }
            _ if matches!(ty.kind, Kind::Float32 | Kind::Float64 | Kind::Complex64 | Kind::Complex128) => {
                let ((_, x), (_, y)) = (self.number(a)?, self.number(b)?);
                Ok(x.compare(BinaryOp::Equal, y) == Some(true))
            }
            _ => Ok(self.bytes(a)? == self.bytes(b)?),
        }
    }

    fn arrays_equal(
        &self,
        a: &Value,
        b: &Value,
        elem: TypeId,
        len: u64,
        nesting: usize,
    ) -> Result<bool, String> {
        let item = self.ty(elem)?;
        if self.numeric(elem).is_some_and(super::number::Numeric::is_int) {
            return Ok(self.bytes(a)? == self.bytes(b)?);
        }
        const MAX_ELEMENTS: u64 = 1 << 16;
        if len > MAX_ELEMENTS {
            return Err(format!("an array of {len} elements is too large to be compared"));
        }
        for i in 0..len {
            let offset = i.wrapping_mul(item.size);
            let (x, y) = (self.part(a, offset, elem)?, self.part(b, offset, elem)?);
            if !self.equal(&x, &y, nesting)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The value that an interface comparison sees: what is inside, or the value itself; None for a nil interface.
    pub(crate) fn concrete(&self, o: &Operand) -> Result<Option<Value>, String> {
        match o {
            Operand::Nil => Ok(None),
            Operand::Value(v) if self.kind(v.ty) == Kind::Interface => match self.interface(v) {
                Interface::Nil => Ok(None),
                Interface::Dynamic(d) => Ok(Some(d.value)),
                Interface::Half { .. } => Err("half of the interface value was optimised away".into()),
                Interface::Bad(why) => Err(why),
            },
            other => self.default_value(other.clone()).map(Some),
        }
    }

    fn interfaces_equal(&self, l: &Operand, r: &Operand) -> Result<bool, String> {
        match (self.concrete(l)?, self.concrete(r)?) {
            (None, None) => Ok(true),
            (Some(a), Some(b)) if self.process.same_type(a.ty, b.ty) => self.equal(&a, &b, MAX_NESTING),
            _ => Ok(false),
        }
    }

    /// `typeof(x) == T`, also with T's name as a string.
    fn same_named_types(&self, l: &Operand, r: &Operand) -> Result<bool, String> {
        let names = |t: &TypeRef, text: &[u8]| match t {
            TypeRef::Known(id) => {
                self.name(*id).as_bytes() == text || self.process.qualified_name(*id).as_bytes() == text
            }
            TypeRef::Missing(name) => name.as_bytes() == text,
            TypeRef::Nil => text == b"nil",
        };
        match (l, r) {
            (Operand::Type(TypeRef::Known(a)), Operand::Type(TypeRef::Known(b))) => {
                Ok(self.process.same_type(*a, *b))
            }
            (Operand::Type(TypeRef::Nil), Operand::Type(TypeRef::Nil)) => Ok(true),
            (Operand::Type(t), Operand::Nil) | (Operand::Nil, Operand::Type(t)) => {
                Ok(matches!(t, TypeRef::Nil))
            }
            (Operand::Type(t), Operand::Text(text)) | (Operand::Text(text), Operand::Type(t)) => {
                Ok(names(t, text))
            }
            // Known by its name only: it may be a type that just its descriptor tells of.
            (Operand::Type(TypeRef::Missing(name)), Operand::Type(t @ TypeRef::Known(_)))
            | (Operand::Type(t @ TypeRef::Known(_)), Operand::Type(TypeRef::Missing(name))) => {
                Ok(names(t, name.as_bytes()))
            }
            (Operand::Type(_), Operand::Type(_)) => Ok(false),
            _ => Err("typeof(x) is compared with a type".into()),
        }
    }
}

/// Two untyped constants.
pub(crate) fn constants(op: BinaryOp, l: &Operand, r: &Operand) -> Result<Operand, String> {
    match (l, r) {
        (Operand::Number(a), Operand::Number(b)) if op.is_comparison() => {
            a.compare(op, b).map(Operand::Bool).map_err(|e| e.to_string())
        }
        (Operand::Number(a), Operand::Number(b)) => {
            a.binary(op, b).map(Operand::Number).map_err(|e| e.to_string())
        }
        (Operand::Text(a), Operand::Text(b)) if op == BinaryOp::Add => {
            Ok(Operand::Text(a.iter().chain(b.iter()).copied().collect()))
        }
        (Operand::Text(a), Operand::Text(b)) => {
            let order = Number::Int(a.cmp(b) as i128);
            order
                .compare(op, Number::Int(0))
                .map(Operand::Bool)
                .ok_or_else(|| "operator not defined on string".into())
        }
        _ => Err("not constants".into()),
    }
}

fn logical(op: BinaryOp, a: bool, b: bool) -> bool {
    match op {
        BinaryOp::AndThen => a && b,
        BinaryOp::OrElse => a || b,
        BinaryOp::NotEqual => a != b,
        _ => a == b,
    }
}
