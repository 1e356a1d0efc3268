//! The memory of a process, a core or a file, as everything above the back ends sees it. Must never panic on garbage.

use thiserror::Error;

/// Why a read failed. `Unmapped` is a fact about the program; the others are facts about us.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MemError {
    #[error("could not read memory at {0:#x}")]
    Unmapped(u64),
    #[error("cancelled")]
    Cancelled,
    #[error("read budget used up")]
    Budget,
    #[error("the debugger is gone: {0}")]
    Lost(String),
}

/// Readable memory. Implementations mask the debugger's own breakpoint bytes, and carry budget and cancellation inside.
pub trait Memory: Send + Sync {
    /// Reads at most `buf.len()` bytes at `addr`; the number read is short only where unmapped memory begins.
    /// `Ok(0)` with a non-empty buffer means that `addr` itself is unmapped.
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<usize, MemError>;
}

/// Typed reads (little endian, 8-byte pointers) over any [`Memory`].
pub trait MemoryExt: Memory {
    /// Fills `buf` or fails with the first address that could not be read.
    fn read_exact(&self, addr: u64, buf: &mut [u8]) -> Result<(), MemError> {
        if addr.checked_add(buf.len() as u64).is_none() {
            return Err(MemError::Unmapped(addr));
        }
        let n = self.read(addr, buf)?;
        if n == buf.len() { Ok(()) } else { Err(MemError::Unmapped(addr + n as u64)) }
    }

    fn read_u8(&self, addr: u64) -> Result<u8, MemError> {
        let mut b = [0; 1];
        self.read_exact(addr, &mut b)?;
        Ok(u8::from_le_bytes(b))
    }

    fn read_u16(&self, addr: u64) -> Result<u16, MemError> {
        let mut b = [0; 2];
        self.read_exact(addr, &mut b)?;
        Ok(u16::from_le_bytes(b))
    }

    fn read_u32(&self, addr: u64) -> Result<u32, MemError> {
        let mut b = [0; 4];
        self.read_exact(addr, &mut b)?;
        Ok(u32::from_le_bytes(b))
    }

    fn read_u64(&self, addr: u64) -> Result<u64, MemError> {
        let mut b = [0; 8];
        self.read_exact(addr, &mut b)?;
        Ok(u64::from_le_bytes(b))
    }

    /// `len` bytes; refuses to allocate more than `limit` (lying lengths in garbage memory).
    fn read_vec(&self, addr: u64, len: usize, limit: usize) -> Result<Vec<u8>, MemError> {
        if len > limit {
            return Err(MemError::Budget);
        }
        let mut v = vec![0; len];
        self.read_exact(addr, &mut v)?;
        Ok(v)
    }
}

impl<M: Memory + ?Sized> MemoryExt for M {}

/// Memory in which nothing is mapped.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMemory;

impl Memory for NoMemory {
    fn read(&self, _addr: u64, _buf: &mut [u8]) -> Result<usize, MemError> {
        Ok(0)
    }
}
