//! Go toolchains of the machine, as the end-to-end tests ask for them: without any, they can't run at all.

pub use gofixture::Toolchain;

/// All that there are, oldest first.
pub fn all() -> &'static [Toolchain] {
    gofixture::toolchains()
}

/// The newest patch of Go 1.`minor`.
pub fn minor(minor: u32) -> Option<Toolchain> {
    all().iter().rev().find(|toolchain| toolchain.minor() == minor).cloned()
}

/// The newest Go that is there.
pub fn newest() -> Toolchain {
    all().last().cloned().expect("a Go toolchain: set $GO, or run `cargo xtask test`, which fetches one")
}
