//! `cargo xtask test`: everything that has to hold, in one command. Runs all steps, also after one has failed, and ends with one
//! result line for each and the totals of the Rust tests.

mod step;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::codegen;
use crate::provision::{Provision, on_path, path_with};
use step::{Outcome, Report};

/// Arguments of `cargo xtask test`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The full product of back ends, Go versions and build modes, not the short matrix
    #[arg(long)]
    full: bool,
    /// Also drive a real VS Code in a headless browser (Node.js, Chromium; downloads code-server once, 800 MB), and Neovim
    #[arg(long)]
    editors: bool,
    /// Install nothing; say what is missing
    #[arg(long)]
    offline: bool,
}

pub(crate) fn run(root: &Path, arguments: &Arguments) -> anyhow::Result<()> {
    let tools = Tools::gather(arguments)?;
    let mut report = Report::default();
    let cargo = |subcommand: &str| {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.arg(subcommand).current_dir(root);
        command
    };
    report.command("format", cargo("fmt").args(["--all", "--check"]));
    report.check("tidy", || crate::tidy::run(root));
    report.command(
        "clippy",
        cargo("clippy").args(["--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]),
    );
    protocol_is_current(root, &mut report);
    report.check("package.json is current", || crate::schema::run(root, true));
    for (version, go) in &tools.go {
        let mut vet = Command::new(go);
        vet.args(["vet", "./..."]).current_dir(root.join("examples")).env("GOTOOLCHAIN", "local");
        report.command(&format!("examples, go {version}"), &mut vet);
    }
    let mut adapter = None;
    report.check("the adapter builds", || {
        adapter = Some(crate::adapter::build(root, "dev")?);
        Ok(())
    });
    let Some(adapter) = adapter else { return report.finish() };
    let mut tests = cargo("test");
    // Skips are printed by tests that pass, which the test harness would hide.
    tests.args(["--workspace", "--no-fail-fast", "--", "--show-output"]);
    tests.env("PATH", &tools.path).env("GOTOOLCHAIN", "local").env("ITAB_DAP", &adapter);
    if arguments.full {
        tests.env("ITAB_DAP_FULL", "1");
    }
    report.rust_tests("Rust tests", &mut tests);
    extension(root, &tools, &adapter, arguments.offline, &mut report);
    if arguments.editors {
        editors(root, &tools, &adapter, arguments.offline, &mut report);
    }
    report.finish()
}

/// What the tests need.
struct Tools {
    go: Vec<(String, PathBuf)>,
    path: std::ffi::OsString,
}

impl Tools {
    /// Gathers all, so that everything missing is named at once.
    fn gather(arguments: &Arguments) -> anyhow::Result<Self> {
        let mut provision = Provision::new(arguments.offline)?;
        let wanted: &[&str] = if arguments.full { &gofixture::ALL } else { &gofixture::MATRIX };
        let versions: Vec<_> =
            wanted.iter().filter_map(|v| Some(((*v).to_owned(), provision.exact_go(v)?))).collect();
        let gdbserver = provision.gdbserver();
        provision.c_compiler();
        provision.require();
        let newest = versions.last().map(|(_, go)| go.clone()).context("no Go version")?;
        let gdbserver = gdbserver.context("gdbserver")?;
        // A go command that is in PATH already stays the first one: users test with theirs.
        let path = match on_path("go") {
            Some(_) => path_with(&[&gdbserver]),
            None => path_with(&[&newest, &gdbserver]),
        };
        Ok(Self { go: versions, path })
    }
}

/// The checked-in vocabulary against the protocol's schema, where that file is at hand.
fn protocol_is_current(root: &Path, report: &mut Report) {
    let arguments = codegen::Arguments { schema: None, check: true };
    let name = "protocol vocabulary is current";
    if arguments.schema_file(root).is_file() {
        report.check(name, || codegen::run(root, &arguments));
    } else {
        report.add(name, Outcome::Skipped("the protocol's JSON schema is not beside the project".into()));
    }
}

/// The VS Code extension: types, bundle, and its session code against the real adapter.
fn extension(root: &Path, tools: &Tools, adapter: &Path, offline: bool, report: &mut Report) {
    let name = "extension tests";
    let (Some(npm), Some(_)) = (on_path("npm"), on_path("node")) else {
        return report.add(name, Outcome::absent("Node.js and npm"));
    };
    let folder = root.join("vscode-extension");
    let npm = |arguments: &[&str]| {
        let mut command = Command::new(&npm);
        command.args(arguments).current_dir(&folder).env("PATH", &tools.path).env("ITAB_DAP", adapter);
        command.env("GOTOOLCHAIN", "local");
        command
    };
    if !folder.join("node_modules/.package-lock.json").is_file() {
        if offline {
            return report
                .add(name, Outcome::absent("vscode-extension/node_modules (not installed: --offline)"));
        }
        if !report
            .command("extension packages", &mut npm(&["ci", "--ignore-scripts", "--no-audit", "--no-fund"]))
        {
            return;
        }
    }
    report.command(name, &mut npm(&["test"]));
}

/// A user's session in real editors, with the README's configuration.
fn editors(root: &Path, tools: &Tools, adapter: &Path, offline: bool, report: &mut Report) {
    let environment = |mut command: Command| {
        command.env("PATH", &tools.path).env("ITAB_DAP", adapter).env("GOTOOLCHAIN", "local");
        command
    };
    match on_path("node").filter(|_| on_path("npm").is_some()) {
        Some(node) => {
            let mut command = environment(Command::new(node));
            let script = root.join("vscode-extension/test/editor/vscode.mjs");
            report.script("VS Code", command.arg(script).args(offline.then_some("--offline")));
        }
        None => report.add("VS Code", Outcome::absent("Node.js and npm")),
    }
    match on_path("nvim") {
        Some(nvim) => {
            let mut command = environment(Command::new(nvim));
            let script = root.join("tests/editors/neovim.lua");
            report.script("Neovim", command.args(["--clean", "--headless", "-l"]).arg(script));
        }
        None => report.add("Neovim", Outcome::absent("nvim (0.10 or newer)")),
    }
}
