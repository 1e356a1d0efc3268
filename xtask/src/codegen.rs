//! `cargo xtask codegen`: writes `adapter/wire/src/generated/` from the JSON schema of the Debug Adapter Protocol.
//!
//! It must never invent vocabulary: every name in its output comes from the schema, and the shapes listed in
//! [`vocabulary::FROM_DAP`] are left to the `dap` crate. Its output is checked in; `--check` compares instead of writing.

mod emit;
mod schema;
mod vocabulary;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

/// Arguments of `cargo xtask codegen`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The schema file (default: `../shared/dap/debugAdapterProtocol.json` beside the project)
    #[arg(long, value_name = "FILE")]
    pub(crate) schema: Option<PathBuf>,
    /// Compare with the checked-in files and fail on a difference, write nothing
    #[arg(long)]
    pub(crate) check: bool,
}

impl Arguments {
    /// The schema file that will be read.
    pub(crate) fn schema_file(&self, root: &Path) -> PathBuf {
        self.schema.clone().unwrap_or_else(|| root.join("../shared/dap/debugAdapterProtocol.json"))
    }
}

/// Runs the generator for the workspace at `root`.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> anyhow::Result<()> {
    let path = arguments.schema_file(root);
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read the schema {}; name it with --schema", path.display()))?;
    let protocol = schema::Protocol::parse(&text)?;
    let folder = root.join("adapter/wire/src/generated");
    let mut different = Vec::new();
    for (name, source) in emit::files(&protocol)? {
        let file = folder.join(name);
        let source = format_source(&source).with_context(|| format!("formatting {name}"))?;
        if std::fs::read_to_string(&file).is_ok_and(|old| old == source) {
            continue;
        }
        different.push(name);
        if !arguments.check {
            std::fs::create_dir_all(&folder)?;
            std::fs::write(&file, source).with_context(|| format!("writing {}", file.display()))?;
        }
    }
    if arguments.check && !different.is_empty() {
        bail!("{} differ from the schema: run `cargo xtask codegen`", different.join(", "));
    }
    Ok(())
}

/// Formats with the project's `rustfmt.toml`, so that `cargo fmt --check` agrees with the generator.
fn format_source(source: &str) -> anyhow::Result<String> {
    let mut child = Command::new("rustfmt")
        .args(["--edition", "2024", "--config", "max_width=110,use_small_heuristics=Max"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("rustfmt is needed: rustup component add rustfmt")?;
    child.stdin.take().context("no stdin")?.write_all(source.as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("rustfmt refused the generated source");
    }
    Ok(String::from_utf8(output.stdout)?)
}
