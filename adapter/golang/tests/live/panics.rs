//! Panics in progress and pending deferred calls.

use golang::{Deferred, Goroutine, Interface, Process, Stack, StackOf};

use crate::Stopped;
use crate::toolchain::{Mode, build, matrix};

fn current(p: &Process<'_>, tid: i32) -> (Goroutine, Stack) {
    let t = p.threads.iter().find(|t| t.tid == tid).unwrap();
    let g = p.goroutine_at(p.g_of_thread(t).unwrap()).unwrap();
    let stack = p.stack(StackOf::Thread(t), 0, 1000);
    assert_eq!(stack.incomplete, None);
    (g, stack)
}

/// Calls that wait, with the function whose end they wait for.
fn pending(p: &Process<'_>, g: &Goroutine, stack: &Stack) -> Vec<(String, String, bool)> {
    let owner = |d: &Deferred| {
        let frame = stack.frames.iter().find(|f| !f.inlined && Some(f.cfa) == d.cfa);
        frame.map_or("?".to_string(), |f| f.symbol.clone())
    };
    let name = |d: &Deferred| p.image.functions().get(d.function.unwrap()).unwrap().name().to_string();
    let all = p.deferred(g, stack).into_iter().map(|d| (owner(&d), name(&d), d.open_coded));
    // runtime.main waits to unlock its thread.
    all.filter(|(owner, ..)| owner.starts_with("main.")).collect()
}

fn owners(pending: &[(String, String, bool)]) -> Vec<&str> {
    pending.iter().map(|(owner, ..)| owner.as_str()).collect()
}

#[test]
fn panics_in_progress_and_calls_that_wait() {
    for toolchain in matrix() {
        for mode in [Mode::Debug, Mode::Optimised, Mode::Stripped] {
            let what = format!("{} {mode:?}", toolchain.version);
            let program = build("panics", toolchain, mode);
            let mut stopped = Stopped::at(&program, &[], "main.checkpoint");
            let tid = stopped.tid;
            stopped.with(|p| {
                let (g, stack) = current(p, tid);
                assert!(p.panics(&g).is_empty(), "{what}");
                let waiting = pending(p, &g, &stack);
                let expected =
                    ["main.middle", "main.middle", "main.looped", "main.looped", "main.looped", "main.main"];
                assert_eq!(owners(&waiting), expected, "{what}: {waiting:?}");
                let open = waiting.iter().filter(|(.., open)| *open).count();
                assert_eq!(open, if mode == Mode::Debug { 0 } else { 3 }, "{what}");
            });
            let tid = stopped.tracer.run().unwrap();
            stopped.with(|p| {
                let (g, stack) = current(p, tid);
                let panics = p.panics(&g);
                assert_eq!(panics.len(), 1, "{what}");
                assert!(!panics[0].recovered && !panics[0].goexit, "{what}");
                let Interface::Dynamic(arg) = golang::interface(p, &panics[0].arg) else { panic!("{what}") };
                assert_eq!(p.display_name(arg.value.ty), "*errors.errorString", "{what}");
                let waiting = pending(p, &g, &stack);
                let expected = [
                    "main.failing",
                    "main.middle",
                    "main.middle",
                    "main.looped",
                    "main.looped",
                    "main.looped",
                    "main.main",
                ];
                assert_eq!(owners(&waiting), expected, "{what}: {waiting:?}");
            });
        }
    }
}
