//! Goroutines as threads, stacks, and the optimised frames between.

use std::time::Instant;

use e2e::Session;
use serde_json::{Value, json};

use crate::support::{backends, built, debug, launch};

#[test]
fn every_goroutine_with_its_place() {
    let fixture = debug("goroutines");
    let path = fixture.path();
    for backend in backends() {
        let mut session = Session::launch(&launch(&fixture, backend), &[(&path, &[fixture.line("parked")])]);
        let stop = session.stopped();
        let body = session.client.ok("threads", json!({}));
        let threads = body["threads"].as_array().cloned().unwrap_or_default();
        assert!(threads.iter().any(|thread| thread["id"] == json!(stop.thread)), "{body}");
        // Which thread is which is said by its stack; its name names one of its frames.
        let mut found = Vec::new();
        for thread in &threads {
            let id = thread["id"].as_i64().unwrap_or(0);
            let frames = session.frames(id);
            let named = thread["name"].as_str().unwrap_or_default();
            let own = |frame: &&Value| frame["name"].as_str().is_some_and(|name| name.starts_with("main."));
            let Some(frame) = frames.iter().find(own) else { continue };
            let is_named =
                frames.iter().filter_map(|frame| frame["name"].as_str()).any(|name| named.contains(name));
            assert!(is_named, "{backend}: {named} names none of {frames:?}");
            let function = frame["name"].as_str().unwrap_or_default().to_owned();
            session.frame = frame["id"].as_i64();
            if function == "main.receiver" {
                let id = session.text("id");
                assert!(id == "1" || id == "2", "{id}");
            }
            found.push((function, frame["line"].as_i64().unwrap_or(0)));
        }
        found.sort();
        let expected = |function: &str, mark: &str| (format!("main.{function}"), fixture.line(mark));
        let mut all = vec![
            expected("main", "parked"),
            expected("receiver", "receive"),
            expected("receiver", "receive"),
            expected("locker", "lock"),
            expected("selector", "select"),
            expected("sleeper", "sleep"),
        ];
        all.sort();
        assert_eq!(found, all, "{backend}");
        session.client.end();
    }
}

/// A deep stack in pages: the pages join to the whole, the whole is complete.
#[test]
fn stacks_in_pages() {
    let fixture = debug("goroutines");
    let path = fixture.path();
    for fixture in [fixture, built("goroutines", e2e::Mode::Optimised)] {
        let mut session = Session::launch(&launch(&fixture, "auto"), &[(&path, &[fixture.line("bottom")])]);
        let thread = session.stopped().thread;
        let mut page = |start: i64, levels: i64| {
            let arguments = json!({"threadId": thread, "startFrame": start, "levels": levels});
            let body = session.client.ok("stackTrace", arguments);
            let names: Vec<String> = body["stackFrames"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|frame| frame["name"].as_str().unwrap_or_default().to_owned())
                .collect();
            (names, body["totalFrames"].as_i64().unwrap_or(0))
        };
        let (whole, total) = page(0, 1000);
        assert_eq!(whole.iter().filter(|name| *name == "main.deep").count(), 121, "{}", fixture.title());
        assert_eq!(whole.first().map(String::as_str), Some("main.bottom"));
        assert!(whole.iter().any(|name| name == "main.main"), "{whole:?}");
        assert!(total >= 123, "{total}");
        let pages: Vec<String> = [(0, 1), (1, 19), (20, 100), (120, 1000)]
            .into_iter()
            .flat_map(|(start, levels)| page(start, levels).0)
            .collect();
        assert_eq!(pages, whole);
        assert_eq!(page(5000, 20).0.len(), 0, "past the end");
        session.client.end();
    }
}

#[test]
fn pause_in_a_loop_and_in_a_system_call() {
    let fixture = debug("spin");
    for backend in backends() {
        for argument in ["busy", "blocked"] {
            let launch = launch(&fixture, backend).with("args", json!([argument]));
            let mut session = Session::launch(&launch, &[]);
            session.client.wait_for_output("stdout", "started");
            let threads = session.client.ok("threads", json!({}));
            let id = threads["threads"][0]["id"].clone();
            // What reads the program is refused while it runs.
            for (request, arguments) in [
                ("stackTrace", json!({"threadId": id})),
                ("evaluate", json!({"expression": "main.Counter"})),
                ("itab/dispatch", json!({})),
            ] {
                session.client.refused(request, arguments);
            }
            let asked = Instant::now();
            session.client.ok("pause", json!({"threadId": id}));
            let stop = session.stopped();
            assert_eq!(stop.reason, "pause");
            assert!(asked.elapsed().as_secs() < 10);
            session.frames(stop.thread);
            if argument == "busy" {
                session.text("main.Counter").parse::<i64>().expect("a number");
            }
            session.client.ok("continue", json!({"threadId": stop.thread}));
            session.client.end();
        }
    }
}
