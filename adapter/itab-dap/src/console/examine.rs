//! `dlv x`: options of Delve's `examinemem`, and memory as rows of numbers. Pure.

use std::fmt::Write as _;

/// Bytes in one answer, at most.
const MAX_BYTES: u64 = 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Binary,
    Octal,
    Decimal,
    Hex,
    Raw,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Address(String),
    Expression(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) place: Place,
    pub(super) format: Format,
    pub(super) count: u64,
    /// Bytes of one number.
    pub(super) size: usize,
}

impl Wanted {
    pub(super) fn bytes(&self) -> usize {
        self.count.saturating_mul(self.size as u64).min(MAX_BYTES) as usize
    }
}

pub(super) fn parse(text: &str) -> Result<Wanted, String> {
    let mut wanted = Wanted { place: Place::Address(String::new()), format: Format::Hex, count: 1, size: 1 };
    let mut rest = text.trim();
    loop {
        let (word, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let after = after.trim_start();
        let (value, behind) = after.split_once(char::is_whitespace).unwrap_or((after, ""));
        match word {
            "" => return Err("write an address, or -x and an expression".into()),
            "-x" if after.is_empty() => return Err("expected an expression after -x".into()),
            "-x" => {
                wanted.place = Place::Expression(after.to_string());
                return Ok(wanted);
            }
            "-fmt" => wanted.format = format_named(value)?,
            "-count" | "-len" => {
                let positive = value.parse().ok().filter(|n| *n > 0);
                wanted.count = positive.ok_or("count/len must be a positive integer")?;
            }
            "-size" => {
                let size = value.parse().ok().filter(|n| (1..=8).contains(n));
                wanted.size = size.ok_or("size must be a positive integer (<=8)")?;
            }
            address if after.is_empty() => {
                wanted.place = Place::Address(address.to_string());
                return Ok(wanted);
            }
            other => return Err(format!("unknown option {other:?}")),
        }
        rest = behind.trim_start();
    }
}

fn format_named(name: &str) -> Result<Format, String> {
    Ok(match name {
        "bin" | "binary" => Format::Binary,
        "oct" | "octal" => Format::Octal,
        "dec" | "decimal" => Format::Decimal,
        "hex" | "hexadecimal" => Format::Hex,
        "raw" => Format::Raw,
        _ => return Err(format!("{name:?} is not a valid format; write bin, oct, dec, hex or raw")),
    })
}

/// Rows of numbers behind their addresses, little endian.
pub(super) fn format(address: u64, bytes: &[u8], format: Format, size: usize) -> String {
    if format == Format::Raw {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let columns = if format == Format::Binary { 4 } else { 8 };
    let digits = format!("{:x}", address.wrapping_add(bytes.len() as u64)).len();
    let mut out = String::new();
    let mut at = address;
    for row in bytes.chunks(columns * size) {
        let _infallible = write!(out, "0x{at:0digits$x}:");
        for number in row.chunks_exact(size) {
            let n = number.iter().rev().fold(0u64, |n, b| n << 8 | u64::from(*b));
            let _infallible = match format {
                Format::Binary => write!(out, "   {n:0width$b}", width = size * 8),
                Format::Octal => write!(out, "   0{n:0width$o}", width = size * 3),
                Format::Decimal => write!(out, "   {n:0width$}", width = size * 3),
                _ => write!(out, "   0x{n:0width$x}", width = size * 2),
            };
        }
        out.push_str("   \n");
        at = at.wrapping_add((columns * size) as u64);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_may_come_in_any_order() {
        let w = parse("-count 2 -size 8 -fmt dec 0xc000").unwrap();
        assert_eq!((w.count, w.size, w.format, w.bytes()), (2, 8, Format::Decimal, 16));
        assert_eq!(w.place, Place::Address("0xc000".into()));
        assert_eq!(parse("-x &v + 8").unwrap().place, Place::Expression("&v + 8".into()));
        assert_eq!(parse("-count 999999999 -size 8 0x1").unwrap().bytes(), 1000);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in
            ["", "-x", "-fmt", "-fmt x 0x1", "-count 0 0x1", "-count -1 0x1", "-size 9 0x1", "0x1 0x2"]
        {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn rows_of_numbers() {
        let row = |f, size, bytes: &[u8]| format(0x10, bytes, f, size);
        assert_eq!(row(Format::Hex, 1, &[255]), "0x10:   0xff   \n");
        assert_eq!(row(Format::Octal, 1, &[255]), "0x10:   0377   \n");
        assert_eq!(row(Format::Binary, 1, &[1]), "0x10:   00000001   \n");
        assert_eq!(row(Format::Decimal, 2, &[1, 1]), "0x10:   000257   \n");
        assert_eq!(row(Format::Hex, 1, &[0; 9]).lines().count(), 2);
        assert_eq!(row(Format::Hex, 8, &[1, 0, 0]), "0x10:   \n");
    }
}
