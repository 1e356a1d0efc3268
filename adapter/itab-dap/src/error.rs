//! The one table of refusals: what a client is told when a request fails. Each has an id, a text that says what to do next, and
//! whether the user should see it. Nothing else in this crate builds an error response.

use wire::Refusal;

/// Every way in which a request can be refused. The numbers are Delve's where it has one (service/dap/error_ids.go).
#[derive(Clone, Debug)]
pub(crate) enum Refused {
    /// A launch that failed: text of the cause.
    Launch(String),
    Attach(String),
    Initialize(String),
    /// A second launch or attach.
    AlreadyStarted,
    NoSession,
    /// The request's name.
    Running(String),
    /// Ended, or not reading the program's state now.
    Ended,
    /// The request's name.
    NoDebug(String),
    /// A request of the protocol that this adapter doesn't have.
    Unsupported(String),
    /// No request of the protocol.
    Unknown(String, i64),
    Threads(String),
    StackTrace(String),
    Evaluate(String),
    /// The same where nothing else would show it: a value that is copied, a context that nobody knows.
    EvaluateShown(String),
    SetVariable(String),
    /// A handle of an earlier stop.
    Stale(&'static str, i64),
    /// A handle that was never given.
    UnknownFrame(i64),
    UnknownVariable(i64),
    Step(String),
    Disassemble(String),
    ReadMemory(String),
    WriteMemory(String),
    Pause(String),
    Exception(String),
    /// A command of Delve's console.
    Command(String),
    Restart(String),
    Dispatch(String),
    Trace(String),
    Cancelled,
}

impl Refused {
    /// The cause alone, for the console: what was asked stands there already.
    pub(crate) fn cause(self) -> String {
        match self {
            Refused::Launch(s)
            | Refused::Attach(s)
            | Refused::Threads(s)
            | Refused::StackTrace(s)
            | Refused::Evaluate(s)
            | Refused::Step(s)
            | Refused::Dispatch(s) => s,
            other => other.parts().1,
        }
    }

    /// (id, text, shown to the user).
    fn parts(self) -> (i64, String, bool) {
        match self {
            Refused::Launch(s) => (3000, format!("Failed to launch: {s}"), true),
            Refused::Attach(s) => (3001, format!("Failed to attach: {s}"), true),
            Refused::Initialize(s) => (3002, format!("Failed to initialize: {s}"), true),
            Refused::AlreadyStarted => (
                3000,
                "Failed to launch: this session already debugs a program; start another session".into(),
                true,
            ),
            Refused::NoSession => {
                (3000, "No debug session started: Use launch or attach request first.".into(), true)
            }
            Refused::Running(c) => (4000, format!("Unable to process `{c}`: debuggee is running"), false),
            Refused::Ended => (4001, "The program has ended; start a new session".into(), false),
            Refused::NoDebug(c) => (3000, format!("noDebug mode: unable to process '{c}' request"), false),
            Refused::Unsupported(c) => {
                (9999, format!("Unsupported command: cannot process {c:?} request"), false)
            }
            Refused::Unknown(c, seq) => {
                (8888, format!("Internal Error: Request command '{c}' is not supported (seq: {seq})"), false)
            }
            Refused::Threads(s) => (2003, format!("Unable to list goroutines: {s}"), false),
            Refused::StackTrace(s) => (2004, format!("Unable to produce stack trace: {s}"), false),
            Refused::Evaluate(s) => (2009, format!("Unable to evaluate expression: {s}"), false),
            Refused::EvaluateShown(s) => (2009, format!("Unable to evaluate expression: {s}"), true),
            Refused::SetVariable(s) => (2012, format!("Unable to set variable: {s}"), false),
            Refused::Stale(what, n) => {
                (2008, format!("{what} {n} belongs to an earlier stop; ask again for the present one"), false)
            }
            Refused::UnknownFrame(n) => (2005, format!("Unable to list locals: unknown frame id {n}"), false),
            Refused::UnknownVariable(n) => {
                (2008, format!("Unable to lookup variable: unknown reference {n}"), false)
            }
            Refused::Step(s) => (2022, format!("Unable to step: {s}"), true),
            Refused::Pause(s) => (2010, format!("Unable to halt execution: {s}"), false),
            Refused::Disassemble(s) => (2013, format!("Unable to disassemble: {s}"), false),
            Refused::ReadMemory(s) => (2016, format!("Unable to read memory: {s}"), false),
            Refused::WriteMemory(s) => (2018, format!("Unable to write memory: {s}"), false),
            Refused::Exception(s) => (2011, format!("Unable to get exception info: {s}"), false),
            Refused::Command(s) => (2015, format!("Unable to run dlv command: {s}"), false),
            Refused::Restart(s) => (3000, format!("Cannot restart: {s}"), true),
            Refused::Dispatch(s) => (2020, format!("Unable to answer about dispatch: {s}"), false),
            Refused::Trace(s) => (2021, format!("Unable to trace: {s}"), false),
            Refused::Cancelled => (2099, "cancelled".into(), false),
        }
    }
}

impl From<Refused> for Refusal {
    fn from(r: Refused) -> Refusal {
        let (id, message, show_user) = r.parts();
        Refusal { id, message, show_user }
    }
}
