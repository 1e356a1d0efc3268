//! Memory with a page cache, a budget and a cancellation inside: what every look at values reads through.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use machine::{MemError, Memory};
use rustc_hash::FxHashMap;

use crate::Budget;

const PAGE: u64 = 4096;

/// Pages kept at most (32 MB); then the cache begins anew.
const MAX_PAGES: usize = 8192;

/// Reads larger than this go past the cache.
const LARGE: usize = 4 * PAGE as usize;

/// Pages of a stopped process. Valid until it runs or is written to.
#[derive(Default)]
pub struct PageCache {
    pages: Mutex<FxHashMap<u64, Box<[u8]>>>,
}

impl PageCache {
    pub fn new() -> PageCache {
        PageCache::default()
    }

    /// Forgets everything: after the program ran or was written to.
    pub fn clear(&self) {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The memory below, read in pages.
    pub fn over<'a>(&'a self, below: &'a dyn Memory) -> Cached<'a> {
        Cached { cache: self, below }
    }

    fn read(&self, below: &dyn Memory, addr: u64, buf: &mut [u8]) -> Result<usize, MemError> {
        if buf.len() > LARGE {
            return below.read(addr, buf);
        }
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let mut done = 0;
        while done < buf.len() {
            let Some(at) = addr.checked_add(done as u64) else { break };
            let (base, offset) = (at & !(PAGE - 1), (at & (PAGE - 1)) as usize);
            if !pages.contains_key(&base) {
                let mut page = vec![0; PAGE as usize];
                let n = below.read(base, &mut page)?;
                page.truncate(n);
                if pages.len() >= MAX_PAGES {
                    pages.clear();
                }
                pages.insert(base, page.into());
            }
            let page = pages.get(&base).map(|p| &**p).unwrap_or_default();
            // A page that could be read in part only may have been cut at its beginning: ask below for exactly what is wanted.
            if page.len() < PAGE as usize {
                let rest = buf.get_mut(done..).unwrap_or_default();
                return below.read(at, rest).map(|n| done + n);
            }
            let there = page.get(offset..).unwrap_or_default();
            let rest = buf.get_mut(done..).unwrap_or_default();
            let n = there.len().min(rest.len());
            if let (Some(to), Some(from)) = (rest.get_mut(..n), there.get(..n)) {
                to.copy_from_slice(from);
            }
            done += n;
        }
        Ok(done)
    }
}

/// See [`PageCache::over`].
pub struct Cached<'a> {
    cache: &'a PageCache,
    below: &'a dyn Memory,
}

impl Memory for Cached<'_> {
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<usize, MemError> {
        self.cache.read(self.below, addr, buf)
    }
}

/// Memory that stops answering when the budget is used up.
pub(crate) struct Metered<'a> {
    below: &'a dyn Memory,
    budget: &'a Budget,
    cache: PageCache,
    bytes: AtomicU64,
    reads: AtomicU64,
    out: AtomicBool,
}

/// The clock is looked at once in so many reads.
const CLOCK_EVERY: u64 = 32;

impl<'a> Metered<'a> {
    pub(crate) fn new(below: &'a dyn Memory, budget: &'a Budget) -> Metered<'a> {
        Metered {
            below,
            budget,
            cache: PageCache::new(),
            bytes: AtomicU64::new(0),
            reads: AtomicU64::new(0),
            out: AtomicBool::new(false),
        }
    }

    /// True once a read was refused: what follows is cut off.
    pub(crate) fn exhausted(&self) -> bool {
        self.out.load(Ordering::Relaxed)
    }

    fn check(&self, len: usize) -> Result<(), MemError> {
        if self.budget.cancel.as_ref().is_some_and(|c| c.load(Ordering::Relaxed)) {
            return Err(MemError::Cancelled);
        }
        let bytes = self.bytes.fetch_add(len as u64, Ordering::Relaxed);
        if bytes > self.budget.bytes {
            return Err(MemError::Budget);
        }
        let reads = self.reads.fetch_add(1, Ordering::Relaxed);
        let late = || self.budget.deadline.is_some_and(|d| Instant::now() >= d);
        if reads.is_multiple_of(CLOCK_EVERY) && late() { Err(MemError::Budget) } else { Ok(()) }
    }
}

impl Memory for Metered<'_> {
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<usize, MemError> {
        if let Err(e) = self.check(buf.len()) {
            self.out.store(true, Ordering::Relaxed);
            return Err(e);
        }
        self.cache.read(self.below, addr, buf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use machine::MemoryExt;

    /// One and a half pages from 0x1000; counts the reads.
    struct Some(AtomicU64);

    impl Memory for Some {
        fn read(&self, addr: u64, buf: &mut [u8]) -> Result<usize, MemError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            let n = (0..buf.len() as u64).take_while(|i| (0x1000..0x2800).contains(&(addr + i))).count();
            for (i, b) in buf.iter_mut().take(n).enumerate() {
                *b = (addr + i as u64) as u8;
            }
            Ok(n)
        }
    }

    #[test]
    fn pages_are_read_once_and_their_end_is_exact() {
        let below = Some(AtomicU64::new(0));
        let cache = PageCache::new();
        let mem = cache.over(&below);
        assert_eq!(mem.read_u8(0x1005), Ok(5));
        assert_eq!(mem.read_u8(0x1ff0), Ok(0xf0));
        assert_eq!(below.0.load(Ordering::Relaxed), 1);
        assert_eq!(mem.read_u8(0x27ff), Ok(0xff));
        assert_eq!(mem.read_u64(0x27fc), Err(MemError::Unmapped(0x2800)));
        assert_eq!(mem.read_u64(0xffc), Err(MemError::Unmapped(0xffc)));
        assert_eq!(mem.read_u64(u64::MAX - 3), Err(MemError::Unmapped(u64::MAX - 3)));
    }

    #[test]
    fn a_used_up_budget_and_a_cancellation_are_told_apart() {
        let below = Some(AtomicU64::new(0));
        let budget = Budget { bytes: 8, ..Budget::default() };
        let mem = Metered::new(&below, &budget);
        assert!(mem.read_u64(0x1000).is_ok() && mem.read_u64(0x1000).is_ok());
        assert!(!mem.exhausted());
        assert_eq!(mem.read_u64(0x1000), Err(MemError::Budget));
        assert!(mem.exhausted());
        let cancelled = Budget { cancel: Option::Some(AtomicBool::new(true).into()), ..Budget::default() };
        assert_eq!(Metered::new(&below, &cancelled).read_u8(0x1000), Err(MemError::Cancelled));
    }
}
