//! Building the program for the modes `debug` and `test`: one run of the go command, cancellable, its messages passed on as
//! they come.
//!
//! `plan` decides what is built and where, `run` executes it. The binary is a private temporary file unless the user named one.
//! Must never change the user's module (no `go get`, no `-mod` of its own) and never leave a build running when cancelled.

mod go;
mod plan;
mod run;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::config::{FlagError, LaunchConfig, Mode};

pub use go::find_go;

/// What to build. Paths that are relative start at `directory`.
#[derive(Debug, Clone)]
pub struct BuildRequest {
    /// `true`: `go test -c`.
    pub test: bool,
    /// File, folder or import path, as the user wrote it.
    pub program: String,
    /// The adapter's directory, after `dlvCwd`.
    pub directory: PathBuf,
    /// Changes to the adapter's own environment; `None` unsets.
    pub env: BTreeMap<String, Option<String>>,
    /// The user's flags, split.
    pub flags: Vec<String>,
    /// Where the binary goes; `None`: a private temporary file.
    pub output: Option<PathBuf>,
}

impl BuildRequest {
    /// The build that a launch configuration asks for. `adapter_directory`: where the adapter was started.
    pub fn new(config: &LaunchConfig, adapter_directory: &Path) -> Self {
        let given = |path: &Option<String>| path.clone().filter(|p| !p.is_empty());
        let directory = match given(&config.dlv_cwd) {
            Some(dir) => adapter_directory.join(dir),
            None => adapter_directory.to_owned(),
        };
        Self {
            test: config.mode == Mode::Test,
            program: config.program().to_owned(),
            output: given(&config.output).map(|out| directory.join(out)),
            directory,
            env: config.env.clone(),
            flags: config.build_flags.0.clone(),
        }
    }
}

/// A finished build. Dropping it deletes the binary.
#[derive(Debug)]
pub struct Built {
    /// The binary, absolute.
    pub binary: PathBuf,
    /// In test mode: the folder of the package, in which `go test` would run it.
    pub package_directory: Option<PathBuf>,
    /// The command as a user would type it.
    pub command: String,
    /// The folder of a temporary binary; `None` when the user named the file.
    temporary: Option<tempfile::TempDir>,
}

impl Built {
    /// A newer build takes the place of this one: a file that both are is not deleted.
    pub fn superseded_by(mut self, newer: &Built) {
        if self.binary == newer.binary {
            self.binary = PathBuf::new();
        }
    }
}

impl Drop for Built {
    fn drop(&mut self) {
        if self.temporary.is_none() {
            // Named by the user with `output`: as with Delve it lives as long as the session.
            let _ = std::fs::remove_file(&self.binary);
        }
    }
}

/// Why there is no binary. Each text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("invalid debug configuration - \"buildFlags\": {0}")]
    Flags(#[from] FlagError),
    #[error(
        "no go command found (looked at $GO, PATH, /usr/local/go and the cache): install Go from https://go.dev/dl, or set GO to its path"
    )]
    NoGo,
    #[error("\"program\": {0} does not exist")]
    NoProgram(String),
    #[error("\"program\": {0} is neither a folder nor a Go file; to debug a binary use \"mode\": \"exec\"")]
    NotSource(String),
    #[error("can't build in {directory}: {source}")]
    Directory { directory: PathBuf, source: std::io::Error },
    #[error("can't create a file for the binary: {0}")]
    Output(std::io::Error),
    #[error("can't run {command}: {source}")]
    Start { command: String, source: std::io::Error },
    /// The go command failed; `messages` are its lines (the last ones, when there were many).
    #[error("build failed ({command}):\n{messages}")]
    Failed { command: String, messages: String },
    #[error("no test files in {0}")]
    NoTests(String),
    #[error("the build was cancelled")]
    Cancelled,
}

/// Builds. `on_line` gets every line that the go command prints, without its newline, as it comes; `cancelled` is asked about
/// twenty times a second, and `true` kills the build's process group. Blocks until the build has ended.
pub fn build(
    request: &BuildRequest,
    cancelled: &dyn Fn() -> bool,
    on_line: &mut dyn FnMut(&str),
) -> Result<Built, BuildError> {
    let go = find_go(&request.env).ok_or(BuildError::NoGo)?;
    let plan = plan::Plan::new(request)?;
    let temporary = match &request.output {
        Some(_) => None,
        None => Some(tempfile::Builder::new().prefix("itab-dap-").tempdir().map_err(BuildError::Output)?),
    };
    let binary = match (&request.output, &temporary) {
        (Some(output), _) => output.clone(),
        (None, Some(folder)) => folder.path().join(&plan.name),
        (None, None) => return Err(BuildError::Output(std::io::ErrorKind::NotFound.into())),
    };
    let arguments = plan.build_arguments(&binary);
    let command = run::shown(&go, &arguments);
    let invocation =
        run::Invocation { go: &go, arguments: &arguments, directory: &plan.directory, env: &request.env };
    run::run(&invocation, cancelled, on_line)?;
    if !binary.is_file() {
        // `go test -c` succeeds without a binary where there is nothing to test.
        return Err(BuildError::NoTests(request.program.clone()));
    }
    let package_directory = match request.test {
        true => Some(plan.package_directory(&go, request, cancelled)?),
        false => None,
    };
    Ok(Built { binary, package_directory, command, temporary })
}

/// The environment of a child: the adapter's own with the user's changes.
pub fn environment(changes: &BTreeMap<String, Option<String>>) -> BTreeMap<OsString, OsString> {
    let mut all: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
    for (name, value) in changes {
        match value {
            Some(value) => drop(all.insert(name.into(), value.into())),
            None => drop(all.remove(std::ffi::OsStr::new(name))),
        }
    }
    all
}

#[cfg(test)]
mod tests;
