//! The generated part of the VS Code extension's `package.json`: `configurationAttributes` of the debug type, out of the
//! adapter's Rust structs. Everything else in the file is written by hand and stays as it is, byte for byte.

use std::ops::Range;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

const KEY: &str = "\"configurationAttributes\": ";

/// Writes the attributes into `package.json`; with `check` compares only.
pub(crate) fn run(root: &Path, check: bool) -> anyhow::Result<()> {
    let file = root.join("vscode-extension/package.json");
    let old = std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    let span = object_after(&old, KEY).context("package.json has no configurationAttributes")?;
    let indent =
        old.get(..span.start).and_then(|t| t.lines().last()).map_or(0, |l| l.len() - l.trim_start().len());
    let margin = format!("\n{}", " ".repeat(indent));
    let attributes = serde_json::to_string_pretty(&attributes(root)?)?.replace('\n', &margin);
    let mut new = old.clone();
    new.replace_range(span, &attributes);
    if new == old {
        return Ok(());
    }
    if check {
        bail!("vscode-extension/package.json differs from the Rust structs: run `cargo xtask codegen`");
    }
    std::fs::write(&file, new).with_context(|| format!("writing {}", file.display()))
}

/// Asks the adapter's crate for its schemas: `{"launch": ..., "attach": ...}`.
fn attributes(root: &Path) -> anyhow::Result<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let out = Command::new(cargo)
        .args(["run", "--quiet", "--package", "itab-dap", "--example", "schema"])
        .current_dir(root)
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("running cargo")?;
    ensure!(out.status.success(), "the schema could not be generated");
    serde_json::from_slice(&out.stdout).context("the schema is no JSON")
}

/// The span of the JSON object that follows `key`.
fn object_after(text: &str, key: &str) -> Option<Range<usize>> {
    let start = text.find(key)? + key.len();
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for (i, byte) in text.bytes().enumerate().skip(start) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' => depth += 1,
            b'}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(start..i + 1);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_is_found_across_strings() {
        let text = r#"{"configurationAttributes": {"a": "}\"{", "b": {}}, "c": 1}"#;
        assert_eq!(&text[object_after(text, KEY).unwrap()], r#"{"a": "}\"{", "b": {}}"#);
        assert_eq!(object_after("{}", KEY), None);
    }
}
