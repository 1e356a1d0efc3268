//! Measured accuracy: predictions against what runs, interface types against the compiler's record, spans and implementers against
//! go/types. Every figure is printed; a wrong answer fails.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod common;
mod cost;
mod hostile;
mod interfaces;
mod places;
mod plan;
mod runtime;
mod views;
