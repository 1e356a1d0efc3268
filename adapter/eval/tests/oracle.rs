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

/// `check("e", e)` for each expression.
fn checks(expressions: &[String]) -> String {
    let mut go = String::from(
        "package main\n\nimport (\n\t\"io\"\n\t\"os\"\n\t\"strings\"\n\t\"unsafe\"\n\n\t\"example.com/oracle/shapes\"\n)\n\nfunc checks() {\n",
    );
    for e in expressions {
        go += &format!("\tcheck({e:?}, {e})\n");
    }
    go + "}\n"
}

fn package_variables(version: &str, mode: Mode) {
    let expressions = expressions();
    let Some(program) = fixture("oracle", version, mode, &[("checks.go", checks(&expressions))]) else {
        return;
    };
    let running = support::run_until_end(&program);
    let image = image::Image::open(&program).unwrap();
    let made = MadeTypes::new();
    let scratch = Scratch::new();
    let memory = scratch.over(&running.memory);
    let process = Process::new(&image, &memory, &[], &made);
    let pc = image.functions().by_name("main.main").first().expect("main.main").entry();
    let names = Names::at(&process, pc, 0);
    let scope = Scope::new(&process, None, &scratch);
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
    assert!(
        wrong.is_empty(),
        "{} of {} wrong with Go {version} {mode:?}:\n{}",
        wrong.len(),
        expressions.len(),
        wrong.join("\n")
    );
}

#[test]
fn package_variables_newest() {
    package_variables("1.27.3", Mode::Debug);
    package_variables("1.27.3", Mode::Optimised);
}

#[test]
fn package_variables_middle() {
    package_variables("1.24.11", Mode::Debug);
}

#[test]
fn package_variables_oldest() {
    package_variables("1.21.13", Mode::Debug);
}
