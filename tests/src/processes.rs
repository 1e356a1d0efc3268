//! Processes of a test, found by a mark in their environment: nobody may be left behind.
//!
//! It must never touch a process without the mark of its own test.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The variable that carries the mark; children inherit it.
pub const VARIABLE: &str = "ITAB_E2E_MARK";

/// A mark that no other test has.
pub fn mark() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Living processes with the mark: (pid, command line).
pub fn marked(mark: &str) -> Vec<(i32, String)> {
    let entry = format!("{VARIABLE}={mark}");
    let mut found = Vec::new();
    for folder in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = folder.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        let Ok(environment) = std::fs::read(folder.path().join("environ")) else { continue };
        if environment.split(|byte| *byte == 0).any(|variable| variable == entry.as_bytes()) && alive(pid) {
            let line = std::fs::read(folder.path().join("cmdline")).unwrap_or_default();
            found.push((pid, String::from_utf8_lossy(&line).replace('\0', " ").trim().to_owned()));
        }
    }
    found
}

/// True for a process that is no zombie.
pub fn alive(pid: i32) -> bool {
    state(pid).is_some_and(|state| state != 'Z' && state != 'X')
}

/// The state letter of `/proc/PID/stat`.
pub fn state(pid: i32) -> Option<char> {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

/// The process that traces it, 0 for none.
pub fn tracer(pid: i32) -> i32 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("TracerPid:"));
    line.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

/// Waits until no process with the mark lives; those that do otherwise.
pub fn wait_until_gone(mark: &str, timeout: Duration) -> Vec<(i32, String)> {
    let deadline = Instant::now() + timeout;
    loop {
        let left = marked(mark);
        if left.is_empty() || Instant::now() > deadline {
            return left;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Ends what a test left behind, so that a failure doesn't spoil the machine.
pub fn kill_marked(mark: &str) {
    for (pid, _) in marked(mark) {
        // SAFETY: kill takes plain numbers; the process carries this test's own mark.
        unsafe { libc::kill(pid, libc::SIGKILL) };
    }
}

/// Sends a signal to one process.
pub fn signal(pid: i32, signal: i32) {
    // SAFETY: kill takes plain numbers.
    unsafe { libc::kill(pid, signal) };
}
