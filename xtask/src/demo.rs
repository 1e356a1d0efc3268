//! `cargo xtask demo`: debugs `examples/shapes` through a real gdbserver over the real protocol, and prints what a user would see.
//!
//! Everything that is printed comes out of the adapter's answers. What the demonstration promises is checked: where the step
//! does not land in the body behind the wrapper, the command fails.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::adapter;
use crate::dap::Client;
use crate::provision::{Provision, path_with};

/// Arguments of `cargo xtask demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The adapter to use (default: the one of this workspace, built)
    #[arg(long, value_name = "FILE")]
    adapter: Option<PathBuf>,
    /// Install nothing; say what is missing
    #[arg(long)]
    offline: bool,
}

pub(crate) fn run(root: &Path, arguments: &Arguments) -> anyhow::Result<()> {
    let mut provision = Provision::new(arguments.offline)?;
    let (go, gdbserver) = (provision.any_go(), provision.gdbserver());
    provision.c_compiler();
    provision.require();
    let (go, gdbserver) = (go.context("go")?, gdbserver.context("gdbserver")?);
    let program = adapter::given_or_built(arguments.adapter.as_deref(), root, "dev")?;
    let mut command = Command::new(program);
    command.env("GO", &go).env("PATH", path_with(&[&go, &gdbserver])).env("GOTOOLCHAIN", "local");
    let mut demo =
        Demo { client: Client::stdio(command)?, source: root.join("examples/shapes/main.go"), thread: 0 };
    demo.run()
}

struct Demo {
    client: Client,
    source: PathBuf,
    thread: i64,
}

impl Demo {
    fn run(&mut self) -> anyhow::Result<()> {
        let line = marked_line(&self.source, "area")?;
        self.start(line)?;
        self.stopped("Stopped at the breakpoint")?;
        let frame = self.show_stack(3)?;
        self.show_variables(frame)?;
        let site = self.show_dispatch(frame)?;
        heading("Dispatch step into s.Area");
        self.client.request("itab/dispatchStep", json!({ "threadId": self.thread, "siteId": site }))?;
        self.stopped("Landed")?;
        let frame = self.show_stack(2)?;
        self.check_landing()?;
        self.show_locals(frame)?;
        self.finish()
    }

    fn start(&mut self, line: u64) -> anyhow::Result<()> {
        heading("Session");
        let client = &mut self.client;
        let capabilities = client.request(
            "initialize",
            json!({ "clientID": "demo", "adapterID": "itab", "linesStartAt1": true, "columnsStartAt1": true,
                "pathFormat": "path", "supportsVariableType": true, "supportsVariablePaging": true }),
        )?;
        ensure!(
            capabilities["supportsStepInTargetsRequest"] == true,
            "the adapter does not announce stepInTargets"
        );
        let folder = self.source.parent().context("the example has a folder")?;
        let launch = json!({ "mode": "debug", "program": folder, "backend": "gdbserver" });
        println!("launch {launch}");
        let launch = client.send("launch", launch)?;
        client.event(&["initialized"]).context("waiting for the program to be built and loaded")?;
        let breakpoints = client.request(
            "setBreakpoints",
            json!({ "source": { "path": self.source }, "breakpoints": [{ "line": line }] }),
        )?;
        ensure!(
            breakpoints["breakpoints"][0]["verified"] == true,
            "the breakpoint was not set: {breakpoints}"
        );
        client.request("configurationDone", json!({}))?;
        client.answer(launch)?;
        for (_, text) in client.output.drain(..) {
            print!("{text}");
        }
        Ok(())
    }

    fn stopped(&mut self, title: &str) -> anyhow::Result<()> {
        let event = self.client.event(&["stopped"])?;
        let body = &event["body"];
        self.thread = body["threadId"].as_i64().context("stopped without threadId")?;
        let description = body["description"].as_str().or(body["reason"].as_str()).unwrap_or_default();
        heading(title);
        println!("goroutine {}: {description}", self.thread);
        Ok(())
    }

    /// Prints the top frames and the source around the first; returns the first one's id.
    fn show_stack(&mut self, levels: u64) -> anyhow::Result<i64> {
        let arguments = json!({ "threadId": self.thread, "startFrame": 0, "levels": levels });
        let stack = self.client.request("stackTrace", arguments)?;
        let frames = stack["stackFrames"].as_array().context("no frames")?;
        for (i, frame) in frames.iter().enumerate() {
            let file = frame["source"]["name"].as_str().or(frame["source"]["path"].as_str()).unwrap_or("?");
            println!("  #{i} {} at {file}:{}", text(frame, "name"), frame["line"]);
        }
        let top = frames.first().context("an empty stack")?;
        if let Some(path) = top["source"]["path"].as_str() {
            show_source(Path::new(path), top["line"].as_u64().unwrap_or(0));
        }
        top["id"].as_i64().context("a frame without id")
    }

    fn locals(&mut self, frame: i64) -> anyhow::Result<Vec<Value>> {
        let scopes = self.client.request("scopes", json!({ "frameId": frame }))?;
        let locals = scopes["scopes"]
            .as_array()
            .and_then(|s| s.iter().find(|s| s["name"].as_str().is_some_and(|n| n.starts_with("Locals"))));
        self.children(locals.context("no scope Locals")?)
    }

    fn children(&mut self, parent: &Value) -> anyhow::Result<Vec<Value>> {
        let reference = parent["variablesReference"].as_i64().unwrap_or(0);
        if reference == 0 {
            return Ok(Vec::new());
        }
        let body = self.client.request("variables", json!({ "variablesReference": reference }))?;
        Ok(body["variables"].as_array().cloned().unwrap_or_default())
    }

    fn show_locals(&mut self, frame: i64) -> anyhow::Result<()> {
        for variable in self.locals(frame)? {
            println!("  {} = {}", text(&variable, "name"), text(&variable, "value"));
        }
        Ok(())
    }

    /// The locals, with the interface `s` opened to its concrete value and its itab.
    fn show_variables(&mut self, frame: i64) -> anyhow::Result<()> {
        heading("Variables");
        let locals = self.locals(frame)?;
        let shape = locals.iter().find(|v| v["name"] == "s").context("no variable s")?.clone();
        ensure!(text(&shape, "value").contains("main.Square"), "s does not show its concrete type: {shape}");
        for variable in &locals {
            println!("  {} = {}", text(variable, "name"), text(variable, "value"));
            if variable["name"] == "s" {
                self.show_tree(variable, 2)?;
            }
        }
        let has_itab = self.children(&shape)?.iter().any(|v| v["name"] == "[itab]");
        ensure!(has_itab, "the interface has no [itab] child");
        Ok(())
    }

    fn show_tree(&mut self, variable: &Value, depth: usize) -> anyhow::Result<()> {
        for child in self.children(variable)? {
            println!(
                "{}{} = {}",
                "    ".repeat(4 - depth.min(3)),
                text(&child, "name"),
                text(&child, "value")
            );
            if depth > 1 && child["name"] == "[itab]" {
                self.show_tree(&child, depth - 1)?;
            }
        }
        Ok(())
    }

    /// Prints the dispatch table of the line; returns the id of the call of Area.
    fn show_dispatch(&mut self, frame: i64) -> anyhow::Result<i64> {
        heading("Dispatch table of the line (itab/dispatch)");
        let table = self.client.request("itab/dispatch", json!({ "frameId": frame }))?;
        let sites = table["sites"].as_array().context("no sites")?;
        for site in sites {
            let certainty = site["certainty"].as_str().unwrap_or_default();
            let state = [text(site, "state"), certainty.to_owned()].join(" ");
            println!(
                "  {} {:<10} {:<12} {}",
                site["order"],
                text(site, "kind"),
                text(site, "expression"),
                state.trim()
            );
            for link in site["chain"].as_array().into_iter().flatten() {
                let kind = link["kind"].as_str().map(|k| format!(" ({k})")).unwrap_or_default();
                println!(
                    "      {:<8} {} {}{kind}",
                    text(link, "role"),
                    text(link, "address"),
                    text(link, "name")
                );
            }
        }
        let targets = self.client.request("stepInTargets", json!({ "frameId": frame }))?;
        println!("Step targets, as an editor's menu shows them:");
        for target in targets["targets"].as_array().into_iter().flatten() {
            println!("  {}", text(target, "label"));
        }
        let area =
            sites.iter().find(|s| s["method"] == "Area").context("the call of Area is not in the table")?;
        ensure!(area["target"]["name"] == "main.Square.Area", "the target of s.Area is not the body: {area}");
        area["id"].as_i64().context("a site without id")
    }

    fn check_landing(&mut self) -> anyhow::Result<()> {
        let stack = self
            .client
            .request("stackTrace", json!({ "threadId": self.thread, "startFrame": 0, "levels": 1 }))?;
        let name = text(&stack["stackFrames"][0], "name");
        ensure!(name == "main.Square.Area", "the step landed in {name} instead of main.Square.Area");
        println!("  in the body, behind the wrapper main.(*Square).Area that the compiler generated");
        Ok(())
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        heading("On to the end");
        let source = json!({ "source": { "path": self.source }, "breakpoints": [] });
        self.client.request("setBreakpoints", source)?;
        self.client.request("continue", json!({ "threadId": self.thread }))?;
        let exit = self.client.event(&["exited"])?;
        self.client.event(&["terminated"])?;
        for (_, line) in self.client.output.iter().filter(|(category, _)| category == "stdout") {
            print!("{line}");
        }
        println!("exit code {}", exit["body"]["exitCode"]);
        ensure!(exit["body"]["exitCode"] == 0, "the program failed");
        self.client.request("disconnect", json!({})).map(drop)
    }
}

fn heading(title: &str) {
    println!("\n== {title}");
}

fn text(value: &Value, key: &str) -> String {
    match &value[key] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// Two lines of source before the line, and the line with an arrow.
fn show_source(path: &Path, line: u64) {
    let Ok(text) = std::fs::read_to_string(path) else { return };
    let line = usize::try_from(line).unwrap_or(0);
    for (i, code) in text.lines().enumerate().skip(line.saturating_sub(3)).take(4) {
        let mark = if i + 1 == line { "=>" } else { "  " };
        println!("    {mark} {:>3}  {}", i + 1, code.replace('\t', "    ").trim_end());
    }
}

/// The line that ends in `// stop: NAME`.
pub(crate) fn marked_line(source: &Path, name: &str) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string(source).with_context(|| format!("reading {}", source.display()))?;
    let mark = format!("// stop: {name}");
    let found = text.lines().position(|line| line.ends_with(&mark));
    let index = found.with_context(|| format!("no line of {} ends in {mark}", source.display()))?;
    Ok(u64::try_from(index)? + 1)
}
