//! Fixtures: Go programs built once for each version and mode, and a small client for gdbserver over its standard streams.

pub(crate) mod stub;

use std::path::{Path, PathBuf};
use std::process::Command;

/// A Go toolchain.
#[derive(Clone, Debug)]
pub(crate) struct Go {
    pub(crate) version: String,
    pub(crate) path: PathBuf,
}

fn cache() -> PathBuf {
    std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|h| PathBuf::from(h).join(".cache")))
        .unwrap_or_else(|| PathBuf::from("/nonexistent"))
        .join("itab-dap/go")
}

/// The toolchain of `version`; a missing one is a printed skip, and a failure with CI=true.
pub(crate) fn go(version: &str) -> Option<Go> {
    let candidates = [
        std::env::var_os("GO").map(PathBuf::from),
        Some(cache().join(version).join("bin/go")),
        Some(PathBuf::from("go")),
    ];
    for path in candidates.into_iter().flatten() {
        let Ok(out) = Command::new(&path).arg("version").env("GOTOOLCHAIN", "local").output() else {
            continue;
        };
        if String::from_utf8_lossy(&out.stdout).contains(&format!("go{version} ")) {
            return Some(Go { version: version.into(), path });
        }
    }
    assert!(std::env::var_os("CI").is_none_or(|v| v != "true"), "go {version} is missing");
    eprintln!("skipped: go {version} is not installed");
    None
}

/// How a program is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Opt,
    Debug,
    Stripped,
}

impl Mode {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Mode::Opt => "opt",
            Mode::Debug => "debug",
            Mode::Stripped => "stripped",
        }
    }

    fn flags(self) -> &'static [&'static str] {
        match self {
            Mode::Opt => &[],
            Mode::Debug => &["-gcflags=all=-N -l"],
            Mode::Stripped => &["-ldflags=-s -w"],
        }
    }
}

fn fixtures() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().map(Path::to_path_buf);
    let dir = target.unwrap_or_else(std::env::temp_dir).join("fixtures");
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

/// Builds `dir` (a Go module's folder, or a package path inside it) once; returns the program.
pub(crate) fn build(go: &Go, name: &str, dir: &Path, package: &str, mode: Mode, arch: &str) -> PathBuf {
    let out = fixtures().join(format!("{name}-{}-{}-{arch}", go.version, mode.name()));
    if fresh(&out, dir) {
        return out;
    }
    let temp = out.with_extension(format!("{}", std::process::id()));
    let status = Command::new(&go.path)
        .current_dir(dir)
        .env("GOTOOLCHAIN", "local")
        .env("GOARCH", arch)
        .env("GOOS", "linux")
        .env("CGO_ENABLED", "0")
        .env("GOFLAGS", "-mod=mod")
        .arg("build")
        .args(mode.flags())
        .arg("-o")
        .arg(&temp)
        .arg(package)
        .status()
        .unwrap();
    assert!(status.success(), "go build {name} {mode:?} failed");
    std::fs::rename(&temp, &out).unwrap();
    out
}

/// The program is newer than its sources.
fn fresh(out: &Path, dir: &Path) -> bool {
    let time = |p: &Path| p.metadata().and_then(|m| m.modified()).ok();
    let Some(built) = time(out) else { return false };
    let Ok(list) = std::fs::read_dir(dir) else { return true };
    list.flatten().filter_map(|e| time(&e.path())).all(|t| t <= built)
}

/// The folder of a fixture's source.
pub(crate) fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

/// What go/types says about a package (tests/truth), or None when the newest toolchain is missing.
pub(crate) fn truth(package: &Path) -> Option<Vec<Vec<String>>> {
    let go = go("1.27.3")?;
    let tool = build(&go, "truth", &source("truth"), ".", Mode::Opt, "amd64");
    let mut path = go.path.parent().unwrap().as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let out = Command::new(tool)
        .arg(package)
        .env("PATH", path)
        .env("GOTOOLCHAIN", "local")
        .env("GOROOT", go.path.parent().unwrap().parent().unwrap())
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8_lossy(&out.stdout);
    Some(text.lines().map(|l| l.split('\t').map(String::from).collect()).collect())
}
