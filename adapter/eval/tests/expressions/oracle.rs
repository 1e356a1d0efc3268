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
    let mut lost_count = 0;
    for (text, ty, value) in &running.lines {
        let got = support::outcome(text, &names, &scope);
        let expected = format!("{ty}\t{value}");
        lost_count += usize::from(got.contains("optimi"));
        let lost = mode == Mode::Optimised && place == Where::Locals && got.contains("optimi");
        if got != expected && !lost && !support::same_but_for_alias(&got, &expected) {
            wrong.push(format!("{text}\n    Go:   {expected}\n    ours: {got}"));
        }
    }
    assert_eq!(running.lines.len(), expressions.len(), "the program printed another number of lines");
    println!(
        "Go {version} {mode:?} {place:?}: {} right, {lost_count} optimised out",
        expressions.len() - lost_count
    );
    let (wrong_count, count) = (wrong.len(), expressions.len());
    assert!(
        wrong.is_empty(),
        "{wrong_count} of {count} wrong, Go {version} {mode:?} {place:?}:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn package_variables() {
    for version in support::versions() {
        compare(version, Mode::Debug, Where::Package);
    }
    compare("1.27.3", Mode::Optimised, Where::Package);
}

/// Optimised code keeps few variables for the whole function: what can't be had must be said, never guessed.
#[test]
fn local_variables_of_optimised_code() {
    for version in support::versions() {
        compare(version, Mode::Optimised, Where::Locals);
    }
}

#[test]
fn local_variables() {
    for version in support::versions() {
        compare(version, Mode::Debug, Where::Locals);
    }
}
