//! One session of one adapter on one program: the same requests for both, with the clock.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::measure::pss_without;
use crate::dap::Client;

pub(super) struct Adapter {
    pub(super) version: String,
    program: PathBuf,
    arguments: &'static [&'static str],
    path: OsString,
}

impl Adapter {
    pub(super) fn ours(program: PathBuf, path: &OsString) -> anyhow::Result<Self> {
        let version = version_line(&program, "--version", "itab-dap")?;
        Ok(Self { version, program, arguments: &["dap", "--listen", "127.0.0.1:0"], path: path.clone() })
    }

    pub(super) fn delve(program: PathBuf, path: &OsString) -> anyhow::Result<Self> {
        let version = version_line(&program, "version", "Version:")?;
        let version = format!("Delve {}", version.trim_start_matches("Version: "));
        let arguments = &["dap", "--listen", "127.0.0.1:0", "--check-go-version=false"];
        Ok(Self { version, program, arguments, path: path.clone() })
    }
}

/// The first line of a version command that starts with a word.
fn version_line(program: &Path, argument: &str, word: &str) -> anyhow::Result<String> {
    let out = Command::new(program).arg(argument).output()?;
    let text = String::from_utf8_lossy(&out.stdout);
    let line = text.lines().find(|line| line.starts_with(word));
    line.map(str::to_owned).with_context(|| format!("{} {argument} names no version", program.display()))
}

pub(super) struct Program {
    pub(super) name: &'static str,
    pub(super) binary: PathBuf,
    pub(super) arguments: &'static [&'static str],
    /// Steps from main.main that stay in it.
    pub(super) nexts: u32,
    /// File and line of an interface call that leads to `main.Square.Area`.
    pub(super) call: Option<(PathBuf, u64)>,
    pub(super) crowd: Option<Crowd>,
}

/// Lines of tests/programs/crowd.
pub(super) struct Crowd {
    pub(super) source: PathBuf,
    /// All goroutines are parked.
    pub(super) parked: u64,
    /// In the method that is called `HITS` times.
    pub(super) hit: u64,
}

/// How often the program passes the line of the conditional breakpoint.
const HITS: u32 = 2000;

/// Name and value: milliseconds, or megabytes where the name says so.
pub(super) type Figures = Vec<(&'static str, f64)>;

pub(super) const START: &str = "spawn to first stop, ms";
pub(super) const MEMORY: &str = "memory at first stop, MB";
pub(super) const NEXT: &str = "next + inspect, ms";
pub(super) const STEP: &str = "step into interface call, ms";
pub(super) const OUT: &str = "step out of it, ms";
pub(super) const CROWD: &str = "10,000 goroutines: next + inspect, ms";
pub(super) const FALSE: &str = "a hit whose condition is false, ms";
pub(super) const CONTINUE: &str = "continue to the next hit, ms";

pub(super) fn run(adapter: &Adapter, program: &Program) -> anyhow::Result<Figures> {
    let started = Instant::now();
    let mut command = Command::new(&adapter.program);
    command.args(adapter.arguments).env("PATH", &adapter.path).current_dir("/");
    let mut client = Client::tcp(command)?;
    let mut thread = to_main(&mut client, program)?;
    let mut figures = vec![(START, milliseconds(started.elapsed()))];
    ensure!(top_function(&mut client, thread)? == "main.main", "the first stop is not in main.main");
    let debuggee = client.seen("process").and_then(|e| e["body"]["systemProcessId"].as_u64());
    let debuggee = u32::try_from(debuggee.context("no process event with a systemProcessId")?)?;
    figures.push((MEMORY, pss_without(client.pid(), debuggee)? as f64 / 1e6));

    let mut nexts = Vec::new();
    for _ in 0..program.nexts {
        let started = Instant::now();
        client.request("next", json!({ "threadId": thread }))?;
        thread = stopped(&mut client)?;
        inspect(&mut client, thread)?;
        nexts.push(milliseconds(started.elapsed()));
    }
    if !nexts.is_empty() {
        figures.push((NEXT, super::table::median(&mut nexts)));
    }
    ensure!(top_function(&mut client, thread)? == "main.main", "next left main.main");

    if let Some((source, line)) = &program.call {
        let (into, out) = step_into_and_out(&mut client, thread, source, *line)?;
        figures.extend([(STEP, into), (OUT, out)]);
    }
    if let Some(crowd) = &program.crowd {
        figures.extend(in_a_crowd(&mut client, thread, crowd)?);
    }
    client.disconnect()?;
    Ok(figures)
}

/// Launches with a breakpoint on main.main; returns the thread that stopped there.
fn to_main(client: &mut Client, program: &Program) -> anyhow::Result<i64> {
    client.request(
        "initialize",
        json!({ "clientID": "bench", "adapterID": "go", "linesStartAt1": true, "columnsStartAt1": true,
            "pathFormat": "path", "supportsVariableType": true, "supportsVariablePaging": true }),
    )?;
    let launch = json!({ "mode": "exec", "program": program.binary, "args": program.arguments, "cwd": "/" });
    let launch = client.send("launch", launch)?;
    client.event(&["initialized"])?;
    client.request("setFunctionBreakpoints", json!({ "breakpoints": [{ "name": "main.main" }] }))?;
    client.request("configurationDone", json!({}))?;
    client.answer(launch)?;
    stopped(client)
}

fn stopped(client: &mut Client) -> anyhow::Result<i64> {
    let event = client.event(&["stopped"])?;
    event["body"]["threadId"].as_i64().context("stopped without threadId")
}

fn top_function(client: &mut Client, thread: i64) -> anyhow::Result<String> {
    let stack = client.request("stackTrace", json!({ "threadId": thread, "startFrame": 0, "levels": 1 }))?;
    let name = stack["stackFrames"][0]["name"].as_str().context("an empty stack")?;
    Ok(name.to_owned())
}

/// What an editor shows at a stop: threads, 20 frames, scopes, locals and their children.
fn inspect(client: &mut Client, thread: i64) -> anyhow::Result<()> {
    client.request("threads", json!({}))?;
    let stack = client.request("stackTrace", json!({ "threadId": thread, "startFrame": 0, "levels": 20 }))?;
    let scopes = client.request("scopes", json!({ "frameId": stack["stackFrames"][0]["id"] }))?;
    let is_locals = |s: &&Value| s["name"].as_str().is_some_and(|n| n.starts_with("Locals"));
    let locals =
        scopes["scopes"].as_array().and_then(|all| all.iter().find(is_locals)).context("no scope Locals")?;
    for local in variables(client, locals)? {
        variables(client, &local)?;
    }
    Ok(())
}

fn variables(client: &mut Client, parent: &Value) -> anyhow::Result<Vec<Value>> {
    if parent["variablesReference"].as_i64().unwrap_or(0) == 0 {
        return Ok(Vec::new());
    }
    let arguments = json!({ "variablesReference": parent["variablesReference"] });
    let body = client.request("variables", arguments)?;
    Ok(body["variables"].as_array().cloned().unwrap_or_default())
}

fn step_into_and_out(
    client: &mut Client,
    thread: i64,
    source: &Path,
    line: u64,
) -> anyhow::Result<(f64, f64)> {
    let thread = run_to(client, thread, source, line, None)?.0;
    let started = Instant::now();
    client.request("stepIn", json!({ "threadId": thread }))?;
    let thread = stopped(client)?;
    let into = milliseconds(started.elapsed());
    let landed = top_function(client, thread)?;
    ensure!(landed == "main.Square.Area", "the step landed in {landed}");
    let started = Instant::now();
    client.request("stepOut", json!({ "threadId": thread }))?;
    let thread = stopped(client)?;
    let out = milliseconds(started.elapsed());
    let back = top_function(client, thread)?;
    ensure!(back != "main.Square.Area", "the step out stayed in {back}");
    Ok((into, out))
}

/// Sets the only breakpoint of a file and continues to it; the thread that stopped, and how long it ran.
fn run_to(
    client: &mut Client,
    thread: i64,
    source: &Path,
    line: u64,
    condition: Option<&str>,
) -> anyhow::Result<(i64, f64)> {
    let mut breakpoint = json!({ "line": line });
    if let Some(condition) = condition {
        breakpoint["condition"] = condition.into();
    }
    client.request("setBreakpoints", json!({ "source": { "path": source }, "breakpoints": [breakpoint] }))?;
    let started = Instant::now();
    client.request("continue", json!({ "threadId": thread }))?;
    let thread = stopped(client)?;
    let elapsed = milliseconds(started.elapsed());
    let stack = client.request("stackTrace", json!({ "threadId": thread, "startFrame": 0, "levels": 1 }))?;
    ensure!(
        stack["stackFrames"][0]["line"] == line,
        "stopped at {} instead of {line}",
        stack["stackFrames"][0]
    );
    Ok((thread, elapsed))
}

/// Ten thousand goroutines, and a line that is passed `HITS` times.
fn in_a_crowd(client: &mut Client, thread: i64, crowd: &Crowd) -> anyhow::Result<Figures> {
    let source = &crowd.source;
    let (mut thread, _) = run_to(client, thread, source, crowd.parked, None)?;
    let started = Instant::now();
    client.request("next", json!({ "threadId": thread }))?;
    thread = stopped(client)?;
    inspect(client, thread)?;
    let inspected = milliseconds(started.elapsed());
    (thread, _) = run_to(client, thread, source, crowd.hit, None)?;
    let mut hits = Vec::new();
    for _ in 0..10 {
        let started = Instant::now();
        client.request("continue", json!({ "threadId": thread }))?;
        thread = stopped(client)?;
        hits.push(milliseconds(started.elapsed()));
    }
    let last = HITS - 1;
    let (_, elapsed) = run_to(client, thread, source, crowd.hit, Some(&format!("n == {last}")))?;
    // The line was passed for 0 to 10 before.
    let missed = f64::from(last - 11);
    Ok(vec![(CROWD, inspected), (CONTINUE, super::table::median(&mut hits)), (FALSE, elapsed / missed)])
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
