//! L1 `image`: what is on disk: ELF, DWARF, pclntab, runtime types, itabs, build information.
//!
//! Gives functions, lines, types and variables of one Go executable. Memory-mapped, lazy and parallel: opening a 30 MB
//! binary parses only what somebody asked for. All addresses in the public interface are run-time addresses
//! (link address + [`Image::bias`]). The only crate that mentions `gimli` and `object`. Never spawns, never talks to a process.

mod buildinfo;
mod core;
mod dwarf;
mod elf;
mod functions;
mod identity;
mod image;
mod inlined;
mod layout;
mod lines;
mod module;
pub mod names;
mod pclntab;
mod pcvalue;
mod queries;
mod rtype;
mod tls;
mod types;
mod variables;

use std::path::PathBuf;

use thiserror::Error;

pub use functions::{FuncId, Function, Functions, InlineFrame, LineRow, PcLocation};
pub use image::{Image, Region};
pub use inlined::InlinedCopy;
pub use layout::{GoVersion, Layout};
pub use types::{Field, FuncSig, Imethod, Itab, Kind, Method, Shape, Type, TypeId};
pub use variables::{Piece, PieceHome, ScopeVariable, VarContext, VarRole};

/// Why a file could not be opened as a Go program. Each text says what the file is and what to do next.
#[derive(Debug, Error)]
pub enum ImageError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{0} is not an executable this debugger can read (ELF, amd64 or arm64): {1}")]
    NotElf(PathBuf, String),
    #[error("{0} is a core file, not a program; core files are opened with mode \"core\"")]
    CoreFile(PathBuf),
    #[error("{0} is not a Go program (no Go build information, no pclntab)")]
    NotGo(PathBuf),
    #[error("{path} was built by {version}; itab-dap supports Go 1.21 and newer{hint}")]
    UnsupportedGo { path: PathBuf, version: String, hint: String },
    #[error("{0} changed on disk while it was being read; restart the session")]
    Changed(PathBuf),
    #[error("{path}: malformed {what}")]
    Malformed { path: PathBuf, what: String },
}

/// `.go.buildinfo` (debug/buildinfo): Go version, module, settings such as `-trimpath` and `-gcflags`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildInfo {
    pub go_version: String,
    pub main_path: String,
    pub main_module: String,
    /// `build` lines: key, value.
    pub settings: Vec<(String, String)>,
}
