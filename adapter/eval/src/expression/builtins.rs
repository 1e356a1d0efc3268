//! Builtin functions, the intrinsics `typeof`, `itab` and `where`, dereference, address and composite literals, on values.

use expr::{BinaryOp, Constant};
use golang::{Interface, Place, Value};
use image::{Kind, Shape, TypeId};

use super::cx::{Cx, words};
use super::number::Number;
use super::operand::{Operand, Static, TypeRef};
use super::program::{Builtin, Intrinsic, Special};

impl Cx<'_> {
    /// The type of `*x`.
    pub(crate) fn deref_result(&self, s: &Static, text: &str) -> Result<Static, String> {
        match s {
            Static::Dynamic => Ok(Static::Dynamic),
            Static::Nil => Err("invalid operation: cannot indirect nil".into()),
            Static::Typed(t) => match (self.kind(*t), self.elem(*t)) {
                (Kind::Pointer, Some(elem)) => Ok(Static::Typed(elem)),
                (Kind::UnsafePointer | Kind::Uintptr, _) => Err(format!(
                    "invalid operation: cannot indirect {}; convert it first, as in *(*T)({text})",
                    self.describe(s, text)
                )),
                (Kind::Interface, _) => Ok(Static::Dynamic),
                _ => Err(format!("invalid operation: cannot indirect {}", self.describe(s, text))),
            },
            other => Err(format!("invalid operation: cannot indirect {}", self.describe(other, text))),
        }
    }

    /// `*v`, also of a pointer inside an interface.
    pub(crate) fn deref(&self, v: &Value) -> Result<Value, String> {
        match self.kind(v.ty) {
            Kind::Pointer => self.pointee(v),
            Kind::Interface => match self.concrete(&Operand::Value(v.clone()))? {
                Some(inside) if self.kind(inside.ty) == Kind::Pointer => self.pointee(&inside),
                Some(inside) => Err(format!(
                    "invalid operation: cannot indirect the {} in the {}",
                    self.name(inside.ty),
                    self.name(v.ty)
                )),
                None => Err(super::cx::NIL_DEREFERENCE.into()),
            },
            _ => Err(format!("invalid operation: cannot indirect a value of type {}", self.name(v.ty))),
        }
    }

    pub(crate) fn address_of(&self, v: &Value) -> Result<Value, String> {
        let addr = self.address(v)?;
        Ok(self.make(self.process.pointer_to(v.ty), words(&[addr])))
    }

    /// A struct or array from its parts: `places` are byte offsets.
    pub(crate) fn composite(&self, ty: TypeId, places: &[u64], parts: Vec<Operand>) -> Result<Value, String> {
        let t = self.ty(ty)?;
        let mut bytes = vec![0u8; t.size.min(super::cx::TEXT_LIMIT) as usize];
        for (&offset, part) in places.iter().zip(parts) {
            let part_ty = match &t.shape {
                Shape::Struct { fields } => {
                    fields.iter().find(|f| f.offset == offset && self.size(f.ty) > 0).map(|f| f.ty)
                }
                Shape::Array { elem, .. } => Some(*elem),
                _ => None,
            };
            let Some(part_ty) = part_ty else { continue };
            let content = self.bytes(&self.typed_value(part, part_ty)?)?;
            let end = (offset as usize).saturating_add(content.len());
            if let Some(slot) = bytes.get_mut(offset as usize..end) {
                slot.copy_from_slice(&content);
            }
        }
        Ok(self.make(ty, bytes))
    }

    pub(crate) fn size(&self, ty: TypeId) -> u64 {
        self.ty(ty).map_or(0, |t| t.size)
    }

    pub(crate) fn special_type(&self, special: Special) -> Result<TypeId, String> {
        match special {
            Special::CurrentG => self
                .process
                .image
                .find_type("*runtime.g")
                .or_else(|| self.process.image.find_type("runtime.g").map(|g| self.process.pointer_to(g)))
                .ok_or_else(|| "the program's debug information has no runtime.g".into()),
            Special::FrameOffset | Special::ThreadId => self.basic("int"),
        }
    }

    /// The type of a builtin's result, or why it doesn't take these arguments.
    pub(crate) fn builtin_result(
        &self,
        builtin: Builtin,
        arguments: &[(Static, &str)],
    ) -> Result<Static, String> {
        let name = builtin.name();
        let count = match builtin {
            Builtin::Complex => 2..=2,
            Builtin::Min | Builtin::Max => 1..=64,
            _ => 1..=1,
        };
        if arguments.len() < *count.start() {
            return Err(format!(
                "not enough arguments for {name} (expected {}, found {})",
                count.start(),
                arguments.len()
            ));
        }
        if arguments.len() > *count.end() {
            return Err(format!(
                "too many arguments for {name} (expected {}, found {})",
                count.end(),
                arguments.len()
            ));
        }
        let Some((first, text)) = arguments.first() else { return Ok(Static::Dynamic) };
        if arguments.iter().any(|a| matches!(a.0, Static::Dynamic)) {
            return Ok(Static::Dynamic);
        }
        let invalid = || Err(format!("invalid argument: {} for built-in {name}", self.describe(first, text)));
        match (builtin, first) {
            (Builtin::Len, Static::Text(t)) => Ok(Static::Number(Constant::int(t.len() as i128))),
            (Builtin::Len | Builtin::Cap, Static::Typed(t)) => match self.measurable(*t, builtin) {
                true => self.basic("int").map(Static::Typed),
                false => invalid(),
            },
            (Builtin::Real | Builtin::Imag, Static::Number(_)) => Ok(Static::Dynamic),
            (Builtin::Real | Builtin::Imag, Static::Typed(t)) => match self.kind(*t) {
                Kind::Complex64 => self.basic("float32").map(Static::Typed),
                Kind::Complex128 => self.basic("float64").map(Static::Typed),
                _ => invalid(),
            },
            (Builtin::Complex, _) => self.complex_result(arguments),
            (Builtin::Min | Builtin::Max, _) => {
                let mut common = first.clone();
                for (next, next_text) in arguments.iter().skip(1) {
                    let meet = self.common(BinaryOp::Less, &common, next);
                    meet.map_err(|f| self.fault_text(f, BinaryOp::Less, (&common, text), (next, next_text)))?;
                    if !matches!(common, Static::Typed(_)) {
                        common = next.clone();
                    }
                }
                match common {
                    Static::Number(_) | Static::Text(_) => Ok(Static::Dynamic),
                    common => Ok(common),
                }
            }
            _ => invalid(),
        }
    }

    fn complex_result(&self, arguments: &[(Static, &str)]) -> Result<Static, String> {
        let float = |s: &Static| match s {
            Static::Typed(t) => Some(self.kind(*t)),
            Static::Number(_) => None,
            _ => Some(Kind::Invalid),
        };
        let kinds: Vec<Kind> = arguments.iter().filter_map(|a| float(&a.0)).collect();
        match kinds.as_slice() {
            [] => Ok(Static::Dynamic),
            all if all.iter().all(|k| *k == Kind::Float64) => self.basic("complex128").map(Static::Typed),
            all if all.iter().all(|k| *k == Kind::Float32) => self.basic("complex64").map(Static::Typed),
            _ => Err("invalid operation: complex needs two floats of one type".into()),
        }
    }

    fn measurable(&self, ty: TypeId, builtin: Builtin) -> bool {
        match self.kind(ty) {
            Kind::Array | Kind::Slice | Kind::Chan => true,
            Kind::String | Kind::Map => builtin == Builtin::Len,
            Kind::Pointer => self.elem(ty).is_some_and(|e| self.kind(e) == Kind::Array),
            Kind::Interface => true,
            _ => false,
        }
    }

    pub(crate) fn builtin(&self, builtin: Builtin, arguments: Vec<Operand>) -> Result<Operand, String> {
        let statics: Vec<(Static, &str)> = arguments.iter().map(|a| (a.statics(), "x")).collect();
        self.builtin_result(builtin, &statics)?;
        let mut arguments = arguments.into_iter();
        let first = arguments.next().ok_or("no argument")?;
        match builtin {
            Builtin::Len | Builtin::Cap => match first {
                Operand::Text(t) => Ok(Operand::Number(Constant::int(t.len() as i128))),
                Operand::Value(v) => self
                    .measure(&v, builtin == Builtin::Cap)
                    .and_then(|n| self.make_int(i128::from(n)).map(Operand::Value)),
                _ => Err("no length".into()),
            },
            Builtin::Real | Builtin::Imag => self.part_of_complex(builtin, first),
            Builtin::Complex => self.complex(first, arguments.next().ok_or("no second argument")?),
            Builtin::Min | Builtin::Max => {
                let op = if builtin == Builtin::Min { BinaryOp::Less } else { BinaryOp::Greater };
                let mut best = first;
                for next in arguments {
                    best = self.better(op, best, next)?;
                }
                Ok(best)
            }
        }
    }

    /// Of two operands the one that `op` prefers, in their common type; NaN wins, as in Go.
    fn better(&self, op: BinaryOp, a: Operand, b: Operand) -> Result<Operand, String> {
        let (a, b) = match (self.common(op, &a.statics(), &b.statics()), a, b) {
            (Ok(super::typing::Common::Typed(t)), a, b) => {
                (Operand::Value(self.typed_value(a, t)?), Operand::Value(self.typed_value(b, t)?))
            }
            (_, a, b) => (a, b),
        };
        let nan = |o: &Operand| match o {
            Operand::Value(v) => matches!(self.number(v), Ok((_, Number::Float(f))) if f.is_nan()),
            _ => false,
        };
        let zero = |o: &Operand| match o {
            Operand::Value(v) => {
                matches!(self.number(v), Ok((_, Number::Float(f))) if f == 0.0 && f.is_sign_negative())
            }
            _ => false,
        };
        if nan(&a) {
            return Ok(a);
        }
        let takes_b = match self.binary(op, b.clone(), a.clone()) {
            Ok(o) => self.truth(&o)? || nan(&b),
            Err(_) => return Err("min and max need numbers or strings of one type".into()),
        };
        // -0 is smaller than 0.
        let same = matches!(self.binary(BinaryOp::Equal, a.clone(), b.clone()), Ok(Operand::Bool(true)));
        let takes_b = takes_b || same && zero(&b) == (op == BinaryOp::Less) && zero(&a) != zero(&b);
        Ok(if takes_b { b } else { a })
    }

    fn measure(&self, v: &Value, cap: bool) -> Result<u64, String> {
        let ty = self.ty(v.ty)?;
        match ty.shape {
            Shape::Array { len, .. } => Ok(len),
            Shape::Slice { .. } => self.word(v, if cap { 2 } else { 1 }),
            Shape::Pointer { elem: Some(elem) } => match self.ty(elem)?.shape {
                Shape::Array { len, .. } => Ok(len),
                _ => Err("no length".into()),
            },
            Shape::Map { .. } => self.map_len(v),
            Shape::Chan { .. } => {
                let (len, capacity) = self.chan_len_cap(v)?;
                Ok(if cap { capacity } else { len })
            }
            Shape::Interface { .. } => match self.concrete(&Operand::Value(v.clone()))? {
                Some(inside) if self.kind(inside.ty) != Kind::Interface => self.measure(&inside, cap),
                _ => Err(format!("the {} is nil", self.name(v.ty))),
            },
            _ if ty.kind == Kind::String => self.word(v, 1),
            _ => Err(format!("invalid argument: a value of type {} has no length", self.name(v.ty))),
        }
    }

    fn part_of_complex(&self, builtin: Builtin, o: Operand) -> Result<Operand, String> {
        let real = builtin == Builtin::Real;
        let v = match o {
            Operand::Number(c) => return Ok(Operand::Number(if real { c.real() } else { c.imaginary() })),
            Operand::Value(v) => v,
            _ => return Err("not a complex number".into()),
        };
        let name = if self.kind(v.ty) == Kind::Complex64 { "float32" } else { "float64" };
        match self.number(&v)?.1 {
            Number::Complex(re, im) => {
                let n = Number::Float(if real { re } else { im });
                self.make_number(self.basic(name)?, n).map(Operand::Value)
            }
            _ => Err("not a complex number".into()),
        }
    }

    fn complex(&self, re: Operand, im: Operand) -> Result<Operand, String> {
        let float = match (&re, &im) {
            (Operand::Number(a), Operand::Number(b)) => return Ok(Operand::Number(Constant::complex(a, b))),
            (Operand::Value(v), _) | (_, Operand::Value(v)) => v.ty,
            _ => return Err("not floats".into()),
        };
        let name = if self.kind(float) == Kind::Float32 { "complex64" } else { "complex128" };
        let (a, b) =
            (self.number(&self.typed_value(re, float)?)?.1, self.number(&self.typed_value(im, float)?)?.1);
        match (a, b) {
            (Number::Float(a), Number::Float(b)) => {
                self.make_number(self.basic(name)?, Number::Complex(a, b)).map(Operand::Value)
            }
            _ => Err("not floats".into()),
        }
    }

    pub(crate) fn intrinsic(&self, intrinsic: Intrinsic, o: Operand) -> Result<Operand, String> {
        match intrinsic {
            Intrinsic::TypeOf => self.type_of(o).map(Operand::Type),
            Intrinsic::Itab => self.itab(o),
            Intrinsic::Where => self.place(o),
        }
    }

    /// The dynamic type of an interface, else the type.
    fn type_of(&self, o: Operand) -> Result<TypeRef, String> {
        match o {
            Operand::Type(t) => Ok(t),
            Operand::Nil => Ok(TypeRef::Nil),
            Operand::Function(f) => Ok(TypeRef::Missing(f.name)),
            Operand::Value(ref v) if self.kind(v.ty) == Kind::Interface => match self.interface(v) {
                Interface::Nil => Ok(TypeRef::Nil),
                Interface::Dynamic(d) => Ok(TypeRef::Known(d.value.ty)),
                Interface::Half { .. } => Err("half of the interface value was optimised away".into()),
                Interface::Bad(why) => Err(why),
            },
            other => self.default_value(other).map(|v| TypeRef::Known(v.ty)),
        }
    }

    fn itab(&self, o: Operand) -> Result<Operand, String> {
        let v = match o {
            Operand::Value(v) if self.kind(v.ty) == Kind::Interface => v,
            other => {
                let ty = self.type_text(&other.statics());
                return Err(format!(
                    "itab takes an interface value, this is of type {ty}; typeof(x) gives its type"
                ));
            }
        };
        if matches!(self.ty(v.ty)?.shape, Shape::Interface { empty: true, .. }) {
            return Err(format!(
                "a value of type {} has no itab, only a type; typeof(x) gives it",
                self.name(v.ty)
            ));
        }
        Ok(match self.word(&v, 0)? {
            0 => Operand::Nil,
            addr => Operand::Itab(addr),
        })
    }

    /// What the address that a value holds (or has) belongs to.
    fn place(&self, o: Operand) -> Result<Operand, String> {
        let addr = match o {
            Operand::Number(c) => c.to_int().and_then(|i| u64::try_from(i).ok()).ok_or("not an address")?,
            Operand::Function(f) => f.entry.ok_or("the function's address is not known")?,
            Operand::Itab(addr) => addr,
            Operand::Type(TypeRef::Known(ty)) => {
                self.process.runtime_type(ty).ok_or("the type has no descriptor in the program")?
            }
            Operand::Value(v) => match self.kind(v.ty) {
                Kind::Pointer | Kind::UnsafePointer | Kind::Uintptr | Kind::Map | Kind::Chan => {
                    self.word(&v, 0)?
                }
                Kind::Slice | Kind::String => self.word(&v, 0)?,
                Kind::Func => golang::function_of(self.process, &v)?.map_or(0, |f| f.entry),
                Kind::Interface => self.word(&v, 1)?,
                Kind::Uint64 => self.word(&v, 0)?,
                _ => match v.place {
                    Place::Memory(addr) => addr,
                    Place::Unavailable(why) => return Err(why.to_string()),
                    Place::Bytes { homes: Some(_), .. } => return Ok(Operand::Note("in registers".into())),
                    Place::Bytes { .. } => {
                        return Ok(Operand::Note("computed by the debugger: it has no address".into()));
                    }
                },
            },
            Operand::Nil => 0,
            other => return Err(format!("{} has no place", self.type_text(&other.statics()))),
        };
        if super::Scratch::contains(addr) {
            return Ok(Operand::Note("made by the debugger for this expression".into()));
        }
        Ok(Operand::Place(golang::whereabouts(self.process, addr).into()))
    }
}
