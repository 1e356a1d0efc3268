//! Bytes to and from the server: a reader thread makes packets of them, requests wait for their answer with a deadline.

use std::{
    io::{Read, Write},
    net::Shutdown,
    os::unix::net::UnixStream,
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use rsp::{Decoder, Received};

use crate::TargetError;

/// An answer that does not come within this time: the server hangs.
const ANSWER_DEADLINE: Duration = Duration::from_secs(10);

/// One end of the conversation.
pub(super) struct Connection {
    stream: UnixStream,
    packets: Receiver<Received>,
    /// Before QStartNoAckMode each packet is acknowledged.
    acks: bool,
}

impl Connection {
    pub(super) fn new(stream: UnixStream) -> Result<Connection, TargetError> {
        let io = |source| TargetError::Io { what: "talking to gdbserver", source };
        let mut input = stream.try_clone().map_err(io)?;
        let (tx, packets) = bounded(64);
        thread::Builder::new()
            .name("gdbserver-reader".into())
            .spawn(move || {
                let mut decoder = Decoder::default();
                let mut buf = vec![0; 32 << 10];
                let mut out = Vec::new();
                while let Ok(n) = input.read(&mut buf) {
                    let Some(bytes) = buf.get(..n).filter(|b| !b.is_empty()) else { return };
                    decoder.push(bytes, &mut out);
                    for r in out.drain(..) {
                        if tx.send(r).is_err() {
                            return;
                        }
                    }
                }
            })
            .map_err(io)?;
        Ok(Connection { stream, packets, acks: true })
    }

    /// Packets as they come; closed when the server is gone.
    pub(super) fn packets(&self) -> &Receiver<Received> {
        &self.packets
    }

    pub(super) fn stop_acks(&mut self) {
        self.acks = false;
    }

    pub(super) fn send(&mut self, payload: &[u8]) -> Result<(), TargetError> {
        tracing::trace!(packet = %String::from_utf8_lossy(payload), "->");
        self.stream
            .write_all(&rsp::encode(payload))
            .map_err(|source| TargetError::Io { what: "talking to gdbserver", source })
    }

    /// Several packets in one write, for requests whose answers are read one after another.
    pub(super) fn send_all(&mut self, payloads: &[&str]) -> Result<(), TargetError> {
        let bytes: Vec<u8> = payloads.iter().flat_map(|p| rsp::encode(p.as_bytes())).collect();
        self.stream
            .write_all(&bytes)
            .map_err(|source| TargetError::Io { what: "talking to gdbserver", source })
    }

    /// The next packet.
    pub(super) fn receive(&mut self, deadline: Instant) -> Result<Vec<u8>, TargetError> {
        loop {
            match self.packets.recv_deadline(deadline) {
                Ok(Received::Packet(p)) => {
                    if self.acks {
                        let _broken = self.stream.write_all(b"+");
                    }
                    tracing::trace!(packet = %String::from_utf8_lossy(&p), "<-");
                    return Ok(p);
                }
                Ok(Received::Ack | Received::Notification(_)) => {}
                Ok(Received::Nack | Received::Corrupt) => {
                    return Err(TargetError::Protocol("a corrupt packet".into()));
                }
                Err(RecvTimeoutError::Timeout) => return Err(TargetError::Silent),
                Err(RecvTimeoutError::Disconnected) => return Err(TargetError::Lost("it has ended".into())),
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
