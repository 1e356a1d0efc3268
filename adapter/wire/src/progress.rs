//! Long work that a client can show and cancel (building, loading).
//!
//! It must never leave a progress open: dropping it ends it.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::cancel::CancelToken;
use crate::outgoing::Outgoing;
use crate::types::{ProgressEndEvent, ProgressStartEvent, ProgressUpdateEvent};

static NEXT: AtomicU64 = AtomicU64::new(1);

/// A progress that the client shows until it is dropped.
#[derive(Debug)]
pub struct Progress {
    id: String,
    out: Outgoing,
    shown: bool,
    token: CancelToken,
}

impl Outgoing {
    /// Starts a progress. `shown`: the client supports progress reporting; without it nothing is sent. `request` is
    /// the `seq` of the request that the work belongs to; with a `token` the client may cancel it.
    pub fn progress(
        &self,
        shown: bool,
        title: &str,
        request: Option<i64>,
        token: Option<CancelToken>,
    ) -> Progress {
        let id = format!("progress-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let cancellable = token.is_some();
        let token = token.unwrap_or_default();
        if shown {
            self.0.register_progress(&id, &token);
            self.event(ProgressStartEvent {
                progress_id: id.clone(),
                title: title.to_owned(),
                request_id: request,
                cancellable: Some(cancellable),
                ..ProgressStartEvent::default()
            });
        }
        Progress { id, out: self.clone(), shown, token }
    }
}

impl Progress {
    /// Shows how far the work is; `percentage` from 0 to 100 where that is known.
    pub fn report(&self, message: &str, percentage: Option<u8>) {
        if self.shown {
            self.out.event(ProgressUpdateEvent {
                progress_id: self.id.clone(),
                message: Some(message.to_owned()),
                percentage: percentage.map(|percent| f64::from(percent.min(100))),
            });
        }
    }

    /// Raised when the client cancels the progress or its request.
    pub fn token(&self) -> &CancelToken {
        &self.token
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            self.out.0.forget_progress(&self.id);
            self.out.event(ProgressEndEvent { progress_id: self.id.clone(), message: None });
        }
    }
}
