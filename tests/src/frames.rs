//! Strict framing: exactly one header, exactly as long as it says, nothing between messages.

use std::io::{BufRead, BufReader, Read};

use serde_json::Value;

/// Reads one message, or says what is wrong with it. None at the end of the stream.
pub fn read<R: Read>(input: &mut BufReader<R>) -> Result<Option<Value>, String> {
    let mut header = Vec::new();
    input.read_until(b'\n', &mut header).map_err(|error| format!("reading: {error}"))?;
    if header.is_empty() {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&header).into_owned();
    let length = text
        .strip_prefix("Content-Length: ")
        .and_then(|rest| rest.strip_suffix("\r\n"))
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|digits| digits.parse::<usize>().ok())
        .ok_or_else(|| format!("not exactly a Content-Length header: {text:?}"))?;
    let mut blank = [0; 2];
    input.read_exact(&mut blank).map_err(|error| format!("after the header: {error}"))?;
    if &blank != b"\r\n" {
        return Err(format!("after the header: {blank:?}"));
    }
    let mut body = vec![0; length];
    input.read_exact(&mut body).map_err(|error| format!("a message of {length} bytes: {error}"))?;
    let text = String::from_utf8(body).map_err(|error| format!("not UTF-8: {error}"))?;
    serde_json::from_str(&text).map(Some).map_err(|error| format!("not JSON: {error}: {text:.200}"))
}

/// A framed message.
pub fn frame(message: &str) -> Vec<u8> {
    format!("Content-Length: {}\r\n\r\n{message}", message.len()).into_bytes()
}
