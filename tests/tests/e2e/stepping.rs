//! Steps: where each lands, whatever other goroutines, panics and stacks do meanwhile.

use e2e::fixture::{self, Mode};
use e2e::{Fixture, Session, go};
use serde_json::json;

use crate::support::{backends, debug, launch, lines};

/// Does steps one after another; each must land on the line of its mark (several where Go versions differ). `enter` is
/// a stepIn and, from the `func` line where a prologue may end, a step to the first statement.
#[track_caller]
fn walk(session: &mut Session, fixture: &Fixture, thread: i64, steps: &[(&str, &[&str])]) {
    for (index, (how, marks)) in steps.iter().enumerate() {
        let stop = session.step(if *how == "enter" { "stepIn" } else { how }, thread);
        assert_eq!(stop.reason, "step", "step {index} ({how}): {}", stop.body);
        assert_eq!(stop.thread, thread, "step {index} ({how}) ended in another goroutine");
        let (mut function, mut line) = session.place(thread);
        let mut allowed = lines(fixture, marks);
        if *how == "enter" {
            assert!(allowed.contains(&line), "step {index} entered {function} at line {line}, not {marks:?}");
            if line == allowed[0] {
                session.step("next", thread);
                (function, line) = session.place(thread);
            }
            allowed.remove(0);
        }
        assert!(
            allowed.contains(&line),
            "step {index} ({how}) landed in {function} at line {line}, not at {marks:?} {allowed:?}"
        );
    }
}

#[test]
fn lines_calls_and_returns() {
    let fixture = debug("stepping");
    let path = fixture.path();
    for backend in backends() {
        let mut session = Session::launch(&launch(&fixture, backend), &[(&path, &[fixture.line("main1")])]);
        let thread = session.stopped().thread;
        assert_eq!(session.place(thread), ("main.main".to_owned(), fixture.line("main1")));
        walk(
            &mut session,
            &fixture,
            thread,
            &[
                ("next", &["main2"]),
                ("enter", &["add", "add1"]),
                ("next", &["add2"]),
                ("stepOut", &["main2"]),
                ("next", &["main3"]),
                // Two calls of one function on a line: out of the first, into the second.
                ("stepIn", &["add", "add1"]),
                ("stepOut", &["main3"]),
                ("stepIn", &["add", "add1"]),
                ("stepOut", &["main3"]),
                ("next", &["loop"]),
                ("next", &["loop1"]),
                ("next", &["loop"]),
                ("next", &["loop1"]),
                ("next", &["loop"]),
                ("next", &["main4"]),
            ],
        );
        assert_eq!(session.text("total"), "9");
        // Recursion: a step over the inner call stays in this activation.
        walk(
            &mut session,
            &fixture,
            thread,
            &[("enter", &["fact", "fact1"]), ("next", &["fact3"]), ("next", &["fact4"])],
        );
        assert_eq!((session.text("n"), session.text("rest")), ("4".to_owned(), "6".to_owned()));
        walk(&mut session, &fixture, thread, &[("stepOut", &["main4"]), ("next", &["main5"])]);
        session.client.end();
    }
}

#[test]
fn defers_panics_and_growing_stacks() {
    let fixture = debug("stepping");
    let path = fixture.path();
    for backend in backends() {
        let mut session = Session::launch(&launch(&fixture, backend), &[(&path, &[fixture.line("main5")])]);
        let thread = session.stopped().thread;
        session.place(thread);
        walk(
            &mut session,
            &fixture,
            thread,
            &[
                ("enter", &["defer", "defer1"]),
                ("next", &["defer2"]),
                ("next", &["defer3"]),
                ("stepOut", &["main5"]),
                ("next", &["main6"]),
                ("enter", &["panic", "panic1"]),
                ("next", &["panic2"]),
            ],
        );
        // The call panics: the step goes on in the deferred function that recovers.
        walk(&mut session, &fixture, thread, &[("next", &["panicdefer", "panic1"])]);
        session.set_breakpoints(&path, &[fixture.line("main8")]);
        let stop = session.go_on(thread);
        session.place(stop.thread);
        // The stack is copied several times in this call, and four goroutines run beside it.
        walk(
            &mut session,
            &fixture,
            thread,
            &[("next", &["main9"]), ("next", &["main10"]), ("next", &["main11"]), ("next", &["main12"])],
        );
        assert_eq!(session.run_out(thread), 0);
        session.client.end();
    }
}

/// What a function returned is visible after stepping out of it.
#[test]
fn results_after_step_out() {
    let fixture = debug("stepping");
    let path = fixture.path();
    let mut session = Session::launch(&launch(&fixture, "auto"), &[(&path, &[fixture.line("add1")])]);
    let stop = session.stopped();
    session.place(stop.thread);
    let stop = session.step("stepOut", stop.thread);
    session.frames(stop.thread);
    let frame = session.frame;
    let scopes = session.client.ok("scopes", json!({"frameId": frame}));
    let references = scopes["scopes"].as_array().into_iter().flatten();
    let references: Vec<i64> = references.filter_map(|scope| scope["variablesReference"].as_i64()).collect();
    let values: Vec<String> =
        references.into_iter().flat_map(|scope| session.children(scope)).map(|child| child.value).collect();
    assert!(values.iter().any(|value| value == "3"), "the result 3 is not among {values:?}");
}

/// A step into the end of a function enters what it deferred; a step over a call that panics with nobody to recover ends at
/// the panic, not in the runtime's own deferred function.
#[test]
fn into_deferred_calls_and_out_of_a_panic() {
    let fixture = debug("stepping");
    let path = fixture.path();
    let mut session = Session::launch(&launch(&fixture, "auto"), &[(&path, &[fixture.line("defer3")])]);
    let thread = session.stopped().thread;
    session.place(thread);
    walk(
        &mut session,
        &fixture,
        thread,
        &[
            ("enter", &["add", "add1"]),
            ("stepOut", &["defer3"]),
            ("next", &["defer4"]),
            ("enter", &["defer1", "deferred"]),
            ("stepOut", &["defer3", "defer4"]),
        ],
    );
    session.client.end();

    let panics = debug("panics");
    let path = panics.path();
    let mut session = Session::launch(
        &launch(&panics, "auto").with("args", json!(["assert"])),
        &[(&path, &[panics.line("assert")])],
    );
    let thread = session.stopped().thread;
    let stop = session.step("next", thread);
    assert_eq!(stop.reason, "exception", "{}", stop.body);
    assert_eq!(session.place(thread).0, "runtime.fatalpanic");
    session.client.end();
}

const LOOPS: &str = r#"//go:build go1.23

package main

func seq(yield func(int) bool) {
	for i := 0; i < 2; i++ {
		if !yield(i) {
			return
		}
	}
}

//go:noinline
func loop() (sum int) {
	for v := range seq { // @range
		sum += v // @body1
		sum++    // @body2
	} // @close
	return sum // @after
}

func started(done chan int) { // @started
	done <- 1 // @send
}

func main() {
	done := make(chan int) // @first
	n := loop()            // @loop
	go started(done)       // @go
	n += <-done            // @wait
	println(n)             // @last
}
"#;

/// The body of a range-over-func loop is part of the function that wrote it, for steps over lines and out. A step into a `go` statement
/// goes on in the goroutine that it starts, and out of a goroutine's first function the program runs on.
#[test]
fn loop_bodies_and_goroutines() {
    let newest = go::newest();
    if newest.minor() < 23 {
        return e2e::skip("range over functions", "needs Go 1.23");
    }
    let fixture = fixture::build_text("loops", LOOPS, &newest, Mode::Debug);
    let path = fixture.path();
    let mut session = Session::launch(&launch(&fixture, "auto"), &[(&path, &[fixture.line("range")])]);
    let main = session.stopped().thread;
    session.set_breakpoints(&path, &[]);
    walk(
        &mut session,
        &fixture,
        main,
        &[
            ("next", &["body1"]),
            ("next", &["body2"]),
            ("next", &["close"]),
            ("next", &["range"]),
            ("next", &["body1"]),
            ("stepOut", &["loop"]),
            ("next", &["go"]),
        ],
    );
    let stop = session.step("stepIn", main);
    assert_ne!(stop.thread, main, "{}", stop.body);
    assert_eq!(session.place(stop.thread).0, "main.started");
    session.client.ok("stepOut", json!({"threadId": stop.thread}));
    assert_eq!(session.exited(), 0);
    session.client.end();

    let mut session = Session::launch(&launch(&fixture, "auto"), &[(&path, &[fixture.line("first")])]);
    let main = session.stopped().thread;
    session.client.ok("stepOut", json!({"threadId": main}));
    assert_eq!(session.exited(), 0);
    session.client.end();
}
