//! Facts about values over the matrix of back ends, Go versions and build modes.

use e2e::facts;
use e2e::fixture::{self, Mode};
use e2e::full;
use e2e::go;

use crate::support::{backends, has_c_compiler, has_gdbserver, launch, toolchain};

/// Programs whose facts hold in debug builds.
const DEBUG: &[&str] = &["values", "interfaces", "maps", "generics"];

/// Checks the facts of programs with one Go and back end.
#[track_caller]
fn check(programs: &[&str], minor: u32, mode: Mode, backend: &str) {
    let Some(toolchain) = toolchain(minor) else { return };
    for program in programs {
        let fixture = fixture::build(program, &toolchain, mode);
        facts::check(&fixture, &launch(&fixture, backend));
    }
}

fn newest() -> u32 {
    go::newest().minor()
}

fn other() -> &'static str {
    if has_gdbserver() { "gdbserver" } else { "native" }
}

#[test]
fn go_1_21_debug() {
    check(DEBUG, 21, Mode::Debug, other());
}

#[test]
fn go_1_21_optimised() {
    check(&["optimised"], 21, Mode::Optimised, other());
}

#[test]
fn go_1_24_debug() {
    check(DEBUG, 24, Mode::Debug, other());
}

#[test]
fn go_1_24_optimised() {
    check(&["optimised"], 24, Mode::Optimised, other());
}

#[test]
fn newest_debug() {
    check(DEBUG, newest(), Mode::Debug, other());
}

#[test]
fn newest_optimised() {
    check(&["optimised"], newest(), Mode::Optimised, other());
}

#[test]
fn newest_pie() {
    check(&["values", "interfaces"], newest(), Mode::Pie, other());
}

#[test]
fn native_newest_debug() {
    check(&["interfaces", "maps"], newest(), Mode::Debug, "native");
}

#[test]
fn native_newest_optimised() {
    check(&["optimised"], newest(), Mode::Optimised, "native");
}

#[test]
fn native_newest_pie() {
    check(&["interfaces"], newest(), Mode::Pie, "native");
}

/// The full product, by `cargo xtask test --full`.
#[test]
fn full_product() {
    if !full() {
        return;
    }
    let minors: Vec<u32> = go::all().iter().map(|toolchain| toolchain.minor()).collect();
    for backend in backends() {
        for minor in &minors {
            for mode in [Mode::Debug, Mode::Pie] {
                check(DEBUG, *minor, mode, backend);
            }
            check(&["optimised"], *minor, Mode::Optimised, backend);
        }
    }
}

/// A stack of Go over C over Go, with variables on both sides of the callback.
#[test]
fn cgo_callback() {
    if !has_c_compiler() {
        return;
    }
    let fixture = fixture::build("cgo", &go::newest(), Mode::Debug);
    let path = fixture.path();
    for backend in backends() {
        let launch = launch(&fixture, backend);
        let mut session =
            e2e::Session::launch(&launch, &[(&path, &[fixture.line("callback"), fixture.line("after")])]);
        let stop = session.stopped();
        let frames = session.frames(stop.thread);
        let names: Vec<&str> = frames.iter().filter_map(|frame| frame["name"].as_str()).collect();
        assert_eq!(names.first(), Some(&"main.goCallback"), "{names:?}");
        assert!(names.contains(&"main.main"), "{backend}: the Go frames below C are lost: {names:?}");
        assert_eq!(session.text("sizer"), "main.Sizer(*main.Thing) *{N: 20}");
        let stop = session.go_on(stop.thread);
        assert_eq!(session.place(stop.thread), ("main.main".to_owned(), fixture.line("after")));
        assert_eq!(session.text("value"), "21");
        assert_eq!(session.run_out(stop.thread), 0);
        session.client.end();
    }
}
