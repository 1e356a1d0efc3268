//! Predeclared types by name, also those that the program's debug information lacks (stripped, or never used).

use image::{Kind, Shape, Type, TypeId};

use crate::Process;

/// Name, kind, bytes.
const BASIC: [(&str, Kind, u64); 19] = [
    ("bool", Kind::Bool, 1),
    ("int", Kind::Int, 8),
    ("int8", Kind::Int8, 1),
    ("int16", Kind::Int16, 2),
    ("int32", Kind::Int32, 4),
    ("int64", Kind::Int64, 8),
    ("uint", Kind::Uint, 8),
    ("uint8", Kind::Uint8, 1),
    ("uint16", Kind::Uint16, 2),
    ("uint32", Kind::Uint32, 4),
    ("uint64", Kind::Uint64, 8),
    ("uintptr", Kind::Uintptr, 8),
    ("float32", Kind::Float32, 4),
    ("float64", Kind::Float64, 8),
    ("complex64", Kind::Complex64, 8),
    ("complex128", Kind::Complex128, 16),
    ("string", Kind::String, 16),
    ("unsafe.Pointer", Kind::UnsafePointer, 8),
    ("interface {}", Kind::Interface, 16),
];

impl Process<'_> {
    /// `int`, `string`, `unsafe.Pointer`, `interface {}`, ... by the name that debug information has (`uint8`, not `byte`).
    pub fn basic(&self, name: &str) -> Option<TypeId> {
        let (name, kind, size) = BASIC.iter().find(|b| b.0 == name)?;
        if let Some(id) = self.image.find_type(name) {
            return Some(id);
        }
        let shape = match kind {
            Kind::Interface => Shape::Interface { empty: true, methods: Some(Vec::new()) },
            _ => Shape::Basic,
        };
        // The key can't be that of a type of the program: those are made of other types.
        self.made.intern(&format!("basic\0{name}"), |id| Type {
            id,
            name: (*name).into(),
            kind: *kind,
            size: *size,
            named: *kind != Kind::Interface,
            shape,
            runtime: None,
        })
    }
}
