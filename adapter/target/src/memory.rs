//! Memory of the live process: /proc/PID/mem with our own breakpoint bytes masked, behind a small page cache that every resume drops.
//!
//! The shadow table here is the one truth about breakpoints: address and original byte. A reader must never see an int3 of ours.

use std::{
    collections::BTreeMap,
    fs::File,
    os::unix::fs::FileExt,
    sync::{
        Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use machine::{MemError, Memory};
use rustc_hash::FxHashMap;

const PAGE: usize = 4096;
/// Pages kept: 4 MiB.
const MAX_PAGES: usize = 1024;
/// Longer reads go past the cache.
const MAX_CACHED_READ: usize = 4 * PAGE;

/// The memory of one process; survives its exec.
pub(crate) struct ProcMemory {
    pid: i32,
    file: RwLock<Option<File>>,
    shadow: RwLock<BTreeMap<u64, u8>>,
    cache: Mutex<FxHashMap<u64, Box<[u8; PAGE]>>>,
    /// Changes whenever cached pages become void.
    generation: AtomicU64,
    running: AtomicBool,
    ended: AtomicBool,
}

fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ProcMemory {
    pub(crate) fn open(pid: i32) -> ProcMemory {
        ProcMemory {
            pid,
            file: RwLock::new(open(pid)),
            shadow: RwLock::default(),
            cache: Mutex::default(),
            generation: AtomicU64::new(0),
            running: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        }
    }

    /// The process runs: nothing may be kept.
    pub(crate) fn set_running(&self, running: bool) {
        self.running.store(running, Ordering::SeqCst);
        self.drop_cache();
    }

    pub(crate) fn drop_cache(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
        lock(&self.cache).clear();
    }

    /// The process is gone; reads say so from now on.
    pub(crate) fn set_ended(&self) {
        self.ended.store(true, Ordering::SeqCst);
        self.drop_cache();
    }

    /// A new program in the same process: another address space, no breakpoints.
    pub(crate) fn exec(&self) {
        *self.file.write().unwrap_or_else(PoisonError::into_inner) = open(self.pid);
        self.shadow.write().unwrap_or_else(PoisonError::into_inner).clear();
        self.drop_cache();
    }

    // ---- the shadow table

    /// Notes a breakpoint before its int3 is written. `false`: there was one already.
    pub(crate) fn add(&self, addr: u64, original: u8) -> bool {
        self.shadow.write().unwrap_or_else(PoisonError::into_inner).insert(addr, original).is_none()
    }

    /// Forgets a breakpoint after its original byte is back in place.
    pub(crate) fn remove(&self, addr: u64) {
        self.shadow.write().unwrap_or_else(PoisonError::into_inner).remove(&addr);
    }

    pub(crate) fn original(&self, addr: u64) -> Option<u8> {
        self.shadow.read().unwrap_or_else(PoisonError::into_inner).get(&addr).copied()
    }

    /// Every breakpoint with its original byte.
    pub(crate) fn breakpoints(&self) -> Vec<(u64, u8)> {
        self.shadow.read().unwrap_or_else(PoisonError::into_inner).iter().map(|(a, b)| (*a, *b)).collect()
    }

    /// After a write of the program's bytes: those under breakpoints become the originals.
    pub(crate) fn note_write(&self, addr: u64, bytes: &[u8]) {
        let end = addr.saturating_add(bytes.len() as u64);
        let mut shadow = self.shadow.write().unwrap_or_else(PoisonError::into_inner);
        for (a, original) in shadow.range_mut(addr..end) {
            if let Some(b) = bytes.get((a - addr) as usize) {
                *original = *b;
            }
        }
        drop(shadow);
        self.drop_cache();
    }

    /// Writes through /proc/PID/mem, also to read-only pages where the kernel lets us. `false`: refused or not mapped.
    pub(crate) fn write_raw(&self, addr: u64, bytes: &[u8]) -> bool {
        let file = self.file.read().unwrap_or_else(PoisonError::into_inner);
        file.as_ref().is_some_and(|f| f.write_all_at(bytes, addr).is_ok())
    }

    /// One byte as it is in memory, int3 or not.
    pub(crate) fn raw_byte(&self, addr: u64) -> Option<u8> {
        let mut byte = [0];
        (self.read_raw(addr, &mut byte) == 1).then(|| byte[0])
    }

    // ---- reading

    fn read_raw(&self, addr: u64, buf: &mut [u8]) -> usize {
        let file = self.file.read().unwrap_or_else(PoisonError::into_inner);
        let Some(file) = file.as_ref() else { return 0 };
        let mut done = 0;
        while let Some(rest) = buf.get_mut(done..).filter(|r| !r.is_empty()) {
            match file.read_at(rest, addr.wrapping_add(done as u64)) {
                Ok(n) if n > 0 => done += n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                // A read that begins in a mapped page and reaches an unmapped one is short; the next begins unmapped and fails.
                _ => break,
            }
        }
        done
    }

    /// Reads past the cache, masked. The table is locked across read and mask: no breakpoint can come or go between.
    fn read_masked(&self, addr: u64, buf: &mut [u8]) -> usize {
        let shadow = self.shadow.read().unwrap_or_else(PoisonError::into_inner);
        let n = self.read_raw(addr, buf);
        for (a, original) in shadow.range(addr..addr.saturating_add(n as u64)) {
            if let Some(b) = buf.get_mut((a - addr) as usize) {
                *b = *original;
            }
        }
        n
    }

    /// One page's part, from the cache or the kernel.
    fn read_page(&self, addr: u64, buf: &mut [u8]) -> usize {
        let at = (addr % PAGE as u64) as usize;
        let page = addr - at as u64;
        let copy = |bytes: &[u8; PAGE], buf: &mut [u8]| {
            let from = bytes.get(at..at + buf.len()).unwrap_or_default();
            buf.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            from.len()
        };
        if let Some(bytes) = lock(&self.cache).get(&page) {
            return copy(bytes, buf);
        }
        let generation = self.generation.load(Ordering::SeqCst);
        let mut bytes = Box::new([0; PAGE]);
        if self.read_masked(page, &mut bytes[..]) < PAGE {
            return self.read_masked(addr, buf);
        }
        let n = copy(&bytes, buf);
        let mut cache = lock(&self.cache);
        if self.generation.load(Ordering::SeqCst) == generation && !self.running.load(Ordering::SeqCst) {
            if cache.len() >= MAX_PAGES {
                cache.clear();
            }
            cache.insert(page, bytes);
        }
        n
    }
}

impl Memory for ProcMemory {
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<usize, MemError> {
        if self.ended.load(Ordering::SeqCst) {
            return Err(MemError::Lost("the program has ended".into()));
        }
        if buf.len() > MAX_CACHED_READ || self.running.load(Ordering::SeqCst) {
            return Ok(self.read_masked(addr, buf));
        }
        let mut done = 0;
        while done < buf.len() {
            let Some(at) = addr.checked_add(done as u64) else { break };
            let part = (PAGE - (at % PAGE as u64) as usize).min(buf.len() - done);
            let n = self.read_page(at, buf.get_mut(done..done + part).unwrap_or_default());
            done += n;
            if n < part {
                break;
            }
        }
        Ok(done)
    }
}

/// Writable where allowed: only a lost server's breakpoints and data need that.
fn open(pid: i32) -> Option<File> {
    let path = format!("/proc/{pid}/mem");
    File::options().read(true).write(true).open(&path).or_else(|_| File::open(&path)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_memory_is_read_masked_and_written_under_the_mask() {
        let bytes = Box::new([7u8; 3 * PAGE]);
        let addr = bytes.as_ptr() as u64;
        let m = ProcMemory::open(std::process::id() as i32);
        let mut buf = [0; 16];
        assert!(m.add(addr + 3, 0xaa) && !m.add(addr + 3, 0xaa));
        assert_eq!(m.read(addr, &mut buf), Ok(16));
        assert_eq!((buf[2], buf[3], buf[4]), (7, 0xaa, 7));
        m.note_write(addr, &[1, 2, 3, 4]);
        m.read(addr, &mut buf).unwrap();
        assert_eq!((buf[2], buf[3]), (7, 4));
        m.remove(addr + 3);
        m.drop_cache();
        m.read(addr, &mut buf).unwrap();
        assert_eq!(buf[3], 7);
        let mut long = vec![0; 3 * PAGE];
        assert_eq!(m.read(addr, &mut long), Ok(3 * PAGE));
        drop(bytes);
    }

    #[test]
    fn unmapped_addresses_read_nothing_and_wild_ones_do_not_overflow() {
        let m = ProcMemory::open(std::process::id() as i32);
        let mut buf = [0; 64];
        for addr in [0, 8, 4095, u64::MAX, u64::MAX - 7, 1 << 63, 0x7fff_ffff_f000] {
            assert_eq!(m.read(addr, &mut buf), Ok(0), "{addr:#x}");
        }
        m.set_ended();
        assert!(matches!(m.read(0, &mut buf), Err(MemError::Lost(_))));
    }
}
