//! Framing against streams that no good client sends.

use std::io::Read;

use super::*;

/// A stream that gives a few bytes at a time.
struct Trickle<'a> {
    bytes: &'a [u8],
    step: usize,
}

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.step.min(buffer.len()).min(self.bytes.len());
        let (now, later) = self.bytes.split_at(count);
        buffer[..count].copy_from_slice(now);
        self.bytes = later;
        Ok(count)
    }
}

fn read_all(bytes: &[u8], step: usize) -> (Vec<String>, Option<FrameError>) {
    let mut reader = FrameReader::new(Trickle { bytes, step }, 1 << 20);
    let mut messages = Vec::new();
    loop {
        match reader.read() {
            Ok(Some(body)) => messages.push(String::from_utf8_lossy(&body).into_owned()),
            Ok(None) => return (messages, None),
            Err(error) => return (messages, Some(error)),
        }
    }
}

#[test]
fn tolerant_reading() {
    let cases: &[(&str, &[&str])] = &[
        ("", &[]),
        ("\r\n\r\n", &[]),
        ("Content-Length: 2\r\n\r\n{}", &["{}"]),
        ("Content-Length: 2\n\n{}Content-Length: 3\n\n[1]", &["{}", "[1]"]),
        ("content-length:2\r\n\r\n{}", &["{}"]),
        ("CONTENT-LENGTH \t: 2\r\n\r\n{}", &["{}"]),
        (
            "Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: 2\r\nX: y\r\n\r\n{}",
            &["{}"],
        ),
        ("Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", &["{}"]),
        // After the body: an empty line that no length counts (the dap crate's server writes one).
        ("Content-Length: 2\r\n\r\n{}\r\nContent-Length: 2\r\n\r\n[]\r\n", &["{}", "[]"]),
        ("starting up\nwarning: x\nContent-Length: 2\r\n\r\n{}", &["{}"]),
        // The tail of a message whose length was too short: skipped up to the next header.
        ("Content-Length: 2\r\n\r\n{}abcContent-Length: 2\r\n\r\n[]", &["{}", "[]"]),
        ("Content-Length: 0\r\n\r\nContent-Length: 2\r\n\r\n[]", &["", "[]"]),
    ];
    for (bytes, expected) in cases {
        for step in [1, 2, 7, 1000] {
            let (messages, error) = read_all(bytes.as_bytes(), step);
            assert_eq!(messages, *expected, "{bytes:?}");
            assert!(error.is_none(), "{bytes:?}: {error:?}");
        }
    }
}

#[test]
fn clear_refusals() {
    let junk = "no header here\n".repeat(10_000);
    let long_line = "x".repeat(20_000);
    let cases: &[(&str, &str)] = &[
        ("Content-Length: 5\r\n\r\n{}", "ended inside a message (2 of 5 bytes)"),
        ("Content-Length: 5\r\n", "ended inside a message's header"),
        ("Content-Len", "ended inside a message's header"),
        ("Content-Length: -5\r\n\r\n", "unusable header `Content-Length: -5`"),
        ("Content-Length: 0x10\r\n\r\n", "unusable header"),
        ("Content-Length:\r\n\r\n", "unusable header"),
        ("Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "unusable header `Content-Length: 3`"),
        ("Content-Length: 1048577\r\n\r\n", "1048577 bytes; at most 1048576"),
        ("Content-Length: 99999999999999999999999\r\n\r\n", "at most 1048576"),
        ("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "not a web server"),
        ("POST /x HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", "not a web server"),
        ("Content-Length: 2\r\nOrigin: http://evil\r\n\r\n{}", "not a web server"),
        (&junk, "no Content-Length header"),
        (&long_line, "no Content-Length header"),
    ];
    for (bytes, expected) in cases {
        let (messages, error) = read_all(bytes.as_bytes(), 1000);
        let text = error.unwrap_or_else(|| panic!("{bytes:.60?} was taken")).to_string();
        assert!(text.contains(expected), "{bytes:.60?}: {text}");
        assert!(messages.is_empty(), "{bytes:.60?}");
    }
}

/// A small generator of numbers (xorshift), so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}

/// Damaged streams end in messages or an error, never in a panic, a hang or a large allocation; undamaged ones are read
/// whole in any split.
#[test]
fn random_damage() {
    for seed in 1..3000_u64 {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut stream = Vec::new();
        let count = 1 + random.below(4);
        for index in 0..count {
            let body = format!("{{\"seq\":{index},\"text\":\"{}\"}}", "y".repeat(random.below(60)));
            write_frame(&mut stream, body.as_bytes());
        }
        let step = 1 + random.below(40);
        let (messages, error) = read_all(&stream, step);
        assert!(messages.len() == count && error.is_none(), "seed {seed}");
        for _ in 0..=random.below(6) {
            if stream.is_empty() {
                break;
            }
            let at = random.below(stream.len());
            match random.below(4) {
                0 => stream[at] = random.below(256) as u8,
                1 => drop(stream.remove(at)),
                2 => stream.insert(at, random.below(256) as u8),
                _ => stream.truncate(at),
            }
        }
        let (messages, _) = read_all(&stream, step);
        assert!(messages.len() <= count + 1, "seed {seed}");
    }
}
