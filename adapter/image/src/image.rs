//! [`Image`]: one executable on disk.

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, RwLock};

use machine::{Arch, MemError, Memory};

use rustc_hash::FxHashMap;

use crate::core::Core;
use crate::{BuildInfo, Functions, GoVersion, ImageError, Layout, Type, TypeId};

/// A part of the executable as it lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Region {
    Text,
    ReadOnly,
    /// Variables with an initial value.
    Data,
    /// Variables that begin as zero.
    Bss,
}

/// One executable on disk.
pub struct Image {
    pub(crate) core: Arc<Core>,
    functions: Functions,
    layout: Layout,
    pub(crate) types: RwLock<FxHashMap<TypeId, Arc<Type>>>,
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
    /// True if the file was rebuilt, truncated or removed since it was opened: what is read from now on may be missing.
    pub fn is_stale(&self) -> bool {
        self.core.st.file.is_stale(&self.core.path)
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
        !self.functions.by_name("runtime/cgo.set_crosscall2").is_empty()
    }

    /// True if there is usable DWARF; false for `-s -w`.
    pub fn has_dwarf(&self) -> bool {
        self.core.st.elf.section(".debug_info").is_some_and(|s| s.size > 0)
    }
    /// Reads the debug information ahead of the first question; for a helper thread while the program starts.
    pub fn preload(&self) {
        self.core.dwarf_lines();
        if let Some(d) = self.core.dwarf() {
            d.type_index();
        }
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
    /// ELF symbols whose name begins with `prefix`, with their addresses. Walks the table.
    pub fn symbols_starting(&self, prefix: &str) -> Vec<(String, u64)> {
        let st = &self.core.st;
        let found = st.symbols().starting(prefix, &st.file);
        found.map(|(name, addr)| (name.to_string(), self.core.run(addr))).collect()
    }
    /// ELF data/function symbol that covers `addr`: name and offset.
    pub fn symbol_at(&self, addr: u64) -> Option<(String, u64)> {
        let st = &self.core.st;
        st.symbols().at(self.core.link(addr), &st.file).map(|(n, o)| (n.to_string(), o))
    }
    /// Offset from the thread pointer at which the runtime keeps g.
    pub fn tls_g_offset(&self) -> i64 {
        crate::tls::g_offset(&self.core.st, || {
            let found = self.functions.by_name("gogo");
            let Some(f) = found.first() else { return Vec::new() };
            let mut code = vec![0; (f.raw.end - f.raw.entry).min(4096) as usize];
            let n = self.core.st.read(f.raw.entry, &mut code, 0);
            code.truncate(n);
            code
        })
    }
    /// Section ranges by ELF name, run-time addresses.
    pub fn section(&self, name: &str) -> Option<Range<u64>> {
        let r = self.core.st.elf.section(name).filter(|s| s.is_loaded())?.range();
        Some(self.core.run(r.start)..self.core.run(r.end))
    }
    /// Where a section is in the file; None for one without bytes there.
    pub fn file_range(&self, name: &str) -> Option<Range<usize>> {
        let s = self.core.st.elf.section(name).filter(|s| !s.is_zero())?;
        let start = usize::try_from(s.offset).ok()?;
        Some(start..start.checked_add(usize::try_from(s.size).ok()?)?)
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
    /// What the linker put at an address; None outside of the executable.
    pub fn region(&self, addr: u64) -> Option<Region> {
        let (elf, link) = (&self.core.st.elf, self.core.link(addr));
        let segment = elf.segment_at(link)?;
        let section = elf.section_at(link);
        let zero = || link - segment.addr >= segment.file_size;
        Some(if elf.is_text(link) {
            Region::Text
        } else if self.is_read_only(addr) {
            Region::ReadOnly
        } else if section.map_or_else(zero, |s| s.is_zero()) {
            Region::Bss
        } else {
            Region::Data
        })
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
}

/// The bytes of the file at run-time addresses (read-only and initial data; pointers in PIE data relocated by the bias).
impl Memory for Image {
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<usize, MemError> {
        Ok(self.core.st.read(self.core.link(addr), buf, self.core.bias()))
    }
}
