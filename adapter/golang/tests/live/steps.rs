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
    /// Steps by the function that they were in, whatever the goroutine.
    inside: BTreeMap<String, usize>,
    kinds: Vec<FrameKind>,
    moved: bool,
}

impl Seen {
    /// Where most of the steps were.
    fn most(&self) -> Vec<(&str, usize)> {
        let mut all: Vec<_> = self.inside.iter().map(|(name, n)| (name.as_str(), *n)).collect();
        all.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        all.truncate(12);
        all
    }
}

/// Where the runtime changes saved registers word by word: no stack is right in the midst of that.
const REWRITING: [&str; 3] = ["runtime.(*sigctxt).preparePanic", "runtime.recovery", "runtime.copystack"];

/// As many steps in a row in the kernel's vdso are normal; after that the clock is read faster than one can step.
const IN_VDSO: usize = 500;

/// Lets a thread in the vdso run back to the runtime at speed: reading the clock begins anew at each of its ticks, and one who is stepped
/// never gets to the end between two ticks on a busy machine.
fn leave_vdso(stopped: &mut Stopped, tid: i32, what: &str) {
    let thread = [stopped.tracer.thread(tid)];
    let p = golang::Process::new(&stopped.image, stopped.tracer.mem(), &thread, &stopped.made);
    let stack = p.stack(StackOf::Thread(&thread[0]), 0, 100);
    let caller = stack.frames.iter().find(|f| stopped.image.functions().at(f.pc).is_some());
    let back = caller.unwrap_or_else(|| panic!("{what}: no way out of {:#x}", thread[0].regs.pc())).pc;
    stopped.tracer.run_to(tid, back);
}

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
    let mut outside = 0;
    loop {
        match outside < IN_VDSO {
            true => stopped.tracer.step(tid),
            false => leave_vdso(stopped, tid, what),
        }
        seen.steps += 1;
        let thread = [stopped.tracer.thread(tid)];
        let pc = thread[0].regs.pc();
        let inside = stopped.image.functions().at(pc).map_or("?", |f| f.name());
        outside = if inside == "?" { outside + 1 } else { 0 };
        *seen.inside.entry(inside.to_owned()).or_default() += 1;
        assert!(seen.steps < limit, "{what}: did not get to main.done, steps by function: {:?}", seen.most());
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
        let seen = step_through(&mut stopped, 1_000_000, &what);
        let (functions, most) = (seen.functions.len(), seen.most());
        println!("{what}: {} steps, {functions} functions, {:?}, {most:?}", seen.steps, start.elapsed());
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
