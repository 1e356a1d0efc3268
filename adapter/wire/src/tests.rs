//! The connection as a session uses it: answers exactly once, cancellation, order, a client that doesn't read.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use serde_json::{Value, json};

use crate::types::{OutputEvent, StoppedEvent, ThreadsResponse};
use crate::{
    FrameReader, Incoming, Limits, Outgoing, RawRequest, Refusal, requests, server_with, write_frame,
};

/// The client's end of a connection.
struct Client {
    stream: UnixStream,
    frames: FrameReader<UnixStream>,
}

impl Client {
    fn send(&mut self, message: &Value) {
        self.send_bytes(message.to_string().as_bytes());
    }

    fn send_bytes(&mut self, body: &[u8]) {
        let mut frame = Vec::new();
        write_frame(&mut frame, body);
        self.stream.write_all(&frame).unwrap();
    }

    fn request(&mut self, seq: i64, command: &str, arguments: Value) {
        self.send(&json!({"seq": seq, "type": "request", "command": command, "arguments": arguments}));
    }

    fn receive(&mut self) -> Value {
        let bytes = self.frames.read().unwrap().expect("a message");
        serde_json::from_slice(&bytes).unwrap()
    }

    /// True when nothing comes for a while.
    fn silent(&mut self) -> bool {
        self.stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let read = self.frames.read();
        self.stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        read.is_err()
    }
}

fn connect(limits: Limits) -> (Client, Receiver<Incoming>, Outgoing) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let (incoming, out) = server_with(theirs.try_clone().unwrap(), theirs, limits).unwrap();
    (Client { frames: FrameReader::new(ours.try_clone().unwrap(), 1 << 30), stream: ours }, incoming, out)
}

fn next(incoming: &Receiver<Incoming>) -> Incoming {
    incoming.recv_timeout(Duration::from_secs(20)).expect("something from the client")
}

fn next_request(incoming: &Receiver<Incoming>) -> RawRequest {
    match next(incoming) {
        Incoming::Request(request) => request,
        other => panic!("{other:?}"),
    }
}

#[test]
fn bodies_are_there_exactly_where_clients_want_them() {
    let (mut client, incoming, _out) = connect(Limits::default());
    client.request(1, "next", json!({"threadId": 3}));
    let (arguments, responder) = next_request(&incoming).parse::<requests::Next>().unwrap();
    assert_eq!(arguments.thread_id, 3);
    responder.answer(Ok(()));
    assert_eq!(
        client.receive(),
        json!({"seq": 1, "type": "response", "request_seq": 1, "success": true, "command": "next"})
    );

    client.send(&json!({"seq": 2, "type": "request", "command": "threads"}));
    let (_, responder) = next_request(&incoming).parse::<requests::Threads>().unwrap();
    responder.answer(Ok(ThreadsResponse { threads: Vec::new() }));
    let answer = client.receive();
    assert_eq!((&answer["seq"], &answer["body"]), (&json!(2), &json!({"threads": []})));

    client.send(&json!({"seq": 3, "type": "request", "command": "disconnect", "arguments": null}));
    let (arguments, responder) = next_request(&incoming).parse::<requests::Disconnect>().unwrap();
    assert_eq!(arguments.restart, None);
    responder.answer(Err(Refusal::shown(5000, "no: {braces}")));
    let answer = client.receive();
    assert_eq!(answer["success"], json!(false));
    assert_eq!(answer["message"], json!("no: {braces}"));
    assert_eq!(answer["body"], json!({"error": {"id": 5000, "format": "no: {braces}", "showUser": true}}));
}

#[test]
fn every_request_is_answered_once() {
    let (mut client, incoming, _out) = connect(Limits::default());
    // Dropped unread, dropped after parsing, wrong arguments, and refused.
    client.request(1, "next", json!({"threadId": 3}));
    client.request(2, "next", json!({"threadId": 3}));
    client.request(3, "setBreakpoints", json!({"source": {"path": 5}}));
    client.request(4, "frobnicate", json!({}));
    drop(next_request(&incoming));
    drop(next_request(&incoming).parse::<requests::Next>().unwrap());
    assert!(next_request(&incoming).parse::<requests::SetBreakpoints>().is_err());
    next_request(&incoming).refuse(&Refusal::new(9999, "unknown request"));
    for (seq, text) in [
        (1, "without an answer"),
        (2, "without an answer"),
        (3, "`source.path`: invalid type: integer `5`, expected a string"),
        (4, "unknown request"),
    ] {
        let answer = client.receive();
        assert_eq!((&answer["request_seq"], &answer["success"]), (&json!(seq), &json!(false)));
        assert!(answer["message"].as_str().unwrap().contains(text), "{answer}");
        assert_eq!(answer["body"]["error"]["format"], answer["message"]);
    }
    assert!(client.silent());
}

#[test]
fn a_message_that_is_none_is_answered_where_it_can_be() {
    let (mut client, incoming, _out) = connect(Limits::default());
    client.send_bytes(br#"{"seq":5,"type":"request","command":"next","arguments":{"threadId":}"#);
    client.send_bytes(b"nonsense");
    client.send_bytes(b"");
    client.request(6, "threads", Value::Null);
    let answer = client.receive();
    assert_eq!((&answer["request_seq"], &answer["command"]), (&json!(5), &json!("next")));
    assert_eq!(answer["success"], json!(false));
    for expected in [true, false, false] {
        assert!(matches!(next(&incoming), Incoming::Malformed { answered, .. } if answered == expected));
    }
    assert_eq!(next_request(&incoming).seq, 6);
}

#[test]
fn cancellation_is_seen_while_the_session_works() {
    let (mut client, incoming, out) = connect(Limits::default());
    client.request(1, "variables", json!({"variablesReference": 1}));
    let (_, responder) = next_request(&incoming).parse::<requests::Variables>().unwrap();
    assert!(!responder.token().is_cancelled());
    client.request(2, "cancel", json!({"requestId": 1}));
    // The session does nothing here: the reader alone answers.
    let answer = client.receive();
    assert_eq!((&answer["request_seq"], &answer["success"]), (&json!(2), &json!(true)));
    assert!(responder.token().is_cancelled());
    responder.answer(Err(Refusal::cancelled()));
    assert_eq!(client.receive()["message"], json!("cancelled"));

    // Cancelled before it began: never handed to the work.
    client.request(3, "variables", json!({"variablesReference": 1}));
    client.request(4, "cancel", json!({"requestId": 3}));
    assert_eq!(client.receive()["request_seq"], json!(4));
    assert!(next_request(&incoming).parse::<requests::Variables>().is_err());
    let answer = client.receive();
    assert_eq!((&answer["request_seq"], &answer["message"]), (&json!(3), &json!("cancelled")));

    // What is unknown or answered already can't be cancelled, which is no error.
    client.request(5, "cancel", json!({"requestId": 1}));
    client.request(6, "cancel", Value::Null);
    assert_eq!(client.receive()["success"], json!(true));
    assert_eq!(client.receive()["success"], json!(true));

    let progress = out.progress(true, "Building", Some(7), Some(crate::CancelToken::new()));
    let id = client.receive()["body"]["progressId"].clone();
    progress.report("half", Some(50));
    assert_eq!(client.receive()["body"]["percentage"].to_string(), "50");
    client.request(7, "cancel", json!({"progressId": id}));
    assert_eq!(client.receive()["success"], json!(true));
    assert!(matches!(next(&incoming), Incoming::CancelProgress(cancelled) if json!(cancelled) == id));
    assert!(progress.token().is_cancelled());
    drop(progress);
    assert_eq!(client.receive()["event"], json!("progressEnd"));
}

#[test]
fn requests_to_the_client() {
    let (mut client, incoming, out) = connect(Limits::default());
    let answer = out.request::<requests::RunInTerminal>(Default::default());
    let request = client.receive();
    assert_eq!((&request["type"], &request["command"]), (&json!("request"), &json!("runInTerminal")));
    client.send(&json!({"seq": 1, "type": "response", "request_seq": request["seq"], "success": true,
        "command": "runInTerminal", "body": {"processId": 42}}));
    let body = answer.recv_timeout(Duration::from_secs(20)).unwrap().unwrap();
    assert_eq!(body.process_id, Some(42));

    let answer = out.request::<requests::RunInTerminal>(Default::default());
    let request = client.receive();
    client.send(&json!({"seq": 2, "type": "response", "request_seq": request["seq"], "success": false,
        "command": "runInTerminal", "message": "no terminal"}));
    assert_eq!(answer.recv_timeout(Duration::from_secs(20)).unwrap().unwrap_err(), "no terminal");

    // An answer to nothing, then the end: nobody waits for ever.
    client.send(&json!({"seq": 3, "type": "response", "request_seq": 99, "success": true, "command": "x"}));
    let answer = out.request::<requests::RunInTerminal>(Default::default());
    client.stream.shutdown(std::net::Shutdown::Both).unwrap();
    assert!(answer.recv_timeout(Duration::from_secs(20)).is_err());
    assert!(matches!(next(&incoming), Incoming::Eof { .. }));
}

#[test]
fn numbers_count_up_in_the_order_of_sending() {
    let (mut client, _incoming, out) = connect(Limits::default());
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let out = out.clone();
            std::thread::spawn(move || {
                for index in 0..200 {
                    out.event(StoppedEvent { thread_id: Some(thread * 1000 + index), ..Default::default() });
                }
            })
        })
        .collect();
    let mut last = [-1; 4];
    for seq in 1..=800 {
        let event = client.receive();
        assert_eq!(event["seq"], json!(seq));
        let id = event["body"]["threadId"].as_i64().unwrap();
        let (thread, index) = ((id / 1000) as usize, id % 1000);
        assert_eq!(index, last[thread] + 1, "order within a sender");
        last[thread] = index;
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn a_client_that_does_not_read_holds_the_output_but_not_the_session() {
    let (mut client, incoming, out) = connect(Limits { output: 1 << 20, ..Limits::default() });
    let pump = out.clone();
    let written = std::thread::spawn(move || {
        let text = "z".repeat(4096);
        for _ in 0..2000 {
            while !pump.has_room() {
                std::thread::sleep(Duration::from_millis(1));
            }
            pump.event(OutputEvent { output: text.clone(), ..Default::default() });
        }
    });
    std::thread::sleep(Duration::from_millis(200));
    assert!(!written.is_finished(), "8 MB must not fit into a queue of 1 MB");
    // The session still gets requests, answers them and sends events without waiting.
    client.request(1, "threads", Value::Null);
    let started = Instant::now();
    let (_, responder) = next_request(&incoming).parse::<requests::Threads>().unwrap();
    responder.answer(Ok(ThreadsResponse { threads: Vec::new() }));
    out.event(StoppedEvent::default());
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(!out.flush(Duration::from_millis(10)));
    // Once the client reads, everything comes, in order.
    let mut kinds = (0, 0, 0);
    for seq in 1..=2002 {
        let message = client.receive();
        assert_eq!(message["seq"], json!(seq));
        match message["event"].as_str() {
            Some("output") => kinds.0 += 1,
            Some("stopped") => kinds.1 += 1,
            _ => kinds.2 += 1,
        }
    }
    assert_eq!(kinds, (2000, 1, 1));
    written.join().unwrap();
    assert!(out.flush(Duration::from_secs(20)));
}

#[test]
fn a_client_that_never_reads_is_given_up() {
    let limits = Limits { output: 1 << 16, backlog: 1 << 20, ..Limits::default() };
    let (_client, incoming, out) = connect(limits);
    for _ in 0..400 {
        out.event(OutputEvent { output: "q".repeat(8192), ..Default::default() });
    }
    assert!(out.0.queue.push(b"{}", |_| ()).is_err(), "closed");
    assert!(out.has_room(), "nobody waits for a client that is gone");
    drop(incoming);
}

#[test]
fn the_end_of_a_connection() {
    // Orderly, inside a message, and by an HTTP client.
    for (bytes, reason) in [
        (&b""[..], None),
        (&b"Content-Length: 100\r\n\r\n{\"seq\":1"[..], Some("inside a message")),
        (&b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"[..], Some("web server")),
    ] {
        let (mut client, incoming, out) = connect(Limits::default());
        client.request(1, "variables", json!({"variablesReference": 1}));
        let (_, responder) = next_request(&incoming).parse::<requests::Variables>().unwrap();
        client.stream.write_all(bytes).unwrap();
        client.stream.shutdown(std::net::Shutdown::Write).unwrap();
        match (next(&incoming), reason) {
            (Incoming::Eof { reason: None }, None) => {}
            (Incoming::Eof { reason: Some(text) }, Some(expected)) => {
                assert!(text.contains(expected), "{text}")
            }
            (other, _) => panic!("{other:?}"),
        }
        // A client that only closed its sending half still gets what is due.
        assert!(!responder.token().is_cancelled());
        responder.answer(Err(Refusal::new(1, "no")));
        assert_eq!(client.receive()["request_seq"], json!(1));
        out.close();
        let mut rest = Vec::new();
        client.stream.read_to_end(&mut rest).unwrap();
        assert!(rest.is_empty());
    }
}

#[test]
fn who_disconnects_means_it() {
    let (mut client, incoming, out) = connect(Limits::default());
    client.request(1, "variables", json!({"variablesReference": 1}));
    client.request(2, "disconnect", json!({"terminateDebuggee": true}));
    let (variables, disconnect) = (next_request(&incoming), next_request(&incoming));
    client.stream.shutdown(std::net::Shutdown::Both).unwrap();
    drop(client);
    // The writer notices when it next writes.
    while !variables.cancel.is_cancelled() {
        out.event(StoppedEvent::default());
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(variables.parse::<requests::Variables>().is_err());
    let (arguments, responder) = disconnect.parse::<requests::Disconnect>().unwrap();
    assert_eq!(arguments.terminate_debuggee, Some(true));
    responder.answer(Ok(()));
}

#[test]
fn arguments_of_any_depth_and_length() {
    let (mut client, incoming, _out) = connect(Limits::default());
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    client.send_bytes(
        format!(
            r#"{{"seq":1,"type":"request","command":"evaluate","arguments":{{"expression":"x","y":{deep}}}}}"#
        )
        .as_bytes(),
    );
    client.request(2, "evaluate", json!({"expression": "a".repeat(3_000_000)}));
    let (arguments, first) = next_request(&incoming).parse::<requests::Evaluate>().unwrap();
    assert_eq!(arguments.expression, "x");
    let (arguments, second) = next_request(&incoming).parse::<requests::Evaluate>().unwrap();
    assert_eq!(arguments.expression.len(), 3_000_000);
    first.answer(Err(Refusal::new(1, "no")));
    second.answer(Err(Refusal::new(1, "no")));
    assert_eq!(client.receive()["request_seq"], json!(1));
}
