//! GDB's server over its remote protocol, on a Unix socket pair: no port, nobody else can connect.
//!
//! ```text
//!     session --jobs--> driver thread --packets--> gdbserver --ptrace--> program
//! ```
//!
//! The server only attaches: the program is spawned by us. It reads no symbols and never will: `qSymbol` is not answered.

mod breakpoints;
mod connection;
mod driver;
mod guard;
mod handshake;
mod registers;
mod running;
mod step;

use std::{
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, bounded};

use self::{connection::Connection, driver::Server};
use crate::{
    BackendChoice, Event, LaunchSpec, Target, TargetError,
    actor::{Ending, Handle, queue},
    keeper::Keeper,
    memory::ProcMemory,
    output::{Emitter, Outputs},
    permission,
    process::{self, Wake},
    ptrace,
    spawn::{Prepared, Running},
};

/// How long the server may take from its start to its first answer. (Measured: 7 to 14 ms, 20 under load.)
const START_DEADLINE: Duration = Duration::from_secs(10);

/// How long the answer to `--version` is waited for.
const VERSION_DEADLINE: Duration = Duration::from_secs(1);

/// gdbserver on PATH, or in the cache that the project's tools fill.
pub(crate) fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|d| d.join("gdbserver"));
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|p| p.is_absolute())
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))
        .map(|c| c.join("itab-dap"));
    let cached = cache.into_iter().flat_map(|c| {
        [c.join("gdbserver/bin/gdbserver"), c.join("gdbserver/gdbserver"), c.join("gdbserver")]
    });
    on_path.chain(cached).find(|p| is_executable(p))
}

fn is_executable(p: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    p.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

/// The server that a choice means; `None` is the native back end.
pub(crate) fn choose(choice: &BackendChoice) -> Result<Option<PathBuf>, TargetError> {
    let missing = |tried: String| TargetError::ServerMissing { tried };
    match choice {
        BackendChoice::Native => Ok(None),
        BackendChoice::Auto => Ok(find()),
        BackendChoice::Gdbserver(Some(path)) if is_executable(path) => Ok(Some(path.clone())),
        BackendChoice::Gdbserver(Some(path)) => {
            Err(missing(format!("{} is no executable file", path.display())))
        }
        BackendChoice::Gdbserver(None) => {
            find().map(Some).ok_or_else(|| missing("neither in PATH nor in the cache folder".into()))
        }
    }
}

/// What the spawner hands over: a program that spins at its first instruction, and the two bytes that belong there.
struct Spinning {
    running: Running,
    pc: u64,
    saved: [u8; 2],
}

/// `jmp .`
const SPIN: u16 = 0xfeeb;

/// At the exec stop: writes the loop and lets go.
fn spin_at_entry(running: Running) -> Result<Spinning, TargetError> {
    let pid = running.pid;
    let hold = || {
        let pc = ptrace::pc(pid)?;
        let word = ptrace::peek(pid, pc)?;
        ptrace::poke(pid, pc, word & !0xffff | u64::from(SPIN))?;
        ptrace::detach(pid, 0)?;
        Ok((pc, (word as u16).to_le_bytes()))
    };
    match hold() {
        Ok((pc, saved)) => Ok(Spinning { running, pc, saved }),
        Err(e) => {
            process::signal(-pid, libc::SIGKILL);
            process::reap(pid);
            Err(permission::refused("controlling a child", &e))
        }
    }
}

pub(crate) fn launch(
    server: &Path,
    spec: &LaunchSpec,
    events: Sender<Event>,
) -> Result<Box<dyn Target>, TargetError> {
    let prepared = Prepared::new(spec)?;
    let emitter = Emitter::new(events)?;
    let (keeper, kept) = Keeper::pair();
    let (answer, answered) = bounded(1);
    let (ended, end) = bounded(1);
    let wake = Arc::new(Wake::new()?);
    let woken = Arc::clone(&wake);
    let spawner = move || match prepared.run_traced(0).and_then(spin_at_entry) {
        Ok(spinning) => {
            let pid = spinning.running.pid;
            let _caller_waits = answer.send(Ok(spinning));
            if let Some(e) = process::wait_end(pid) {
                let _driver_gone = ended.send(e.event());
            }
            drop(ended);
            woken.wake();
            kept.wait();
            process::signal(-pid, libc::SIGKILL);
            process::reap(pid);
        }
        Err(e) => {
            let _caller_waits = answer.send(Err(e));
        }
    };
    let io = TargetError::io("starting a thread");
    thread::Builder::new().name("spawner".into()).spawn(spawner).map_err(io)?;
    let Spinning { running, pc, saved } = answered.recv().unwrap_or(Err(TargetError::Ended))?;
    let pid = running.pid;
    let result = Outputs::start(running.pipes, &emitter).and_then(|outputs| {
        let program = Program {
            pid,
            stopped: false,
            end: Some(end),
            outputs: Some(outputs),
            keeper: Some(keeper),
            wake,
        };
        start(server, program, emitter, move |s| s.write_through_server(pc, &saved))
    });
    if result.is_err() {
        process::signal(-pid, libc::SIGKILL);
    }
    result
}

pub(crate) fn attach(server: &Path, pid: i32, events: Sender<Event>) -> Result<Box<dyn Target>, TargetError> {
    permission::check_attach(pid)?;
    let wake = Arc::new(Wake::new()?);
    let stopped = process::state(pid) == Some('T');
    let program = Program { pid, stopped, end: None, outputs: None, keeper: None, wake };
    start(server, program, Emitter::new(events)?, |_| Ok(()))
}

/// The process that a server is to take over. A launched one has an end, outputs and a keeper.
struct Program {
    pid: i32,
    /// By job control, before we came.
    stopped: bool,
    end: Option<Receiver<Event>>,
    outputs: Option<Outputs>,
    keeper: Option<Keeper>,
    /// Wakes the driver.
    wake: Arc<Wake>,
}

fn start(
    server: &Path,
    program: Program,
    emitter: Emitter,
    prepare: impl FnOnce(&mut Server) -> Result<(), TargetError> + Send + 'static,
) -> Result<Box<dyn Target>, TargetError> {
    let Program { pid, stopped, end, outputs, keeper, wake } = program;
    let memory = Arc::new(ProcMemory::open(pid));
    let (jobs, job_queue) = queue::<Server>(wake);
    let (ready_tx, ready) = bounded(1);
    let (finish, done) = bounded::<()>(0);
    let (mem, theirs) = (Arc::clone(&memory), emitter.clone());
    let path = server.to_path_buf();
    let version = version_of(server);
    let driver = move || {
        let _finish = finish;
        // The server is forked here: it dies with this thread, which lives as long as the session needs it.
        let started = spawn_server(&path, pid).and_then(|(child, stream, guard)| {
            let connection = Connection::new(stream);
            let mut s = Server::new(pid, child, connection, mem, theirs, outputs, end);
            s.guard = Some(guard);
            s.stopped_by_others = stopped;
            let ready = s.shake_hands(START_DEADLINE).and_then(|()| prepare(&mut s));
            ready.map_err(|e| s.explain(e, &path, START_DEADLINE))?;
            Ok(s)
        });
        match started {
            Ok(mut s) => {
                if ready_tx.send(Ok(())).is_ok() {
                    s.run(&job_queue);
                }
            }
            Err(e) => {
                let _gone = ready_tx.send(Err(e));
            }
        }
    };
    thread::Builder::new()
        .name("gdbserver".into())
        .spawn(driver)
        .map_err(TargetError::io("starting a thread"))?;
    ready.recv().unwrap_or(Err(TargetError::Ended))?;
    let description = version.recv_timeout(VERSION_DEADLINE).unwrap_or_else(|_| "gdbserver".into());
    Ok(Box::new(Handle {
        jobs,
        _ending: Ending(done),
        keeper,
        pid,
        memory,
        emitter,
        description,
        detached: false,
    }))
}

/// "gdbserver 13.1", asked for while the program starts.
fn version_of(server: &Path) -> Receiver<String> {
    let (tx, version) = bounded(1);
    let path = server.to_path_buf();
    let ask = move || {
        let text = guard::output_of(&path, "--version").unwrap_or_default();
        let number = text.lines().next().and_then(|l| l.split_whitespace().last()).unwrap_or_default();
        let _nobody_waits = tx.send(format!("gdbserver {number}").trim().to_string());
    };
    if let Err(e) = thread::Builder::new().name("server version".into()).spawn(ask) {
        tracing::warn!("the server's version can't be asked for: {e}");
    }
    version
}

/// Starts the server with one end of a socket pair as its stdin and stdout, and what ends it when we do.
fn spawn_server(path: &Path, pid: i32) -> Result<(Child, UnixStream, OwnedFd), TargetError> {
    let io = |source| TargetError::Io { what: "starting gdbserver", source };
    let (ours, theirs) = UnixStream::pair().map_err(io)?;
    let stdin: std::os::fd::OwnedFd = theirs.try_clone().map_err(io)?.into();
    let stdout: std::os::fd::OwnedFd = theirs.into();
    let mut c = Command::new(path);
    c.args(["--once", "--no-startup-with-shell", "--attach", "-"]).arg(pid.to_string());
    c.stdin(stdin).stdout(stdout).stderr(Stdio::piped());
    let guard = guard::guarded(&mut c).map_err(io)?;
    let child = c.spawn().map_err(|source| TargetError::ServerStart {
        deadline: START_DEADLINE,
        why: format!("{}: {source}", path.display()),
    })?;
    Ok((child, ours, guard))
}
