//! itab-dap: the program as a library.

pub mod config;
