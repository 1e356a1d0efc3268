//! itab-dap: the program as a library.

pub mod build;
pub mod config;
