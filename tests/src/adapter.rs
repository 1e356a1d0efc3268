//! Starting the adapter under test, over stdio or TCP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use crate::processes;

/// The adapter's executable: `$ITAB_DAP`, else built by cargo in this test's own profile.
pub fn executable() -> &'static Path {
    static EXECUTABLE: LazyLock<PathBuf> = LazyLock::new(|| {
        if let Some(path) = std::env::var_os("ITAB_DAP") {
            return path.into();
        }
        let own = std::env::current_exe().expect("the test's path");
        let folder = own.ancestors().nth(2).expect("target/PROFILE/deps/TEST").to_owned();
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "-p", "itab-dap"]).current_dir(env!("CARGO_MANIFEST_DIR"));
        if folder.ends_with("release") {
            cargo.arg("--release");
        }
        assert!(cargo.status().expect("cargo runs").success(), "itab-dap doesn't build");
        folder.join("itab-dap")
    });
    &EXECUTABLE
}

/// How to start it.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub arguments: Vec<String>,
    pub environment: Vec<(String, String)>,
    pub folder: Option<PathBuf>,
    /// Listen on a port and connect, instead of stdio.
    pub tcp: bool,
    /// The adapter and its children may not use ptrace.
    pub refuse_ptrace: bool,
}

/// A started adapter and the two halves of its connection.
pub struct Adapter {
    pub child: Child,
    pub mark: String,
    pub input: Option<Box<dyn Write + Send>>,
    pub output: Option<Box<dyn Read + Send>>,
    pub socket: Option<TcpStream>,
    stderr: Arc<Mutex<String>>,
}

impl Adapter {
    /// Starts it; over TCP this waits for the announcement and connects.
    pub fn start(options: &Options) -> Self {
        let mark = processes::mark();
        let mut command = Command::new(executable());
        if options.tcp {
            command.args(["dap", "--listen", "127.0.0.1:0"]);
        }
        command
            .args(&options.arguments)
            .env(processes::VARIABLE, &mark)
            .env("RUST_BACKTRACE", "1")
            .envs(options.environment.iter().cloned())
            .stdin(if options.tcp { Stdio::null() } else { Stdio::piped() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(folder) = &options.folder {
            command.current_dir(folder);
        }
        if options.refuse_ptrace {
            crate::seccomp::refuse_ptrace(&mut command);
        }
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", executable().display()));
        let stderr = collect(child.stderr.take().expect("piped"));
        let stdout = child.stdout.take().expect("piped");
        if !options.tcp {
            let input = child.stdin.take().expect("piped");
            return Self {
                child,
                mark,
                input: Some(Box::new(input)),
                output: Some(Box::new(stdout)),
                socket: None,
                stderr,
            };
        }
        let address = announced(stdout);
        let socket = TcpStream::connect(&address).unwrap_or_else(|error| panic!("{address}: {error}"));
        let halves = (socket.try_clone().expect("clone"), socket.try_clone().expect("clone"));
        Self {
            child,
            mark,
            input: Some(Box::new(halves.0)),
            output: Some(Box::new(halves.1)),
            socket: Some(socket),
            stderr,
        }
    }

    /// What it wrote to stderr so far.
    pub fn stderr(&self) -> String {
        self.stderr.lock().map(|text| text.clone()).unwrap_or_default()
    }

    /// Waits for its end; none when it lives on.
    pub fn wait(&mut self, timeout: Duration) -> Option<std::process::ExitStatus> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            if Instant::now() > deadline {
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a pid")
    }
}

impl Drop for Adapter {
    fn drop(&mut self) {
        if self.wait(Duration::ZERO).is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        processes::kill_marked(&self.mark);
    }
}

fn collect(mut stream: ChildStderr) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let shared = Arc::clone(&text);
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count) = stream.read(&mut buffer) {
            if count == 0 {
                break;
            }
            let mut text = shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            text.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    });
    text
}

/// The address of `DAP server listening at: HOST:PORT`, which editors wait for on stdout.
fn announced(stdout: impl Read + Send + 'static) -> String {
    let mut lines = BufReader::new(stdout);
    let mut line = String::new();
    lines.read_line(&mut line).expect("an announcement");
    let address =
        line.strip_prefix("DAP server listening at: ").unwrap_or_else(|| panic!("announced {line:?}"));
    let address = address.trim().to_owned();
    // Whatever comes later must not block the adapter.
    std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
    address
}
