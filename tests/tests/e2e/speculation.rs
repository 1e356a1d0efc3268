//! Tier 2: the targets of calls on what other calls of the line return, found in a sandbox, against what the program then does.

use e2e::fixture::{self, Fixture, Mode};
use e2e::{Session, go};
use serde_json::{Value, json};

use crate::support::{launch, lines, toolchain};

/// What only running the line's callees tells.
const FOUND: [&str; 13] = [
    "map", "number", "fresh", "sorted", "appended", "locked", "once", "parsed", "built", "through",
    "generic", "asserted", "deep",
];
/// What a sandbox can't do, and how it says so.
const REFUSED: [(&str, &str); 7] = [
    ("channel", "a channel operation"),
    ("go", "a go statement"),
    ("clock", "the clock"),
    ("range", "an iteration over a map"),
    ("recover", "a panic"),
    ("system", "a system call"),
    ("endless", "longer than the sandbox allows"),
];

/// The call of `Area` on the stopped line.
#[track_caller]
fn area(session: &mut Session, arguments: Value) -> Value {
    let body = session.client.ok("itab/dispatch", arguments);
    let sites = body["sites"].as_array().cloned().unwrap_or_default();
    let found = sites.iter().find(|s| s["method"] == json!("Area"));
    found.unwrap_or_else(|| panic!("no call of Area: {body}")).clone()
}

fn measured(fixture: &Fixture) {
    let title = fixture.title();
    let marks: Vec<&str> = FOUND.into_iter().chain(REFUSED.map(|r| r.0)).collect();
    let all = lines(fixture, &marks);
    let mut session = Session::launch(&launch(fixture, "native"), &[(&fixture.path(), &all)]);
    let (mut said, mut faults) = (Vec::new(), Vec::new());
    for (mark, line) in marks.iter().zip(&all) {
        let stop = session.stopped();
        assert_eq!(session.place(stop.thread).1, *line, "{title} {mark}");
        // Not asked for, not done; what is certain stays so.
        let first = area(&mut session, json!({}));
        // A lock that nobody holds is no obstacle even for what is certain.
        let certain = first["certainty"] == json!("certain") && *mark == "locked";
        assert!(first["state"] == json!("pending") || certain, "{title} {mark}: {first}");
        let second = area(&mut session, json!({"speculate": true}));
        assert_eq!(first["id"], second["id"], "{title} {mark}");
        let is = |state: &str, certainty: Value| {
            second["state"] == json!(state) && second["certainty"] == certainty
        };
        // Without optimisation a `defer` is a record of the runtime's.
        let recorded = fixture.mode == Mode::Debug && ["locked", "once"].contains(mark);
        let refused =
            if recorded { Some(&("", "a deferred call")) } else { REFUSED.iter().find(|r| r.0 == *mark) };
        let right = match refused {
            Some((_, why)) => {
                let reason = second["reason"].as_str().unwrap_or_default();
                is("pending", Value::Null)
                    && reason.contains("can't be run in the sandbox")
                    && reason.contains(why)
            }
            None => is("known", json!("speculative")) || certain && second == first,
        };
        if !right {
            faults.push(format!("{title} {mark}: {second}"));
        }
        if let Some(target) = second["target"]["name"].as_str() {
            said.push((*mark, target.to_owned()));
        }
        // Nothing of it is left behind.
        assert_eq!(area(&mut session, json!({})), first, "{title} {mark}");
        session.client.ok("continue", json!({"threadId": stop.thread}));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert_eq!(session.exited(), 0);
    let output = session.client.output("stdout");
    // `locked` counts its calls, those of the sandbox not.
    assert!(output.contains("end 1"), "{title}: {output}");
    for (mark, target) in said {
        let was = output.lines().find_map(|l| l.strip_prefix(&format!("was {mark} "))).unwrap_or_default();
        let names = ["main.(*One).Area", "main.Two.Area", "main.(*Three).Area"];
        let truth =
            was.parse::<usize>().ok().and_then(|n| names.get(n - 1)).unwrap_or_else(|| panic!("{output}"));
        assert_eq!(target, *truth, "{title} {mark}");
    }
    session.client.end();
}

#[test]
fn what_is_found_comes_true_and_the_rest_says_why_not() {
    let newest = go::newest();
    for mode in [Mode::Optimised, Mode::Debug] {
        measured(&fixture::build("sandboxed", &newest, mode));
    }
    if let Some(old) = toolchain(21) {
        measured(&fixture::build("sandboxed", &old, Mode::Optimised));
    }
}

/// The console's word, the launch attribute, and a step into what was found.
#[test]
fn in_the_console_and_by_the_attribute() {
    let fixture = crate::support::debug("sandboxed");
    let at = lines(&fixture, &["map"]);
    for (attribute, word) in [(false, "dispatch speculate"), (true, "dispatch")] {
        let start = launch(&fixture, "native").with("speculate", json!(attribute));
        let mut session = Session::launch(&start, &[(&fixture.path(), &at)]);
        let stop = session.stopped();
        let plain = session.eval_in("dispatch", "repl").expect("an answer").value;
        assert_eq!(plain.contains("Area -> ~main.Two.Area"), attribute, "{plain}");
        let text = session.eval_in(word, "repl").expect("an answer").value;
        assert!(text.contains("Area -> ~main.Two.Area"), "{text}");
        let frame =
            session.client.ok("stackTrace", json!({"threadId": stop.thread}))["stackFrames"][0]["id"].clone();
        let targets = session.client.ok("stepInTargets", json!({"frameId": frame}));
        let list = targets["targets"].as_array().cloned().unwrap_or_default();
        let target =
            list.iter().find(|t| t["label"].as_str().is_some_and(|l| l.contains("Area"))).expect("a target");
        assert_eq!(
            target["label"].as_str().is_some_and(|l| l.contains("~main.Two.Area")),
            attribute,
            "{targets}"
        );
        session.client.ok("stepIn", json!({"threadId": stop.thread, "targetId": target["id"]}));
        let stop = session.stopped();
        assert_eq!(session.place(stop.thread).0, "main.Two.Area");
        session.client.end();
    }
}
