//! Stacks at every instruction: a thread is stepped through prologues, epilogues, changes of stack, signals and panics, and each
//! time its stack must lead to the same outer frames.

use std::collections::BTreeMap;
use std::time::Instant;

use golang::{FrameKind, StackOf};

use crate::Stopped;
use crate::toolchain::{Mode, build, matrix};

/// What was seen on the way, so that the test can't pass by not getting there.
#[derive(Default)]
struct Seen {
    steps: usize,
    functions: BTreeMap<String, usize>,
    kinds: Vec<FrameKind>,
    moved: bool,
}

/// Where the runtime changes saved registers word by word: no stack is right in the midst of that.
const REWRITING: [&str; 3] = ["runtime.(*sigctxt).preparePanic", "runtime.recovery", "runtime.copystack"];

/// Steps from `main.work` to `main.done`.
fn step_through(stopped: &mut Stopped, limit: usize, what: &str) -> Seen {
    let tid = stopped.tid;
    let done = stopped.image.functions().by_name("main.done")[0].entry();
    let mut seen = Seen::default();
    let (goid, offset, mut hi) = stopped.with(|p| {
        let t = p.threads.iter().find(|t| t.tid == tid).unwrap();
        let frame = p.frame_at(t);
        let g = p.goroutine(p.goid_of(t).unwrap()).unwrap();
        assert_eq!(frame.symbol, "main.work");
        (g.id, frame.frame_offset, g.stack_hi)
    });
    assert!(offset > 0);
    loop {
        stopped.tracer.step(tid);
        seen.steps += 1;
        assert!(seen.steps < limit, "{what}: did not get to main.done");
        let thread = [stopped.tracer.thread(tid)];
        let pc = thread[0].regs.pc();
        let p = golang::Process::new(&stopped.image, stopped.tracer.mem(), &thread, &stopped.made);
        if p.goid_of(&thread[0]) != Some(goid) {
            continue;
        }
        if pc == done {
            return seen;
        }
        let stack = p.stack(StackOf::Thread(&thread[0]), 0, 1000);
        let symbols: Vec<&str> = stack.frames.iter().map(|f| f.symbol.as_str()).collect();
        let top =
            format!("{what}: step {} at {pc:#x}, sp {:#x}: {symbols:?}", seen.steps, thread[0].regs.sp());
        if symbols.iter().any(|s| REWRITING.contains(s)) {
            continue;
        }
        let work = stack.frames.iter().find(|f| f.symbol == "main.work");
        let Some(work) = work else { panic!("{top}: main.work is lost: {:?}", stack.incomplete) };
        assert_eq!(work.frame_offset, offset, "{top}");
        assert_eq!(stack.incomplete, None, "{top}");
        assert!(symbols.ends_with(&["main.work", "main.main.func1", "runtime.goexit"]), "{top}");
        for f in &stack.frames {
            *seen.functions.entry(f.symbol.clone()).or_default() += 1;
            if !seen.kinds.contains(&f.kind) {
                seen.kinds.push(f.kind);
            }
        }
        let frame = p.frame_at(&thread[0]);
        assert_eq!((frame.pc, frame.cfa), (pc, stack.frames[0].cfa), "{top}");
        let physical: Vec<_> = stack.frames.iter().filter(|f| !f.inlined).collect();
        if let [first, second, ..] = physical[..] {
            let caller = p.caller_of(first).unwrap_or_else(|| panic!("{top}: no caller"));
            assert_eq!((caller.pc, caller.cfa), (second.pc, second.cfa), "{top}");
        }
        let now = p.goroutine_at(frame.g.unwrap()).unwrap().stack_hi;
        seen.moved |= now != hi;
        hi = now;
    }
}

/// Thousands of stops for each version: the oldest and the newest, or all with `cargo xtask test --full`.
fn run(mode: Mode) {
    let all = matrix();
    let ends = [all.first().filter(|_| mode == Mode::Stripped), all.last().filter(|_| mode == Mode::Debug)];
    let some: Vec<_> = ends.into_iter().flatten().copied().collect();
    for toolchain in if gofixture::full() { all } else { some } {
        let program = build("steps", toolchain, mode);
        let mut stopped = Stopped::at(&program, &[], "main.work");
        let what = format!("{} {mode:?}", toolchain.version);
        let start = Instant::now();
        let seen = step_through(&mut stopped, 300_000, &what);
        println!("{what}: {} steps, {} functions, {:?}", seen.steps, seen.functions.len(), start.elapsed());
        assert!(seen.moved, "{what}: the stack did not grow");
        for name in [
            "runtime.systemstack",
            "runtime.sigtramp",
            "runtime.sigpanic",
            "runtime.morestack",
            "runtime.mcall",
            "main.leaf",
        ] {
            assert!(seen.functions.contains_key(name), "{what}: {name} was not met");
        }
        for kind in [FrameKind::Go, FrameKind::StackSwitch, FrameKind::SignalHandler] {
            assert!(seen.kinds.contains(&kind), "{what}: no {kind:?}");
        }
    }
}

#[test]
fn every_instruction_leads_to_the_same_callers_debug() {
    run(Mode::Debug);
}

#[test]
fn every_instruction_leads_to_the_same_callers_stripped() {
    run(Mode::Stripped);
}
