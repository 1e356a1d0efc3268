//! The outer members of a message, before anybody knows what it means.
//!
//! It must never parse `arguments` or `body`: those are kept as text for whoever knows their type.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// A message as it arrived.
#[derive(Debug)]
pub(crate) enum Envelope {
    Request { seq: i64, command: String, arguments: Option<Box<RawValue>> },
    Response { request_seq: i64, success: bool, message: Option<String>, body: Option<Box<RawValue>> },
}

/// Why bytes are no message, with what an answer to them needs if that can be found.
#[derive(Debug)]
pub(crate) struct NotAMessage {
    pub(crate) seq: Option<i64>,
    pub(crate) command: String,
    pub(crate) reason: String,
}

#[derive(Deserialize)]
struct Members<'a> {
    seq: Option<Value>,
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    command: Option<Cow<'a, str>>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
    request_seq: Option<Value>,
    success: Option<bool>,
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
}

impl Envelope {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, NotAMessage> {
        let text = std::str::from_utf8(bytes)
            .map_err(|error| NotAMessage::scan(bytes, format!("the message is not UTF-8: {error}")))?;
        let members: Members<'_> = serde_json::from_str(text)
            .map_err(|error| NotAMessage::scan(bytes, format!("the message is not valid: {error}")))?;
        let command = members.command.as_deref().unwrap_or_default().to_owned();
        let seq = members.seq.as_ref().and_then(whole);
        let refuse = |reason: &str| NotAMessage { seq, command: command.clone(), reason: reason.to_owned() };
        match members.kind.as_deref() {
            Some("request") if command.is_empty() => Err(refuse("the request has no `command`")),
            Some("request") => {
                let seq = seq.ok_or_else(|| refuse("the request has no whole number `seq`"))?;
                Ok(Self::Request { seq, command, arguments: members.arguments.map(ToOwned::to_owned) })
            }
            Some("response") => {
                let request_seq = members.request_seq.as_ref().and_then(whole);
                let request_seq =
                    request_seq.ok_or_else(|| refuse("the response has no whole number `request_seq`"))?;
                Ok(Self::Response {
                    request_seq,
                    success: members.success.unwrap_or(false),
                    message: members.message.map(Cow::into_owned),
                    body: members.body.map(ToOwned::to_owned),
                })
            }
            Some(other) => Err(refuse(&format!("messages of type `{other}` are not taken from a client"))),
            None => Err(refuse("the message has no `type`")),
        }
    }
}

impl NotAMessage {
    /// Finds `seq` and `command` in a text that is no JSON, to answer it nevertheless.
    fn scan(bytes: &[u8], reason: String) -> Self {
        let head = String::from_utf8_lossy(bytes.get(..bytes.len().min(4096)).unwrap_or_default());
        let after = |key: &str| {
            let (_, rest) = head.split_once(key)?;
            Some(rest.trim_start().strip_prefix(':')?.trim_start())
        };
        let digits =
            |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok();
        let quoted = |text: &str| Some(text.strip_prefix('"')?.split_once('"')?.0.to_owned());
        Self {
            seq: after("\"seq\"").and_then(digits),
            command: after("\"command\"").and_then(quoted).unwrap_or_default(),
            reason,
        }
    }
}

/// A whole number, also written as `1.0`.
fn whole(value: &Value) -> Option<i64> {
    #[allow(clippy::cast_possible_truncation)]
    value.as_i64().or_else(|| value.as_f64().filter(|f| f.fract() == 0.0 && f.abs() < 9e15).map(|f| f as i64))
}

/// A response without its `seq`, which the queue adds.
#[derive(Serialize)]
pub(crate) struct ResponseOut<'a> {
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    pub(crate) request_seq: i64,
    pub(crate) success: bool,
    pub(crate) command: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<&'a RawValue>,
}

/// An event without its `seq`.
#[derive(Serialize)]
pub(crate) struct EventOut<'a, B> {
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    pub(crate) event: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<B>,
}

/// A reverse request without its `seq`.
#[derive(Serialize)]
pub(crate) struct RequestOut<'a, A> {
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    pub(crate) command: &'a str,
    pub(crate) arguments: A,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tolerant_of_numbers_and_absent_members() {
        let parsed = Envelope::parse(br#"{"seq":3.0,"type":"request","command":"threads","x":[1]}"#).unwrap();
        assert!(
            matches!(parsed, Envelope::Request { seq: 3, ref command, arguments: None } if command == "threads")
        );
        let null =
            Envelope::parse(br#"{"seq":3,"type":"request","command":"next","arguments":null}"#).unwrap();
        assert!(
            matches!(null, Envelope::Request { arguments, .. } if arguments.as_ref().is_none_or(|a| a.get() == "null"))
        );
    }

    #[test]
    fn finds_whom_to_answer_in_what_is_no_message() {
        let cases: &[(&[u8], Option<i64>, &str)] = &[
            (br#"{"seq" : 12, "type":"request","command": "next", "arguments": {]}"#, Some(12), "next"),
            (br#"{"seq":7,"type":"request"}"#, Some(7), ""),
            (br#"{"seq":7,"type":"event","event":"x"}"#, Some(7), ""),
            (br#"{"seq":7,"command":"next"}"#, Some(7), "next"),
            (br#"{"seq":"7","type":"request","command":"next"}"#, None, "next"),
            (br#"[1,2,3]"#, None, ""),
            (b"\xff\xfe{\"seq\":5", Some(5), ""),
            (b"", None, ""),
        ];
        for (bytes, seq, command) in cases {
            let error = Envelope::parse(bytes).unwrap_err();
            assert_eq!((error.seq, error.command.as_str()), (*seq, *command), "{}", error.reason);
        }
    }
}
