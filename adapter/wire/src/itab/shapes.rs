//! Shapes that several of our messages share.
//!
//! They must never carry a guess: what is unknown is absent, with a `reason` beside it.

use crate::shape::{Deserialize, Serialize, open_enum};
use crate::types::Source;

open_enum! {
    /// The construct of the source that makes a call.
    pub enum CallKind {
        Interface = "interface",
        Closure = "closure",
        MethodValue = "methodValue",
        Dictionary = "dictionary",
        Go = "go",
        Defer = "defer",
        Static = "static",
        Range = "range",
        Deferred = "deferred",
        Callback = "callback",
        Reflect = "reflect",
    }
}

open_enum! {
    /// What happens if the call is reached.
    pub enum CallState {
        Known = "known",
        Panics = "panics",
        Pending = "pending",
        Unknown = "unknown",
    }
}

open_enum! {
    /// How sure a target is.
    pub enum Certainty {
        Certain = "certain",
        Stale = "stale",
        Speculative = "speculative",
    }
}

open_enum! {
    /// What a link of a dispatch chain is.
    pub enum LinkRole {
        Itab = "itab",
        Entry = "entry",
        Wrapper = "wrapper",
        Dictionary = "dictionary",
        Body = "body",
    }
}

/// A dynamic (or static) call of a line and where it goes. All lines and columns are 1-based.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CallSite {
    /// Valid until the program runs on; `StepInTarget.id` is the same.
    pub id: i64,
    pub kind: CallKind,
    /// For [`CallKind::Callback`]: the call that it goes through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// Evaluation order within the line, from 0.
    pub order: u32,
    /// True for the call that the frame is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_progress: Option<bool>,
    /// As written: `w.Write`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<i64>,
    /// Only when the call was matched with the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_line: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_column: Option<i64>,
    /// `0x` address of the CALL instruction; absent when the call was inlined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instruction_reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Index into the method table, or the dictionary's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<i64>,
    /// What the interface type rests on: `variable`, `field`, `result`, `itab`, `source`...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface_type_from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub type_parameter: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub type_argument: Option<String>,
    pub state: CallState,
    /// True: the line may be left without reaching the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conditional: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certainty: Option<Certainty>,
    /// For all but a certain "known".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Link>,
    /// From itab to body.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<Link>,
}

/// One step from a call site to the body that runs.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Link {
    pub role: LinkRole,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qualified_name: Option<String>,
    /// `0x` address.
    pub address: String,
    /// Of a wrapper: `value receiver`, `promoted`, `embedded interface`, `-fm`, `gowrap`, `deferwrap`, `shape`, `abi`, `reflect`,
    /// `inlined body`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concrete_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<i64>,
}
