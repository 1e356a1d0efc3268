//! Messages on a byte stream: `Content-Length: N`, an empty line, N bytes of JSON.
//!
//! Reading is tolerant (other headers, any case, LF or CRLF, blank and junk lines between messages), writing exact.
//! It must never allocate what a header merely promises, and never serve a web page: a browser can be made to send
//! anything to a local port, so a stream that speaks HTTP is refused.

use std::io::{BufRead, BufReader, Read, Write};

/// The longest message that is read, by default.
pub const MESSAGE_LIMIT: usize = 64 << 20;
/// The longest line outside of a message.
const LINE_LIMIT: usize = 8 << 10;
/// How much may stand between two messages before the stream is given up.
const JUNK_LIMIT: usize = 64 << 10;
/// Allocated at once for a message; more as it arrives.
const FIRST_ALLOCATION: usize = 64 << 10;

/// Why a stream can't be read any further.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("reading from the client failed: {0}")]
    Io(#[from] std::io::Error),
    #[error("the client announced a message of {length} bytes; at most {limit} are taken")]
    TooLong { length: u64, limit: usize },
    #[error("the client sent an unusable header `{0}`; Content-Length must be one decimal number of bytes")]
    BadLength(String),
    #[error("this is a debug adapter, not a web server: a stream that starts with HTTP is refused")]
    Http,
    #[error("no Content-Length header in {0} bytes: is the client speaking the Debug Adapter Protocol?")]
    Junk(usize),
    #[error("the stream ended inside a message ({got} of {wanted} bytes)")]
    Truncated { got: usize, wanted: usize },
    #[error("the stream ended inside a message's header")]
    TruncatedHeader,
}

/// Splits a stream into messages.
#[derive(Debug)]
pub struct FrameReader<R> {
    input: BufReader<R>,
    limit: usize,
}

impl<R: Read> FrameReader<R> {
    /// A reader that takes messages of up to `limit` bytes.
    pub fn new(input: R, limit: usize) -> Self {
        Self { input: BufReader::with_capacity(64 << 10, input), limit }
    }

    /// The next message's bytes; none at an end between messages.
    pub fn read(&mut self) -> Result<Option<Vec<u8>>, FrameError> {
        let Some(length) = self.header()? else { return Ok(None) };
        let mut body = Vec::with_capacity(length.min(FIRST_ALLOCATION));
        let got = (&mut self.input).take(length as u64).read_to_end(&mut body)?;
        if got < length {
            return Err(FrameError::Truncated { got, wanted: length });
        }
        Ok(Some(body))
    }

    /// Reads up to the empty line that ends a header with a length.
    fn header(&mut self) -> Result<Option<usize>, FrameError> {
        let mut length = None;
        let mut skipped = 0;
        loop {
            let mut line = Vec::new();
            let count = (&mut self.input).take(LINE_LIMIT as u64).read_until(b'\n', &mut line)?;
            let ended = line.last() == Some(&b'\n');
            let text = String::from_utf8_lossy(&line);
            let text = text.trim();
            if count == 0 || (!ended && count < LINE_LIMIT) {
                let clean = length.is_none() && text.is_empty();
                return if clean { Ok(None) } else { Err(FrameError::TruncatedHeader) };
            }
            skipped += count;
            if skipped > JUNK_LIMIT || !ended {
                return Err(FrameError::Junk(skipped));
            }
            if text.is_empty() {
                match length {
                    Some(length) => return Ok(Some(length)),
                    None => continue,
                }
            }
            if is_http(text) {
                return Err(FrameError::Http);
            }
            if let Some(value) = content_length(text) {
                let parsed = self.parse_length(text, value)?;
                if length.is_some_and(|earlier| earlier != parsed) {
                    return Err(FrameError::BadLength(text.to_owned()));
                }
                length = Some(parsed);
            } else if length.is_none() && !text.contains(':') {
                tracing::warn!("skipped a line that is no header: {text}");
            }
        }
    }

    fn parse_length(&self, line: &str, value: &str) -> Result<usize, FrameError> {
        let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        let length = if digits { value.parse::<u64>().unwrap_or(u64::MAX) } else { u64::MAX };
        if !digits {
            return Err(FrameError::BadLength(line.to_owned()));
        }
        usize::try_from(length)
            .ok()
            .filter(|length| *length <= self.limit)
            .ok_or(FrameError::TooLong { length, limit: self.limit })
    }
}

/// The value of a Content-Length header. Something may be glued to its front: the tail of a message whose length was
/// announced too short.
fn content_length(line: &str) -> Option<&str> {
    let (name, value) = line.rsplit_once(':')?;
    name.trim_end().to_ascii_lowercase().ends_with("content-length").then(|| value.trim())
}

/// True for a line of an HTTP request.
fn is_http(line: &str) -> bool {
    let request = line.rsplit_once(' ').is_some_and(|(_, version)| version.starts_with("HTTP/"));
    let header = line.split_once(':').is_some_and(|(name, _)| {
        let name = name.trim().to_ascii_lowercase();
        matches!(name.as_str(), "origin" | "host" | "user-agent" | "referer") || name.starts_with("sec-")
    });
    request || header
}

/// Appends a framed message to `out`.
pub fn write_frame(out: &mut Vec<u8>, body: &[u8]) {
    // Writing to a vector can't fail.
    let _ = write!(out, "Content-Length: {}\r\n\r\n", body.len());
    out.extend_from_slice(body);
}

#[cfg(test)]
mod tests;
