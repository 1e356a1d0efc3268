//! Selectors (go.dev/ref/spec#Selectors): fields and methods by breadth first through embedded fields, through pointers, and
//! beyond Go through interfaces into the concrete value. Finding works on types alone, following on values.

use std::sync::Arc;

use golang::{Interface, Value};
use image::{Kind, Shape, TypeId};

use super::cx::Cx;
use super::operand::{Callable, Operand, Static};

/// Embedded structs within each other that are searched.
const MAX_EMBEDDING: usize = 12;

/// The way from a value to one of its fields or methods.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    steps: Vec<Step>,
    end: End,
    name: Arc<str>,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Field { offset: u64, ty: TypeId },
    Deref,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Field(TypeId),
    /// A method declared on this type or on a pointer to it.
    Method(TypeId),
    /// A method of the interface, or something of the value inside.
    Interface,
    /// A variable that a closure captured; which ones there are, only the closure tells.
    Captured,
}

impl Path {
    pub(crate) fn statics(&self) -> Static {
        match self.end {
            End::Field(ty) => Static::Typed(ty),
            End::Method(_) => Static::Function,
            End::Interface | End::Captured => Static::Dynamic,
        }
    }
}

impl Cx<'_> {
    /// The way to `name` from a value of type `ty`; `text` is how the value was written.
    pub(crate) fn find_selector(&self, ty: TypeId, name: &str, text: &str) -> Result<Path, String> {
        let (steps, start) = self.strip_pointer(Vec::new(), ty);
        let mut level = vec![(steps, start)];
        let mut seen = vec![start];
        for _ in 0..MAX_EMBEDDING {
            let mut found = Vec::new();
            let mut next = Vec::new();
            for (steps, ty) in &level {
                found.extend(self.member(steps, *ty, name));
                for f in self.fields(*ty).unwrap_or_default().into_iter().filter(|f| f.embedded) {
                    let mut steps = steps.clone();
                    steps.push(Step::Field { offset: f.offset, ty: f.ty });
                    let (steps, inner) = self.strip_pointer(steps, f.ty);
                    if !seen.contains(&inner) {
                        seen.push(inner);
                        next.push((steps, inner));
                    }
                }
            }
            match found.len() {
                0 if next.is_empty() => break,
                0 => level = next,
                1 => return found.pop().ok_or_else(String::new),
                _ => return Err(format!("ambiguous selector {text}.{name}")),
            }
        }
        if self.method_entry(start, name).is_some() {
            let (steps, _) = self.strip_pointer(Vec::new(), ty);
            return Ok(Path { steps, end: End::Method(start), name: name.into() });
        }
        // The fields of what a map or channel points to in the runtime, for those who look behind it.
        if let Shape::Chan { header: Some(h), .. } | Shape::Map { header: Some(h), .. } =
            self.ty(start)?.shape
            && let Some(f) = self.fields(h).unwrap_or_default().into_iter().find(|f| *f.name == *name)
        {
            let steps = vec![Step::Deref, Step::Field { offset: f.offset, ty: f.ty }];
            return Ok(Path { steps, end: End::Field(f.ty), name: name.into() });
        }
        if let Ok(Shape::Func(_)) = self.ty(start).map(|t| t.shape.clone()) {
            return Ok(Path { steps: Vec::new(), end: End::Captured, name: name.into() });
        }
        Err(self.no_member(ty, start, name, text))
    }

    fn strip_pointer(&self, mut steps: Vec<Step>, ty: TypeId) -> (Vec<Step>, TypeId) {
        match self.ty(ty).map(|t| t.shape.clone()) {
            Ok(Shape::Pointer { elem: Some(elem) }) => {
                steps.push(Step::Deref);
                (steps, elem)
            }
            _ => (steps, ty),
        }
    }

    /// `name` in the type itself, not in what it embeds.
    fn member(&self, steps: &[Step], ty: TypeId, name: &str) -> Option<Path> {
        let path = |steps: Vec<Step>, end| Some(Path { steps, end, name: name.into() });
        if self.kind(ty) == Kind::Interface {
            // At the top everything may be inside; embedded, only what the interface promises is promoted.
            return match steps.is_empty() || self.interface_method(ty, name).is_some() {
                true => path(steps.to_vec(), End::Interface),
                false => None,
            };
        }
        if let Some(f) = self.fields(ty).unwrap_or_default().into_iter().find(|f| *f.name == *name) {
            let mut steps = steps.to_vec();
            steps.push(Step::Field { offset: f.offset, ty: f.ty });
            return path(steps, End::Field(f.ty));
        }
        let (entry, _) = self.method_entry(ty, name)?;
        // A wrapper in a type with embedded fields only leads to one of them, which the search is about to find.
        let embeds = self.fields(ty).unwrap_or_default().iter().any(|f| f.embedded);
        let function = entry.and_then(|pc| self.process.image.functions().at(pc));
        if embeds && function.is_none_or(|f| f.is_wrapper()) {
            return None;
        }
        path(steps.to_vec(), End::Method(ty))
    }

    fn no_member(&self, ty: TypeId, start: TypeId, name: &str, text: &str) -> String {
        let type_name = self.name(ty);
        let same = |f: &str| f.to_lowercase() == name.to_lowercase();
        let near = self.fields(start).unwrap_or_default().into_iter().find(|f| same(&f.name));
        let why = match (near, self.kind(ty)) {
            (Some(f), _) => {
                format!("type {type_name} has no field or method {name}, but does have field {}", f.name)
            }
            (None, Kind::Pointer) if self.kind(start) == Kind::Pointer => {
                format!("type {type_name} is a pointer to a pointer: dereference it, as in (*{text}).{name}")
            }
            _ => format!("type {type_name} has no field or method {name}"),
        };
        format!("{text}.{name} undefined ({why})")
    }

    /// Slot of a method in the interface type's table.
    fn interface_method(&self, ty: TypeId, name: &str) -> Option<usize> {
        match &self.ty(ty).ok()?.shape {
            Shape::Interface { methods: Some(m), .. } => m.iter().position(|m| *m.name == *name),
            _ => None,
        }
    }

    /// Entry and linker name of a method declared on a named type, by the linker's name, else by the type's descriptor.
    fn method_entry(&self, ty: TypeId, name: &str) -> Option<(Option<u64>, Arc<str>)> {
        let t = self.ty(ty).ok()?;
        if !t.named {
            return None;
        }
        let functions = self.process.image.functions();
        if let Some((package, base)) = split_type_name(&t.name) {
            for candidate in [format!("{package}.{base}.{name}"), format!("{package}.(*{base}).{name}")] {
                if let Some(f) = functions.by_name(&candidate).first() {
                    return Some((Some(f.entry()), candidate.into()));
                }
            }
        }
        let pointer = self.process.runtime_type(self.process.pointer_to(ty));
        for (rtype, by_pointer) in [(self.process.runtime_type(ty), false), (pointer, true)] {
            let methods = rtype.and_then(|r| self.process.image.methods_of(r, self.process.mem).ok());
            if let Some(m) = methods.unwrap_or_default().into_iter().find(|m| *m.name == *name) {
                let full = m.tfn.and_then(|pc| functions.at(pc)).map(|f| image::names::unescape(f.name()));
                let declared = || match split_type_name(&t.name).filter(|_| by_pointer) {
                    Some((package, base)) => format!("{package}.(*{base}).{name}"),
                    None => format!("{}.{name}", t.name),
                };
                return Some((m.tfn, full.unwrap_or_else(declared).into()));
            }
        }
        None
    }

    /// `T.Method`: the function that takes the receiver first.
    pub(crate) fn method_expression(&self, ty: TypeId, name: &str) -> Option<Callable> {
        let (_, ty) = self.strip_pointer(Vec::new(), ty);
        let (entry, name) = self.method_entry(ty, name)?;
        Some(Callable { entry, name, receiver: None, interface: None, itab: None })
    }

    /// Goes the way.
    pub(crate) fn follow(&self, path: &Path, from: Value) -> Result<Operand, String> {
        let mut v = from;
        for step in &path.steps {
            v = match *step {
                Step::Field { offset, ty } => self.part(&v, offset, ty)?,
                Step::Deref => self.behind(&v)?,
            };
        }
        match path.end {
            End::Field(_) => Ok(Operand::Value(v)),
            End::Method(ty) => {
                let missing = || format!("method {} is not in the program", path.name);
                let (entry, name) = self.method_entry(ty, &path.name).ok_or_else(missing)?;
                let receiver = Some(Box::new(v));
                Ok(Operand::Function(Callable { entry, name, receiver, interface: None, itab: None }))
            }
            End::Interface => self.select_inside(&v, &path.name),
            End::Captured => self.captured(&v, &path.name),
        }
    }

    /// A captured variable of a func value.
    fn captured(&self, v: &Value, name: &str) -> Result<Operand, String> {
        let function =
            golang::function_of(self.process, v)?.ok_or("the func value is nil: it captured nothing")?;
        let found = function.captures.into_iter().find(|c| c.name == name);
        let none = || format!("{} captured no variable {name}", self.name(v.ty));
        found.map(|c| Operand::Value(c.value)).ok_or_else(none)
    }

    /// What a pointer, map or channel word points to.
    fn behind(&self, v: &Value) -> Result<Value, String> {
        match self.ty(v.ty)?.shape {
            Shape::Chan { header: Some(h), .. } | Shape::Map { header: Some(h), .. } => {
                match self.word(v, 0)? {
                    0 => Err(super::cx::NIL_DEREFERENCE.into()),
                    addr => Ok(Value { ty: h, place: golang::Place::Memory(addr) }),
                }
            }
            _ => self.pointee(v),
        }
    }

    /// `v.name` where only the value tells what it has.
    pub(crate) fn select(&self, v: Value, name: &str, text: &str) -> Result<Operand, String> {
        let path = self.find_selector(v.ty, name, text)?;
        self.follow(&path, v)
    }

    /// A method of an interface value, a member of what is inside, or one of its two words.
    fn select_inside(&self, v: &Value, name: &str) -> Result<Operand, String> {
        let dynamic = match self.interface(v) {
            Interface::Dynamic(d) => d,
            Interface::Nil if is_word(name) => return self.interface_word(v, name),
            Interface::Nil => {
                let (ty, error) = (self.name(v.ty), super::cx::NIL_DEREFERENCE);
                return Err(format!("{error}: the {ty} is nil, it has no {name}"));
            }
            Interface::Half { .. } => return Err("half of the interface value was optimised away".into()),
            Interface::Bad(why) => return Err(why),
        };
        if let (Some(slot), Some(addr)) = (self.interface_method(v.ty, name), dynamic.itab) {
            let itab = self.process.image.itab(addr, self.process.mem).map_err(|e| e.to_string())?;
            let entry = itab.fun.get(slot).copied();
            let function = entry.and_then(|pc| self.process.image.functions().at(pc));
            let full = function.map_or_else(|| name.to_string(), |f| image::names::unescape(f.name()));
            return Ok(Operand::Function(Callable {
                entry,
                name: full.into(),
                receiver: Some(Box::new(v.clone())),
                interface: Some((v.ty, slot)),
                itab: Some(addr),
            }));
        }
        let inner = self.name(dynamic.value.ty);
        match self.find_selector(dynamic.value.ty, name, "x") {
            Ok(path) => self.follow(&path, dynamic.value),
            Err(_) if is_word(name) => self.interface_word(v, name),
            Err(_) => Err(format!("the {inner} in the {} has no field or method {name}", self.name(v.ty))),
        }
    }

    /// `.tab`, `._type` and `.data`: the raw words, typed as in the runtime where it has the types.
    fn interface_word(&self, v: &Value, name: &str) -> Result<Operand, String> {
        let empty = matches!(self.ty(v.ty)?.shape, Shape::Interface { empty: true, .. });
        if name != "data" && (name == "_type") != empty {
            let other = if empty { "_type" } else { "tab" };
            return Err(format!("a {} has no {name}, its first word is .{other}", self.name(v.ty)));
        }
        let types: &[&str] = match name {
            "data" => &["unsafe.Pointer"],
            "tab" => &["*internal/abi.ITab", "*runtime.itab"],
            _ => &["*internal/abi.Type", "*runtime._type"],
        };
        let known = types.iter().find_map(|t| self.process.image.find_type(t));
        let ty = known.map_or_else(|| self.basic("unsafe.Pointer"), Ok)?;
        self.part(v, if name == "data" { 8 } else { 0 }, ty).map(Operand::Value)
    }
}

fn is_word(name: &str) -> bool {
    matches!(name, "tab" | "_type" | "data")
}

/// `example.com/x.T[a/b.C]` -> (`example.com/x`, `T[a/b.C]`). Type arguments may contain anything.
pub(crate) fn split_type_name(name: &str) -> Option<(&str, &str)> {
    let head = name.find('[').map_or(name, |i| name.get(..i).unwrap_or(name));
    let slash = head.rfind('/').map_or(0, |i| i + 1);
    let dot = slash + head.get(slash..)?.find('.')?;
    Some((name.get(..dot)?, name.get(dot + 1..)?))
}
