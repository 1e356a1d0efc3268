//! Facts about goroutines and frames that runtime.Stack does not print: labels, locks, real type arguments, paging, cost.

use std::collections::BTreeSet;
use std::time::Duration;

use golang::{Goroutine, Process, StackOf, Status};

use crate::Stopped;
use crate::toolchain::{Mode, build, matrix, newest};

fn zoo(toolchain: &gofixture::Toolchain, mode: Mode, goroutines: &str) -> Stopped {
    let program = build("zoo", toolchain, mode);
    Stopped::at(&program, &["/dev/null", goroutines], "main.checkpoint")
}

/// Processor time of this thread: other tests run beside it.
struct Cpu(Duration);

impl Cpu {
    fn now() -> Cpu {
        let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `t` outlives the call.
        unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut t) };
        Cpu(Duration::new(t.tv_sec as u64, t.tv_nsec as u32))
    }

    fn elapsed(&self) -> Duration {
        Cpu::now().0 - self.0
    }
}

/// The goroutine in whose stack a function with this display name is.
fn with_frame(p: &Process<'_>, all: &[Goroutine], name: &str) -> Option<Goroutine> {
    let has = |g: &&Goroutine| {
        let stack = p.stack(StackOf::Goroutine(g), 0, 100);
        stack.frames.iter().any(|f| f.name == name || f.symbol == name)
    };
    all.iter().find(has).cloned()
}

#[test]
fn labels_locks_and_wait_reasons() {
    for toolchain in matrix() {
        for mode in [Mode::Debug, Mode::Stripped, Mode::PieOptimised] {
            let what = format!("{} {mode:?}", toolchain.version);
            zoo(toolchain, mode, "0").with(|p| {
                let all = p.goroutines(usize::MAX).goroutines;
                let labelled: Vec<_> = all.iter().filter(|g| !g.labels.is_empty()).collect();
                let expected =
                    [("kind", "io"), ("worker", "seven")].map(|(k, v)| (k.to_string(), v.to_string()));
                assert_eq!(labelled.len(), 1, "{what}");
                assert_eq!(labelled[0].labels, expected, "{what}");
                assert!(all.iter().any(|g| g.locked && !g.system && g.status == Status::Waiting), "{what}");
                let reasons: BTreeSet<&str> = all.iter().filter_map(|g| g.wait_reason.as_deref()).collect();
                for reason in [
                    "chan receive",
                    "chan send",
                    "chan receive (nil chan)",
                    "chan send (nil chan)",
                    "select",
                    "select (no cases)",
                    "sleep",
                    "sync.Mutex.Lock",
                    "sync.RWMutex.RLock",
                    "sync.RWMutex.Lock",
                    "sync.Cond.Wait",
                    "IO wait",
                    "finalizer wait",
                ] {
                    assert!(reasons.contains(reason), "{what}: no {reason} in {reasons:?}");
                }
                assert!(reasons.contains("semacquire") || reasons.contains("sync.WaitGroup.Wait"), "{what}");
                let main = p.goroutine(1).unwrap();
                assert_eq!(
                    (main.status, main.thread),
                    (Status::Running, p.threads.iter().find(|t| p.goid_of(t) == Some(1)).map(|t| t.tid))
                );
                assert!(!main.system && p.goroutine(u64::MAX).is_none(), "{what}");
            });
        }
    }
}

#[test]
fn frames_carry_real_type_arguments() {
    for toolchain in matrix() {
        for mode in [Mode::Debug, Mode::Optimised] {
            let what = format!("{} {mode:?}", toolchain.version);
            zoo(toolchain, mode, "0").with(|p| {
                let all = p.goroutines(usize::MAX).goroutines;
                let mut names = BTreeSet::new();
                for g in all.iter().filter(|g| !g.system) {
                    for f in p.stack(StackOf::Goroutine(g), 0, 100).frames {
                        assert!(!f.name.contains("go.shape"), "{what}: {}", f.name);
                        if f.symbol.contains("go.shape") {
                            names.insert(f.name);
                        }
                    }
                }
                println!("{what}: {names:?}");
                if mode == Mode::Debug {
                    for name in [
                        "main.generic[main.Name]",
                        "main.(*Box[main.Name]).Put",
                        "main.(*Box[*main.Square]).Put",
                    ] {
                        assert!(names.contains(name), "{what}: no {name} in {names:?}");
                    }
                }
            });
        }
    }
}

#[test]
fn inlined_frames_wrappers_and_pages() {
    for toolchain in matrix() {
        let what = &toolchain.version;
        zoo(toolchain, Mode::Optimised, "0").with(|p| {
            let all = p.goroutines(usize::MAX).goroutines;
            let g = with_frame(p, &all, "main.innermost").unwrap();
            let frames = p.stack(StackOf::Goroutine(&g), 0, 100).frames;
            let at = frames.iter().position(|f| f.symbol == "main.innermost").unwrap();
            let three: Vec<_> =
                frames[at..at + 3].iter().map(|f| (f.symbol.as_str(), f.inlined, f.inline_depth)).collect();
            assert_eq!(three[0], ("main.innermost", true, 0), "{what}");
            assert_eq!(three[1], ("main.inlined", true, 1), "{what}");
            assert_eq!((three[2].1, three[2].2), (false, 2), "{what}");
            assert!(frames[at].line < frames[at + 2].line, "{what}");
            assert_eq!(frames[at].cfa, frames[at + 2].cfa);

            let g = with_frame(p, &all, "main.deep").unwrap();
            let whole = p.stack(StackOf::Goroutine(&g), 0, usize::MAX);
            assert!(whole.total > 1000 && whole.frames.len() == whole.total, "{what}");
            let page = p.stack(StackOf::Goroutine(&g), 500, 7);
            assert_eq!(page.total, whole.total, "{what}");
            let offsets =
                |frames: &[golang::Frame]| frames.iter().map(|f| f.frame_offset).collect::<Vec<_>>();
            assert_eq!(offsets(&page.frames), offsets(&whole.frames[500..507]), "{what}");
            assert!(p.stack(StackOf::Goroutine(&g), whole.total, 5).frames.is_empty());
        });
        zoo(toolchain, Mode::Debug, "0").with(|p| {
            let all = p.goroutines(usize::MAX).goroutines;
            let g = with_frame(p, &all, "main.(*Square).Wait").unwrap();
            let frames = p.stack(StackOf::Goroutine(&g), 0, 100).frames;
            let wrappers: Vec<_> = frames.iter().filter(|f| f.wrapper).map(|f| f.symbol.as_str()).collect();
            assert!(wrappers.iter().any(|w| w.starts_with("main.")), "{what}: {wrappers:?}");
        });
    }
}

#[test]
fn ten_thousand_goroutines_are_listed_in_time() {
    let Some(toolchain) = newest() else { return };
    zoo(toolchain, Mode::Optimised, "10000").with(|p| {
        p.goroutines(1);
        let start = Cpu::now();
        let list = p.goroutines(usize::MAX);
        let listed = start.elapsed();
        assert!(list.total > 10_000 && list.incomplete.is_none());
        let start = Cpu::now();
        let first = p.goroutines(100);
        let paged = start.elapsed();
        assert_eq!((first.goroutines.len(), first.total), (100, list.total));
        let t = p.threads.iter().find(|t| p.goid_of(t) == Some(1)).unwrap();
        let start = Cpu::now();
        for _ in 0..1000 {
            assert_eq!(p.frame_at(t).symbol, "main.checkpoint");
        }
        let frame = start.elapsed() / 1000;
        let start = Cpu::now();
        for g in &list.goroutines {
            assert!(p.stack(StackOf::Goroutine(g), 0, 20).total > 0);
        }
        let stacks = start.elapsed();
        println!(
            "{} goroutines: all {listed:?}, first 100 {paged:?}; frame_at {frame:?}; all stacks {stacks:?}",
            list.total
        );
        assert!(listed < Duration::from_secs(2) && frame < Duration::from_millis(1));
    });
}
