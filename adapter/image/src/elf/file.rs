//! The file, read lazily: an anonymous mapping as long as the file, whose pages are filled by `pread` when first touched.
//!
//! A plain mapping of the file would kill us with SIGBUS when somebody truncates or rebuilds it in place. Here a page that
//! can't be read any more stays zero and the file is marked as changed; what was read before stays as it was.
//! Must never hand out bytes of a page that is not filled, nor write to one that is.

use std::fs::{File, Metadata};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use memmap2::{MmapOptions, MmapRaw};
use object::read::ReadRef;

/// Bytes that one `pread` brings in.
const PAGE: usize = 32 << 10;

/// What tells a rebuilt file from the one that was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(m: &Metadata) -> Stamp {
        Stamp { device: m.dev(), inode: m.ino(), size: m.len(), modified: (m.mtime(), m.mtime_nsec()) }
    }
}

/// A file whose bytes appear on demand.
pub(crate) struct LazyFile {
    file: File,
    stamp: Stamp,
    map: MmapRaw,
    len: usize,
    pages: Box<[Once]>,
    changed: AtomicBool,
}

impl LazyFile {
    /// Opens a regular file that is not empty.
    pub(crate) fn open(path: &Path) -> std::io::Result<LazyFile> {
        let refuse = |why: &str| Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, why.to_string()));
        // Asked before the open: opening a FIFO would wait for its writer.
        if !std::fs::metadata(path)?.is_file() {
            return refuse("not a regular file");
        }
        let file = File::open(path)?;
        let stamp = Stamp::of(&file.metadata()?);
        let Ok(len) = usize::try_from(stamp.size) else { return refuse("too large") };
        if len == 0 {
            return refuse("the file is empty");
        }
        let map = MmapRaw::from(MmapOptions::new().len(len).no_reserve_swap().map_anon()?);
        let pages = (0..len.div_ceil(PAGE)).map(|_| Once::new()).collect();
        Ok(LazyFile { file, stamp, map, len, pages, changed: AtomicBool::new(false) })
    }

    pub(crate) fn len(&self) -> u64 {
        self.len as u64
    }

    /// True once a read found the open file truncated or rewritten.
    pub(crate) fn changed(&self) -> bool {
        self.changed.load(Ordering::Relaxed)
    }

    /// True if `path` is not the file any more that was opened.
    pub(crate) fn is_stale(&self, path: &Path) -> bool {
        self.changed() || std::fs::metadata(path).map_or(true, |m| Stamp::of(&m) != self.stamp)
    }

    /// `len` bytes at `offset`; None when they are not all inside the file.
    pub(crate) fn bytes(&self, offset: u64, len: u64) -> Option<&[u8]> {
        let start = usize::try_from(offset).ok()?;
        let len = usize::try_from(len).ok()?;
        let end = start.checked_add(len).filter(|e| *e <= self.len)?;
        if len == 0 {
            return Some(&[]);
        }
        for page in start / PAGE..=(end - 1) / PAGE {
            let once = self.pages.get(page)?;
            if !once.is_completed() {
                once.call_once(|| self.fill(page));
            }
        }
        // SAFETY: start..end lies inside the mapping, whose pages in this range are filled and never written again;
        // the mapping lives as long as `self`.
        Some(unsafe { std::slice::from_raw_parts(self.map.as_ptr().add(start), len) })
    }

    fn fill(&self, page: usize) {
        let start = page * PAGE;
        let len = PAGE.min(self.len - start);
        let same = self.file.metadata().is_ok_and(|m| {
            let now = Stamp::of(&m);
            now.size == self.stamp.size && now.modified == self.stamp.modified
        });
        if !same {
            self.changed.store(true, Ordering::Relaxed);
            return;
        }
        // SAFETY: the range lies inside the mapping; only the one call under this page's `Once` ever writes it, and
        // nobody gets a reference to it before that call is over.
        let buf = unsafe { std::slice::from_raw_parts_mut(self.map.as_mut_ptr().add(start), len) };
        if self.file.read_exact_at(buf, start as u64).is_err() {
            buf.fill(0);
            self.changed.store(true, Ordering::Relaxed);
        }
    }
}

impl<'a> ReadRef<'a> for &'a LazyFile {
    fn len(self) -> Result<u64, ()> {
        Ok(LazyFile::len(self))
    }

    fn read_bytes_at(self, offset: u64, size: u64) -> Result<&'a [u8], ()> {
        self.bytes(offset, size).ok_or(())
    }

    fn read_bytes_at_until(self, range: std::ops::Range<u64>, delimiter: u8) -> Result<&'a [u8], ()> {
        let mut window = 256;
        let all = range.end.checked_sub(range.start).ok_or(())?;
        loop {
            let len = all.min(window);
            let bytes = self.bytes(range.start, len).ok_or(())?;
            if let Some(n) = bytes.iter().position(|b| *b == delimiter) {
                return bytes.get(..n).ok_or(());
            }
            if len == all {
                return Err(());
            }
            window *= 4;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_file_truncated_while_open_reads_as_zero_and_is_marked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, vec![7u8; 5 * PAGE]).unwrap();
        let f = LazyFile::open(&path).unwrap();
        assert_eq!(f.bytes(10, 4), Some(&[7u8; 4][..]));
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(100).unwrap();
        assert_eq!(f.bytes(4 * PAGE as u64, 2), Some(&[0u8, 0][..]));
        assert!(f.changed());
        assert_eq!(f.bytes(10, 4), Some(&[7u8; 4][..]), "what was read before stays");
        assert!(f.bytes(5 * PAGE as u64 - 1, 2).is_none());
        assert!(f.bytes(u64::MAX, 2).is_none());
    }

    #[test]
    fn a_rebuilt_file_is_stale() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, b"one").unwrap();
        let f = LazyFile::open(&path).unwrap();
        assert!(!f.is_stale(&path));
        std::fs::remove_file(&path).unwrap();
        std::fs::File::create(&path).unwrap().write_all(b"two and more").unwrap();
        assert!(f.is_stale(&path));
        assert_eq!(f.bytes(0, 3), Some(&b"one"[..]), "the open file is the old one");
    }
}
