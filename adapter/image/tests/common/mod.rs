//! Builds the fixtures, once for each Go version and mode, into a folder that the runs share.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};

/// How a fixture is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Debug,
    Opt,
    Stripped,
    Pie,
    PieStripped,
    Cgo,
    CgoPie,
    Arm64,
    Uncompressed,
}

impl Mode {
    fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Mode::Debug | Mode::Cgo => &["-gcflags=all=-N -l"],
            Mode::Opt | Mode::Arm64 => &[],
            Mode::Stripped => &["-ldflags=-s -w"],
            Mode::Pie => &["-buildmode=pie", "-gcflags=all=-N -l"],
            Mode::PieStripped => &["-buildmode=pie", "-ldflags=-s -w"],
            Mode::CgoPie => &["-buildmode=pie"],
            Mode::Uncompressed => &["-ldflags=-compressdwarf=false"],
        }
    }

    pub(crate) fn has_dwarf(self) -> bool {
        !matches!(self, Mode::Stripped | Mode::PieStripped)
    }
}

/// One toolchain: minor version and the `go` command.
#[derive(Clone, Debug)]
pub(crate) struct Toolchain {
    pub(crate) version: String,
    pub(crate) go: PathBuf,
}

/// The toolchains of the cache; that of `$GO` or PATH when the cache has none.
pub(crate) fn toolchains() -> &'static [Toolchain] {
    static ALL: OnceLock<Vec<Toolchain>> = OnceLock::new();
    ALL.get_or_init(|| {
        let home = std::env::var("HOME").unwrap_or_default();
        let cache = std::env::var("XDG_CACHE_HOME").unwrap_or_else(|_| format!("{home}/.cache"));
        let mut found = Vec::new();
        for entry in std::fs::read_dir(Path::new(&cache).join("itab-dap/go")).into_iter().flatten().flatten()
        {
            let go = entry.path().join("bin/go");
            if go.is_file() {
                found.push(Toolchain { version: entry.file_name().to_string_lossy().into_owned(), go });
            }
        }
        if found.is_empty() {
            let go = std::env::var("GO").unwrap_or_else(|_| "go".into());
            if let Ok(out) = Command::new(&go).arg("version").output() {
                let text = String::from_utf8_lossy(&out.stdout).into_owned();
                let version = text.split("go1.").nth(1).and_then(|v| v.split(' ').next());
                found.extend(version.map(|v| Toolchain { version: format!("1.{v}"), go: go.into() }));
            }
        }
        found
            .sort_by_key(|t| t.version.split('.').map(|n| n.parse::<u32>().unwrap_or(0)).collect::<Vec<_>>());
        if found.is_empty() {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "no Go toolchain");
            eprintln!("SKIPPED: no Go toolchain ($GO, the cache folder, PATH)");
        }
        found
    })
}

pub(crate) fn newest() -> Option<&'static Toolchain> {
    toolchains().last()
}

fn fixtures() -> PathBuf {
    let target = std::env::var("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|_| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target")).join("fixtures")
}

/// Source folder of the fixtures.
pub(crate) fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(format!("{name}.go"))
}

/// Builds `name` with a toolchain in a mode, or returns what an earlier run built from the same source.
pub(crate) fn build(name: &str, t: &Toolchain, mode: Mode) -> PathBuf {
    // One at a time within a test run; across runs the rename decides.
    static BUILDING: Mutex<()> = Mutex::new(());
    let _one = BUILDING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let folder = fixtures();
    std::fs::create_dir_all(&folder).unwrap();
    let out = folder.join(format!("image-{name}-{}-{}", t.version, mode.name()));
    let newer =
        |a: &Path, b: &Path| Some(a.metadata().ok()?.modified().ok()? > b.metadata().ok()?.modified().ok()?);
    if newer(&out, &source(name)) == Some(true) {
        return out;
    }
    let temporary = folder.join(format!("image-{name}-{}-{}.{}", t.version, mode.name(), std::process::id()));
    let mut cmd = Command::new(&t.go);
    cmd.arg("build").args(mode.arguments()).arg("-o").arg(&temporary).arg(source(name));
    cmd.env("GOTOOLCHAIN", "local").env("GOFLAGS", "-mod=mod").env("GOOS", "linux");
    let cgo = matches!(mode, Mode::Cgo | Mode::CgoPie);
    cmd.env("CGO_ENABLED", if cgo { "1" } else { "0" });
    if mode == Mode::Arm64 {
        cmd.env("GOARCH", "arm64");
    }
    let done = cmd.output().unwrap();
    assert!(
        done.status.success(),
        "{name} {} {mode:?}: {}",
        t.version,
        String::from_utf8_lossy(&done.stderr)
    );
    std::fs::rename(&temporary, &out).unwrap();
    out
}

/// 1-based line of the first line of the fixture that contains `text`.
pub(crate) fn line_of(name: &str, text: &str) -> u32 {
    let source = std::fs::read_to_string(source(name)).unwrap();
    source.lines().position(|l| l.contains(text)).unwrap() as u32 + 1
}
