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

/// Intrinsics, the commands' rules, and what is refused with a sentence.
#[test]
fn intrinsics_and_rules_of_the_console() {
    let fixture = debug("interfaces");
    let path = fixture.path();
    let line = fixture.line("stop basics");
    let mut session = Session::launch(&launch(&fixture, "auto"), &[(&path, &[line])]);
    let stop = session.stopped();
    session.frames(stop.thread);
    for (expression, value) in [
        ("typeof(square)", "*main.Square"),
        ("typeof(square) == *main.Square", "true"),
        ("typeof(square) == *gzip.Writer", "false"),
        ("typeof(nilShape) == *main.Square", "false"),
        ("typeof(nilShape) == nil", "true"),
        ("itab(square)", "*main.Square as main.Shape, 2 methods"),
        ("itab(nilShape)", "nil"),
        ("where(nilShape)", "nil"),
        ("where(itab(square))", "read-only data: itab of *main.Square as main.Shape"),
    ] {
        assert_eq!(session.text(expression), value, "{expression}");
    }
    let place = session.eval("where(&n)").expect("where");
    let names: Vec<String> = session.children(place.reference).into_iter().map(|c| c.name).collect();
    assert_eq!(names, ["region", "address", "object", "size", "sizeClass", "free"], "{}", place.value);
    for (command, text) in [
        (":nosuch", "there is no command"),
        ("-exec info registers", "no command line of its own"),
        ("iface 0x10", "0x10 is not two readable words (not mapped)"),
        ("itab 0x10", "0x10 is not an itab"),
        ("itab number", "has no itab, only a type"),
        ("where", "write where EXPR"),
        ("disass -x", "write disass"),
    ] {
        for context in ["repl", ""] {
            match session.eval_in(command, context) {
                Err(failure) => assert!(failure.message.contains(text), "{command}: {failure:?}"),
                Ok(answer) => assert!(command == "itab number", "{command}: {}", answer.value),
            }
        }
    }
    let failure = session.eval_in("itab nilShape", "repl").expect_err("nothing in it");
    let why = "nilShape is not an interface value with something in it: its value is main.Shape nil";
    assert!(failure.message.contains(why), "{failure:?}");
    // Hovering over an interface's name shows the methods it asks for.
    let shape = session.eval_in("Shape", "hover").expect("a type");
    let rows = session.children(shape.reference);
    let methods = rows.iter().find(|r| r.name == "methods").expect("methods");
    assert_eq!(methods.value, "2");
    let wanted: Vec<_> = session.children(methods.reference).into_iter().map(|r| (r.name, r.value)).collect();
    assert_eq!(wanted, [("Area".into(), "func() float64".into()), ("Name".into(), "func() string".into())]);
    let one = session.eval_in("itab square", "").expect("one line").value;
    assert!(!one.contains('\n') && one.contains(" | interface: main.Shape | "), "{one}");
    session.client.end();
}

/// In generic code the scope `Dispatch` begins with the real types; hovers see who runs.
#[test]
fn the_scope_dispatch() {
    let fixture = debug("dispatch");
    let path = fixture.path();
    let marks = [fixture.line("Repo.Area"), fixture.line("both"), fixture.line("apply")];
    let mut session = Session::launch(&launch(&fixture, "auto"), &[(&path, &marks)]);
    for _ in 0..3 {
        let stop = session.stopped();
        let (function, line) = session.place(stop.thread);
        let scope = session.scope("Dispatch").expect("Dispatch");
        assert_eq!(scope["expensive"], json!(true));
        let rows = session.children(scope["variablesReference"].as_i64().unwrap_or(0));
        let shown: Vec<String> = rows.iter().map(|r| format!("{}: {}", r.name, r.value)).collect();
        if line == marks[0] {
            assert_eq!(shown, ["T: string"], "{function}");
        } else if line == marks[1] {
            let square = "a.Area: main.Shape.Area -> main.(*Square).Area";
            assert_eq!(shown, [square, "b.Area: main.Shape.Area -> main.Circle.Area"]);
            let chain: Vec<String> =
                session.children(rows[1].reference).into_iter().map(|r| r.name).collect();
            assert_eq!(chain, ["itab", "entry", "wrapper", "body"]);
            let code = session.eval_in("disass", "repl").expect("disass").value;
            assert!(code.contains("call main.Shape.Area -> main.(*Square).Area"), "{code}");
        } else {
            assert_eq!(shown, ["f: closure -> main.main.func1"]);
            let f = session.eval_in("f", "hover").expect("f");
            let names: Vec<String> = session.children(f.reference).into_iter().map(|r| r.name).collect();
            assert_eq!(names, ["factor", "body"], "{}", f.value);
        }
        session.client.ok("continue", json!({"threadId": stop.thread}));
    }
    session.client.end();
}
