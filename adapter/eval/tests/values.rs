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
mod waiting;

use support::Mode;
use waiting::{globals, start, with_view};

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
            "want" => text == self.text,
            "want-prefix" => text.starts_with(self.text.trim_end()),
            _ => text.ends_with(&self.text),
        }
    }
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
    for version in support::versions() {
        check_globals(version, Mode::Debug);
    }
    check_globals("1.27.3", Mode::Optimised);
}
