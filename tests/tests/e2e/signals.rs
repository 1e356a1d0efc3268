//! Signals, children and traps: what the program does to itself must not notice the debugger.

use e2e::Session;
use serde_json::json;

use crate::support::{backends, debug, launch};

/// Every call is counted exactly once by the breakpoint, every fault and signal reaches the program.
#[test]
fn a_storm_of_signals() {
    let fixture = debug("storm");
    let path = fixture.path();
    for backend in backends() {
        let mut session = Session::begin(&launch(&fixture, backend), "launch");
        session.set_breakpoints_as(
            &path,
            json!([{"line": fixture.line("hit"), "logMessage": "hit {n}"}, {"line": fixture.line("end")}]),
        );
        session.configured();
        let stop = session.stopped();
        assert_eq!(session.place(stop.thread).1, fixture.line("end"));
        assert_eq!(session.run_out(stop.thread), 0);
        let stdout = session.client.output("stdout");
        assert!(stdout.contains("calls 200 faults 200 hangups true"), "{backend}: {stdout:?}");
        let logged: usize = ["stdout", "console"]
            .iter()
            .map(|category| session.client.output(category).matches("hit ").count())
            .sum();
        assert_eq!(logged, 200, "{backend}");
        session.client.end();
    }
}

/// Commands and copies of itself, with a breakpoint in code that the copies run too.
#[test]
fn children_run_unharmed() {
    let fixture = debug("children");
    let path = fixture.path();
    for backend in backends() {
        let lines = [fixture.line("visited"), fixture.line("end")];
        let mut session = Session::launch(&launch(&fixture, backend), &[(&path, &lines)]);
        let stop = session.stopped();
        assert_eq!(session.place(stop.thread).1, lines[0]);
        let stop = session.go_on(stop.thread);
        assert_eq!(session.place(stop.thread).1, lines[1], "{backend}");
        assert_eq!(session.run_out(stop.thread), 0);
        assert!(session.client.output("stdout").contains("all children well"), "{backend}");
        session.client.end();
    }
}

/// `runtime.Breakpoint()` in the program stops there, and it goes on behind it.
#[test]
fn traps_in_the_program() {
    let fixture = debug("panics");
    for backend in backends() {
        let launch = launch(&fixture, backend).with("args", json!(["trap"]));
        let mut session = Session::launch(&launch, &[]);
        let stop = session.stopped();
        assert_eq!(stop.reason, "breakpoint", "{backend}: {}", stop.body);
        let frames = session.frames(stop.thread);
        assert!(
            frames.iter().take(3).any(|frame| frame["name"] == json!("main.main")),
            "{backend}: {frames:?}"
        );
        assert_eq!(session.run_out(stop.thread), 0, "{backend}");
        session.client.end();
    }
}
