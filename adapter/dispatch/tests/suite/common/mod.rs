//! What the tests of this folder share: their programs, what go/types says about them, and a small client for gdbserver over its
//! standard streams.

pub(crate) mod stub;

use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) use gofixture::{Mode, Toolchain as Go, exact as go};

/// The versions that tests run on.
pub(crate) fn versions() -> Vec<&'static str> {
    gofixture::matrix().into_iter().map(|go| go.version.as_str()).collect()
}

/// Builds `dir` (a Go module's folder) or a command of the distribution once; returns the program.
pub(crate) fn build(go: &Go, dir: &Path, package: &str, mode: Mode, arch: &str) -> PathBuf {
    let program = match package {
        "." => gofixture::Program::new(dir),
        command => gofixture::Program::distribution(command),
    };
    program.build(go, for_arch(mode, arch))
}

fn for_arch(mode: Mode, arch: &str) -> Mode {
    match arch {
        "arm64" => {
            assert_eq!(mode, Mode::Optimised);
            Mode::Arm64
        }
        _ => mode,
    }
}

/// The folder of a fixture's source.
pub(crate) fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

/// What go/types says about a package (tests/truth), or None when the newest toolchain is missing.
pub(crate) fn truth(package: &Path) -> Option<Vec<Vec<String>>> {
    let go = go("1.27.3")?;
    let tool = build(go, &source("truth"), ".", Mode::Optimised, "amd64");
    let mut path = go.go.parent().unwrap().as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let out = Command::new(tool)
        .arg(package)
        .env("PATH", path)
        .env("GOTOOLCHAIN", "local")
        .env("GOROOT", go.go.parent().unwrap().parent().unwrap())
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8_lossy(&out.stdout);
    Some(text.lines().map(|l| l.split('\t').map(String::from).collect()).collect())
}
