//! The fixtures of this folder.
#![allow(dead_code, reason = "each test crate uses a part of it")]

use std::path::{Path, PathBuf};

use gofixture::{Mode, Toolchain};

/// Source of a fixture.
pub(crate) fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(format!("{name}.go"))
}

/// Builds `name` with a toolchain in a mode, or returns what an earlier run built from the same source.
pub(crate) fn build(name: &str, t: &Toolchain, mode: Mode) -> PathBuf {
    gofixture::build(&source(name), t, mode)
}

/// 1-based line of the first line of the fixture that contains `text`.
pub(crate) fn line_of(name: &str, text: &str) -> u32 {
    let source = std::fs::read_to_string(source(name)).unwrap();
    source.lines().position(|l| l.contains(text)).unwrap() as u32 + 1
}
