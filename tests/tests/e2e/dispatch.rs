//! Dispatch: the targets of a line before the step, and the step into the body that the author wrote.

use e2e::{Fixture, Session};
use serde_json::{Value, json};

use crate::support::{backends, built, debug, launch};

/// The calls of the current line by `itab/dispatch`.
#[track_caller]
fn sites(session: &mut Session) -> Vec<Value> {
    let frame = session.frame.expect("a frame");
    let body = session.client.ok("itab/dispatch", json!({"frameId": frame}));
    let sites = body["sites"].as_array().cloned().unwrap_or_default();
    assert_eq!(body["total"], json!(sites.len()));
    for (index, site) in sites.iter().enumerate() {
        assert!(site["order"].as_i64().is_some_and(|order| order >= index as i64), "{site}");
        if site["state"] == json!("known") {
            assert!(site["target"]["name"].is_string(), "a known call without a target: {site}");
        } else {
            assert!(site["reason"].is_string(), "no reason: {site}");
        }
    }
    sites
}

/// Launches and stops at a mark.
#[track_caller]
fn at(fixture: &Fixture, backend: &str, marks: &[&str]) -> (Session, i64) {
    let lines: Vec<i64> = marks.iter().map(|mark| fixture.line(mark)).collect();
    let path = fixture.path();
    let mut session = Session::launch(&launch(fixture, backend), &[(&path, &lines)]);
    let thread = session.stopped().thread;
    session.frames(thread);
    (session, thread)
}

/// A value method behind its wrapper: the method set of the value has the itab's slots, and results are the method's, not the wrapper's.
#[test]
fn slots_of_a_held_value_and_results_behind_a_wrapper() {
    let fixture = debug("dispatch");
    let (mut session, thread) = at(&fixture, "auto", &["measure"]);
    session.client.ok("continue", json!({"threadId": thread}));
    let thread = session.stopped().thread;
    session.frames(thread);
    let frame = session.frame;
    let answer = session
        .client
        .ok("evaluate", json!({"expression": "methods s", "context": "repl", "frameId": frame}));
    let methods = answer["result"].as_str().expect("text");
    assert!(methods.lines().any(|l| l.starts_with("0 Area main.Circle.Area")), "{methods}");
    let body = session.client.ok("itab/methods", json!({"expression": "s", "frameId": frame}));
    let area = body["methods"].as_array().into_iter().flatten().find(|m| m["name"] == json!("Area"));
    assert_eq!(area.map(|m| &m["slot"]), Some(&json!(0)), "{body}");

    let id = sites(&mut session)[0]["id"].clone();
    session.client.ok("itab/dispatchStep", json!({"threadId": thread, "siteId": id}));
    let thread = session.stopped().thread;
    session.place(thread);
    let stop = session.step("stepOut", thread);
    session.frames(stop.thread);
    let scopes = session.client.ok("scopes", json!({"frameId": session.frame}));
    let references: Vec<i64> = scopes["scopes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|s| s["variablesReference"].as_i64())
        .collect();
    let names: Vec<String> =
        references.into_iter().flat_map(|r| session.children(r)).map(|child| child.name).collect();
    assert!(names.iter().any(|n| n.starts_with("main.Circle.Area returned")), "{names:?}");
    session.client.end();
}

/// One call site, five receivers: pointer, value (wrapper), embedded interface, promoted pointer, generic.
#[test]
fn five_receivers_at_one_site() {
    let fixture = debug("dispatch");
    let expected = [
        ("main.(*Square).Area", "Square.Area", "main.(*Square).Area"),
        ("main.Circle.Area", "Circle.Area", "main.Circle.Area"),
        ("main.Circle.Area", "Circle.Area", "main.Circle.Area"),
        ("main.(*Base).Area", "Base.Area", "main.(*Base).Area"),
        ("main.(*Repo[string]).Area", "Repo.Area", "main.(*Repo["),
    ];
    for backend in backends() {
        let (mut session, mut thread) = at(&fixture, backend, &["measure"]);
        for (index, (target, mark, function)) in expected.iter().enumerate() {
            let sites = sites(&mut session);
            assert_eq!(sites.len(), 1, "{sites:?}");
            let site = &sites[0];
            assert_eq!(
                (&site["kind"], &site["expression"], &site["interfaceType"], &site["method"], &site["state"]),
                (
                    &json!("interface"),
                    &json!("s.Area"),
                    &json!("main.Shape"),
                    &json!("Area"),
                    &json!("known")
                ),
                "{site}"
            );
            assert_eq!(site["slot"], json!(0), "{site}");
            assert_eq!(site["target"]["name"], json!(target), "{backend}, receiver {index}: {site}");
            let body = session.client.ok("stepInTargets", json!({"frameId": session.frame}));
            let targets = body["targets"].as_array().cloned().unwrap_or_default();
            assert_eq!(targets.len(), 1, "{body}");
            assert_eq!(targets[0]["id"], site["id"]);
            assert_eq!(targets[0]["label"], json!(format!("s.Area -> {target}")));
            session.client.ok("stepIn", json!({"threadId": thread, "targetId": site["id"]}));
            let stop = session.stopped();
            assert_eq!(stop.reason, "step");
            let description = stop.body["description"].as_str().unwrap_or_default();
            assert_eq!(description, format!("dispatch: main.Shape.Area -> {target}"));
            let (name, line) = session.place(stop.thread);
            assert!(name.starts_with(function), "{backend}: landed in {name}, not in {function}");
            let body = fixture.line(mark);
            assert!(line == body || line == body + 1, "{backend}: {name} at {line}, not at {body}");
            if index + 1 < expected.len() {
                thread = session.go_on(stop.thread).thread;
                session.frames(thread);
            }
        }
        session.client.end();
    }
}

/// Two calls of one line: both are listed, the second is entered and the first runs.
#[test]
fn the_second_call_of_a_line() {
    let fixture = debug("dispatch");
    for request in ["stepIn", "itab/dispatchStep"] {
        let (mut session, thread) = at(&fixture, "auto", &["both"]);
        let sites = sites(&mut session);
        let expressions: Vec<&Value> = sites.iter().map(|site| &site["expression"]).collect();
        assert_eq!(expressions, [&json!("a.Area"), &json!("b.Area")]);
        let id = &sites[1]["id"];
        let arguments = if request == "stepIn" {
            json!({"threadId": thread, "targetId": id})
        } else {
            json!({"threadId": thread, "siteId": id})
        };
        session.client.ok(request, arguments);
        let stop = session.stopped();
        assert_eq!(session.place(stop.thread).0, "main.Circle.Area");
        // Both names belong to stops that are over.
        session.client.refused("stepIn", json!({"threadId": thread, "targetId": id}));
        session.client.end();
    }
}

#[test]
fn calls_that_may_not_be_reached() {
    let fixture = debug("dispatch");
    let (mut session, thread) = at(&fixture, "auto", &["maybe"]);
    let listed = sites(&mut session);
    assert_eq!(listed[0]["conditional"], json!(true), "{listed:?}");
    let stop = session.step("stepIn", thread);
    assert_eq!(session.place(stop.thread).0, "main.(*Square).Area");
    // The second time the condition is false: the step ends in the same frame or its caller, not in a method.
    let thread = session.go_on(stop.thread).thread;
    session.frames(thread);
    let listed = sites(&mut session);
    let stop = match listed.first() {
        Some(site) => {
            session.client.ok("stepIn", json!({"threadId": thread, "targetId": site["id"]}));
            session.stopped()
        }
        None => session.step("stepIn", thread),
    };
    let (name, _) = session.place(stop.thread);
    assert!(name == "main.maybe" || name == "main.main", "{name}");
    session.client.end();
}

/// Closures, method values and a nil interface.
#[test]
fn other_dynamic_calls() {
    let fixture = debug("dispatch");
    let (mut session, thread) = at(&fixture, "auto", &["apply", "methodvalue"]);
    let listed = sites(&mut session);
    assert_eq!(listed[0]["kind"], json!("closure"), "{listed:?}");
    assert_eq!(listed[0]["target"]["name"], json!("main.main.func1"), "{listed:?}");
    let stop = session.step("stepIn", thread);
    let (name, line) = session.place(stop.thread);
    assert_eq!(name, "main.main.func1");
    let closure = fixture.line("closure");
    assert!(line == closure || line == closure + 1, "{line}");
    let thread = session.go_on(stop.thread).thread;
    session.frames(thread);
    // A method value's wrapper is passed: the step lands in the method.
    let stop = session.step("stepIn", thread);
    assert_eq!(session.place(stop.thread).0, "main.Circle.Area");
    session.client.end();
}

/// The chain from itab to body, and what hovering over the call says.
#[test]
fn chain_and_hover() {
    let fixture = debug("dispatch");
    let (mut session, thread) = at(&fixture, "auto", &["measure"]);
    let thread = session.go_on(thread).thread;
    session.frames(thread);
    let listed = sites(&mut session);
    let chain = listed[0]["chain"].as_array().cloned().unwrap_or_default();
    let roles: Vec<&str> = chain.iter().filter_map(|link| link["role"].as_str()).collect();
    assert_eq!(roles.first(), Some(&"itab"), "{chain:?}");
    assert_eq!(roles.last(), Some(&"body"), "{chain:?}");
    assert!(roles.contains(&"wrapper"), "a value receiver goes through a wrapper: {chain:?}");
    let hover = session.eval_in("s.Area", "hover").expect("a hover");
    assert_eq!(hover.value, "main.Shape.Area -> main.Circle.Area");
    // The virtual child: interface, concrete type, then the method table in slot order.
    let shape = session.eval("s").expect("s");
    let children = session.children(shape.reference);
    let itab = children.last().expect("children").clone();
    assert_eq!(itab.name, "[itab]");
    assert_eq!(itab.raw["presentationHint"]["kind"], json!("virtual"), "{}", itab.raw);
    assert_eq!(itab.value, "main.Circle as main.Shape, 2 methods");
    let rows = session.children(itab.reference);
    let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["interface", "concrete", "hash", "address", "Area", "Name"]);
    let area = &rows[4];
    assert_eq!(area.raw["presentationHint"]["kind"], json!("method"), "{}", area.raw);
    assert!(
        area.value.contains("main.(*Circle).Area") && area.value.contains(" -> main.Circle.Area"),
        "{}",
        area.value
    );
    let reference = &area.raw["valueLocationReference"];
    assert!(reference.is_i64(), "no link to the source: {}", area.raw);
    let place = session.client.ok("locations", json!({"locationReference": reference}));
    assert_eq!(place["line"], json!(fixture.line("Circle.Area")), "{place}");
    assert_eq!(place["source"]["path"], json!(fixture.path()));
    session.client.end();
}

#[test]
fn optimised_code() {
    let fixture = built("dispatch", e2e::Mode::Optimised);
    let (mut session, thread) = at(&fixture, "auto", &["measure"]);
    for expected in ["main.(*Square).Area", "main.Circle.Area"] {
        let listed = sites(&mut session);
        assert_eq!(listed.len(), 1, "{listed:?}");
        assert_eq!(listed[0]["target"]["name"], json!(expected), "{listed:?}");
        session.client.ok("stepIn", json!({"threadId": thread, "targetId": listed[0]["id"]}));
        let stop = session.stopped();
        let (name, _) = session.place(stop.thread);
        assert_eq!(name, expected);
        session.go_on(stop.thread);
        session.frames(thread);
    }
    session.client.end();
}

/// Boxing an argument tests whether the collector runs. Nothing that the line calls depends on that.
#[test]
fn write_barriers_make_no_call_conditional() {
    let fixture = debug("dispatch");
    let (mut session, _) = at(&fixture, "auto", &["barrier"]);
    let frame = session.frame;
    let body = session.client.ok("stepInTargets", json!({"frameId": frame}));
    let labels: Vec<&str> =
        body["targets"].as_array().into_iter().flatten().filter_map(|t| t["label"].as_str()).collect();
    assert_eq!(labels, ["os.Getpid", "s.Name -> ~main.(*Repo[string]).Name", "fmt.Sprint"]);
    session.client.end();
}
