//! Run-time truth: predict at every line start, then compare with what the calls of that line really do.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use crate::common::Mode;
use crate::common::stub::{Process, Stop};
use crate::plan;
use dispatch::{CallSite, Certainty, Context, Engine, Scope, Site, SiteKind, SourceText, State};
use image::Image;

struct Files;

impl SourceText for Files {
    fn source(&self, file: &str) -> Option<Arc<str>> {
        std::fs::read_to_string(file).ok().map(Into::into)
    }
}

#[derive(Debug, Default)]
struct Score {
    predictions: usize,
    executed: usize,
    right: usize,
    right_stale: usize,
    wrong: Vec<String>,
    /// Wrong, but announced as what may change.
    wrong_stale: Vec<String>,
    unknown: Vec<String>,
    unlisted: Vec<String>,
    announced_not_run: usize,
    micros: Vec<u128>,
    placed: usize,
    below: usize,
    placeless: Vec<String>,
    misplaced: Vec<String>,
    callbacks: std::collections::BTreeSet<String>,
}

struct Line {
    calls: Vec<CallSite>,
    met: HashSet<u64>,
    at: String,
}

/// Lines whose calls lead back into the program.
const CALLBACK_LINES: [&str; 2] = ["\tsort.Sort(sp)", "\tsort.Slice(sp, "];

fn line_of(file: &str, text: &str) -> Option<u32> {
    let source = std::fs::read_to_string(file).ok()?;
    source.lines().position(|l| l.starts_with(text)).map(|i| i as u32 + 1)
}

/// Line starts with dynamic calls, and the dynamic calls, of all functions whose name starts with a prefix.
fn places(image: &Image, engine: &Engine, prefix: &str) -> (HashSet<u64>, HashMap<u64, Arc<Site>>) {
    let mut starts = HashSet::new();
    let mut calls = HashMap::new();
    for f in image.functions().iter().filter(|f| f.name().starts_with(prefix)) {
        let dynamic: Vec<Arc<Site>> = engine
            .sites(image, f.id())
            .iter()
            .filter(|s| {
                matches!(s.kind, SiteKind::Interface | SiteKind::Closure | SiteKind::Dictionary { .. })
            })
            .cloned()
            .collect();
        if dynamic.is_empty() || f.is_wrapper() {
            continue;
        }
        let mut last = (String::new(), 0);
        for r in f.rows() {
            let here = (r.file.to_string(), r.line);
            let first = here != last;
            last = here;
            let sorts = CALLBACK_LINES.iter().any(|t| line_of(&r.file, t) == Some(r.line));
            let has = sorts || dynamic.iter().any(|s| s.line == r.line && *s.file == *r.file);
            if first && r.is_stmt && has {
                starts.insert(r.start);
            }
        }
        calls.extend(dynamic.into_iter().map(|s| (s.pc, s)));
    }
    (starts, calls)
}

/// One thread runs Go code at a time, or as many as there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Threads {
    One,
    Many,
}

/// Runs `program` and compares at the functions whose names start with `prefix`.
fn measure(
    program: &Path,
    args: &[&str],
    prefix: &str,
    threads: Threads,
    truth: &[Vec<String>],
) -> Option<[Score; 2]> {
    let image = Image::open(program).unwrap();
    let engine = Engine::new();
    let (starts, calls) = places(&image, &engine, prefix);
    assert!(starts.len() > 15 && calls.len() > 15, "{} {}", starts.len(), calls.len());
    let one = [("GOMAXPROCS", "1"), ("GODEBUG", "asyncpreemptoff=1")];
    let env: &[(&str, &str)] = if threads == Threads::One { &one } else { &[("GOMAXPROCS", "4")] };
    let Some(p) = Process::start(program, args, env) else {
        gofixture::skip("predictions", "gdbserver is not in PATH");
        return None;
    };
    for a in starts.iter().chain(calls.keys()).collect::<HashSet<_>>() {
        p.set(*a);
    }
    let mut score = Score::default();
    // The same with the line's callees run in the sandbox.
    let mut second = Score::default();
    let mut frames: HashMap<u64, [Line; 2]> = HashMap::new();
    let mut passes: HashMap<u64, usize> = HashMap::new();
    let mut met: HashMap<u64, usize> = HashMap::new();
    let mut stop = p.resume();
    loop {
        let thread = match stop {
            Stop::Trap(t) => t,
            Stop::Signal(n, t) => {
                stop = p.resume_with(n, &t);
                continue;
            }
            Stop::Exited => break,
        };
        let regs = p.regs(&thread);
        let pc = regs.pc();
        let f = image.functions().at(pc).unwrap();
        let frame = regs.sp() + f.sp_delta(pc).unwrap_or(0) as u64;
        if let Some(site) = calls.get(&pc) {
            let chain = engine.resolve_at_load(&image, &p, &regs, site);
            if let Some([first, sandboxed]) = frames.get_mut(&frame) {
                judge(&mut score, first, site, &chain);
                judge(&mut second, sandboxed, site, &chain);
            }
        }
        if let Some(site) = calls.get(&pc)
            && site.return_pc != 0
            && met.get(&pc).is_none_or(|n| *n < 3)
        {
            below(&mut score, &image, &engine, &p, &regs, site);
        }
        if starts.contains(&pc) {
            if let Some([first, sandboxed]) = frames.remove(&frame) {
                leave(&mut score, &first);
                leave(&mut second, &sandboxed);
            }
            let n = passes.entry(pc).or_insert(0);
            *n += 1;
            if *n <= 10 {
                let cx = Context {
                    image: &image,
                    mem: &p,
                    regs: &regs,
                    top: true,
                    inline_depth: 0,
                    source: &Files,
                };
                let t = std::time::Instant::now();
                let calls = engine.call_sites(&cx, Scope::Line);
                score.micros.push(t.elapsed().as_micros());
                score.predictions += 1;
                let t = std::time::Instant::now();
                let run = engine.speculate(&cx, Scope::Line);
                second.micros.push(t.elapsed().as_micros());
                second.predictions += 1;
                let at = image.functions().location(pc).unwrap();
                let at =
                    format!("{}:{} ({pc:#x} {})", at.file.rsplit('/').next().unwrap(), at.line, f.name());
                if std::env::var_os("SHOW").is_some() {
                    for c in calls.iter().chain(&run) {
                        println!(
                            "{at} [{}] {} {:?} {:?}",
                            c.order,
                            dispatch::label(c),
                            c.certainty,
                            c.reason
                        );
                    }
                }
                for c in calls.iter().filter(|c| c.kind == dispatch::CallKind::Callback) {
                    score.callbacks.insert(dispatch::label(c));
                }
                if !truth.is_empty() {
                    columns(&image, &mut score, &calls, truth, &at);
                }
                let line = |calls| Line { calls, met: HashSet::new(), at: at.clone() };
                frames.insert(frame, [line(calls), line(run)]);
            }
        }
        if starts.contains(&pc) || calls.contains_key(&pc) {
            p.clear(pc);
            stop = p.step(&thread);
            // What was measured often enough need not slow the program down.
            let n = met.entry(pc).or_insert(0);
            *n += 1;
            if *n < 60 {
                p.set(pc);
            }
            if let Stop::Trap(t) = &stop {
                let now = p.regs(t).pc();
                if starts.contains(&now) || calls.contains_key(&now) {
                    continue;
                }
            } else {
                continue;
            }
        }
        stop = p.resume();
    }
    Some([score, second])
}

/// The frame as it is while the call runs: a caller, of which unwinding knows pc, SP and little else.
fn below(score: &mut Score, image: &Image, engine: &Engine, p: &Process, regs: &machine::Regs, site: &Site) {
    let mut caller = machine::Regs::new(image.arch());
    caller.set_pc(site.return_pc);
    caller.set_sp(regs.sp());
    if let Some(fp) = regs.get(image.arch().fp()) {
        caller.set(image.arch().fp(), fp);
    }
    let depth = image.functions().inline_stack(site.return_pc - 1).len() - 1;
    for inline_depth in [0, depth] {
        let cx = Context { image, mem: p, regs: &caller, top: false, inline_depth, source: &Files };
        let list = engine.call_sites(&cx, Scope::Line);
        let here: Vec<&CallSite> = list.iter().filter(|c| c.in_progress).collect();
        score.below += 1;
        if inline_depth == 0 && (here.len() != 1 || here[0].call_pc != Some(site.pc)) {
            let rows: Vec<String> = list.iter().map(dispatch::label).collect();
            score.misplaced.push(format!("{}:{} {:#x} in progress: {rows:?}", site.file, site.line, site.pc));
        }
    }
}

/// Spans and kinds of what is listed, against go/types.
fn columns(image: &Image, score: &mut Score, calls: &[CallSite], truth: &[Vec<String>], at: &str) {
    for c in calls {
        if let Some(b) = &c.body {
            let named = image.functions().by_name(&b.qualified_name);
            // A body of generic code carries the name of its instance, which is that of the wrapper with the real types.
            if !named.is_empty() && !b.qualified_name.contains('[') && named.iter().all(|f| f.is_wrapper()) {
                score.misplaced.push(format!("{at} {}: a wrapper is called the body", dispatch::label(c)));
            }
        }
        let want = match c.kind {
            dispatch::CallKind::Interface => "interface",
            dispatch::CallKind::Closure | dispatch::CallKind::MethodValue => "closure",
            dispatch::CallKind::Dictionary => "dictionary",
            dispatch::CallKind::Static => "static",
            _ => continue,
        };
        let Some(s) = c.span else {
            if c.kind != dispatch::CallKind::Static {
                score.placeless.push(format!("{at} {}", dispatch::label(c)));
            }
            continue;
        };
        score.placed += 1;
        let span = [s.line, s.column, s.end_line, s.end_column].map(|n| n.to_string());
        let line = c.line.unwrap_or(0).to_string();
        let found = truth.iter().find(|l| l[0] == "call" && l[2..6] == span);
        let right = found.is_some_and(|l| {
            let name = c.method.as_ref().is_none_or(|m| *m == l[7]);
            // A func value or method value that the compiler saw through is called directly.
            let kind = l[6] == want
                || (want == "static" && l[6] == "closure")
                || l[6] == "expression"
                || (want == "interface" && l[6] == "dictionary");
            name && kind && l[9] == line
        });
        if !right {
            score.misplaced.push(format!("{at} {} {want} {span:?}: {found:?}", dispatch::label(c)));
        }
    }
}

fn judge(score: &mut Score, line: &mut Line, site: &Site, really: &dispatch::Chain) {
    let Some(body) = &really.body else { return };
    if !line.met.insert(site.pc) {
        return;
    }
    let Some(c) = line.calls.iter().find(|c| c.call_pc == Some(site.pc)) else {
        // Another copy of the call may stand for it.
        if !line.calls.iter().any(|c| {
            c.line == Some(site.line)
                && c.body.as_ref().is_some_and(|b| b.qualified_name == body.qualified_name)
        }) && line.at.contains(&format!(":{} ", site.line))
        {
            score.unlisted.push(format!("{} {:#x} -> {}", line.at, site.pc, body.name));
        }
        return;
    };
    score.executed += 1;
    match (c.state, &c.body) {
        (State::Known, Some(b)) if b.stop_pc == body.stop_pc && b.qualified_name == body.qualified_name => {
            score.right += 1;
            score.right_stale += usize::from(c.certainty != Certainty::Certain);
        }
        (State::Known | State::Panics, _) => {
            let certain = c.certainty == Certainty::Certain;
            let list = if certain { &mut score.wrong } else { &mut score.wrong_stale };
            let said = dispatch::label(c);
            list.push(format!(
                "{} {:#x} said {said} ({:?}), was {}",
                line.at, site.pc, c.certainty, body.name
            ));
        }
        _ => {
            let why = c.reason.as_deref().unwrap_or_default();
            score.unknown.push(format!("{} {}: {why}", line.at, dispatch::label(c)));
        }
    }
}

fn leave(score: &mut Score, line: &Line) {
    for c in &line.calls {
        if let (Some(pc), State::Known, false, false) = (
            c.call_pc,
            c.state,
            c.conditional,
            matches!(c.kind, dispatch::CallKind::Static | dispatch::CallKind::Go | dispatch::CallKind::Defer),
        ) && !line.met.contains(&pc)
        {
            score.announced_not_run += 1;
        }
    }
}

/// The calls of the program's own files.
fn own_calls(b: &plan::Build) -> Vec<Vec<String>> {
    let mut all = plan::truth(b);
    all.retain(|l| l[0] == "call" && Path::new(&l[1]).starts_with(&b.dir));
    all
}

/// The row of a measured program, and what was wrong.
fn report(label: &str, s: &mut Score) {
    report_as("targets before the line runs", label, s);
}

/// The same measured with tier 2. What is certain is never wrong, and what is not certain here is right all the same.
fn report_sandboxed(label: &str, s: &mut Score) {
    report_as("targets with callees run in the sandbox", label, s);
    assert!(s.wrong.is_empty(), "{label}: {:?}", s.wrong);
}

fn report_as(table: &str, label: &str, s: &mut Score) {
    s.micros.sort_unstable();
    let at = |percent: usize| s.micros.get(s.micros.len() * percent / 100).copied().unwrap_or(0);
    plan::row(
        table,
        label,
        &[
            ("predictions", s.predictions.to_string()),
            ("calls executed", s.executed.to_string()),
            ("right", plan::share(s.right, s.executed)),
            ("of these not certain", s.right_stale.to_string()),
            ("unknown", s.unknown.len().to_string()),
            ("not listed", s.unlisted.len().to_string()),
            ("announced, not run", s.announced_not_run.to_string()),
            ("wrong though certain", s.wrong.len().to_string()),
            ("wrong, not certain", s.wrong_stale.len().to_string()),
            ("us, median", at(50).to_string()),
            ("us, 99 %", at(99).to_string()),
        ],
    );
    println!(
        "  columns: {} given, {} not given, {} wrong; {} callers looked at",
        s.placed,
        s.placeless.len(),
        s.misplaced.len(),
        s.below
    );
    for list in [&mut s.placeless, &mut s.misplaced, &mut s.unknown, &mut s.unlisted] {
        list.sort();
        list.dedup();
    }
    for (what, list) in [
        ("wrong", &s.wrong),
        ("wrong, not certain", &s.wrong_stale),
        ("not listed", &s.unlisted),
        ("wrong column", &s.misplaced),
        ("unknown", &s.unknown),
        ("no column", &s.placeless),
    ] {
        plan::examples(what, list);
    }
}

const MODES: [Mode; 3] = [Mode::Optimised, Mode::Debug, Mode::Stripped];

#[test]
fn predictions_come_true() {
    for b in plan::builds(&MODES).into_iter().filter(|b| b.program.name == "disp") {
        let measured = measure(&b.binary(), &[], "main.", Threads::One, &own_calls(&b));
        let Some([mut s, mut sandboxed]) = measured else { continue };
        let name = b.label();
        report(&name, &mut s);
        report_sandboxed(&name, &mut sandboxed);
        assert!(s.wrong.is_empty() && s.wrong_stale.is_empty(), "{name}: {:?} {:?}", s.wrong, s.wrong_stale);
        assert!(s.misplaced.is_empty(), "{name}: {:?}", s.misplaced);
        assert!(s.executed > 50, "{name}: too little was measured");
        assert!(sandboxed.wrong_stale.is_empty(), "{name}: {:?}", sandboxed.wrong_stale);
        assert!(sandboxed.right * 1000 >= sandboxed.executed * 997, "{name}: {:?}", sandboxed.unknown);
        assert!(s.right * 100 >= s.executed * 97, "{name}: {:?}", s.unknown);
        if b.mode == Mode::Stripped {
            continue;
        }
        assert!(s.callbacks.contains("sort.Sort(sp) => main.byKg.Less"), "{name}: {:?}", s.callbacks);
        let slice = s.callbacks.iter().any(|c| c.starts_with("sort.Slice(…) => main.main.func"));
        assert!(slice, "{name}: {:?}", s.callbacks);
        assert!(s.below > 50, "{name}");
    }
}

/// A server and its clients on four threads, while what an interface holds is exchanged under them.
#[test]
fn nothing_certain_is_wrong_with_several_threads() {
    for b in plan::builds(&MODES).into_iter().filter(|b| b.program.name == "busy") {
        let measured = measure(&b.binary(), &[], "main.", Threads::Many, &own_calls(&b));
        let Some([mut s, mut sandboxed]) = measured else { continue };
        let name = b.label();
        report(&name, &mut s);
        report_sandboxed(&name, &mut sandboxed);
        assert!(s.wrong.is_empty(), "{name}: {:?}", s.wrong);
        assert!(s.executed > 50, "{name}: too little was measured");
        let least = if b.mode == Mode::Debug { 87 } else { 95 };
        assert!(s.right * 100 >= s.executed * least, "{name}: {:?}", s.unknown);
    }
}

/// A run of a command of the distribution: functions and arguments; `{source}` is a file of the Go distribution to work on.
const RUNS: [(&str, &str, &[&str]); 3] = [
    ("cmd/compile", "cmd/compile/internal/types", &["-o", "/dev/null", "-p", "x", "{source}"]),
    ("cmd/compile", "cmd/compile/internal/escape", &["-o", "/dev/null", "-p", "x", "{source}"]),
    ("cmd/go", "cmd/go/internal/", &["list", "-deps", "fmt"]),
];

#[test]
fn predictions_come_true_in_real_programs() {
    let builds = plan::builds(&[Mode::Optimised, Mode::Debug]);
    let mut faults = Vec::new();
    for b in builds.into_iter().filter(|b| !b.is_own()) {
        let source = b.dir.join("errors/join.go");
        for (program, prefix, args) in RUNS.iter().filter(|r| r.0 == b.program.name) {
            let args: Vec<&str> =
                args.iter().map(|a| if *a == "{source}" { source.to_str().unwrap() } else { a }).collect();
            let measured = measure(&b.binary(), &args, prefix, Threads::One, &[]);
            let Some([mut s, mut sandboxed]) = measured else { continue };
            let name = format!("{} ({prefix})", b.label());
            report(&name, &mut s);
            report_sandboxed(&name, &mut sandboxed);
            let least = if b.mode == Mode::Debug { 87 } else { 97 };
            let few = s.executed > 100 && s.right * 100 < s.executed * least;
            if !s.wrong.is_empty() || !s.wrong_stale.is_empty() || few {
                faults.push(format!("{program}: {name}"));
            }
        }
    }
    assert!(faults.is_empty(), "wrong, or too few: {faults:?}");
}
