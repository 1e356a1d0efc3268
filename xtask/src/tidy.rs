//! Rules about the source that no compiler checks. Each finding is `file:line: what`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

const MAX_LINES: usize = 600;

/// Who may import whom: docs/ARCHITECTURE.md draws the same picture. Development dependencies are free.
const ARROWS: [(&str, &[&str]); 10] = [
    ("machine", &[]),
    ("wire", &[]),
    ("rsp", &[]),
    ("expr", &[]),
    ("image", &["machine"]),
    ("target", &["machine", "rsp"]),
    ("golang", &["machine", "image"]),
    ("dispatch", &["machine", "expr", "image", "golang"]),
    ("eval", &["machine", "expr", "image", "golang", "dispatch"]),
    ("itab-dap", &["machine", "wire", "expr", "image", "target", "golang", "dispatch", "eval"]),
];

/// External crates that only one crate may name.
const OWNED: [(&str, &str); 7] = [
    ("dap", "wire"),
    ("gimli", "image"),
    ("object", "image"),
    ("memmap2", "image"),
    ("capstone", "dispatch"),
    ("schemars", "itab-dap"),
    ("clap", "itab-dap"),
];

/// Crates without I/O: these standard modules must not appear in them outside tests.
const PURE: [&str; 6] = ["machine", "rsp", "expr", "golang", "dispatch", "eval"];
const IMPURE_PATHS: [&str; 4] = ["std::fs", "std::net", "std::process", "std::os::unix::net"];

/// Prints the findings; an error when there are any.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    let mut findings = Vec::new();
    for file in source_files(root)? {
        let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        let name = file.strip_prefix(root).unwrap_or(&file);
        check_text(name, &text, &mut findings);
        if name.extension().is_some_and(|e| e == "rs") {
            check_rust(name, &text, &mut findings);
        }
    }
    for (krate, allowed) in ARROWS {
        let manifest = root.join("adapter").join(krate).join("Cargo.toml");
        let text =
            fs::read_to_string(&manifest).with_context(|| format!("reading {}", manifest.display()))?;
        check_arrows(krate, allowed, &text, &mut findings);
    }
    for finding in &findings {
        eprintln!("{finding}");
    }
    anyhow::ensure!(findings.is_empty(), "tidy: {} findings", findings.len());
    Ok(())
}

/// Files that git knows, or would take: what is ignored is no source.
fn source_files(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let out = std::process::Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .context("running git")?;
    anyhow::ensure!(out.status.success(), "git ls-files: {}", String::from_utf8_lossy(&out.stderr));
    let checked = ["rs", "ts", "go", "toml", "md", "mjs", "json"];
    let names = String::from_utf8(out.stdout)?;
    let paths = names.split('\0').filter(|n| !n.is_empty()).map(|n| root.join(n));
    Ok(paths
        .filter(|p| p.extension().and_then(|e| e.to_str()).is_some_and(|e| checked.contains(&e)))
        .filter(|p| p.is_file() && !is_generated(p))
        .collect())
}

fn is_generated(path: &Path) -> bool {
    path.file_name().is_some_and(|n| n == "package-lock.json")
        || path.components().any(|c| c.as_os_str() == "generated")
}

fn check_text(name: &Path, text: &str, findings: &mut Vec<String>) {
    let mut report = |line: usize, what: &str| findings.push(format!("{}:{line}: {what}", name.display()));
    for (i, line) in text.lines().enumerate() {
        if line.ends_with([' ', '\t', '\r']) {
            report(i + 1, "space at the end of the line");
        }
        // Spelt apart so that this file does not find itself.
        if [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")]
            .iter()
            .any(|mark| line.contains(mark))
        {
            report(i + 1, "unfinished work belongs into an issue, not into the source");
        }
        if line.starts_with("<<<<<<<") || line.starts_with(">>>>>>>") {
            report(i + 1, "conflict marker");
        }
    }
    if !text.is_empty() && !text.ends_with('\n') {
        report(text.lines().count(), "no newline at the end of the file");
    }
}

fn check_rust(name: &Path, text: &str, findings: &mut Vec<String>) {
    let mut report = |line: usize, what: String| findings.push(format!("{}:{line}: {what}", name.display()));
    if !text.starts_with("//!") {
        report(1, "a file begins with //!: what it is, what it must never do".into());
    }
    let count = text.lines().count();
    if count > MAX_LINES {
        report(MAX_LINES, format!("{count} lines; at most {MAX_LINES}: split the file by ideas"));
    }
    let pure = name.components().nth(1).and_then(|c| c.as_os_str().to_str()).filter(|c| PURE.contains(c));
    if let (true, Some(krate)) = (is_product_source(name), pure) {
        for (i, line) in product_lines(text) {
            if let Some(path) = IMPURE_PATHS.iter().find(|p| line.contains(*p)) {
                report(i, format!("{krate} does no I/O of its own, and this is {path}"));
            }
        }
    }
}

/// `adapter/CRATE/src/...`, without files of tests.
fn is_product_source(name: &Path) -> bool {
    let parts: Vec<_> = name.components().map(|c| c.as_os_str().to_string_lossy()).collect();
    let test_file =
        parts.last().is_some_and(|f| f == "tests.rs" || f.starts_with("test_") || f.ends_with("_tests.rs"));
    parts.first().is_some_and(|p| p == "adapter")
        && parts.get(2).is_some_and(|p| p == "src")
        && !test_file
        && !parts.iter().any(|p| p == "tests")
}

/// Code lines before the file's test module, with their numbers.
fn product_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let code = text.lines().enumerate().take_while(|(_, line)| !line.starts_with("#[cfg(test)]"));
    code.map(|(i, line)| (i + 1, line)).filter(|(_, line)| !line.trim_start().starts_with("//"))
}

fn check_arrows(krate: &str, allowed: &[&str], manifest: &str, findings: &mut Vec<String>) {
    let ours: BTreeMap<&str, &[&str]> = ARROWS.into_iter().collect();
    for (line, dependency) in dependencies(manifest) {
        let at = format!("adapter/{krate}/Cargo.toml:{line}");
        if ours.contains_key(dependency) && !allowed.contains(&dependency) {
            findings.push(format!("{at}: {krate} must not import {dependency}"));
        }
        if let Some((_, owner)) = OWNED.iter().find(|(name, owner)| *name == dependency && *owner != krate) {
            findings.push(format!("{at}: only {owner} mentions {dependency}"));
        }
    }
}

/// Names in `[dependencies]`, with their lines.
fn dependencies(manifest: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = manifest.lines().enumerate().skip_while(|(_, line)| line.trim() != "[dependencies]").skip(1);
    let section = lines.take_while(|(_, line)| !line.starts_with('['));
    section.filter_map(|(i, line)| {
        let name = line.split(['=', '.', ' ']).next()?.trim();
        (!name.is_empty() && !name.starts_with('#')).then_some((i + 1, name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arrow_in_the_wrong_direction_is_found() {
        let manifest = "[package]\nname = \"image\"\n\n[dependencies]\nmachine.workspace = true\ngolang.workspace = true\n\
             capstone = \"0.14\"\n\n[dev-dependencies]\ntarget.workspace = true\n";
        let mut findings = Vec::new();
        check_arrows("image", &["machine"], manifest, &mut findings);
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert!(findings[0].contains("image must not import golang") && findings[0].contains(":6:"));
        assert!(findings[1].contains("only dispatch mentions capstone"));
    }

    #[test]
    fn text_rules() {
        let mut findings = Vec::new();
        check_text(Path::new("a.md"), "fine\nspace \nno end", &mut findings);
        assert_eq!(findings.len(), 2, "{findings:?}");
        let mut findings = Vec::new();
        check_rust(
            Path::new("adapter/eval/src/x.rs"),
            "use std::fs;\n#[cfg(test)]\nuse std::net;\n",
            &mut findings,
        );
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert!(findings[1].contains("eval does no I/O"), "{findings:?}");
    }
}
