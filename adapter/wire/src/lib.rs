//! The Debug Adapter Protocol on the wire: framing, envelope, typed messages, one answer for each request.
//!
//! This crate is the only one that knows the `dap` crate and the shape of messages; it must never know what a message
//! does. [`server`] starts the reader and the writer of a connection; requests come as [`Incoming`], answers go through
//! [`Responder`], events through [`Outgoing`].

mod cancel;
mod connection;
mod envelope;
mod framing;
#[allow(clippy::doc_markdown, clippy::struct_excessive_bools)]
mod generated;
pub mod itab;
mod message;
mod outgoing;
mod progress;
mod queue;
mod refusal;
mod responder;
mod shape;

pub use cancel::CancelToken;
pub use connection::{Incoming, server, server_with};
pub use framing::{FrameError, FrameReader, MESSAGE_LIMIT, write_frame};
pub use generated::requests;
pub use message::{Event, Request, ReverseRequest};
pub use outgoing::Outgoing;
pub use progress::Progress;
pub use queue::{Closed, Limits};
pub use refusal::{BAD_MESSAGE, CANCELLED, INTERNAL_ERROR, Refusal};
pub use responder::{Answered, RawRequest, Responder};

/// Everything that messages are made of: shared types, arguments (`NextArguments`), bodies (`ThreadsResponse`) and
/// events (`StoppedEvent`), under the schema's names.
pub mod types {
    pub use crate::generated::*;
    pub use crate::shape::{IntegerOrString, NoArguments};

    /// `body` of an answer that refuses (`ErrorResponse` in the schema).
    #[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
    pub struct ErrorBody {
        #[serde(skip_serializing_if = "Option::is_none")]
        pub error: Option<Message>,
    }
}

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod tests;
