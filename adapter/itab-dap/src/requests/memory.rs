//! `readMemory`, `writeMemory`: bytes by address, in base64.

use wire::{Responder, requests as rq, types as t};

use crate::{error::Refused, requests::breakpoints::parse_address, session::Session};

/// Bytes in one answer of `readMemory`, at most.
const MAX_BYTES: i64 = 1 << 20;

impl Session {
    pub(crate) fn on_read_memory(&mut self, a: t::ReadMemoryArguments, r: Responder<rq::ReadMemory>) {
        r.answer(self.read_memory(&a).map_err(Into::into));
    }

    fn read_memory(&mut self, a: &t::ReadMemoryArguments) -> Result<t::ReadMemoryResponse, Refused> {
        let base = parse_address(&a.memory_reference)
            .ok_or_else(|| Refused::ReadMemory(format!("{:?} is not an address", a.memory_reference)))?;
        let addr = base.wrapping_add_signed(a.offset.unwrap_or(0));
        let count = a.count.clamp(0, MAX_BYTES) as usize;
        let Some(inf) = self.inferior.as_ref() else { return Err(Refused::Ended) };
        let mut buf = vec![0; count];
        let n = inf.memory().read(addr, &mut buf).map_err(|e| Refused::ReadMemory(e.to_string()))?;
        buf.truncate(n);
        let missing = count - n;
        Ok(t::ReadMemoryResponse {
            address: format!("{addr:#x}"),
            unreadable_bytes: (missing > 0).then_some(missing as i64),
            data: (n > 0).then(|| base64(&buf)),
        })
    }

    pub(crate) fn on_write_memory(&mut self, a: t::WriteMemoryArguments, r: Responder<rq::WriteMemory>) {
        let body = self.write_bytes(&a);
        let changed = body.is_ok();
        r.answer(body.map_err(Into::into));
        if changed {
            self.invalidate_variables();
        }
    }

    fn write_bytes(&mut self, a: &t::WriteMemoryArguments) -> Result<t::WriteMemoryResponse, Refused> {
        let base = parse_address(&a.memory_reference)
            .ok_or_else(|| Refused::WriteMemory(format!("{:?} is not an address", a.memory_reference)))?;
        let addr = base.wrapping_add_signed(a.offset.unwrap_or(0));
        let bytes = from_base64(&a.data).ok_or_else(|| Refused::WriteMemory("data is not base64".into()))?;
        if bytes.is_empty() {
            return Err(Refused::WriteMemory("empty data".into()));
        }
        let Some(inf) = self.inferior.as_mut() else { return Err(Refused::Ended) };
        // All or nothing: a part that is not mapped is found before the first byte is written.
        let mut now = vec![0; bytes.len()];
        let there = inf.memory().read(addr, &mut now).unwrap_or(0);
        let partial = a.allow_partial == Some(true);
        if there == 0 || there < bytes.len() && !partial {
            let text =
                format!("only {there} of {} bytes at {addr:#x} are memory of the program", bytes.len());
            return Err(Refused::WriteMemory(text));
        }
        let written = bytes.get(..there).unwrap_or(&bytes);
        inf.write_memory(addr, written).map_err(|e| Refused::WriteMemory(e.to_string()))?;
        Ok(t::WriteMemoryResponse { bytes_written: Some(written.len() as i64), offset: partial.then_some(0) })
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// RFC 4648 base64 with padding, as `readMemory` wants it.
fn base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let n = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            let index = (n >> (18 - 6 * i) & 63) as usize;
            let letter = ALPHABET.get(index).copied().unwrap_or(b'=');
            out.push(if i <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

/// The bytes of base64 with or without padding; `None` if it is none.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0u32, 0);
    for letter in text.bytes() {
        let n = ALPHABET.iter().position(|l| *l == letter)?;
        bits = bits << 6 | n as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    (count < 6 && bits == 0).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_pads() {
        assert_eq!(base64(b""), "");
        assert_eq!(base64(b"f"), "Zg==");
        assert_eq!(base64(b"fo"), "Zm8=");
        assert_eq!(base64(b"foo"), "Zm9v");
        assert_eq!(base64(b"foobar"), "Zm9vYmFy");
    }

    #[test]
    fn base64_comes_back() {
        for bytes in [&b""[..], b"f", b"fo", b"foo", b"foob", &[0, 255, 128, 7]] {
            assert_eq!(from_base64(&base64(bytes)).as_deref(), Some(bytes));
        }
        assert_eq!(from_base64("Zg"), Some(b"f".to_vec()));
        for bad in ["Z", "Zh==", "Z!==", "=Zg="] {
            assert_eq!(from_base64(bad), None, "{bad}");
        }
    }
}
