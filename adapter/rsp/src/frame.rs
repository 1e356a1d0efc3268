//! Framing: `$payload#checksum`, acknowledgements, run-length encoding, binary escapes.

/// A packet longer than this is garbage, 1 MiB. (gdbserver 18 announces 128 KiB.)
pub const MAX_PACKET: usize = 1 << 20;

/// What came out of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// A packet, run lengths and escapes undone.
    Packet(Vec<u8>),
    /// `%...`: a notification (non-stop mode only).
    Notification(Vec<u8>),
    Ack,
    Nack,
    /// A packet whose checksum is wrong, or that is too long.
    Corrupt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Outside,
    Payload { notification: bool },
    Checksum { notification: bool, first: Option<u8> },
}

/// Puts packets together from pieces of any size.
#[derive(Debug)]
pub struct Decoder {
    state: State,
    payload: Vec<u8>,
    too_long: bool,
    sum: u8,
}

impl Default for Decoder {
    fn default() -> Self {
        Decoder { state: State::Outside, payload: Vec::new(), too_long: false, sum: 0 }
    }
}

impl Decoder {
    /// Feeds bytes; `out` gets what is complete.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<Received>) {
        for &b in bytes {
            if let Some(r) = self.byte(b) {
                out.push(r);
            }
        }
    }

    fn byte(&mut self, b: u8) -> Option<Received> {
        match self.state {
            State::Outside => {
                match b {
                    b'$' | b'%' => {
                        self.payload.clear();
                        self.too_long = false;
                        self.sum = 0;
                        self.state = State::Payload { notification: b == b'%' };
                    }
                    b'+' => return Some(Received::Ack),
                    b'-' => return Some(Received::Nack),
                    // Noise between packets is skipped, as GDB does.
                    _ => {}
                }
                None
            }
            State::Payload { notification } => {
                if b == b'#' {
                    self.state = State::Checksum { notification, first: None };
                    return None;
                }
                self.sum = self.sum.wrapping_add(b);
                if self.payload.len() < MAX_PACKET {
                    self.payload.push(b)
                } else {
                    self.too_long = true
                }
                None
            }
            State::Checksum { notification, first: None } => {
                self.state = State::Checksum { notification, first: Some(b) };
                None
            }
            State::Checksum { notification, first: Some(high) } => {
                self.state = State::Outside;
                let sum = Some(nibble(high)?).zip(nibble(b)).map(|(h, l)| h << 4 | l);
                if self.too_long || sum != Some(self.sum) {
                    return Some(Received::Corrupt);
                }
                let Some(payload) = expand(&self.payload) else { return Some(Received::Corrupt) };
                Some(if notification { Received::Notification(payload) } else { Received::Packet(payload) })
            }
        }
    }
}

/// Undoes run lengths (`0*,`) and binary escapes (`}` + byte ^ 0x20). `None` for what no server may send.
fn expand(raw: &[u8]) -> Option<Vec<u8>> {
    let mut out: Vec<u8> = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter().copied();
    while let Some(b) = bytes.next() {
        match b {
            b'}' => out.push(bytes.next()? ^ 0x20),
            b'*' => {
                let count = usize::from(bytes.next()?.checked_sub(29)?);
                let last = *out.last()?;
                if out.len() + count > MAX_PACKET {
                    return None;
                }
                out.extend(std::iter::repeat_n(last, count));
            }
            b => out.push(b),
        }
    }
    Some(out)
}

/// A packet ready to send.
pub fn encode(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 4);
    out.push(b'$');
    let mut sum = 0_u8;
    for &b in payload {
        if matches!(b, b'$' | b'#' | b'}' | b'*') {
            out.extend([b'}', b ^ 0x20]);
            sum = sum.wrapping_add(b'}').wrapping_add(b ^ 0x20);
        } else {
            out.push(b);
            sum = sum.wrapping_add(b);
        }
    }
    out.extend(format!("#{sum:02x}").bytes());
    out
}

fn nibble(b: u8) -> Option<u8> {
    char::from(b).to_digit(16).map(|d| d as u8)
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Bytes of a hex text; `None` if it is not one. `xx` (unavailable register bytes) reads as zero.
pub fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.chunks_exact(2)
        .map(|pair| match pair {
            [b'x', b'x'] => Some(0),
            [h, l] => Some(nibble(*h)? << 4 | nibble(*l)?),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(pieces: &[&[u8]]) -> Vec<Received> {
        let mut d = Decoder::default();
        let mut out = Vec::new();
        for p in pieces {
            d.push(p, &mut out);
        }
        out
    }

    #[test]
    fn a_packet_may_come_in_pieces_with_noise_around() {
        assert_eq!(
            decode(&[b"+", b"noise$O", b"K#9", b"a-"]),
            [Received::Ack, Received::Packet(b"OK".to_vec()), Received::Nack]
        );
    }

    #[test]
    fn a_wrong_checksum_is_corrupt_and_the_next_packet_is_read() {
        assert_eq!(decode(&[b"$OK#00$OK#9a"]), [Received::Corrupt, Received::Packet(b"OK".to_vec())]);
    }

    #[test]
    fn run_lengths_and_escapes_are_undone() {
        let packet = |raw: &[u8]| {
            let sum = raw.iter().fold(0_u8, |s, b| s.wrapping_add(*b));
            let mut v = vec![b'$'];
            v.extend(raw);
            v.extend(format!("#{sum:02x}").bytes());
            v
        };
        assert_eq!(decode(&[&packet(b"0* ")]), [Received::Packet(b"0000".to_vec())]);
        assert_eq!(decode(&[&packet(b"a}\x03b")]), [Received::Packet(b"a#b".to_vec())]);
        assert_eq!(decode(&[&packet(b"*,")]), [Received::Corrupt]);
        assert_eq!(decode(&[&packet(b"a}")]), [Received::Corrupt]);
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let payload: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&[&encode(&payload)]), [Received::Packet(payload)]);
    }

    #[test]
    fn garbage_never_panics() {
        let mut seed = 1_u32;
        let bytes: Vec<u8> = (0..100_000)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                b"$#*}+-%0af\x00\xff"[(seed >> 24) as usize % 12]
            })
            .collect();
        decode(&[&bytes]);
    }
}
