//! The values program: started once for a test, waiting at a known place, and the view that tests look through.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use dispatch::Engine;
use eval::{Budget, Item, Limits, ShowItab, Variables, View};
use golang::{MadeTypes, Process};
use image::Image;
use machine::Memory;

use crate::support::{self, Mode, fixture};

/// The program, waiting, with what it printed before.
pub(crate) struct Waiting {
    child: Child,
    pub(crate) image: Image,
    pub(crate) memory: support::ProcessMemory,
    pub(crate) printed: Vec<String>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn start(version: &str, mode: Mode) -> Option<Waiting> {
    start_with(version, mode, &[])
}

pub(crate) fn start_with(version: &str, mode: Mode, arguments: &[&str]) -> Option<Waiting> {
    let program = fixture("programs/values", version, mode, &[])?;
    let mut child =
        Command::new(&program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
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

pub(crate) fn with_view<R>(w: &Waiting, f: impl FnOnce(&View<'_>) -> R) -> R {
    with_memory(w, &w.memory, f)
}

pub(crate) fn with_memory<R>(w: &Waiting, memory: &dyn Memory, f: impl FnOnce(&View<'_>) -> R) -> R {
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
pub(crate) fn globals(view: &View<'_>) -> Vec<Item> {
    eval::variables(view, Variables::Globals("main"))
}
