//! What an [`Image`] answers about types, variables and package-level names. Run-time addresses outside, link addresses inside.

use std::sync::{Arc, PoisonError};

use machine::{MemError, Memory, Regs};

use crate::dwarf::scopes::FrameKey;
use crate::rtype::Rtypes;
use crate::types::{Itab, Kind, Method, Shape, Type, TypeId};
use crate::variables::{Piece, ScopeVariable, VarContext};
use crate::{FuncId, Image, names};

/// Types kept; more are re-read.
const MAX_KEPT: usize = 1 << 17;

impl Image {
    /// Address and type of a package variable by full name (`runtime.allgs`), from DWARF or symtab (type then None).
    pub fn global(&self, name: &str) -> Option<(u64, Option<TypeId>)> {
        if let Some((addr, ty)) = self.core.dwarf().and_then(|d| d.global(name)) {
            return Some((self.core.run(addr), Some(ty)));
        }
        self.symbol(name).filter(|a| !self.is_text(*a)).map(|a| (a, None))
    }

    /// All package variables of a package by import path: full name, address, type. Sorted by name.
    pub fn globals_of(&self, package: &str) -> Vec<(String, u64, TypeId)> {
        let all = self.core.dwarf().map(|d| d.globals_of(package)).unwrap_or_default();
        all.into_iter().map(|(n, a, t)| (n, self.core.run(a), t)).collect()
    }

    /// Global that covers `addr`.
    pub fn global_at(&self, addr: u64) -> Option<(String, u64, Option<TypeId>)> {
        let (name, offset) = self.symbol_at(addr).filter(|_| !self.is_text(addr))?;
        let ty = self.core.dwarf().and_then(|d| d.global(&name)).map(|g| g.1);
        Some((names::unescape(&name), addr.wrapping_sub(offset), ty))
    }

    /// Named constants of the package of `ty` whose type is `ty`: full name, value.
    pub fn constants_of(&self, ty: TypeId) -> Vec<(String, i128)> {
        let (Some(dwarf), TypeId::Dwarf(at)) = (self.core.dwarf(), ty) else { return Vec::new() };
        let package = names::package_of(dwarf.type_name(at).unwrap_or(""));
        let mut all = dwarf.constants_of(&package);
        all.retain(|c| c.2 == Some(ty));
        all.into_iter().map(|(n, v, _)| (n, v)).collect()
    }

    /// All constants of a package (import path) that the debug information lists: name, value, type. Reads them anew each time.
    pub fn package_constants(&self, package: &str) -> Vec<(String, i128, Option<TypeId>)> {
        self.core.dwarf().map_or_else(Vec::new, |d| d.constants_of(package))
    }

    /// Named constant by full name.
    pub fn constant(&self, name: &str) -> Option<(i128, Option<TypeId>)> {
        self.core.dwarf()?.constant(name)
    }

    /// Import paths of all packages, sorted.
    pub fn packages(&self) -> Vec<String> {
        if let Some(d) = self.core.dwarf() {
            return d.packages();
        }
        let mut out: Vec<String> =
            self.functions().iter().map(|f| f.package()).filter(|p| !p.is_empty()).collect();
        out.sort();
        out.dedup();
        out
    }

    /// A type by handle. `Dwarf` from DWARF, `Runtime` decoded from its descriptor in `mem` (static ones from the file).
    /// An error for garbage, and for handles that are not the image's.
    pub fn type_of(&self, id: TypeId, mem: &dyn Memory) -> Result<Arc<Type>, MemError> {
        if let Some(t) = self.types.read().unwrap_or_else(PoisonError::into_inner).get(&id) {
            return Ok(t.clone());
        }
        let (ty, keep) = match id {
            TypeId::Dwarf(at) => (self.dwarf_type(at).ok_or(MemError::Unmapped(at))?, true),
            // A descriptor that reflect made may be freed and its memory used again.
            TypeId::Runtime(at) => {
                (Rtypes::new(&self.core, mem).decode(at)?, self.type_range().contains(&at))
            }
            TypeId::Made(_) => return Err(MemError::Unmapped(0)),
        };
        let ty = Arc::new(ty);
        if keep {
            let mut kept = self.types.write().unwrap_or_else(PoisonError::into_inner);
            if kept.len() >= MAX_KEPT {
                kept.clear();
            }
            kept.insert(id, ty.clone());
        }
        Ok(ty)
    }

    fn dwarf_type(&self, at: u64) -> Option<Type> {
        let d = self.core.dwarf()?.read_type(at)?;
        let runtime = d.runtime.and_then(|raw| self.descriptor(raw));
        let shape = match d.shape {
            Shape::Interface { empty: true, .. } => {
                Shape::Interface { empty: true, methods: Some(Vec::new()) }
            }
            Shape::Interface { .. } => {
                let methods = runtime.and_then(|r| Rtypes::new(&self.core, self).interface_methods(r).ok());
                Shape::Interface { empty: false, methods }
            }
            Shape::Func(mut sig) => {
                // The debug information of a named function type may not say where its parameters end.
                let count = runtime.and_then(|r| Rtypes::new(&self.core, self).parameter_count(r).ok());
                if let (Some(n), Some(dwarf)) = (count, self.core.dwarf()) {
                    dwarf.split_results(&mut sig, n);
                }
                Shape::Func(sig)
            }
            other => other,
        };
        let named = is_named(&d.name, d.kind);
        Some(Type {
            id: TypeId::Dwarf(at),
            name: d.name.into(),
            kind: d.kind,
            size: d.size,
            named,
            shape,
            runtime,
        })
    }

    /// Run-time address of DW_AT_go_runtime_type: an offset from the types, or (`uintptr` up to Go 1.22) a link address.
    fn descriptor(&self, raw: u64) -> Option<u64> {
        let types = &self.core.module.as_ref()?.types;
        let link = if types.contains(&raw) { raw } else { types.start.checked_add(raw)? };
        types.contains(&link).then(|| self.core.run(link))
    }

    /// DWARF type by exact name (full import path, `*` and `[]` included).
    pub fn find_type(&self, name: &str) -> Option<TypeId> {
        self.core.dwarf()?.find_type(name).map(TypeId::Dwarf)
    }

    /// Full names of the types that the debug information describes, sorted.
    pub fn type_names(&self) -> Vec<String> {
        self.core.dwarf().map(|d| d.type_names()).unwrap_or_default()
    }

    /// Types whose short name (package name instead of path) equals `name`: several when ambiguous.
    pub fn find_types_short(&self, name: &str) -> Vec<TypeId> {
        let found = self.core.dwarf().map(|d| d.find_types_short(name)).unwrap_or_default();
        found.into_iter().map(TypeId::Dwarf).collect()
    }

    /// The DWARF type that describes the runtime descriptor at `rtype`, through DW_AT_go_runtime_type.
    pub fn dwarf_of_runtime(&self, rtype: u64) -> Option<TypeId> {
        let link = self.core.link(rtype);
        let types = &self.core.module.as_ref()?.types;
        if !types.contains(&link) {
            return None;
        }
        let d = self.core.dwarf()?;
        d.type_of_runtime(link - types.start).or_else(|| d.type_of_runtime(link)).map(TypeId::Dwarf)
    }

    /// Best handle for a runtime descriptor: its DWARF type if there is one, else `TypeId::Runtime(rtype)`.
    pub fn type_from_runtime(&self, rtype: u64) -> TypeId {
        self.dwarf_of_runtime(rtype).unwrap_or(TypeId::Runtime(rtype))
    }

    /// The itab at `addr`, checked: `inter` describes an interface, `typ` is a descriptor, at most 10,000 methods.
    pub fn itab(&self, addr: u64, mem: &dyn Memory) -> Result<Itab, MemError> {
        Rtypes::new(&self.core, mem).itab(addr)
    }

    /// Methods of a concrete type's uncommon data, sorted as in the descriptor; empty if it has none.
    pub fn methods_of(&self, rtype: u64, mem: &dyn Memory) -> Result<Vec<Method>, MemError> {
        Rtypes::new(&self.core, mem).methods(rtype)
    }

    /// True if an interface's data word holds the value itself.
    pub fn is_direct_iface(&self, rtype: u64, mem: &dyn Memory) -> Result<bool, MemError> {
        Rtypes::new(&self.core, mem).is_direct(rtype)
    }

    /// abi.Type.Hash.
    pub fn runtime_hash(&self, rtype: u64, mem: &dyn Memory) -> Result<u32, MemError> {
        Rtypes::new(&self.core, mem).hash(rtype)
    }

    /// Parameters, results, locals and captured variables visible at `pc` (in callers: the return address less 1).
    /// `inline_depth` 0 = innermost inlined function at `pc`, as in [`crate::Functions::inline_stack`].
    pub fn variables(&self, pc: u64, inline_depth: usize) -> Vec<ScopeVariable> {
        let stack = self.functions().inline_stack(pc);
        let Some(frame) = stack.get(inline_depth) else { return Vec::new() };
        let link = self.core.link(pc);
        let Some(scopes) = self.core.dwarf().and_then(|d| d.scopes_at(link)) else { return Vec::new() };
        let key = FrameKey {
            outer_index: stack.len() - 1 - inline_depth,
            frames: stack.len(),
            name: &frame.name,
            line: frame.line,
            call_line: stack.get(inline_depth + 1).map_or(0, |f| f.line),
        };
        scopes.variables(link, &key)
    }

    /// Where a variable is: pieces in order. `Err(reason)` when optimised away.
    pub fn locate(&self, var: &ScopeVariable, cx: &VarContext<'_>) -> Result<Vec<Piece>, String> {
        let dwarf = self.core.dwarf().ok_or("the program has no debug information")?;
        dwarf.locate(var.die, cx, self.core.bias())
    }

    /// Parameters and results of a function in declaration order: name, type, is result.
    pub fn signature(&self, func: FuncId) -> Option<Vec<(String, TypeId, bool)>> {
        let f = self.functions().get(func)?;
        self.core.dwarf()?.signature(self.core.link(f.entry()))
    }

    /// The address that the line table marks as the end of a function's prologue; None without DWARF or mark.
    pub fn marked_prologue_end(&self, func: FuncId) -> Option<u64> {
        let f = self.functions().get(func)?;
        let rows = self.core.dwarf_lines()?.function(f.raw.entry, f.raw.end)?;
        rows.iter().find(|r| r.prologue_end).map(|r| self.core.run(r.addr))
    }

    /// Unwinds one frame of code that is not Go's with CFI; updates `regs` to the caller's.
    pub fn unwind_cfi(&self, regs: &mut Regs, mem: &dyn Memory) -> Result<(), String> {
        self.core.cfi().unwind(regs, mem, self.core.bias())
    }
}

/// Whether a type's name is its own and not spelled from its parts.
fn is_named(name: &str, kind: Kind) -> bool {
    let composite = match kind {
        Kind::Pointer => name.starts_with('*'),
        Kind::Slice | Kind::Array => name.starts_with('['),
        Kind::Map => name.starts_with("map["),
        Kind::Chan => name.starts_with("chan") || name.starts_with("<-chan"),
        Kind::Func => name.starts_with("func("),
        Kind::Struct => name.starts_with("struct {"),
        Kind::Interface => name.starts_with("interface {"),
        _ => false,
    };
    !composite
}
