//! Copy-on-write memory: reads fall through to what lies below, writes stay here. The interpreter's and the evaluator's
//! scratch pad; nothing written here can ever reach the program.

use std::collections::BTreeMap;

use crate::{MemError, Memory};

/// Bytes written over a lower memory, keyed by address.
pub struct Overlay<'a> {
    below: &'a dyn Memory,
    written: BTreeMap<u64, u8>,
}

impl<'a> Overlay<'a> {
    pub fn new(below: &'a dyn Memory) -> Self {
        Overlay { below, written: BTreeMap::new() }
    }

    pub fn write(&mut self, addr: u64, bytes: &[u8]) {
        for (i, b) in bytes.iter().enumerate() {
            self.written.insert(addr.wrapping_add(i as u64), *b);
        }
    }
}

impl Memory for Overlay<'_> {
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<usize, MemError> {
        let mut n = self.below.read(addr, buf)?;
        let end = addr.saturating_add(buf.len() as u64);
        for (&a, &b) in self.written.range(addr..end) {
            let i = (a - addr) as usize;
            if let Some(slot) = buf.get_mut(i) {
                *slot = b;
            }
            if i == n {
                n += 1;
            }
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemoryExt, NoMemory};

    #[test]
    fn written_bytes_are_read_back_and_the_rest_stays_unmapped() {
        let mut o = Overlay::new(&NoMemory);
        o.write(0x1000, &[1, 2, 3, 4]);
        assert_eq!(o.read_u32(0x1000), Ok(0x0403_0201));
        assert_eq!(o.read_u64(0x1000), Err(MemError::Unmapped(0x1004)));
    }
}
