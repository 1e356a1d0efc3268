//! The debug console, hovers, and changing variables.

use e2e::Session;
use serde_json::json;

use crate::support::{backends, debug, launch};

/// Helix's only door: no context, one line.
#[test]
fn commands() {
    let fixture = debug("dispatch");
    let path = fixture.path();
    let mut session = Session::launch(&launch(&fixture, "auto"), &[(&path, &[fixture.line("both")])]);
    let stop = session.stopped();
    session.frames(stop.thread);
    let table = session.eval_in("dispatch", "repl").expect("a table").value;
    for text in ["a.Area", "b.Area", "main.(*Square).Area", "main.Circle.Area"] {
        assert!(table.contains(text), "{text} is not in {table}");
    }
    let line = session.eval_in("dispatch", "").expect("one line").value;
    assert!(!line.trim_end().contains('\n') && line.contains("0 a.Area -> main.(*Square).Area"), "{line:?}");
    let itab = session.eval_in("itab b", "repl").expect("an itab").value;
    assert!(itab.contains("main.Circle") && itab.contains("Area") && itab.contains("Name"), "{itab}");
    let help = session.eval_in("help", "repl").expect("help").value;
    assert!(help.contains("dispatch step") && help.contains("itab"), "{help}");
    // A variable is a variable, in a watch a command is nothing.
    assert!(session.eval_in("dispatch", "watch").is_err());
    assert_eq!(session.eval_in("a", "repl").expect("a").value, "main.Shape(*main.Square) *{Side: 2}");
    // The step: answered, then continued and stopped.
    let seq = session.client.send(
        "evaluate",
        json!({"expression": "dispatch step 1", "frameId": session.frame, "context": "repl"}),
    );
    session.client.answer(seq).expect("an answer");
    session.client.event("continued");
    let stop = session.stopped();
    assert_eq!(session.place(stop.thread).0, "main.Circle.Area");
    session.client.end();
}

#[test]
fn variables_can_be_changed() {
    let fixture = debug("values");
    let path = fixture.path();
    for backend in backends() {
        let line = fixture.line("stop integers");
        let mut session = Session::launch(&launch(&fixture, backend), &[(&path, &[line])]);
        let stop = session.stopped();
        session.frames(stop.thread);
        let reference = session.scope("Locals").expect("Locals")["variablesReference"].clone();
        for (name, value, expected) in
            [("i8", "7", "7"), ("u64", "i8 + 1", "8 = 0x8"), ("t", "false", "false"), ("i", "-99", "-99")]
        {
            let body = session.client.request(
                "setVariable",
                json!({"variablesReference": reference, "name": name, "value": value}),
            );
            match (name, body) {
                // uint64 = int8 + 1 mixes types: refused as Go refuses it.
                ("u64", Err(_)) => {}
                (_, Ok(body)) => {
                    assert_eq!(body["value"], json!(expected), "{name}");
                    assert_eq!(session.text(name), expected);
                }
                (_, Err(failure)) => panic!("{name} = {value}: {failure:?}"),
            }
        }
        for (name, value) in [("i8", "300"), ("i8", "\"x\""), ("nosuch", "1"), ("t", "1"), ("i8", "")] {
            let arguments = json!({"variablesReference": reference, "name": name, "value": value});
            session.client.refused("setVariable", arguments);
        }
        assert_eq!(session.text("i8"), "7");
        session.client.end();
    }
}

/// Evaluate names give the same value again, through interfaces too, and pages of a list join to the whole.
#[test]
fn children_and_their_names() {
    let fixture = debug("interfaces");
    let path = fixture.path();
    let line = fixture.line("stop nested");
    let mut session = Session::launch(&launch(&fixture, "auto"), &[(&path, &[line])]);
    let stop = session.stopped();
    session.frames(stop.thread);
    let mut checked = 0;
    for local in session.locals() {
        for child in session.children(local.reference) {
            let Some(name) = child.evaluate_name().map(str::to_owned) else { continue };
            let again = session.text(&name);
            assert_eq!(again, child.value, "{name}");
            checked += 1;
        }
    }
    assert!(checked > 10, "{checked} children");
    session.client.end();

    let fixture = debug("values");
    let path = fixture.path();
    let line = fixture.line("stop strings");
    let mut session = Session::launch(&launch(&fixture, "auto"), &[(&path, &[line])]);
    let stop = session.stopped();
    session.frames(stop.thread);
    let big = session.eval("big").expect("big");
    assert_eq!(big.raw["indexedVariables"], json!(1000), "{}", big.raw);
    let mut names = Vec::new();
    for start in [0, 400, 800, 990] {
        let count = if start == 990 { 100 } else { 400 };
        let arguments =
            json!({"variablesReference": big.reference, "filter": "indexed", "start": start, "count": count});
        let body = session.client.ok("variables", arguments);
        for variable in body["variables"].as_array().into_iter().flatten() {
            names.push((
                start,
                variable["name"].as_str().unwrap_or_default().to_owned(),
                variable["value"].clone(),
            ));
        }
    }
    assert_eq!(names.first().map(|row| row.1.as_str()), Some("[0]"));
    assert_eq!(names.iter().filter(|row| row.0 == 400).count(), 400);
    let last = names.last().expect("rows");
    assert_eq!((last.1.as_str(), &last.2), ("[999]", &json!("7")));
    assert_eq!(names.iter().filter(|row| row.0 == 990).count(), 10);
    session.client.end();
}
