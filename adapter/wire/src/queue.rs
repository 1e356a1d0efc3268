//! The way out: a queue that numbers messages, and the thread that writes them.
//!
//! It must never drop or reorder a message, and never make the session wait for a slow client: [`Queue::has_room`] tells when the
//! program's output is to be held back.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::framing::write_frame;

/// Most bytes that are handed to the stream in one write.
const BATCH: usize = 256 << 10;

/// How much may wait for a client that reads slowly.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The longest message that is taken, in bytes.
    pub message: usize,
    /// Waiting bytes above which the program's output is held back.
    pub output: usize,
    /// Waiting bytes above which the client is taken for dead and the connection is closed.
    pub backlog: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { message: crate::framing::MESSAGE_LIMIT, output: 8 << 20, backlog: 512 << 20 }
    }
}

/// The connection is closed: nothing can be sent any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the client's connection is closed")]
pub struct Closed;

#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    limits: Limits,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Vec<u8>>,
    /// Bytes in `waiting` and in the write under way.
    bytes: usize,
    last_seq: i64,
    closed: Option<String>,
}

impl Queue {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), limits }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Numbers a message and puts it at the end. `tail` is its JSON object without `seq`. `register` learns the number
    /// before the client can.
    pub(crate) fn push(&self, tail: &[u8], register: impl FnOnce(i64)) -> Result<i64, Closed> {
        let members = tail.strip_prefix(b"{").unwrap_or(tail);
        let mut state = self.lock();
        if state.closed.is_some() {
            return Err(Closed);
        }
        let seq = state.last_seq + 1;
        let mut message = format!("{{\"seq\":{seq},").into_bytes();
        message.extend_from_slice(members);
        if state.bytes + message.len() > self.limits.backlog {
            let reason = format!("the client left {} bytes unread", state.bytes);
            state.close(reason);
            self.changed.notify_all();
            return Err(Closed);
        }
        state.last_seq = seq;
        register(seq);
        state.bytes += message.len();
        state.waiting.push_back(message);
        drop(state);
        self.changed.notify_all();
        Ok(seq)
    }

    /// The client has read most of what was sent, or will never read again.
    pub(crate) fn has_room(&self) -> bool {
        let state = self.lock();
        state.closed.is_some() || state.bytes <= self.limits.output
    }

    /// Waits until everything was written; false when it was not in time.
    pub(crate) fn flush(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut state = self.lock();
        while state.bytes > 0 {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { return false };
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Ends the writer once it has written what waits.
    pub(crate) fn close(&self, reason: &str) {
        let mut state = self.lock();
        if state.closed.is_none() {
            state.closed = Some(reason.to_owned());
        }
        drop(state);
        self.changed.notify_all();
    }

    /// The writer thread: runs until the queue is closed and empty, or the stream fails. Returns why.
    pub(crate) fn write_to(&self, mut stream: impl Write) -> String {
        let mut batch = Vec::new();
        loop {
            let state = self.lock();
            let idle = |state: &mut State| state.waiting.is_empty() && state.closed.is_none();
            let mut state = self.changed.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner);
            batch.clear();
            let mut taken = 0;
            while batch.len() < BATCH
                && let Some(message) = state.waiting.pop_front()
            {
                tracing::trace!(target: "dap", "-> {}", String::from_utf8_lossy(&message));
                taken += message.len();
                write_frame(&mut batch, &message);
            }
            if batch.is_empty() {
                return state.closed.clone().unwrap_or_default();
            }
            drop(state);
            let written = stream.write_all(&batch).and_then(|()| stream.flush());
            let mut state = self.lock();
            state.bytes = state.bytes.saturating_sub(taken);
            if let Err(error) = written {
                let reason = format!("writing to the client failed: {error}");
                state.close(reason.clone());
                drop(state);
                self.changed.notify_all();
                return reason;
            }
            drop(state);
            self.changed.notify_all();
        }
    }
}

impl State {
    /// Closes and forgets what can't be delivered.
    fn close(&mut self, reason: String) {
        self.waiting.clear();
        self.bytes = 0;
        self.closed.get_or_insert(reason);
    }
}
