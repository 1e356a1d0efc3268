//! Every back end passes the same table of facts, on real Go programs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr
)]

mod support;

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use machine::{MemoryExt, Reg};
use support::{Mode, Session, alive, gone, program, spec};
use target::{Action, BackendChoice, Event, Output, Plan, Signal, Stdin, Stop, TargetError, Tid, Why};

/// One test per back end and row.
macro_rules! table {
    ($($name:ident),* $(,)?) => {
        mod native {
            $(#[test] fn $name() { super::$name(&target::BackendChoice::Native); })*
        }
        mod gdbserver {
            $(#[test] fn $name() { if let Some(b) = super::gdbserver() { super::$name(&b); } })*
        }
    };
}

table!(
    launch_is_exact,
    output_is_complete_and_apart,
    redirections,
    exit_codes_and_signals,
    counts_are_exact_in_a_storm,
    counts_are_exact_while_threads_come_and_go,
    nil_dereferences_reach_the_runtime,
    interrupt_a_busy_loop,
    interrupt_a_system_call,
    steps_and_registers,
    memory_hides_breakpoints,
    hard_coded_traps,
    children_run_unharmed,
    another_program_by_exec,
    two_hundred_threads,
    attach_and_detach,
    detach_while_it_runs,
    signals_reach_the_program,
    kill_and_drop_leave_nothing,
    killed_from_outside,
    an_orphan_does_not_delay_the_end,
    pie_and_cgo,
    errors_are_clear,
);

fn gdbserver() -> Option<BackendChoice> {
    let found = std::env::split_paths(&std::env::var_os("PATH")?).any(|p| p.join("gdbserver").is_file());
    if !found {
        gofixture::skip("gdbserver", "it is not in PATH");
    }
    found.then_some(BackendChoice::Gdbserver(None))
}

macro_rules! need {
    ($e:expr) => {
        match $e {
            Some(v) => v,
            None => return,
        }
    };
}

fn launch_is_exact(b: &BackendChoice) {
    let p = need!(program("many", Mode::Debug));
    let args = ["facts", "a b", "", "q\"'`\\", "new\nline", "$HOME", "*", "\t", "ünï"];
    let mut s = spec(&p, &args);
    s.env = [("A", "1 2"), ("EMPTY", ""), ("Q", "x=y\n'z'")].map(|(k, v)| (k.into(), v.into())).into();
    s.cwd = Some("/usr/bin".into());
    let mut session = Session::launch_spec(b, &s);
    assert!(!session.target.description().is_empty());
    let pid = session.target.pid();
    assert_eq!(session.target.threads().unwrap(), [Tid(pid)]);
    assert_eq!(session.target.read_regs(Tid(pid)).unwrap().pc(), target::at_entry(pid).unwrap());
    session.go();
    assert_eq!(session.next(), Event::Exited { code: 0 });
    let text = session.text();
    let quoted = args.map(|a| format!("{a:?}").replace("\\'", "'"));
    let want = format!("\"args\":[{:?},{}]", p.display().to_string(), quoted.join(","));
    assert!(text.contains(&want), "{text}\n{want}");
    assert!(text.contains(r#""cwd":"/usr/bin""#), "{text}");
    assert!(text.contains(r#""env":["A=1 2","EMPTY=","Q=x=y\n'z'"]"#), "{text}");
    assert!(text.contains(r#""eof":true"#) && text.contains(r#""leader":true"#), "{text}");
    assert!(text.contains(r#""personality":"00040000\n""#), "{text}");
    assert_eq!(session.closed, 2);
}

fn output_is_complete_and_apart(b: &BackendChoice) {
    let p = need!(program("many", Mode::Debug));
    let mut s = Session::launch(b, &p, &["flood"]);
    s.go();
    // A session that does not read: the program must wait, not we grow.
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(s.next(), Event::Exited { code: 0 });
    assert_eq!(s.closed, 2);
    for stream in ["out", "err"] {
        let bytes = &s.out[stream];
        assert_eq!(bytes.len(), 25 << 20, "{stream}");
        let ordered = bytes
            .chunks(16)
            .enumerate()
            .all(|(i, l)| std::str::from_utf8(&l[..15]).unwrap().parse() == Ok(i));
        assert!(ordered, "{stream} is out of order");
    }
}

fn redirections(b: &BackendChoice) {
    let p = need!(program("many", Mode::Debug));
    let dir = tempfile::tempdir().unwrap();
    let (input, output) = (dir.path().join("in"), dir.path().join("out"));
    std::fs::write(&input, "12345678").unwrap();
    let mut s = spec(&p, &["facts"]);
    (s.stdin, s.stdout, s.stderr) =
        (Stdin::File(input), Output::File(output.clone()), Output::File(output.clone()));
    s.disable_aslr = false;
    let mut session = Session::launch_spec(b, &s);
    session.go();
    assert_eq!(session.next(), Event::Exited { code: 0 });
    let text = std::fs::read_to_string(output).unwrap();
    assert!(
        text.contains(r#""stdin":"12345678""#) && text.contains(r#""personality":"00000000\n""#),
        "{text}"
    );
    assert_eq!((session.closed, session.text()), (0, String::new()));
}

fn exit_codes_and_signals(b: &BackendChoice) {
    let p = need!(program("many", Mode::Debug));
    for code in [0, 1, 37, 255] {
        let mut s = Session::launch(b, &p, &["exit", &code.to_string()]);
        s.go();
        assert_eq!(s.next(), Event::Exited { code });
        assert!(matches!(s.target.read_regs(Tid(s.target.pid())), Err(TargetError::Ended)));
        assert_eq!(s.try_next(Duration::from_millis(50)), None);
    }
    for signal in [9, 31] {
        let mut s = Session::launch(b, &p, &["die", &signal.to_string()]);
        s.go();
        let end = s.next();
        let want = [Event::Signalled { signal: Signal(signal) }, Event::Exited { code: 2 }];
        assert!(want.contains(&end), "{end:?} after signal {signal}");
        assert!(signal != 9 || end == want[0]);
    }
}

fn counts_are_exact_in_a_storm(b: &BackendChoice) {
    let p = need!(program("many", Mode::Debug));
    let mut s = Session::launch(b, &p, &["storm", "500"]);
    s.break_at("main.tick");
    assert_eq!(s.count(), (2000, Event::Exited { code: 0 }));
    assert!(s.text().ends_with("calls 2000\n"), "{}", s.text());
}

fn counts_are_exact_while_threads_come_and_go(b: &BackendChoice) {
    let p = need!(program("many", Mode::Debug));
    let mut s = Session::launch(b, &p, &["thrash", "100"]);
    s.break_at("main.tick");
    assert_eq!(s.count(), (400, Event::Exited { code: 0 }));
}

fn nil_dereferences_reach_the_runtime(b: &BackendChoice) {
    let p = need!(program("many", Mode::Debug));
    let mut s = Session::launch(b, &p, &["nilp"]);
    s.break_at("main.tick");
    assert_eq!(s.count(), (3, Event::Exited { code: 37 }));
}

fn interrupted(s: &mut Session) -> Tid {
    let at = Instant::now();
    s.target.interrupt().unwrap();
    let e = s.next();
    let Event::Stopped(Stop { tid, why: Why::Interrupted }) = e else { panic!("{e:?}") };
    assert!(at.elapsed() < Duration::from_secs(3));
    tid
}

fn interrupt_a_busy_loop(b: &BackendChoice) {
    let p = need!(program("many", Mode::Debug));
    let mut s = Session::launch(b, &p, &["busy"]);
    s.go();
    s.until("ready");
    for _ in 0..5 {
        let tid = interrupted(&mut s);
        assert_ne!(s.target.read_regs(tid).unwrap().pc(), 0);
        s.target.interrupt().unwrap();
        assert_eq!(s.try_next(Duration::from_millis(20)), None, "interrupting a stopped program is nothing");
        s.go();
    }
    assert!(matches!(s.target.read_regs(Tid(s.target.pid())), Err(TargetError::Running)));
    assert!(matches!(s.set(0x40_0000), Err(TargetError::Running)));
}

fn interrupt_a_system_call(b: &BackendChoice) {
    let p = need!(program("many", Mode::Debug));
    let mut s = Session::launch(b, &p, &["block"]);
    s.go();
    s.until("ready");
    for _ in 0..3 {
        let tid = interrupted(&mut s);
        s.target.read_regs(tid).unwrap();
        s.go();
        std::thread::sleep(Duration::from_millis(10));
        assert!(alive(s.target.pid()));
    }
}

fn steps_and_registers(b: &BackendChoice) {
    let p = need!(program("many", Mode::Debug));
    let mut s = Session::launch(b, &p, &["thrash", "5"]);
    let tick = s.break_at("main.tick");
    let mut stepped = 0;
    for round in 0..5 {
        let (tid, addr) = s.hit();
        assert_eq!(addr, tick);
        let regs = s.target.read_regs(tid).unwrap();
        assert_eq!((regs.pc(), regs.vectors().len()), (tick, 16));
        assert!(regs.tls != 0 && regs.get(Reg::RSP).is_some());
        assert!(s.target.memory().read_u64(regs.sp()).is_ok());
        // What is written is what is read, and reading it back changes nothing.
        let mut changed = regs.clone();
        changed.set(Reg::R13, 0x1234_5678_9abc_def0 + round);
        let mut xmm = regs.vectors().to_vec();
        xmm[15] = [7; 16];
        changed.set_vectors(xmm);
        s.target.write_regs(tid, &changed).unwrap();
        let back = s.target.read_regs(tid).unwrap();
        assert_eq!(back, changed);
        s.target.write_regs(tid, &regs).unwrap();
        assert_eq!(s.target.read_regs(tid).unwrap(), regs);
        s.over(tid);
        let mut pc = s.target.read_regs(tid).unwrap().pc();
        assert_ne!(pc, tick);
        // Single steps, the others held: each moves this thread and reports nothing else.
        for _ in 0..5 {
            let signal = s.signals.pop().map(|(_, s)| s);
            s.target.resume(&Plan { threads: vec![(tid, Action::Step, signal)], run_others: false }).unwrap();
            match s.next() {
                Event::Stopped(Stop { tid: t, why: Why::StepDone }) => {
                    assert_eq!(t, tid);
                    let now = s.target.read_regs(tid).unwrap().pc();
                    stepped += usize::from(now != pc);
                    pc = now;
                }
                Event::Stopped(Stop { tid: t, why: Why::Signal(signal) }) => s.signals.push((t, signal)),
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(stepped >= 10, "{stepped}");
}

fn memory_hides_breakpoints(b: &BackendChoice) {
    let p = need!(program("many", Mode::Debug));
    let mut s = Session::launch(b, &p, &["ticks"]);
    let tick = s.address("main.tick");
    let m = s.target.memory();
    let before = m.read_vec(tick - 16, 64, 64).unwrap();
    s.set(tick).unwrap();
    s.set(tick).unwrap();
    assert!(s.target.has_breakpoint(tick));
    assert_eq!(m.read_vec(tick - 16, 64, 64).unwrap(), before);
    let (tid, _) = s.hit();
    assert_eq!(m.read_vec(tick - 16, 64, 64).unwrap(), before);
    // Data: written, seen at once, and by the program. Under the breakpoint: the same byte again.
    let sp = s.target.read_regs(tid).unwrap().sp() - 512;
    s.target.write_memory(sp, &[1, 2, 3]).unwrap();
    assert_eq!(m.read_vec(sp, 3, 3).unwrap(), [1, 2, 3]);
    s.target.write_memory(tick - 16, &before).unwrap();
    assert_eq!(m.read_vec(tick - 16, 64, 64).unwrap(), before);
    s.over(tid);
    // The goroutine may have come back on another thread.
    let (tid, at) = s.hit();
    assert_eq!(at, tick, "the breakpoint survived the write");
    s.over(tid);
    s.clear(tick).unwrap();
    s.clear(tick).unwrap();
    assert!(!s.target.has_breakpoint(tick));
    assert_eq!(m.read_vec(tick - 16, 64, 64).unwrap(), before);
    let raw = std::fs::File::open(format!("/proc/{}/mem", s.target.pid())).unwrap();
    let mut byte = [0; 64];
    std::os::unix::fs::FileExt::read_exact_at(&raw, &mut byte, tick - 16).unwrap();
    assert_eq!(byte.to_vec(), before);
    s.go();
    assert_eq!(s.try_next(Duration::from_millis(100)), None);
    assert!(matches!(m.read(0x10, &mut [0; 4]), Ok(0)));
}

fn hard_coded_traps(b: &BackendChoice) {
    let p = need!(program("many", Mode::Debug));
    let mut s = Session::launch(b, &p, &["trap"]);
    let mut traps = 0;
    let end = loop {
        s.go();
        match s.next() {
            Event::Stopped(Stop { tid, why: Why::HardTrap }) => {
                traps += 1;
                let pc = s.target.read_regs(tid).unwrap().pc();
                assert_eq!(s.target.memory().read_u8(pc - 1), Ok(0xcc));
            }
            other => break other,
        }
    };
    assert_eq!((traps, end), (3, Event::Exited { code: 0 }));
    assert!(s.text().contains("calls 3"));
}

fn children_run_unharmed(b: &BackendChoice) {
    let p = need!(program("many", Mode::Debug));
    let mut s = Session::launch(b, &p, &["child"]);
    s.break_at("main.tick");
    // The child runs these between vfork and exec, in the parent's memory.
    s.break_at("syscall.forkAndExecInChild1");
    s.break_at("syscall.RawSyscall");
    s.break_at("syscall.runtime_AfterForkInChild");
    let tick = s.address("main.tick");
    let mut ticks = 0;
    let end = loop {
        s.go();
        match s.next() {
            Event::Stopped(Stop { tid, why: Why::Breakpoint(a) }) => {
                ticks += usize::from(a == tick);
                s.over(tid);
            }
            Event::Stopped(Stop { tid, why: Why::Signal(sig) }) => s.signals.push((tid, sig)),
            other => break other,
        }
    };
    assert_eq!((ticks, end), (5, Event::Exited { code: 0 }));
    for i in 0..5 {
        assert!(s.text().contains(&format!("child {i}\n<nil>\n")), "{}", s.text());
    }
}

fn another_program_by_exec(b: &BackendChoice) {
    let p = need!(program("many", Mode::Debug));
    let mut s = Session::launch(b, &p, &["become", &p.display().to_string(), "exit", "7"]);
    let tick = s.break_at("main.tick");
    let (tid, _) = s.hit();
    s.over(tid);
    s.go();
    let e = s.next();
    let Event::Exec { tid, path } = e else { panic!("{e:?}") };
    assert_eq!((tid, path), (Tid(s.target.pid()), std::fs::canonicalize(&p).unwrap()));
    assert!(!s.target.has_breakpoint(tick));
    assert_eq!(s.target.read_regs(tid).unwrap().pc(), target::at_entry(tid.0).unwrap());
    // The new program can be stopped like the old one.
    let main = s.break_at("main.main");
    assert_eq!(s.hit().1, main);
    s.over(tid);
    assert_eq!(s.count().1, Event::Exited { code: 7 });
}

fn two_hundred_threads(b: &BackendChoice) {
    let p = need!(program("many", Mode::Debug));
    let mut s = Session::launch(b, &p, &["threads"]);
    let (mark, tick) = (s.break_at("main.mark"), s.address("main.tick"));
    let (tid, addr) = s.hit();
    assert_eq!(addr, mark);
    assert!(s.target.threads().unwrap().len() > 200);
    for t in s.target.threads().unwrap() {
        assert_ne!(s.target.read_regs(t).unwrap().pc(), 0);
    }
    s.set(tick).unwrap();
    s.over(tid);
    assert_eq!(s.count(), (200, Event::Exited { code: 0 }));
}

/// A running program that nobody debugs; killed at the end of the test.
struct Bystander(Child, BufReader<std::process::ChildStdout>);

impl Bystander {
    fn start(mode: &str) -> Option<Bystander> {
        let mut c =
            Command::new(program("many", Mode::Debug)?).arg(mode).stdout(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(c.stdout.take().unwrap());
        out.read_line(&mut String::new()).unwrap();
        Some(Bystander(c, out))
    }

    fn pid(&self) -> i32 {
        self.0.id() as i32
    }

    /// Reads on until a tick: it works.
    fn ticks_on(&mut self) {
        assert_eq!(self.0.try_wait().unwrap(), None, "the program has ended");
        for _ in 0..3 {
            let mut line = String::new();
            self.1.read_line(&mut line).unwrap();
            assert!(line.starts_with("tick") || line.starts_with("usr1"), "{line:?}");
        }
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

fn attach_and_detach(b: &BackendChoice) {
    let mut victim = need!(Bystander::start("ticks"));
    let p = need!(program("many", Mode::Debug));
    for round in 0..3 {
        let mut s = Session::attach(b, victim.pid(), &p);
        assert!(s.target.threads().unwrap().len() > 1);
        let tick = s.break_at("main.tick");
        let (tid, _) = s.hit();
        match round {
            0 => {
                s.over(tid);
                s.hit();
                s.target.detach().unwrap();
            }
            1 => s.target.detach().unwrap(),
            _ => {}
        }
        drop(s);
        let raw = std::fs::File::open(format!("/proc/{}/mem", victim.pid())).unwrap();
        let mut byte = [0];
        std::os::unix::fs::FileExt::read_exact_at(&raw, &mut byte, tick).unwrap();
        assert_ne!(byte, [0xcc]);
        victim.ticks_on();
    }
}

fn detach_while_it_runs(b: &BackendChoice) {
    let mut victim = need!(Bystander::start("ticks"));
    let p = need!(program("many", Mode::Debug));
    let mut s = Session::attach(b, victim.pid(), &p);
    s.break_at("main.nilp");
    s.go();
    std::thread::sleep(Duration::from_millis(50));
    s.target.detach().unwrap();
    victim.ticks_on();
    let again = Session::attach(b, victim.pid(), &p);
    drop(again);
    victim.ticks_on();
}

fn signals_reach_the_program(b: &BackendChoice) {
    let p = need!(program("many", Mode::Debug));
    // A shell starts what runs in the background with SIGINT ignored, and the program would inherit that.
    // SAFETY: no handler is installed.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
    let mut s = Session::launch(b, &p, &["ticks"]);
    s.go();
    s.until("ready");
    // SAFETY: no memory is involved.
    unsafe { libc::kill(s.target.pid(), libc::SIGUSR1) };
    s.until("usr1");
    // A real SIGINT is the program's own, ours never reaches it.
    interrupted(&mut s);
    s.go();
    s.until("tick");
    // SAFETY: no memory is involved.
    unsafe { libc::kill(s.target.pid(), libc::SIGINT) };
    assert_eq!(s.next(), Event::Signalled { signal: Signal(libc::SIGINT) });
}

fn kill_and_drop_leave_nothing(b: &BackendChoice) {
    let p = need!(program("many", Mode::Debug));
    for (running, by_drop) in [(true, false), (false, false), (true, true), (false, true)] {
        let mut s = Session::launch(b, &p, &["sleep"]);
        let pid = s.target.pid();
        if running {
            s.go();
        }
        if by_drop {
            drop(s);
        } else {
            s.target.kill().unwrap();
            let end = s.next();
            assert!(matches!(end, Event::Signalled { signal: Signal(9) } | Event::Exited { .. }), "{end:?}");
            drop(s);
        }
        assert!(gone(pid, Duration::from_secs(2)), "running {running}, by drop {by_drop}");
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists(), "a zombie is left");
    }
}

fn killed_from_outside(b: &BackendChoice) {
    let p = need!(program("many", Mode::Debug));
    for running in [true, false] {
        let mut s = Session::launch(b, &p, &["busy"]);
        s.go();
        s.until("ready");
        if !running {
            interrupted(&mut s);
        }
        // SAFETY: no memory is involved.
        unsafe { libc::kill(s.target.pid(), libc::SIGKILL) };
        assert_eq!(s.next(), Event::Signalled { signal: Signal(9) }, "running {running}");
    }
}

fn an_orphan_does_not_delay_the_end(b: &BackendChoice) {
    let p = need!(program("many", Mode::Debug));
    let mut s = Session::launch(b, &p, &["orphan"]);
    s.go();
    let at = Instant::now();
    s.until("orphan");
    assert_eq!(s.next(), Event::Exited { code: 0 });
    assert!(at.elapsed() < Duration::from_secs(2));
    let orphan: i32 = s.text().trim().rsplit(' ').next().unwrap().parse().unwrap();
    assert!(alive(orphan));
    drop(s);
    assert!(gone(orphan, Duration::from_secs(2)), "the group is cleared away at the end of the session");
}

fn pie_and_cgo(b: &BackendChoice) {
    let p = need!(program("many", Mode::Pie));
    let mut spec = spec(&p, &["thrash", "25"]);
    spec.disable_aslr = false;
    let mut s = Session::launch_spec(b, &spec);
    s.break_at("main.tick");
    assert_eq!(s.count(), (100, Event::Exited { code: 0 }));
    let p = need!(program("withc", Mode::Debug));
    let mut s = Session::launch(b, &p, &[]);
    s.break_at("main.tick");
    // Hit by the parent; its forked children run the same code with their own bytes.
    s.break_at("counted");
    assert_eq!(s.count(), (6, Event::Exited { code: 0 }));
    assert_eq!(s.text(), "0 1 1\n2 2 2\n4 3 3\n");
}

fn errors_are_clear(b: &BackendChoice) {
    let (tx, _rx) = crossbeam_channel::bounded(4);
    let dir = tempfile::tempdir().unwrap();
    let launch =
        |path: &std::path::Path| target::launch(&spec(path, &[]), b, tx.clone()).err().map(|e| e.to_string());
    let missing = launch(&dir.path().join("nothing")).unwrap();
    assert!(missing.contains("there is no program"), "{missing}");
    assert!(launch(dir.path()).unwrap().contains("is a directory"));
    let text = dir.path().join("text");
    std::fs::write(&text, "plain text").unwrap();
    assert!(launch(&text).unwrap().contains("chmod +x"));
    std::fs::set_permissions(&text, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    assert!(launch(&text).unwrap().contains("not a program"));
    let mut s = spec(std::path::Path::new("/bin/true"), &[]);
    s.cwd = Some(dir.path().join("nowhere"));
    let e = target::launch(&s, b, tx.clone()).err().unwrap().to_string();
    assert!(e.contains("working directory"), "{e}");
    s.cwd = None;
    s.args = vec!["a\0b".into()];
    assert!(matches!(target::launch(&s, b, tx.clone()), Err(TargetError::NulByte(_))));
    let attach = |pid| target::attach(pid, b, tx.clone()).err();
    assert!(matches!(attach(i32::MAX), Some(TargetError::NoSuchProcess(_))));
    assert!(matches!(attach(-1), Some(TargetError::NoSuchProcess(_))));
    let p = need!(program("many", Mode::Debug));
    let mut s = Session::launch(b, &p, &["hello"]);
    assert!(matches!(s.set(8), Err(TargetError::Unmapped(8))));
    assert!(matches!(s.target.write_memory(8, &[1]), Err(TargetError::Unmapped(8))));
    assert!(matches!(s.target.read_regs(Tid(1)), Err(TargetError::NoSuchThread(_))));
    let again = attach(s.target.pid()).unwrap();
    assert!(matches!(again, TargetError::AlreadyTraced { .. }), "{again}");
}
