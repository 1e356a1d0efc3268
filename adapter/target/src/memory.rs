//! The memory of a live process through /proc/PID/mem, with our own breakpoint bytes masked by a shadow table.

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    os::unix::fs::FileExt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use machine::{MemError, Memory};

/// int3.
pub(crate) const INT3: u8 = 0xcc;
const PAGE: u64 = 4096;
/// Pages kept between two resumes: 16 MiB.
const MAX_PAGES: usize = 4096;

/// Breakpoint address -> the byte that belongs there.
pub(crate) type Shadow = Arc<Mutex<BTreeMap<u64, u8>>>;

pub(crate) fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Memory of a process; a page cache that [`ProcMemory::forget`] empties at each resume.
pub(crate) struct ProcMemory {
    file: File,
    shadow: Shadow,
    pages: Mutex<HashMap<u64, Option<Box<[u8]>>>>,
}

impl ProcMemory {
    pub(crate) fn open(pid: i32, shadow: Shadow) -> std::io::Result<ProcMemory> {
        let path = format!("/proc/{pid}/mem");
        let file = File::options().read(true).write(true).open(&path).or_else(|_| File::open(&path))?;
        Ok(ProcMemory { file, shadow, pages: Mutex::default() })
    }

    /// What was read is void: the program runs.
    pub(crate) fn forget(&self) {
        lock(&self.pages).clear();
    }

    /// The byte in memory, masked or not.
    pub(crate) fn raw_byte(&self, addr: u64) -> Option<u8> {
        let mut b = [0; 1];
        self.file.read_exact_at(&mut b, addr).ok()?;
        Some(u8::from_le_bytes(b))
    }

    /// Writes as they are, also to read-only pages where the kernel lets a debugger.
    pub(crate) fn write_raw(&self, addr: u64, bytes: &[u8]) -> std::io::Result<()> {
        lock(&self.pages).clear();
        self.file.write_all_at(bytes, addr)
    }

    /// Splits a write: bytes under a breakpoint go to the shadow table, the others are returned as runs to write.
    pub(crate) fn divert_shadowed(&self, addr: u64, bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
        let mut shadow = lock(&self.shadow);
        let mut runs: Vec<(u64, Vec<u8>)> = Vec::new();
        for (i, b) in bytes.iter().enumerate() {
            let at = addr.wrapping_add(i as u64);
            if let Some(saved) = shadow.get_mut(&at) {
                *saved = *b;
                continue;
            }
            match runs.last_mut() {
                Some((start, run)) if start.wrapping_add(run.len() as u64) == at => run.push(*b),
                _ => runs.push((at, vec![*b])),
            }
        }
        runs
    }

    fn page(&self, base: u64) -> Option<Box<[u8]>> {
        let mut buf = vec![0; PAGE as usize];
        self.file.read_exact_at(&mut buf, base).ok()?;
        for (addr, byte) in lock(&self.shadow).range(base..base.saturating_add(PAGE)) {
            if let Some(slot) = buf.get_mut((addr - base) as usize) {
                *slot = *byte;
            }
        }
        Some(buf.into())
    }
}

impl Memory for ProcMemory {
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<usize, MemError> {
        let mut done = 0;
        let mut pages = lock(&self.pages);
        while done < buf.len() {
            let Some(at) = addr.checked_add(done as u64) else { break };
            let base = at & !(PAGE - 1);
            if pages.len() >= MAX_PAGES {
                pages.clear();
            }
            let page = pages.entry(base).or_insert_with(|| self.page(base));
            let Some(bytes) = page.as_ref().and_then(|p| p.get((at - base) as usize..)) else { break };
            let Some(out) = buf.get_mut(done..) else { break };
            let n = out.len().min(bytes.len());
            for (o, b) in out.iter_mut().zip(bytes) {
                *o = *b;
            }
            done += n;
        }
        Ok(done)
    }
}
