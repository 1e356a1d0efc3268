//! A client that sends what it is told and judges everything that comes back.
//!
//! Dropping it ends the session as an editor would, and fails the test when a rule was broken, a request is unanswered
//! or a process is left behind.

use std::collections::VecDeque;
use std::io::{BufReader, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::adapter::{Adapter, Options};
use crate::frames;
use crate::processes;
use crate::rules::Rules;

/// How long an answer may take on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A refused request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub id: i64,
    pub message: String,
    pub show_user: bool,
}

/// One debug session's client.
pub struct Client {
    pub adapter: Adapter,
    incoming: Receiver<Result<Value, String>>,
    rules: Rules,
    seq: i64,
    /// Received and not yet asked for.
    responses: VecDeque<Value>,
    events: VecDeque<Value>,
    reverse: VecDeque<Value>,
    transcript: VecDeque<String>,
    /// Everything that came in category stdout, stderr, console and important.
    output: Vec<(String, String)>,
    ended: bool,
    /// The test means to break things: what is unanswered at the end is no fault.
    pub rude: bool,
    /// The test plays a client of `dlv dap`: the rules that editors need don't hold.
    pub plays_dlv: bool,
    /// `event stopped`, `response next`, ... as they came.
    order: Vec<String>,
    pub patience: Duration,
}

impl Client {
    /// Starts the adapter over stdio.
    pub fn start() -> Self {
        Self::start_with(&Options::default())
    }

    /// Starts the adapter.
    pub fn start_with(options: &Options) -> Self {
        let mut adapter = Adapter::start(options);
        let output = adapter.output.take().expect("the adapter's output");
        let (sender, incoming) = channel();
        std::thread::spawn(move || {
            let mut input = BufReader::new(output);
            loop {
                let message = match frames::read(&mut input) {
                    Ok(Some(message)) => Ok(message),
                    Ok(None) => return,
                    Err(error) => Err(error),
                };
                let broken = message.is_err();
                if sender.send(message).is_err() || broken {
                    return;
                }
            }
        });
        Self {
            adapter,
            incoming,
            rules: Rules::default(),
            seq: 0,
            responses: VecDeque::new(),
            events: VecDeque::new(),
            reverse: VecDeque::new(),
            transcript: VecDeque::new(),
            output: Vec::new(),
            ended: false,
            rude: false,
            plays_dlv: false,
            order: Vec::new(),
            patience: PATIENCE,
        }
    }

    /// Sends a request; its number.
    pub fn send(&mut self, command: &str, arguments: Value) -> i64 {
        self.seq += 1;
        self.rules.sent(self.seq, command, &arguments);
        let mut message = json!({"seq": self.seq, "type": "request", "command": command});
        if !arguments.is_null() {
            message["arguments"] = arguments;
        }
        self.note("->", &message);
        let frame = frames::frame(&message.to_string());
        if let Some(input) = &mut self.adapter.input
            && let Err(error) = input.write_all(&frame).and_then(|()| input.flush())
            && !self.rude
        {
            panic!("sending {command}: {error}; stderr: {}", self.adapter.stderr());
        }
        self.seq
    }

    /// Sends bytes that are no message of ours.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.transcript.push_back(format!("-> {:.400}", String::from_utf8_lossy(bytes)));
        if let Some(input) = &mut self.adapter.input {
            let _ = input.write_all(bytes).and_then(|()| input.flush());
        }
    }

    /// Takes a number for a request that the test frames itself; `command` is what the answer will say.
    pub fn reserve(&mut self, command: &str) -> i64 {
        self.seq += 1;
        self.rules.sent(self.seq, command, &Value::Null);
        self.seq
    }

    /// Closes our sending half, as a client that went away.
    pub fn hang_up(&mut self) {
        self.adapter.input = None;
        if let Some(socket) = &self.adapter.socket {
            let _ = socket.shutdown(std::net::Shutdown::Both);
        }
    }

    /// Sends a request and waits for its answer.
    pub fn request(&mut self, command: &str, arguments: Value) -> Result<Value, Failure> {
        let seq = self.send(command, arguments);
        self.answer(seq)
    }

    /// The same where success is due; the body.
    #[track_caller]
    pub fn ok(&mut self, command: &str, arguments: Value) -> Value {
        let shown = format!("{arguments:.300}");
        self.request(command, arguments).unwrap_or_else(|failure| panic!("{command} {shown}: {failure:?}"))
    }

    /// The same where a refusal is due.
    #[track_caller]
    pub fn refused(&mut self, command: &str, arguments: Value) -> Failure {
        let shown = format!("{arguments:.300}");
        self.request(command, arguments).err().unwrap_or_else(|| panic!("{command} {shown} was done"))
    }

    /// Waits for the answer to a request.
    #[track_caller]
    pub fn answer(&mut self, seq: i64) -> Result<Value, Failure> {
        let deadline = Instant::now() + self.patience;
        loop {
            let found = self.responses.iter().position(|response| response["request_seq"] == json!(seq));
            if let Some(response) = found.and_then(|index| self.responses.remove(index)) {
                if response["success"] == json!(true) {
                    return Ok(response["body"].clone());
                }
                let error = &response["body"]["error"];
                return Err(Failure {
                    id: error["id"].as_i64().unwrap_or(-1),
                    message: response["message"].as_str().unwrap_or_default().to_owned(),
                    show_user: error["showUser"] == json!(true),
                });
            }
            if !self.receive(deadline) {
                panic!("no answer to request {seq}",);
            }
        }
    }

    /// Waits for a request's answer or an event, whichever is first; none when it was the event. The event is taken in
    /// either case: it has come, or comes after a success.
    #[track_caller]
    pub fn answer_or_event(&mut self, seq: i64, name: &str) -> Option<Result<Value, Failure>> {
        let deadline = Instant::now() + self.patience;
        loop {
            if let Some(index) = self.events.iter().position(|event| event["event"] == json!(name)) {
                self.events.remove(index);
                return None;
            }
            if self.responses.iter().any(|response| response["request_seq"] == json!(seq)) {
                let answer = self.answer(seq);
                if answer.is_ok() {
                    self.event(name);
                }
                return Some(answer);
            }
            assert!(self.receive(deadline), "neither an answer to {seq} nor {name}");
        }
    }

    /// Waits for an event of this name that was not taken yet.
    #[track_caller]
    pub fn event(&mut self, name: &str) -> Value {
        self.event_of(&[name])
    }

    /// Waits for one of several events.
    #[track_caller]
    pub fn event_of(&mut self, names: &[&str]) -> Value {
        let deadline = Instant::now() + self.patience;
        loop {
            let wanted = |event: &Value| event["event"].as_str().is_some_and(|name| names.contains(&name));
            let found = self.events.iter().position(wanted);
            if let Some(event) = found.and_then(|index| self.events.remove(index)) {
                return event;
            }
            if !self.receive(deadline) {
                panic!("no event {names:?}",);
            }
        }
    }

    /// An event that is there already or comes within `wait`.
    pub fn event_within(&mut self, name: &str, wait: Duration) -> Option<Value> {
        let deadline = Instant::now() + wait;
        loop {
            if let Some(index) = self.events.iter().position(|event| event["event"] == json!(name)) {
                return self.events.remove(index);
            }
            if !self.receive(deadline) {
                return None;
            }
        }
    }

    /// Waits for a request of the adapter.
    #[track_caller]
    pub fn reverse_request(&mut self) -> Value {
        let deadline = Instant::now() + self.patience;
        while self.reverse.is_empty() {
            assert!(self.receive(deadline), "no request of the adapter",);
        }
        self.reverse.pop_front().unwrap_or_default()
    }

    /// Takes in what arrives until nothing does for `quiet`.
    pub fn settle(&mut self, quiet: Duration) {
        while self.receive(Instant::now() + quiet) {}
    }

    /// What came since the last call, in order: `event stopped`, `response next`.
    pub fn order(&mut self) -> Vec<String> {
        std::mem::take(&mut self.order)
    }

    /// All output of a category so far (`stdout`, `stderr`, `console`, `important`).
    pub fn output(&self, category: &str) -> String {
        self.output.iter().filter(|(of, _)| of == category).map(|(_, text)| text.as_str()).collect()
    }

    /// Waits until output of a category contains a text.
    #[track_caller]
    pub fn wait_for_output(&mut self, category: &str, text: &str) {
        let deadline = Instant::now() + self.patience;
        while !self.output(category).contains(text) {
            if !self.receive(deadline) {
                panic!("no {text:?} in {category}: {:?}", self.output(category));
            }
        }
    }

    /// The rules' view of the session.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Disconnects and waits for the adapter's end.
    pub fn end(&mut self) {
        if self.ended {
            return;
        }
        let seq = self.send("disconnect", json!({}));
        let _ = self.answer(seq);
        self.finish();
    }

    /// Waits for the adapter's end, after whatever the test did to it, and checks what is left.
    pub fn finish(&mut self) {
        self.ended = true;
        self.hang_up();
        self.settle(Duration::from_millis(if self.adapter.socket.is_some() { 200 } else { 0 }));
        let status = self.adapter.wait(self.patience);
        let deadline = Instant::now() + Duration::from_secs(5);
        while self.receive(deadline) {}
        assert!(status.is_some(), "the adapter lives on",);
        if !self.rude {
            let code = status.and_then(|status| status.code());
            assert_eq!(code, Some(0), "the adapter's exit code",);
        }
        let left = processes::wait_until_gone(&self.adapter.mark, Duration::from_secs(10));
        assert!(left.is_empty(), "left behind: {left:?}",);
        self.judge();
    }

    /// Fails the test when a rule was broken so far.
    pub fn judge(&mut self) {
        self.rules.ended(!self.rude && self.ended);
        let violations = self.rules.violations();
        assert!(self.plays_dlv || violations.is_empty(), "broken rules:\n{}", violations.join("\n"));
        let stderr = self.adapter.stderr();
        assert!(!stderr.contains("panicked at"), "the adapter panicked: {stderr}");
    }

    /// The last messages and the adapter's stderr, for a failure's report.
    pub fn story(&self) -> String {
        let messages: Vec<&str> = self.transcript.iter().map(String::as_str).collect();
        format!("--- the last messages:\n{}\n--- stderr:\n{}", messages.join("\n"), self.adapter.stderr())
    }

    /// Takes one message in; false when none came in time or the connection ended.
    fn receive(&mut self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.incoming.recv_timeout(left) {
            Ok(Ok(message)) => {
                self.note("<-", &message);
                self.rules.received(&message);
                let name = message["event"].as_str().or(message["command"].as_str()).unwrap_or_default();
                self.order.push(format!("{} {name}", message["type"].as_str().unwrap_or_default()));
                self.sort(message);
                true
            }
            Ok(Err(_)) if self.rude => false,
            Ok(Err(error)) => panic!("the adapter's framing: {error}",),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => false,
        }
    }

    fn sort(&mut self, message: Value) {
        match message["type"].as_str() {
            Some("response") => self.responses.push_back(message),
            Some("request") => self.reverse.push_back(message),
            _ if message["event"] == json!("output") => {
                let category = message["body"]["category"].as_str().unwrap_or("console").to_owned();
                let text = message["body"]["output"].as_str().unwrap_or_default().to_owned();
                self.output.push((category, text));
            }
            _ => self.events.push_back(message),
        }
    }

    fn note(&mut self, direction: &str, message: &Value) {
        let text = message.to_string();
        let end = text.char_indices().nth(700).map_or(text.len(), |(index, _)| index);
        self.transcript.push_back(format!("{direction} {}", &text[..end]));
        if self.transcript.len() > 40 {
            self.transcript.pop_front();
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.story());
        } else if !self.ended {
            self.end();
        }
    }
}
