//! [`Image`]: one executable on disk.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use machine::{Arch, MemError, Memory, Regs};

use crate::{
    BuildInfo, FuncId, Functions, GoVersion, ImageError, Itab, Layout, Method, Piece, ScopeVariable, Type,
    TypeId, VarContext,
};

/// One executable on disk.
pub struct Image {
    path: PathBuf,
    build_info: BuildInfo,
    functions: Functions,
    layout: Layout,
    bias: AtomicU64,
}

impl Image {
    /// Maps `path` and finds its tables; does not read DWARF.
    pub fn open(path: &Path) -> Result<Image, ImageError> {
        Err(ImageError::NotGo(path.to_path_buf()))
    }
    pub fn path(&self) -> &Path {
        &self.path
    }
    pub fn arch(&self) -> Arch {
        Arch::Amd64
    }
    pub fn go_version(&self) -> GoVersion {
        self.layout.version()
    }
    pub fn build_info(&self) -> &BuildInfo {
        &self.build_info
    }
    pub fn is_pie(&self) -> bool {
        false
    }
    pub fn is_cgo(&self) -> bool {
        false
    }
    /// True if there is usable DWARF; false for `-s -w`.
    pub fn has_dwarf(&self) -> bool {
        false
    }
    /// True if the compile unit of `pc` was built with optimisation (DW_AT_producer without -N).
    pub fn is_optimised(&self, _pc: u64) -> bool {
        false
    }
    /// Load bias: run-time address - link address. 0 until set.
    pub fn bias(&self) -> u64 {
        self.bias.load(Ordering::Relaxed)
    }
    /// Set it once, right after exec or attach: `image.set_bias(at_entry - image.link_entry())`, AT_ENTRY from the auxiliary vector.
    pub fn set_bias(&self, bias: u64) {
        self.bias.store(bias, Ordering::Relaxed);
    }
    pub fn link_entry(&self) -> u64 {
        0
    }
    /// ELF symbol (symtab) by exact name -> run-time address.
    pub fn symbol(&self, _name: &str) -> Option<u64> {
        None
    }
    /// ELF data/function symbol that covers `addr`: name and offset.
    pub fn symbol_at(&self, _addr: u64) -> Option<(String, u64)> {
        None
    }
    /// Offset from the thread pointer at which the runtime keeps g.
    pub fn tls_g_offset(&self) -> i64 {
        -8
    }
    /// Section ranges by ELF name, run-time addresses.
    pub fn section(&self, _name: &str) -> Option<Range<u64>> {
        None
    }
    /// True for addresses inside sections that are never written while the program runs.
    pub fn is_read_only(&self, _addr: u64) -> bool {
        false
    }
    pub fn is_text(&self, _addr: u64) -> bool {
        false
    }
    pub fn functions(&self) -> &Functions {
        &self.functions
    }
    pub fn layout(&self) -> &Layout {
        &self.layout
    }
    /// `[types, etypes)` of runtime.firstmoduledata.
    pub fn type_range(&self) -> Range<u64> {
        0..0
    }
    /// Address of runtime.firstmoduledata.
    pub fn moduledata(&self) -> Option<u64> {
        None
    }
    /// Static itabs (itablinks, or the itab area since 1.27): addresses.
    pub fn static_itabs(&self) -> Vec<u64> {
        Vec::new()
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
    fn read(&self, _addr: u64, _buf: &mut [u8]) -> Result<usize, MemError> {
        Ok(0)
    }
}
