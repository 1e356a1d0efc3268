//! Breakpoints: where they land, when they stop, what is refused.

use e2e::Session;
use e2e::session::Launch;
use serde_json::{Value, json};

use crate::support::{backends, debug, launch};

#[test]
fn lines_that_move_and_files_that_are_not_there() {
    let fixture = debug("stepping");
    let path = fixture.path();
    let mut session = Session::begin(&launch(&fixture, "auto"), "launch");
    let main1 = fixture.line("main1");
    // A comment's line moves to the next statement.
    let answers = session.set_breakpoints(&path, &[main1, fixture.line("comment"), 100_000]);
    assert_eq!(answers[0]["verified"], json!(true), "{answers:?}");
    assert_eq!(answers[0]["line"], json!(main1));
    assert_eq!(answers[1]["line"], json!(fixture.line("main2")), "{answers:?}");
    assert_eq!(answers[2]["verified"], json!(false), "{answers:?}");
    for other in ["/nowhere/main.go", "/tmp/script.py", "relative.go"] {
        let answers = session.set_breakpoints(other, &[3, 5]);
        assert!(answers.iter().all(|answer| answer["verified"] == json!(false)), "{answers:?}");
    }
    session.configured();
    let stop = session.stopped();
    assert_eq!(stop.reason, "breakpoint");
    assert_eq!(stop.body["hitBreakpointIds"], json!([answers[0]["id"]]), "{}", stop.body);
    // Replaced while stopped: the old ones are gone.
    session.set_breakpoints(&path, &[fixture.line("main12")]);
    let stop = session.go_on(stop.thread);
    assert_eq!(session.place(stop.thread).1, fixture.line("main12"));
    assert_eq!(session.run_out(stop.thread), 0);
    session.client.end();
}

#[test]
fn conditions_counts_and_messages() {
    let fixture = debug("goroutines");
    let path = fixture.path();
    let line = fixture.line("step");
    for backend in backends() {
        let mut session = Session::begin(&launch(&fixture, backend), "launch");
        let refused = session.set_breakpoints_as(
            &path,
            json!([
                {"line": line, "condition": "id +"},
                {"line": line, "condition": "nosuch == 1"},
                {"line": line, "hitCondition": "soon"},
                {"line": line, "logMessage": "{id"},
                {"line": line, "condition": "id"},
            ]),
        );
        for answer in &refused {
            assert_eq!(answer["verified"], json!(false), "{answer}");
            assert!(answer["message"].as_str().is_some_and(|text| text.len() > 5), "{answer}");
        }
        session.set_breakpoints_as(&path, json!([{"line": line, "condition": "id == 3 && i == 1"}]));
        session.configured();
        let stop = session.stopped();
        session.frames(stop.thread);
        assert_eq!((session.text("id"), session.text("i")), ("3".to_owned(), "1".to_owned()));
        // Twelve hits in all; the program's own sum is right whatever the debugger did.
        session.set_breakpoints_as(
            &path,
            json!([{"line": line, "logMessage": "step {id} {i} {{x}}"}, {"line": fixture.line("sum")}]),
        );
        let stop = session.go_on(stop.thread);
        session.frames(stop.thread);
        assert_eq!(session.text("sum"), "312");
        let console: String = ["console", "stdout"].map(|category| session.client.output(category)).concat();
        let logged = console.matches("step ").count();
        assert!((1..=11).contains(&logged), "{logged} messages: {console}");
        assert!(console.contains("{x}"), "{console}");
        session.client.end();
    }
}

/// Exactly the hits that happen, with four goroutines and preemption.
#[test]
fn hit_counts_are_exact() {
    let fixture = debug("goroutines");
    let path = fixture.path();
    for backend in backends() {
        let mut session = Session::begin(&launch(&fixture, backend), "launch");
        session.set_breakpoints_as(
            &path,
            json!([{"line": fixture.line("step"), "hitCondition": "== 12"}, {"line": fixture.line("sum")}]),
        );
        session.configured();
        let stop = session.stopped();
        assert_eq!(
            session.place(stop.thread).1,
            fixture.line("step"),
            "{backend}: the twelfth hit never came"
        );
        let stop = session.go_on(stop.thread);
        assert_eq!(session.place(stop.thread).1, fixture.line("sum"));
        session.client.end();
    }
}

#[test]
fn functions() {
    let fixture = debug("dispatch");
    let mut session = Session::begin(&launch(&fixture, "auto"), "launch");
    let names = ["main.measure", "main.(*Square).Area", "main.Shape.Name", "main.nosuch", "main.Circle.Area"];
    let list: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
    let body = session.client.ok("setFunctionBreakpoints", json!({"breakpoints": list}));
    let verified: Vec<bool> =
        body["breakpoints"].as_array().into_iter().flatten().map(|b| b["verified"] == json!(true)).collect();
    assert_eq!((verified[0], verified[1], verified[3], verified[4]), (true, true, false, true), "{body}");
    session.configured();
    for expected in ["main.measure", "main.(*Square).Area", "main.measure", "main.Circle.Area"] {
        let stop = session.stopped();
        assert_eq!(stop.reason, "function breakpoint", "{}", stop.body);
        assert_eq!(session.place(stop.thread).0, expected);
        session.client.ok("continue", json!({"threadId": stop.thread}));
    }
    session.client.end();
}

/// Set, changed and removed while the program runs.
#[test]
fn while_it_runs() {
    let fixture = debug("spin");
    let path = fixture.path();
    for backend in backends() {
        let mut session = Session::launch(&launch(&fixture, backend), &[]);
        session.client.wait_for_output("stdout", "started");
        let answers = session.set_breakpoints(&path, &[fixture.line("tick")]);
        assert_eq!(answers[0]["verified"], json!(true), "{answers:?}");
        let stop = session.stopped();
        assert_eq!(session.place(stop.thread), ("main.tick".to_owned(), fixture.line("tick")));
        let first: i64 = session.text("n").parse().expect("a number");
        let stop = session.go_on(stop.thread);
        session.frames(stop.thread);
        assert_eq!(session.text("n"), (first + 1).to_string());
        session.client.ok("continue", json!({"threadId": stop.thread}));
        session.client.event("stopped");
        session.set_breakpoints(&path, &[]);
        session.client.ok("continue", json!({"threadId": stop.thread}));
        assert!(session.client.event_within("stopped", std::time::Duration::from_millis(300)).is_none());
        session.client.ok("pause", json!({"threadId": 1}));
        let stop = session.stopped();
        assert_eq!(stop.reason, "pause");
        session.frames(stop.thread);
        session.client.end();
    }
}

/// The client's path differs from the binary's.
#[test]
fn substituted_paths() {
    let fixture = crate::support::built("stepping", e2e::Mode::Trimpath);
    let folder = fixture.source.parent().expect("a folder").canonicalize().expect("a path");
    let launch = Launch::exec(&fixture).with(
        "substitutePath",
        json!([{"from": folder.display().to_string(), "to": "example.com/stepping"}]),
    );
    let path = fixture.path();
    let mut session = Session::launch(&launch, &[(&path, &[fixture.line("fact4")])]);
    let stop = session.stopped();
    let frames = session.frames(stop.thread);
    assert_eq!(frames[0]["source"]["path"], json!(path), "{}", frames[0]);
    session.client.end();
}

/// `runtime.Breakpoint()` stops in the code that calls it, also when a step runs into it.
#[test]
fn hard_coded() {
    let fixture = debug("panics");
    let path = fixture.path();
    for backend in backends() {
        let launch = launch(&fixture, backend).with("args", json!(["trap"]));
        let mut session = Session::launch(&launch, &[]);
        let stop = session.stopped();
        assert_eq!(stop.reason, "breakpoint", "{}", stop.body);
        let (function, line) = session.place(stop.thread);
        let trap = fixture.line("trap");
        assert!(function == "main.main" && (trap..=trap + 1).contains(&line), "{function} {line}");
        assert_eq!(session.text("how"), r#""trap""#);
        assert_eq!(session.run_out(stop.thread), 0);
        session.client.end();

        let mut session = Session::launch(&launch, &[(&path, &[trap])]);
        let stop = session.stopped();
        let stop = session.step("next", stop.thread);
        assert_eq!(session.place(stop.thread), ("main.main".to_owned(), trap + 1), "{}", stop.body);
        assert_eq!(session.run_out(stop.thread), 0);
        session.client.end();
    }
}

/// One breakpoint for a place: a second one that names the same is refused, so that no hit counts twice.
#[test]
fn asked_for_twice() {
    let fixture = debug("stepping");
    let path = fixture.path();
    let line = fixture.line("add1");
    let mut session = Session::begin(&launch(&fixture, "auto"), "launch");
    let verified = |answers: &[Value]| -> Vec<bool> {
        answers.iter().map(|answer| answer["verified"] == json!(true)).collect()
    };
    let answers = session.set_breakpoints(&path, &[line, line]);
    assert_eq!(verified(&answers), [true, false], "{answers:?}");
    assert_eq!(answers[1]["message"], json!("breakpoint already exists"));
    let body = session.client.ok(
        "setFunctionBreakpoints",
        json!({"breakpoints": [{"name": "main.grow"}, {"name": "grow"}, {"name": "main.grow:-1"}, {"name": "17"},
            {"name": "/^main.*$/"}, {"name": "./main.go:3"}, {"name": "/main.add"}]}),
    );
    let answers = body["breakpoints"].as_array().cloned().unwrap_or_default();
    assert_eq!(verified(&answers), [true, false, false, false, false, false, true], "{answers:?}");
    let address = answers[0]["instructionReference"].clone();
    let body = session.client.ok(
        "setInstructionBreakpoints",
        json!({"breakpoints": [{"instructionReference": address}, {"instructionReference": address},
            {"instructionReference": "nonsense"}]}),
    );
    let answers = body["breakpoints"].as_array().cloned().unwrap_or_default();
    assert_eq!(verified(&answers), [true, false, false], "{answers:?}");
    assert!(answers[2]["message"].as_str().is_some_and(|text| text.contains("nonsense")), "{answers:?}");
    session.client.end();
}
