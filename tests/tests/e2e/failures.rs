//! Panics in the source's words, recovered panics, failed assertions, and the conditions of exception filters.

use std::collections::BTreeMap;

use e2e::fixture::{self, Fixture, Mode};
use e2e::session::Stop;
use e2e::{Session, go};
use serde_json::{Value, json};

use crate::support::{backends, built, debug, launch, toolchain};

/// A stop that must come: the mark of the author's line, and parts of the text.
type Expected<'a> = (&'a str, &'a [&'a str]);

/// Starts a program with filters (and nothing else); the answers to the filters.
#[track_caller]
fn begin(fixture: &Fixture, backend: &str, how: &str, filters: Value) -> (Session, Vec<Value>) {
    let launch = launch(fixture, backend).with("args", json!([how]));
    let mut session = Session::begin(&launch, "launch");
    let body = session.client.ok("setExceptionBreakpoints", filters);
    let answers = body["breakpoints"].as_array().cloned().unwrap_or_default();
    session.configured();
    (session, answers)
}

/// Checks a stop: description, text here and in exceptionInfo, and the line of the first frame of package main.
#[track_caller]
fn check(session: &mut Session, fixture: &Fixture, stop: &Stop, description: &str, expected: Expected<'_>) {
    let (mark, parts) = expected;
    let what = format!("{} {mark}", fixture.title());
    assert_eq!(stop.reason, "exception", "{what}: {}", stop.body);
    assert_eq!(stop.body["description"], json!(description), "{what}: {}", stop.body);
    let text = stop.body["text"].as_str().unwrap_or_default().to_owned();
    for part in parts {
        assert!(text.contains(part), "{what}: {part:?} is not in {text:?}");
    }
    if mark == "promoted" {
        assert!(!text.contains("is nil"), "{text}");
    }
    let info = session.client.ok("exceptionInfo", json!({"threadId": stop.thread}));
    assert_eq!(info["description"], json!(text), "{what}");
    assert_eq!(info["details"]["message"], json!(text), "{what}");
    assert_eq!(info["exceptionId"], json!(description), "{what}");
    let frames = session.frames(stop.thread);
    let author = frames.iter().find(|f| f["name"].as_str().is_some_and(|n| n.starts_with("main.")));
    let author = author.unwrap_or_else(|| panic!("{what}: {frames:?}"));
    // Behind a wrapper of the compiler's (`main.(*Memory).Get`) the author's frame comes next.
    let lines: Vec<i64> = frames.iter().filter_map(|f| f["line"].as_i64()).collect();
    let line = fixture.line(mark);
    assert!(author["line"] == json!(line) || lines.contains(&line), "{what}: {author} {lines:?}");
}

/// All stops of a run, in order; the program then ends with code 0.
#[track_caller]
fn stops(fixture: &Fixture, how: &str, filters: Value, description: &str, expected: &[Expected<'_>]) {
    let (mut session, answers) = begin(fixture, "auto", how, filters);
    assert!(answers.iter().all(|a| a["verified"] == json!(true)), "{answers:?}");
    let mut last = 0;
    for one in expected {
        if last != 0 {
            session.client.ok("continue", json!({"threadId": last}));
        }
        let stop = session.stopped();
        check(&mut session, fixture, &stop, description, *one);
        last = stop.thread;
    }
    let code = if last == 0 { session.exited() } else { session.run_out(last) };
    assert_eq!(code, 0, "{}", fixture.title());
    session.client.end();
}

/// What each panic of the program's "all" says; `values`: the frame's variables are there.
fn texts(values: bool) -> Vec<Expected<'static>> {
    vec![
        ("mustint", &["v.(int): interface conversion: interface {} is string, not int"]),
        ("mustcircle", &["s.(Circle): interface conversion: main.Shape is *main.Square, not main.Circle"]),
        (
            "mustnamed",
            &["v.(Named): interface conversion: main.Circle is not main.Named: missing method Name"],
        ),
        ("mustnamed", &["main.Square is not main.Named: missing method Area", "*main.Square has it"]),
        ("mustnamed", &["v.(Named): interface conversion: interface is nil, not main.Named"]),
        ("typed", &["v.(T): interface conversion: interface {} is string, not int"]),
        (
            "index",
            if values {
                &["b.list[i]: runtime error: index out of range [5] with length 2"]
            } else {
                &["b.list[i]", "runtime error: index out of range [5] with length 2"]
            },
        ),
        ("slice", &["text[low:high]: runtime error: slice bounds out of range [4:2]"]),
        ("divide", &["b is 0, in a / b: runtime error: integer divide by zero"]),
        ("nilmap", &["b.table is nil, assigning b.table[key]: assignment to entry in nil map"]),
        ("close", &["close(b.out): close of nil channel"]),
        ("close", &["close(b.out): close of closed channel"]),
        ("send", &["b.out <- 1: send on closed channel"]),
        (
            "equal",
            &["a == b: runtime error: comparing uncomparable type main.Key (main.Key.List is a []int)"],
        ),
        ("lookup", &["m[key]: ", "hash of unhashable type", "main.Key", "(main.Key.List is a []int)"]),
        (
            "walk",
            if values {
                &["n.next (*main.node) is nil, in n.next.value: runtime error: invalid memory address"]
            } else {
                &["runtime error: invalid memory address or nil pointer dereference"]
            },
        ),
        (
            "invoke",
            if values {
                &["n.call (func(int) int) is nil, calling it: runtime error: invalid memory address"]
            } else {
                &["runtime error: invalid memory address or nil pointer dereference"]
            },
        ),
        // A field of an embedded pointer: no variable of the line is nil.
        ("promoted", &["runtime error: invalid memory address or nil pointer dereference"]),
        (
            "found",
            if values {
                &["find(n) is nil, in find(n).value: runtime error: invalid memory address"]
            } else {
                &["runtime error: invalid memory address or nil pointer dereference"]
            },
        ),
        (
            "locked",
            if values {
                &["h (*main.holder) is nil, in h.mu: runtime error: invalid memory address"]
            } else {
                &["runtime error: invalid memory address or nil pointer dereference"]
            },
        ),
        ("fetch", &["b.store", "is nil, calling Get: runtime error: invalid memory address"]),
        (
            "fetch",
            &[
                "b.store",
                "nil pointer, calling Get: value method main.Memory.Get called using nil *Memory pointer",
            ],
        ),
        ("custom", &["main.Custom {Code: 5, Text: \"custom text\"}"]),
        ("plain", &["main.Plain {A: 1, B: 2}"]),
        ("wrapped", &["\"outer: inner\" (*fmt.wrapError)"]),
    ]
}

#[track_caller]
fn all_texts(minor: u32, mode: Mode) {
    let Some(toolchain) = toolchain(minor) else { return };
    let fixture = fixture::build("failures", &toolchain, mode);
    let expected = texts(mode == Mode::Debug);
    stops(&fixture, "all", json!({"filters": ["panic"]}), "panic", &expected);
}

#[test]
fn texts_of_go_1_21() {
    all_texts(21, Mode::Debug);
    all_texts(21, Mode::Optimised);
}

#[test]
fn texts_of_go_1_24() {
    all_texts(24, Mode::Debug);
    all_texts(24, Mode::Optimised);
}

#[test]
fn texts_of_the_newest() {
    let newest = go::newest().minor();
    for mode in [Mode::Debug, Mode::Optimised, Mode::Stripped] {
        all_texts(newest, mode);
    }
}

/// Where nobody recovers: the text of `Error`, panics under panics, and the same in the console at the end.
#[test]
fn unrecovered() {
    let fixture = debug("failures");
    let cases: &[(&str, &str)] = &[
        ("custom", "\"custom text\" (main.Custom {Code: 5, Text: \"custom text\"})"),
        ("plain", "main.Plain {A: 1, B: 2}"),
        ("wrapped", "\"outer: inner\" (*fmt.wrapError)"),
        ("nil", "panic called with nil argument"),
        ("index", "b.list[i]: runtime error: index out of range [5] with length 2"),
        ("again", "\"first\" [recovered, repanicked]"),
        ("second", "\"second\"; while panicking with \"first\""),
        ("goexit", "\"in goexit\"; during runtime.Goexit"),
    ];
    for (how, wanted) in cases {
        let (mut session, _) = begin(&fixture, "auto", how, json!({"filters": ["unrecovered-panic"]}));
        let stop = session.stopped();
        let text = stop.body["text"].as_str().unwrap_or_default().to_owned();
        assert!(text.contains(wanted), "{how}: {text}");
        let info = session.client.ok("exceptionInfo", json!({"threadId": stop.thread}));
        assert_eq!(info["description"], json!(text), "{how}");
        assert_eq!(info["breakMode"], json!("unhandled"), "{how}");
        session.client.ok("continue", json!({"threadId": stop.thread}));
        assert_eq!(session.exited(), 2, "{how}");
        let console = session.client.output("console");
        assert!(console.contains(&text), "{how}: {console}");
        session.client.end();
    }
}

/// Without its source a call through an interface still has interface and method; the rest is the runtime's message.
#[test]
fn without_source() {
    let fixture = built("failures", Mode::Trimpath);
    for (how, wanted) in [
        ("fetch", "the main.Store is nil, calling Get: runtime error: invalid memory address"),
        ("typednil", "the main.Store holds a nil pointer, calling Get: value method main.Memory.Get"),
        ("int", "interface conversion: interface {} is string, not int"),
        ("index", "runtime error: index out of range [5] with length 2"),
    ] {
        let (mut session, _) = begin(&fixture, "auto", how, json!({"filters": ["unrecovered-panic"]}));
        let stop = session.stopped();
        let text = stop.body["text"].as_str().unwrap_or_default();
        assert!(text.starts_with(wanted), "{how}: {text}");
        session.client.end();
    }
    let (mut session, _) = begin(&fixture, "auto", "int", json!({"filters": ["failed-assertion"]}));
    let stop = session.stopped();
    assert_eq!(session.place(stop.thread), ("main.mustBeInt".to_owned(), fixture.line("mustint")));
    let console = session.client.output("console");
    assert!(console.contains("source files can't be read"), "{console}");
    session.client.end();
}

const MAY: [Expected<'static>; 4] = [
    (
        "maysquare",
        &["s.(*Square): interface conversion: main.Shape is main.Circle, not *main.Square; ok is false"],
    ),
    ("maysquare", &["main.Shape is main.Circle, not *main.Square"]),
    ("maysquare", &["main.Shape is main.Circle, not *main.Square"]),
    ("maynamed", &["v.(Named): ", "main.Circle is not main.Named: missing method Name", "ok is false"]),
];

const MUST: [(&str, Expected<'static>); 6] = [
    ("int", ("mustint", &["v.(int): interface conversion: interface {} is string, not int"])),
    ("circle", ("mustcircle", &["main.Shape is *main.Square, not main.Circle"])),
    ("named", ("mustnamed", &["main.Circle is not main.Named: missing method Name"])),
    ("pointer", ("mustnamed", &["missing method Area (*main.Square has it"])),
    ("nilnamed", ("mustnamed", &["interface is nil, not main.Named"])),
    ("typed", ("typed", &["interface {} is string, not int"])),
];

/// Stops at the assertion, in its frame, in both forms, and not at cases of a type switch.
#[track_caller]
fn failed_assertions(minor: u32, mode: Mode) {
    let Some(toolchain) = toolchain(minor) else { return };
    let fixture = fixture::build("failures", &toolchain, mode);
    let filter = json!({"filters": ["failed-assertion"]});
    stops(&fixture, "may", filter.clone(), "failed assertion", &MAY);
    for (how, expected) in MUST {
        let (mut session, _) = begin(&fixture, "auto", how, filter.clone());
        let stop = session.stopped();
        check(&mut session, &fixture, &stop, "failed assertion", expected);
        let (name, line) = session.place(stop.thread);
        assert!(name.starts_with("main."), "{}: {how} stopped in {name}", fixture.title());
        assert_eq!(line, fixture.line(expected.0), "{}: {how}", fixture.title());
        // It panics once, and is not said again.
        assert_eq!(session.run_out(stop.thread), 2, "{}: {how}", fixture.title());
        session.client.end();
    }
}

#[test]
fn failed_assertions_of_go_1_21() {
    failed_assertions(21, Mode::Debug);
    failed_assertions(21, Mode::Optimised);
}

#[test]
fn failed_assertions_of_go_1_24() {
    failed_assertions(24, Mode::Debug);
    failed_assertions(24, Mode::Optimised);
}

#[test]
fn failed_assertions_of_the_newest() {
    let newest = go::newest().minor();
    for mode in [Mode::Debug, Mode::Optimised, Mode::Stripped] {
        failed_assertions(newest, mode);
    }
}

/// Every failure of a program that counts its own is a stop, once, and nothing else is.
#[track_caller]
fn as_often_as_the_program_says(minor: u32, mode: Mode) {
    let Some(toolchain) = toolchain(minor) else { return };
    let fixture = fixture::build("asserted", &toolchain, mode);
    let (mut session, _) = begin(&fixture, "auto", "2", json!({"filters": ["failed-assertion"]}));
    let mut seen: BTreeMap<i64, usize> = BTreeMap::new();
    loop {
        let event = session.client.event_of(&["stopped", "exited"]);
        if event["event"] == json!("exited") {
            break;
        }
        let thread = event["body"]["threadId"].as_i64().unwrap_or(0);
        *seen.entry(session.place(thread).1).or_default() += 1;
        session.client.ok("continue", json!({"threadId": thread}));
    }
    session.client.end();
    // `count SITE TYPE OK N`
    let mut expected: BTreeMap<i64, usize> = BTreeMap::new();
    for line in session.client.output("stdout").lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let ["count", site, .., "false", n] = words.as_slice() {
            *expected.entry(fixture.line(&format!("site {site}"))).or_default() +=
                n.parse::<usize>().unwrap();
        }
    }
    assert_eq!(expected.len(), 6, "{expected:?}");
    assert_eq!(seen, expected, "{}", fixture.title());
}

#[test]
fn failed_assertions_are_stops_as_often_as_they_fail() {
    for minor in [21, 24, go::newest().minor()] {
        for mode in [Mode::Debug, Mode::Optimised] {
            as_often_as_the_program_says(minor, mode);
        }
    }
    as_often_as_the_program_says(go::newest().minor(), Mode::Stripped);
}

/// Stops in the deferred function that called recover, and says where the panic was raised.
#[track_caller]
fn recovered(fixture: &Fixture, backend: &str) {
    let (mut session, _) = begin(fixture, backend, "recover", json!({"filters": ["recovered-panic"]}));
    let raised = format!("raised in main.guarded at {}:{}", fixture.path(), fixture.line("raised"));
    let walked = format!("raised in main.walk at {}:{}", fixture.path(), fixture.line("walk"));
    let mut last = 0;
    for (code, function, mark, from) in [
        ("recovered main.Custom {Code: 1,", "main.guarded.func1", "recover", &raised),
        ("recovered main.Custom {Code: 2,", "main.guarded.func1", "recover", &raised),
        ("nil pointer dereference", "main.rescue", "rescue", &walked),
    ] {
        if last != 0 {
            session.client.ok("continue", json!({"threadId": last}));
        }
        let stop = session.stopped();
        check(&mut session, fixture, &stop, "recovered panic", (mark, &[code, from]));
        assert_eq!(session.place(stop.thread), (function.to_owned(), fixture.line(mark)));
        last = stop.thread;
    }
    assert_eq!(session.run_out(last), 0, "{}", fixture.title());
    session.client.end();
}

#[test]
fn recovered_panics() {
    for minor in [21, 24] {
        let Some(toolchain) = toolchain(minor) else { continue };
        for mode in [Mode::Debug, Mode::Optimised] {
            recovered(&fixture::build("failures", &toolchain, mode), "auto");
        }
    }
    for mode in [Mode::Debug, Mode::Optimised, Mode::Stripped] {
        recovered(&built("failures", mode), "auto");
    }
    for backend in backends() {
        recovered(&debug("failures"), backend);
    }
}

/// Conditions: on the value, on the frame that panicked, by package; several of one filter; wrong ones.
#[test]
fn conditions() {
    let fixture = debug("failures");
    let with = |filter: &str, condition: &str| json!({"filters": [], "filterOptions": [{"filterId": filter, "condition": condition}]});
    let once: &[Expected<'_>] = &[("raised", &["Code: 2"])];
    for condition in [
        "n == 2",
        "typeof(panicValue) == Custom && n > 1",
        "panicValue.(Custom).Code == 2",
        "package=main && n == 2",
    ] {
        stops(&fixture, "recover", with("panic", condition), "panic", once);
    }
    let recovered: &[Expected<'_>] = &[("recover", &["Code: 2"])];
    stops(&fixture, "recover", with("recovered-panic", "n == 2"), "recovered panic", recovered);
    let assertion: &[Expected<'_>] = &[("maysquare", &["main.Circle"])];
    stops(
        &fixture,
        "may",
        with("failed-assertion", "n == 1 && typeof(s) == Circle"),
        "failed assertion",
        assertion,
    );
    stops(&fixture, "may", with("failed-assertion", "package=std"), "failed assertion", &[]);
    let both = json!({"filters": [], "filterOptions": [
        {"filterId": "panic", "condition": "n == 1"}, {"filterId": "panic", "condition": "n == 2"}]});
    let twice: &[Expected<'_>] = &[("raised", &["Code: 1"]), ("raised", &["Code: 2"])];
    stops(&fixture, "recover", both, "panic", twice);
}

#[test]
fn wrong_conditions_are_refused_when_set() {
    let fixture = debug("failures");
    let asked = json!({"filters": ["unrecovered-panic", "nosuch"], "filterOptions": [
        {"filterId": "panic", "condition": "n =="},
        {"filterId": "panic", "condition": "1 + 2"},
        {"filterId": "runtime-fatal-throw", "condition": "panicValue == nil"},
        {"filterId": "failed-assertion"},
        {"filterId": "failed-assertion", "condition": "nowhere == 3"},
    ]});
    let (mut session, answers) = begin(&fixture, "auto", "recover", asked);
    let verified: Vec<bool> = answers.iter().map(|a| a["verified"] == json!(true)).collect();
    assert_eq!(verified, [true, false, false, false, false, true, true], "{answers:?}");
    let message = |i: usize| answers[i]["message"].as_str().unwrap_or_default().to_owned();
    assert!(message(1).contains("nosuch") && message(1).contains("recovered-panic"), "{}", message(1));
    assert!(message(2).contains("column 5"), "{}", message(2));
    assert!(message(3).contains("non-boolean condition"), "{}", message(3));
    assert!(message(4).contains("undefined: panicValue"), "{}", message(4));
    assert_eq!(session.exited(), 0);
    session.client.end();
}

/// A name that means nothing in the frame is no condition for it, which is said once.
#[test]
fn a_condition_that_means_nothing_in_a_frame() {
    let fixture = debug("failures");
    let asked = json!({"filters": [], "filterOptions": [{"filterId": "panic", "condition": "nowhere == 3"}]});
    let (mut session, _) = begin(&fixture, "auto", "recover", asked);
    assert_eq!(session.exited(), 0);
    let console = session.client.output("console");
    assert_eq!(console.matches("main.guarded: undefined: nowhere").count(), 1, "{console}");
    session.client.end();
}

#[test]
fn the_console_sets_filters_with_conditions() {
    let fixture = debug("failures");
    let launch = launch(&fixture, "auto").with("args", json!(["recover"])).with("stopOnEntry", json!(true));
    let mut session = Session::launch(&launch, &[]);
    let stop = session.stopped();
    session.frames(stop.thread);
    let mut say = |text: &str| session.eval_in(text, "repl").map(|v| v.value).map_err(|e| e.message);
    assert_eq!(say("catch panic if n == 2").as_deref(), Ok("panic on if n == 2"));
    let list = say("catch").unwrap_or_default();
    assert!(list.contains("failed-assertion off") && list.contains("panic on if n == 2"), "{list}");
    assert!(say("catch panic if n ==").is_err_and(|e| e.contains("column 5")));
    assert_eq!(say("catch recovered-panic off").as_deref(), Ok("recovered-panic off"));
    let stop = session.go_on(stop.thread);
    check(&mut session, &fixture, &stop, "panic", ("raised", &["Code: 2"]));
    assert_eq!(session.run_out(stop.thread), 0);
    session.client.end();
}

/// Steps from a mark into the call of a text; everything that the console said is returned with the session.
#[track_caller]
fn step_into(fixture: &Fixture, how: &str, mark: &str, call: &str) -> Session {
    let launch = launch(fixture, "auto").with("args", json!([how]));
    let path = fixture.path();
    let mut session = Session::launch(&launch, &[(&path, &[fixture.line(mark)])]);
    let stop = session.stopped();
    session.frames(stop.thread);
    let frame = session.frame.unwrap_or_default();
    let body = session.client.ok("stepInTargets", json!({"frameId": frame}));
    let targets = body["targets"].as_array().cloned().unwrap_or_default();
    let target = targets.iter().find(|t| t["label"].as_str().is_some_and(|l| l.starts_with(call)));
    let target = target.unwrap_or_else(|| panic!("{how}: {body}"))["id"].clone();
    session.client.ok("stepIn", json!({"threadId": stop.thread, "targetId": target}));
    session
}

/// A step whose call is never reached ends as a stop, or with the program, and says what came instead.
#[test]
fn a_step_whose_call_is_never_reached() {
    let fixture = debug("failures");
    for (how, why) in
        [("gone", "runtime.Goexit came first"), ("rescued", "a panic came first: main.Plain {A: 3, B: 3}")]
    {
        let mut session = step_into(&fixture, how, how, "b.store.Get");
        let stop = session.stopped();
        assert_eq!(stop.reason, "step", "{how}: {}", stop.body);
        let names = session.frames(stop.thread);
        let wanted = if how == "gone" { "main.gone" } else { "main.rescue" };
        assert!(names.iter().any(|f| f["name"] == json!(wanted)), "{how}: {names:?}");
        let console = session.client.output("console");
        assert!(console.contains("ended before its body") && console.contains(why), "{how}: {console}");
        session.client.end();
    }
    let mut session = step_into(&fixture, "leave", "leave", "b.store.Get");
    assert_eq!(session.exited(), 4);
    let console = session.client.output("console");
    assert!(console.contains("ended before its body: the program exited with status 4"), "{console}");
    session.client.end();
}

/// A step into a call that a panic keeps from its body stops there, and says what came instead.
#[test]
fn a_step_whose_call_is_never_entered() {
    let fixture = debug("failures");
    for (how, mark, why) in [
        ("typednil", "fetch", "value method main.Memory.Get called using nil *Memory pointer"),
        ("fetch", "fetch", "is nil, calling Get"),
    ] {
        let mut session = step_into(&fixture, how, mark, "b.store.Get");
        let stop = session.stopped();
        assert_eq!(stop.reason, "exception", "{how}: {}", stop.body);
        let console = session.client.output("console");
        assert!(console.contains("ended before its body") && console.contains(why), "{how}: {console}");
        session.client.end();
    }
}
