//! Memory for values that an expression makes (`s + "x"`, `[]byte("abc")`, `T{Name: "a"}`): it lies in the debugger, at addresses that
//! no process can have, and everything that reads the program's memory reads it there. Never written to the program.

use std::sync::{Mutex, PoisonError};

use machine::{MemError, Memory};

/// First address; not canonical on amd64 and arm64, so that no pointer of the program leads here.
const BASE: u64 = 0x00de_b000_0000_0000;

/// Most bytes that one session keeps at a time.
const LIMIT: usize = 64 << 20;

/// The made values of a stop. Cleared when the program runs on.
#[derive(Debug, Default)]
pub struct Scratch {
    bytes: Mutex<Vec<u8>>,
}

impl Scratch {
    pub fn new() -> Scratch {
        Scratch::default()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets everything: addresses given out before are unmapped.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// Bytes in use; the argument of [`Scratch::truncate`].
    pub(crate) fn mark(&self) -> usize {
        self.lock().len()
    }

    /// Forgets what was made after the mark.
    pub(crate) fn truncate(&self, mark: usize) {
        self.lock().truncate(mark);
    }

    /// Keeps `content` and gives its address (aligned to 16); None when there is no room left.
    pub(crate) fn keep(&self, content: &[u8]) -> Option<u64> {
        let mut bytes = self.lock();
        let at = bytes.len().next_multiple_of(16);
        // One byte more, so that an empty value has an address of its own.
        let end = at.checked_add(content.len())?.checked_add(1)?;
        if end > LIMIT {
            return None;
        }
        bytes.resize(at, 0);
        bytes.extend_from_slice(content);
        bytes.push(0);
        Some(BASE + at as u64)
    }

    /// True for addresses that only the debugger knows: they must not be written to the program.
    pub fn contains(addr: u64) -> bool {
        (BASE..BASE + LIMIT as u64).contains(&addr)
    }

    /// The program's memory with the made values in it.
    pub fn over<'a>(&'a self, below: &'a dyn Memory) -> WithScratch<'a> {
        WithScratch { scratch: self, below }
    }
}

/// See [`Scratch::over`].
pub struct WithScratch<'a> {
    scratch: &'a Scratch,
    below: &'a dyn Memory,
}

impl Memory for WithScratch<'_> {
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<usize, MemError> {
        if !Scratch::contains(addr) {
            return self.below.read(addr, buf);
        }
        let bytes = self.scratch.lock();
        let rest = bytes.get((addr - BASE) as usize..).unwrap_or(&[]);
        let n = rest.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..n), rest.get(..n)) {
            to.copy_from_slice(from);
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use machine::{MemoryExt, NoMemory};

    #[test]
    fn what_is_kept_is_read_back_until_it_is_forgotten() {
        let s = Scratch::new();
        let a = s.keep(b"hello").unwrap();
        let mark = s.mark();
        let b = s.keep(b"").unwrap();
        assert_ne!(a, b);
        assert!(Scratch::contains(a) && Scratch::contains(b) && !Scratch::contains(0xc000_0000_0000));
        let mem = s.over(&NoMemory);
        assert_eq!(mem.read_vec(a, 5, 10).unwrap(), b"hello");
        s.truncate(mark);
        assert_eq!(mem.read_u8(b), Err(MemError::Unmapped(b)));
        assert_eq!(mem.read_u8(0x1000), Err(MemError::Unmapped(0x1000)));
        assert!(s.keep(&vec![0; LIMIT]).is_none());
        assert!(s.keep(b"still").is_some());
    }
}
