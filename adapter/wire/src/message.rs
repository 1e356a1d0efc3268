//! The traits that tie a command or an event to its types.
//!
//! It must never name a concrete message: those are in `generated` and [`itab`](crate::itab).

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A request of the client. Implemented by empty enums that serve as names: `requests::Next`.
pub trait Request {
    /// `command` on the wire.
    const COMMAND: &'static str;
    /// Absent and `null` arguments are read as `{}`.
    type Arguments: DeserializeOwned;
    /// What a successful answer carries; `()` makes no `body` member at all, as clients want it for steps.
    type Body: Serialize;
}

/// A request that the adapter sends to the client.
pub trait ReverseRequest {
    /// `command` on the wire.
    const COMMAND: &'static str;
    /// Sent as `arguments`.
    type Arguments: Serialize;
    /// What a successful answer of the client carries.
    type Body: DeserializeOwned;
}

/// An event; the value that implements it is the event's body.
pub trait Event: Serialize {
    /// `event` on the wire.
    const EVENT: &'static str;
    /// False for events that have no body (`initialized`).
    const HAS_BODY: bool = true;
}
