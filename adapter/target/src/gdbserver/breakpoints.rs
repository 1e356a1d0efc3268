//! Breakpoints as `Z0` and `z0` packets, all of a change written before the first answer is read.
//!
//! The shadow table knows an int3 before it is in memory and until it is out: if the server dies in the midst of a change, every byte
//! that may be changed is still known.

use super::{connection::ok, driver::Server};
use crate::{NotChanged, TargetError};

impl Server {
    pub(super) fn change(&mut self, clear: &[u64], set: &[u64]) -> Result<Vec<NotChanged>, TargetError> {
        let mut refused = Vec::new();
        let mut asks = Vec::new();
        for &addr in clear {
            if self.lifted == Some(addr) {
                self.lifted = None;
                self.memory.remove(addr);
            } else {
                asks.push((false, addr));
            }
        }
        for &addr in set {
            match self.memory.raw_byte(addr) {
                Some(byte) => {
                    self.memory.add(addr, byte);
                    asks.push((true, addr));
                }
                None => refused.push(NotChanged { addr, why: TargetError::Unmapped(addr) }),
            }
        }
        let packets: Vec<String> = asks.iter().map(|(on, addr)| packet(*on, *addr)).collect();
        let answers = self.connection.ask_all(&packets)?;
        for ((&(on, addr), packet), answer) in asks.iter().zip(&packets).zip(&answers) {
            let done = ok(answer, packet);
            // Set and refused, or cleared: it is not in memory.
            if on == done.is_err() {
                self.memory.remove(addr);
            }
            if let Err(why) = done {
                refused.push(NotChanged { addr, why: if on { TargetError::Unmapped(addr) } else { why } });
            }
        }
        Ok(refused)
    }

    /// Takes every breakpoint out of memory, or puts all in again. The shadow table keeps them.
    pub(super) fn switch_all(&mut self, on: bool) -> Result<(), TargetError> {
        let out = self.lifted.take();
        let packets: Vec<String> = self
            .memory
            .breakpoints()
            .into_iter()
            .filter(|(addr, _)| on || out != Some(*addr))
            .map(|(addr, _)| packet(on, addr))
            .collect();
        let answers = self.connection.ask_all(&packets)?;
        packets.iter().zip(&answers).try_for_each(|(packet, answer)| ok(answer, packet))
    }
}

/// Sets or clears.
pub(super) fn packet(on: bool, addr: u64) -> String {
    format!("{}0,{addr:x},1", if on { 'Z' } else { 'z' })
}
