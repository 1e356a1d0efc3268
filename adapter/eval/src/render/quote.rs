//! Strings in Go's quotes (strconv.Quote): any bytes in, printable text out.

/// `bytes` quoted.
pub fn quote(bytes: &[u8]) -> String {
    quote_truncated(bytes, bytes.len() as u64)
}

/// The first bytes of a string of `len` bytes; says inside the quotes how many are missing.
pub(super) fn quote_truncated(bytes: &[u8], len: u64) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push('"');
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            push_char(&mut out, c);
        }
        for b in chunk.invalid() {
            out.push_str(&format!("\\x{b:02x}"));
        }
    }
    if len > bytes.len() as u64 {
        out.push_str(&format!("...+{} more", len - bytes.len() as u64));
    }
    out.push('"');
    out
}

fn push_char(out: &mut String, c: char) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        ' '..='~' => out.push(c),
        '\x07' => out.push_str("\\a"),
        '\x08' => out.push_str("\\b"),
        '\x0c' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\x0b' => out.push_str("\\v"),
        c if (c as u32) < 0x20 || c as u32 == 0x7f => out.push_str(&format!("\\x{:02x}", c as u32)),
        c if printable(c) => out.push(c),
        c if (c as u32) < 0x10000 => out.push_str(&format!("\\u{:04x}", c as u32)),
        c => out.push_str(&format!("\\U{:08x}", c as u32)),
    }
}

/// unicode.IsPrint. The standard library keeps its table of that to itself; a string's `escape_debug` shows it, behind a letter so that
/// combining characters are not escaped.
fn printable(c: char) -> bool {
    let mut buf = [b'a'; 5];
    let n = c.encode_utf8(buf.get_mut(1..).unwrap_or_default()).len();
    let Some(Ok(s)) = buf.get(..=n).map(std::str::from_utf8) else { return false };
    s.escape_debug().nth(1) == Some(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_as_strconv_does() {
        assert_eq!(quote(b"a\"b\\\n\t\x00\x7f"), r#""a\"b\\\n\t\x00\x7f""#);
        assert_eq!(quote("héllo, 世界 👍".as_bytes()), "\"héllo, 世界 👍\"");
        assert_eq!(quote(b"\xff\xfeok\xe4\xb8"), r#""\xff\xfeok\xe4\xb8""#);
        assert_eq!(
            quote("a\u{301}\u{a0}\u{200b}\u{feff}\u{10ffff}".as_bytes()),
            "\"a\u{301}\\u00a0\\u200b\\ufeff\\U0010ffff\""
        );
        assert_eq!(quote_truncated(b"xxx", 76), "\"xxx...+73 more\"");
    }
}
