//! What the tests of this folder share: their programs, and a small client for gdbserver over its standard streams.

pub(crate) mod stub;

use std::path::{Path, PathBuf};

pub(crate) use gofixture::{Mode, Toolchain as Go};

/// The folder of a fixture's source.
pub(crate) fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

/// The program that shows every kind of dynamic call.
pub(crate) fn disp(go: &Go, mode: Mode) -> PathBuf {
    gofixture::build(&source("disp"), go, mode)
}
