//! Requests of the client and the one answer that each gets.
//!
//! It must never let a request go unanswered or answer it twice: the answer consumes the responder, dropping it answers
//! an internal error.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::cancel::CancelToken;
use crate::envelope::ResponseOut;
use crate::message::Request;
use crate::outgoing::Shared;
use crate::refusal::{BAD_MESSAGE, INTERNAL_ERROR, Refusal};
use crate::requests::{Disconnect, Terminate};
use crate::types::{ErrorBody, Message};

/// A request whose arguments nobody has read yet. Dropped unread, it is answered with an internal error.
#[derive(Debug)]
pub struct RawRequest {
    /// The client's number of it; `cancel` and progress name the request by this.
    pub seq: i64,
    /// `command` on the wire.
    pub command: String,
    /// As they were sent; none for an absent member.
    pub arguments: Option<Box<RawValue>>,
    /// Raised when the client cancels the request or can't be reached any more.
    pub cancel: CancelToken,
    answer: Answer,
}

/// The request was not to be done and has its answer already; the text is for a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered(pub String);

/// The right, and the duty, to answer a request of type `R`.
#[derive(Debug)]
pub struct Responder<R: Request> {
    answer: Answer,
    request: PhantomData<fn() -> R>,
}

/// Answers when dropped, unless it has.
#[derive(Debug)]
struct Answer {
    seq: i64,
    command: String,
    shared: Option<Arc<Shared>>,
    token: CancelToken,
}

impl RawRequest {
    pub(crate) fn new(
        seq: i64,
        command: String,
        arguments: Option<Box<RawValue>>,
        shared: &Arc<Shared>,
    ) -> Self {
        let token = shared.register(seq);
        let answer =
            Answer { seq, command: command.clone(), shared: Some(Arc::clone(shared)), token: token.clone() };
        Self { seq, command, arguments, cancel: token, answer }
    }

    /// Reads the arguments. Wrong ones, and a request that was cancelled meanwhile, are answered here.
    pub fn parse<R: Request>(self) -> Result<(R::Arguments, Responder<R>), Answered> {
        self.parse_as::<R, R::Arguments>()
    }

    /// The same with another type for the arguments: those of `launch` are each adapter's own.
    pub fn parse_as<R: Request, A: DeserializeOwned>(self) -> Result<(A, Responder<R>), Answered> {
        let Self { command, arguments, cancel, answer, .. } = self;
        // Who disconnects means it, also when the connection breaks right behind.
        let ending = command == Disconnect::COMMAND || command == Terminate::COMMAND;
        if cancel.is_cancelled() && !ending {
            answer.refuse(&Refusal::cancelled());
            return Err(Answered(format!("{command}: cancelled before it began")));
        }
        match read_arguments(arguments.as_deref()) {
            Ok(arguments) => Ok((arguments, Responder { answer, request: PhantomData })),
            Err(reason) => {
                let text = format!("{command}: wrong arguments: {reason}");
                answer.refuse(&Refusal::new(BAD_MESSAGE, text.clone()));
                Err(Answered(text))
            }
        }
    }

    /// Refuses it whatever its arguments are (an unknown command, one that is not allowed now).
    pub fn refuse(self, refusal: &Refusal) {
        self.answer.refuse(refusal);
    }
}

/// Absent and null arguments are an empty object. The error names the member.
fn read_arguments<A: DeserializeOwned>(arguments: Option<&RawValue>) -> Result<A, String> {
    let text = arguments.map(RawValue::get).filter(|text| *text != "null").unwrap_or("{}");
    let mut json = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner().to_string();
        // serde_json's position is one inside the arguments, which helps nobody.
        let reason = inner.split(" at line ").next().unwrap_or_default();
        if path == "." { reason.to_owned() } else { format!("`{path}`: {reason}") }
    })
}

impl<R: Request> Responder<R> {
    /// Sends the one answer.
    pub fn answer(self, result: Result<R::Body, Refusal>) {
        match result {
            Ok(body) => self.answer.succeed(&body),
            Err(refusal) => self.answer.refuse(&refusal),
        }
    }

    /// The client's number of the request.
    pub fn seq(&self) -> i64 {
        self.answer.seq
    }

    /// Raised when the client cancels the request or can't be reached any more.
    pub fn token(&self) -> &CancelToken {
        &self.answer.token
    }
}

impl Answer {
    fn succeed(mut self, body: &impl serde::Serialize) {
        let Some(shared) = self.shared.take() else { return };
        let body = serde_json::value::to_raw_value(body);
        match &body {
            Ok(body) => self.send(&shared, true, None, Some(&**body).filter(|body| body.get() != "null")),
            Err(error) => {
                let text = format!("the answer to {} can't be written: {error}", self.command);
                self.fail(&shared, &Refusal::shown(INTERNAL_ERROR, text));
            }
        }
    }

    fn refuse(mut self, refusal: &Refusal) {
        if let Some(shared) = self.shared.take() {
            self.fail(&shared, refusal);
        }
    }

    fn fail(&self, shared: &Shared, refusal: &Refusal) {
        let body = serde_json::value::to_raw_value(&error_body(refusal)).ok();
        let message = match refusal.message.split_once(": ") {
            Some((summary, _)) if shared.summarise.load(Ordering::Relaxed) => summary,
            _ => &refusal.message,
        };
        self.send(shared, false, Some(message), body.as_deref());
    }

    fn send(&self, shared: &Shared, success: bool, message: Option<&str>, body: Option<&RawValue>) {
        shared.forget(self.seq, &self.token);
        let command = &self.command;
        shared.respond(&ResponseOut {
            kind: "response",
            request_seq: self.seq,
            success,
            command,
            message,
            body,
        });
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.take() {
            let text =
                format!("the request {} was left without an answer: a fault of the adapter", self.command);
            tracing::error!("{text}");
            self.fail(&shared, &Refusal::shown(INTERNAL_ERROR, text));
        }
    }
}

/// `body` of an error answer. Braces are doubled nowhere: `format` is a text without variables.
pub(crate) fn error_body(refusal: &Refusal) -> ErrorBody {
    ErrorBody {
        error: Some(Message {
            id: refusal.id,
            format: refusal.message.clone(),
            show_user: Some(refusal.show_user),
            ..Message::default()
        }),
    }
}
