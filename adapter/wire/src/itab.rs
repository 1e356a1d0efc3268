//! Our own requests and events (docs/PROTOCOL.md, section 2).
//!
//! It must never differ from that document: names, spelling and meaning of members are a contract with clients.

mod shapes;
mod table;
mod trace;

use crate::message::{Event, Request};
use crate::shape::{Deserialize, Serialize, open_enum};
use crate::types::Breakpoint;

pub use shapes::*;
pub use table::*;
pub use trace::*;

/// Ties a command to its types.
macro_rules! request {
    ($(#[$meta:meta])* $name:ident, $command:literal, $arguments:ty, $body:ty) => {
        $(#[$meta])*
        #[derive(Debug)]
        pub enum $name {}

        impl Request for $name {
            const COMMAND: &'static str = $command;
            type Arguments = $arguments;
            type Body = $body;
        }
    };
}

request! {
    /// The calls of a line and their targets.
    Dispatch, "itab/dispatch", DispatchArguments, DispatchResponse
}
request! {
    /// The step into one of them. Answered at once; then come `continued` and `stopped`.
    DispatchStep, "itab/dispatchStep", DispatchStepArguments, ()
}
request! {
    /// The process's itab table.
    Table, "itab/table", TableArguments, TableResponse
}
request! {
    /// Types that implement an interface.
    Implementers, "itab/implementers", ImplementersArguments, ImplementersResponse
}
request! {
    /// The method set of a type.
    Methods, "itab/methods", MethodsArguments, MethodsResponse
}
request! {
    /// A value from raw words.
    Decode, "itab/decode", DecodeArguments, DecodeResponse
}
request! {
    /// What an address points to.
    Pointee, "itab/pointee", PointeeArguments, PointeeResponse
}
request! {
    /// Stops in every implementation of an interface's method. Works while the program runs.
    BreakOnMethod, "itab/breakOnMethod", BreakOnMethodArguments, BreakOnMethodResponse
}
request! {
    /// Starts or switches a trace. Works while the program runs.
    Trace, "itab/trace", TraceArguments, TraceResponse
}
request! {
    /// What a trace has counted. Answered at any time until disconnect.
    TraceResult, "itab/traceResult", TraceResultArguments, TraceResultResponse
}

open_enum! {
    /// How much of the code [`Dispatch`] looks at.
    pub enum DispatchScope {
        Line = "line",
        Function = "function",
    }
}

/// Arguments of [`Dispatch`].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DispatchArguments {
    /// Absent: the top frame of the stopped goroutine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame_id: Option<i64>,
    /// Absent: the line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<DispatchScope>,
    /// Whether targets may be found by running the line in a sandbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speculate: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<usize>,
}

/// Body of [`Dispatch`].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DispatchResponse {
    pub sites: Vec<CallSite>,
    pub total: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<String>,
}

/// Arguments of [`DispatchStep`].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DispatchStepArguments {
    pub thread_id: i64,
    /// Absent: the line's next dynamic call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub single_thread: Option<bool>,
}

/// Arguments of [`BreakOnMethod`].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BreakOnMethodArguments {
    pub interface: String,
    pub method: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concrete: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hit_condition: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_message: Option<String>,
    pub enabled: bool,
}

/// Body of [`BreakOnMethod`]: one for each body now known.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BreakOnMethodResponse {
    pub breakpoints: Vec<Breakpoint>,
    pub total: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<String>,
}

/// Event: what [`Dispatch`] says of a thread is worth asking again. Sent after `stopped`, never instead of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DispatchChangedEvent {
    pub thread_id: i64,
}

impl Event for DispatchChangedEvent {
    const EVENT: &'static str = "itab/dispatchChanged";
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The document's tables and this module name the same requests and events.
    #[test]
    fn the_document_says_the_same() {
        let document = include_str!("../../../docs/PROTOCOL.md");
        let rows = document.lines().filter_map(|line| line.strip_prefix("| `itab/"));
        let mut documented: Vec<&str> = rows.filter_map(|row| row.split('`').next()).collect();
        documented.sort_unstable();
        let mut ours: Vec<&str> = [
            Dispatch::COMMAND,
            DispatchStep::COMMAND,
            Table::COMMAND,
            Implementers::COMMAND,
            Methods::COMMAND,
            Decode::COMMAND,
            Pointee::COMMAND,
            BreakOnMethod::COMMAND,
            Trace::COMMAND,
            TraceResult::COMMAND,
            TraceRecordsEvent::EVENT,
            DispatchChangedEvent::EVENT,
        ]
        .into_iter()
        .filter_map(|name| name.strip_prefix("itab/"))
        .collect();
        ours.sort_unstable();
        assert_eq!(documented, ours);
    }

    /// Members are spelt as in the document, and absent ones are left out.
    #[test]
    fn spelling() {
        let site = CallSite {
            kind: CallKind::MethodValue,
            interface_type_from: Some("itab".into()),
            in_progress: Some(true),
            chain: vec![Link { role: LinkRole::Body, ..Link::default() }],
            ..CallSite::default()
        };
        let text = serde_json::to_value(&site).unwrap();
        let members: Vec<&String> = text.as_object().unwrap().keys().collect();
        assert_eq!(members, ["chain", "id", "inProgress", "interfaceTypeFrom", "kind", "order", "state"]);
        assert_eq!(text["chain"][0], serde_json::json!({"role": "body", "name": "", "address": ""}));
    }
}
