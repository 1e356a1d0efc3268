//! Launching: what the program is given, what is built, and what can't be launched.

use std::path::Path;

use e2e::Session;
use e2e::fixture::folder;
use e2e::session::Launch;
use serde_json::{Value, json};

use crate::support::{backends, debug, launch};

#[test]
fn the_program_gets_exactly_what_was_said() {
    let fixture = debug("output");
    let odd = ["", "two words", "quote\"s '\\ $HOME * \n line", "世界", "-x"];
    let temporary = tempfile::tempdir().expect("a folder");
    let folder = temporary.path().canonicalize().expect("a path");
    for backend in backends() {
        let launch = launch(&fixture, backend)
            .with("args", json!(odd))
            .with("cwd", json!(folder.display().to_string()))
            .with("env", json!({"ITAB_TEST": "a b\"c", "ITAB_CODE": "42"}));
        let mut session = Session::launch(&launch, &[]);
        assert_eq!(session.exited(), 42);
        session.client.ok("threads", json!({}));
        let stdout = session.client.output("stdout");
        for (index, argument) in odd.iter().enumerate() {
            let expected = format!("arg {index}: {}", go_quoted(argument));
            assert!(stdout.contains(&expected), "{backend}: {expected} is not in\n{stdout}");
        }
        assert!(stdout.contains(&format!("dir: {}\n", folder.display())), "{stdout}");
        assert!(stdout.contains("env: a b\"c\n"), "{stdout}");
        assert!(stdout.contains("input: 0\n"), "stdin is not empty: {stdout}");
        assert!(stdout.ends_with("no newline at the end"), "{stdout:?}");
        assert_eq!(session.client.output("stderr"), "to stderr\n");
        session.client.end();
    }
}

/// As Go's %q writes these texts.
fn go_quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// Ten megabytes of output: nothing is lost, and the session stays usable.
#[test]
fn much_output() {
    let fixture = debug("output");
    let lines = 50_000;
    let launch = launch(&fixture, "auto").with("env", json!({"ITAB_LINES": lines.to_string()}));
    let mut session = Session::launch(&launch, &[]);
    assert_eq!(session.exited(), 0);
    let stdout = session.client.output("stdout");
    let numbered: Vec<&str> = stdout.lines().filter(|line| line.ends_with("xxx")).collect();
    assert_eq!(numbered.len(), lines);
    for (index, line) in numbered.iter().enumerate() {
        assert!(line.starts_with(&format!("{index} ")) && line.len() > 100, "line {index} is {line}");
    }
    session.client.end();
}

/// `debug` mode builds with cgo off or on as the machine has it; the program is stopped on entry.
#[test]
fn debug_mode_builds() {
    let go = e2e::go::newest();
    let path = std::env::var("PATH").unwrap_or_default();
    let bin = go.go.parent().map(Path::display).map(|path| path.to_string()).unwrap_or_default();
    let mut launch = Launch::program(&folder("stepping").display().to_string())
        .with("mode", json!("debug"))
        .with("stopOnEntry", json!(true));
    launch.options.environment =
        vec![("PATH".into(), format!("{bin}:{path}")), ("GOTOOLCHAIN".into(), "local".into())];
    let mut session = Session::launch(&launch, &[]);
    let stop = session.stopped();
    assert_eq!(stop.reason, "entry");
    session.frames(stop.thread);
    let source = folder("stepping").join("main.go").canonicalize().expect("a path");
    let lines = [e2e::fixture::build("stepping", &go, e2e::Mode::Debug).line("main12")];
    let answers = session.set_breakpoints(&source.display().to_string(), &lines);
    assert_eq!(answers[0]["verified"], json!(true), "{answers:?}");
    let stop = session.go_on(stop.thread);
    assert_eq!(session.place(stop.thread).1, lines[0]);
    session.client.end();
}

#[test]
fn no_debug_just_runs() {
    let fixture = debug("output");
    let launch = launch(&fixture, "auto").with("noDebug", json!(true)).with("env", json!({"ITAB_CODE": "7"}));
    let mut client = e2e::Client::start();
    client.ok("initialize", launch.client.clone());
    let seq = client.send("launch", launch.arguments.clone());
    client.answer(seq).expect("a launch");
    // Whether the adapter wants configuration here is its own affair; editors configure when asked.
    if client.event_within("initialized", std::time::Duration::from_millis(500)).is_some() {
        client.ok("configurationDone", json!({}));
    }
    let event = client.event("exited");
    assert_eq!(event["body"]["exitCode"], json!(7));
    client.event("terminated");
    assert!(client.output("stdout").contains("no newline at the end"));
    client.end();
}

/// What can't be launched: a sentence for the user, and the adapter lives on until the client leaves.
#[test]
fn what_cannot_be_launched() {
    let temporary = tempfile::tempdir().expect("a folder");
    let file = |name: &str, content: &[u8]| {
        let path = temporary.path().join(name);
        std::fs::write(&path, content).expect("a file");
        path.display().to_string()
    };
    let truncated = std::fs::read(debug("output").binary).expect("a binary");
    let cases: Vec<(&str, Value, Vec<&str>)> = vec![
        ("missing", json!({"mode": "exec", "program": "/nowhere/program"}), vec!["/nowhere/program"]),
        ("a folder", json!({"mode": "exec", "program": "/tmp"}), vec!["/tmp"]),
        ("no program", json!({"mode": "exec"}), vec!["program"]),
        ("not Go", json!({"mode": "exec", "program": "/bin/true"}), vec!["Go"]),
        ("a text", json!({"mode": "exec", "program": file("text", b"hello")}), vec!["text"]),
        ("empty", json!({"mode": "exec", "program": file("empty", b"")}), vec!["empty"]),
        ("truncated", json!({"mode": "exec", "program": file("cut", &truncated[..5000])}), vec!["cut"]),
        ("no such mode", json!({"mode": "frobnicate", "program": "x"}), vec!["mode", "frobnicate"]),
        ("a number", json!({"mode": "exec", "program": "x", "stopOnEntry": "soon"}), vec!["stopOnEntry"]),
        ("no such backend", json!({"mode": "exec", "program": "x", "backend": "windbg"}), vec!["backend"]),
        ("rr", json!({"mode": "exec", "program": "x", "backend": "rr"}), vec!["rr"]),
    ];
    for (name, arguments, texts) in cases {
        let mut launch = Launch::program("");
        launch.arguments = arguments;
        let (mut client, failure) = Session::refused(&launch, "launch");
        assert!(failure.show_user, "{name}: {failure:?}");
        for text in texts {
            assert!(failure.message.contains(text), "{name}: {text:?} is not in {failure:?}");
        }
        client.refused("stackTrace", json!({"threadId": 1}));
        client.end();
    }
}

/// The compiler's messages come as output and in the answer.
#[test]
fn source_that_does_not_compile() {
    let temporary = tempfile::tempdir().expect("a folder");
    std::fs::write(temporary.path().join("go.mod"), "module broken\n\ngo 1.21\n").expect("go.mod");
    std::fs::write(temporary.path().join("main.go"), "package main\n\nfunc main() { undefinedName() }\n")
        .expect("main.go");
    let launch = Launch::program(&temporary.path().display().to_string()).with("mode", json!("debug"));
    let (mut client, failure) = Session::refused(&launch, "launch");
    assert!(failure.message.contains("undefinedName") || failure.message.contains("build"), "{failure:?}");
    let output: String =
        ["stdout", "stderr", "console", "important"].map(|category| client.output(category)).concat();
    assert!(output.contains("main.go:3:15") && output.contains("undefinedName"), "{output}");
    client.end();
}
