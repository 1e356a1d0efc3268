//! Starting the program: arguments, environment, directory and files exact, no shell; stopped at its first instruction by a
//! two-byte loop (`jmp .`) so that any back end can attach by pid.
//!
//!     spawner thread                 child
//!       fork ----------------------> setsid, PDEATHSIG, personality, TRACEME, execve
//!       waitpid <------------------- exec stop
//!       write EB FE at pc, DETACH --> spins at the entry
//!       (the back end attaches, writes the two bytes back)
//!       lives as long as the program: PDEATHSIG fires when the *thread* that forked ends

use std::{
    fs::File,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::{Event, LaunchSpec, Output, Signal, Stdin, Stream, TargetError, stdio::Readers};

/// `jmp .`
const SPIN: [u8; 2] = [0xeb, 0xfe];
/// What the child's set-up reports when the kernel refuses PTRACE_TRACEME; no system call of it returns this one.
const REFUSED: i32 = libc::ENOTRECOVERABLE;

/// A program that spins at its first instruction.
pub(crate) struct Spawned {
    pub(crate) pid: i32,
    /// Where it spins, and the two bytes that belong there.
    pub(crate) pc: u64,
    pub(crate) saved: [u8; 2],
    pub(crate) keeper: Keeper,
    pub(crate) readers: Readers,
}

impl Spawned {
    /// Ends a program that no back end took over.
    pub(crate) fn discard(self) {
        kill_group(self.pid);
        let _reaped = self.keeper.wait_for_exit().recv();
    }
}

/// The thread that forked the program. It must outlive it.
pub(crate) struct Keeper {
    order: Sender<Order>,
}

enum Order {
    /// Reap the program and tell its end. (The tracer is another process.)
    Wait(Sender<Event>),
    /// Only live until the other end is dropped. (The tracer is a thread of ours and reaps the program itself.)
    Park(Receiver<()>),
}

impl Keeper {
    /// Reaps the program; its end arrives once.
    pub(crate) fn wait_for_exit(self) -> Receiver<Event> {
        let (tx, rx) = bounded(1);
        let _gone = self.order.send(Order::Wait(tx));
        rx
    }

    /// Keeps the thread until the returned sender is dropped.
    pub(crate) fn park(self) -> Sender<()> {
        let (tx, rx) = bounded(1);
        let _gone = self.order.send(Order::Park(rx));
        tx
    }
}

/// Kills a launched program with everything in its process group.
pub(crate) fn kill_group(pid: i32) {
    // SAFETY: kill takes no pointers. The program leads its own group (setsid).
    unsafe {
        libc::kill(-pid, libc::SIGKILL);
        libc::kill(pid, libc::SIGKILL);
    }
}

/// Starts a program, stopped.
pub(crate) fn spawn_stopped(spec: &LaunchSpec, events: &Sender<Event>) -> Result<Spawned, TargetError> {
    let command = command(spec, true)?;
    let program = spec.program.clone();
    let (result_tx, result) = bounded(1);
    let (order, orders) = bounded(1);
    thread::Builder::new()
        .name("spawner".into())
        .spawn(move || keep(command, &program, &result_tx, &orders))
        .map_err(|source| TargetError::Io { what: "starting the spawner", source })?;
    let (mut child, pc, saved) = result.recv().map_err(|_| TargetError::Gone)??;
    let readers = Readers::default();
    let spawned =
        Spawned { pid: child.id() as i32, pc, saved, keeper: Keeper { order }, readers: readers.clone() };
    if let Err(source) = read_output(&mut child, &readers, events) {
        spawned.discard();
        return Err(TargetError::Io { what: "reading the program's output", source });
    }
    Ok(spawned)
}

fn read_output(child: &mut Child, readers: &Readers, events: &Sender<Event>) -> std::io::Result<()> {
    if let Some(pipe) = child.stdout.take() {
        readers.add(Stream::Stdout, pipe, events.clone())?;
    }
    if let Some(pipe) = child.stderr.take() {
        readers.add(Stream::Stderr, pipe, events.clone())?;
    }
    Ok(())
}

type Started = Result<(Child, u64, [u8; 2]), TargetError>;

/// The spawner thread.
fn keep(mut command: Command, program: &Path, result: &Sender<Started>, orders: &Receiver<Order>) {
    let started = start(&mut command, program);
    let pid = started.as_ref().ok().map(|s| s.0.id() as i32);
    let delivered = result.send(started).is_ok();
    let Some(pid) = pid else { return };
    if !delivered {
        kill_group(pid);
        return;
    }
    match orders.recv() {
        Ok(Order::Wait(end)) => {
            let _gone = end.send(reap(pid));
        }
        Ok(Order::Park(until)) => {
            let _dropped = until.recv();
        }
        // Nobody took the program over; it dies with this thread.
        Err(_) => kill_group(pid),
    }
}

/// Waits for a child's end.
fn reap(pid: i32) -> Event {
    let mut status = 0;
    loop {
        // SAFETY: `status` lives through the call.
        let r = unsafe { libc::waitpid(pid, &raw mut status, 0) };
        if r < 0 && std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted {
            continue;
        }
        if r < 0 {
            return Event::Lost {
                why: format!("waiting for process {pid}: {}", std::io::Error::last_os_error()),
            };
        }
        if let Some(e) = end_of(status) {
            return e;
        }
    }
}

/// The event for a wait status that means the end.
pub(crate) fn end_of(status: i32) -> Option<Event> {
    if libc::WIFEXITED(status) {
        return Some(Event::Exited { code: libc::WEXITSTATUS(status) });
    }
    libc::WIFSIGNALED(status).then(|| Event::Signalled { signal: Signal(libc::WTERMSIG(status)) })
}

fn start(command: &mut Command, program: &Path) -> Started {
    let child = command.spawn().map_err(|e| match e.raw_os_error() {
        Some(REFUSED) => TargetError::PtraceRefused("PTRACE_TRACEME".into()),
        _ => TargetError::Start { program: program.to_path_buf(), source: e },
    })?;
    let pid = child.id() as i32;
    match spin_at_entry(pid) {
        Ok((pc, saved)) => Ok((child, pc, saved)),
        Err(e) => {
            kill_group(pid);
            reap(pid);
            Err(e)
        }
    }
}

/// At the exec stop: writes the loop and lets go.
fn spin_at_entry(pid: i32) -> Result<(u64, [u8; 2]), TargetError> {
    let mut status = 0;
    // SAFETY: the pointers live through the calls; `regs` is plain data for which zero is valid.
    let regs = unsafe {
        if libc::waitpid(pid, &raw mut status, 0) != pid {
            return Err(TargetError::last("waiting for the program's start"));
        }
        if !libc::WIFSTOPPED(status) {
            return Err(TargetError::Gone);
        }
        let mut regs: libc::user_regs_struct = std::mem::zeroed();
        if libc::ptrace(libc::PTRACE_GETREGS, pid, 0, &raw mut regs) != 0 {
            return Err(TargetError::last("reading the program's first registers"));
        }
        regs
    };
    let pc = regs.rip;
    let word = peek(pid, pc)?;
    let bytes = word.to_le_bytes();
    let saved = [bytes[0], bytes[1]];
    let mut patched = bytes;
    patched[0] = SPIN[0];
    patched[1] = SPIN[1];
    // SAFETY: POKEDATA and DETACH take values, no pointers into this process.
    unsafe {
        if libc::ptrace(libc::PTRACE_POKEDATA, pid, pc, u64::from_le_bytes(patched)) != 0 {
            return Err(TargetError::last("holding the program at its entry"));
        }
        if libc::ptrace(libc::PTRACE_DETACH, pid, 0, 0) != 0 {
            return Err(TargetError::last("handing the program over"));
        }
    }
    Ok((pc, saved))
}

fn peek(pid: i32, addr: u64) -> Result<u64, TargetError> {
    let mut buf = [0; 8];
    let file = File::open(format!("/proc/{pid}/mem"))
        .map_err(|source| TargetError::Io { what: "opening memory", source })?;
    std::os::unix::fs::FileExt::read_exact_at(&file, &mut buf, addr)
        .map_err(|_| TargetError::Unmapped(addr))?;
    Ok(u64::from_le_bytes(buf))
}

/// The command, with the child's set-up between fork and exec.
fn command(spec: &LaunchSpec, traced: bool) -> Result<Command, TargetError> {
    let mut c = Command::new(&spec.program);
    c.args(&spec.args).env_clear().envs(&spec.env);
    if let Some(dir) = &spec.cwd {
        c.current_dir(dir);
    }
    c.stdin(match &spec.stdin {
        Stdin::Null => Stdio::null(),
        Stdin::Inherit => Stdio::inherit(),
        Stdin::File(p) => File::open(p).map_err(|e| named(p, e))?.into(),
    });
    c.stdout(output(&spec.stdout)?);
    c.stderr(output(&spec.stderr)?);
    let parent = std::process::id() as i32;
    let no_aslr = spec.disable_aslr;
    // SAFETY: between fork and exec only system calls are made: no allocation, no locks.
    unsafe {
        c.pre_exec(move || {
            libc::setsid();
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                return Err(std::io::Error::last_os_error());
            }
            if libc::getppid() != parent {
                // The adapter died before PDEATHSIG was set: nobody would ever end us.
                libc::_exit(1);
            }
            if no_aslr {
                libc::personality(libc::ADDR_NO_RANDOMIZE as libc::c_ulong);
            }
            if traced {
                libc::prctl(libc::PR_SET_PTRACER, libc::PR_SET_PTRACER_ANY);
                if libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) != 0 {
                    return Err(std::io::Error::from_raw_os_error(REFUSED));
                }
            }
            Ok(())
        });
    }
    Ok(c)
}

fn named(path: &Path, source: std::io::Error) -> TargetError {
    TargetError::Start { program: path.to_path_buf(), source }
}

fn output(o: &Output) -> Result<Stdio, TargetError> {
    Ok(match o {
        Output::Piped => Stdio::piped(),
        Output::Inherit => Stdio::inherit(),
        Output::File(p) => File::create(p).map_err(|e| named(p, e))?.into(),
    })
}

/// A program that runs without debugger; it dies with this process.
pub struct Untraced {
    pid: i32,
}

impl Untraced {
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Ends it with its process group. Its end still arrives as an event.
    pub fn kill(&mut self) {
        kill_group(self.pid);
    }
}

/// Starts a program without tracing it (`noDebug`).
pub fn run_untraced(spec: &LaunchSpec, events: Sender<Event>) -> Result<Untraced, TargetError> {
    let mut command = command(spec, false)?;
    let program = spec.program.clone();
    let (tx, rx) = bounded(1);
    thread::Builder::new()
        .name("spawner".into())
        .spawn(move || {
            let readers = Readers::default();
            let started = command.spawn().map_err(|source| TargetError::Start { program, source }).and_then(
                |mut child| {
                    let pid = child.id() as i32;
                    read_output(&mut child, &readers, &events)
                        .map_err(|source| TargetError::Io { what: "reading the program's output", source })?;
                    Ok(pid)
                },
            );
            let pid = started.as_ref().ok().copied();
            let _gone = tx.send(started);
            if let Some(pid) = pid {
                readers.tell_end_after_output(events, reap(pid));
            }
        })
        .map_err(|source| TargetError::Io { what: "starting the spawner", source })?;
    let pid = rx.recv().map_err(|_| TargetError::Gone)??;
    Ok(Untraced { pid })
}
