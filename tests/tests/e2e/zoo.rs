//! The zoo walk: every dynamic call of every program is stepped into over the protocol, and the landing is judged.
//!
//! A program says itself where its steps must land (`// into: F, G` at the end of a line); lines that say nothing are judged by
//! what the adapter announced. Must never look into the adapter: a landing is what an editor shows.

// The counts stand in the output, so that a walk that reaches less is seen.
#![allow(clippy::print_stderr)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use e2e::fixture::{self, Fixture, Mode};
use e2e::{Session, full, go};
use serde_json::{Value, json};

use crate::support::{launch, toolchain};

/// Sessions for one program: a line with several calls needs as many visits.
const MAX_SESSIONS: usize = 40;
/// A line can belong to several functions, and a step may have passed one of them: it is given up after so many sessions.
const MAX_FRUITLESS: usize = 3;
/// Lines where no breakpoint stops, and targets that are not listed because there are no types.
const MAX_UNSEEN: usize = 4;
const MAX_UNLISTED: usize = 3;
/// Stops in one session.
const MAX_STOPS: usize = 400;

/// What is known of one line of a program.
#[derive(Default)]
struct Line {
    /// Alternatives of names that versions spell differently: `a|b`.
    expected: Vec<String>,
    /// Of each function with code on the line: the index of the call to take next.
    taken: BTreeMap<String, usize>,
    /// Functions all of whose calls were taken.
    finished: BTreeSet<String>,
    landed: BTreeSet<String>,
    /// Sessions that stopped here and found no call that was not taken.
    fruitless: usize,
    /// Steps and their ends, for the report.
    log: Vec<String>,
}

struct Walk<'a> {
    fixture: &'a Fixture,
    files: Vec<(String, Vec<String>)>,
    lines: BTreeMap<(String, i64), Line>,
    problems: Vec<String>,
    /// Calls stepped into, and steps that ended on the line's way out because the call was conditional.
    reached: usize,
    missed: usize,
}

/// One call as `itab/dispatch` lists it.
struct Call {
    id: Value,
    kind: String,
    label: String,
    target: Option<String>,
    sure: bool,
    text: String,
}

impl<'a> Walk<'a> {
    fn new(fixture: &'a Fixture) -> Self {
        let folder = fixture.source.parent().expect("a folder").canonicalize().expect("a path");
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder).expect("the program").flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|e| e == "go") {
                let text = std::fs::read_to_string(&path).expect("a source file");
                if fits(&text, fixture.version.0) {
                    files.push((
                        path.display().to_string(),
                        text.lines().map(str::to_owned).collect::<Vec<_>>(),
                    ));
                }
            }
        }
        let mut lines = BTreeMap::new();
        for (path, text) in &files {
            for (index, line) in text.iter().enumerate() {
                let code = Some(line).filter(|l| !l.trim_start().starts_with("//"));
                let expected =
                    code.and_then(|l| l.split_once("// into: ")).map_or(Vec::new(), |(_, names)| {
                        let names = names.split(" // ").next().unwrap_or_default();
                        names.split(", ").map(|name| name.trim().to_owned()).collect::<Vec<_>>()
                    });
                lines.insert((path.clone(), index as i64 + 1), Line { expected, ..Line::default() });
            }
        }
        Self { fixture, files, lines, problems: Vec::new(), reached: 0, missed: 0 }
    }

    fn all(mut self) -> (usize, usize, Vec<String>) {
        for _ in 0..MAX_SESSIONS {
            if !self.session() {
                break;
            }
        }
        let (mut unseen, mut unlisted) = (Vec::new(), Vec::new());
        for ((path, line), it) in &self.lines {
            // Optimised code has lines without a statement; without types less is found.
            if it.log.is_empty() && !it.expected.is_empty() && self.fixture.mode.optimised() {
                unseen.push(format!("{}:{line}", base(path)));
                continue;
            }
            for name in &it.expected {
                if name.split('|').any(|n| it.landed.iter().any(|l| same(n, l, self.fixture.mode))) {
                    continue;
                }
                let place = format!("{}:{line}", base(path));
                let listed = it.log.iter().any(|step| name.split('|').any(|n| step.contains(n)));
                if !listed && !self.fixture.mode.has_dwarf() {
                    unlisted.push(format!("{place} {name}"));
                } else {
                    let log = it.log.join("\n    ");
                    let landed = &it.landed;
                    self.problems
                        .push(format!("{place}: never landed in {name}, only in {landed:?}\n    {log}"));
                }
            }
        }
        if !unseen.is_empty() || !unlisted.is_empty() {
            eprintln!("no stop at {unseen:?}; not listed: {unlisted:?}");
        }
        if unseen.len() > MAX_UNSEEN || unlisted.len() > MAX_UNLISTED {
            self.problems.push(format!("too much is not seen: {unseen:?} {unlisted:?}"));
        }
        (self.reached, self.missed, self.problems)
    }

    /// Runs the program once; false when there was nothing new to step into.
    fn session(&mut self) -> bool {
        let mut launch = launch(self.fixture, "auto");
        launch.options.environment.push(("GOMAXPROCS".into(), "2".into()));
        let mut session = Session::begin(&launch, "launch");
        self.breakpoints(&mut session, true);
        session.configured();
        let (mut met, mut fruitful) = (BTreeSet::new(), BTreeSet::new());
        for _ in 0..MAX_STOPS {
            let Some(thread) = stop_or_end(&mut session) else { break };
            let frames = session.frames(thread);
            let function = frames[0]["name"].as_str().unwrap_or_default();
            if let Some(place) = self.place(&frames[0])
                && let Some(line) = self.lines.get(&place)
            {
                met.insert(place.clone());
                if !line.finished.contains(function) && self.visit(&mut session, thread, &frames, &place) {
                    fruitful.insert(place);
                }
            }
            if session.frame.is_none() {
                break;
            }
            session.client.ok("continue", json!({"threadId": thread}));
        }
        session.client.end();
        for place in met.difference(&fruitful) {
            if let Some(line) = self.lines.get_mut(place) {
                line.fruitless += 1;
            }
        }
        !fruitful.is_empty()
    }

    /// Breakpoints on all lines that may have calls left, or none.
    fn breakpoints(&self, session: &mut Session, on: bool) {
        for (path, text) in &self.files {
            let open = |line: &i64| {
                self.lines.get(&(path.clone(), *line)).is_some_and(|l| l.fruitless < MAX_FRUITLESS)
            };
            let lines: Vec<i64> = (1..=text.len() as i64).filter(|line| on && open(line)).collect();
            session.set_breakpoints(path, &lines);
        }
    }

    fn place(&self, frame: &Value) -> Option<(String, i64)> {
        Some((frame["source"]["path"].as_str()?.to_owned(), frame["line"].as_i64()?))
    }

    /// Takes the next call of the line that was not taken yet.
    fn visit(&mut self, session: &mut Session, thread: i64, frames: &[Value], at: &(String, i64)) -> bool {
        let calls = calls(session);
        let origin = frames[0]["name"].as_str().unwrap_or_default().to_owned();
        let Some(line) = self.lines.get_mut(at) else { return false };
        let next = line.taken.entry(origin.clone()).or_default();
        let Some(call) = calls.get(*next) else {
            line.finished.insert(origin);
            return false;
        };
        *next += 1;
        self.breakpoints(session, false);
        session.client.ok("stepIn", json!({"threadId": thread, "targetId": call.id}));
        let what = format!("{}:{} in {origin} [{}] {}", base(&at.0), at.1, call.kind, call.label);
        let depth = frames.len();
        match stop_or_end(session) {
            None => {
                if call.sure {
                    self.problems.push(format!("{what}: the program ended ({})", call.text));
                }
            }
            Some(there) => {
                let landed = session.frames(there);
                let inlined = frames.len() > 1
                    && frames[0]["instructionPointerReference"] == frames[1]["instructionPointerReference"];
                let origin = Origin { thread, name: origin, at: at.clone(), depth, inlined };
                self.judge(session, call, &what, &origin, there, &landed);
            }
        }
        if session.frame.is_some() {
            self.breakpoints(session, true);
        }
        true
    }

    fn judge(
        &mut self,
        session: &mut Session,
        call: &Call,
        what: &str,
        origin: &Origin,
        thread: i64,
        frames: &[Value],
    ) {
        let name = frames[0]["name"].as_str().unwrap_or_default().to_owned();
        let line = frames[0]["line"].as_i64().unwrap_or(0);
        if let Some(it) = self.lines.get_mut(&origin.at) {
            it.log.push(format!("{what} ({}): {name}:{line}", call.text));
        }
        let mut bad = |why: String| self.problems.push(format!("{what}: {why}"));
        if !has_source(&frames[0]) {
            bad(format!("stopped in {name} without source"));
        }
        if name.contains("go.shape") {
            bad(format!("the frame's name shows a shape: {name}"));
        }
        let stayed = name == origin.name && thread == origin.thread && frames.len() <= origin.depth;
        if stayed || !entered(session, thread) {
            let console = session.client.output("console");
            let said = console.lines().last().unwrap_or_default();
            // A panic of the line itself goes before a call that is not certain yet.
            let panicked = said.contains("a panic came first") && call.text.contains("pending");
            if call.sure && !panicked {
                bad(format!("not reached, stopped in {name}:{line} ({}; {said})", call.text));
            } else {
                self.missed += 1;
            }
            return;
        }
        if let Some(target) = &call.target
            && !same(target, &name, self.fixture.mode)
        {
            bad(format!("landed in {name}"));
        }
        let started = call.kind == "go" || (thread != origin.thread);
        let direct = ["interface", "closure", "dictionary", "static", "methodValue"];
        if direct.contains(&call.kind.as_str()) && !started {
            let caller = frames[1..].iter().find(|f| f["presentationHint"] != json!("subtle"));
            let caller = caller.map(|f| (f["name"].as_str().unwrap_or_default(), f["line"].as_i64()));
            if caller.is_none_or(|(n, l)| n != origin.name || l != Some(origin.at.1)) {
                bad(format!("{name} has the caller {caller:?}"));
            }
        }
        self.reached += 1;
        if let Some(it) = self.lines.get_mut(&origin.at) {
            it.landed.insert(name.clone());
        }
        self.back(session, call, what, origin, thread, &name, direct.contains(&call.kind.as_str()));
    }

    /// `next` in the body, then `stepOut`: back to the line's function, never into code without source.
    #[allow(clippy::too_many_arguments)]
    fn back(
        &mut self,
        session: &mut Session,
        call: &Call,
        what: &str,
        origin: &Origin,
        thread: i64,
        body: &str,
        direct: bool,
    ) {
        let mut thread = thread;
        let mut here = body.to_owned();
        for how in ["next", "stepOut"] {
            if here != body {
                break;
            }
            session.client.ok(how, json!({"threadId": thread}));
            let Some(now) = stop_or_end(session) else { return };
            let frames = session.frames(now);
            here = frames[0]["name"].as_str().unwrap_or_default().to_owned();
            if !has_source(&frames[0]) {
                self.problems.push(format!("{what}: {how} from {body} stops in {here} without source"));
            }
            if here == body && how == "next" {
                continue;
            }
            // Right behind a call the next statement may begin with inlined code; a loop's body goes back to its loop.
            let inside = frames.iter().take(4).any(|f| f["name"] == json!(origin.name));
            // Nothing of a function that was inlined may be left behind its last call.
            let expected = !direct || inside || origin.inlined || body.contains("-range");
            if !expected
                || (call.kind == "go" && now == origin.thread && here != origin.name && how == "next")
            {
                let line = &frames[0]["line"];
                self.problems.push(format!("{what}: {how} from {body} goes to {here}:{line}"));
            }
            thread = now;
        }
    }
}

/// Where a step began.
struct Origin {
    thread: i64,
    name: String,
    at: (String, i64),
    depth: usize,
    /// The function was inlined into its caller.
    inlined: bool,
}

/// Build constraints of the form `//go:build go1.N` and `!go1.N`, joined by `&&`.
fn fits(text: &str, minor: u32) -> bool {
    let Some(line) = text.lines().find_map(|line| line.strip_prefix("//go:build ")) else { return true };
    line.split("&&").map(str::trim).all(|term| {
        let (not, term) = term.strip_prefix('!').map_or((false, term), |t| (true, t));
        let wanted: u32 = term.strip_prefix("go1.").and_then(|n| n.parse().ok()).expect("a version");
        (minor >= wanted) != not
    })
}

/// The same function. Optimised code loses dictionaries on the way: `T?` stands for any type arguments there.
fn same(one: &str, other: &str, mode: Mode) -> bool {
    let bare = |name: &str| name.split('[').next().unwrap_or_default().to_owned();
    // A closure has a dictionary only if it needs one.
    let lost = |name: &str| name.contains("T?") && (mode.optimised() || name.contains("].func"));
    one == other || ((lost(one) || lost(other)) && bare(one) == bare(other))
}

fn base(path: &str) -> String {
    Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The thread of the next stop; none at the program's end.
fn stop_or_end(session: &mut Session) -> Option<i64> {
    let event = session.client.event_of(&["stopped", "terminated"]);
    session.frame = None;
    if event["event"] != json!("stopped") {
        return None;
    }
    session.frame = Some(0);
    LAST.with(|last| *last.borrow_mut() = event["body"].clone());
    event["body"]["threadId"].as_i64()
}

thread_local! {
    static LAST: std::cell::RefCell<Value> = const { std::cell::RefCell::new(Value::Null) };
}

/// True if the last stop says that a call was entered.
fn entered(_session: &Session, _thread: i64) -> bool {
    LAST.with(|last| last.borrow()["description"].as_str().is_some_and(|text| text.contains(" -> ")))
}

fn has_source(frame: &Value) -> bool {
    frame["source"]["path"].as_str().is_some_and(|path| Path::new(path).is_file())
}

/// The calls of the stopped line that a step can enter.
fn calls(session: &mut Session) -> Vec<Call> {
    let frame = session.frame.expect("a frame");
    let listed = session.client.ok("stepInTargets", json!({"frameId": frame}));
    let body = session.client.ok("itab/dispatch", json!({"frameId": frame}));
    let labels: BTreeMap<i64, String> = listed["targets"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|t| Some((t["id"].as_i64()?, t["label"].as_str()?.to_owned())))
        .collect();
    let sites = body["sites"].as_array().cloned().unwrap_or_default();
    let mut out = Vec::new();
    for site in sites {
        let text = |member: &str| site[member].as_str().unwrap_or_default().to_owned();
        let known = text("state") == "known";
        let conditional = site["conditional"] == json!(true);
        let Some(label) = site["id"].as_i64().and_then(|id| labels.get(&id)) else { continue };
        out.push(Call {
            id: site["id"].clone(),
            kind: text("kind"),
            label: label.clone(),
            target: site["target"]["name"].as_str().map(str::to_owned).filter(|_| known),
            sure: !conditional && text("state") != "panics" && text("kind") != "callback",
            text: format!("{} {}", text("state"), text("reason")),
        });
    }
    out
}

#[track_caller]
fn walk(fixture: &Fixture) {
    let title = fixture.title();
    let (reached, missed, problems) = Walk::new(fixture).all();
    eprintln!("zoo walk {title}: {reached} landed, {missed} conditional ones not reached");
    assert!(problems.is_empty(), "{title}: {} problems\n{}", problems.len(), problems.join("\n"));
}

fn own(name: &str, minor: u32, mode: Mode) {
    let Some(toolchain) = toolchain(minor) else { return };
    walk(&fixture::build(name, &toolchain, mode));
}

/// Every example, by `cargo xtask test --full`.
#[test]
fn examples() {
    if !full() {
        return;
    }
    let newest = go::newest();
    let folder = fixture::folder("../../examples");
    for entry in std::fs::read_dir(folder).expect("examples").flatten() {
        if entry.path().is_dir() {
            for mode in [Mode::Debug, Mode::Optimised] {
                let name = format!("../../examples/{}", entry.file_name().to_string_lossy());
                walk(&fixture::build(&name, &newest, mode));
            }
        }
    }
}

/// Walks of a program by version and mode.
macro_rules! walks {
    ($($name:ident: $program:literal, $minor:expr, $mode:ident;)*) => {
        $(#[test]
        fn $name() {
            own($program, $minor, Mode::$mode);
        })*
    };
}

walks! {
    zoo_1_21_debug: "zoo", 21, Debug;
    zoo_1_21_optimised: "zoo", 21, Optimised;
    zoo_1_24_debug: "zoo", 24, Debug;
    zoo_1_24_optimised: "zoo", 24, Optimised;
    zoo_newest_debug: "zoo", go::newest().minor(), Debug;
    zoo_newest_optimised: "zoo", go::newest().minor(), Optimised;
    zoo_newest_stripped: "zoo", go::newest().minor(), Stripped;
    kinds_1_21_optimised: "kinds", 21, Optimised;
    kinds_newest_debug: "kinds", go::newest().minor(), Debug;
    kinds_newest_optimised: "kinds", go::newest().minor(), Optimised;
    profiled_1_21: "profiled", 21, Optimised;
    profiled_1_24: "profiled", 24, Optimised;
    profiled_newest: "profiled", go::newest().minor(), Optimised;
}
