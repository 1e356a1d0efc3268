//! `cargo xtask`: what the project does to itself. Run `cargo xtask --help`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "commands talk to the person who runs them")]
#![allow(clippy::indexing_slicing, reason = "indexing a JSON value answers null, it does not panic")]

mod accuracy;
mod adapter;
mod bench;
mod codegen;
mod dap;
mod demo;
mod provision;
mod schema;
mod suite;
mod tidy;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;

#[derive(Debug, clap::Parser)]
#[command(name = "cargo xtask", about = "What the project does to itself")]
enum Xtask {
    /// Debug an example through gdbserver and print what a user would see
    Demo(demo::Arguments),
    /// Run everything that has to hold: format, lints, rules, all tests
    Test(suite::Arguments),
    /// Check the rules about the source that no compiler checks
    Tidy,
    /// Write what is generated: the protocol's vocabulary (adapter/wire/src/generated) from its JSON schema, and the extension's
    /// launch and attach attributes from the Rust structs
    Codegen(codegen::Arguments),
    /// Measure against Delve, side by side on the same programs
    Bench(bench::Arguments),
    /// Measure the dispatch engine's answers against the compiler, go/types and what runs
    Accuracy(accuracy::Arguments),
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in the workspace")?;
    match Xtask::parse() {
        Xtask::Demo(arguments) => demo::run(root, &arguments),
        Xtask::Test(arguments) => suite::run(root, &arguments),
        Xtask::Tidy => tidy::run(root),
        Xtask::Codegen(arguments) => generate(root, &arguments),
        Xtask::Bench(arguments) => bench::run(root, &arguments),
        Xtask::Accuracy(arguments) => accuracy::run(root, &arguments),
    }
}

/// Both generators; the protocol's schema file is not part of the project, and where it is absent its part is left as it is.
fn generate(root: &Path, arguments: &codegen::Arguments) -> anyhow::Result<()> {
    let schema = arguments.schema_file(root);
    if schema.is_file() || arguments.schema.is_some() {
        codegen::run(root, arguments)?;
    } else {
        eprintln!("skipped: the protocol's vocabulary ({} is not there)", schema.display());
    }
    schema::run(root, arguments.check)
}
