//! The Go program itself is the oracle: it prints what Go computes for each line of `oracle/expressions.txt`, and the evaluator must
//! compute the same, type and every bit, from the running process's memory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr
)]

mod support;

use eval::{Evaluated, Names, Purpose, Scope, Scratch};
use golang::{MadeTypes, Process};
use support::{Mode, fixture, show};

/// Expressions of the table: no comments, no empty lines.
fn expressions() -> Vec<String> {
    let text = std::fs::read_to_string(support::oracle_folder().join("expressions.txt")).unwrap();
    text.lines().filter(|l| !l.starts_with('#') && !l.is_empty()).map(str::to_string).collect()
}

/// Names of the package variables in `prelude.go`.
fn variables() -> Vec<String> {
    let text = std::fs::read_to_string(support::oracle_folder().join("prelude.go")).unwrap();
    let block = text.split("var (\n").nth(1).unwrap().split("\n)\n").next().unwrap();
    let lines =
        block.lines().filter(|l| l.starts_with('\t') && !l.starts_with("\t\t") && !l.starts_with("\t}"));
    let names = lines.flat_map(|l| {
        let declared =
            l.split('=').next().unwrap().split(',').map(|n| n.split_whitespace().next().unwrap().to_string());
        declared.collect::<Vec<_>>()
    });
    names.collect()
}

/// `check("e", e)` for each expression, on the package's variables and on local copies of all of them.
fn checks(expressions: &[String]) -> String {
    let imports =
        ["io", "os", "strings", "unsafe", "example.com/oracle/shapes"].map(|p| format!("\t{p:?}\n")).concat();
    let all: String = expressions.iter().map(|e| format!("\tcheck({e:?}, {e})\n")).collect();
    let copies: String = variables().iter().map(|v| format!("\t{v} := {v}\n\t_ = {v}\n")).collect();
    format!(
        "package main\n\nimport (\n{imports})\n\nfunc checks() {{\n{all}}}\n\nfunc locals() {{\n{copies}{all}\tfinish()\n}}\n"
    )
}

/// Where the expressions are evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Where {
    /// In no frame: the names are the package's.
    Package,
    /// In the frame of `main.locals`.
    Locals,
}

fn compare(version: &str, mode: Mode, place: Where) {
    let expressions = expressions();
    let Some(program) = fixture("oracle", version, mode, &[("checks.go", checks(&expressions))]) else {
        return;
    };
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
        let got = eval::compile(text, &names, Purpose::Value).and_then(|p| eval::run(&p, &scope));
        let got = match got {
            Ok(Evaluated::Value(v)) => format!("{}\t{}", process.display_name(v.ty), show(&process, &v, 12)),
            Ok(Evaluated::Nil) => "nil".into(),
            Ok(other) => format!("{other:?}"),
            Err(e) => format!("error at {}: {e}", e.column),
        };
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
