//! What users and clients of `dlv dap` bring along: its order of messages, its console, its attributes, restart.

use std::path::PathBuf;

use e2e::Session;
use e2e::session::Launch;
use serde_json::{Value, json};

use crate::support::{backends, debug, launch};

/// What a client says that was written against dlv: its name is missing, the adapter is "go".
fn dlv_client() -> Value {
    json!({"adapterID": "go", "pathFormat": "path", "linesStartAt1": true, "columnsStartAt1": true,
        "supportsVariableType": true, "supportsVariablePaging": true, "supportsInvalidatedEvent": true})
}

/// Such a client reads messages one by one, and takes every other one for a failure.
#[test]
fn a_client_of_dlv_gets_its_order_of_messages() {
    let fixture = debug("output");
    let path = fixture.path();
    for stop_on_entry in [true, false] {
        let mut launch = launch(&fixture, "auto").with("stopOnEntry", json!(stop_on_entry)).tcp();
        launch.client = dlv_client();
        let mut session = Session::begin(&launch, "launch");
        session.client.plays_dlv = true;
        let begun = ["response initialize", "event process", "event initialized", "response launch"];
        session.client.settle(std::time::Duration::from_millis(200));
        assert_eq!(session.client.order(), begun);
        session.set_breakpoints(&path, &[fixture.line("exit")]);
        // Go sends an empty slice as null.
        session.client.ok("setExceptionBreakpoints", json!({"filters": null}));
        session.client.order();
        session.client.ok("configurationDone", Value::Null);
        if stop_on_entry {
            assert_eq!(session.stopped().reason, "entry");
            let entered = ["event stopped", "event output", "response configurationDone"];
            assert_eq!(session.client.order(), entered);
            session.client.ok("continue", json!({"threadId": 1}));
        }
        let stop = session.stopped();
        session.client.order();
        let mut ids = Vec::new();
        for _ in 0..2 {
            let stack = session.client.ok("stackTrace", json!({"threadId": stop.thread}));
            ids.push(stack["stackFrames"][0]["id"].clone());
            session.client.ok("next", json!({"threadId": stop.thread, "granularity": "instruction"}));
            session.stopped();
        }
        assert_eq!(ids, [json!(1000), json!(1000)]);
        let step = ["response stackTrace", "event continued", "response next", "event stopped"];
        assert_eq!(session.client.order(), [step, step].concat());
        session.client.ok("continue", json!({"threadId": stop.thread}));
        session.exited();
        session.client.settle(std::time::Duration::from_millis(100));
        assert_eq!(session.client.order(), ["response continue", "event exited", "event terminated"]);
        session.client.ok("disconnect", json!({}));
        session.client.event("terminated");
        let ended = ["event output", "event output", "response disconnect", "event terminated"];
        assert_eq!(session.client.order(), ended);
        // The program wrote where the adapter writes.
        assert_eq!(session.client.output("stdout"), "");
        session.client.finish();
    }
}

/// `message` is the summary for them, the whole text stands in `format`; editors get the whole text in both.
#[test]
fn a_client_of_dlv_gets_summaries() {
    let fixture = debug("output");
    for (client, message) in [
        (dlv_client(), "Unable to list locals"),
        (launch(&fixture, "auto").client, "Unable to list locals: unknown frame id 77"),
    ] {
        let mut launch = launch(&fixture, "auto").with("stopOnEntry", json!(true));
        launch.client = client;
        let mut session = Session::launch(&launch, &[]);
        session.client.plays_dlv = message.len() < 30;
        session.stopped();
        let failure = session.client.refused("scopes", json!({"frameId": 77}));
        assert_eq!((failure.id, failure.message.as_str()), (2005, message));
        session.client.end();
    }
}

#[test]
fn delves_console_commands() {
    let fixture = debug("values");
    let path = fixture.path();
    let mut session =
        Session::launch(&launch(&fixture, "auto"), &[(&path, &[fixture.line("stop integers")])]);
    let stop = session.stopped();
    session.frames(stop.thread);
    let mut text = |command: &str| session.eval_in(command, "repl").map(|v| v.value);
    assert!(text("dlv help").is_ok_and(|t| t.contains("dlv sources")));
    assert!(text("dlv help x").is_ok_and(|t| t.contains("-count")) && text("dlv help nosuch").is_err());
    assert_eq!(text("dlv config -list showRegisters").as_deref(), Ok("showRegisters\tfalse\n"));
    assert_eq!(text("dlv config showRegisters true").as_deref(), Ok("showRegisters\ttrue\n\nUpdated"));
    assert!(text("dlv config").is_err() && text("dlv config nosuch 1").is_err());
    assert_eq!(text("dlv sources values/main\\.go$").as_deref(), Ok(path.as_str()));
    assert_eq!(text("dlv sources nosuchfile").as_deref(), Ok(""));
    assert!(text("dlv sources [").is_err());
    assert_eq!(text("dlv types ^main\\.Celsius$").as_deref(), Ok("main.Celsius"));
    assert!(text("dlv x -fmt dec -x &i8").is_ok_and(|t| t.starts_with("0x") && t.lines().count() == 1));
    assert!(text("dlv x 0x10").is_err() && text("dlv nosuch").is_err());
    let list = text("dlv target list").expect("a list");
    assert!(list.starts_with('*') && list.contains(&fixture.binary.display().to_string()), "{list}");
    // Delve's `call` assigns too; what runs the program is refused with a way out.
    assert_eq!(text("call i8 = 5").as_deref(), Ok("5"));
    let failure = text("call use(1)").expect_err("a call");
    assert!(failure.message.contains("calling use"), "{failure:?}");
    // Where an editor shows nothing of a failure, the user is told.
    for (context, shown) in [("watch", false), ("hover", false), ("clipboard", true), ("variables", true)] {
        let failure = session.eval_in("nosuch", context).expect_err("no such variable");
        assert_eq!((failure.id, failure.show_user), (2009, shown), "{context}");
    }
    assert!(session.scope("Registers").is_some());
    session.client.end();
}

/// Filters choose threads, the stopped goroutine stays; labels stand in names.
#[test]
fn goroutine_filters_and_labels() {
    let fixture = debug("goroutines");
    let path = fixture.path();
    let launch = launch(&fixture, "auto")
        .with("goroutineFilters", json!("-with label role=sleeper"))
        .with("showPprofLabels", json!(["role"]));
    let mut session = Session::launch(&launch, &[(&path, &[fixture.line("parked")])]);
    let stop = session.stopped();
    session.frames(stop.thread);
    let names = |session: &mut Session| -> Vec<String> {
        let body = session.client.ok("threads", json!({}));
        let all = body["threads"].as_array().cloned().unwrap_or_default();
        all.iter().map(|t| t["name"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let found = names(&mut session);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().any(|n| n.starts_with("* [Go 1]")), "{found:?}");
    assert!(found.iter().any(|n| n.contains(" sleeper] ")), "{found:?}");
    for (filter, count) in [("-with userloc main.receiver", 3), ("-with user -without userloc main.", 3)] {
        session.eval_in(&format!("dlv config goroutineFilters {filter}"), "repl").expect("a setting");
        let found = names(&mut session);
        assert_eq!(found.len(), count, "{filter}: {found:?}");
    }
    session.eval_in("dlv config goroutineFilters nonsense", "repl").expect("a setting");
    assert!(names(&mut session).len() > 5);
    assert!(session.client.output("console").contains("wrong argument: 'nonsense'"));
    session.client.end();
}

#[test]
fn raw_strings() {
    let fixture = debug("values");
    let path = fixture.path();
    let line = fixture.line("stop strings");
    let quoted = |raw: bool| {
        let launch = launch(&fixture, "auto").with("showRawStrings", json!(raw));
        let mut session = Session::launch(&launch, &[(&path, &[line])]);
        let stop = session.stopped();
        session.frames(stop.thread);
        let strings: Vec<String> =
            session.locals().into_iter().filter(|v| v.kind == "string").map(|v| v.value).collect();
        session.client.end();
        strings
    };
    assert!(quoted(false).iter().all(|s| s.starts_with('"')));
    assert!(quoted(true).iter().any(|s| !s.is_empty() && !s.starts_with('"')));
}

/// Memory by address and variables by expression.
#[test]
fn memory_and_expressions_are_written() {
    let fixture = debug("values");
    let path = fixture.path();
    for backend in backends() {
        let line = fixture.line("stop integers");
        let mut session = Session::launch(&launch(&fixture, backend), &[(&path, &[line])]);
        let stop = session.stopped();
        session.frames(stop.thread);
        let memory = session.eval("i").expect("i").raw["memoryReference"].clone();
        let written =
            session.client.ok("writeMemory", json!({"memoryReference": memory, "data": "BwAAAAAAAAA="}));
        assert_eq!(written["bytesWritten"], json!(8));
        assert_eq!(session.text("i"), "7");
        for arguments in [
            json!({"memoryReference": memory, "data": ""}),
            json!({"memoryReference": memory, "data": "?"}),
            json!({"memoryReference": "0x8", "data": "BwA="}),
            json!({"memoryReference": "here", "data": "BwA="}),
        ] {
            session.client.refused("writeMemory", arguments);
        }
        let frame = session.frame;
        let set = |expression: &str, value: &str| json!({"expression": expression, "value": value, "frameId": frame});
        let body = session.client.ok("setExpression", set("i", "int(i8) - 3"));
        assert_eq!(body["value"], session.text("i"));
        session.client.refused("setExpression", set("1 + 1", "3"));
        session.client.refused("setExpression", set("i", "\"text\""));
        session.client.end();
    }
}

/// A condition that is changed while debugging goes on with the count that the breakpoint has.
#[test]
fn hits_go_on_counting_when_a_breakpoint_is_edited() {
    let fixture = debug("goroutines");
    let path = fixture.path();
    let line = fixture.line("step");
    let mut session = Session::begin(&launch(&fixture, "auto"), "launch");
    let set = |session: &mut Session, hits: &str| {
        let breakpoints = json!([{"line": line, "hitCondition": hits}]);
        let body = session
            .client
            .ok("setBreakpoints", json!({"source": {"path": path}, "breakpoints": breakpoints}));
        body["breakpoints"][0].clone()
    };
    let first = set(&mut session, "3");
    session.configured();
    session.stopped();
    let second = set(&mut session, "> 10");
    assert_eq!(first["id"], second["id"]);
    assert_eq!(set(&mut session, "= 2")["verified"], json!(false));
    set(&mut session, "> 10");
    let breaks = session.eval_in("breaks", "repl").expect("breaks").value;
    assert!(breaks.contains("3 hits"), "{breaks}");
    // Twelve hits in all: the eleventh and the twelfth stop.
    for _ in 0..2 {
        session.client.ok("continue", json!({"threadId": 1}));
        session.stopped();
    }
    session.client.ok("continue", json!({"threadId": 1}));
    session.exited();
    session.client.end();
}

/// The same binary with other arguments; breakpoints stay, counts begin again, running programs and ended ones alike.
#[test]
fn restart() {
    let fixture = debug("output");
    let path = fixture.path();
    for backend in backends() {
        let launch = launch(&fixture, backend).with("args", json!(["one"]));
        let mut session = Session::launch(&launch, &[(&path, &[fixture.line("exit")])]);
        session.stopped();
        let first = session.client.event("process")["body"]["systemProcessId"].clone();
        for (arguments, argument) in [
            (json!({"arguments": {"args": ["two"]}}), "two"),
            (json!({"arguments": {}}), "two"),
            (json!({"args": ["three"]}), "three"),
        ] {
            session.client.ok("restart", arguments);
            session.client.event("initialized");
            let pid = session.client.event("process")["body"]["systemProcessId"].clone();
            assert_ne!(pid, first);
            session.configured();
            assert_eq!(session.stopped().reason, "breakpoint");
            session.client.wait_for_output("stdout", &format!("{argument:?}"));
        }
        session.client.ok("continue", json!({"threadId": 1}));
        session.exited();
        session.client.end();
    }
}

/// A mistake in the source costs no session: the old program stays where it is until the build succeeds.
#[test]
fn restart_builds_first() {
    let folder = tempfile::tempdir().expect("a folder");
    let source: PathBuf = folder.path().join("main.go");
    let write = |number: &str| {
        let text = format!("package main\n\nfunc main() {{\n\tn := {number}\n\tprintln(n)\n}}\n");
        std::fs::write(&source, text).expect("a source");
    };
    write("1");
    std::fs::write(folder.path().join("go.mod"), "module again\n\ngo 1.21\n").expect("a module");
    let mut launch = Launch::program(&source.display().to_string()).with("mode", json!("debug"));
    launch.options.environment = crate::attributes::with_go();
    let path = source.display().to_string();
    let mut session = Session::launch(&launch, &[(&path, &[5])]);
    let stop = session.stopped();
    session.frames(stop.thread);
    assert_eq!(session.text("n"), "1");
    write("nonsense");
    let failure = session.client.refused("restart", json!({"arguments": {}}));
    assert!(failure.message.contains("nonsense"), "{failure:?}");
    assert_eq!(session.text("n"), "1");
    write("2");
    session.client.ok("restart", json!({"arguments": {}}));
    session.client.event("initialized");
    session.configured();
    let stop = session.stopped();
    session.frames(stop.thread);
    assert_eq!(session.text("n"), "2");
    assert_eq!(session.run_out(stop.thread), 0);
    session.client.end();
}
