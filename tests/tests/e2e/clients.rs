//! The habits of real editors, replayed: what VS Code, Neovim and Helix send, in their order, without waiting where they
//! don't wait. The rules of `e2e::rules` judge the answers.

use e2e::{Client, Session};
use serde_json::{Value, json};

use crate::support::{debug, launch};

/// Helix: no exception breakpoints ever, launch arguments without type and name and with numbers for texts, the stacks of all
/// threads at each stop, evaluation without a context, disconnect after terminated.
#[test]
fn helix() {
    let fixture = debug("output");
    let path = fixture.path();
    let mut launch =
        launch(&fixture, "auto").with("args", json!([42, "x"])).with("env", json!({"ITAB_CODE": "1"}));
    launch.client = json!({"clientID": "hx", "clientName": "helix", "adapterID": "go", "locale": "en-us",
        "linesStartAt1": true, "columnsStartAt1": true, "pathFormat": "path", "supportsVariableType": true,
        "supportsVariablePaging": false, "supportsRunInTerminalRequest": true, "supportsMemoryReferences": false,
        "supportsProgressReporting": true, "supportsInvalidatedEvent": false});
    let mut session = Session::begin(&launch, "launch");
    session.set_breakpoints(&path, &[fixture.line("exit")]);
    session.configured();
    let stop = session.stopped();
    let threads = session.client.ok("threads", Value::Null);
    for thread in threads["threads"].as_array().into_iter().flatten() {
        session.client.ok("stackTrace", json!({"threadId": thread["id"]}));
    }
    session.frames(stop.thread);
    let reference = session.scope("Locals").expect("Locals")["variablesReference"].clone();
    session.client.ok("variables", json!({"variablesReference": reference}));
    assert_eq!(session.eval_in("code", "").expect("code").value, "1");
    assert!(session.client.output("stdout").contains("arg 0: \"42\""), "{}", session.client.output("stdout"));
    session.client.ok("continue", json!({"threadId": stop.thread}));
    assert_eq!(session.exited(), 1);
    session.client.ok("disconnect", json!({"restart": false}));
    session.client.finish();
}

/// Neovim with nvim-dap: breakpoints of all files at once, granularity even on continue, scopes of a stop that is over, end by
/// `terminate` and then a closed stdin.
#[test]
fn neovim() {
    let fixture = debug("stepping");
    let path = fixture.path();
    let mut client = Client::start();
    client.ok(
        "initialize",
        json!({"clientID": "neovim", "clientName": "neovim", "adapterID": "nvim-dap",
        "pathFormat": "path", "columnsStartAt1": true, "linesStartAt1": true, "locale": "en_US.UTF-8",
        "supportsRunInTerminalRequest": true, "supportsVariableType": true, "supportsProgressReporting": true,
        "supportsStartDebuggingRequest": true}),
    );
    let mut arguments = launch(&fixture, "auto").arguments;
    arguments["name"] = json!("Debug");
    arguments["type"] = json!("itab");
    arguments["request"] = json!("launch");
    let launched = client.send("launch", arguments);
    client.event("initialized");
    let main = json!({"path": path, "name": "main.go"});
    let first = client.send(
        "setBreakpoints",
        json!({"source": main, "sourceModified": false, "lines": [fixture.line("main2")],
            "breakpoints": [{"line": fixture.line("main2")}]}),
    );
    let second = client.send(
        "setBreakpoints",
        json!({"source": {"path": "/tmp/other.lua", "name": "other.lua"}, "sourceModified": false,
            "lines": [3], "breakpoints": [{"line": 3}]}),
    );
    let third = client
        .send("setExceptionBreakpoints", json!({"filters": ["unrecovered-panic", "runtime-fatal-throw"]}));
    for seq in [first, second, third] {
        client.answer(seq).expect("a configuration");
    }
    client.ok("configurationDone", Value::Null);
    client.answer(launched).expect("a launch");
    let thread = client.event("stopped")["body"]["threadId"].clone();
    client.ok("threads", Value::Null);
    let frame =
        client.ok("stackTrace", json!({"startFrame": 0, "threadId": thread}))["stackFrames"][0]["id"].clone();
    let scopes = client.ok("scopes", json!({"frameId": frame}));
    let reference = scopes["scopes"][0]["variablesReference"].clone();
    // Its views ask again while the step is under way.
    let step = client.send("next", json!({"threadId": thread, "granularity": "statement"}));
    let late = client.send("variables", json!({"variablesReference": reference}));
    client.answer(step).expect("a step");
    let _ = client.answer(late);
    client.event("stopped");
    client.refused("scopes", json!({"frameId": frame}));
    client.ok("continue", json!({"threadId": thread, "granularity": "statement"}));
    client.event("exited");
    client.event("terminated");
    client.rude = true;
    client.hang_up();
    client.finish();
}

/// VS Code: everything of the configuration at once, one frame and then the rest, watches and hovers together, a copy of a value.
#[test]
fn vscode() {
    let fixture = debug("interfaces");
    let path = fixture.path();
    let mut client = Client::start();
    let initialize = client.ok("initialize", json!({"clientID": "vscode", "clientName": "Visual Studio Code",
        "adapterID": "itab", "pathFormat": "path", "linesStartAt1": true, "columnsStartAt1": true,
        "supportsVariableType": true, "supportsVariablePaging": true, "supportsRunInTerminalRequest": true,
        "locale": "en", "supportsProgressReporting": true, "supportsInvalidatedEvent": true,
        "supportsMemoryReferences": true, "supportsArgsCanBeInterpretedByShell": true, "supportsMemoryEvent": true,
        "supportsStartDebuggingRequest": true, "supportsANSIStyling": true}));
    let mut arguments = launch(&fixture, "auto").arguments;
    arguments["__configurationTarget"] = json!(6);
    arguments["__sessionId"] = json!("0a1b");
    let launched = client.send("launch", arguments);
    client.event("initialized");
    let mut waiting = vec![client.send(
        "setBreakpoints",
        json!({"source": {"name": "main.go", "path": path}, "lines": [fixture.line("stop typednils")],
            "breakpoints": [{"line": fixture.line("stop typednils")}], "sourceModified": false}),
    )];
    waiting.push(client.send("setFunctionBreakpoints", json!({"breakpoints": []})));
    if initialize["supportsInstructionBreakpoints"] == json!(true) {
        waiting.push(client.send("setInstructionBreakpoints", json!({"breakpoints": []})));
    }
    waiting.push(
        client
            .send("setExceptionBreakpoints", json!({"filters": ["unrecovered-panic"], "filterOptions": []})),
    );
    waiting.push(client.send("configurationDone", Value::Null));
    waiting.push(launched);
    for seq in waiting {
        client.answer(seq).expect("a configuration");
    }
    let thread = client.event("stopped")["body"]["threadId"].clone();
    client.ok("threads", Value::Null);
    let one = client.ok("stackTrace", json!({"threadId": thread, "startFrame": 0, "levels": 1}));
    client.ok("stackTrace", json!({"threadId": thread, "startFrame": 1, "levels": 19}));
    let frame = one["stackFrames"][0]["id"].clone();
    let scopes = client.ok("scopes", json!({"frameId": frame}));
    let cheap =
        scopes["scopes"].as_array().into_iter().flatten().filter(|scope| scope["expensive"] != json!(true));
    let references: Vec<Value> = cheap.map(|scope| scope["variablesReference"].clone()).collect();
    let mut waiting: Vec<i64> = references
        .iter()
        .map(|reference| client.send("variables", json!({"variablesReference": reference})))
        .collect();
    for (expression, context) in
        [("err", "watch"), ("err.Error", "hover"), ("holder.Err", "clipboard"), ("errs", "repl")]
    {
        waiting.push(client.send(
            "evaluate",
            json!({"expression": expression, "frameId": frame, "context": context,
                "source": {"path": path}, "line": fixture.line("stop typednils"), "column": 2}),
        ));
    }
    for seq in waiting {
        client.answer(seq).expect("a view");
    }
    client.ok("continue", json!({"threadId": thread}));
    client.event("exited");
    client.event("terminated");
    client.ok("disconnect", json!({"restart": false}));
    client.finish();
}
