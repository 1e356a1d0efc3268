//! Names for display: package names instead of import paths, real type arguments instead of shapes.

use image::{Function, TypeId};

use crate::Process;

impl Process<'_> {
    /// `*os.File`, `main.Repo[models.User]`: package names, also in type arguments. `?` if the type can't be read.
    pub fn display_name(&self, id: TypeId) -> String {
        match self.type_of(id) {
            Ok(ty) => image::names::short(&ty.name),
            Err(_) => "?".into(),
        }
    }

    /// With full import paths.
    pub fn qualified_name(&self, id: TypeId) -> String {
        match self.type_of(id) {
            Ok(ty) => ty.name.to_string(),
            Err(_) => "?".into(),
        }
    }

    /// `main.(*Square).Area`; shapes are replaced by the real type arguments of the dictionary at `dict` when it is given,
    /// by `T?` when not: `main.(*Repo[T?]).Save`.
    pub fn function_display_name(&self, f: &Function<'_>, dict: Option<u64>) -> String {
        self.symbol_display_name(f.name(), dict)
    }

    /// The same for a linker symbol name (inlined functions have no entry of their own).
    pub fn symbol_display_name(&self, symbol: &str, _dict: Option<u64>) -> String {
        image::names::short(&image::names::unescape(symbol))
    }
}
