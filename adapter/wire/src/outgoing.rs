//! What the adapter sends on its own account: events and requests to the client.
//!
//! It must never be needed for an answer: those go through [`Responder`](crate::Responder), exactly once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};
use serde_json::value::RawValue;

use crate::cancel::CancelToken;
use crate::envelope::{EventOut, RequestOut, ResponseOut};
use crate::message::{Event, ReverseRequest};
use crate::queue::{Limits, Queue};

/// The way to the client. Clones share it; messages are numbered in the order of the calls.
#[derive(Debug, Clone)]
pub struct Outgoing(pub(crate) Arc<Shared>);

/// What the reader, the writer and all senders share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) queue: Queue,
    /// Requests of the client that are not answered yet, by their `seq`.
    pending: Mutex<HashMap<i64, CancelToken>>,
    /// Work that shows progress and may be cancelled, by `progressId`.
    progress: Mutex<HashMap<String, CancelToken>>,
    /// Our requests that the client has not answered yet.
    reverse: Mutex<HashMap<i64, Reply>>,
    /// The `message` of an error answer is its summary alone; see [`Outgoing::summarise`].
    pub(crate) summarise: AtomicBool,
}

/// The body that the client answered with, or why there is none.
type ClientAnswer<'a> = Result<Option<&'a RawValue>, String>;

/// Takes the client's answer to one of our requests.
struct Reply(Box<dyn FnOnce(ClientAnswer<'_>) + Send>);

impl std::fmt::Debug for Reply {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Reply")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Outgoing {
    pub(crate) fn new(limits: Limits) -> Self {
        Self(Arc::new(Shared {
            queue: Queue::new(limits),
            pending: Mutex::default(),
            progress: Mutex::default(),
            reverse: Mutex::default(),
            summarise: AtomicBool::new(false),
        }))
    }

    /// From now on the `message` of an error answer is what stands before its first colon, as with Delve; `body.error.format` keeps
    /// the whole text. Some editors show only `message`: this is for clients that expect the summary.
    pub fn summarise(&self) {
        self.0.summarise.store(true, Ordering::Relaxed);
    }

    /// Sends an event. Never waits; after the connection's end it does nothing.
    pub fn event<E: Event>(&self, body: E) {
        let body = E::HAS_BODY.then_some(body);
        match serde_json::to_vec(&EventOut { kind: "event", event: E::EVENT, body }) {
            Ok(tail) => drop(self.0.queue.push(&tail, |_| ())),
            Err(error) => tracing::error!("event {} can't be written: {error}", E::EVENT),
        }
    }

    /// False while the client has much unread. The program's output is to be left in its pipe then: it fills, and the program
    /// waits instead of our memory growing.
    pub fn has_room(&self) -> bool {
        self.0.queue.has_room()
    }

    /// Sends a request to the client. The answer, or why there is none, comes through the channel, which is
    /// disconnected when the connection ends first. A client may never answer: wait with a timeout.
    pub fn request<R: ReverseRequest>(&self, arguments: R::Arguments) -> Receiver<Result<R::Body, String>>
    where
        R::Body: Send + 'static,
    {
        let (sender, receiver) = bounded(1);
        let tail = match serde_json::to_vec(&RequestOut { kind: "request", command: R::COMMAND, arguments }) {
            Ok(tail) => tail,
            Err(error) => {
                let _ = sender.send(Err(format!("{} can't be written: {error}", R::COMMAND)));
                return receiver;
            }
        };
        let reply = Reply(Box::new(move |answer| {
            let body = answer.and_then(|body| {
                serde_json::from_str(body.map_or("null", RawValue::get))
                    .map_err(|error| format!("the client's answer to {} is not valid: {error}", R::COMMAND))
            });
            let _ = sender.send(body);
        }));
        let _ = self.0.queue.push(&tail, |seq| drop(lock(&self.0.reverse).insert(seq, reply)));
        receiver
    }

    /// Waits until everything was handed to the stream; false when the client doesn't read it in time.
    pub fn flush(&self, timeout: Duration) -> bool {
        self.0.queue.flush(timeout)
    }

    /// Ends the connection from our side, after what is already queued.
    pub fn close(&self) {
        self.0.queue.close("closed by the adapter");
        lock(&self.0.reverse).clear();
    }
}

impl Shared {
    pub(crate) fn respond(&self, response: &ResponseOut<'_>) {
        match serde_json::to_vec(response) {
            Ok(tail) => drop(self.queue.push(&tail, |_| ())),
            Err(error) => tracing::error!("answer to {} can't be written: {error}", response.command),
        }
    }

    pub(crate) fn register(&self, seq: i64) -> CancelToken {
        let token = CancelToken::new();
        lock(&self.pending).insert(seq, token.clone());
        token
    }

    /// Forgets a request that is answered. A client that used its number twice has another token under it.
    pub(crate) fn forget(&self, seq: i64, token: &CancelToken) {
        let mut pending = lock(&self.pending);
        if pending.get(&seq).is_some_and(|registered| registered.is(token)) {
            pending.remove(&seq);
        }
    }

    pub(crate) fn cancel_request(&self, seq: i64) {
        if let Some(token) = lock(&self.pending).get(&seq) {
            token.cancel();
        }
    }

    /// Raises the flags of everything that is under way: nobody can get the answers any more.
    pub(crate) fn cancel_everything(&self) {
        lock(&self.pending).values().for_each(CancelToken::cancel);
        lock(&self.progress).values().for_each(CancelToken::cancel);
        self.forget_reverse();
    }

    /// Our requests will not be answered any more.
    pub(crate) fn forget_reverse(&self) {
        lock(&self.reverse).clear();
    }

    pub(crate) fn register_progress(&self, id: &str, token: &CancelToken) {
        lock(&self.progress).insert(id.to_owned(), token.clone());
    }

    pub(crate) fn forget_progress(&self, id: &str) {
        lock(&self.progress).remove(id);
    }

    pub(crate) fn cancel_progress(&self, id: &str) {
        if let Some(token) = lock(&self.progress).get(id) {
            token.cancel();
        }
    }

    /// The client's answer to one of our requests; false when there is no such request.
    pub(crate) fn answered(&self, seq: i64, answer: ClientAnswer<'_>) -> bool {
        let reply = lock(&self.reverse).remove(&seq);
        let known = reply.is_some();
        if let Some(Reply(take)) = reply {
            take(answer);
        }
        known
    }
}
