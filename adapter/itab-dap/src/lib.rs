//! The adapter as a library: `main.rs` only calls [`cli::run`]. The one crate that knows both DAP and debugging.
//!
//! `session` owns all state on one thread; `requests` answers; `control` runs the program; `console` is the debug console's commands.

pub mod build;
pub mod cli;
pub mod config;
mod console;
mod control;
mod error;
mod goroutines;
mod profile;
mod requests;
mod session;
mod settings;
mod signals;
mod source;
mod trace;
