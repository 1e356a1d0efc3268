//! Both back ends against the same real Go program: one table, each behaviour a test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, bounded};
use target::*;

fn go() -> &'static gofixture::Toolchain {
    gofixture::newest().expect("a go command is needed (PATH, $GO or the cache)")
}

fn program() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/storm.go");
        gofixture::build(&source, go(), gofixture::Mode::Optimised)
    })
}

fn symbol(name: &str) -> u64 {
    let out = Command::new(&go().go)
        .args(["tool", "nm"])
        .arg(program())
        .env("GOTOOLCHAIN", "local")
        .output()
        .unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let line = text
        .lines()
        .find(|l| l.split_whitespace().last() == Some(name))
        .unwrap_or_else(|| panic!("no {name}"));
    u64::from_str_radix(line.split_whitespace().next().unwrap(), 16).unwrap()
}

fn spec(args: &[&str]) -> LaunchSpec {
    LaunchSpec {
        program: program().to_path_buf(),
        args: args.iter().map(Into::into).collect(),
        env: std::env::vars_os().collect(),
        cwd: None,
        stdin: Stdin::Null,
        stdout: Output::Piped,
        stderr: Output::Piped,
        disable_aslr: true,
    }
}

struct Run {
    target: Box<dyn Target>,
    events: Receiver<Event>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Run {
    fn launch(backend: &BackendChoice, spec: &LaunchSpec) -> Run {
        let (tx, events) = bounded(64);
        let target = launch(spec, backend, tx).unwrap();
        Run { target, events, stdout: Vec::new(), stderr: Vec::new() }
    }

    /// The next event that is no output.
    fn next(&mut self) -> Event {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            match self.events.recv_deadline(until).expect("an event within 20 s") {
                Event::Output { stream: Stream::Stdout, bytes } => self.stdout.extend(bytes),
                Event::Output { stream: Stream::Stderr, bytes } => self.stderr.extend(bytes),
                Event::OutputClosed { .. } => {}
                e => return e,
            }
        }
    }

    fn resume(&mut self, signals: &[(Tid, Signal)]) {
        let threads = signals.iter().map(|(t, s)| (*t, Action::Continue, Some(*s))).collect();
        self.target.resume(&Plan { threads, run_others: true }).unwrap();
    }

    /// Runs to the end; counts hits, stepping over each.
    fn count_hits(&mut self) -> (u64, Event) {
        let mut hits = 0;
        let mut signals: Vec<(Tid, Signal)> = Vec::new();
        loop {
            self.resume(&std::mem::take(&mut signals));
            match self.next() {
                Event::Stopped(Stop { tid, why: Why::Breakpoint(_) }) => {
                    hits += 1;
                    let r = self.target.step_over(tid, Duration::from_secs(5)).unwrap();
                    signals.extend(r.pending);
                    if let Some(e) = r.instead {
                        return (hits, e);
                    }
                }
                Event::Stopped(Stop { tid, why: Why::Signal(s) }) => signals.push((tid, s)),
                Event::Stopped(_) => {}
                end => return (hits, end),
            }
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

fn is_alive(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|s| !s.contains(") Z "))
}

fn both(test: impl Fn(&BackendChoice)) {
    test(&BackendChoice::Native);
    match std::env::var_os("PATH")
        .is_some_and(|p| std::env::split_paths(&p).any(|d| d.join("gdbserver").is_file()))
    {
        true => test(&BackendChoice::Gdbserver(None)),
        false => gofixture::skip("gdbserver", "it is not in PATH"),
    }
}

#[test]
fn arguments_environment_and_directory_are_exact() {
    both(|b| {
        let mut s = spec(&["args", "a b", "", "$HOME", "*", "'q\"", "line\nbreak", "é"]);
        s.env = BTreeMap::from([("X".into(), "y z".into())]);
        s.cwd = Some("/tmp".into());
        let mut run = Run::launch(b, &s);
        let (_, end) = run.count_hits();
        assert!(matches!(end, Event::Exited { code: 0 }), "{b:?} {end:?}");
        assert_eq!(
            run.text(),
            "\"a b\"\n\"\"\n\"$HOME\"\n\"*\"\n\"'q\\\"\"\n\"line\\nbreak\"\n\"é\"\n/tmp y z 1\n",
            "{b:?}"
        );
    });
}

#[test]
fn hit_counts_are_exact_under_a_storm_of_sigurg() {
    let tick = symbol("main.tick");
    both(|b| {
        let mut run = Run::launch(b, &spec(&["storm"]));
        assert!(run.target.change_breakpoints(&[], &[tick]).unwrap().is_empty());
        let (hits, end) = run.count_hits();
        assert!(
            matches!(end, Event::Exited { code: 0 }),
            "{b:?} {end:?} {}",
            String::from_utf8_lossy(&run.stderr)
        );
        assert_eq!(run.text(), "total 2000\n", "{b:?}");
        assert_eq!(hits, 2000, "{b:?}");
    });
}

#[test]
fn signals_of_the_program_reach_it() {
    both(|b| {
        let mut run = Run::launch(b, &spec(&["segv"]));
        let (_, end) = run.count_hits();
        assert!(matches!(end, Event::Exited { code: 0 }), "{b:?} {end:?}");
        assert_eq!(run.text(), "recovered true\n".repeat(3), "{b:?}");
    });
}

#[test]
fn children_run_unharmed_with_breakpoints_set() {
    let (tick, fork) = (symbol("main.tick"), symbol("syscall.forkAndExecInChild1"));
    both(|b| {
        let mut run = Run::launch(b, &spec(&["exec"]));
        assert!(run.target.change_breakpoints(&[], &[tick]).unwrap().is_empty());
        assert!(run.target.change_breakpoints(&[], &[fork]).unwrap().is_empty());

        let (hits, end) = run.count_hits();
        assert!(matches!(end, Event::Exited { code: 0 }), "{b:?} {end:?} {}", run.text());
        assert!(hits >= 10, "{b:?} {hits}");
        assert_eq!(run.text(), "child 0\nchild 1\nchild 2\nchild 3\nchild 4\ntotal 5\n", "{b:?}");
    });
}

#[test]
fn output_is_whole_and_comes_before_the_end() {
    both(|b| {
        let mut run = Run::launch(b, &spec(&["output", "20000"]));
        let (_, end) = run.count_hits();
        assert!(matches!(end, Event::Exited { code: 0 }), "{b:?} {end:?}");
        assert_eq!(run.stdout.len(), 20_000 * 1024, "{b:?}");
        assert_eq!(run.stderr, b"end\n", "{b:?}");
    });
}

#[test]
fn exit_codes_and_kill() {
    both(|b| {
        let mut run = Run::launch(b, &spec(&["exit", "37"]));
        let (_, end) = run.count_hits();
        assert!(matches!(end, Event::Exited { code: 37 }), "{b:?} {end:?}");
        let mut run = Run::launch(b, &spec(&["spin"]));
        run.resume(&[]);
        let pid = run.target.pid();
        run.target.kill().unwrap();
        let end = run.next();
        assert!(matches!(end, Event::Signalled { signal: Signal(9) }), "{b:?} {end:?}");
        assert!(!is_alive(pid), "{b:?}");
    });
}

#[test]
fn a_running_program_can_be_interrupted_and_breakpoints_set_then() {
    let tick = symbol("main.tick");
    both(|b| {
        for mode in ["spin", "sleep"] {
            let mut run = Run::launch(b, &spec(&[mode]));
            run.resume(&[]);
            std::thread::sleep(Duration::from_millis(100));
            for _ in 0..5 {
                run.target.interrupt().unwrap();
                let e = run.next();
                assert!(
                    matches!(e, Event::Stopped(Stop { why: Why::Interrupted, .. })),
                    "{b:?} {mode} {e:?}"
                );
                run.resume(&[]);
            }
            if mode == "spin" {
                run.target.interrupt().unwrap();
                run.next();
                assert!(run.target.change_breakpoints(&[], &[tick]).unwrap().is_empty());
                run.resume(&[]);
                let e = run.next();
                assert!(
                    matches!(e, Event::Stopped(Stop { why: Why::Breakpoint(a), .. }) if a == tick),
                    "{b:?} {e:?}"
                );
            }
        }
    });
}

#[test]
fn an_attached_program_runs_on_unharmed_after_detach() {
    let tick = symbol("main.tick");
    both(|b| {
        let mut child = Command::new(program()).arg("spin").spawn().unwrap();
        let pid = child.id() as i32;
        std::thread::sleep(Duration::from_millis(100));
        let (tx, events) = bounded(64);
        let target = attach(pid, b, tx).unwrap();
        let mut run = Run { target, events, stdout: Vec::new(), stderr: Vec::new() };
        assert!(run.target.change_breakpoints(&[], &[tick]).unwrap().is_empty());
        run.resume(&[]);
        let e = run.next();
        assert!(matches!(e, Event::Stopped(Stop { why: Why::Breakpoint(_), .. })), "{b:?} {e:?}");
        assert_ne!(run.target.memory().read(tick, &mut [0; 1]).unwrap(), 0);
        run.target.detach().unwrap();
        std::thread::sleep(Duration::from_millis(200));
        assert!(is_alive(pid), "{b:?}: it died");
        child.kill().unwrap();
        child.wait().unwrap();
    });
}

#[test]
fn the_server_killed_is_told_and_the_program_does_not_stay() {
    let mut run = Run::launch(&BackendChoice::Gdbserver(None), &spec(&["spin"]));
    let pid = run.target.pid();
    run.resume(&[]);
    let out =
        Command::new("pkill").args(["-9", "-f", &format!("gdbserver.*--attach - {pid}")]).status().unwrap();
    assert!(out.success());
    let e = run.next();
    assert!(matches!(e, Event::Lost { .. }), "{e:?}");
    std::thread::sleep(Duration::from_millis(100));
    assert!(!is_alive(pid));
}
