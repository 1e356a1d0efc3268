//! The beginning of a conversation: features, register layout, signals that go to the program without a stop; and what is said
//! when it fails.

use std::time::{Duration, Instant};

use rsp::RegisterLayout;

use super::driver::Server;
use crate::TargetError;

impl Server {
    /// Features, no acknowledgements, register layout, signals that go to the program without a stop.
    pub(super) fn shake_hands(&mut self, limit: Duration) -> Result<(), TargetError> {
        let c = &mut self.connection;
        c.send(
            b"qSupported:multiprocess+;swbreak+;hwbreak+;fork-events+;vfork-events+;exec-events+;vContSupported+;xmlRegisters=i386",
        )?;
        let features = c.receive(Instant::now() + limit)?;
        let features = String::from_utf8_lossy(&features).into_owned();
        if features.contains("QStartNoAckMode+") {
            c.command("QStartNoAckMode")?;
            c.stop_acks();
        }
        for needed in ["multiprocess+", "vContSupported+", "qXfer:features:read+"] {
            if !features.contains(needed) {
                return Err(TargetError::Protocol(format!(
                    "that it can't do {needed}; gdbserver 13 or newer is needed"
                )));
            }
        }
        // Without a selected thread the server has no description to give and aborts.
        self.connection.command(&format!("Hgp{0:x}.{0:x}", self.pid))?;
        let xml = self.read_document("target.xml", 0)?;
        self.layout = RegisterLayout::parse(&xml);
        let stop = self.connection.ask("?")?;
        if rsp::parse_stop(&stop).is_none() {
            return Err(TargetError::Protocol(format!("{} to ?", String::from_utf8_lossy(&stop))));
        }
        let passed: Vec<String> = (1..=64)
            .filter(|s| {
                ![libc::SIGTRAP, libc::SIGINT, libc::SIGSEGV, libc::SIGILL, libc::SIGKILL, libc::SIGSTOP]
                    .contains(s)
            })
            .map(rsp::to_gdb)
            .filter(|g| *g != 0)
            .map(|g| format!("{g:x}"))
            .collect();
        self.connection.command(&format!("QPassSignals:{}", passed.join(";")))
    }

    /// A document of the server with its `xi:include`s put in.
    fn read_document(&mut self, name: &str, depth: u32) -> Result<String, TargetError> {
        let mut text = String::new();
        loop {
            let answer = self.connection.ask(&format!("qXfer:features:read:{name}:{:x},ffb", text.len()))?;
            let (kind, part) =
                answer.split_first().ok_or_else(|| TargetError::Protocol(format!("nothing to {name}")))?;
            text.push_str(&String::from_utf8_lossy(part));
            match kind {
                b'm' if !part.is_empty() && text.len() < 1 << 20 => {}
                b'l' => break,
                _ => {
                    return Err(TargetError::Protocol(format!(
                        "{} to {name}",
                        String::from_utf8_lossy(&answer)
                    )));
                }
            }
        }
        if depth > 4 {
            return Ok(text);
        }
        let mut out = String::new();
        for (i, piece) in text.split("<xi:include href=\"").enumerate() {
            if i == 0 {
                out.push_str(piece);
            } else if let Some((file, rest)) = piece.split_once('"') {
                out.push_str(&self.read_document(file, depth + 1)?);
                out.push_str(rest);
            }
        }
        Ok(out)
    }

    /// A start that failed, with what the server printed.
    pub(super) fn explain(&mut self, e: TargetError, path: &std::path::Path, limit: Duration) -> TargetError {
        self.kill_server();
        let mut output = String::new();
        if let Some(mut pipe) = self.child.stderr.take() {
            let _broken = std::io::Read::read_to_string(&mut pipe, &mut output);
        }
        let _reaped = self.child.wait();
        let said = output
            .lines()
            .rfind(|l| !l.trim().is_empty())
            .map(|l| format!(" ({})", l.trim()))
            .unwrap_or_default();
        match e {
            TargetError::Lost(_) | TargetError::Io { .. } => {
                TargetError::ServerStart { deadline: limit, why: format!("{} ended{said}", path.display()) }
            }
            e => TargetError::ServerStart { deadline: limit, why: format!("{e}{said}") },
        }
    }
}
