//! What real clients rely on beyond the schema: order, counts, identities. Each rule names the client that breaks.
//!
//! A rule must be decidable from the messages alone: the checker sees every message in the order of the wire and knows
//! nothing of the program.

mod bodies;
mod state;

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

/// Judges one conversation.
#[derive(Debug, Default)]
pub struct Rules {
    violations: Vec<String>,
    last_seq: i64,
    /// Requests sent and not answered: seq -> (command, arguments).
    pending: HashMap<i64, (String, Value)>,
    answered: HashSet<i64>,
    capabilities: Option<Value>,
    phase: state::Phase,
    ids: bodies::Identities,
}

impl Rules {
    /// A request that the client is about to send.
    pub fn sent(&mut self, seq: i64, command: &str, arguments: &Value) {
        self.pending.insert(seq, (command.to_owned(), arguments.clone()));
        self.phase.sent(command);
    }

    /// A message of the adapter.
    pub fn received(&mut self, message: &Value) {
        let before = self.violations.len();
        self.violations.extend(crate::schema::objections(message));
        let seq = message["seq"].as_i64().unwrap_or(0);
        if seq != self.last_seq + 1 {
            let expected = self.last_seq + 1;
            self.violate(format!("seq {seq} where {expected} is due"));
        }
        self.last_seq = seq;
        match message["type"].as_str() {
            Some("response") => self.response(message),
            Some("event") => self.event(message),
            Some("request") if self.capabilities.is_none() => {
                self.violate("a request before the initialize response".to_owned());
            }
            _ => {}
        }
        if self.violations.len() > before {
            self.violations.push(format!("    in {message:.1500}"));
        }
    }

    /// The end of the conversation: everything must have been answered.
    pub fn ended(&mut self, gracefully: bool) {
        if gracefully && !self.pending.is_empty() {
            let mut commands: Vec<_> =
                self.pending.iter().map(|(seq, (name, _))| (*seq, name.clone())).collect();
            commands.sort();
            self.violate(format!("never answered: {commands:?}"));
        }
        let open = self.phase.open_progress();
        if gracefully && !open.is_empty() {
            self.violate(format!("progress that never ended: {open:?}"));
        }
    }

    /// What was found so far.
    pub fn violations(&self) -> &[String] {
        &self.violations
    }

    /// What the adapter said of itself.
    pub fn capabilities(&self) -> Value {
        self.capabilities.clone().unwrap_or(Value::Null)
    }

    /// True while, for a client, the program runs.
    pub fn running(&self) -> bool {
        self.phase.running()
    }

    fn violate(&mut self, text: String) {
        self.violations.push(text);
    }

    fn response(&mut self, message: &Value) {
        let seq = message["request_seq"].as_i64().unwrap_or(0);
        let command = message["command"].as_str().unwrap_or_default().to_owned();
        let Some((asked, arguments)) = self.pending.remove(&seq) else {
            let why =
                if self.answered.contains(&seq) { "a second answer" } else { "an answer to no request" };
            return self.violate(format!("{why}: {command} (Helix ends the session)"));
        };
        self.answered.insert(seq);
        if asked != command {
            self.violate(format!("{asked} answered as {command}"));
        }
        if self.capabilities.is_none() && command != "initialize" {
            self.violate(format!("{command} answered before initialize"));
        }
        if message["success"] == json!(true) {
            self.success(&command, &arguments, message);
        } else {
            self.failure(&command, message);
        }
        let faults = self.phase.answered(&command, message["success"] == json!(true));
        self.violations.extend(faults);
    }

    fn success(&mut self, command: &str, arguments: &Value, message: &Value) {
        let body = message.get("body");
        if bodies::WITHOUT.contains(&command) && body.is_some() {
            self.violate(format!("{command} answered with a body (Helix never resumes)"));
        }
        if bodies::WITH.contains(&command) && !body.is_some_and(Value::is_object) {
            self.violate(format!("{command} answered without a body object"));
        }
        if command == "initialize" {
            let body = body.cloned().unwrap_or_default();
            for capability in ["supportsConfigurationDoneRequest", "supportsTerminateRequest"] {
                if body[capability] != json!(true) {
                    self.violate(format!("{capability} is not set (Helix relies on it)"));
                }
            }
            self.capabilities = Some(body);
            return;
        }
        let epoch = self.phase.epoch();
        let faults = self.ids.check(command, arguments, body.unwrap_or(&Value::Null), epoch);
        self.violations.extend(faults);
    }

    /// VS Code shows `body.error.format`, Neovim `message`: both must say it.
    fn failure(&mut self, command: &str, message: &Value) {
        let text = message["message"].as_str().unwrap_or_default();
        let error = &message["body"]["error"];
        if text.is_empty() {
            self.violate(format!("{command} refused without a message"));
        }
        if error["id"].as_i64().is_none() || error["format"].as_str().is_none_or(str::is_empty) {
            self.violate(format!("{command} refused without body.error"));
        }
        if text.lines().any(|line| line.contains("panicked at")) || text.contains("internal error") {
            self.violate(format!("{command}: a fault of the adapter: {text}"));
        }
    }

    fn event(&mut self, message: &Value) {
        let name = message["event"].as_str().unwrap_or_default().to_owned();
        if self.capabilities.is_none() {
            self.violate(format!(
                "event {name} before the initialize response (Neovim ends without capabilities)"
            ));
        }
        let faults = self.phase.event(&name, &message["body"]);
        self.violations.extend(faults);
        let faults = self.ids.event(&name, &message["body"]);
        self.violations.extend(faults);
    }
}

#[cfg(test)]
mod tests;
