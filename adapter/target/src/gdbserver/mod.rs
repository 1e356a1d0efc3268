//! GDB's server over its remote protocol, on a Unix socket pair: no port, nobody else can connect.
//!
//!     session --jobs--> driver thread --packets--> gdbserver --ptrace--> program
//!                        ^ reader thread (bytes -> packets)
//!
//! The server only attaches: the program is spawned by us. It reads no symbols and never will: `qSymbol` is not answered.

mod connection;
mod driver;
mod running;

use std::{
    os::unix::{net::UnixStream, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, bounded};

use self::{connection::Connection, driver::Server};
use crate::{
    Event, Target, TargetError,
    actor::{Handle, queue},
    memory::{ProcMemory, Shadow},
    spawn::{Spawned, kill_group},
    stdio::Readers,
};

/// How long the server may take from its start to its first answer. (Measured: 7 to 14 ms, 20 under load.)
const START_DEADLINE: Duration = Duration::from_secs(10);

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

pub(crate) fn launch(
    server: &Path,
    child: Spawned,
    events: Sender<Event>,
) -> Result<Box<dyn Target>, TargetError> {
    let Spawned { pid, pc, saved, keeper, readers } = child;
    let end = keeper.wait_for_exit();
    let result = start(server, pid, Some(end.clone()), readers, events, move |s| {
        s.memory
            .write_raw(pc, &saved)
            .or_else(|_| s.write_through_server(pc, &saved).map_err(std::io::Error::other))
            .map_err(|source| TargetError::Io { what: "restoring the entry", source })
    });
    if result.is_err() {
        kill_group(pid);
        let _reaped = end.recv_timeout(Duration::from_secs(2));
    }
    result
}

pub(crate) fn attach(server: &Path, pid: i32, events: Sender<Event>) -> Result<Box<dyn Target>, TargetError> {
    start(server, pid, None, Readers::default(), events, |_| Ok(()))
}

fn start(
    server: &Path,
    pid: i32,
    end: Option<Receiver<Event>>,
    readers: Readers,
    events: Sender<Event>,
    prepare: impl FnOnce(&mut Server) -> Result<(), TargetError> + Send + 'static,
) -> Result<Box<dyn Target>, TargetError> {
    let shadow = Shadow::default();
    let memory = Arc::new(
        ProcMemory::open(pid, shadow.clone())
            .map_err(|source| TargetError::Io { what: "opening memory", source })?,
    );
    let (jobs, job_queue) = queue::<Server>();
    let (ready_tx, ready) = bounded(1);
    let (mem, shad) = (Arc::clone(&memory), shadow.clone());
    let path = server.to_path_buf();
    let driver = move || {
        // The server is forked here: it dies with this thread, which lives as long as the session needs it.
        let started = spawn_server(&path, pid).and_then(|(child, stream)| {
            let connection = Connection::new(stream)?;
            let mut s = Server::new(pid, child, connection, mem, shad, events, readers, end);
            s.shake_hands(START_DEADLINE).map_err(|e| s.explain(e, &path, START_DEADLINE))?;
            prepare(&mut s)?;
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
        .map_err(|source| TargetError::Io { what: "starting the server's thread", source })?;
    ready.recv().map_err(|_| TargetError::Gone)??;
    let description = format!("gdbserver ({})", server.display());
    Ok(Box::new(Handle { jobs, pid, memory, shadow, description }))
}

/// Starts the server with one end of a socket pair as its stdin and stdout.
fn spawn_server(path: &Path, pid: i32) -> Result<(Child, UnixStream), TargetError> {
    let io = |source| TargetError::Io { what: "starting gdbserver", source };
    let (ours, theirs) = UnixStream::pair().map_err(io)?;
    let stdin: std::os::fd::OwnedFd = theirs.try_clone().map_err(io)?.into();
    let stdout: std::os::fd::OwnedFd = theirs.into();
    let mut c = Command::new(path);
    c.args(["--once", "--no-startup-with-shell", "--attach", "-"]).arg(pid.to_string());
    c.stdin(stdin).stdout(stdout).stderr(Stdio::piped());
    let parent = std::process::id() as i32;
    // SAFETY: between fork and exec only system calls are made.
    unsafe {
        c.pre_exec(move || {
            // A Ctrl-C in the adapter's terminal is for the adapter.
            libc::setpgid(0, 0);
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                return Err(std::io::Error::last_os_error());
            }
            if libc::getppid() != parent {
                libc::_exit(1);
            }
            Ok(())
        });
    }
    let child = c.spawn().map_err(|source| TargetError::Start { program: path.to_path_buf(), source })?;
    Ok((child, ours))
}
