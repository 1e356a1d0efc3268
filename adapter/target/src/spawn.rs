//! The spawner: fork and exec without a shell, everything exact. Runs on a thread that lives as long as the program, because the
//! program's death signal and every ptrace request are tied to that thread.
//!
//! The child makes only async-signal-safe calls between fork and exec; whatever needs memory is prepared before.

use std::{
    ffi::{CString, OsStr},
    fs::File,
    io::Read,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

use crate::{
    LaunchSpec, Output, Stdin, Stream, TargetError,
    process::{reap, signal},
    ptrace,
};

/// A program ready to be forked.
pub(crate) struct Prepared {
    spec: LaunchSpec,
    program: CString,
    argv: Vec<CString>,
    envp: Vec<CString>,
    cwd: Option<CString>,
    stdio: [Option<OwnedFd>; 3],
    /// Our ends of the output pipes.
    pub(crate) pipes: Vec<(Stream, OwnedFd)>,
}

/// What the child could not do, as it writes it to its report pipe.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Stage {
    Stdio = 1,
    Directory = 2,
    Exec = 3,
}

impl Prepared {
    pub(crate) fn new(spec: &LaunchSpec) -> Result<Prepared, TargetError> {
        let path = std::path::absolute(&spec.program).map_err(TargetError::io("the current directory"))?;
        check_program(&path)?;
        if let Some(cwd) = &spec.cwd
            && !cwd.is_dir()
        {
            let why = if cwd.exists() { "it is not a directory" } else { "it does not exist" };
            return Err(TargetError::BadDirectory { path: cwd.clone(), why: why.into() });
        }
        let mut argv = vec![c_string(spec.program.as_os_str())?];
        for a in &spec.args {
            argv.push(c_string(a)?);
        }
        let mut envp = Vec::new();
        for (name, value) in &spec.env {
            let mut entry = name.clone();
            entry.push("=");
            entry.push(value);
            envp.push(c_string(&entry)?);
        }
        let stdin = match &spec.stdin {
            Stdin::Inherit => None,
            Stdin::Null => Some(open_input(Path::new("/dev/null"))?),
            Stdin::File(p) => Some(open_input(p)?),
        };
        let mut pipes = Vec::new();
        let stdout = output(&spec.stdout, Stream::Stdout, &mut pipes)?;
        let stderr = match (&spec.stdout, &spec.stderr, &stdout) {
            (Output::File(a), Output::File(b), Some(fd)) if a == b => {
                Some(fd.try_clone().map_err(TargetError::io("dup"))?)
            }
            _ => output(&spec.stderr, Stream::Stderr, &mut pipes)?,
        };
        Ok(Prepared {
            program: c_string(path.as_os_str())?,
            argv,
            envp,
            cwd: spec.cwd.as_ref().map(|c| c_string(c.as_os_str())).transpose()?,
            stdio: [stdin, stdout, stderr],
            pipes,
            spec: spec.clone(),
        })
    }

    /// Forks and runs the program untraced; returns when exec has succeeded.
    pub(crate) fn run(self) -> Result<Running, TargetError> {
        let (mut forked, pipes) = self.fork()?;
        forked.go();
        match forked.failure() {
            None => Ok(Running { pid: forked.pid, pipes }),
            Some(why) => {
                reap(forked.pid);
                Err(why)
            }
        }
    }

    /// Forks, traces the child from this thread with `options`, and runs it up to its exec stop, the pc at the first instruction.
    pub(crate) fn run_traced(self, options: i32) -> Result<Running, TargetError> {
        let (mut forked, pipes) = self.fork()?;
        let pid = forked.pid;
        if let Err(e) = ptrace::seize(pid, options | libc::PTRACE_O_TRACEEXEC) {
            signal(pid, libc::SIGKILL);
            reap(pid);
            return Err(crate::permission::refused("tracing a child", &e));
        }
        forked.go();
        match ptrace::run_to_exec(pid) {
            Ok(true) => Ok(Running { pid, pipes }),
            Ok(false) => Err(forked.failure().unwrap_or(TargetError::Ended)),
            Err(e) => {
                signal(pid, libc::SIGKILL);
                reap(pid);
                Err(crate::permission::refused("controlling a child", &e))
            }
        }
    }

    fn fork(self) -> Result<(Forked, Vec<(Stream, OwnedFd)>), TargetError> {
        let (go_read, go_write) = pipe()?;
        let (report_read, report_write) = pipe()?;
        let argv = pointers(&self.argv);
        let envp = pointers(&self.envp);
        let parent = std::process::id() as i32;
        let child = Child {
            prepared: &self,
            argv: &argv,
            envp: &envp,
            parent,
            go: go_read.as_raw_fd(),
            go_writer: go_write.as_raw_fd(),
            report: report_write.as_raw_fd(),
        };
        // SAFETY: the child runs `Child::run` only, which makes async-signal-safe calls and never returns.
        let pid = unsafe { libc::fork() };
        match pid {
            -1 => Err(TargetError::os("fork")),
            // SAFETY: we are the child; see above.
            0 => unsafe { child.run() },
            _ => {
                drop(report_write);
                let forked = Forked {
                    pid,
                    go: Some(File::from(go_write)),
                    report: File::from(report_read),
                    spec: self.spec,
                };
                Ok((forked, self.pipes))
            }
        }
    }
}

/// A started program and our ends of its pipes.
pub(crate) struct Running {
    pub(crate) pid: i32,
    pub(crate) pipes: Vec<(Stream, OwnedFd)>,
}

/// The parent's view of a child before its exec.
struct Forked {
    pid: i32,
    go: Option<File>,
    report: File,
    spec: LaunchSpec,
}

impl Forked {
    fn go(&mut self) {
        if let Some(mut go) = self.go.take() {
            use std::io::Write;
            // An error means that the child is dead; its wait status says so.
            let _dead = go.write_all(b"g");
        }
    }

    /// Waits until the child has called exec (`None`) or failed before.
    fn failure(&mut self) -> Option<TargetError> {
        let mut report = [0; 5];
        self.report.read_exact(&mut report).ok()?;
        let [stage, errno @ ..] = report;
        let error = std::io::Error::from_raw_os_error(i32::from_le_bytes(errno));
        let why = error.to_string();
        Some(match stage {
            s if s == Stage::Directory as u8 => {
                TargetError::BadDirectory { path: self.spec.cwd.clone().unwrap_or_default(), why }
            }
            s if s == Stage::Exec as u8 => {
                let why = match error.raw_os_error() {
                    Some(libc::ENOEXEC) => "it is not a program for this system".into(),
                    Some(libc::ENOENT) => {
                        "its interpreter (a script's #! line, or the dynamic linker) is missing".into()
                    }
                    Some(libc::EACCES) => "permission denied; is it on a file system mounted noexec?".into(),
                    Some(libc::E2BIG) => "its arguments and environment together are too long".into(),
                    _ => why,
                };
                TargetError::NotExecutable { path: self.spec.program.clone(), why }
            }
            _ => TargetError::Io { what: "preparing the program's input and output", source: error },
        })
    }
}

/// What the child needs, all of it allocated before the fork.
struct Child<'a> {
    prepared: &'a Prepared,
    argv: &'a [*const libc::c_char],
    envp: &'a [*const libc::c_char],
    parent: i32,
    go: RawFd,
    go_writer: RawFd,
    report: RawFd,
}

impl Child<'_> {
    /// # Safety
    /// Only in a freshly forked child.
    unsafe fn run(&self) -> ! {
        // SAFETY: async-signal-safe calls on values that live until exec or _exit.
        unsafe {
            libc::setsid();
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            if libc::getppid() != self.parent {
                libc::_exit(127);
            }
            default_signals();
            for (fd, source) in self.prepared.stdio.iter().enumerate() {
                if let Some(source) = source
                    && libc::dup2(source.as_raw_fd(), fd as RawFd) < 0
                {
                    self.fail(Stage::Stdio);
                }
            }
            if let Some(cwd) = &self.prepared.cwd
                && libc::chdir(cwd.as_ptr()) != 0
            {
                self.fail(Stage::Directory);
            }
            if self.prepared.spec.disable_aslr {
                // Refused in some containers; the program runs all the same.
                libc::personality(libc::ADDR_NO_RANDOMIZE as libc::c_ulong);
            }
            // Yama: our server is not our child's ancestor. Without Yama the call fails, which is as good.
            libc::prctl(libc::PR_SET_PTRACER, libc::PR_SET_PTRACER_ANY);
            libc::close(self.go_writer);
            let mut byte = 0u8;
            while libc::read(self.go, (&raw mut byte).cast(), 1) < 0
                && *libc::__errno_location() == libc::EINTR
            {}
            if byte == 0 {
                libc::_exit(127);
            }
            libc::execve(self.prepared.program.as_ptr(), self.argv.as_ptr(), self.envp.as_ptr());
            self.fail(Stage::Exec)
        }
    }

    /// # Safety
    /// As [`Self::run`].
    unsafe fn fail(&self, stage: Stage) -> ! {
        // SAFETY: async-signal-safe calls; five readable bytes.
        unsafe {
            let errno = (*libc::__errno_location()).to_le_bytes();
            let [a, b, c, d] = errno;
            let report = [stage as u8, a, b, c, d];
            libc::write(self.report, report.as_ptr().cast(), report.len());
            libc::_exit(127)
        }
    }
}

/// What Rust's runtime changed (SIGPIPE ignored) and what this thread blocks must not reach the program.
///
/// # Safety
/// Only in a freshly forked child.
unsafe fn default_signals() {
    // SAFETY: async-signal-safe calls on a local set.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut());
    }
}

fn check_program(path: &Path) -> Result<(), TargetError> {
    let not = |why: &str| TargetError::NotExecutable { path: path.to_path_buf(), why: why.into() };
    match std::fs::metadata(path) {
        Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => Err(not("permission denied")),
        Err(_) => Err(TargetError::ProgramNotFound(path.to_path_buf())),
        Ok(m) if m.is_dir() => Err(not("it is a directory")),
        Ok(m) if !m.is_file() => Err(not("it is not a regular file")),
        Ok(_) => {
            let c = c_string(path.as_os_str())?;
            // SAFETY: a NUL-terminated path.
            let allowed = unsafe { libc::access(c.as_ptr(), libc::X_OK) } == 0;
            if allowed { Ok(()) } else { Err(not("it has no execute permission (chmod +x)")) }
        }
    }
}

fn c_string(text: &OsStr) -> Result<CString, TargetError> {
    CString::new(text.as_bytes())
        .map_err(|_| TargetError::NulByte(text.to_string_lossy().replace('\0', "\\0")))
}

/// A NULL-terminated array for exec.
fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|s| s.as_ptr()).chain(std::iter::once(std::ptr::null())).collect()
}

fn open_input(path: &Path) -> Result<OwnedFd, TargetError> {
    File::open(path)
        .map(OwnedFd::from)
        .map_err(|e| TargetError::Redirection { path: path.to_path_buf(), why: e.to_string() })
}

fn output(
    to: &Output,
    stream: Stream,
    pipes: &mut Vec<(Stream, OwnedFd)>,
) -> Result<Option<OwnedFd>, TargetError> {
    match to {
        Output::Inherit => Ok(None),
        Output::File(path) => {
            let file = File::create(path)
                .map_err(|e| TargetError::Redirection { path: path.clone(), why: e.to_string() })?;
            Ok(Some(file.into()))
        }
        Output::Piped => {
            let (read, write) = pipe()?;
            pipes.push((stream, read));
            Ok(Some(write))
        }
    }
}

/// Read end, write end; neither survives an exec.
pub(crate) fn pipe() -> Result<(OwnedFd, OwnedFd), TargetError> {
    let mut fds = [0; 2];
    // SAFETY: room for two descriptors; on success both are fresh and nobody else's.
    unsafe {
        if libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) != 0 {
            return Err(TargetError::os("pipe"));
        }
        let [read, write] = fds;
        Ok((OwnedFd::from_raw_fd(read), OwnedFd::from_raw_fd(write)))
    }
}
