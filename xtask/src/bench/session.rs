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
}

/// Name and value: milliseconds, or megabytes where the name says so.
pub(super) type Figures = Vec<(&'static str, f64)>;

pub(super) const START: &str = "spawn to first stop, ms";
pub(super) const MEMORY: &str = "memory at first stop, MB";
pub(super) const NEXT: &str = "next + inspect, ms";
pub(super) const STEP: &str = "step into interface call, ms";

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
    figures.push((NEXT, super::table::median(&mut nexts)));
    ensure!(top_function(&mut client, thread)? == "main.main", "next left main.main");

    if let Some((source, line)) = &program.call {
        figures.push((STEP, step_into(&mut client, thread, source, *line)?));
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

fn step_into(client: &mut Client, thread: i64, source: &Path, line: u64) -> anyhow::Result<f64> {
    let breakpoint = json!({ "source": { "path": source }, "breakpoints": [{ "line": line }] });
    client.request("setBreakpoints", breakpoint)?;
    client.request("continue", json!({ "threadId": thread }))?;
    let thread = stopped(client)?;
    let started = Instant::now();
    client.request("stepIn", json!({ "threadId": thread }))?;
    let thread = stopped(client)?;
    let elapsed = milliseconds(started.elapsed());
    let landed = top_function(client, thread)?;
    ensure!(landed == "main.Square.Area", "the step landed in {landed}");
    Ok(elapsed)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
