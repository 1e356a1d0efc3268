//! Bodies of answers: present or absent as clients need them, complete, and with identities that are never used again.

use std::collections::HashMap;

use serde_json::{Value, json};

/// Answers that must have no body.
pub(super) const WITHOUT: &[&str] = &[
    "next",
    "stepIn",
    "stepOut",
    "stepBack",
    "terminate",
    "restart",
    "disconnect",
    "configurationDone",
    "pause",
    "cancel",
    "goto",
    "itab/dispatchStep",
];

/// Answers that must have one.
pub(super) const WITH: &[&str] = &["initialize", "continue"];

/// Numbers that the adapter gave out: what they belong to.
#[derive(Debug, Default)]
pub(super) struct Identities {
    frames: HashMap<i64, (u64, String)>,
    references: HashMap<i64, u64>,
    /// What the owner of a reference promised: (named, indexed).
    counts: HashMap<i64, (Option<i64>, Option<i64>)>,
    breakpoints: HashMap<i64, ()>,
}

impl Identities {
    pub(super) fn check(
        &mut self,
        command: &str,
        arguments: &Value,
        body: &Value,
        epoch: u64,
    ) -> Vec<String> {
        let mut faults = Vec::new();
        match command {
            "stackTrace" => self.frames(body, epoch, &mut faults),
            "scopes" => {
                for scope in list(body, "scopes") {
                    self.reference(scope, epoch, &mut faults);
                    hex_or_absent(scope, &[], &mut faults);
                }
            }
            "variables" => self.variables(arguments, body, epoch, &mut faults),
            "evaluate" | "setVariable" | "setExpression" => self.reference(body, epoch, &mut faults),
            "threads" => {
                if list(body, "threads").is_empty() {
                    faults.push("no thread (Helix can't pause)".to_owned());
                }
                for thread in list(body, "threads") {
                    if thread["id"].as_i64().is_none_or(|id| id <= 0) {
                        faults.push(format!("thread id {}", thread["id"]));
                    }
                }
            }
            "setBreakpoints"
            | "setFunctionBreakpoints"
            | "setExceptionBreakpoints"
            | "setInstructionBreakpoints" => {
                self.breakpoints(command, arguments, body, &mut faults);
            }
            // One for each body of a method.
            "itab/breakOnMethod" => {
                for breakpoint in list(body, "breakpoints") {
                    self.breakpoint(breakpoint, true, true, &mut faults);
                }
            }
            _ => {}
        }
        faults
    }

    pub(super) fn event(&mut self, name: &str, body: &Value) -> Vec<String> {
        let mut faults = Vec::new();
        if name == "breakpoint" {
            let breakpoint = &body["breakpoint"];
            self.breakpoint(breakpoint, true, false, &mut faults);
        }
        if name == "stopped" {
            for id in list(body, "hitBreakpointIds") {
                if !id.as_i64().is_some_and(|id| self.breakpoints.contains_key(&id)) {
                    faults.push(format!("hitBreakpointIds names {id}, which was never given out"));
                }
            }
        }
        faults
    }

    fn frames(&mut self, body: &Value, epoch: u64, faults: &mut Vec<String>) {
        let frames = list(body, "stackFrames");
        if body["totalFrames"].as_i64().is_some_and(|total| total < frames.len() as i64) {
            faults.push("totalFrames is less than the frames sent".to_owned());
        }
        for frame in frames {
            let id = frame["id"].as_i64().unwrap_or(-1);
            let name = frame["name"].as_str().unwrap_or_default();
            if id < 0 || name.is_empty() {
                faults.push(format!("a frame with id {id} and name {name:?} (Helix panics)"));
            }
            if !frame["source"]["path"].is_null() && frame["line"].as_i64().is_none_or(|line| line < 1) {
                faults.push(format!("frame {name}: line {} with a source", frame["line"]));
            }
            if frame["column"].as_i64().is_none_or(|column| column < 1) {
                faults.push(format!("frame {name}: column {}", frame["column"]));
            }
            hex_or_absent(frame, &["instructionPointerReference"], faults);
            let (first, owner) = self.frames.entry(id).or_insert_with(|| (epoch, name.to_owned()));
            if *first != epoch || owner != name {
                faults.push(format!("frame id {id} was {owner}'s in stop {first}, now it is {name}'s"));
            }
        }
    }

    fn reference(&mut self, owner: &Value, epoch: u64, faults: &mut Vec<String>) {
        let reference = owner["variablesReference"].as_i64().unwrap_or(0);
        if reference <= 0 {
            return;
        }
        let first = *self.references.entry(reference).or_insert(epoch);
        if first != epoch {
            faults.push(format!("variablesReference {reference} was given out in stop {first} already"));
        }
        let counts = (owner["namedVariables"].as_i64(), owner["indexedVariables"].as_i64());
        self.counts.insert(reference, counts);
    }

    fn variables(&mut self, arguments: &Value, body: &Value, epoch: u64, faults: &mut Vec<String>) {
        let variables = list(body, "variables");
        for variable in variables {
            self.reference(variable, epoch, faults);
            hex_or_absent(variable, &["memoryReference"], faults);
            // What a pointer points to has no name of its own (as in Delve), but an expression.
            if variable["name"] == json!("") && variable["evaluateName"].is_null() {
                faults.push("a variable without name and evaluateName".to_owned());
            }
        }
        let asked = arguments["variablesReference"].as_i64().unwrap_or(0);
        let (named, indexed) = self.counts.get(&asked).copied().unwrap_or_default();
        let count = arguments["count"].as_i64().unwrap_or(0);
        let got = variables.len() as i64;
        let filter = arguments["filter"].as_str();
        if count > 0 && got > count {
            faults.push(format!("{got} variables where {count} were asked for"));
        }
        if count == 0 && filter == Some("named") && named.is_some_and(|named| named != got) {
            faults.push(format!("{got} named variables where namedVariables said {named:?}"));
        }
        if filter == Some("indexed") && indexed.is_some_and(|indexed| got > indexed) {
            faults.push(format!("{got} indexed variables where indexedVariables said {indexed:?}"));
        }
        if count == 0 && filter.is_none() && indexed.is_none() && named.is_some_and(|named| named != got) {
            faults.push(format!("{got} variables where namedVariables said {named:?}"));
        }
    }

    fn breakpoints(&mut self, command: &str, arguments: &Value, body: &Value, faults: &mut Vec<String>) {
        let answers = list(body, "breakpoints");
        let asked = match command {
            "setExceptionBreakpoints" if answers.is_empty() => 0,
            "setExceptionBreakpoints" => {
                list(arguments, "filters").len() + list(arguments, "filterOptions").len()
            }
            "setBreakpoints" if arguments["breakpoints"].is_null() => list(arguments, "lines").len(),
            _ => list(arguments, "breakpoints").len(),
        };
        if answers.len() != asked {
            faults.push(format!("{} breakpoints answered, {asked} asked for", answers.len()));
        }
        for (index, breakpoint) in answers.iter().enumerate() {
            let id_is_due = command != "setExceptionBreakpoints";
            self.breakpoint(breakpoint, id_is_due, command == "setBreakpoints", faults);
            let wanted = arguments["breakpoints"][index]["line"].as_i64();
            let got = breakpoint["line"].as_i64();
            if breakpoint["verified"] == json!(false) && command == "setBreakpoints" && wanted != got {
                faults.push(format!("an unverified breakpoint moved from {wanted:?} to {got:?}"));
            }
        }
    }

    fn breakpoint(
        &mut self,
        breakpoint: &Value,
        id_is_due: bool,
        line_is_due: bool,
        faults: &mut Vec<String>,
    ) {
        match breakpoint["id"].as_i64() {
            Some(id) if id >= 0 => drop(self.breakpoints.insert(id, ())),
            // Those of exceptions are never named again.
            None if breakpoint["id"].is_null() && !id_is_due => {}
            other => faults.push(format!("breakpoint id {other:?} (Helix reads a usize)")),
        }
        if line_is_due && breakpoint["line"].as_i64().is_none_or(|line| line < 1) {
            faults.push("a breakpoint without its line (Helix moves it to line 1)".to_owned());
        }
        if breakpoint["verified"] != json!(true) && breakpoint["message"].as_str().is_none_or(str::is_empty) {
            faults.push("an unverified breakpoint without a message".to_owned());
        }
        if breakpoint["column"].as_i64().is_some_and(|column| column < 1) {
            faults.push(format!("breakpoint column {}", breakpoint["column"]));
        }
        hex_or_absent(breakpoint, &["instructionReference"], faults);
    }
}

fn list<'a>(body: &'a Value, member: &str) -> &'a [Value] {
    body[member].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Addresses are `0x` texts, and no member that takes an address is empty.
fn hex_or_absent(owner: &Value, members: &[&str], faults: &mut Vec<String>) {
    for member in members {
        if let Some(text) = owner[*member].as_str()
            && text.strip_prefix("0x").is_none_or(|digits| u64::from_str_radix(digits, 16).is_err())
        {
            faults.push(format!("{member} is {text:?}, no 0x address"));
        }
    }
}
