//! Why a request was not done, as the client gets it.
//!
//! It must never hold a text that only a developer of the adapter understands without an id to look it up by.

/// An error answer: `success: false` with `message`, and `body.error` with the same text as `format`. Some clients show
/// the one, some the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// `body.error.id`, from the adapter's table of refusals.
    pub id: i64,
    /// What happened and what to do next.
    pub message: String,
    /// Whether the client should show it at once (a dialog), not only where the answer would have been.
    pub show_user: bool,
}

/// Something in the adapter failed that should not have (Delve's number for it).
pub const INTERNAL_ERROR: i64 = 8888;
/// A message that is no DAP message, or a request with wrong arguments.
pub const BAD_MESSAGE: i64 = 8887;
/// The request was cancelled by the client.
pub const CANCELLED: i64 = 8886;

impl Refusal {
    /// A refusal that is shown where the answer would have been.
    pub fn new(id: i64, message: impl Into<String>) -> Self {
        Self { id, message: message.into(), show_user: false }
    }

    /// The same, shown to the user at once.
    pub fn shown(id: i64, message: impl Into<String>) -> Self {
        Self { id, message: message.into(), show_user: true }
    }

    /// The answer to a request that the client cancelled; the protocol defines its `message`.
    pub fn cancelled() -> Self {
        Self::new(CANCELLED, "cancelled")
    }

    /// True for [`Refusal::cancelled`].
    pub fn is_cancelled(&self) -> bool {
        self.id == CANCELLED
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} (error {})", self.message, self.id)
    }
}

impl std::error::Error for Refusal {}
