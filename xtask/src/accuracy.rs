//! `cargo xtask accuracy`: the dispatch engine's answers against the compiler's record, go/types and what really runs, as tables.
//!
//! The measuring is done by the tests of `dispatch` (adapter/dispatch/tests/suite), which fail on a wrong answer; this command gives
//! them what they need and prints their rows.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::provision::{Provision, path_with};

/// Arguments of `cargo xtask accuracy`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Every Go version from 1.21 on, and a large program from the module proxy: hours
    #[arg(long)]
    full: bool,
    /// Our own programs only: minutes
    #[arg(long, conflicts_with = "full")]
    own: bool,
    /// Only builds whose name has all these words, as in "cmd/go 1.27.3 amd64 opt"; several with commas
    #[arg(long, value_name = "WORDS", default_value = "")]
    only: String,
    /// Only tests whose name contains this: interfaces, places, views, runtime, hostile, cost
    #[arg(long, value_name = "NAME", default_value = "")]
    test: String,
    /// Print every call that falls short, not five of each kind
    #[arg(long)]
    show: bool,
    /// Build with optimisations: needed for the figures of cost
    #[arg(long)]
    release: bool,
    /// Install nothing; say what is missing
    #[arg(long)]
    offline: bool,
}

pub(crate) fn run(root: &Path, arguments: &Arguments) -> anyhow::Result<()> {
    let mut provision = Provision::new(arguments.offline)?;
    let wanted: &[&str] = if arguments.full { &gofixture::ALL } else { &gofixture::MATRIX };
    let versions: Vec<_> = wanted.iter().filter_map(|v| provision.exact_go(v)).collect();
    let gdbserver = provision.gdbserver();
    provision.c_compiler();
    provision.require();
    let newest = versions.last().context("no Go version")?;
    let rows = tempfile::NamedTempFile::new()?;
    let mut tests = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    tests.current_dir(root).args(["test", "-p", "dispatch", "--test", "suite"]);
    if arguments.release {
        tests.arg("--release");
    }
    tests.args(["--", "--nocapture", "--test-threads", "1"]);
    if !arguments.test.is_empty() {
        tests.arg(&arguments.test);
    }
    let extent = match (arguments.full, arguments.own) {
        (true, _) => "full",
        (_, true) => "own",
        _ => "real",
    };
    tests
        .env("PATH", path_with(&[newest, &gdbserver.context("gdbserver")?]))
        .env("GOTOOLCHAIN", "local")
        .env("ITAB_ACCURACY", extent)
        .env("ITAB_ACCURACY_ONLY", &arguments.only)
        .env("ITAB_ACCURACY_ROWS", rows.path());
    if arguments.show {
        tests.env("SHOW", "1");
    }
    let status = tests.status()?;
    print(&std::fs::read_to_string(rows.path())?);
    ensure!(status.success(), "something is wrong, or falls short: see above");
    Ok(())
}

/// A table's rows: label and cells with their headings.
type Rows<'a> = Vec<(&'a str, Vec<(&'a str, &'a str)>)>;

fn print(text: &str) {
    let mut tables: BTreeMap<&str, Rows<'_>> = BTreeMap::new();
    for line in text.lines() {
        let mut fields = line.split('\t');
        let (Some(table), Some(label)) = (fields.next(), fields.next()) else { continue };
        let cells = fields.filter_map(|f| f.split_once('=')).collect();
        tables.entry(table).or_default().push((label, cells));
    }
    for (name, rows) in &tables {
        print!("\n## {name}\n\n{}", table(rows));
    }
}

/// Markdown, aligned for a terminal too.
fn table(rows: &Rows<'_>) -> String {
    let Some((_, first)) = rows.first() else { return String::new() };
    let mut lines: Vec<Vec<&str>> = vec![std::iter::once("build").chain(first.iter().map(|c| c.0)).collect()];
    lines
        .extend(rows.iter().map(|(l, cells)| std::iter::once(*l).chain(cells.iter().map(|c| c.1)).collect()));
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |k: usize| lines.iter().filter_map(|l| l.get(k)).map(|c| c.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for (i, line) in lines.iter().enumerate() {
        for (k, w) in widths.iter().enumerate() {
            out.push_str(&format!("| {:w$} ", line.get(k).unwrap_or(&"")));
        }
        out.push_str("|\n");
        if i == 0 {
            out.push_str(&widths.iter().map(|w| format!("|{}", "-".repeat(w + 2))).collect::<String>());
            out.push_str("|\n");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_a_table() {
        let text =
            table(&vec![("a 1", vec![("sites", "10"), ("wrong", "0")]), ("long", vec![("sites", "2")])]);
        assert_eq!(
            text,
            "| build | sites | wrong |\n|-------|-------|-------|\n| a 1   | 10    | 0     |\n| long  | 2     |       |\n"
        );
    }
}
