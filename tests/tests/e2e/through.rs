//! Steps through code between a call and what it runs: callbacks of skipped packages, C, coroutines, wrappers that fault.

use e2e::fixture::{self, Mode};
use e2e::{Session, go, skip};
use serde_json::json;

use crate::support::{backends, built, has_c_compiler, launch};

const MODES: [Mode; 2] = [Mode::Debug, Mode::Optimised];

/// The step target of the current line whose label contains a text.
#[track_caller]
fn target(session: &mut Session, thread: i64, label: &str) -> i64 {
    session.frames(thread);
    let body = session.client.ok("stepInTargets", json!({"frameId": session.frame}));
    let all = body["targets"].as_array().cloned().unwrap_or_default();
    let found = all.iter().find(|t| t["label"].as_str().is_some_and(|l| l.contains(label)));
    found.and_then(|t| t["id"].as_i64()).unwrap_or_else(|| panic!("no {label} among {all:?}"))
}

#[track_caller]
fn step_into(session: &mut Session, thread: i64, label: &str) -> e2e::Stop {
    let id = target(session, thread, label);
    session.client.ok("stepIn", json!({"threadId": thread, "targetId": id}));
    session.stopped()
}

/// A plain step into `sort.Sort` with the standard library skipped goes to what that calls back, and out of it behind the call.
#[test]
fn callbacks_of_skipped_packages() {
    for mode in MODES {
        let fixture = built("kinds", mode);
        let path = fixture.path();
        let launch = launch(&fixture, "auto").with("skipPackages", json!(["std"]));
        let mut session = Session::launch(&launch, &[(&path, &[fixture.line("sort")])]);
        let thread = session.stopped().thread;
        session.set_breakpoints(&path, &[]);
        let stop = session.step("stepIn", thread);
        assert_eq!(session.place(stop.thread).0, "main.byArea.Len", "{mode:?}: {}", stop.body);
        session.client.end();
    }
}

/// The call of a value method through a nil pointer panics in the generated wrapper: a normal stop that says so.
#[test]
fn a_wrapper_that_faults() {
    for mode in MODES {
        let fixture = built("kinds", mode);
        let path = fixture.path();
        let mut session = Session::launch(&launch(&fixture, "auto"), &[(&path, &[fixture.line("faults")])]);
        let thread = session.stopped().thread;
        let stop = step_into(&mut session, thread, "s.Area");
        assert_eq!(stop.reason, "step", "{}", stop.body);
        assert_eq!(session.place(stop.thread).0, "main.faults.func1", "{mode:?}");
        let text = stop.body["text"].as_str().unwrap_or_default();
        assert!(text.contains("nil pointer"), "{mode:?}: {}", stop.body);
        session.client.end();
    }
}

/// `next` of `iter.Pull` leads into the iterator: to its beginning at first, then to where it has yielded.
#[test]
fn coroutines() {
    if go::newest().minor() < 23 {
        return skip("iter.Pull", "needs Go 1.23");
    }
    for mode in MODES {
        let fixture = built("kinds", mode);
        let path = fixture.source.with_file_name("pull.go").canonicalize().expect("pull.go");
        let text = std::fs::read_to_string(&path).expect("pull.go");
        let path = path.display().to_string();
        let line = |mark: &str| {
            let at = text.lines().position(|l| l.ends_with(&format!("// @{mark}")));
            at.expect("a mark") as i64 + 1
        };
        let (first, second) = (line("next1"), line("next2"));
        let mut session = Session::launch(&launch(&fixture, "auto"), &[(&path, &[first, second])]);
        let main = session.stopped().thread;
        let stop = step_into(&mut session, main, "=> main.count");
        assert_ne!(stop.thread, main, "{mode:?}");
        assert_eq!(session.place(stop.thread).0, "main.count", "{mode:?}");
        let stop = session.go_on(stop.thread);
        assert_eq!(session.place(stop.thread).1, second, "{mode:?}");
        let stop = step_into(&mut session, stop.thread, "=> main.count");
        assert_eq!(session.place(stop.thread), ("main.count".to_owned(), line("yield")), "{mode:?}");
        assert_eq!(session.text("i"), "0", "{mode:?}");
        session.client.end();
    }
}

/// An interface call in a function that C has called: into the body, back, and out through C.
#[test]
fn callbacks_of_c() {
    if !has_c_compiler() {
        return;
    }
    let fixture = fixture::build("cgo", &go::newest(), Mode::Debug);
    let path = fixture.path();
    for backend in backends() {
        let mut session =
            Session::launch(&launch(&fixture, backend), &[(&path, &[fixture.line("callback")])]);
        let thread = session.stopped().thread;
        session.set_breakpoints(&path, &[]);
        step_into(&mut session, thread, "sizer.Size");
        assert_eq!(session.place(thread).0, "main.(*Thing).Size", "{backend}");
        session.step("stepOut", thread);
        assert_eq!(session.place(thread), ("main.goCallback".to_owned(), fixture.line("callback")));
        session.step("stepOut", thread);
        assert_eq!(session.place(thread), ("main.main".to_owned(), fixture.line("call")), "{backend}");
        session.client.end();
    }
}
