//! One run of the go command: its own process group, its lines as they come, killed when cancelled or when the adapter dies.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::{BuildError, environment};

/// Lines that an error carries; all of them went to the caller already.
const KEPT_LINES: usize = 200;
/// A line that is longer is cut: a build can print megabytes without a newline.
const LINE_BYTES: u64 = 16 * 1024;
/// How long an interrupted go command may take to remove its work folder.
const GRACE: Duration = Duration::from_secs(2);

pub(super) struct Invocation<'a> {
    pub(super) go: &'a Path,
    pub(super) arguments: &'a [String],
    pub(super) directory: &'a Path,
    pub(super) env: &'a BTreeMap<String, Option<String>>,
}

/// The command as a user would type it.
pub(super) fn shown(go: &Path, arguments: &[String]) -> String {
    let quoted = |s: &str| match s.is_empty() || s.contains(|c: char| c.is_whitespace() || "'\"$".contains(c))
    {
        true => format!("'{}'", s.replace('\'', r"'\''")),
        false => s.to_owned(),
    };
    let name = go.file_name().map_or_else(|| "go".into(), |n| n.to_string_lossy());
    std::iter::once(name.into_owned())
        .chain(arguments.iter().map(|a| quoted(a)))
        .collect::<Vec<_>>()
        .join(" ")
}

pub(super) fn run(
    invocation: &Invocation<'_>,
    cancelled: &dyn Fn() -> bool,
    on_line: &mut dyn FnMut(&str),
) -> Result<(), BuildError> {
    if cancelled() {
        return Err(BuildError::Cancelled);
    }
    let command = shown(invocation.go, invocation.arguments);
    let failed_to_start = |source| BuildError::Start { command: command.clone(), source };
    let (mut child, lines) = start(invocation).map_err(failed_to_start)?;
    let mut kept: VecDeque<String> = VecDeque::new();
    loop {
        match lines.recv_timeout(Duration::from_millis(50)) {
            Ok(line) => {
                on_line(&line);
                if kept.len() == KEPT_LINES {
                    kept.pop_front();
                }
                kept.push_back(line);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if cancelled() {
            stop(&mut child);
            return Err(BuildError::Cancelled);
        }
    }
    let status = child.wait().map_err(failed_to_start)?;
    if status.success() {
        return Ok(());
    }
    if kept.is_empty() {
        kept.push_back(status.to_string());
    }
    Err(BuildError::Failed { command, messages: Vec::from(kept).join("\n") })
}

/// Starts the command with stdout and stderr on one pipe, so that its lines keep their order.
fn start(invocation: &Invocation<'_>) -> std::io::Result<(Child, Receiver<String>)> {
    let (reader, writer) = std::io::pipe()?;
    let mut command = Command::new(invocation.go);
    command
        .args(invocation.arguments)
        .current_dir(invocation.directory)
        .env_clear()
        .envs(environment(invocation.env))
        // The go command trusts PWD over getcwd, which matters for what is printed and for symbolic links.
        .env("PWD", invocation.directory)
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .process_group(0);
    // SAFETY: only prctl is called between fork and exec; it is async-signal-safe and touches no memory of ours.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
    let child = command.spawn()?;
    // The command holds the write ends: without them gone the reader would never see the end.
    drop(command);
    let (send, lines) = crossbeam_channel::bounded(256);
    std::thread::Builder::new().name("build-output".into()).spawn(move || {
        let mut reader = BufReader::new(reader);
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            match reader.by_ref().take(LINE_BYTES).read_until(b'\n', &mut bytes) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let line = String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']).to_owned();
            if send.send(line).is_err() {
                return;
            }
        }
    })?;
    Ok((child, lines))
}

/// Interrupts the process group (the go command then removes its work folder), and kills what is left after [`GRACE`].
fn stop(child: &mut Child) {
    let signal_group = |signal| {
        if let Some(pid) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process_group(pid, signal);
        }
    };
    signal_group(rustix::process::Signal::INT);
    let deadline = Instant::now() + GRACE;
    let mut ended = false;
    while !ended && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
        // The child is not reaped before the group was killed: its id must stay ours.
        ended = exited(child.id());
    }
    signal_group(rustix::process::Signal::KILL);
    let _ = child.wait();
}

/// Whether the process is a zombie (or gone).
fn exited(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return true };
    stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with('Z'))
}
