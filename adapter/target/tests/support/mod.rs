//! What the back ends' tests share: building the Go programs once, finding addresses in them, driving a target.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

pub(crate) use gofixture::Mode;

use crossbeam_channel::{Receiver, bounded};
use target::{
    BackendChoice, Event, LaunchSpec, NotChanged, Output, Plan, Signal, Stdin, Stop, Stream, Target,
    TargetError, Tid, Why, launch,
};

pub(crate) const LONG: Duration = Duration::from_secs(60);

/// A Go program under `tests/programs` in the newest Go's debug build. `None`: no toolchain, which is a counted skip.
pub(crate) fn program(name: &str, mode: Mode) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(name);
    Some(gofixture::build(&source, gofixture::newest()?, mode))
}

/// Link address of a symbol and e_entry.
pub(crate) fn symbol(path: &Path, name: &str) -> (u64, u64) {
    let data = std::fs::read(path).unwrap();
    let u16_at = |o: usize| u16::from_le_bytes(data[o..o + 2].try_into().unwrap()) as usize;
    let u32_at = |o: usize| u32::from_le_bytes(data[o..o + 4].try_into().unwrap());
    let u64_at = |o: usize| u64::from_le_bytes(data[o..o + 8].try_into().unwrap());
    let (entry, sections, size, count) = (u64_at(24), u64_at(40) as usize, u16_at(58), u16_at(60));
    for s in (0..count).map(|i| sections + i * size).filter(|s| u32_at(s + 4) == 2) {
        let (offset, len) = (u64_at(s + 24) as usize, u64_at(s + 32) as usize);
        let strings = u64_at(sections + u32_at(s + 40) as usize * size + 24) as usize;
        for at in (offset..offset + len).step_by(24) {
            let from = strings + u32_at(at) as usize;
            if data[from..].starts_with(name.as_bytes()) && data[from + name.len()] == 0 {
                return (u64_at(at + 8), entry);
            }
        }
    }
    panic!("no symbol {name} in {}", path.display());
}

pub(crate) fn spec(program: &Path, args: &[&str]) -> LaunchSpec {
    LaunchSpec {
        program: program.to_path_buf(),
        args: args.iter().map(OsString::from).collect(),
        env: std::env::vars_os().collect::<BTreeMap<_, _>>(),
        cwd: None,
        stdin: Stdin::Null,
        stdout: Output::Piped,
        stderr: Output::Piped,
        disable_aslr: true,
    }
}

/// What became of the only address of a change.
pub(crate) fn only(changed: Result<Vec<NotChanged>, TargetError>) -> Result<(), TargetError> {
    changed?.into_iter().next().map_or(Ok(()), |n| Err(n.why))
}

/// A target with its events, as a session would hold it.
pub(crate) struct Session {
    pub(crate) target: Box<dyn Target>,
    pub(crate) events: Receiver<Event>,
    pub(crate) program: PathBuf,
    pub(crate) out: BTreeMap<&'static str, Vec<u8>>,
    pub(crate) closed: usize,
    /// Signals to deliver with the next resume.
    pub(crate) signals: Vec<(Tid, Signal)>,
}

impl Session {
    pub(crate) fn launch(backend: &BackendChoice, program: &Path, args: &[&str]) -> Session {
        Session::launch_spec(backend, &spec(program, args))
    }

    pub(crate) fn launch_spec(backend: &BackendChoice, spec: &LaunchSpec) -> Session {
        let (tx, events) = bounded(64);
        let target = launch(spec, backend, tx).unwrap();
        Session::new(target, events, &spec.program)
    }

    pub(crate) fn attach(backend: &BackendChoice, pid: i32, program: &Path) -> Session {
        let (tx, events) = bounded(64);
        let target = target::attach(pid, backend, tx).unwrap();
        Session::new(target, events, program)
    }

    fn new(target: Box<dyn Target>, events: Receiver<Event>, program: &Path) -> Session {
        let out = BTreeMap::from([("out", Vec::new()), ("err", Vec::new())]);
        Session { target, events, program: program.to_path_buf(), out, closed: 0, signals: Vec::new() }
    }

    /// Run-time address of a symbol.
    pub(crate) fn address(&self, name: &str) -> u64 {
        let (addr, entry) = symbol(&self.program, name);
        addr + target::at_entry(self.target.pid()).unwrap() - entry
    }

    pub(crate) fn set(&mut self, addr: u64) -> Result<(), TargetError> {
        only(self.target.change_breakpoints(&[], &[addr]))
    }

    pub(crate) fn clear(&mut self, addr: u64) -> Result<(), TargetError> {
        only(self.target.change_breakpoints(&[addr], &[]))
    }

    pub(crate) fn break_at(&mut self, name: &str) -> u64 {
        let addr = self.address(name);
        self.set(addr).unwrap();
        addr
    }

    /// Everything runs, signals that a step met are delivered.
    pub(crate) fn go(&mut self) {
        let threads =
            self.signals.drain(..).map(|(t, s)| (t, target::Action::Continue, Some(s))).collect::<Vec<_>>();
        self.target.resume(&Plan { threads, run_others: true }).unwrap();
    }

    /// The next event that is not output.
    pub(crate) fn next(&mut self) -> Event {
        self.try_next(LONG).expect("an event")
    }

    pub(crate) fn try_next(&mut self, within: Duration) -> Option<Event> {
        let until = Instant::now() + within;
        loop {
            match self.events.recv_deadline(until).ok()? {
                Event::Output { stream, bytes } => {
                    let key = if stream == Stream::Stdout { "out" } else { "err" };
                    self.out.get_mut(key).unwrap().extend(bytes);
                }
                Event::OutputClosed { .. } => self.closed += 1,
                other => return Some(other),
            }
        }
    }

    /// Runs to the next stop, which must be a breakpoint.
    pub(crate) fn hit(&mut self) -> (Tid, u64) {
        self.go();
        match self.next() {
            Event::Stopped(Stop { tid, why: Why::Breakpoint(addr) }) => (tid, addr),
            other => panic!("{other:?} instead of a breakpoint"),
        }
    }

    pub(crate) fn over(&mut self, tid: Tid) {
        let s = self.target.step_over(tid, Duration::from_secs(5)).unwrap();
        assert_eq!(s.instead, None);
        self.signals.extend(s.pending);
    }

    /// Counts hits of the one breakpoint until the program's end.
    pub(crate) fn count(&mut self) -> (usize, Event) {
        let mut hits = 0;
        loop {
            self.go();
            match self.next() {
                Event::Stopped(Stop { tid, why: Why::Breakpoint(addr) }) => {
                    hits += 1;
                    assert_eq!(self.target.read_regs(tid).unwrap().pc(), addr);
                    self.over(tid);
                }
                Event::Stopped(Stop { tid, why: Why::Signal(s) }) => self.signals.push((tid, s)),
                Event::Stopped(Stop { why: Why::Spurious, .. }) => {}
                end => return (hits, end),
            }
        }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.out["out"]).into_owned()
    }

    /// Waits until the program's output contains `text`.
    pub(crate) fn until(&mut self, text: &str) {
        let until = Instant::now() + LONG;
        while !self.text().contains(text) {
            assert!(Instant::now() < until, "no {text:?} in {:?}", self.text());
            if let Some(e) = self.try_next(Duration::from_millis(20)) {
                panic!("{e:?} while waiting for {text:?}");
            }
        }
    }
}

/// Whether a process is there and not a zombie.
pub(crate) fn alive(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|s| s.rsplit(')').next().is_some_and(|r| !r.trim_start().starts_with(['Z', 'X'])))
}

/// Waits for a process to disappear.
pub(crate) fn gone(pid: i32, within: Duration) -> bool {
    let until = Instant::now() + within;
    while alive(pid) {
        if Instant::now() >= until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}
