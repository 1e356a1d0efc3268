//! The test programs of this folder.

use std::path::{Path, PathBuf};

use gofixture::Toolchain;
pub(crate) use gofixture::{Mode, matrix, newest};

/// The program `name` of `tests/programs`, built.
pub(crate) fn build(name: &str, toolchain: &Toolchain, mode: Mode) -> PathBuf {
    gofixture::build(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(name),
        toolchain,
        mode,
    )
}
