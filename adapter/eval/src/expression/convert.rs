//! Conversions `T(x)`, constants becoming typed, assertions `x.(T)` (go.dev/ref/spec#Conversions). Beyond Go: an integer becomes a
//! pointer, `(*T)(0xc000010000)`, because addresses are what one has in a debugger.

use std::sync::Arc;

use expr::ConstantKind;
use golang::{Interface, Place, Value};
use image::{Kind, Shape, TypeId};

use super::cx::{Cx, TEXT_LIMIT, words};
use super::number::{Number, Numeric};
use super::operand::{Operand, Static, TypeRef};
use super::typing::nilable;

impl Cx<'_> {
    /// A value of the operand's default type: what it is outside of any context.
    pub(crate) fn default_value(&self, o: Operand) -> Result<Value, String> {
        match o {
            Operand::Value(v) => Ok(v),
            Operand::Number(ref c) => {
                let name = if c.kind() == ConstantKind::Int { "int" } else { c.kind().default_type() };
                self.typed_value(o, self.basic(name)?)
            }
            Operand::Text(_) => self.typed_value(o, self.basic("string")?),
            Operand::Bool(_) => self.typed_value(o, self.basic("bool")?),
            other => Err(format!("{} is not used as a value", self.type_text(&other.statics()))),
        }
    }

    /// The operand as a value of type `ty`, where Go does that without a conversion: constants, nil, values of (nearly) this type.
    pub(crate) fn typed_value(&self, o: Operand, ty: TypeId) -> Result<Value, String> {
        let kind = self.kind(ty);
        match o {
            Operand::Value(v) if kind == Kind::Interface && self.kind(v.ty) != Kind::Interface => {
                self.boxed(&v, ty)
            }
            Operand::Value(v) if kind == Kind::Interface => self.as_interface(&v, ty),
            Operand::Value(v) => Ok(Value { ty, ..v }),
            Operand::Nil if nilable(kind) => Ok(self.make(ty, vec![0; self.ty(ty)?.size as usize])),
            Operand::Bool(b) if kind == Kind::Bool => Ok(self.make(ty, vec![u8::from(b)])),
            Operand::Text(ref t) if kind == Kind::String => self.make_text(ty, t),
            Operand::Number(ref c) => match self.numeric(ty) {
                Some(numeric) => {
                    let n = numeric.constant(c).map_err(|why| self.unfit(&o, ty, why))?;
                    Ok(self.make(ty, numeric.encode(n)))
                }
                None if kind == Kind::Interface => self.boxed(&self.default_value(o)?, ty),
                None => Err(self.unfit(&o, ty, "mismatch")),
            },
            Operand::Text(_) | Operand::Bool(_) if kind == Kind::Interface => {
                self.boxed(&self.default_value(o)?, ty)
            }
            other => Err(self.unfit(&other, ty, "mismatch")),
        }
    }

    fn unfit(&self, o: &Operand, ty: TypeId, why: &str) -> String {
        let (what, ty) = (self.type_text(&o.statics()), self.name(ty));
        match (o, why) {
            (Operand::Number(c), "overflows") => format!("{c} ({what} constant) overflows {ty}"),
            (Operand::Number(c), "truncated") => format!("{c} ({what} constant) truncated to {ty}"),
            (Operand::Number(c), _) => format!("cannot use {c} ({what} constant) as {ty} value"),
            _ => format!("cannot use a value of type {what} as {ty} value"),
        }
    }

    /// Whether `T(x)` exists, on types alone. The text is Go's message without the operand.
    pub(crate) fn convertible(&self, from: &Static, to: TypeId) -> Result<(), String> {
        let kind = self.kind(to);
        let refused = Err(format!("to type {}", self.name(to)));
        match from {
            Static::Dynamic => Ok(()),
            Static::Nil if nilable(kind) => Ok(()),
            Static::Bool if matches!(kind, Kind::Bool | Kind::Interface) => Ok(()),
            Static::Text(_)
                if matches!(kind, Kind::String | Kind::Interface) || self.text_elem(to).is_some() =>
            {
                Ok(())
            }
            Static::Number(c) => match self.numeric(to) {
                Some(numeric) => match numeric.constant(c) {
                    Ok(_) => Ok(()),
                    Err("truncated") if numeric.is_int() => {
                        Err(format!("to type {} (truncated)", self.name(to)))
                    }
                    Err(why) => Err(format!("to type {} (constant {why})", self.name(to))),
                },
                None if matches!(kind, Kind::Pointer | Kind::UnsafePointer | Kind::String)
                    && c.to_int().is_some() =>
                {
                    Ok(())
                }
                None if matches!(kind, Kind::Map | Kind::Chan | Kind::Func) && c.to_int().is_some() => Ok(()),
                None if kind == Kind::Interface => Ok(()),
                None => refused,
            },
            Static::Typed(t) if self.values_convertible(*t, to) => Ok(()),
            _ => refused,
        }
    }

    fn values_convertible(&self, from: TypeId, to: TypeId) -> bool {
        let (a, b) = (self.kind(from), self.kind(to));
        let word = |k| matches!(k, Kind::Pointer | Kind::UnsafePointer);
        let (x, y) = (Numeric::of(a), Numeric::of(b));
        let complex = |n: Option<Numeric>| matches!(n, Some(Numeric::Complex { .. }));
        match (a, b) {
            (_, Kind::Interface) => true,
            _ if x.is_some() && y.is_some() => complex(x) == complex(y),
            _ if x.is_some_and(Numeric::is_int) && b == Kind::String => true,
            _ if x.is_some_and(Numeric::is_int)
                && (word(b) || matches!(b, Kind::Map | Kind::Chan | Kind::Func)) =>
            {
                true
            }
            _ if word(a) && (word(b) || b == Kind::Uintptr) => true,
            (Kind::Chan | Kind::Map | Kind::Func, Kind::UnsafePointer | Kind::Uintptr) => true,
            (Kind::String, Kind::String) => true,
            (Kind::String, Kind::Slice) => self.text_elem(to).is_some(),
            (Kind::Slice, Kind::String) => self.text_elem(from).is_some(),
            (Kind::Slice, Kind::Array) => self.same_elem(from, to),
            (Kind::Slice, Kind::Pointer) => self.elem(to).is_some_and(|t| self.same_elem(from, t)),
            _ => self.same_underlying(from, to, 8),
        }
    }

    fn same_elem(&self, a: TypeId, b: TypeId) -> bool {
        matches!((self.elem(a), self.elem(b)), (Some(a), Some(b)) if self.process.same_type(a, b))
    }

    /// Kind of the elements of a byte or rune slice.
    fn text_elem(&self, slice: TypeId) -> Option<Kind> {
        match self.ty(slice).ok()?.shape {
            Shape::Slice { elem } => Some(self.kind(elem)).filter(|k| matches!(k, Kind::Uint8 | Kind::Int32)),
            _ => None,
        }
    }

    pub(crate) fn convert(&self, o: Operand, to: TypeId) -> Result<Value, String> {
        let from = self.type_text(&o.statics());
        self.convertible(&o.statics(), to)
            .map_err(|why| format!("cannot convert a value of type {from} {why}"))?;
        let kind = self.kind(to);
        let v = match o {
            Operand::Value(v) => v,
            Operand::Number(ref c) if self.numeric(to).is_none() && kind != Kind::Interface => {
                let n = c.to_int().ok_or("truncated")?;
                return self.int_to(Number::Int(n), to, kind);
            }
            Operand::Text(ref t) if self.text_elem(to).is_some() => return self.text_to_slice(t, to),
            other => return self.typed_value(other, to),
        };
        let from = self.kind(v.ty);
        if kind == Kind::Interface {
            return self.as_interface(&v, to);
        }
        if let (Some(_), Some(target)) = (Numeric::of(from), Numeric::of(kind)) {
            return Ok(self.make(to, target.encode(target.convert(self.number(&v)?.1))));
        }
        if Numeric::of(from).is_some() {
            return self.int_to(self.number(&v)?.1, to, kind);
        }
        match (from, kind) {
            (Kind::String, Kind::Slice) => self.text_to_slice(&self.text(&v)?, to),
            (Kind::Slice, Kind::String) => self.slice_to_text(&v, to),
            (Kind::Slice, Kind::Array | Kind::Pointer) => self.slice_to_array(&v, to, kind),
            (_, Kind::Uintptr) => Ok(self.make(to, words(&[self.word(&v, 0)?]))),
            _ => Ok(Value { ty: to, ..v }),
        }
    }

    /// An integer as a string, or as an address.
    fn int_to(&self, n: Number, to: TypeId, kind: Kind) -> Result<Value, String> {
        let i = n.to_int();
        if kind == Kind::String {
            let c = u32::try_from(i).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
            return self.make_text(to, c.encode_utf8(&mut [0; 4]).as_bytes());
        }
        let addr = u64::try_from(i).map_err(|_| format!("{i} is not an address"))?;
        Ok(self.make(to, words(&[addr])))
    }

    fn text_to_slice(&self, text: &[u8], to: TypeId) -> Result<Value, String> {
        let (content, len) = match self.text_elem(to) {
            Some(Kind::Int32) => {
                let runes = decode_utf8(text);
                (runes.iter().flat_map(|r| r.to_le_bytes()).collect::<Vec<u8>>(), runes.len() as u64)
            }
            _ => (text.to_vec(), text.len() as u64),
        };
        Ok(self.make(to, words(&[self.keep(&content)?, len, len])))
    }

    fn slice_to_text(&self, v: &Value, to: TypeId) -> Result<Value, String> {
        if self.text_elem(v.ty) == Some(Kind::Uint8) {
            return self.make_text(to, &self.text(v)?);
        }
        let (addr, len) = (self.word(v, 0)?, self.word(v, 1)?);
        let bytes = self.memory(addr, len.checked_mul(4).unwrap_or(TEXT_LIMIT + 1))?;
        let mut text = String::new();
        for r in bytes.chunks_exact(4) {
            let rune = r.try_into().map_or(0, u32::from_le_bytes);
            text.push(char::from_u32(rune).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        self.make_text(to, text.as_bytes())
    }

    fn slice_to_array(&self, v: &Value, to: TypeId, kind: Kind) -> Result<Value, String> {
        let (addr, len) = (self.word(v, 0)?, self.word(v, 1)?);
        let array = if kind == Kind::Pointer { self.elem(to).ok_or("no element type")? } else { to };
        let Shape::Array { len: wanted, .. } = self.ty(array)?.shape else {
            return Err(format!("cannot convert a slice to type {}", self.name(to)));
        };
        if len < wanted {
            return Err(format!(
                "runtime error: cannot convert slice with length {len} to array or pointer to array with length {wanted}"
            ));
        }
        match kind {
            Kind::Pointer => Ok(self.make(to, words(&[addr]))),
            _ => Ok(Value { ty: to, place: Place::Memory(addr) }),
        }
    }

    /// Interface to interface keeps what is inside; anything else is boxed.
    fn as_interface(&self, v: &Value, to: TypeId) -> Result<Value, String> {
        if self.kind(v.ty) != Kind::Interface {
            return self.boxed(v, to);
        }
        if self.process.same_type(v.ty, to) {
            return Ok(v.clone());
        }
        match self.interface(v) {
            Interface::Nil => Ok(self.make(to, vec![0; 16])),
            Interface::Dynamic(d) => self.interface_of(to, d.rtype, self.word(v, 1)?, d.value.ty),
            Interface::Half { .. } => Err("half of the interface value was optimised away".into()),
            Interface::Bad(why) => Err(why),
        }
    }

    /// An interface value with `v` in it: the data word is the value itself, or its address (of a copy if it has none).
    pub(crate) fn boxed(&self, v: &Value, to: TypeId) -> Result<Value, String> {
        let no_descriptor = || {
            format!(
                "the program has no type descriptor of {}: it can't be put into an interface",
                self.name(v.ty)
            )
        };
        let rtype = self.process.runtime_type(v.ty).ok_or_else(no_descriptor)?;
        let image = self.process.image;
        let direct = image.is_direct_iface(rtype, self.process.mem).map_err(|e| e.to_string())?;
        let data = match (direct, &v.place) {
            (true, _) => self.word(v, 0)?,
            (false, Place::Memory(addr)) => *addr,
            (false, _) => self.keep(&self.bytes(v)?)?,
        };
        self.interface_of(to, rtype, data, v.ty)
    }

    /// The two words of interface type `to` around a data word.
    fn interface_of(&self, to: TypeId, rtype: u64, data: u64, concrete: TypeId) -> Result<Value, String> {
        if matches!(self.ty(to)?.shape, Shape::Interface { empty: true, .. }) {
            return Ok(self.make(to, words(&[rtype, data])));
        }
        if let Some(missing) = self.missing_method(rtype, to)? {
            return Err(format!(
                "cannot use a value of type {} as {}: missing method {missing}",
                self.name(concrete),
                self.name(to)
            ));
        }
        let tab = self.itab_of(to, rtype)?;
        Ok(self.make(to, words(&[tab, data])))
    }

    /// First method of interface type `inter` that the concrete type doesn't have.
    fn missing_method(&self, rtype: u64, inter: TypeId) -> Result<Option<Arc<str>>, String> {
        let ty = self.ty(inter)?;
        let Shape::Interface { methods: Some(wanted), .. } = &ty.shape else {
            return Err(format!("the methods of {} are not known", self.name(inter)));
        };
        let have = self.process.image.methods_of(rtype, self.process.mem).map_err(|e| e.to_string())?;
        let fits = |w: &image::Imethod| {
            have.iter().any(|m| {
                let package = m.package.is_none() || w.package.is_none() || m.package == w.package;
                let signature = match (m.ty, w.ty) {
                    (Some(a), Some(b)) => self.process.same_type(a, b),
                    _ => true,
                };
                m.name == w.name && package && signature
            })
        };
        Ok(wanted.iter().find(|w| !fits(w)).map(|w| w.name.clone()))
    }

    /// The program's itab for the pair, else one of our own that looks like it.
    pub(crate) fn itab_of(&self, inter: TypeId, rtype: u64) -> Result<u64, String> {
        let wanted = self.process.runtime_type(inter);
        let image = self.process.image;
        let of_pair = |addr: &u64| {
            image.itab(*addr, self.process.mem).is_ok_and(|t| Some(t.inter) == wanted && t.typ == rtype)
        };
        if let Some(addr) = image.static_itabs().into_iter().find(of_pair) {
            return Ok(addr);
        }
        let inter_rtype =
            wanted.ok_or_else(|| format!("the program has no type descriptor of {}", self.name(inter)))?;
        let ty = self.ty(inter)?;
        let Shape::Interface { methods: Some(methods), .. } = &ty.shape else {
            return Err(format!("the methods of {} are not known", self.name(inter)));
        };
        let have = image.methods_of(rtype, self.process.mem).map_err(|e| e.to_string())?;
        let hash = image.runtime_hash(rtype, self.process.mem).map_err(|e| e.to_string())?;
        let mut content = words(&[inter_rtype, rtype, u64::from(hash)]);
        for m in methods {
            let entry = have.iter().find(|h| h.name == m.name).and_then(|h| h.ifn).unwrap_or(0);
            content.extend(entry.to_le_bytes());
        }
        self.keep(&content)
    }

    /// `x.(T)`.
    pub(crate) fn assert(&self, o: Operand, to: &TypeRef) -> Result<Value, String> {
        let Operand::Value(v) = o else {
            return Err(format!("{} is not an interface", self.type_text(&o.statics())));
        };
        if self.kind(v.ty) != Kind::Interface {
            return Err(format!(
                "invalid operation: a value of type {} is not an interface",
                self.name(v.ty)
            ));
        }
        let (name, wanted) = match to {
            TypeRef::Known(id) => (self.name(*id), Some(*id)),
            TypeRef::Missing(name) => (name.to_string(), None),
            TypeRef::Nil => ("nil".into(), None),
        };
        let from = self.name(v.ty);
        let dynamic = match self.interface(&v) {
            Interface::Dynamic(d) => d,
            Interface::Nil => return Err(format!("interface conversion: {from} is nil, not {name}")),
            Interface::Half { .. } => return Err("half of the interface value was optimised away".into()),
            Interface::Bad(why) => return Err(why),
        };
        let inside = self.name(dynamic.value.ty);
        let other = format!("interface conversion: {from} is {inside}, not {name}");
        let Some(wanted) = wanted else {
            let same = inside == name || self.process.qualified_name(dynamic.value.ty) == name;
            return if same { Ok(dynamic.value) } else { Err(other) };
        };
        if self.kind(wanted) != Kind::Interface {
            let same = self.process.same_type(dynamic.value.ty, wanted);
            return if same { Ok(Value { ty: wanted, ..dynamic.value }) } else { Err(other) };
        }
        if let Some(method) = self.missing_method(dynamic.rtype, wanted)? {
            return Err(format!("interface conversion: {inside} is not {name}: missing method {method}"));
        }
        self.interface_of(wanted, dynamic.rtype, self.word(&v, 1)?, dynamic.value.ty)
    }
}

/// Runes as a Go `range` gives them: each invalid byte is U+FFFD.
fn decode_utf8(text: &[u8]) -> Vec<u32> {
    let mut runes = Vec::new();
    for chunk in text.utf8_chunks() {
        runes.extend(chunk.valid().chars().map(u32::from));
        runes.extend(std::iter::repeat_n(0xfffd, chunk.invalid().len()));
    }
    runes
}
