//! The container: ELF headers, sections, segments, relocations, symbols. Knows nothing of Go.
//! Must never trust a count, an offset or a size of the file.

pub(crate) mod file;
pub(crate) mod relocations;
pub(crate) mod symbols;

use std::ops::Range;
use std::path::Path;

use machine::Arch;
use object::LittleEndian;
use object::elf;
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader};

use crate::ImageError;
use file::LazyFile;

type Header = elf::FileHeader64<LittleEndian>;

/// More sections or segments than this are a lie.
const MAX_HEADERS: usize = 4096;
/// No section of a real program decompresses to more.
const MAX_DECOMPRESSED: u64 = 2 << 30;

/// One section, link addresses.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    pub(crate) name: String,
    pub(crate) kind: elf::SectionType,
    flags: elf::SectionFlags,
    pub(crate) addr: u64,
    pub(crate) offset: u64,
    pub(crate) size: u64,
    pub(crate) link: u32,
}

impl Section {
    fn has(&self, flag: elf::SectionFlags) -> bool {
        self.flags.0 & flag.0 != 0
    }

    /// Occupies memory in the process.
    pub(crate) fn is_loaded(&self) -> bool {
        self.has(elf::SHF_ALLOC)
    }

    pub(crate) fn is_writable(&self) -> bool {
        self.has(elf::SHF_WRITE)
    }

    pub(crate) fn is_code(&self) -> bool {
        self.has(elf::SHF_EXECINSTR)
    }

    pub(crate) fn is_compressed(&self) -> bool {
        self.has(elf::SHF_COMPRESSED)
    }

    /// Has no bytes in the file.
    pub(crate) fn is_zero(&self) -> bool {
        self.kind == elf::SHT_NOBITS
    }

    pub(crate) fn range(&self) -> Range<u64> {
        self.addr..self.addr.saturating_add(self.size)
    }
}

/// One PT_LOAD, link addresses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    pub(crate) addr: u64,
    pub(crate) offset: u64,
    pub(crate) file_size: u64,
    pub(crate) mem_size: u64,
    pub(crate) writable: bool,
    pub(crate) executable: bool,
}

/// The parsed headers of one executable.
pub(crate) struct Elf {
    pub(crate) arch: Arch,
    pub(crate) is_pie: bool,
    pub(crate) entry: u64,
    pub(crate) sections: Vec<Section>,
    pub(crate) segments: Vec<Segment>,
    /// PT_TLS: size in memory, alignment.
    pub(crate) tls: Option<(u64, u64)>,
    pub(crate) has_interpreter: bool,
    /// PT_GNU_RELRO: read-only once the program runs.
    pub(crate) relro: Option<Range<u64>>,
    /// PT_DYNAMIC: offset and size in the file.
    pub(crate) dynamic: Option<(u64, u64)>,
}

impl Elf {
    pub(crate) fn parse(path: &Path, file: &LazyFile) -> Result<Elf, ImageError> {
        let not = |why: &str| ImageError::NotElf(path.to_path_buf(), why.to_string());
        let bad = |what: &str| ImageError::Malformed { path: path.to_path_buf(), what: what.to_string() };
        if file.bytes(0, 4) != Some(&elf::ELFMAG[..]) {
            return Err(not("it has no ELF header"));
        }
        let header = Header::parse(file).map_err(|_| not("not a 64-bit little-endian ELF file"))?;
        let endian = LittleEndian;
        match header.e_type(endian) {
            elf::ET_EXEC | elf::ET_DYN => {}
            elf::ET_CORE => return Err(ImageError::CoreFile(path.to_path_buf())),
            elf::ET_REL => return Err(not("an object file that is not linked yet")),
            _ => return Err(not("not an executable")),
        }
        let arch = match header.e_machine(endian) {
            elf::EM_X86_64 => Arch::Amd64,
            elf::EM_AARCH64 => Arch::Arm64,
            other => return Err(not(&format!("machine {}", other.0))),
        };
        let mut out = Elf {
            arch,
            is_pie: header.e_type(endian) == elf::ET_DYN,
            entry: header.e_entry(endian),
            sections: Vec::new(),
            segments: Vec::new(),
            tls: None,
            has_interpreter: false,
            relro: None,
            dynamic: None,
        };
        out.read_segments(header, file).ok_or_else(|| bad("program headers"))?;
        // A file without sections (sstrip) still runs; everything falls back to segments.
        out.sections = read_sections(header, file).unwrap_or_default();
        Ok(out)
    }

    fn read_segments(&mut self, header: &Header, file: &LazyFile) -> Option<()> {
        let e = LittleEndian;
        for p in header.program_headers(e, file).ok()?.iter().take(MAX_HEADERS) {
            let range = p.p_vaddr(e)..p.p_vaddr(e).checked_add(p.p_memsz(e))?;
            match p.p_type(e) {
                elf::PT_LOAD => self.segments.push(Segment {
                    addr: range.start,
                    offset: p.p_offset(e),
                    file_size: p.p_filesz(e).min(p.p_memsz(e)),
                    mem_size: p.p_memsz(e),
                    writable: p.p_flags(e).0 & elf::PF_W.0 != 0,
                    executable: p.p_flags(e).0 & elf::PF_X.0 != 0,
                }),
                elf::PT_TLS => self.tls = Some((p.p_memsz(e), p.p_align(e))),
                elf::PT_DYNAMIC => self.dynamic = Some((p.p_offset(e), p.p_filesz(e))),
                elf::PT_INTERP => self.has_interpreter = true,
                elf::PT_GNU_RELRO => self.relro = Some(range),
                _ => {}
            }
        }
        self.segments.sort_by_key(|s| s.addr);
        Some(())
    }

    pub(crate) fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|s| s.name == name)
    }

    /// The loaded section that covers the link address.
    pub(crate) fn section_at(&self, addr: u64) -> Option<&Section> {
        self.sections.iter().find(|s| s.is_loaded() && s.kind != elf::SHT_NULL && s.range().contains(&addr))
    }

    pub(crate) fn segment_at(&self, addr: u64) -> Option<&Segment> {
        self.segments.iter().find(|s| addr.checked_sub(s.addr).is_some_and(|o| o < s.mem_size))
    }

    /// File offset and how many bytes follow there, of a link address that has bytes in the file.
    pub(crate) fn file_offset(&self, addr: u64) -> Option<(u64, u64)> {
        let s = self.segment_at(addr)?;
        let o = addr - s.addr;
        let left = s.file_size.checked_sub(o).filter(|n| *n > 0)?;
        Some((s.offset.checked_add(o)?, left))
    }

    /// The content of a section that is compressed (SHF_COMPRESSED: zlib or zstd).
    pub(crate) fn decompressed(&self, file: &LazyFile, s: &Section) -> Option<Vec<u8>> {
        decompress(file.bytes(s.offset, s.size)?)
    }
}

fn read_sections(header: &Header, file: &LazyFile) -> Option<Vec<Section>> {
    let e = LittleEndian;
    let headers = header.section_headers(e, file).ok()?;
    let names = header.section_strings(e, file, headers).ok()?;
    let mut out = Vec::new();
    for h in headers.iter().take(MAX_HEADERS) {
        let name = h.name(e, names).map(|n| String::from_utf8_lossy(n).into_owned()).unwrap_or_default();
        out.push(Section {
            name,
            kind: h.sh_type(e),
            flags: h.sh_flags(e),
            addr: h.sh_addr(e),
            offset: h.sh_offset(e),
            size: h.sh_size(e),
            link: h.sh_link(e),
        });
    }
    Some(out)
}

/// Elf64_Chdr: type u32, reserved u32, size u64, alignment u64; then the stream.
fn decompress(raw: &[u8]) -> Option<Vec<u8>> {
    let word = |at: usize| raw.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
    let kind = word(0)?;
    let size = u64::from_le_bytes(raw.get(8..16)?.try_into().ok()?);
    let stream = raw.get(24..)?;
    // zlib can't do better than 1032:1, and nothing in a debug section comes near that.
    if size > MAX_DECOMPRESSED || size > (stream.len() as u64).saturating_mul(1100).saturating_add(1 << 16) {
        return None;
    }
    let mut out = vec![0; usize::try_from(size).ok()?];
    match elf::CompressionType(kind) {
        elf::ELFCOMPRESS_ZLIB => {
            let n = libdeflater::Decompressor::new().zlib_decompress(stream, &mut out).ok()?;
            (n == out.len()).then_some(out)
        }
        elf::ELFCOMPRESS_ZSTD => {
            let mut decoder = ruzstd::decoding::StreamingDecoder::new(stream).ok()?;
            std::io::Read::read_exact(&mut decoder, &mut out).ok()?;
            Some(out)
        }
        _ => None,
    }
}

/// Reads `T` little-endian words out of a byte slice without a panic.
pub(crate) fn le_u32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_le_bytes)
}

pub(crate) fn le_u64(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at.checked_add(8)?)?.try_into().ok().map(u64::from_le_bytes)
}
