//! Reads of stack words through one page, so that walking a deep stack costs one read of the process for many frames.

use machine::{MemError, Memory};

const PAGE: u64 = 4096;

/// A window onto memory. Valid while the process is stopped.
pub(crate) struct Words<'a> {
    mem: &'a dyn Memory,
    base: u64,
    page: Vec<u8>,
}

impl<'a> Words<'a> {
    pub(crate) fn new(mem: &'a dyn Memory) -> Words<'a> {
        Words { mem, base: 0, page: Vec::new() }
    }

    /// The 8-byte word at `addr`.
    pub(crate) fn get(&mut self, addr: u64) -> Result<u64, MemError> {
        if let Some(word) = self.cached(addr) {
            return Ok(word);
        }
        let end = addr.checked_add(8).ok_or(MemError::Unmapped(addr))?;
        self.page.resize(PAGE as usize, 0);
        // From the word on: frames are walked towards higher addresses.
        let n = self.mem.read(addr, &mut self.page)?;
        self.page.truncate(n);
        self.base = addr;
        self.cached(addr).ok_or(MemError::Unmapped(end - 8))
    }

    fn cached(&self, addr: u64) -> Option<u64> {
        let start = usize::try_from(addr.checked_sub(self.base)?).ok()?;
        let bytes = self.page.get(start..start.checked_add(8)?)?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    }
}
