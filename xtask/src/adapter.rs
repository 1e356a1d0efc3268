//! Building the adapter, for the commands that drive it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

/// The adapter that the user named, else one that is built.
pub(crate) fn given_or_built(given: Option<&Path>, root: &Path, profile: &str) -> anyhow::Result<PathBuf> {
    match given {
        Some(path) => path.canonicalize().with_context(|| format!("the adapter {}", path.display())),
        None => build(root, profile),
    }
}

/// Builds `itab-dap` with a cargo profile (`dev`, `release`) and returns the binary. Cargo's messages go to stderr.
pub(crate) fn build(root: &Path, profile: &str) -> anyhow::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let out = Command::new(cargo)
        .args(["build", "--package", "itab-dap", "--bin", "itab-dap", "--profile", profile])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(root)
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("running cargo")?;
    ensure!(out.status.success(), "the adapter does not build");
    let messages = String::from_utf8(out.stdout)?;
    let artifacts = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let binary = artifacts.filter_map(|m| Some(PathBuf::from(m["executable"].as_str()?))).next_back();
    binary.context("cargo named no binary")
}
