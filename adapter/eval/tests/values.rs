//! Every kind of Go value in a running program, against the text that its source says it has (`// want:` in `programs/values/main.go`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    dead_code
)]

mod support;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use dispatch::Engine;
use eval::{Budget, Filter, Item, Limits, Page, ShowItab, Variables, View};
use golang::{MadeTypes, Process};
use image::Image;
use machine::{Memory, NoMemory};
use support::{Mode, fixture};

const VERSIONS: [&str; 7] = ["1.21.13", "1.22.10", "1.23.9", "1.24.11", "1.25.5", "1.26.6", "1.27.3"];

/// The program, waiting, with what it printed before.
struct Waiting {
    child: Child,
    image: Image,
    memory: support::ProcessMemory,
    printed: Vec<String>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(version: &str, mode: Mode) -> Option<Waiting> {
    let program = fixture("programs/values", version, mode, &[])?;
    let mut child = Command::new(&program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut printed = Vec::new();
    loop {
        let mut line = String::new();
        assert!(out.read_line(&mut line).unwrap() > 0, "the program ended early");
        if line == "ready\n" {
            break;
        }
        printed.push(line.trim_end().to_string());
    }
    // `ready` comes before the frames that the tests look at.
    std::thread::sleep(std::time::Duration::from_millis(20));
    let memory = support::ProcessMemory::of(child.id());
    let image = Image::open(&program).unwrap();
    Some(Waiting { child, image, memory, printed })
}

#[derive(Debug)]
struct Want {
    name: String,
    how: &'static str,
    text: String,
}

/// `name ... // want: text` in the source; locals are in the indented lines of functions.
fn wants() -> Vec<Want> {
    let source =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs/values/main.go"))
            .unwrap();
    let mut out = Vec::new();
    for line in source.lines() {
        for how in ["want", "want-prefix", "want-suffix"] {
            let Some((code, text)) = line.split_once(&format!("// {how}: ")) else { continue };
            let name = code.split_whitespace().next().unwrap().to_string();
            out.push(Want { name, how, text: text.to_string() });
        }
    }
    assert!(out.len() > 120, "the table of {} values is too short", out.len());
    out
}

impl Want {
    fn is_met(&self, text: &str) -> bool {
        match self.how {
            "want" => text == self.text.replace("\\x00", "\\x00"),
            "want-prefix" => text.starts_with(self.text.trim_end()),
            _ => text.ends_with(&self.text),
        }
    }
}

fn with_view<R>(w: &Waiting, f: impl FnOnce(&View<'_>) -> R) -> R {
    with_memory(w, &w.memory, f)
}

fn with_memory<R>(w: &Waiting, memory: &dyn Memory, f: impl FnOnce(&View<'_>) -> R) -> R {
    let made = MadeTypes::new();
    let process = Process::new(&w.image, memory, &[], &made);
    let engine = Engine::new();
    let (limits, budget) = (Limits::default(), Budget::default());
    f(&View {
        process: &process,
        frame: None,
        outer: &[],
        dispatch: Some(&engine),
        show_itab: ShowItab::Auto,
        limits: &limits,
        budget: &budget,
    })
}

/// Rows of the package variables of `main`.
fn globals(view: &View<'_>) -> Vec<Item> {
    eval::variables(view, Variables::Globals("main"))
}

fn check_globals(version: &str, mode: Mode) {
    let Some(w) = start(version, mode) else { return };
    let (mut failed, mut checked) = (Vec::new(), 0);
    with_view(&w, |view| {
        let all = globals(view);
        for want in
            wants().iter().filter(|w| w.name.starts_with('v') && w.name.as_bytes()[1].is_ascii_uppercase())
        {
            checked += 1;
            match all.iter().find(|i| i.name == want.name) {
                Some(item) if want.is_met(&item.text) => {}
                Some(item) => {
                    failed.push(format!("{}\n   got {}\n  {} {}", want.name, item.text, want.how, want.text))
                }
                None => failed.push(format!("{} is not there", want.name)),
            }
        }
    });
    assert!(
        failed.is_empty(),
        "{version} {mode:?}: {} of {checked} differ:\n{}",
        failed.len(),
        failed.join("\n")
    );
}

#[test]
fn package_variables_read_as_the_source_says() {
    for version in VERSIONS {
        check_globals(version, Mode::Debug);
    }
    check_globals("1.27.3", Mode::Optimised);
}
