//! A debug session as a user drives it: launch, breakpoints, stops, the tree of variables.
//!
//! It must ask only what an editor could ask: everything goes over the protocol.

use serde_json::{Value, json};

use crate::adapter::Options;
use crate::client::{Client, Failure};
use crate::fixture::Fixture;

/// What to launch and how.
#[derive(Debug, Clone)]
pub struct Launch {
    pub arguments: Value,
    pub options: Options,
    /// What the client says of itself.
    pub client: Value,
}

impl Launch {
    /// A built program, in `exec` mode.
    pub fn exec(fixture: &Fixture) -> Self {
        Self::program(&fixture.binary.display().to_string())
    }

    /// A program by path.
    pub fn program(path: &str) -> Self {
        Self {
            arguments: json!({"mode": "exec", "program": path}),
            options: Options::default(),
            client: json!({
                "clientID": "itab-e2e", "adapterID": "itab", "pathFormat": "path", "linesStartAt1": true,
                "columnsStartAt1": true, "supportsVariableType": true, "supportsVariablePaging": true,
                "supportsMemoryReferences": true, "supportsProgressReporting": true,
                "supportsInvalidatedEvent": true,
            }),
        }
    }

    /// Adds or replaces a launch attribute.
    pub fn with(mut self, attribute: &str, value: Value) -> Self {
        self.arguments[attribute] = value;
        self
    }

    /// Starts the adapter over TCP.
    pub fn tcp(mut self) -> Self {
        self.options.tcp = true;
        self
    }
}

/// A stop of the program.
#[derive(Debug, Clone)]
pub struct Stop {
    pub thread: i64,
    pub reason: String,
    /// The whole body of the event.
    pub body: Value,
}

/// A variable as the client got it.
#[derive(Debug, Clone, PartialEq)]
pub struct Variable {
    pub name: String,
    pub value: String,
    pub kind: String,
    pub reference: i64,
    /// The whole object.
    pub raw: Value,
}

impl Variable {
    fn from(raw: &Value) -> Self {
        let text = |member: &str| raw[member].as_str().unwrap_or_default().to_owned();
        Self {
            name: text("name"),
            value: if raw["result"].is_string() { text("result") } else { text("value") },
            kind: text("type"),
            reference: raw["variablesReference"].as_i64().unwrap_or(0),
            raw: raw.clone(),
        }
    }

    /// The expression that gives the same value later.
    pub fn evaluate_name(&self) -> Option<&str> {
        self.raw["evaluateName"].as_str()
    }
}

/// A session under way.
pub struct Session {
    pub client: Client,
    /// The frame that [`Session::eval`] evaluates in.
    pub frame: Option<i64>,
}

impl Session {
    /// Starts the adapter and launches; breakpoints are set before the program runs.
    #[track_caller]
    pub fn launch(launch: &Launch, breakpoints: &[(&str, &[i64])]) -> Self {
        let mut session = Self::begin(launch, "launch");
        for (path, lines) in breakpoints {
            session.set_breakpoints(path, lines);
        }
        session.configured();
        session
    }

    /// The same up to the point where the client configures.
    #[track_caller]
    pub fn begin(launch: &Launch, request: &str) -> Self {
        let mut client = Client::start_with(&launch.options);
        client.ok("initialize", launch.client.clone());
        let seq = client.send(request, launch.arguments.clone());
        if let Err(failure) = client.answer_or_event(seq, "initialized").unwrap_or_else(|| client.answer(seq))
        {
            panic!("{request}: {failure:?}",);
        }
        Self { client, frame: None }
    }

    /// Starts the adapter and a launch or attach that must be refused.
    #[track_caller]
    pub fn refused(launch: &Launch, request: &str) -> (Client, Failure) {
        let mut client = Client::start_with(&launch.options);
        client.ok("initialize", launch.client.clone());
        let failure = client.refused(request, launch.arguments.clone());
        (client, failure)
    }

    /// Says that everything is configured.
    #[track_caller]
    pub fn configured(&mut self) {
        self.client.ok("configurationDone", json!({}));
    }

    /// Breakpoints of a file; the answers in order.
    #[track_caller]
    pub fn set_breakpoints(&mut self, path: &str, lines: &[i64]) -> Vec<Value> {
        let list: Vec<Value> = lines.iter().map(|line| json!({"line": line})).collect();
        self.set_breakpoints_as(path, json!(list))
    }

    /// Breakpoints of a file with conditions and the like.
    #[track_caller]
    pub fn set_breakpoints_as(&mut self, path: &str, breakpoints: Value) -> Vec<Value> {
        let body =
            self.client.ok("setBreakpoints", json!({"source": {"path": path}, "breakpoints": breakpoints}));
        body["breakpoints"].as_array().cloned().unwrap_or_default()
    }

    /// Waits for a stop; fails when the program ends instead.
    #[track_caller]
    pub fn stopped(&mut self) -> Stop {
        let event = self.client.event_of(&["stopped", "terminated"]);
        if event["event"] != json!("stopped") {
            panic!("the program ended: {:?}", self.client.output("stderr"));
        }
        let stop = Stop {
            thread: event["body"]["threadId"].as_i64().unwrap_or(0),
            reason: event["body"]["reason"].as_str().unwrap_or_default().to_owned(),
            body: event["body"].clone(),
        };
        self.frame = None;
        stop
    }

    /// Waits for the program's end; its exit code.
    #[track_caller]
    pub fn exited(&mut self) -> i64 {
        let event = self.client.event_of(&["exited", "stopped"]);
        assert_eq!(event["event"], json!("exited"), "stopped instead: {event}");
        self.client.event("terminated");
        event["body"]["exitCode"].as_i64().unwrap_or(-1)
    }

    /// The frames of a thread, and the top one becomes the frame of [`Session::eval`].
    #[track_caller]
    pub fn frames(&mut self, thread: i64) -> Vec<Value> {
        let body = self.client.ok("stackTrace", json!({"threadId": thread, "startFrame": 0, "levels": 50}));
        let frames = body["stackFrames"].as_array().cloned().unwrap_or_default();
        assert!(!frames.is_empty(), "no frames");
        self.frame = frames[0]["id"].as_i64();
        frames
    }

    /// Function and line of the top frame.
    #[track_caller]
    pub fn place(&mut self, thread: i64) -> (String, i64) {
        let frames = self.frames(thread);
        let name = frames[0]["name"].as_str().unwrap_or_default().to_owned();
        (name, frames[0]["line"].as_i64().unwrap_or(0))
    }

    /// The scope of this name of the current frame.
    #[track_caller]
    pub fn scope(&mut self, name: &str) -> Option<Value> {
        let frame = self.frame.expect("ask for the frames first");
        let body = self.client.ok("scopes", json!({"frameId": frame}));
        let scopes = body["scopes"].as_array().cloned().unwrap_or_default();
        scopes.into_iter().find(|scope| scope["name"].as_str().is_some_and(|text| text.starts_with(name)))
    }

    /// The local variables of the current frame.
    #[track_caller]
    pub fn locals(&mut self) -> Vec<Variable> {
        let scope = self.scope("Locals").unwrap_or_else(|| panic!("no scope Locals"));
        self.children(scope["variablesReference"].as_i64().unwrap_or(0))
    }

    /// All children behind a reference.
    #[track_caller]
    pub fn children(&mut self, reference: i64) -> Vec<Variable> {
        if reference == 0 {
            return Vec::new();
        }
        let body = self.client.ok("variables", json!({"variablesReference": reference}));
        body["variables"].as_array().into_iter().flatten().map(Variable::from).collect()
    }

    /// Evaluates in the current frame, as a watch.
    pub fn eval(&mut self, expression: &str) -> Result<Variable, Failure> {
        self.eval_in(expression, "watch")
    }

    /// Evaluates in the current frame.
    pub fn eval_in(&mut self, expression: &str, context: &str) -> Result<Variable, Failure> {
        let mut arguments = json!({"expression": expression});
        if let Some(frame) = self.frame {
            arguments["frameId"] = json!(frame);
        }
        if !context.is_empty() {
            arguments["context"] = json!(context);
        }
        self.client.request("evaluate", arguments).map(|body| {
            let mut variable = Variable::from(&body);
            variable.name = expression.to_owned();
            variable
        })
    }

    /// The text of an expression that must evaluate.
    #[track_caller]
    pub fn text(&mut self, expression: &str) -> String {
        match self.eval(expression) {
            Ok(variable) => variable.value,
            Err(failure) => panic!("{expression}: {failure:?}"),
        }
    }

    /// Runs on to the next stop.
    #[track_caller]
    pub fn go_on(&mut self, thread: i64) -> Stop {
        self.client.ok("continue", json!({"threadId": thread}));
        self.stopped()
    }

    /// One step (`next`, `stepIn`, `stepOut`).
    #[track_caller]
    pub fn step(&mut self, how: &str, thread: i64) -> Stop {
        self.client.ok(how, json!({"threadId": thread}));
        self.stopped()
    }

    /// Runs on to the program's end; its exit code.
    #[track_caller]
    pub fn run_out(&mut self, thread: i64) -> i64 {
        self.client.ok("continue", json!({"threadId": thread}));
        self.exited()
    }
}
