//! Order: initialize, configuration, one stop for each resume, the end.

use std::collections::HashSet;

use serde_json::{Value, json};

/// Where the conversation is, as a client sees it.
#[derive(Debug, Default)]
pub(super) struct Phase {
    initialized: bool,
    configured: bool,
    running: bool,
    exited: bool,
    terminated: bool,
    disconnected: bool,
    /// A request that resumes is under way.
    resuming: usize,
    /// A `continued` event that clients want: after configurationDone and after restart.
    continued_is_due: bool,
    threads_started: usize,
    /// Counts stops; identities of earlier ones are void.
    epoch: u64,
    progress: HashSet<String>,
    every_progress: HashSet<String>,
}

/// Requests after whose success the program runs.
const RESUMES: &[&str] = &["continue", "next", "stepIn", "stepOut", "itab/dispatchStep"];

impl Phase {
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(super) fn running(&self) -> bool {
        self.running
    }

    pub(super) fn open_progress(&self) -> Vec<&String> {
        self.progress.iter().collect()
    }

    pub(super) fn sent(&mut self, command: &str) {
        if RESUMES.contains(&command) {
            self.resuming += 1;
        }
        if command == "configurationDone" {
            // It is answered and the program runs in any order.
            self.configured = true;
            self.running = true;
            self.continued_is_due = true;
        }
    }

    pub(super) fn answered(&mut self, command: &str, success: bool) -> Vec<String> {
        let mut faults = Vec::new();
        if RESUMES.contains(&command) {
            self.resuming = self.resuming.saturating_sub(1);
            if success {
                if self.running && command != "continue" {
                    faults.push(format!("{command} succeeded while the program runs"));
                }
                self.running = true;
                self.continued_is_due = command == "itab/dispatchStep";
            }
        }
        if command == "restart" && success {
            self.running = true;
            self.continued_is_due = true;
            (self.exited, self.terminated, self.initialized) = (false, false, false);
        }
        self.disconnected |= command == "disconnect" && success;
        faults
    }

    pub(super) fn event(&mut self, name: &str, body: &Value) -> Vec<String> {
        let mut faults = Vec::new();
        let mut fault = |condition: bool, text: &str| {
            if condition {
                faults.push(format!("{name}: {text}"));
            }
        };
        match name {
            "initialized" => {
                fault(self.initialized, "sent twice");
                self.initialized = true;
            }
            "stopped" => {
                fault(!self.configured, "before configurationDone");
                fault(self.terminated || self.exited, "after the program's end");
                fault(
                    !self.running && self.resuming > 0,
                    "before the answer to the step (answer first, then resume)",
                );
                fault(
                    !self.running && self.resuming == 0,
                    "a second one for one stop (Neovim sends continue by itself)",
                );
                fault(
                    body["threadId"].as_i64().is_none(),
                    "without threadId (Helix panics, Neovim shows nothing)",
                );
                fault(body["threadId"].as_i64().is_some_and(|id| id <= 0), "threadId is not positive");
                fault(body["allThreadsStopped"] != json!(true), "without allThreadsStopped");
                self.running = false;
                self.epoch += 1;
            }
            "continued" => {
                fault(body["threadId"].as_i64().is_none(), "without threadId");
                fault(body["allThreadsContinued"] != json!(true), "without allThreadsContinued");
                fault(self.running && !self.continued_is_due, "where a successful answer implies it");
                self.running = true;
                self.continued_is_due = false;
            }
            "thread" => {
                self.threads_started += 1;
                fault(self.threads_started > 1, "more than one (Helix ignores the stop's place)");
                fault(body["reason"] != json!("started"), "not started");
                fault(!self.configured, "before configurationDone");
            }
            "exited" => {
                fault(self.exited, "sent twice");
                fault(self.terminated, "after terminated");
                fault(
                    body["exitCode"].as_i64().is_none_or(|code| code < 0),
                    "a negative exit code (Helix can't read it)",
                );
                self.exited = true;
                self.running = false;
            }
            "terminated" => {
                fault(self.terminated, "sent twice");
                self.terminated = true;
                self.running = false;
            }
            "output" => {
                let category = body["category"].as_str().unwrap_or("console");
                let known = ["console", "important", "stdout", "stderr", "telemetry"];
                fault(!known.contains(&category), "an unknown category");
                fault(body["output"].as_str().is_none_or(str::is_empty), "without text");
            }
            _ => {}
        }
        faults.extend(self.progress(name, body));
        faults
    }

    fn progress(&mut self, name: &str, body: &Value) -> Vec<String> {
        let id = body["progressId"].as_str().unwrap_or_default().to_owned();
        let mut faults = Vec::new();
        match name {
            "progressStart" => {
                if !self.every_progress.insert(id.clone()) {
                    faults.push(format!("progress id {id} is used twice"));
                }
                self.progress.insert(id);
            }
            "progressUpdate" if !self.progress.contains(&id) => {
                faults.push(format!("no progress {id} is open"))
            }
            "progressEnd" if !self.progress.remove(&id) => faults.push(format!("no progress {id} is open")),
            _ => {}
        }
        if !body["percentage"].is_null() && body["percentage"].as_u64().is_none_or(|percent| percent > 100) {
            faults.push(format!("percentage {} (Helix reads a small whole number)", body["percentage"]));
        }
        faults
    }
}
