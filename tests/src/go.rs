//! Go toolchains of the machine.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// A toolchain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toolchain {
    pub go: PathBuf,
    /// 1.x.y as (x, y).
    pub version: (u32, u32),
}

impl Toolchain {
    /// `1.27.3`
    pub fn name(&self) -> String {
        format!("1.{}.{}", self.version.0, self.version.1)
    }
}

/// All toolchains, oldest first: `$GO`, the cache folder, PATH.
pub fn all() -> &'static [Toolchain] {
    static ALL: LazyLock<Vec<Toolchain>> = LazyLock::new(|| {
        let mut candidates: Vec<PathBuf> = std::env::var_os("GO").map(PathBuf::from).into_iter().collect();
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")));
        let folders = cache.and_then(|cache| std::fs::read_dir(cache.join("itab-dap/go")).ok());
        candidates.extend(folders.into_iter().flatten().flatten().map(|folder| folder.path().join("bin/go")));
        candidates.push("go".into());
        let mut found: Vec<Toolchain> = Vec::new();
        for go in candidates {
            let Some(version) = version_of(&go) else { continue };
            if !found.iter().any(|other| other.version == version) {
                found.push(Toolchain { go, version });
            }
        }
        found.sort_by_key(|toolchain| toolchain.version);
        found
    });
    &ALL
}

/// The newest patch of Go 1.`minor`.
pub fn minor(minor: u32) -> Option<Toolchain> {
    all().iter().rev().find(|toolchain| toolchain.version.0 == minor).cloned()
}

/// The newest Go that is there. Without any, the end-to-end tests can't run at all.
pub fn newest() -> Toolchain {
    all().last().cloned().expect("a Go toolchain: set $GO, or run `cargo xtask test`, which fetches one")
}

fn version_of(go: &Path) -> Option<(u32, u32)> {
    let output = Command::new(go).arg("version").env("GOTOOLCHAIN", "local").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let version = text.split_whitespace().nth(2)?.strip_prefix("go1.")?.to_owned();
    let mut numbers = version.split('.').map(|part| part.parse().ok());
    Some((numbers.next()??, numbers.next().flatten().unwrap_or(0)))
}
