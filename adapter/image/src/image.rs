//! [`Image`]: one executable on disk.

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, RwLock};

use machine::{Arch, MemError, Memory, Regs};

use rustc_hash::FxHashMap;

use crate::core::Core;
use crate::{
    BuildInfo, FuncId, Functions, GoVersion, ImageError, Itab, Layout, Method, Piece, ScopeVariable, Type,
    TypeId, VarContext,
};

/// One executable on disk.
pub struct Image {
    pub(crate) core: Arc<Core>,
    functions: Functions,
    layout: Layout,
    types: RwLock<FxHashMap<TypeId, Arc<Type>>>,
}

impl Image {
    /// Maps `path` and finds its tables; does not read DWARF.
    pub fn open(path: &Path) -> Result<Image, ImageError> {
        let core = Arc::new(Core::open(path)?);
        Ok(Image {
            functions: Functions::new(core.clone()),
            layout: Layout::new(core.clone()),
            types: RwLock::default(),
            core,
        })
    }
    pub fn path(&self) -> &Path {
        &self.core.path
    }
    pub fn arch(&self) -> Arch {
        self.core.st.elf.arch
    }
    pub fn go_version(&self) -> GoVersion {
        self.core.version
    }
    pub fn build_info(&self) -> &BuildInfo {
        &self.core.build_info
    }
    pub fn is_pie(&self) -> bool {
        self.core.st.elf.is_pie
    }
    /// True if C code is linked in.
    pub fn is_cgo(&self) -> bool {
        let setting = self.core.build_info.settings.iter().find(|s| s.0 == "CGO_ENABLED");
        !self.functions.by_name("_cgo_init").is_empty()
            || self.core.st.elf.has_interpreter
                && setting.is_some_and(|s| s.1 == "1")
                && !self.functions.by_name("runtime/cgo.init.0").is_empty()
    }
    /// True if there is usable DWARF; false for `-s -w`.
    pub fn has_dwarf(&self) -> bool {
        self.core.st.elf.section(".debug_info").is_some_and(|s| s.size > 0)
    }
    /// True if the compile unit of `pc` was built with optimisation (DW_AT_producer without -N).
    pub fn is_optimised(&self, pc: u64) -> bool {
        let unit = self.core.dwarf().and_then(|d| d.unit_at(self.core.link(pc)));
        unit.map_or_else(|| self.core.built_optimised(), |u| u.optimised)
    }
    /// Load bias: run-time address - link address. 0 until set.
    pub fn bias(&self) -> u64 {
        self.core.bias()
    }
    /// Set it once, right after exec or attach: `image.set_bias(at_entry - image.link_entry())`, AT_ENTRY from the auxiliary vector.
    pub fn set_bias(&self, bias: u64) {
        self.core.set_bias(bias);
    }
    /// Entry point before the bias (e_entry).
    pub fn link_entry(&self) -> u64 {
        self.core.st.elf.entry
    }
    /// ELF symbol (symtab) by exact name -> run-time address.
    pub fn symbol(&self, name: &str) -> Option<u64> {
        self.core.st.symbol(name).map(|a| self.core.run(a))
    }
    /// ELF data/function symbol that covers `addr`: name and offset.
    pub fn symbol_at(&self, addr: u64) -> Option<(String, u64)> {
        let st = &self.core.st;
        st.symbols().at(self.core.link(addr), &st.file).map(|(n, o)| (n.to_string(), o))
    }
    /// Offset from the thread pointer at which the runtime keeps g.
    pub fn tls_g_offset(&self) -> i64 {
        -8
    }
    /// Section ranges by ELF name, run-time addresses.
    pub fn section(&self, name: &str) -> Option<Range<u64>> {
        let r = self.core.st.elf.section(name).filter(|s| s.is_loaded())?.range();
        Some(self.core.run(r.start)..self.core.run(r.end))
    }
    /// True for addresses inside sections that are never written while the program runs.
    pub fn is_read_only(&self, addr: u64) -> bool {
        let (elf, link) = (&self.core.st.elf, self.core.link(addr));
        let relro = elf.relro.as_ref().is_some_and(|r| r.contains(&link));
        let section = elf.section_at(link).is_none_or(|s| !s.is_writable());
        relro || elf.segment_at(link).is_some_and(|s| !s.writable) && section
    }
    pub fn is_text(&self, addr: u64) -> bool {
        self.core.st.elf.is_text(self.core.link(addr))
    }
    pub fn functions(&self) -> &Functions {
        &self.functions
    }
    pub fn layout(&self) -> &Layout {
        &self.layout
    }
    /// `[types, etypes)` of runtime.firstmoduledata.
    pub fn type_range(&self) -> Range<u64> {
        let types = self.core.module.as_ref().map(|m| &m.types);
        types.map_or(0..0, |t| self.core.run(t.start)..self.core.run(t.end))
    }
    /// Address of runtime.firstmoduledata.
    pub fn moduledata(&self) -> Option<u64> {
        self.core.module.as_ref().map(|m| self.core.run(m.addr))
    }
    /// Static itabs (itablinks, or the itab area since 1.27): addresses.
    pub fn static_itabs(&self) -> Vec<u64> {
        let links = self.core.module.as_ref().map(|m| m.itabs(&self.core.st)).unwrap_or_default();
        links.into_iter().map(|a| self.core.run(a)).collect()
    }
    /// Address and type of a package variable by full name, from DWARF or symtab (type then None).
    pub fn global(&self, _name: &str) -> Option<(u64, Option<TypeId>)> {
        None
    }
    /// All package variables of a package by import path: name, address, type. Sorted by name.
    pub fn globals_of(&self, _package: &str) -> Vec<(String, u64, TypeId)> {
        Vec::new()
    }
    /// Global that covers `addr`.
    pub fn global_at(&self, _addr: u64) -> Option<(String, u64, Option<TypeId>)> {
        None
    }
    /// Named constants whose DW_AT_type is `ty`: name, value.
    pub fn constants_of(&self, _ty: TypeId) -> Vec<(String, i128)> {
        Vec::new()
    }
    /// Named constant by full name.
    pub fn constant(&self, _name: &str) -> Option<(i128, Option<TypeId>)> {
        None
    }
    /// Import paths of all packages.
    pub fn packages(&self) -> Vec<String> {
        Vec::new()
    }
    /// A type by handle.
    pub fn type_of(&self, _id: TypeId, _mem: &dyn Memory) -> Result<Arc<Type>, MemError> {
        Err(MemError::Unmapped(0))
    }
    /// DWARF type by exact name (full import path, `*` and `[]` included).
    pub fn find_type(&self, _name: &str) -> Option<TypeId> {
        None
    }
    /// Types whose short name (package name instead of path) equals `name`: several when ambiguous.
    pub fn find_types_short(&self, _name: &str) -> Vec<TypeId> {
        Vec::new()
    }
    /// The DWARF type that describes the runtime descriptor at `rtype`.
    pub fn dwarf_of_runtime(&self, _rtype: u64) -> Option<TypeId> {
        None
    }
    /// Best handle for a runtime descriptor: its DWARF type if there is one, else `TypeId::Runtime(rtype)`.
    pub fn type_from_runtime(&self, rtype: u64) -> TypeId {
        self.dwarf_of_runtime(rtype).unwrap_or(TypeId::Runtime(rtype))
    }
    /// An itab read from memory and validated.
    pub fn itab(&self, addr: u64, _mem: &dyn Memory) -> Result<Itab, MemError> {
        Err(MemError::Unmapped(addr))
    }
    /// Methods of a concrete type's uncommon data.
    pub fn methods_of(&self, rtype: u64, _mem: &dyn Memory) -> Result<Vec<Method>, MemError> {
        Err(MemError::Unmapped(rtype))
    }
    /// True if an interface's data word holds the value itself.
    pub fn is_direct_iface(&self, rtype: u64, _mem: &dyn Memory) -> Result<bool, MemError> {
        Err(MemError::Unmapped(rtype))
    }
    /// abi.Type.Hash.
    pub fn runtime_hash(&self, rtype: u64, _mem: &dyn Memory) -> Result<u32, MemError> {
        Err(MemError::Unmapped(rtype))
    }
    /// Parameters, results, locals and captured variables visible at `pc`; `inline_depth` 0 = innermost inlined function.
    pub fn variables(&self, _pc: u64, _inline_depth: usize) -> Vec<ScopeVariable> {
        Vec::new()
    }
    /// Where a variable is: pieces in order. `Err(reason)` when optimised away.
    pub fn locate(&self, _var: &ScopeVariable, _cx: &VarContext<'_>) -> Result<Vec<Piece>, String> {
        Err("no debug information".into())
    }
    /// Parameters and results of a function in ABI order: name, type, is result.
    pub fn signature(&self, _func: FuncId) -> Option<Vec<(String, TypeId, bool)>> {
        None
    }
    /// Unwinds one frame of code that is not Go's (C, ld.so) with CFI; updates `regs` to the caller's.
    pub fn unwind_cfi(&self, _regs: &mut Regs, _mem: &dyn Memory) -> Result<(), String> {
        Err("no call frame information".into())
    }
}

/// The bytes of the file at run-time addresses (read-only and initial data; pointers in PIE data relocated by the bias).
impl Memory for Image {
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<usize, MemError> {
        Ok(self.core.st.read(self.core.link(addr), buf, self.core.bias()))
    }
}
