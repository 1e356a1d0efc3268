//! `.go.buildinfo` (debug/buildinfo): version, module and settings. Must never trust a length.

use crate::elf::Elf;
use crate::elf::file::LazyFile;
use crate::{BuildInfo, GoVersion};

const MAGIC: &[u8] = b"\xff Go buildinf:";
/// Version and module text together; real ones have a few KB.
const MAX: u64 = 4 << 20;
/// Sentinels around the module text (runtime/debug/mod.go).
const SENTINEL: usize = 16;

/// Where the blob begins in the file: its section, or a 16-byte aligned scan of the writable segments.
fn find(elf: &Elf, file: &LazyFile) -> Option<(u64, u64)> {
    if let Some(s) = elf.section(".go.buildinfo") {
        return Some((s.offset, s.size));
    }
    for s in elf.segments.iter().filter(|s| s.writable) {
        let len = s.file_size.min(1 << 20);
        let bytes = file.bytes(s.offset, len)?;
        if let Some(n) = bytes.chunks(16).position(|c| c.starts_with(MAGIC)) {
            let at = n as u64 * 16;
            return Some((s.offset.checked_add(at)?, s.file_size.saturating_sub(at)));
        }
    }
    None
}

fn varint(bytes: &[u8], at: &mut usize) -> Option<usize> {
    let mut value = 0u64;
    for shift in (0..63).step_by(7) {
        let b = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(b & 0x7f) << shift;
        if b & 0x80 == 0 {
            return usize::try_from(value).ok();
        }
    }
    None
}

/// The build information; None if the file has none.
pub(crate) fn read(elf: &Elf, file: &LazyFile) -> Option<BuildInfo> {
    let (offset, size) = find(elf, file)?;
    parse(file.bytes(offset, size.min(MAX))?)
}

fn parse(blob: &[u8]) -> Option<BuildInfo> {
    if !blob.starts_with(MAGIC) {
        return None;
    }
    // Bit 1: strings inline (Go 1.18 and newer). Older programs are refused by the caller for want of a version.
    if blob.get(15)? & 2 == 0 {
        return Some(BuildInfo::default());
    }
    let mut at = 32;
    let mut string = || {
        let len = varint(blob, &mut at)?;
        let s = blob.get(at..at.checked_add(len)?)?;
        at += len;
        Some(s)
    };
    let mut info =
        BuildInfo { go_version: String::from_utf8_lossy(string()?).into_owned(), ..BuildInfo::default() };
    let module = string().unwrap_or(&[]);
    if let Some(text) = module.get(SENTINEL..module.len().saturating_sub(SENTINEL)) {
        read_module(&String::from_utf8_lossy(text), &mut info);
    }
    Some(info)
}

/// Lines `path\tP`, `mod\tM\tV...`, `build\tKEY=VALUE` (runtime/debug.ParseBuildInfo).
fn read_module(text: &str, info: &mut BuildInfo) {
    for line in text.lines() {
        match line.split_once('\t') {
            Some(("path", p)) => info.main_path = p.to_string(),
            Some(("mod", m)) => info.main_module = m.split('\t').next().unwrap_or(m).to_string(),
            Some(("build", setting)) => {
                if let Some((k, v)) = setting.split_once('=') {
                    info.settings.push((unquote(k), unquote(v)));
                }
            }
            _ => {}
        }
    }
}

fn unquote(s: &str) -> String {
    match s.strip_prefix('"').and_then(|s| s.strip_suffix('"')) {
        Some(inner) => inner.replace("\\\"", "\"").replace("\\\\", "\\"),
        None => s.to_string(),
    }
}

/// `go1.26.6`, `go1.27rc1`, `go1.26.6 X:nodwarf5`, `devel go1.28-abcdef ...`.
pub(crate) fn version(text: &str) -> Option<GoVersion> {
    let at = text.find("go1.")?;
    let mut numbers = text.get(at + 2..)?.split('.').map(|part| {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        (part.get(..end).and_then(|d| d.parse().ok()), end == part.len())
    });
    let (major, _) = numbers.next()?;
    let (minor, whole) = numbers.next()?;
    // `1.27rc1` ends the version at the minor number.
    let patch = if whole { numbers.next().and_then(|n| n.0).unwrap_or(0) } else { 0 };
    Some(GoVersion { major: major?, minor: minor?, patch })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_all_spellings() {
        let v = |s: &str| version(s).map(|v| (v.major, v.minor, v.patch));
        assert_eq!(v("go1.26.6"), Some((1, 26, 6)));
        assert_eq!(v("go1.21"), Some((1, 21, 0)));
        assert_eq!(v("go1.27rc1"), Some((1, 27, 0)));
        assert_eq!(v("go1.26.6 X:nodwarf5"), Some((1, 26, 6)));
        assert_eq!(v("devel go1.28-abc Mon"), Some((1, 28, 0)));
        assert_eq!(v("go2"), None);
        assert_eq!(v(""), None);
    }

    #[test]
    fn lying_lengths_are_refused() {
        let mut blob = MAGIC.to_vec();
        blob.extend([8, 2]);
        blob.resize(32, 0);
        assert!(parse(&blob).is_none());
        blob.extend([0xff; 10]);
        assert!(parse(&blob).is_none());
        blob.truncate(32);
        blob.push(8);
        blob.extend(b"go1.27.3");
        assert_eq!(parse(&blob).map(|i| i.go_version), Some("go1.27.3".to_string()));
    }
}
