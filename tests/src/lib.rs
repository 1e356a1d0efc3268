//! The strict client and the fixtures of the end-to-end tests.
//!
//! It shares no code with the adapter: messages are plain JSON, read and judged here a second time. It must never
//! forgive: what [`rules`] or [`schema`] object to fails the test that saw it, whatever the test looked at.

// Everything here is test support: it reports by panicking and prints what was skipped.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout
)]

pub mod adapter;
pub mod client;
pub mod facts;
pub mod fixture;
pub mod frames;
pub mod go;
pub mod processes;
pub mod random;
pub mod rules;
pub mod schema;
pub mod seccomp;
pub mod session;

pub use adapter::Adapter;
pub use client::{Client, Failure};
pub use fixture::{Fixture, Mode};
pub use gofixture::{full, skip};
pub use session::{Launch, Session, Stop, Variable};
