//! What the parts of an [`crate::Image`] share: the open file, its tables, and the load bias.
//! Everything inside works with link addresses; the bias is added at the public border.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::dwarf::Dwarf;
use crate::dwarf::cfi::Cfi;
use crate::dwarf::lines::Lines;
use crate::elf::Elf;
use crate::elf::file::LazyFile;
use crate::elf::relocations::Relocations;
use crate::elf::symbols::Symbols;
use crate::layout::table::Column;
use crate::module::Module;
use crate::pclntab::Pclntab;
use crate::{BuildInfo, GoVersion, ImageError, buildinfo};

/// The container with what is derived from it on demand.
pub(crate) struct Static {
    pub(crate) elf: Elf,
    pub(crate) file: LazyFile,
    relocations: OnceLock<Relocations>,
    symbols: OnceLock<Symbols>,
}

/// One open program.
pub(crate) struct Core {
    pub(crate) path: PathBuf,
    pub(crate) st: Arc<Static>,
    pub(crate) build_info: BuildInfo,
    pub(crate) version: GoVersion,
    pub(crate) pcln: Pclntab,
    pub(crate) module: Option<Module>,
    bias: AtomicU64,
    dwarf: OnceLock<Option<Dwarf>>,
    lines: OnceLock<Option<Lines>>,
    cfi: OnceLock<Cfi>,
}

impl Static {
    pub(crate) fn relocations(&self) -> &Relocations {
        self.relocations.get_or_init(|| Relocations::read(&self.elf, &self.file))
    }

    pub(crate) fn symbols(&self) -> &Symbols {
        self.symbols.get_or_init(|| Symbols::read(&self.elf, &self.file))
    }

    /// Link address of a symbol.
    pub(crate) fn symbol(&self, name: &str) -> Option<u64> {
        self.symbols().find(name, &self.file).map(|s| s.0)
    }

    /// The word at a link address as the program will see it, less the bias.
    pub(crate) fn word(&self, addr: u64) -> Option<u64> {
        let mut b = [0; 8];
        (self.read(addr, &mut b, 0) == 8).then(|| u64::from_le_bytes(b))
    }

    /// Copies initial memory at a link address; relative relocations get `bias` added. Returns how much is mapped.
    pub(crate) fn read(&self, addr: u64, buf: &mut [u8], bias: u64) -> usize {
        let mut done = 0;
        while done < buf.len() {
            let Some(at) = addr.checked_add(done as u64) else { break };
            let Some(s) = self.elf.segment_at(at) else { break };
            let into = at - s.addr;
            let Some(rest) = buf.get_mut(done..) else { break };
            let in_file = s.file_size.saturating_sub(into);
            let n = if in_file > 0 {
                let n = in_file.min(rest.len() as u64);
                let Some(bytes) = s.offset.checked_add(into).and_then(|o| self.file.bytes(o, n)) else {
                    break;
                };
                rest.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
                n
            } else {
                let n = (s.mem_size - into).min(rest.len() as u64);
                rest.iter_mut().take(n as usize).for_each(|b| *b = 0);
                n
            };
            done += n as usize;
        }
        if self.elf.is_pie {
            self.relocate(addr, buf.get_mut(..done).unwrap_or(&mut []), bias);
        }
        done
    }

    fn relocate(&self, addr: u64, buf: &mut [u8], bias: u64) {
        let end = addr.saturating_add(buf.len() as u64);
        for r in self.relocations().overlapping(addr, end) {
            let word = r.addend.wrapping_add(bias).to_le_bytes();
            for (i, b) in word.iter().enumerate() {
                let at = r.at.wrapping_add(i as u64).wrapping_sub(addr);
                if let Some(slot) = usize::try_from(at).ok().and_then(|at| buf.get_mut(at)) {
                    *slot = *b;
                }
            }
        }
    }
}

impl Core {
    pub(crate) fn open(path: &Path) -> Result<Core, ImageError> {
        let owned = || path.to_path_buf();
        let file = LazyFile::open(path).map_err(|source| ImageError::Io { path: owned(), source })?;
        let elf = Elf::parse(path, &file)?;
        let build_info = buildinfo::read(&elf, &file);
        let st = Arc::new(Static { elf, file, relocations: OnceLock::new(), symbols: OnceLock::new() });
        let pcln = Pclntab::find(&st.elf, &st.file);
        if st.file.changed() {
            return Err(ImageError::Changed(owned()));
        }
        let mut build_info = match build_info {
            Some(b) => b,
            None if pcln.is_some() => BuildInfo::default(),
            None => return Err(ImageError::NotGo(owned())),
        };
        if build_info.go_version.is_empty() {
            build_info.go_version = version_from_symbol(&st).unwrap_or_default();
        }
        let version = supported(path, &build_info.go_version)?;
        let Some(mut pcln) = pcln else {
            return Err(ImageError::Malformed {
                path: owned(),
                what: "or missing function table (pclntab)".into(),
            });
        };
        let module = Module::find(&st, &pcln, Column::of(version));
        match &module {
            Some(m) => {
                pcln.text = m.text;
                pcln.gofunc = m.gofunc;
                pcln.sections = m.sections.clone();
            }
            None if pcln.header_text == 0 => pcln.text = text_start(&st),
            None => {}
        }
        let bias = AtomicU64::new(0);
        let (dwarf, lines, cfi) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        Ok(Core { path: owned(), st, build_info, version, pcln, module, bias, dwarf, lines, cfi })
    }

    pub(crate) fn bias(&self) -> u64 {
        self.bias.load(Ordering::Relaxed)
    }

    pub(crate) fn set_bias(&self, bias: u64) {
        self.bias.store(bias, Ordering::Relaxed);
    }

    /// Run-time to link address.
    pub(crate) fn link(&self, addr: u64) -> u64 {
        addr.wrapping_sub(self.bias())
    }

    /// Link to run-time address.
    pub(crate) fn run(&self, link: u64) -> u64 {
        link.wrapping_add(self.bias())
    }

    /// The debug information, loaded on first use; None in programs without.
    pub(crate) fn dwarf(&self) -> Option<&Dwarf> {
        self.dwarf.get_or_init(|| Dwarf::load(&self.st)).as_ref()
    }

    /// The line table's flags, loaded on first use without the rest.
    pub(crate) fn dwarf_lines(&self) -> Option<&Lines> {
        self.lines.get_or_init(|| Lines::load(&self.st)).as_ref()
    }

    /// Unwind tables of C code.
    pub(crate) fn cfi(&self) -> &Cfi {
        self.cfi.get_or_init(|| Cfi::load(&self.st))
    }

    /// What the build settings say about optimisation, for code without a compile unit.
    pub(crate) fn built_optimised(&self) -> bool {
        let flags = self.build_info.settings.iter().find(|s| s.0 == "-gcflags");
        !flags.is_some_and(|f| f.1.split([' ', '=']).any(|w| w == "-N"))
    }
}

/// Without moduledata and without textStart: where the executable bytes begin.
fn text_start(st: &Static) -> u64 {
    let section = st.elf.section(".text").map(|s| s.addr);
    st.symbol("runtime.text")
        .or(section)
        .unwrap_or_else(|| st.elf.segments.iter().find(|s| s.executable).map_or(0, |s| s.addr))
}

/// runtime.buildVersion, a string variable, for programs that were linked without build information.
fn version_from_symbol(st: &Static) -> Option<String> {
    let header = st.symbol("runtime.buildVersion")?;
    let (ptr, len) = (st.word(header)?, st.word(header.checked_add(8)?)?);
    let mut text = vec![0; usize::try_from(len).ok().filter(|n| *n < 256)?];
    (st.read(ptr, &mut text, 0) == text.len()).then(|| String::from_utf8_lossy(&text).into_owned())
}

fn supported(path: &Path, text: &str) -> Result<GoVersion, ImageError> {
    let refuse = |hint: &str| ImageError::UnsupportedGo {
        path: path.to_path_buf(),
        version: if text.is_empty() { "an unknown version of Go".into() } else { text.to_string() },
        hint: hint.into(),
    };
    let version = buildinfo::version(text).ok_or_else(|| refuse("; rebuild it with a supported Go"))?;
    if (version.major, version.minor) < (1, 21) {
        return Err(refuse("; rebuild it with a newer Go"));
    }
    Ok(version)
}
