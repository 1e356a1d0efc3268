//! Panics, fatal errors and exit codes: where they stop and what they say.

use e2e::{Fixture, Session};
use serde_json::json;

use crate::support::{backends, debug, launch};

/// Runs to the stop of a panic with the default filters; the stop's text.
#[track_caller]
fn panics(fixture: &Fixture, backend: &str, how: &str, function: &str, texts: &[&str]) {
    let launch = launch(fixture, backend).with("args", json!([how]));
    let mut session = Session::launch(&launch, &[]);
    let stop = session.stopped();
    assert_eq!(stop.reason, "exception", "{how}: {}", stop.body);
    let text = stop.body["text"].as_str().unwrap_or_default().to_owned();
    for part in texts {
        assert!(text.contains(part), "{how}: {part:?} is not in {text:?}");
    }
    let info = session.client.ok("exceptionInfo", json!({"threadId": stop.thread}));
    let described = format!("{} {}", info["description"], info["details"]);
    assert!(texts.iter().all(|part| described.contains(part)), "{how}: {info}");
    let frames = session.frames(stop.thread);
    let names: Vec<&str> = frames.iter().filter_map(|frame| frame["name"].as_str()).collect();
    assert!(names.iter().any(|name| name.starts_with(function)), "{how}: {names:?}");
    session.client.ok("continue", json!({"threadId": stop.thread}));
    assert_eq!(session.exited(), 2, "{how}");
    session.client.end();
}

#[test]
fn unrecovered_panics() {
    let fixture = debug("panics");
    for (how, function, texts) in [
        ("panic", "main.main", vec!["plain text"]),
        ("error", "main.main", vec!["an error value"]),
        ("custom", "main.main", vec!["custom text"]),
        ("nil", "main.main", vec!["nil pointer"]),
        ("index", "main.index", vec!["index out of range"]),
        ("assert", "main.assert", vec!["interface {}", "string", "int"]),
        ("goroutine", "main.main.func", vec!["in a goroutine"]),
    ] {
        panics(&fixture, "auto", how, function, &texts);
    }
    for backend in backends() {
        panics(&fixture, backend, "panic", "main.main", &["plain text"]);
    }
}

/// A call through a nil interface names the receiver as written, its interface and the method.
#[test]
fn nil_interface_calls() {
    let fixture = debug("panics");
    let text = ["s.deps.store", "main.Store", "nil", "Get"];
    panics(&fixture, "auto", "nilcall", "main.(*service).fetch", &text);
    panics(&fixture, "auto", "valuenil", "main.main", &["main.Memory", "Get", "nil"]);
}

#[test]
fn fatal_errors() {
    let fixture = debug("panics");
    for (how, text) in [("deadlock", "all goroutines are asleep"), ("maps", "concurrent map")] {
        let launch = launch(&fixture, "auto").with("args", json!([how]));
        let mut session = Session::launch(&launch, &[]);
        let stop = session.stopped();
        assert_eq!(stop.reason, "exception", "{how}: {}", stop.body);
        assert!(stop.body["text"].as_str().is_some_and(|found| found.contains(text)), "{how}: {}", stop.body);
        session.client.ok("stackTrace", json!({"threadId": stop.thread}));
        session.client.ok("exceptionInfo", json!({"threadId": stop.thread}));
        // Several goroutines may find it at once, each is a stop.
        let code = loop {
            session.client.ok("continue", json!({"threadId": stop.thread}));
            let event = session.client.event_of(&["stopped", "exited"]);
            if event["event"] == json!("exited") {
                break event["body"]["exitCode"].clone();
            }
        };
        assert_eq!(code, json!(2), "{how}");
        session.client.end();
    }
}

/// Every panic at its origin, and no stop for a recovered one without the filter.
#[test]
fn recovered_panics() {
    let fixture = debug("panics");
    let path = fixture.path();
    for filter in [true, false] {
        let launch = launch(&fixture, "auto").with("args", json!(["recover"]));
        let mut session = Session::begin(&launch, "launch");
        let filters = if filter { json!(["panic"]) } else { json!([]) };
        session.client.ok("setExceptionBreakpoints", json!({"filters": filters}));
        session.set_breakpoints(&path, &[fixture.line("recovered")]);
        session.configured();
        if filter {
            let stop = session.stopped();
            assert_eq!(stop.reason, "exception", "{}", stop.body);
            let frames = session.frames(stop.thread);
            let origin = frames.iter().find(|frame| frame["name"] == json!("main.recovered"));
            assert_eq!(origin.map(|frame| frame["line"].clone()), Some(json!(fixture.line("origin"))));
            session.client.ok("continue", json!({"threadId": stop.thread}));
        }
        let stop = session.stopped();
        assert_eq!(stop.reason, "breakpoint", "{}", stop.body);
        assert_eq!(session.run_out(stop.thread), 0);
        session.client.end();
    }
}

#[test]
fn exit_codes() {
    let fixture = debug("panics");
    for backend in backends() {
        let mut session = Session::launch(&launch(&fixture, backend).with("args", json!(["exit"])), &[]);
        assert_eq!(session.exited(), 3, "{backend}");
        session.client.end();
    }
}
