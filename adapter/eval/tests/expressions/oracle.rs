//! The Go program itself is the oracle: it prints what Go computes for each line of `oracle/expressions.txt`, and the evaluator must
//! compute the same, type and every bit, from the running process's memory.

use crate::support::{self, Mode};
use eval::{Names, Scope, Scratch};
use golang::{MadeTypes, Process};

/// Where the expressions are evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Where {
    /// In no frame: the names are the package's.
    Package,
    /// In the frame of `main.locals`.
    Locals,
}

fn compare(version: &str, mode: Mode, place: Where) {
    let expressions = support::expressions();
    let Some(program) = support::oracle(version, mode) else { return };
    let arguments: &[&str] = if place == Where::Locals { &["locals"] } else { &[] };
    let running = support::run_until_end(&program, arguments);
    let image = image::Image::open(&program).unwrap();
    let made = MadeTypes::new();
    let scratch = Scratch::new();
    let memory = scratch.over(&running.memory);
    let process = Process::new(&image, &memory, &[], &made);
    let pc = image.functions().by_name("main.main").first().expect("main.main").entry();
    let frame = (place == Where::Locals).then(|| support::frame_of(&process, "main.locals"));
    let scope = Scope::new(&process, frame.as_ref(), &scratch);
    let names = if frame.is_some() { Names::of(&scope) } else { Names::at(&process, pc, 0) };
    let mut wrong = Vec::new();
    for (text, ty, value) in &running.lines {
        let got = support::outcome(text, &names, &scope);
        let expected = format!("{ty}\t{value}");
        if got != expected && !support::same_but_for_alias(&got, &expected) {
            wrong.push(format!("{text}\n    Go:   {expected}\n    ours: {got}"));
        }
    }
    assert_eq!(running.lines.len(), expressions.len(), "the program printed another number of lines");
    let (wrong_count, count) = (wrong.len(), expressions.len());
    assert!(
        wrong.is_empty(),
        "{wrong_count} of {count} wrong, Go {version} {mode:?} {place:?}:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn package_variables() {
    for (version, mode) in [
        ("1.27.3", Mode::Debug),
        ("1.27.3", Mode::Optimised),
        ("1.24.11", Mode::Debug),
        ("1.21.13", Mode::Debug),
    ] {
        compare(version, mode, Where::Package);
    }
}

#[test]
fn local_variables() {
    for version in ["1.27.3", "1.24.11", "1.21.13"] {
        compare(version, Mode::Debug, Where::Locals);
    }
}
