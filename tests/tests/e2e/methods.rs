//! Breakpoints on methods: through interfaces, for one type, for one instance; hits are compared with what the program counts itself.

use std::collections::BTreeMap;

use e2e::Session;
use e2e::fixture::{self, Fixture, Mode};
use serde_json::{Value, json};

use crate::support::{backends, built, debug, launch, toolchain};

/// Sets function breakpoints and answers with them.
#[track_caller]
fn set(session: &mut Session, list: Value) -> Vec<Value> {
    let body = session.client.ok("setFunctionBreakpoints", json!({"breakpoints": list}));
    body["breakpoints"].as_array().cloned().unwrap_or_default()
}

/// Runs to the end: hits by the function that they are in, those that could not be told apart, and what the program counted.
#[track_caller]
fn hits(session: &mut Session) -> (BTreeMap<String, i64>, i64, BTreeMap<String, i64>) {
    let mut hits = BTreeMap::new();
    let mut unsure = 0;
    loop {
        let event = session.client.event_of(&["stopped", "terminated"]);
        if event["event"] == json!("terminated") {
            break;
        }
        assert_eq!(event["body"]["reason"], json!("function breakpoint"), "{event}");
        unsure += i64::from(event["body"]["text"].is_string());
        let thread = event["body"]["threadId"].as_i64().expect("a thread");
        *hits.entry(session.place(thread).0).or_insert(0) += 1;
        session.client.ok("continue", json!({"threadId": thread}));
    }
    let output = session.client.output("stdout");
    let counted = output.lines().filter_map(|line| line.split_once('='));
    let counted = counted.filter_map(|(name, n)| Some((name.to_owned(), n.parse().ok()?))).collect();
    (hits, unsure, counted)
}

/// One breakpoint from start to end.
#[track_caller]
fn run(fixture: &Fixture, backend: &str, name: &str) -> (BTreeMap<String, i64>, i64, BTreeMap<String, i64>) {
    let mut session = Session::begin(&launch(fixture, backend), "launch");
    let answers = set(&mut session, json!([{"name": name}]));
    assert_eq!(answers[0]["verified"], json!(true), "{name}: {}", answers[0]);
    session.configured();
    let result = hits(&mut session);
    session.client.end();
    result
}

fn plain(name: &str) -> String {
    name.trim_start_matches("main.").replace("(*", "").replace(')', "")
}

/// Every build: each call of each implementation stops once, through whatever it was called.
#[test]
fn every_implementation_and_every_call() {
    for minor in [21, 24, 27] {
        let Some(toolchain) = toolchain(minor) else { continue };
        for mode in [Mode::Debug, Mode::Optimised, Mode::Stripped] {
            let fixture = fixture::build("methods", &toolchain, mode);
            for backend in backends() {
                if backend == "native" && minor != 27 {
                    continue;
                }
                let (hits, unsure, counted) = run(&fixture, backend, "main.Shape.Area");
                assert_eq!(unsure, 0);
                let expected: BTreeMap<&String, &i64> =
                    counted.iter().filter(|(name, _)| name.ends_with(".Area")).collect();
                assert_eq!(expected.len(), 4, "{counted:?}");
                let hits: BTreeMap<String, i64> = hits.iter().map(|(n, k)| (plain(n), *k)).collect();
                let hits: BTreeMap<&String, &i64> = hits.iter().collect();
                assert_eq!(hits, expected, "{} {backend}", fixture.title());
            }
        }
    }
}

/// The method of an embedded interface counts only when it was called through the type that embeds it.
#[test]
fn an_embedded_interface() {
    let fixture = debug("methods");
    for name in ["main.Opener.Close", "main.Opener.Close(*main.Door)"] {
        let (hits, _, _) = run(&fixture, "auto", name);
        // A Latch alone is no Opener.
        assert_eq!(hits, [("main.(*Latch).Close".to_owned(), 2)].into(), "{name}");
    }
}

/// Types that embed the interface that they implement: each body once, and soon.
#[test]
fn interfaces_that_embed_each_other() {
    for mode in [Mode::Debug, Mode::Optimised] {
        let fixture = built("methods", mode);
        let (hits, unsure, counted) = run(&fixture, "auto", "error.Error");
        assert_eq!(
            (hits.get("main.(*problem).Error"), unsure),
            (counted.get("problem.Error"), 0),
            "{hits:?}"
        );
        assert_eq!(hits.len(), 1, "{hits:?}");
        let (hits, unsure, _) = run(&fixture, "auto", "error.Error(*main.wrap7)");
        assert!(
            hits.values().sum::<i64>() - unsure <= 1 && hits.values().sum::<i64>() >= 1,
            "{hits:?} {unsure}"
        );
    }
}

/// Breakpoints that come before the launch bind when there is a program.
#[test]
fn before_the_launch() {
    let fixture = debug("methods");
    let launch = launch(&fixture, "auto");
    let mut client = e2e::Client::start_with(&launch.options);
    client.ok("initialize", launch.client.clone());
    let mut session = Session { client, frame: None };
    let answers = set(&mut session, json!([{"name": "main.Shape.Area"}, {"name": "main.nosuch"}]));
    assert!(answers.iter().all(|b| b["verified"] == json!(false)), "{answers:?}");
    let seq = session.client.send("launch", launch.arguments.clone());
    session.client.event("initialized");
    session.client.answer(seq).expect("a launch");
    let event = session.client.event("breakpoint");
    assert_eq!(
        (&event["body"]["reason"], &event["body"]["breakpoint"]["verified"]),
        (&json!("changed"), &json!(true))
    );
    assert_eq!(event["body"]["breakpoint"]["id"], answers[0]["id"]);
    session.configured();
    let (hits, _, counted) = hits(&mut session);
    let expected: i64 = counted.iter().filter(|(name, _)| name.ends_with(".Area")).map(|(_, n)| *n).sum();
    assert_eq!(hits.values().sum::<i64>(), expected);
    session.client.end();
}

/// `(TYPE)`: the type in the itab decides, or the receiver's of a direct call.
#[test]
fn one_concrete_type() {
    let cases = [
        ("*main.Square", "main.(*Square).Area", 14),
        ("main.Circle", "main.Circle.Area", 4),
        ("*main.Circle", "main.Circle.Area", 3),
        ("main.ByPointer", "main.(*Base).Area", 3),
        ("*main.ByPointer", "main.(*Base).Area", 3),
        ("*main.ByValue", "main.(*Base).Area", 3),
        ("*main.Base", "main.(*Base).Area", 4),
        ("main.Framed", "main.Circle.Area", 3),
    ];
    for minor in [21, 27] {
        let Some(toolchain) = toolchain(minor) else { continue };
        for mode in [Mode::Debug, Mode::Optimised, Mode::Stripped] {
            let fixture = fixture::build("methods", &toolchain, mode);
            for (concrete, body, expected) in cases {
                let (hits, unsure, _) = run(&fixture, "auto", &format!("main.Shape.Area({concrete})"));
                let found = hits.get(body).copied().unwrap_or(0);
                let all: i64 = hits.values().sum();
                let title = fixture.title();
                // What a frame has lost is shown and said; it is never left out.
                assert!(
                    found >= expected && all - unsure <= expected,
                    "{title} {concrete}: {hits:?} {unsure}"
                );
                if mode == Mode::Debug && concrete != "*main.Square" {
                    assert_eq!(
                        (found, all - unsure),
                        (expected, expected),
                        "{title} {concrete}: {hits:?} {unsure}"
                    );
                }
            }
        }
    }
}

/// All instances, or one: shared machine code is told apart by its dictionary.
#[test]
fn instances_of_generic_code() {
    for minor in [21, 27] {
        let Some(toolchain) = toolchain(minor) else { continue };
        for mode in [Mode::Debug, Mode::Optimised] {
            let fixture = fixture::build("methods", &toolchain, mode);
            let title = fixture.title();
            for name in ["main.(*Memory).Put", "main.Store.Put"] {
                let (hits, unsure, _) = run(&fixture, "auto", name);
                assert_eq!((hits.values().sum::<i64>(), unsure), (8, 0), "{title} {name}: {hits:?}");
                assert_eq!(hits.get("main.(*Memory[*main.User]).Put"), Some(&3), "{title}: {hits:?}");
            }
            for (name, function, expected) in [
                ("main.(*Memory[*main.User]).Put", "main.(*Memory[*main.User]).Put", 3),
                ("main.(*Memory[*main.Page]).Put", "main.(*Memory[*main.Page]).Put", 2),
                ("main.(*Memory[main.Money]).Put", "main.(*Memory[main.Money]).Put", 1),
                ("main.Store[int].Put", "main.(*Memory[int]).Put", 2),
                ("main.Twice[int]", "main.Twice[int]", 2),
                ("main.Twice[*main.Page]", "main.Twice[*main.Page]", 1),
            ] {
                let (hits, unsure, _) = run(&fixture, "auto", name);
                assert_eq!(hits, [(function.to_owned(), expected)].into(), "{title} {name}");
                assert_eq!(unsure, 0, "{title} {name}");
            }
        }
    }
}

/// A type that the program makes while it runs: it is bound when its itab is, and the client is told.
#[test]
fn types_that_come_later() {
    let fixture = debug("late");
    for backend in backends() {
        let mut session = Session::begin(&launch(&fixture, backend), "launch");
        let answers = set(&mut session, json!([{"name": "main.Greeter.Greet"}]));
        let before = answers[0].clone();
        session.configured();
        let (hits, unsure, counted) = hits(&mut session);
        assert_eq!(
            (hits.values().sum::<i64>(), unsure),
            (counted["Greet"], 0),
            "{before}: {hits:?} {counted:?}"
        );
        session.client.end();
    }
}

/// Conditions, counts and messages; the receiver and its type have names.
#[test]
fn conditions_and_messages() {
    let fixture = debug("methods");
    let mut session = Session::begin(&launch(&fixture, "auto"), "launch");
    let answers = set(
        &mut session,
        json!([
            {"name": "main.Shape.Area", "condition": "recv.Side == 2"},
            {"name": "main.Shape.Name", "condition": "recv +"},
            {"name": "error.Error", "condition": "nosuch == 1"},
            {"name": "main.Shape.Area(main.Nosuch)"},
            {"name": "main.Shape.Perimeter"},
            {"name": "main.Shape.area"},
        ]),
    );
    let message = |i: usize| answers[i]["message"].as_str().unwrap_or_default().to_owned();
    // It compiles for squares only.
    assert_eq!(answers[0]["verified"], json!(true), "{answers:?}");
    assert!(message(0).contains("1 body") && message(0).contains("main.Circle.Area"), "{}", message(0));
    for (i, part) in [
        (1, "column"),
        (2, "nosuch"),
        (3, "main.Nosuch"),
        (4, "no method Perimeter"),
        (5, "did you mean Area"),
    ] {
        assert_eq!(answers[i]["verified"], json!(false), "{}", answers[i]);
        assert!(message(i).contains(part), "{}", message(i));
    }
    // A method set in the console takes a hit condition and a log message too, by `itab/breakOnMethod`.
    set(
        &mut session,
        json!([{"name": "main.Shape.Area", "condition": "typeof(recv) == main.Circle && recv.Radius == 1", "hitCondition": "== 10"}]),
    );
    let body = session.client.ok(
        "itab/breakOnMethod",
        json!({"interface": "main.Store", "method": "Put", "enabled": true,
               "logMessage": "put {v} into {len(recv.all)} of {typeof(recv)}"}),
    );
    assert!(body["total"].as_i64().is_some_and(|n| n >= 2), "{body}");
    session.configured();
    let stop = session.stopped();
    assert_eq!(session.place(stop.thread).0, "main.Circle.Area");
    session.client.ok("continue", json!({"threadId": stop.thread}));
    session.client.event("terminated");
    let log = session.client.output("stdout");
    let lines: Vec<&str> = log.lines().filter(|l| l.contains("put ")).collect();
    assert_eq!(lines.len(), 8, "{lines:?}");
    assert!(lines.iter().any(|l| l.ends_with("put 1 into 0 of *main.Memory[int]")), "{lines:?}");
    session.client.end();
}

/// `itab/breakOnMethod`: one breakpoint for each body, set and removed while the program runs, beside `setFunctionBreakpoints`.
#[test]
fn break_on_method_while_it_runs() {
    let fixture = debug("late");
    for backend in backends() {
        let launch = launch(&fixture, backend).with("args", json!(["forever"]));
        let mut session = Session::launch(&launch, &[]);
        session.client.wait_for_output("stdout", "started");
        let body = session.client.ok(
            "itab/breakOnMethod",
            json!({"interface": "main.Greeter", "method": "Greet", "enabled": true}),
        );
        let list = body["breakpoints"].as_array().cloned().unwrap_or_default();
        assert_eq!(body["total"], json!(list.len()));
        assert!(list.len() >= 2, "{body}");
        for breakpoint in &list {
            assert_eq!(breakpoint["verified"], json!(true), "{breakpoint}");
            assert!(breakpoint["line"].is_i64() && breakpoint["source"]["path"].is_string(), "{breakpoint}");
        }
        let stop = session.stopped();
        assert_eq!(stop.reason, "function breakpoint");
        let id = &stop.body["hitBreakpointIds"][0];
        assert!(list.iter().any(|b| &b["id"] == id), "{}: {list:?}", stop.body);
        // The client's own function breakpoints are another list.
        set(&mut session, json!([]));
        let stop = session.go_on(stop.thread);
        session.client.ok("continue", json!({"threadId": stop.thread}));
        let body = session.client.ok(
            "itab/breakOnMethod",
            json!({"interface": "main.Greeter", "method": "Greet", "enabled": false}),
        );
        assert_eq!(body["total"], json!(0));
        while session.client.event_within("stopped", std::time::Duration::from_millis(400)).is_some() {
            session.client.ok("continue", json!({"threadId": stop.thread}));
        }
        session.client.refused(
            "itab/breakOnMethod",
            json!({"interface": "main.Nosuch", "method": "Greet", "enabled": true}),
        );
        session.client.end();
    }
}

/// The console's twins, for clients that can set none of this.
#[test]
fn in_the_console() {
    let fixture = debug("methods");
    let path = fixture.path();
    let mut session = Session::launch(&launch(&fixture, "auto"), &[(&path, &[fixture.line("start")])]);
    let stop = session.stopped();
    session.frames(stop.thread);
    session.set_breakpoints(&path, &[]);
    let text = |session: &mut Session, line: &str| session.eval_in(line, "").expect(line).value;
    let set = text(&mut session, "break main.Shape.Area *main.ByValue");
    assert!(set.contains("1 body") && !set.contains('\n'), "{set}");
    session.client.event("breakpoint");
    let set = text(&mut session, "break main.Circle.Area if c.Radius == 77");
    assert!(set.contains("main.Circle.Area") && set.contains("main.go:"), "{set}");
    let set = text(&mut session, &format!("break {}", fixture.line("report")));
    assert!(set.contains(&format!("main.go:{}", fixture.line("report"))), "{set}");
    let number = set.split_whitespace().nth(1).unwrap_or_default().to_owned();
    let list = session.eval_in("breaks", "repl").expect("breaks").value;
    assert_eq!(list.lines().count(), 3, "{list}");
    assert!(list.contains("if c.Radius == 77") && list.contains("main.Shape.Area(*main.ByValue)"), "{list}");
    assert!(text(&mut session, &format!("break -d {number}")).contains("removed"));
    assert_eq!(session.eval_in("breaks", "repl").expect("breaks").value.lines().count(), 2);
    assert!(session.eval_in("break -d 999", "repl").is_err());
    assert!(session.eval_in("break main.nosuch", "repl").is_err());
    let filters = session.eval_in("catch", "repl").expect("catch").value;
    assert!(
        filters.lines().any(|l| l == "panic off") && filters.contains("unrecovered-panic on"),
        "{filters}"
    );
    assert_eq!(text(&mut session, "catch panic on"), "panic on");
    assert!(session.eval_in("catch", "repl").expect("catch").value.contains("panic on"));
    assert!(!text(&mut session, "catch").contains('\n'));
    // The client's lists leave what the console has set alone.
    let body = session.client.ok("setFunctionBreakpoints", json!({"breakpoints": []}));
    assert_eq!(body["breakpoints"], json!([]));
    session.client.ok("continue", json!({"threadId": stop.thread}));
    let (hits, _, _) = hits(&mut session);
    assert_eq!(hits, [("main.(*Base).Area".to_owned(), 3)].into());
    session.client.end();
}

/// A wrapper's name means the body, and no name is ambiguous with its own wrapper.
#[test]
fn names_of_wrappers() {
    for mode in [Mode::Debug, Mode::Optimised] {
        let fixture = built("methods", mode);
        for (name, function, expected) in [
            ("main.Circle.Area", "main.Circle.Area", 10),
            ("main.ByPointer.Area", "main.(*Base).Area", 14),
            ("main.(*ByValue).Area", "main.(*Base).Area", 14),
            ("Shape.Area(*Square)", "", 0),
        ] {
            if expected == 0 {
                let mut session = Session::begin(&launch(&fixture, "auto"), "launch");
                let answers = set(&mut session, json!([{"name": name}]));
                assert_eq!(answers[0]["verified"], json!(false), "{}", answers[0]);
                session.client.end();
                continue;
            }
            let (hits, _, _) = run(&fixture, "auto", name);
            assert_eq!(hits, [(function.to_owned(), expected)].into(), "{} {name}", fixture.title());
        }
    }
}

/// Generic methods (Go 1.27).
#[test]
fn generic_methods() {
    let Some(toolchain) = toolchain(27) else { return };
    for mode in [Mode::Debug, Mode::Optimised] {
        let fixture = fixture::build("genericmethods", &toolchain, mode);
        let (all, unsure, counted) = run(&fixture, "auto", "main.(*Numbers).Map");
        assert_eq!((all.values().sum::<i64>(), unsure), (counted["all"], 0), "{all:?}");
        let (one, unsure, _) = run(&fixture, "auto", "main.(*Numbers).Map[main.hex]");
        assert_eq!((one.values().sum::<i64>(), unsure), (counted["hex"], 0), "{one:?}");
    }
}
