//! A small, blocking client of the Debug Adapter Protocol: what `demo` and `bench` speak to a real adapter with.
//!
//! Every wait has a deadline, and the adapter is killed when the client goes away: a command must not leave processes behind.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

/// No single answer may take longer: a build of a large program fits.
const PATIENCE: Duration = Duration::from_secs(180);

pub(crate) struct Client {
    child: Child,
    writer: Box<dyn Write>,
    incoming: Receiver<Value>,
    events: VecDeque<Value>,
    /// Answers that came while something else was waited for.
    answers: Vec<Value>,
    seq: i64,
    /// Text of `output` events, by category.
    pub(crate) output: Vec<(String, String)>,
}

impl Client {
    /// Starts an adapter that speaks on its standard streams.
    pub(crate) fn stdio(mut command: Command) -> anyhow::Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| started(&command))?;
        let writer = Box::new(child.stdin.take().context("no stdin")?);
        let reader = child.stdout.take().context("no stdout")?;
        Ok(Self::new(child, writer, reader))
    }

    /// Starts an adapter that announces a TCP address, and connects to it.
    pub(crate) fn tcp(mut command: Command) -> anyhow::Result<Self> {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().with_context(|| started(&command))?;
        let mut lines = BufReader::new(child.stdout.take().context("no stdout")?);
        let mut line = String::new();
        lines.read_line(&mut line)?;
        let Some(address) = line.trim().strip_prefix("DAP server listening at: ") else {
            let _ = child.kill();
            let _ = child.wait();
            bail!("{:?} announced {line:?} instead of its address", command.get_program());
        };
        let stream = TcpStream::connect(address).with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        // What the program prints arrives here with Delve's outputMode local: it must not block.
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        let writer = Box::new(stream.try_clone()?);
        Ok(Self::new(child, writer, stream))
    }

    fn new(child: Child, writer: Box<dyn Write>, reader: impl Read + Send + 'static) -> Self {
        let (send, incoming) = channel();
        std::thread::spawn(move || {
            let mut reader = BufReader::new(reader);
            while let Ok(Some(message)) = read_message(&mut reader) {
                if send.send(message).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            writer,
            incoming,
            events: VecDeque::new(),
            answers: Vec::new(),
            seq: 0,
            output: Vec::new(),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a request without waiting; returns its number.
    pub(crate) fn send(&mut self, command: &str, arguments: Value) -> anyhow::Result<i64> {
        self.seq += 1;
        let message =
            json!({ "seq": self.seq, "type": "request", "command": command, "arguments": arguments });
        let body = message.to_string();
        write!(self.writer, "Content-Length: {}\r\n\r\n{body}", body.len())?;
        self.writer.flush()?;
        Ok(self.seq)
    }

    /// Waits for the answer to a request; a refusal is an error with the adapter's text.
    pub(crate) fn answer(&mut self, seq: i64) -> anyhow::Result<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(index) = self.answers.iter().position(|m| m["request_seq"] == seq) {
                let message = self.answers.swap_remove(index);
                if message["success"] == true {
                    return Ok(message["body"].clone());
                }
                let detail = message["body"]["error"]["format"].as_str().or(message["message"].as_str());
                bail!("{} was refused: {}", message["command"], detail.unwrap_or("no reason given"));
            }
            let message = self.receive(deadline)?;
            self.keep(message);
        }
    }

    pub(crate) fn request(&mut self, command: &str, arguments: Value) -> anyhow::Result<Value> {
        let seq = self.send(command, arguments)?;
        self.answer(seq)
    }

    /// Waits for an event of one of these names. The end of the session instead of it is an error.
    pub(crate) fn event(&mut self, names: &[&str]) -> anyhow::Result<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let matches = |e: &Value| e["event"].as_str().is_some_and(|name| names.contains(&name));
            if let Some(event) = self.events.iter().position(matches).and_then(|i| self.events.remove(i)) {
                return Ok(event);
            }
            let ended = |e: &Value| e["event"] == "terminated" || e["event"] == "exited";
            if self.events.iter().any(ended) && !names.contains(&"terminated") && !names.contains(&"exited") {
                bail!("the program ended while waiting for {names:?}{}", self.last_output());
            }
            let message = self.receive(deadline)?;
            self.keep(message);
        }
    }

    /// Whether such an event is here already.
    pub(crate) fn seen(&self, name: &str) -> Option<&Value> {
        self.events.iter().find(|e| e["event"] == name)
    }

    /// The end that a client makes: disconnect, then the adapter goes by itself.
    pub(crate) fn disconnect(mut self) -> anyhow::Result<()> {
        let seq = self.send("disconnect", json!({ "terminateDebuggee": true }))?;
        self.answer(seq)?;
        self.writer = Box::new(std::io::sink());
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        bail!("the adapter lives on 10 s after disconnect")
    }

    fn receive(&mut self, deadline: Instant) -> anyhow::Result<Value> {
        match self.incoming.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(message) => Ok(message),
            Err(RecvTimeoutError::Timeout) => {
                bail!("no answer within {} s{}", PATIENCE.as_secs(), self.last_output())
            }
            Err(RecvTimeoutError::Disconnected) => {
                bail!("the adapter closed the connection{}", self.last_output())
            }
        }
    }

    fn keep(&mut self, message: Value) {
        if message["type"] == "response" {
            self.answers.push(message);
        } else if message["event"] == "output" {
            let text = |key: &str| message["body"][key].as_str().unwrap_or_default().to_owned();
            self.output.push((text("category"), text("output")));
        } else if message["type"] == "event" {
            self.events.push_back(message);
        }
    }

    fn last_output(&self) -> String {
        let tail: Vec<_> = self.output.iter().rev().take(5).map(|(_, text)| text.trim_end()).collect();
        if tail.is_empty() {
            return String::new();
        }
        format!("; its last output: {}", tail.into_iter().rev().collect::<Vec<_>>().join(" | "))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn started(command: &Command) -> String {
    format!("starting {}", command.get_program().display())
}

fn read_message(reader: &mut impl BufRead) -> anyhow::Result<Option<Value>> {
    let mut length = 0usize;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("Content-Length:") {
            length = value.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(serde_json::from_slice(&body)?))
}
