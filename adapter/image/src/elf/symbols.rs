//! `.symtab`: names and addresses that the linker kept. Absent in stripped programs; nothing may depend on it alone.

use rustc_hash::FxHashMap;

use super::file::LazyFile;
use super::{Elf, le_u32, le_u64};

/// One symbol of a function or of data, link address.
#[derive(Clone, Copy, Debug)]
struct Symbol {
    name: u32,
    addr: u64,
    size: u64,
}

/// The symbol table, indexed once on first use.
pub(crate) struct Symbols {
    /// Offset and size of the string table in the file.
    strings: (u64, u64),
    /// Sorted by address.
    by_addr: Vec<Symbol>,
    /// Hash of the name -> indexes in `by_addr`.
    by_name: FxHashMap<u64, u32>,
}

/// More symbols than this are a lie (a large program has 100,000).
const MAX_SYMBOLS: usize = 8 << 20;
const MAX_NAME: u64 = 1 << 16;

fn hash(name: &[u8]) -> u64 {
    use std::hash::Hasher;
    let mut h = rustc_hash::FxHasher::default();
    h.write(name);
    h.finish()
}

impl Symbols {
    pub(crate) fn read(elf: &Elf, file: &LazyFile) -> Symbols {
        let mut out = Symbols { strings: (0, 0), by_addr: Vec::new(), by_name: FxHashMap::default() };
        let Some(table) = elf.section(".symtab") else { return out };
        let Some(strings) = elf.sections.get(table.link as usize) else { return out };
        out.strings = (strings.offset, strings.size);
        let Some(bytes) = file.bytes(table.offset, table.size) else { return out };
        for s in bytes.chunks_exact(24).take(MAX_SYMBOLS) {
            let (Some(name), Some(addr), Some(size)) = (le_u32(s, 0), le_u64(s, 8), le_u64(s, 16)) else {
                break;
            };
            let section = s.get(6..8).and_then(|b| b.try_into().ok()).map_or(0, u16::from_le_bytes);
            // Undefined symbols, sections and files have no place.
            let kind = s.get(4).map_or(0, |b| b & 15);
            if section == 0 || name == 0 || kind == 3 || kind == 4 {
                continue;
            }
            out.by_addr.push(Symbol { name, addr, size });
        }
        out.by_addr.sort_by_key(|s| (s.addr, s.size));
        let index: Vec<u64> =
            out.by_addr.iter().map(|s| out.name(s, file).map_or(0, |n| hash(n.as_bytes()))).collect();
        out.by_name = index.iter().enumerate().map(|(i, h)| (*h, i as u32)).collect();
        out
    }

    fn name<'a>(&self, s: &Symbol, file: &'a LazyFile) -> Option<&'a str> {
        use object::read::ReadRef;
        let at = self.strings.0.checked_add(u64::from(s.name))?;
        let end = self.strings.0.checked_add(self.strings.1)?.min(at.saturating_add(MAX_NAME));
        std::str::from_utf8(file.read_bytes_at_until(at..end, 0).ok()?).ok()
    }

    /// Link address and size of the symbol with exactly this name.
    pub(crate) fn find(&self, name: &str, file: &LazyFile) -> Option<(u64, u64)> {
        let s = self.by_addr.get(*self.by_name.get(&hash(name.as_bytes()))? as usize)?;
        (self.name(s, file)? == name).then_some((s.addr, s.size))
    }

    /// Names and link addresses of the symbols that begin like this.
    pub(crate) fn starting<'a>(
        &'a self,
        prefix: &'a str,
        file: &'a LazyFile,
    ) -> impl Iterator<Item = (&'a str, u64)> {
        let all = self.by_addr.iter().filter_map(|s| Some((self.name(s, file)?, s.addr)));
        all.filter(move |(name, _)| name.starts_with(prefix))
    }

    /// The symbol that covers the link address: name, offset.
    pub(crate) fn at<'a>(&self, addr: u64, file: &'a LazyFile) -> Option<(&'a str, u64)> {
        let mut i = self.by_addr.partition_point(|s| s.addr <= addr);
        // A few symbols of size 0 (runtime.text, runtime.end, ...) may stand between.
        for _ in 0..8 {
            i = i.checked_sub(1)?;
            let s = self.by_addr.get(i)?;
            if addr - s.addr < s.size {
                return Some((self.name(s, file)?, addr - s.addr));
            }
        }
        None
    }
}
