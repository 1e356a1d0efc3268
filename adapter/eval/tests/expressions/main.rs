//! Expressions on real Go programs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout
)]

mod assign;
mod debugger;
mod hostile;
mod oracle;
mod scopes;
#[path = "../support/mod.rs"]
mod support;
