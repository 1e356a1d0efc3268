//! Expressions on real Go programs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr
)]

mod assign;
mod debugger;
mod oracle;
#[path = "../support/mod.rs"]
mod support;
