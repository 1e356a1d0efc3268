//! The list of goroutines and the stack of each, against what runtime.Stack says in the same program.

use std::collections::BTreeMap;

use golang::{Frame, Goroutine, StackOf, Status};

use crate::Stopped;
use crate::toolchain::{Mode, build, matrix};

/// One goroutine as runtime.Stack prints it.
struct Printed {
    state: String,
    /// Functions innermost first, without arguments.
    functions: Vec<String>,
    created_by: Option<(String, u64)>,
}

fn parse(text: &str) -> BTreeMap<u64, Printed> {
    let mut all = BTreeMap::new();
    for block in text.split("\n\n") {
        let mut lines = block.lines();
        let Some(head) = lines.next().and_then(|l| l.strip_prefix("goroutine ")) else { continue };
        let (id, rest) = head.split_once(' ').unwrap();
        let inside = &rest[rest.rfind('[').unwrap() + 1..rest.rfind(']').unwrap()];
        let state = inside.split(',').next().unwrap().to_string();
        let mut printed = Printed { state, functions: Vec::new(), created_by: None };
        for line in lines.filter(|l| !l.starts_with('\t')) {
            if let Some(by) = line.strip_prefix("created by ") {
                let (name, goid) = by.split_once(" in goroutine ").unwrap_or((by, "0"));
                printed.created_by = Some((name.to_string(), goid.parse().unwrap()));
            } else {
                printed.functions.push(without_arguments(line).to_string());
            }
        }
        all.insert(id.parse().unwrap(), printed);
    }
    all
}

/// `main.(*T).M({0x1, 0x2}, 0x3)` -> `main.(*T).M`.
fn without_arguments(call: &str) -> &str {
    let mut depth = 0;
    for (i, b) in call.bytes().enumerate().rev() {
        match b {
            b')' => depth += 1,
            b'(' => {
                depth -= 1;
                if depth == 0 {
                    return &call[..i];
                }
            }
            _ => {}
        }
    }
    call
}

/// As runtime.Stack names functions: type arguments are `...`.
fn as_printed(symbol: &str) -> String {
    let Some(open) = symbol.find('[') else { return symbol.to_string() };
    let close = symbol.rfind(']').unwrap();
    format!("{}[...]{}", &symbol[..open], &symbol[close + 1..])
}

/// runtime.Stack leaves out the runtime's own functions and wrappers (runtime/traceback.go: showframe).
fn is_printed(f: &Frame) -> bool {
    let of_runtime = f.symbol.strip_prefix("runtime.");
    let hidden = of_runtime.is_some_and(|name| !name.starts_with(|c: char| c.is_ascii_uppercase()));
    !hidden && !f.wrapper && f.symbol.contains('.')
}

fn state_of(g: &Goroutine) -> String {
    match &g.wait_reason {
        Some(reason) if g.status == Status::Waiting => reason.clone(),
        _ => g.status.text().to_string(),
    }
}

fn compare(stopped: &Stopped, oracle: &BTreeMap<u64, Printed>, what: &str) {
    stopped.with(|p| {
        let list = p.goroutines(usize::MAX);
        assert_eq!(list.incomplete, None, "{what}");
        assert_eq!(list.total, list.goroutines.len());
        // runtime.Stack leaves out the runtime's own goroutines, unless it was told not to.
        let missing = list.goroutines.iter().filter(|g| !oracle.contains_key(&g.id));
        let missing: Vec<_> = missing.filter(|g| !g.system).map(|g| g.id).collect();
        assert_eq!(missing, [0; 0], "{what}: goroutines that the runtime does not have");
        let ids: Vec<u64> = list.goroutines.iter().map(|g| g.id).collect();
        let lost: Vec<_> = oracle.keys().filter(|id| !ids.contains(id)).collect();
        assert_eq!(lost, [&0; 0], "{what}: goroutines that were not found");
        for g in &list.goroutines {
            let Some(printed) = oracle.get(&g.id) else { continue };
            let stack = p.stack(StackOf::Goroutine(g), 0, 1 << 20);
            let names: Vec<String> =
                stack.frames.iter().filter(|f| is_printed(f)).map(|f| as_printed(&f.symbol)).collect();
            let which = format!("{what}, goroutine {} [{}]", g.id, printed.state);
            assert_eq!(stack.incomplete, None, "{which}: {names:?}");
            assert_eq!(stack.total, stack.frames.len());
            let bottom = stack.frames.last().map(|f| f.symbol.as_str());
            assert_eq!(bottom, Some("runtime.goexit"), "{which}: {names:?}");
            if g.id == 1 {
                // Went on from runtime.Stack to checkpoint.
                assert_eq!(names, ["main.checkpoint", "main.main"], "{which}");
            } else {
                assert_eq!(state_of(g), printed.state, "{which}");
                // The thread's registers show the system call itself; the runtime only where it was entered.
                let inner =
                    if g.status == Status::Syscall { names.len() - printed.functions.len() } else { 0 };
                check_frames(&names[inner..], &printed.functions, &which);
            }
            if let Some((by, parent)) = &printed.created_by {
                let at = p.image.functions().inline_stack(g.go_pc - 1);
                assert_eq!(as_printed(&at.last().unwrap().name), *by, "{which}: created by");
                assert_eq!(g.parent.unwrap_or(0), *parent, "{which}: parent");
            }
        }
    });
}

/// runtime.Stack cuts deep stacks in the middle.
fn check_frames(names: &[String], printed: &[String], which: &str) {
    match printed.iter().position(|l| l.starts_with("...")) {
        None => assert_eq!(names, printed, "{which}"),
        Some(cut) => {
            assert_eq!(&names[..cut], &printed[..cut], "{which}");
            let tail = printed.len() - cut - 1;
            assert_eq!(&names[names.len() - tail..], &printed[cut + 1..], "{which}");
        }
    }
}

fn run_zoo(mode: Mode) {
    for toolchain in matrix() {
        let program = build("zoo", toolchain, mode);
        let folder = tempfile::tempdir().unwrap();
        let oracle = folder.path().join("stacks");
        let stopped = Stopped::at(&program, &[oracle.to_str().unwrap()], "main.checkpoint");
        let text = std::fs::read_to_string(&oracle).unwrap();
        compare(&stopped, &parse(&text), &format!("{} {mode:?}", toolchain.version));
    }
}

#[test]
fn goroutines_and_stacks_are_those_of_the_runtime_debug() {
    run_zoo(Mode::Debug);
}

#[test]
fn goroutines_and_stacks_are_those_of_the_runtime_optimised() {
    run_zoo(Mode::Optimised);
}

#[test]
fn goroutines_and_stacks_are_those_of_the_runtime_stripped() {
    run_zoo(Mode::Stripped);
}
