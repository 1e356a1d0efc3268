//! Attaching to a running process, which goes on unharmed however the session ends.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use e2e::session::Launch;
use e2e::{Fixture, Session, processes};
use serde_json::json;

use crate::support::{backends, debug};

/// A running program that is nobody's child but the test's.
struct Program {
    child: Child,
    /// Open, or its next line would be its end.
    _stdout: BufReader<std::process::ChildStdout>,
    pid: i32,
}

impl Program {
    fn start(fixture: &Fixture) -> Self {
        let mut child =
            Command::new(&fixture.binary).stdout(Stdio::piped()).spawn().expect("the program starts");
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        stdout.read_line(&mut line).expect("a line");
        let pid = i32::try_from(child.id()).expect("a pid");
        assert!(line.starts_with("started"), "{line}");
        Self { child, _stdout: stdout, pid }
    }

    /// It still works: SIGUSR1 makes it end by itself.
    #[track_caller]
    fn goes_on(mut self, how: &str) {
        assert!(processes::alive(self.pid), "{how}: the program is dead");
        let deadline = Instant::now() + Duration::from_secs(10);
        while processes::tracer(self.pid) != 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(processes::tracer(self.pid), 0, "{how}: still traced");
        // Through the function where the breakpoint was, many times.
        std::thread::sleep(Duration::from_millis(50));
        assert!(processes::alive(self.pid), "{how}: the program died afterwards");
        processes::signal(self.pid, libc::SIGUSR1);
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                assert!(status.success(), "{how}: {status}");
                return;
            }
            assert!(Instant::now() < deadline, "{how}: the program hangs");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn attach(pid: i32, backend: &str) -> Launch {
    let mut launch = Launch::program("");
    launch.arguments = json!({"mode": "local", "processId": pid, "backend": backend});
    launch
}

#[test]
fn the_program_goes_on_however_the_session_ends() {
    let fixture = debug("spin");
    let path = fixture.path();
    for backend in backends() {
        for how in ["disconnect", "running", "eof", "SIGTERM", "SIGINT", "terminate"] {
            let program = Program::start(&fixture);
            let mut session = Session::begin(&attach(program.pid, backend), "attach");
            session.set_breakpoints(&path, &[fixture.line("tick")]);
            session.configured();
            let stop = session.stopped();
            assert_eq!(stop.reason, "breakpoint", "{backend} {how}: {}", stop.body);
            assert_eq!(session.place(stop.thread).0, "main.tick");
            session.text("n").parse::<i64>().expect("a number");
            match how {
                "running" => {
                    session.set_breakpoints(&path, &[]);
                    session.client.ok("continue", json!({"threadId": stop.thread}));
                    session.client.end();
                }
                "eof" => {
                    session.client.rude = true;
                    session.client.hang_up();
                    session.client.finish();
                }
                "SIGTERM" | "SIGINT" => {
                    session.client.rude = true;
                    let signal = if how == "SIGTERM" { libc::SIGTERM } else { libc::SIGINT };
                    processes::signal(session.client.adapter.pid(), signal);
                    session.client.finish();
                }
                "terminate" => {
                    session.client.ok("terminate", json!({}));
                    session.client.event("terminated");
                    session.client.end();
                }
                _ => session.client.end(),
            }
            program.goes_on(&format!("{backend}, {how}"));
        }
    }
}

/// `waitFor`: the session answers while it waits, and holds the program when it comes.
#[test]
fn a_program_that_is_not_there_yet() {
    let fixture = debug("spin");
    let folder = tempfile::tempdir().expect("a folder");
    let own = folder.path().join("awaited");
    std::fs::copy(&fixture.binary, &own).expect("a copy");
    let mut client = e2e::Client::start();
    client.ok("initialize", json!({"clientID": "itab-e2e", "adapterID": "itab"}));
    let seq = client.send("attach", json!({"waitFor": own.display().to_string()}));
    client.wait_for_output("console", "Waiting for a process");
    client.refused("attach", json!({"processId": 1}));
    client.ok("threads", json!({}));
    let mut child = Command::new(&own).stdout(Stdio::null()).spawn().expect("the program starts");
    client.event("initialized");
    client.answer(seq).expect("an attach");
    client.ok("disconnect", json!({"terminateDebuggee": true}));
    client.finish();
    let _ = child.wait();
    // Nobody comes.
    let mut client = e2e::Client::start();
    client.ok("initialize", json!({"clientID": "itab-e2e", "adapterID": "itab"}));
    let seq = client.send("attach", json!({"waitFor": "/nowhere/at/all"}));
    client.ok("disconnect", json!({}));
    assert!(client.answer(seq).is_err());
    client.finish();
}

#[test]
fn it_can_be_ended_on_request() {
    let fixture = debug("spin");
    let mut program = Program::start(&fixture);
    let mut session = Session::begin(&attach(program.pid, "auto"), "attach");
    session.configured();
    session.client.ok("disconnect", json!({"terminateDebuggee": true}));
    session.client.finish();
    let deadline = Instant::now() + Duration::from_secs(10);
    while program.child.try_wait().ok().flatten().is_none() {
        assert!(Instant::now() < deadline, "terminateDebuggee did nothing");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The server dies: bytes are restored from the shadow table, the session says what happened.
#[test]
fn the_server_dies() {
    if !crate::support::has_gdbserver() {
        return e2e::skip("death of the server", "gdbserver is not on PATH");
    }
    let fixture = debug("spin");
    let path = fixture.path();
    let program = Program::start(&fixture);
    let mut session = Session::begin(&attach(program.pid, "gdbserver"), "attach");
    session.set_breakpoints(&path, &[fixture.line("tick")]);
    session.configured();
    session.stopped();
    let server = processes::marked(&session.client.adapter.mark)
        .into_iter()
        .find(|(_, command)| command.contains("gdbserver"))
        .expect("a gdbserver");
    processes::signal(server.0, libc::SIGKILL);
    session.client.event("terminated");
    session.client.end();
    program.goes_on("the server died");
}

#[test]
fn what_cannot_be_attached_to() {
    let shell = Command::new("sleep").arg("60").spawn();
    let mut shell = shell.expect("sleep");
    let pid = i32::try_from(shell.id()).expect("a pid");
    for (what, pid, text) in [("no process", 999_999_999, "999999999"), ("not Go", pid, "Go")] {
        for backend in backends() {
            let (mut client, failure) = Session::refused(&attach(pid, backend), "attach");
            assert!(failure.message.contains(text), "{backend}, {what}: {failure:?}");
            client.end();
        }
    }
    assert!(processes::alive(pid) && processes::tracer(pid) == 0, "the process is harmed");
    let _ = shell.kill();
    let _ = shell.wait();
    let mut launch = Launch::program("");
    for (arguments, text) in
        [(json!({"mode": "local"}), "processId"), (json!({"mode": "local", "processId": "abc"}), "processId")]
    {
        launch.arguments = arguments;
        let (mut client, failure) = Session::refused(&launch, "attach");
        assert!(failure.message.contains(text), "{failure:?}");
        client.end();
    }
}
