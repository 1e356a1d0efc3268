//! `cargo xtask`: what the project does to itself. Run `cargo xtask --help`.

mod codegen;

use std::path::Path;

use anyhow::Context as _;
use clap::Parser as _;

#[derive(Debug, clap::Parser)]
enum Xtask {
    /// Write the protocol's vocabulary (adapter/wire/src/generated) from its JSON schema
    Codegen(codegen::Arguments),
}

fn main() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in the workspace")?;
    match Xtask::parse() {
        Xtask::Codegen(arguments) => codegen::run(root, &arguments),
    }
}
