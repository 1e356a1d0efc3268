//! The threads between a byte stream and the session: one reader, one writer.
//!
//! They must never wait for the session, and decide nothing but cancellation and what is no message at all.

use std::io::{Read, Write};
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Receiver, Sender, unbounded};
use serde_json::value::RawValue;

use crate::envelope::{Envelope, NotAMessage, ResponseOut};
use crate::framing::FrameReader;
use crate::message::Request as _;
use crate::outgoing::{Outgoing, Shared};
use crate::queue::Limits;
use crate::refusal::{BAD_MESSAGE, Refusal};
use crate::requests::Cancel;
use crate::responder::{RawRequest, error_body};
use crate::types::CancelArguments;

/// What the session gets from the client.
#[derive(Debug)]
pub enum Incoming {
    /// A request, registered as pending; it must be answered.
    Request(RawRequest),
    /// Bytes that are no message. Already answered where the sender's number could be found.
    Malformed { reason: String, answered: bool },
    /// The client wants a progress to end. Its [`Progress::token`](crate::Progress::token) is raised already.
    CancelProgress(String),
    /// The client is gone, or nothing it says can be read any more (then there is a reason). It may come twice.
    Eof { reason: Option<String> },
}

/// Serves a client over any pair of streams. Both threads end with the connection.
pub fn server<R, W>(read: R, write: W) -> std::io::Result<(Receiver<Incoming>, Outgoing)>
where
    R: Read + Send + 'static,
    W: Write + Send + 'static,
{
    server_with(read, write, Limits::default())
}

/// The same with other limits.
pub fn server_with<R, W>(read: R, write: W, limits: Limits) -> std::io::Result<(Receiver<Incoming>, Outgoing)>
where
    R: Read + Send + 'static,
    W: Write + Send + 'static,
{
    let (sender, receiver) = unbounded();
    let out = Outgoing::new(limits);
    let shared = Arc::clone(&out.0);
    let to_session = sender.clone();
    thread::Builder::new().name("dap-writer".into()).spawn(move || {
        let reason = shared.queue.write_to(write);
        shared.cancel_everything();
        let _ = to_session.send(Incoming::Eof { reason: Some(reason) });
    })?;
    let shared = Arc::clone(&out.0);
    thread::Builder::new().name("dap-reader".into()).spawn(move || {
        let reason = read_all(read, &shared, &sender, limits);
        // What was asked before the end is still done: a client may write everything, close, and read the answers.
        shared.forget_reverse();
        let _ = sender.send(Incoming::Eof { reason });
    })?;
    Ok((receiver, out))
}

/// Reads until the stream ends; the reason when that was no orderly end.
fn read_all(
    read: impl Read,
    shared: &Arc<Shared>,
    session: &Sender<Incoming>,
    limits: Limits,
) -> Option<String> {
    let mut frames = FrameReader::new(read, limits.message);
    loop {
        let bytes = match frames.read() {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return None,
            Err(error) => return Some(error.to_string()),
        };
        tracing::trace!(target: "dap", "<- {}", String::from_utf8_lossy(&bytes));
        let event = match Envelope::parse(&bytes) {
            Ok(Envelope::Request { seq, command, arguments }) if command == Cancel::COMMAND => {
                cancel(shared, seq, arguments.as_deref())
            }
            Ok(Envelope::Request { seq, command, arguments }) => {
                Some(Incoming::Request(RawRequest::new(seq, command, arguments, shared)))
            }
            Ok(Envelope::Response { request_seq, success, message, body }) => {
                let failed = || message.unwrap_or_else(|| "the client gave no reason".to_owned());
                let answer = if success { Ok(body.as_deref()) } else { Err(failed()) };
                if !shared.answered(request_seq, answer) {
                    tracing::warn!("an answer to no request: request_seq {request_seq}");
                }
                None
            }
            Err(error) => Some(malformed(shared, error)),
        };
        if let Some(event) = event
            && session.send(event).is_err()
        {
            return None;
        }
    }
}

/// Raises the flag and answers: the cancelled request still gets its own answer.
fn cancel(shared: &Arc<Shared>, seq: i64, arguments: Option<&RawValue>) -> Option<Incoming> {
    let request = RawRequest::new(seq, Cancel::COMMAND.to_owned(), arguments.map(ToOwned::to_owned), shared);
    let (CancelArguments { request_id, progress_id }, responder) = request.parse::<Cancel>().ok()?;
    if let Some(id) = request_id {
        shared.cancel_request(id);
    }
    if let Some(id) = &progress_id {
        shared.cancel_progress(id);
    }
    responder.answer(Ok(()));
    progress_id.map(Incoming::CancelProgress)
}

fn malformed(shared: &Shared, error: NotAMessage) -> Incoming {
    let NotAMessage { seq, command, reason } = error;
    if let Some(seq) = seq {
        let refusal = Refusal::new(BAD_MESSAGE, reason.clone());
        let body = serde_json::value::to_raw_value(&error_body(&refusal)).ok();
        shared.respond(&ResponseOut {
            kind: "response",
            request_seq: seq,
            success: false,
            command: &command,
            message: Some(&reason),
            body: body.as_deref(),
        });
    }
    Incoming::Malformed { reason, answered: seq.is_some() }
}
