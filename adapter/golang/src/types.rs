//! Types of the process: DIE and descriptor as one, composite types made on demand, `.paramN` through dictionaries.

use std::sync::Arc;

use image::{FuncSig, Kind, Shape, Type, TypeId};
use machine::{MemError, MemoryExt};

use crate::Process;

/// Elements of a made array type: more than this is a lying length.
const MAX_ARRAY: u64 = 1 << 40;

impl Process<'_> {
    /// A type by handle. `Err` for garbage.
    pub fn type_of(&self, id: TypeId) -> Result<Arc<Type>, MemError> {
        match id {
            TypeId::Made(i) => self.made.get(i).ok_or(MemError::Unmapped(0)),
            other => self.image.type_of(other, self.mem),
        }
    }

    /// `*T`: the existing DIE if there is one, else a made type.
    pub fn pointer_to(&self, id: TypeId) -> TypeId {
        self.composite(id, "*", |id_of, name| Type {
            id: id_of,
            name,
            kind: Kind::Pointer,
            size: 8,
            named: false,
            shape: Shape::Pointer { elem: Some(id) },
            runtime: None,
        })
    }

    /// `[]T`.
    pub fn slice_of(&self, id: TypeId) -> TypeId {
        self.composite(id, "[]", |id_of, name| Type {
            id: id_of,
            name,
            kind: Kind::Slice,
            size: 24,
            named: false,
            shape: Shape::Slice { elem: id },
            runtime: None,
        })
    }

    /// `[len]T`.
    pub fn array_of(&self, id: TypeId, len: u64) -> TypeId {
        let len = len.min(MAX_ARRAY);
        let elem_size = self.type_of(id).map(|t| t.size).unwrap_or(0);
        self.composite(id, &format!("[{len}]"), |id_of, name| Type {
            id: id_of,
            name,
            kind: Kind::Array,
            size: elem_size.saturating_mul(len),
            named: false,
            shape: Shape::Array { elem: id, len },
            runtime: None,
        })
    }

    /// `func()`: for func values of which only the word is known.
    pub fn plain_func(&self) -> TypeId {
        let make = |id| Type {
            id,
            name: "func()".into(),
            kind: Kind::Func,
            size: 8,
            named: false,
            shape: Shape::Func(FuncSig::default()),
            runtime: None,
        };
        self.image
            .find_type("func()")
            .or_else(|| self.made.intern("func()", make))
            .unwrap_or_else(|| self.empty_interface())
    }

    fn composite(&self, elem: TypeId, prefix: &str, make: impl FnOnce(TypeId, Arc<str>) -> Type) -> TypeId {
        let name: Arc<str> = format!("{prefix}{}", self.qualified_name(elem)).into();
        if let Some(existing) = self.image.find_type(&name) {
            return existing;
        }
        // Two types may share a name (local types, plugins): the element's handle keeps them apart.
        let key = format!("{name}\0{elem:?}");
        self.made.intern(&key, |id| make(id, Arc::clone(&name))).unwrap_or(elem)
    }

    /// Address of the type's abi.Type, if the binary has one.
    pub fn runtime_type(&self, id: TypeId) -> Option<u64> {
        match id {
            TypeId::Runtime(addr) => Some(addr),
            other => self.type_of(other).ok()?.runtime,
        }
    }

    /// Identity across DIE, descriptor and made types.
    pub fn same_type(&self, a: TypeId, b: TypeId) -> bool {
        if a == b {
            return true;
        }
        if let (Some(x), Some(y)) = (self.runtime_type(a), self.runtime_type(b)) {
            return x == y;
        }
        let (Ok(x), Ok(y)) = (self.type_of(a), self.type_of(b)) else { return false };
        self.same_structure(&x, &y)
    }

    /// At most one of the two has a descriptor: compare what both have.
    fn same_structure(&self, x: &Type, y: &Type) -> bool {
        if x.kind != y.kind || x.size != y.size || x.named != y.named {
            return false;
        }
        match (&x.shape, &y.shape) {
            _ if x.named => x.name == y.name,
            (Shape::Pointer { elem: Some(a) }, Shape::Pointer { elem: Some(b) })
            | (Shape::Slice { elem: a }, Shape::Slice { elem: b }) => a == b || self.same_named(*a, *b),
            (Shape::Array { elem: a, len: n }, Shape::Array { elem: b, len: m }) => {
                n == m && (a == b || self.same_named(*a, *b))
            }
            _ => x.name == y.name,
        }
    }

    /// One level only: recursive types must not recurse here.
    fn same_named(&self, a: TypeId, b: TypeId) -> bool {
        match (self.runtime_type(a), self.runtime_type(b)) {
            (Some(x), Some(y)) => x == y,
            _ => self.qualified_name(a) == self.qualified_name(b),
        }
    }

    /// The real type of a type parameter: word `dict_index` of the dictionary at `dict`. Other types are themselves.
    /// `Err` when the dictionary is unknown or holds no type there.
    pub fn real_type(&self, id: TypeId, dict: Option<u64>) -> Result<TypeId, MemError> {
        let ty = self.type_of(id)?;
        let Shape::Param { dict_index, .. } = &ty.shape else { return Ok(id) };
        let dict = dict.ok_or(MemError::Unmapped(0))?;
        let slot =
            dict_index.checked_mul(8).and_then(|o| dict.checked_add(o)).ok_or(MemError::Unmapped(dict))?;
        let rtype = self.mem.read_u64(slot)?;
        let real = self.image.type_from_runtime(rtype);
        self.type_of(real).map(|_| real)
    }
}
