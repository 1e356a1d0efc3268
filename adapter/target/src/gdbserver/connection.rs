//! Bytes to and from the server, as packets. Requests wait for their answer with a deadline.
//!
//! Read by the driver's thread itself: an answer costs no switch of threads. Answers come in the order of the requests; one that is
//! given up is taken out of the stream when it comes after all, so that it can never pass for the next one's.

use std::{
    collections::VecDeque,
    io::{Read, Write},
    net::Shutdown,
    os::{
        fd::{AsRawFd, RawFd},
        unix::net::UnixStream,
    },
    time::{Duration, Instant},
};

use rsp::{Decoder, Received};

use crate::{TargetError, process::poll};

/// An answer that does not come within this time: the server hangs.
const ANSWER_DEADLINE: Duration = Duration::from_secs(10);
/// Requests on their way at once: their answers must fit the socket while nobody reads it.
const BATCH: usize = 32;

/// One end of the conversation.
pub(super) struct Connection {
    stream: UnixStream,
    decoder: Decoder,
    /// Came and was not taken yet.
    ready: VecDeque<Received>,
    /// Answers that nobody waits for any more.
    given_up: usize,
    ended: bool,
    /// Before QStartNoAckMode each packet is acknowledged.
    acks: bool,
    buffer: Vec<u8>,
}

fn io(source: std::io::Error) -> TargetError {
    TargetError::Io { what: "talking to gdbserver", source }
}

impl Connection {
    pub(super) fn new(stream: UnixStream) -> Connection {
        Connection {
            stream,
            decoder: Decoder::default(),
            ready: VecDeque::new(),
            given_up: 0,
            ended: false,
            acks: true,
            buffer: vec![0; 32 << 10],
        }
    }

    /// For `poll`.
    pub(super) fn fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }

    /// The server is gone and all that it said was taken.
    pub(super) fn is_over(&self) -> bool {
        self.ended && self.ready.is_empty()
    }

    /// What came without being waited for: a stop.
    pub(super) fn next_ready(&mut self) -> Option<Received> {
        let r = self.ready.pop_front()?;
        if self.given_up > 0 && matches!(r, Received::Packet(_)) {
            self.given_up -= 1;
            return Some(Received::Ack);
        }
        Some(r)
    }

    /// Takes what is there; waits for it at most `limit`.
    pub(super) fn fill(&mut self, limit: Duration) {
        let ms = i32::try_from(limit.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
        let [readable] = poll([(self.fd(), libc::POLLIN)], ms);
        if readable == 0 {
            return;
        }
        let n = match self.stream.read(&mut self.buffer) {
            Ok(n) => n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => return,
            Err(_) => 0,
        };
        self.ended = n == 0;
        let mut out = Vec::new();
        self.decoder.push(self.buffer.get(..n).unwrap_or_default(), &mut out);
        self.ready.extend(out);
    }

    pub(super) fn stop_acks(&mut self) {
        self.acks = false;
    }

    pub(super) fn send(&mut self, payload: &[u8]) -> Result<(), TargetError> {
        tracing::trace!(packet = %String::from_utf8_lossy(payload), "->");
        self.stream.write_all(&rsp::encode(payload)).map_err(io)
    }

    /// Several packets in one write, for requests whose answers are read one after another.
    pub(super) fn send_all(&mut self, payloads: &[impl AsRef<str>]) -> Result<(), TargetError> {
        let mut bytes = Vec::new();
        for p in payloads {
            tracing::trace!(packet = p.as_ref(), "->");
            bytes.extend(rsp::encode(p.as_ref().as_bytes()));
        }
        self.stream.write_all(&bytes).map_err(io)
    }

    /// Many requests, written before the first answer is read; the answers in the same order.
    pub(super) fn ask_all(&mut self, payloads: &[impl AsRef<str>]) -> Result<Vec<Vec<u8>>, TargetError> {
        let mut answers = Vec::with_capacity(payloads.len());
        for batch in payloads.chunks(BATCH) {
            self.send_all(batch)?;
            for left in (0..batch.len()).rev() {
                answers.push(self.answer().inspect_err(|_| self.given_up += left)?);
            }
        }
        Ok(answers)
    }

    /// The next packet.
    pub(super) fn receive(&mut self, deadline: Instant) -> Result<Vec<u8>, TargetError> {
        loop {
            match self.ready.pop_front() {
                Some(Received::Packet(p)) => {
                    if self.acks {
                        let _broken = self.stream.write_all(b"+");
                    }
                    tracing::trace!(packet = %String::from_utf8_lossy(&p), "<-");
                    if self.given_up == 0 {
                        return Ok(p);
                    }
                    self.given_up -= 1;
                }
                Some(Received::Ack | Received::Notification(_)) => {}
                Some(Received::Nack | Received::Corrupt) => {
                    return Err(TargetError::Protocol("a corrupt packet".into()));
                }
                None if self.ended => return Err(TargetError::Lost("it has ended".into())),
                None => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(TargetError::Silent);
                    }
                    self.fill(left);
                }
            }
        }
    }

    /// A request and its answer.
    pub(super) fn ask(&mut self, payload: &str) -> Result<Vec<u8>, TargetError> {
        self.send(payload.as_bytes())?;
        self.answer()
    }

    /// The answer to a request already sent.
    pub(super) fn answer(&mut self) -> Result<Vec<u8>, TargetError> {
        self.receive(Instant::now() + ANSWER_DEADLINE).map_err(|e| match e {
            TargetError::Silent => {
                self.given_up += 1;
                TargetError::Protocol(format!("nothing for {} s", ANSWER_DEADLINE.as_secs()))
            }
            e => e,
        })
    }

    /// A request that is answered by `OK`.
    pub(super) fn command(&mut self, payload: &str) -> Result<(), TargetError> {
        let answer = self.ask(payload)?;
        ok(&answer, payload)
    }

    pub(super) fn close(&mut self) {
        let _closed = self.stream.shutdown(Shutdown::Both);
    }
}

/// `OK`, or what came instead.
pub(super) fn ok(answer: &[u8], payload: &str) -> Result<(), TargetError> {
    if answer == b"OK" {
        return Ok(());
    }
    let what =
        if answer.is_empty() { "that it does not know".into() } else { String::from_utf8_lossy(answer) };
    Err(TargetError::Protocol(format!("{what} to {payload}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Connection, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Connection::new(ours), theirs)
    }

    #[test]
    fn a_batch_is_written_before_the_first_answer_is_read() {
        let (mut c, mut server) = pair();
        c.stop_acks();
        let asks: Vec<String> = (0..40).map(|i| format!("z0,{i:x},1")).collect();
        let theirs = std::thread::spawn(move || {
            let (mut decoder, mut buffer, mut seen) = (Decoder::default(), [0; 4096], Vec::new());
            while seen.len() < 32 {
                let n = server.read(&mut buffer).unwrap();
                decoder.push(&buffer[..n], &mut seen);
            }
            for i in 0..32 {
                server.write_all(&rsp::encode(if i == 7 { b"E01" } else { b"OK" })).unwrap();
            }
            // The second batch gets three answers, then the server dies.
            let _n = server.read(&mut buffer).unwrap();
            for _ in 0..3 {
                server.write_all(&rsp::encode(b"OK")).unwrap();
            }
        });
        assert!(matches!(c.ask_all(&asks), Err(TargetError::Lost(_))));
        assert!(c.is_over());
        theirs.join().unwrap();
    }

    #[test]
    fn a_late_answer_does_not_pass_for_the_next_one() {
        let (mut c, mut server) = pair();
        c.stop_acks();
        assert!(matches!(c.receive(Instant::now()), Err(TargetError::Silent)));
        c.given_up = 2;
        server.write_all(b"$late#a6$later#18$OK#9a").unwrap();
        assert_eq!(c.ask("?").unwrap(), b"OK");
    }
}
