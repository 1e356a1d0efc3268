//! Numbers, bools, strings, unsafe.Pointer, channels and functions.

use golang::{Place, Value};
use image::{Kind, Type};
use machine::MemoryExt;

use super::quote::quote_truncated;
use super::{Style, Text};
use crate::viewer::Viewer;

/// Little-endian number of at most 8 bytes.
fn unsigned(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b))
}

fn sign_extend(n: u64, size: usize) -> i64 {
    let shift = 64usize.saturating_sub(size * 8).min(63) as u32;
    (n << shift).cast_signed() >> shift
}

/// As strconv.FormatFloat(f, 'f', -1, 64) does.
fn float(f: f64) -> String {
    if f.is_nan() {
        "NaN".into()
    } else if f.is_infinite() {
        if f > 0.0 { "+Inf".into() } else { "-Inf".into() }
    } else {
        f.to_string()
    }
}

fn float32(f: f32) -> String {
    if f.is_finite() { f.to_string() } else { float(f64::from(f)) }
}

fn f32_at(b: &[u8], at: usize) -> f32 {
    b.get(at..at + 4).map_or(0.0, |b| f32::from_bits(unsigned(b) as u32))
}

fn f64_at(b: &[u8], at: usize) -> f64 {
    b.get(at..at + 8).map_or(0.0, |b| f64::from_bits(unsigned(b)))
}

/// The text of a number's bytes; None for other kinds.
fn number(kind: Kind, b: &[u8]) -> Option<String> {
    Some(match kind {
        Kind::Int | Kind::Int8 | Kind::Int16 | Kind::Int32 | Kind::Int64 => {
            sign_extend(unsigned(b), b.len()).to_string()
        }
        Kind::Uint | Kind::Uint8 | Kind::Uint16 | Kind::Uint32 | Kind::Uint64 | Kind::Uintptr => {
            unsigned(b).to_string()
        }
        Kind::Float32 => float32(f32_at(b, 0)),
        Kind::Float64 => float(f64_at(b, 0)),
        Kind::Complex64 => format!("({} + {}i)", float32(f32_at(b, 0)), float32(f32_at(b, 4))),
        Kind::Complex128 => format!("({} + {}i)", float(f64_at(b, 0)), float(f64_at(b, 8))),
        Kind::Bool => b.iter().any(|b| *b != 0).to_string(),
        _ => return None,
    })
}

fn is_unsigned(kind: Kind) -> bool {
    matches!(kind, Kind::Uint | Kind::Uint8 | Kind::Uint16 | Kind::Uint32 | Kind::Uint64 | Kind::Uintptr)
}

fn is_integer(kind: Kind) -> bool {
    is_unsigned(kind) || matches!(kind, Kind::Int | Kind::Int8 | Kind::Int16 | Kind::Int32 | Kind::Int64)
}

/// ` = 0xff` behind an unsigned number that is the whole value.
pub(crate) fn hexadecimal(viewer: &Viewer<'_>, v: &Value) -> Option<String> {
    let ty = viewer.ty(v.ty).ok().filter(|t| is_unsigned(t.kind) && t.size <= 8)?;
    let b = golang::bytes(viewer.process, v, 0, ty.size as usize).ok()?;
    Some(format!(" = {:#x}", unsigned(&b)))
}

impl Text<'_> {
    pub(super) fn basic(&mut self, v: &Value, ty: &Type) -> Result<(), String> {
        if ty.size > 16 {
            return Err(format!("a {:?} of {} bytes", ty.kind, ty.size));
        }
        let b = golang::bytes(self.viewer.process, v, 0, ty.size as usize)?;
        let text = number(ty.kind, &b).ok_or_else(|| format!("unknown kind of {}", ty.name))?;
        if is_integer(ty.kind) && ty.named && ty.name.contains('.') {
            let n = if is_unsigned(ty.kind) {
                i128::from(unsigned(&b))
            } else {
                i128::from(sign_extend(unsigned(&b), b.len()))
            };
            if let Some(name) = super::constants::name_of(self.viewer, v.ty, ty, n) {
                self.push(&format!("{name} ({text})"));
                return Ok(());
            }
        }
        self.push(&text);
        Ok(())
    }

    pub(super) fn string(&mut self, v: &Value, style: Style) -> Result<(), String> {
        let (base, len) = golang::string_header(self.viewer.process, v)?;
        let limits = self.viewer.view.limits;
        let limit = if style.top { limits.whole_string } else { limits.string };
        let want = len.min(limit) as usize;
        let mut b = vec![0; want];
        self.viewer.process.mem.read_exact(base, &mut b).map_err(|e| e.to_string())?;
        if limits.raw_strings && style.top {
            self.push(&String::from_utf8_lossy(&b));
            if len > want as u64 {
                self.push(&format!("...+{} more", len - want as u64));
            }
            return Ok(());
        }
        self.push(&quote_truncated(&b, len));
        Ok(())
    }

    pub(super) fn unsafe_pointer(&mut self, v: &Value) -> Result<(), String> {
        let addr = golang::word(self.viewer.process, v, 0)?;
        self.push(&format!("unsafe.Pointer({addr:#x})"));
        Ok(())
    }

    pub(super) fn channel(&mut self, v: &Value) -> Result<(), String> {
        let channel = golang::channel(self.viewer.process, v)?;
        self.push(&self.viewer.short(v.ty));
        self.push(&channel.map_or(" nil".into(), |c| format!(" {}/{}", c.len, c.cap)));
        Ok(())
    }

    pub(super) fn function(&mut self, v: &Value) -> Result<(), String> {
        let word = golang::word(self.viewer.process, v, 0)?;
        if word == 0 {
            self.push("nil");
            return Ok(());
        }
        let entry = self.viewer.process.mem.read_u64(word).map_err(|e| e.to_string())?;
        let f = self
            .viewer
            .function_at(entry)
            .ok_or_else(|| format!("could not find function for {entry:#x}"))?;
        self.push(&self.viewer.process.function_display_name(&f, None));
        Ok(())
    }

    /// Text for a value that was cut off at a depth: how to get at it.
    pub(super) fn elsewhere(&mut self, v: &Value) {
        let (name, long) = (self.viewer.short(v.ty), self.viewer.long(v.ty));
        let name = if long.contains('/') { format!("\"{name}\"") } else { name.to_string() };
        match (golang::address(v), &v.place) {
            (Some(addr), _) => self.push(&format!("(*{name})({addr:#x})")),
            (None, Place::Bytes { .. }) => self.push("{...}"),
            (None, _) => self.push("..."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_go_writes_them() {
        let n = |kind, b: &[u8]| number(kind, b).expect("a number");
        assert_eq!(n(Kind::Int8, &[0xfb]), "-5");
        assert_eq!(n(Kind::Int64, &i64::MIN.to_le_bytes()), "-9223372036854775808");
        assert_eq!(n(Kind::Uint64, &u64::MAX.to_le_bytes()), "18446744073709551615");
        assert_eq!(n(Kind::Float64, &1.2f64.to_le_bytes()), "1.2");
        assert_eq!(n(Kind::Float64, &1e21f64.to_le_bytes()), "1000000000000000000000");
        assert_eq!(n(Kind::Float64, &f64::NEG_INFINITY.to_le_bytes()), "-Inf");
        assert_eq!(n(Kind::Float32, &0.1f32.to_le_bytes()), "0.1");
        assert_eq!(n(Kind::Complex64, &[0, 0, 0xc0, 0x3f, 0, 0, 0, 0xc0]), "(1.5 + -2i)");
        assert_eq!(n(Kind::Bool, &[1]), "true");
    }
}
