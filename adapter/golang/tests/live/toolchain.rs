//! Go toolchains, and the test programs built with them, each once.

use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// `-gcflags=all=-N -l`.
    Debug,
    Optimised,
    /// `-ldflags=-s -w`.
    Stripped,
    /// Position independent.
    Pie,
}

/// Toolchains in the cache folder by version (`1.27.3`), and `$GO` if set.
pub(crate) fn toolchains() -> Vec<(String, PathBuf)> {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let mut found = Vec::new();
    for entry in cache.and_then(|c| c.join("itab-dap/go").read_dir().ok()).into_iter().flatten().flatten() {
        let go = entry.path().join("bin/go");
        if go.is_file() {
            found.push((entry.file_name().to_string_lossy().into_owned(), go));
        }
    }
    found.sort();
    found
}

/// The toolchains that tests run on; prints those that are missing, and fails where CI promises them.
pub(crate) fn matrix() -> Vec<(String, PathBuf)> {
    let all = toolchains();
    let wanted = ["1.21.13", "1.24.11", "1.25.5", "1.26.6", "1.27.3"];
    let mut got = Vec::new();
    for version in wanted {
        match all.iter().find(|(v, _)| v == version) {
            Some(t) => got.push(t.clone()),
            None => {
                println!("skipped: no Go {version}");
                assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "Go {version} is missing");
            }
        }
    }
    got
}

/// The newest toolchain of the matrix.
pub(crate) fn newest() -> Option<(String, PathBuf)> {
    matrix().pop()
}

/// The program `name` of `tests/programs`, built.
pub(crate) fn build(name: &str, (version, go): &(String, PathBuf), mode: Mode) -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = manifest.join("tests/programs").join(name);
    let folder = manifest.join("../../target/fixtures");
    std::fs::create_dir_all(&folder).unwrap();
    let out = folder.join(format!("golang-{name}-{version}-{mode:?}"));
    if is_newer(&out, &source) {
        return out;
    }
    let partial = folder.join(format!("golang-{name}-{version}-{mode:?}.{}", std::process::id()));
    let mut cmd = Command::new(go);
    cmd.arg("build").arg("-o").arg(&partial).current_dir(&source);
    match mode {
        Mode::Debug => cmd.arg("-gcflags=all=-N -l"),
        Mode::Optimised => &mut cmd,
        Mode::Stripped => cmd.arg("-ldflags=-s -w"),
        Mode::Pie => cmd.arg("-buildmode=pie"),
    };
    cmd.env("GOTOOLCHAIN", "local").env("GOFLAGS", "-mod=mod").env("GOWORK", "off");
    let output = cmd.output().unwrap();
    assert!(output.status.success(), "{name} {version}: {}", String::from_utf8_lossy(&output.stderr));
    std::fs::rename(&partial, &out).unwrap();
    out
}

fn is_newer(out: &Path, source: &Path) -> bool {
    let Ok(built) = out.metadata().and_then(|m| m.modified()) else { return false };
    source.read_dir().unwrap().flatten().all(|f| f.metadata().unwrap().modified().unwrap() <= built)
}
