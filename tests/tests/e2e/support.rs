//! What the tests of this folder share: builds, back ends, marks.

use std::process::Command;

use e2e::fixture::{self, Fixture, Mode};
use e2e::go::{self, Toolchain};
use e2e::session::Launch;
use e2e::skip;
use serde_json::json;

/// The newest Go's debug build of a program.
#[track_caller]
pub(crate) fn debug(name: &str) -> Fixture {
    fixture::build(name, &go::newest(), Mode::Debug)
}

/// The newest Go's build of a program in a mode.
#[track_caller]
pub(crate) fn built(name: &str, mode: Mode) -> Fixture {
    fixture::build(name, &go::newest(), mode)
}

/// A toolchain of Go 1.`minor`; none with a counted skip.
#[track_caller]
pub(crate) fn toolchain(minor: u32) -> Option<Toolchain> {
    let found = go::minor(minor);
    if found.is_none() {
        skip(&format!("Go 1.{minor}"), "this version is not installed");
    }
    found
}

/// The back ends that the machine has: our own always, gdbserver where it is installed.
#[track_caller]
pub(crate) fn backends() -> Vec<&'static str> {
    if has_gdbserver() {
        vec!["gdbserver", "native"]
    } else {
        skip("gdbserver", "it is not on PATH");
        vec!["native"]
    }
}

/// True when gdbserver can be started.
pub(crate) fn has_gdbserver() -> bool {
    Command::new("gdbserver").arg("--version").output().is_ok_and(|output| output.status.success())
}

/// True when there is a C compiler for cgo; else a counted skip.
#[track_caller]
pub(crate) fn has_c_compiler() -> bool {
    let found = Command::new("gcc").arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        skip("cgo", "no C compiler");
    }
    found
}

/// A launch with a back end.
pub(crate) fn launch(fixture: &Fixture, backend: &str) -> Launch {
    Launch::exec(fixture).with("backend", json!(backend))
}

/// The lines of several marks.
#[track_caller]
pub(crate) fn lines(fixture: &Fixture, marks: &[&str]) -> Vec<i64> {
    marks.iter().map(|mark| fixture.line(mark)).collect()
}
