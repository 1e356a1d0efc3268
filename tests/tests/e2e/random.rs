//! Random programs, of which every value is compared with what the generator knows: by opening the tree, by the names that the tree
//! gives for evaluation, and by Go expressions. `ITAB_SEEDS=10..50` runs others than the usual ones.

// The seeds stand in the output, so that a failure can be repeated.
#![allow(clippy::print_stdout)]

use std::ops::Range;

use e2e::fixture::{self, Fixture, Mode};
use e2e::random::{self, Node, Program};
use e2e::{Session, Variable};
use serde_json::json;

use crate::support::{backends, launch, toolchain};

/// Variables of a program.
const VARIABLES: usize = 16;
/// Children that the adapter adds to the program's own.
const ADDED: &[&str] = &["string()", "len()", "[itab]", "[type]"];

fn seeds() -> Range<u64> {
    let given = std::env::var("ITAB_SEEDS").ok();
    let range = given
        .as_deref()
        .and_then(|text| text.split_once(".."))
        .map(|(start, end)| start.parse().expect("a seed")..end.parse().expect("a seed"));
    range.unwrap_or(1..5)
}

struct Walk<'a> {
    session: &'a mut Session,
    /// In optimised code a value may be missing; a wrong one is wrong everywhere.
    optimised: bool,
    compared: usize,
    wrong: Vec<String>,
}

impl Walk<'_> {
    fn compare(&mut self, what: &str, found: &str, node: &Node) -> bool {
        if self.optimised && (found.contains("unreadable") || found.contains("optimised")) {
            return false;
        }
        self.compared += 1;
        let same =
            if node.shown.whole { found == node.shown.text } else { found.starts_with(&node.shown.text) };
        if !same {
            self.wrong.push(format!("{what}: {found:?} instead of {:?}", node.shown.text));
        }
        same
    }

    /// A variable, its names and what is under it.
    fn variable(&mut self, path: &str, found: &Variable, node: &Node) {
        if !self.compare(&format!("value of {path}"), &found.value, node) {
            return;
        }
        if found.kind != node.ty && !found.kind.starts_with(&format!("{}(", node.ty)) {
            self.wrong.push(format!("type of {path}: {:?} instead of {:?}", found.kind, node.ty));
        }
        if let Some(name) = found.evaluate_name().map(str::to_owned) {
            self.expression(&format!("{path} by its name {name}"), &name, node);
        }
        let Some(wanted) = &node.shown.children else { return };
        let children = self.session.children(found.reference);
        let own = children.iter().filter(|child| !ADDED.contains(&child.name.as_str())).count();
        if own != wanted.len() {
            let names: Vec<&str> = children.iter().map(|child| child.name.as_str()).collect();
            self.wrong.push(format!("{path}: {} children instead of {}: {names:?}", own, wanted.len()));
            return;
        }
        for (child, step) in wanted.iter().zip(&node.shown.paths) {
            let inner = match step.as_str() {
                "" => String::new(),
                "*" => format!("(*{path})"),
                step => format!("{path}{step}"),
            };
            let Some(found) = children.iter().find(|found| found.name == child.name) else {
                let names: Vec<&str> = children.iter().map(|child| child.name.as_str()).collect();
                self.wrong.push(format!("{path}: no child {:?} in {names:?}", child.name));
                continue;
            };
            if inner.is_empty() {
                self.compare(&format!("{} of {path}", child.name), &found.value, child);
                continue;
            }
            self.expression(&format!("expression {inner}"), &inner, child);
            self.variable(&inner, found, child);
        }
    }

    fn expression(&mut self, what: &str, expression: &str, node: &Node) {
        match self.session.eval(expression) {
            Ok(found) => {
                self.compare(what, &found.value, node);
            }
            Err(failure) if self.optimised => drop(failure),
            Err(failure) => self.wrong.push(format!("{what}: {failure:?}")),
        }
        for (name, text) in &node.shown.facts {
            let fact = match name.as_str() {
                "len" | "cap" => format!("{name}({expression})"),
                index => format!("{expression}{index}"),
            };
            match self.session.eval(&fact) {
                Ok(found) if found.value == *text => self.compared += 1,
                Ok(found) => self.wrong.push(format!("{fact}: {:?} instead of {text:?}", found.value)),
                Err(failure) if self.optimised => drop(failure),
                Err(failure) => self.wrong.push(format!("{fact}: {failure:?}")),
            }
        }
    }
}

/// All values of a program in one build; how many were compared.
#[track_caller]
fn check(fixture: &Fixture, program: &Program, backend: &str) -> usize {
    let path = fixture.path();
    let launch = launch(fixture, backend).with("showGlobalVariables", json!(true));
    let mut session = Session::launch(&launch, &[(&path, &[fixture.line("stop")])]);
    let thread = session.stopped().thread;
    session.frames(thread);
    let optimised = fixture.mode.optimised();
    let mut variables = session.locals();
    let globals = session.scope("Globals").and_then(|scope| scope["variablesReference"].as_i64());
    variables.extend(globals.map(|globals| session.children(globals)).unwrap_or_default());
    let mut walk = Walk { session: &mut session, optimised, compared: 0, wrong: Vec::new() };
    for node in &program.variables {
        match variables.iter().find(|variable| variable.name == node.name) {
            Some(found) => walk.variable(&node.name, found, node),
            None if optimised => {}
            None => walk.wrong.push(format!("{} is missing", node.name)),
        }
    }
    let (compared, wrong) = (walk.compared, std::mem::take(&mut walk.wrong));
    assert!(
        wrong.is_empty(),
        "{}: {} of {compared} are wrong:\n{}\nsource: {}",
        fixture.title(),
        wrong.len(),
        wrong[..wrong.len().min(30)].join("\n"),
        fixture.source.display()
    );
    session.client.end();
    compared
}

#[track_caller]
fn programs(minor: u32, modes: &[Mode], backend: &str) {
    let Some(toolchain) = toolchain(minor) else { return };
    for seed in seeds() {
        let program = random::program(seed, VARIABLES);
        for mode in modes {
            let fixture = fixture::build_text(&format!("random{seed}"), &program.text, &toolchain, *mode);
            let compared = check(&fixture, &program, backend);
            println!("seed {seed}, {}: {compared} values compared", fixture.title());
            assert!(mode.optimised() || compared > VARIABLES);
        }
    }
}

#[test]
fn go_1_21() {
    programs(21, &[Mode::Debug, Mode::Optimised], backends()[0]);
}

#[test]
fn go_1_24() {
    programs(24, &[Mode::Debug, Mode::Optimised], backends()[0]);
}

#[test]
fn newest_go() {
    programs(e2e::go::newest().minor(), &[Mode::Debug, Mode::Optimised], "native");
}
