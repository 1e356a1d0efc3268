//! Clients that misbehave: the session survives what it can and answers what it may.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use e2e::adapter::{Adapter, Options};
use e2e::frames::frame;
use e2e::{Client, Session};
use serde_json::{Value, json};

use crate::support::{debug, launch};

#[test]
fn malformed_and_unknown_messages() {
    let fixture = debug("stepping");
    let path = fixture.path();
    let mut session = Session::launch(&launch(&fixture, "auto"), &[(&path, &[fixture.line("main2")])]);
    let stop = session.stopped();
    let client = &mut session.client;
    client.refused("frobnicate", json!({}));
    client.refused("", json!({}));
    client.refused("itab/unknown", json!({"x": 1}));
    client.refused("stackTrace", Value::Null);
    client.refused("stackTrace", json!([1, 2]));
    client.refused("stackTrace", json!({"threadId": "one"}));
    client.refused("setBreakpoints", json!({"source": 5}));
    client.refused("setBreakpoints", json!({"source": {"path": path}, "breakpoints": "all"}));
    client.refused("evaluate", json!({"expression": {"nested": true}}));
    client.refused("variables", json!({"variablesReference": i64::MAX}));
    client.refused("variables", json!({"variablesReference": -1}));
    client.refused("scopes", json!({"frameId": 0}));
    client.refused("stepIn", json!({"threadId": stop.thread, "targetId": 123_456}));
    client.refused("launch", json!({"mode": "exec", "program": "/bin/true"}));
    // Not JSON, with a number that can be answered.
    let seq = client.reserve("stackTrace");
    let text = format!("{{\"seq\":{seq},\"type\":\"request\",\"command\":\"stackTrace\",\"arguments\":{{]}}");
    client.send_bytes(&frame(&text));
    assert!(client.answer(seq).is_err());
    // Nothing of this is a message; nothing of it is answered.
    for bytes in [&b"Content-Length: 4\r\n\r\nnull"[..], &b"\r\n\r\n"[..], &b"noise\r\n"[..]] {
        client.send_bytes(bytes);
    }
    client.send_bytes(&frame("[[[[[[[[]]]]]]]]"));
    let seq = client.reserve("threads");
    let body = format!("{{\"type\":\"request\",\"command\":\"threads\",\"seq\":{seq}}}");
    let framed = format!("content-length:{}\nX-Other: 1\n\n{body}", body.len());
    for byte in framed.as_bytes() {
        client.send_bytes(&[*byte]);
    }
    client.answer(seq).expect("threads in pieces");
    session.frames(stop.thread);
    assert_eq!(session.text("total"), "0");
    session.client.end();
}

#[test]
fn expressions_that_are_too_much() {
    let fixture = debug("values");
    let path = fixture.path();
    let mut session =
        Session::launch(&launch(&fixture, "auto"), &[(&path, &[fixture.line("stop integers")])]);
    let stop = session.stopped();
    session.frames(stop.thread);
    let many = |text: &str, count: usize| text.repeat(count);
    for expression in [
        many("x", 100_000),
        many("1+", 50_000) + "1",
        format!("{}1{}", many("(", 50_000), many(")", 50_000)),
        many("-", 100_000) + "i",
        many("*", 100_000) + "i",
        many("&", 100_000) + "i",
        format!("i{}", many("[0]", 50_000)),
        format!("i{}", many(".x", 50_000)),
        format!("({}int)(nil)", many("*", 50_000)),
        format!("i.({})", many("[]", 50_000) + "int"),
        "\"".to_owned() + &many("\\u", 50_000),
        "1 << 1000000000".to_owned(),
        "1e999999999".to_owned(),
        "\u{0}\u{ffff}\u{202e}".to_owned(),
        String::new(),
        " ".to_owned(),
        "i[".to_owned(),
        "func() { for {} }()".to_owned(),
        "[1000000000000]int{}".to_owned(),
        "i8 / 0".to_owned(),
    ] {
        for context in ["watch", "hover", "repl"] {
            // Any answer but silence, an internal fault or an endless wait.
            let _ = session.eval_in(&expression, context);
        }
    }
    assert_eq!(session.text("i8"), "-128");
    session.client.end();
}

/// Many requests at once, cancelled at random: each gets one answer.
#[test]
fn floods_and_cancellation() {
    let fixture = debug("values");
    let path = fixture.path();
    let mut session = Session::launch(&launch(&fixture, "auto"), &[(&path, &[fixture.line("stop strings")])]);
    let stop = session.stopped();
    session.frames(stop.thread);
    let frame = session.frame;
    let mut sent = Vec::new();
    for index in 0..300 {
        let seq = session
            .client
            .send("evaluate", json!({"expression": "big", "frameId": frame, "context": "watch"}));
        sent.push(seq);
        if index % 3 == 0 {
            sent.push(session.client.send("cancel", json!({"requestId": seq})));
        }
    }
    let mut cancelled = 0;
    for seq in sent {
        if let Err(failure) = session.client.answer(seq) {
            assert_eq!(failure.message, "cancelled");
            cancelled += 1;
        }
    }
    assert!(cancelled <= 100, "{cancelled}");
    session.client.end();
}

/// Handles of an earlier stop are refused, at once and while the program runs too.
#[test]
fn stale_handles() {
    let fixture = debug("stepping");
    let path = fixture.path();
    let mut session = Session::launch(&launch(&fixture, "auto"), &[(&path, &[fixture.line("main2")])]);
    let stop = session.stopped();
    session.frames(stop.thread);
    let frame = session.frame;
    let reference = session.scope("Locals").expect("Locals")["variablesReference"].clone();
    let stop = session.step("next", stop.thread);
    session.client.refused("scopes", json!({"frameId": frame}));
    session.client.refused("variables", json!({"variablesReference": reference}));
    session.client.refused("evaluate", json!({"expression": "total", "frameId": frame, "context": "watch"}));
    session.frames(stop.thread);
    assert_eq!(session.text("total"), "3");
    session.client.end();
}

/// A client that closes its socket inside a message, at any phase.
#[test]
fn the_socket_closes_inside_a_message() {
    let fixture = debug("spin");
    for phase in ["start", "initialized", "running"] {
        for tcp in [false, true] {
            let mut base = launch(&fixture, "auto");
            base.options.tcp = tcp;
            let mut client = match phase {
                "start" => Client::start_with(&base.options),
                "initialized" => Session::begin(&base, "launch").client,
                _ => Session::launch(&base, &[]).client,
            };
            client.rude = true;
            client.send_bytes(b"Content-Length: 1000\r\n\r\n{\"seq\":99,\"type\":\"requ");
            client.hang_up();
            client.finish();
        }
    }
}

/// A web page can make a browser send anything to a local port: it gets nothing.
#[test]
fn browsers_are_refused() {
    let mut adapter = Adapter::start(&Options { tcp: true, ..Options::default() });
    let launch =
        json!({"seq": 1, "type": "request", "command": "initialize", "arguments": {"adapterID": "x"}});
    let body = String::from_utf8(frame(&launch.to_string())).expect("text");
    let request = format!(
        "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://evil.example\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut socket = adapter.socket.take().expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    let _ = socket.write_all(request.as_bytes());
    let mut answer = String::new();
    let _ = socket.read_to_string(&mut answer);
    assert!(!answer.contains("\"success\":true"), "{answer}");
    assert!(adapter.wait(Duration::from_secs(20)).is_some(), "the adapter waits on");
}

/// Requests before there is anything to debug.
#[test]
fn requests_too_early() {
    let mut client = Client::start();
    client.ok("initialize", json!({"adapterID": "itab"}));
    for (request, arguments) in [
        ("stackTrace", json!({"threadId": 1})),
        ("scopes", json!({"frameId": 1})),
        ("variables", json!({"variablesReference": 1})),
        ("evaluate", json!({"expression": "1", "frameId": 1})),
        ("continue", json!({"threadId": 1})),
        ("next", json!({"threadId": 1})),
        ("setVariable", json!({"variablesReference": 1, "name": "x", "value": "1"})),
        ("stepInTargets", json!({"frameId": 1})),
        ("itab/dispatch", json!({})),
        ("exceptionInfo", json!({"threadId": 1})),
    ] {
        client.refused(request, arguments);
    }
    client.end();
}

/// A client that writes everything at once, closes, and reads the answers.
#[test]
fn everything_at_once() {
    let fixture = debug("output");
    let mut client = Client::start();
    let launch = launch(&fixture, "auto");
    let sent: Vec<i64> = [
        ("initialize", launch.client.clone()),
        ("launch", launch.arguments.clone()),
        ("configurationDone", Value::Null),
    ]
    .into_iter()
    .map(|(command, arguments)| client.send(command, arguments))
    .collect();
    client.hang_up();
    client.rude = true;
    for seq in sent {
        client.answer(seq).expect("an answer");
    }
    client.finish();
}

/// A client that stops reading: the program waits in its write instead of our memory growing, and nothing is lost.
#[test]
fn a_client_that_does_not_read() {
    const LINES: usize = 400_000;
    let fixture = debug("output");
    let folder = tempfile::tempdir().expect("a folder");
    let done = folder.path().join("done");
    let mut adapter = Adapter::start(&Options::default());
    let mut input = adapter.input.take().expect("stdin");
    let environment = json!({"ITAB_LINES": LINES.to_string(), "ITAB_DONE": done});
    for (seq, (command, arguments)) in [
        ("initialize", json!({"adapterID": "itab"})),
        (
            "launch",
            json!({"mode": "exec", "program": fixture.binary, "env": environment, "outputMode": "remote"}),
        ),
        ("configurationDone", json!({})),
    ]
    .into_iter()
    .enumerate()
    {
        let message = json!({"seq": seq + 1, "type": "request", "command": command, "arguments": arguments});
        input.write_all(&frame(&message.to_string())).expect("written");
        std::thread::sleep(Duration::from_millis(1500));
    }
    std::thread::sleep(Duration::from_secs(2));
    assert!(!done.exists(), "40 MB were read from the program although nobody wants them");
    let mut reader = std::io::BufReader::new(adapter.output.take().expect("stdout"));
    let mut text = String::new();
    loop {
        let message = e2e::frames::read(&mut reader).expect("a message").expect("not the end");
        if message["body"]["category"] == json!("stdout") {
            text.push_str(message["body"]["output"].as_str().unwrap_or_default());
        }
        if message["event"] == json!("terminated") {
            break;
        }
    }
    assert_eq!(text.matches("xxx\n").count(), LINES);
    assert!(done.exists());
}

/// A build that nobody wants any more leaves no compiler behind, however the session ends.
#[test]
fn builds_are_ended_with_all_their_processes() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("go.mod"), "module slow\n\ngo 1.21\n").expect("go.mod");
    let text = "package main\n\nimport _ \"net/http\"\n\nfunc main() {}\n";
    std::fs::write(folder.path().join("main.go"), text).expect("main.go");
    for end in ["terminate", "disconnect", "eof"] {
        let mut client = Client::start_with(&Options::default());
        client.rude = true;
        client.ok("initialize", json!({"adapterID": "itab"}));
        let launch =
            client.send("launch", json!({"mode": "debug", "program": folder.path(), "buildFlags": "-a"}));
        std::thread::sleep(Duration::from_millis(1500));
        if end != "eof" {
            client.ok(end, json!({}));
            assert!(client.answer(launch).is_err());
        }
        client.hang_up();
        assert!(client.adapter.wait(Duration::from_secs(10)).is_some(), "{end}");
        // At once: a compiler that is left ends by itself some time.
        let left = e2e::processes::wait_until_gone(&client.adapter.mark, Duration::from_millis(100));
        assert!(left.is_empty(), "after {end}: {left:?}");
        client.finish();
    }
}
