//! Stacks through C: calls, callbacks within callbacks, a goroutine parked in a callback, a thread stopped in C.

use golang::{FrameKind, Process, Stack, StackOf};

use crate::Stopped;
use crate::toolchain::{Mode, build, matrix};

fn author(stack: &Stack) -> Vec<&str> {
    let is_author = |s: &&str| s.starts_with("main.") && !s.starts_with("main._C") && !s.contains(".func");
    stack.frames.iter().map(|f| f.symbol.as_str()).filter(is_author).collect()
}

fn all(stack: &Stack) -> Vec<&str> {
    stack.frames.iter().map(|f| f.symbol.as_str()).collect()
}

fn callbacks(p: &Process<'_>, tid: i32, what: &str) {
    let t = p.threads.iter().find(|t| t.tid == tid).unwrap();
    let stack = p.stack(StackOf::Thread(t), 0, 1000);
    let which = format!("{what}: {:?}", all(&stack));
    assert_eq!(stack.incomplete, None, "{which}");
    let calls = [
        "main.checkpoint",
        "main.goCallback",
        "main.goCallback",
        "main.goCallback",
        "main.enter",
        "main.main",
    ];
    assert_eq!(author(&stack), calls, "{which}");
    let c: Vec<&str> =
        stack.frames.iter().filter(|f| f.kind == FrameKind::C).map(|f| f.name.as_str()).collect();
    assert_eq!(c.iter().filter(|n| n.contains("outer")).count(), 3, "{which}");
    // Every frame knows its caller.
    for pair in stack.frames.iter().filter(|f| !f.inlined).collect::<Vec<_>>().windows(2) {
        let caller = p.caller_of(pair[0]).unwrap_or_else(|| panic!("{which}: caller of {}", pair[0].symbol));
        assert_eq!(
            (caller.pc, caller.cfa),
            (pair[1].pc, pair[1].cfa),
            "{which}: caller of {}",
            pair[0].symbol
        );
    }
}

fn parked(p: &Process<'_>, what: &str) {
    let list = p.goroutines(1000).goroutines;
    let g =
        list.iter().find(|g| p.image.functions().at(g.start_pc).is_some_and(|f| f.name() == "main.parked"));
    let stack = p.stack(StackOf::Goroutine(g.unwrap()), 0, 1000);
    let which = format!("{what}: {:?}", all(&stack));
    assert_eq!(stack.incomplete, None, "{which}");
    assert_eq!(author(&stack), ["main.goPark", "main.parked"], "{which}");
    assert!(all(&stack).contains(&"inC"), "{which}");
}

fn blocked(p: &Process<'_>, what: &str) {
    let list = p.goroutines(1000).goroutines;
    let g =
        list.iter().find(|g| p.image.functions().at(g.start_pc).is_some_and(|f| f.name() == "main.blocked"));
    let stack = p.stack(StackOf::Goroutine(g.unwrap()), 0, 1000);
    let which = format!("{what}: {:?}", all(&stack));
    assert_eq!(stack.incomplete, None, "{which}");
    assert_eq!(author(&stack), ["main.blocked"], "{which}");
    let c: Vec<&str> = all(&stack).into_iter().filter(|n| ["napping", "blockInC"].contains(n)).collect();
    assert_eq!(c, ["napping", "blockInC"], "{which}");
}

fn in_c(stopped: &mut Stopped, what: &str) {
    let leaf = stopped.image.symbol("leafC").unwrap();
    stopped.tracer.set_breakpoint(leaf);
    let tid = stopped.tracer.run().unwrap();
    let mut steps = 0;
    let mut back = false;
    while !back {
        steps += 1;
        back = stopped.with(|p| {
            let t = p.threads.iter().find(|t| t.tid == tid).unwrap();
            let stack = p.stack(StackOf::Thread(t), 0, 1000);
            let which = format!("{what} at {:#x}: {:?}", t.regs.pc(), all(&stack));
            assert_eq!(stack.incomplete, None, "{which}");
            assert_eq!(author(&stack), ["main.main"], "{which}");
            // Not farther: to leave the system call it may have to wait for a thread that is held.
            stack.frames[0].symbol == "runtime.cgocall"
        });
        stopped.tracer.step(tid);
    }
    assert!(steps > 10, "{what}: only {steps} steps from C to Go");
}

#[test]
fn stacks_lead_through_c_and_back() {
    for toolchain in matrix() {
        let program = build("cgo", toolchain, Mode::Optimised);
        let mut stopped = Stopped::at(&program, &[], "main.checkpoint");
        let tid = stopped.tid;
        stopped.with(|p| {
            callbacks(p, tid, &toolchain.version);
            parked(p, &toolchain.version);
            blocked(p, &toolchain.version);
        });
        in_c(&mut stopped, &toolchain.version);
    }
}
