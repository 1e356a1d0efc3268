//! The program's output as text: UTF-8 characters split between reads are put together, invalid bytes become U+FFFD.

/// Bytes of an unfinished character.
#[derive(Default)]
pub(super) struct Decoder {
    rest: Vec<u8>,
}

impl Decoder {
    /// Text that is complete so far.
    pub(super) fn push(&mut self, bytes: &[u8]) -> String {
        self.rest.extend_from_slice(bytes);
        let mut out = String::new();
        let mut input: &[u8] = &self.rest;
        loop {
            match std::str::from_utf8(input) {
                Ok(s) => {
                    out.push_str(s);
                    input = &[];
                    break;
                }
                Err(e) => {
                    let (good, bad) = input.split_at(e.valid_up_to());
                    out.push_str(&String::from_utf8_lossy(good));
                    match e.error_len() {
                        Some(n) => {
                            out.push(char::REPLACEMENT_CHARACTER);
                            input = bad.get(n..).unwrap_or_default();
                        }
                        None => {
                            input = bad;
                            break;
                        }
                    }
                }
            }
        }
        self.rest = input.to_vec();
        out
    }

    /// What is left at the end of the stream.
    pub(super) fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.rest)).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_split_between_reads_is_whole() {
        let mut d = Decoder::default();
        assert_eq!(d.push(&[b'a', 0xc3]), "a");
        assert_eq!(d.push(&[0xa9, b'b']), "éb");
        assert_eq!(d.finish(), "");
    }

    #[test]
    fn invalid_bytes_are_replaced_one_by_one() {
        let mut d = Decoder::default();
        assert_eq!(d.push(b"a\xff\xfeb"), "a\u{fffd}\u{fffd}b");
        assert_eq!(d.push(&[0xe2, 0x82]), "");
        assert_eq!(d.finish(), "\u{fffd}");
    }
}
