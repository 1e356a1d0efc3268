//! Go commands that are already there, and their versions.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Major, minor, patch. A missing patch is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(pub(crate) u32, pub(crate) u32, pub(crate) u32);

impl Version {
    /// Takes `1.27.3`, `go1.27.3`, `1.19~1` and `go1.28rc1`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix("go").unwrap_or(text);
        let mut parts = text.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
        let major = parts.next()?.ok()?;
        let minor = parts.next()?.ok()?;
        let patch = parts.next().and_then(Result::ok).unwrap_or(0);
        Some(Self(major, minor, patch))
    }
}

/// `$GO`.
pub(super) fn given() -> Option<PathBuf> {
    std::env::var_os("GO").filter(|v| !v.is_empty()).map(PathBuf::from)
}

pub(super) fn on_path() -> Option<PathBuf> {
    super::on_path("go")
}

/// The version of a go command itself, not of a toolchain that it would switch to.
pub(super) fn version_of(go: &Path) -> Option<Version> {
    let out = Command::new(go)
        .args(["env", "GOVERSION"])
        .env("GOTOOLCHAIN", "local")
        .current_dir("/")
        .output()
        .ok()?;
    Version::parse(String::from_utf8(out.stdout).ok()?.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_ordered() {
        assert_eq!(Version::parse("go1.27.3"), Some(Version(1, 27, 3)));
        assert_eq!(Version::parse("1.19~1"), Some(Version(1, 19, 1)));
        assert_eq!(Version::parse("go1.28rc1"), Some(Version(1, 28, 0)));
        assert_eq!(Version::parse("devel"), None);
        assert!(Version(1, 9, 0) < Version(1, 21, 0));
    }
}
