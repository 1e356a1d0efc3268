//! Traces of dispatches and type assertions.
//!
//! Counts must be exact: records and `dropped` together equal them.

use crate::message::Event;
use crate::shape::{Deserialize, Serialize, open_enum};

open_enum! {
    /// What a trace records.
    pub enum TraceWhat {
        Dispatch = "dispatch",
        Asserts = "asserts",
    }
}

/// Which call sites a trace takes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TraceFilter {
    /// `file:line[:column]` or an instruction reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concrete: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
}

/// Arguments of [`Trace`](super::Trace): a new trace, or `trace_id` with `enabled` to switch one.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TraceArguments {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub what: Option<TraceWhat>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<TraceFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arguments: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub results: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<usize>,
}

/// Body of [`Trace`](super::Trace).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TraceResponse {
    pub trace_id: i64,
    pub sites: Vec<TraceSite>,
    pub total: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<String>,
}

/// A call site that a trace watches, and how.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TraceSite {
    pub site: String,
    pub mechanism: String,
}

open_enum! {
    /// The form of a trace's result.
    pub enum TraceForm {
        Table = "table",
        Pprof = "pprof",
        Graph = "graph",
    }
}

/// Arguments of [`TraceResult`](super::TraceResult).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TraceResultArguments {
    pub trace_id: i64,
    #[serde(rename = "as")]
    pub as_field: TraceForm,
    /// Absent: a file in the temporary folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<usize>,
}

/// Body of [`TraceResult`](super::TraceResult): rows, or the path of the file that was written.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TraceResultResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<Vec<TraceRow>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// How often one site called one target. Times in nanoseconds, where results are traced.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TraceRow {
    pub site: String,
    pub line: i64,
    pub interface_type: String,
    pub method: String,
    pub concrete_type: String,
    pub target: String,
    pub count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<u64>,
    /// Of an assertion: whether it held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ok: Option<bool>,
    /// Of an assertion: the type that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wanted: Option<String>,
}

/// Event: at most ten a second, batched.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TraceRecordsEvent {
    pub trace_id: i64,
    pub records: Vec<TraceRecord>,
    /// How many were lost since the last event.
    pub dropped: u64,
}

impl Event for TraceRecordsEvent {
    const EVENT: &'static str = "itab/traceRecords";
}

/// One dispatch or assertion. Times in nanoseconds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TraceRecord {
    pub time: u64,
    pub goroutine: i64,
    pub site: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    pub concrete_type: String,
    pub target: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub results: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elapsed: Option<u64>,
    /// Of an assertion: whether it held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ok: Option<bool>,
    /// Of an assertion: the type that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wanted: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached: Option<bool>,
}
