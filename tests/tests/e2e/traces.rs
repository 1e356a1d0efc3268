//! Traces of interface calls: counts equal to the program's own, under preemption, beside user breakpoints, after the program's end.

use std::collections::BTreeMap;
use std::time::Duration;

use e2e::fixture::Mode;
use e2e::{Fixture, Session, go};
use serde_json::{Value, json};

use crate::support::{backends, built, debug, launch};

type Counts = BTreeMap<(i64, String), u64>;

/// What the program counted itself: site and concrete type.
fn printed(session: &Session) -> Counts {
    let output = session.client.output("stdout");
    let line = |line: &str| {
        let words: Vec<&str> = line.strip_prefix("count ")?.split(' ').collect();
        Some(((words[0].parse().ok()?, words[1].to_owned()), words[2].parse().ok()?))
    };
    output.lines().filter_map(line).collect()
}

/// The rows of a trace by the number that the source gives each site.
fn traced(fixture: &Fixture, rows: &[Value]) -> Counts {
    let mut counts = Counts::new();
    for row in rows {
        if row["interfaceType"] != json!("main.Shape") {
            continue;
        }
        let site = row["site"].as_str().unwrap_or_default();
        let method_value = site.starts_with('<');
        let line =
            fixture.text.lines().nth(row["line"].as_u64().unwrap_or(1) as usize - 1).unwrap_or_default();
        let column = site.rsplit(':').next().and_then(|c| c.parse::<usize>().ok()).unwrap_or(1);
        let call = if line.matches("Area(").count() > 1 { &line[column - 1..] } else { line };
        let number = call
            .split(['(', ','])
            .skip_while(|part| !part.ends_with("Area") && !part.ends_with("Name"))
            .nth(1);
        let number: i64 = match number.and_then(|n| n.trim_end_matches(')').split(')').next()?.parse().ok()) {
            // The two method values are called behind their wrapper.
            _ if method_value && row["concreteType"] == json!("main.Circle") => 10,
            _ if method_value => 11,
            Some(n) => n,
            None => 9,
        };
        // What a framed shape embeds counts itself.
        let concrete =
            row["concreteType"].as_str().unwrap_or_default().replace("main.Framed", "*main.Square");
        *counts.entry((number, concrete)).or_default() += row["count"].as_u64().unwrap_or(0);
    }
    counts
}

/// All events of a trace that have arrived: records, and how many were dropped.
fn records(session: &mut Session) -> (Vec<Value>, u64, usize) {
    let (mut all, mut dropped, mut events) = (Vec::new(), 0, 0);
    while let Some(event) = session.client.event_within("itab/traceRecords", Duration::ZERO) {
        all.extend(event["body"]["records"].as_array().cloned().unwrap_or_default());
        dropped += event["body"]["dropped"].as_u64().unwrap_or(0);
        events += 1;
    }
    (all, dropped, events)
}

fn table(session: &mut Session, id: &Value) -> Vec<Value> {
    let body = session.client.ok("itab/traceResult", json!({"traceId": id, "as": "table"}));
    body["rows"].as_array().cloned().unwrap_or_default()
}

fn total(rows: &[Value]) -> u64 {
    rows.iter().filter_map(|row| row["count"].as_u64()).sum()
}

/// Runs the program under a trace from its start to its end, and compares.
#[track_caller]
fn counts_are_exact(fixture: &Fixture, backend: &str, arguments: Value) -> Vec<Value> {
    let mut session = Session::begin(&launch(fixture, backend).with("args", json!(["25"])), "launch");
    let body = session.client.ok("itab/trace", arguments);
    let id = body["traceId"].clone();
    assert!(body["sites"].as_array().is_some_and(|sites| sites.len() >= 10), "{body}");
    assert!(body["sites"][0]["mechanism"] == json!("breakpoint"), "{body}");
    assert!(body["incomplete"].as_str().is_some_and(|why| why.contains("example.com/traced")), "{body}");
    session.configured();
    assert_eq!(session.exited(), 0);
    let rows = table(&mut session, &id);
    assert_eq!(traced(fixture, &rows), printed(&session), "{} {backend}", fixture.title());
    let (all, dropped, events) = records(&mut session);
    assert_eq!(all.len() as u64 + dropped, total(&rows), "{dropped} dropped");
    assert!(events >= 1);
    session.client.end();
    all
}

#[test]
fn counts_equal_the_programs_own() {
    for backend in backends() {
        counts_are_exact(&debug("traced"), backend, json!({"what": "dispatch"}));
        counts_are_exact(&built("traced", Mode::Optimised), backend, json!({"what": "dispatch"}));
    }
    if let Some(old) = crate::support::toolchain(21) {
        for mode in [Mode::Debug, Mode::Optimised] {
            let fixture = e2e::fixture::build("traced", &old, mode);
            counts_are_exact(&fixture, "native", json!({"what": "dispatch"}));
        }
    }
}

#[test]
fn arguments_and_results() {
    let fixture = built("traced", Mode::Optimised);
    let all =
        counts_are_exact(&fixture, "auto", json!({"what": "dispatch", "arguments": true, "results": true}));
    let name = |target: &str| {
        let found = all.iter().find(|r| r["method"] == json!("Name") && r["target"] == json!(target));
        found.unwrap_or_else(|| panic!("no call of {target}: {all:?}")).clone()
    };
    let square = name("main.(*Square).Name");
    assert_eq!(square["arguments"], json!(["4", "\"label0\"", "2.5"]), "{square}");
    assert_eq!(square["results"], json!(["\"label0!\"", "error nil"]), "{square}");
    assert!(square["elapsed"].as_u64().is_some_and(|nanos| nanos > 0), "{square}");
    let circle = name("main.Circle.Name");
    assert!(circle["results"][1].as_str().is_some_and(|text| text.contains("weight 2.5")), "{circle}");
    // A call that panics has a record without results.
    let nil = all
        .iter()
        .find(|r| r["site"].as_str().is_some_and(|s| s.contains(&format!(":{}:", fixture.line("site nil")))));
    assert!(nil.is_some_and(|r| r["results"].is_null() && r["elapsed"].is_null()), "{nil:?}");
}

/// A user's breakpoint on the very instruction has its hits, and the trace has its own; steps over it lose nothing.
#[test]
fn breakpoints_at_the_same_address() {
    let fixture = built("traced", Mode::Optimised);
    let site = format!("main.go:{}", fixture.line("site 8"));
    for backend in backends() {
        let path = fixture.path();
        let mut session = Session::launch(&launch(&fixture, backend), &[(&path, &[fixture.line("site 8")])]);
        let stop = session.stopped();
        session.set_breakpoints(&path, &[]);
        let frames = session.frames(stop.thread);
        let pc = frames[0]["instructionPointerReference"].clone();
        let listing = session.client.ok(
            "disassemble",
            json!({"memoryReference": pc, "instructionOffset": -60, "instructionCount": 160}),
        );
        let id =
            session.client.ok("itab/trace", json!({"what": "dispatch", "filter": {"site": site}}))["traceId"]
                .clone();
        // Every instruction of the line: one of them is the watched one.
        let line = fixture.line("site 8");
        let mut current = 0;
        let mut addresses = Vec::new();
        for i in listing["instructions"].as_array().into_iter().flatten() {
            current = i["line"].as_i64().unwrap_or(current);
            if current == line {
                addresses.push(json!({"instructionReference": i["address"]}));
            }
        }
        assert!(!addresses.is_empty(), "{listing}");
        session.client.ok("setInstructionBreakpoints", json!({"breakpoints": addresses}));
        let mut stops = 0;
        let mut thread = stop.thread;
        let mut step = false;
        loop {
            let how = if step { "next" } else { "continue" };
            let granularity = if step { "instruction" } else { "statement" };
            session.client.ok(how, json!({"threadId": thread, "granularity": granularity}));
            let event = session.client.event_of(&["stopped", "exited"]);
            if event["event"] == json!("exited") {
                break;
            }
            thread = event["body"]["threadId"].as_i64().unwrap_or(thread);
            stops += 1;
            step = !step;
        }
        assert!(stops > 10, "{backend}: {stops} stops");
        let rows = table(&mut session, &id);
        assert_eq!(total(&rows), 5, "{backend}: {rows:?}");
        session.client.end();
    }
}

/// Switched on and off while the program runs; no stop is seen; results are there after the end.
#[test]
fn while_it_runs() {
    let fixture = debug("traced");
    let mut session = Session::launch(&launch(&fixture, "auto").with("args", json!(["3", "wait"])), &[]);
    let id = session.client.ok("itab/trace", json!({"what": "dispatch", "limit": 5}))["traceId"].clone();
    session.client.ok("itab/trace", json!({"traceId": id, "enabled": false}));
    session.client.ok("itab/trace", json!({"traceId": id, "enabled": true}));
    let other =
        session.client.ok("itab/trace", json!({"what": "dispatch", "filter": {"concrete": "main.Circle"}}));
    assert_eq!(session.exited(), 0);
    let rows = table(&mut session, &id);
    assert_eq!(traced(&fixture, &rows), printed(&session));
    let circles = table(&mut session, &other["traceId"]);
    assert!(!circles.is_empty() && circles.iter().all(|row| row["concreteType"] == json!("main.Circle")));
    let (all, _, _) = records(&mut session);
    assert_eq!(all.len() as u64, 5 + total(&circles), "limit 5 of the first, all of the second");
    for (form, begins) in [("pprof", &b"\x1f\x8b"[..]), ("graph", &b"digraph"[..])] {
        let body = session.client.ok("itab/traceResult", json!({"traceId": id, "as": form}));
        let path = body["path"].as_str().unwrap_or_default().to_owned();
        let bytes = std::fs::read(&path).expect("the file");
        assert!(bytes.starts_with(begins), "{form}");
        if form == "pprof" {
            opened_by_pprof(&path, &rows);
        }
        std::fs::remove_file(&path).expect("removed");
    }
    session.client.refused("itab/traceResult", json!({"traceId": 77, "as": "table"}));
    session.client.refused("itab/traceResult", json!({"traceId": id, "as": "poem"}));
    session.client.refused("itab/trace", json!({"what": "dispatch"}));
    session.client.end();
}

/// The real `go tool pprof` reads the file: targets are leaves with their counts, sites are lines of their callers.
#[track_caller]
fn opened_by_pprof(path: &str, rows: &[Value]) {
    let run = |flags: &[&str]| {
        let output = std::process::Command::new(&go::newest().go)
            .args(["tool", "pprof"])
            .args(flags)
            .arg(path)
            .env("GOTOOLCHAIN", "local")
            .output()
            .expect("go tool pprof");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        text
    };
    let top = run(&["-top"]);
    let flat = |target: &str| {
        let line = top.lines().find(|line| line.ends_with(&format!(" {target}")));
        line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok())
    };
    for target in ["main.(*Square).Area", "main.Circle.Area", "main.Number.Area"] {
        let counted: u64 =
            rows.iter().filter(|r| r["target"] == json!(target)).filter_map(|r| r["count"].as_u64()).sum();
        assert_eq!(flat(target), Some(counted), "{target} in {top}");
    }
    let raw = run(&["-raw"]);
    assert!(raw.contains("calls/count") && raw.contains("main.loop") && raw.contains("main.go:"), "{raw}");
    assert!(raw.contains("concrete:[main.Framed]"), "{raw}");
}

/// Type assertions: every evaluation with its outcome, a nil value's too; `==` on interfaces is none.
#[test]
fn assertions_are_counted_with_their_outcome() {
    let mut fixtures = vec![debug("asserted"), built("asserted", Mode::Optimised)];
    if let Some(old) = crate::support::toolchain(21) {
        fixtures.push(e2e::fixture::build("asserted", &old, Mode::Debug));
        fixtures.push(e2e::fixture::build("asserted", &old, Mode::Optimised));
    }
    for fixture in fixtures {
        let mut session = Session::begin(&launch(&fixture, "auto").with("args", json!(["2"])), "launch");
        let id = session.client.ok("itab/trace", json!({"what": "asserts"}))["traceId"].clone();
        session.configured();
        assert_eq!(session.exited(), 0);
        let rows = table(&mut session, &id);
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for row in &rows {
            let line = row["line"].as_u64().unwrap_or(1) as usize - 1;
            let Some((_, site)) = fixture.text.lines().nth(line).and_then(|l| l.split_once("// @site "))
            else {
                continue;
            };
            let dynamic = match row["concreteType"].as_str().unwrap_or_default() {
                "nil" => "<nil>",
                name => name,
            };
            if site.trim().parse::<u32>().is_ok_and(|n| n < 7) {
                let ok = row["ok"].as_bool().expect("an outcome");
                *counts.entry(format!("{} {dynamic} {ok}", site.trim())).or_default() +=
                    row["count"].as_u64().unwrap_or(0);
            }
        }
        let printed: BTreeMap<String, u64> = session
            .client
            .output("stdout")
            .lines()
            .filter_map(|l| {
                let (key, count) = l.strip_prefix("count ")?.rsplit_once(' ')?;
                Some((key.to_owned(), count.parse().ok()?))
            })
            .collect();
        assert_eq!(counts, printed, "{}", fixture.title());
        let at = |mark: &str| {
            let line = fixture.line(mark);
            rows.iter().filter(move |row| row["line"] == json!(line)).collect::<Vec<_>>()
        };
        assert!(at("site 2").iter().all(|r| r["interfaceType"] == json!("main.Shape")), "{rows:?}");
        assert!(at("site 8").iter().all(|r| r["ok"] == json!(true) && r["wanted"] == json!("int")));
        assert!(!at("site 8").is_empty(), "{rows:?}");
        let (all, dropped, _) = records(&mut session);
        assert_eq!(all.len() as u64 + dropped, total(&rows));
        session.client.end();
    }
}

/// The same from the console and from the launch configuration, for clients without views.
#[test]
fn in_the_console() {
    let fixture = debug("traced");
    let wanted = format!("main.go:{}", fixture.line("site 7"));
    let run = launch(&fixture, "auto").with("args", json!(["2"])).with("trace", json!(wanted));
    let mut session = Session::launch(&run, &[(&fixture.path(), &[fixture.line("site 7")])]);
    let stop = session.stopped();
    assert_eq!(stop.reason, "breakpoint");
    session.frames(stop.thread);
    let started =
        session.eval_in("trace dispatch main.Shape.Area args results", "repl").expect("a trace").value;
    assert!(started.contains("trace 2") && started.contains("only code of module"), "{started}");
    assert!(session.eval_in("trace dispatch no/such/package", "repl").is_err());
    assert!(session.eval_in("trace frobnicate", "repl").is_err());
    let list = session.eval_in("trace", "repl").expect("a list").value;
    assert!(list.contains("1 dispatch, on, 1 sites") && list.contains("2 dispatch, on"), "{list}");
    assert_eq!(session.run_out(stop.thread), 0);
    let text = session.client.output("console");
    let site7 = text.lines().find(|l| l.starts_with("trace 1: ") && l.contains("goroutine 1 "));
    assert!(site7.is_some_and(|l| l.contains("main.Shape.Area main.Number -> main.Number.Area")), "{text}");
    assert!(
        text.lines().any(|l| l.starts_with("trace 2: ") && l.contains("-> main.Number.Area(8) = 3 in ")),
        "{text}"
    );
    let shown = session.eval_in("trace show 2", "repl").expect("a table").value;
    assert!(
        shown.contains("main.Shape.Area main.Number -> main.Number.Area") && shown.contains("in all"),
        "{shown}"
    );
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("t.dot").display().to_string();
    let written = session.eval_in(&format!("trace graph {file} 2"), "repl").expect("a file").value;
    assert!(written.contains(&file), "{written}");
    assert!(std::fs::read_to_string(&file).expect("the file").contains("main.Number.Area"));
    session.client.end();
}
