//! The end of sessions in every phase: nobody is left behind, nobody waits for ever.

use std::time::{Duration, Instant};

use e2e::{Client, Session, processes};
use serde_json::json;

use crate::support::{backends, debug, launch};

/// Kills the adapter and waits until its servers and program are gone.
#[track_caller]
fn kill(mut client: Client, what: &str) {
    client.rude = true;
    processes::signal(client.adapter.pid(), libc::SIGKILL);
    let mark = client.adapter.mark.clone();
    let left = processes::wait_until_gone(&mark, Duration::from_secs(10));
    assert!(left.is_empty(), "{what}: left behind: {left:?}");
    client.finish();
}

/// SIGKILL at many moments of a launch: before the server, between exec and attach, while configuring, stopped, running.
#[test]
fn the_adapter_is_killed_in_each_phase() {
    let fixture = debug("spin");
    let path = fixture.path();
    for backend in backends() {
        for milliseconds in [0, 2, 5, 8, 12, 17, 25, 40, 80] {
            let mut client = Client::start();
            let launch = launch(&fixture, backend);
            client.ok("initialize", launch.client.clone());
            client.send("launch", launch.arguments.clone());
            std::thread::sleep(Duration::from_millis(milliseconds));
            kill(client, &format!("{backend}, {milliseconds} ms after launch"));
        }
        let session = Session::begin(&launch(&fixture, backend), "launch");
        kill(session.client, &format!("{backend}, configuring"));

        let line = fixture.line("tick");
        let mut session = Session::launch(&launch(&fixture, backend), &[(&path, &[line])]);
        session.stopped();
        kill(session.client, &format!("{backend}, stopped"));

        let mut session = Session::launch(&launch(&fixture, backend), &[]);
        session.client.wait_for_output("stdout", "started");
        kill(session.client, &format!("{backend}, running"));

        // A condition that is never true keeps adapter and program busy.
        let mut session = Session::begin(&launch(&fixture, backend), "launch");
        session.set_breakpoints_as(&path, json!([{"line": line, "condition": "n < 0"}]));
        session.configured();
        session.client.wait_for_output("stdout", "started");
        kill(session.client, &format!("{backend}, in a condition"));
    }
}

/// The client goes away, or the adapter is told to end: an orderly end without anybody left.
#[test]
fn the_client_goes_away() {
    let fixture = debug("spin");
    for backend in backends() {
        for how in ["eof", "SIGTERM", "SIGINT", "disconnect", "terminate", "tcp"] {
            let mut launch = launch(&fixture, backend);
            if how == "tcp" {
                launch = launch.tcp();
            }
            let mut session = Session::launch(&launch, &[]);
            session.client.wait_for_output("stdout", "started");
            match how {
                "eof" | "tcp" => {
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
                    let console = session.client.output("console");
                    assert!(console.contains("was terminated, as you asked."), "{console}");
                    // Helix and VS Code disconnect afterwards; until then the adapter lives.
                    std::thread::sleep(Duration::from_millis(100));
                    session.client.end();
                }
                _ => session.client.end(),
            }
        }
    }
}

/// After the program's end the adapter answers until the client leaves.
#[test]
fn after_the_end() {
    let fixture = debug("output");
    let mut session = Session::launch(&launch(&fixture, "auto"), &[]);
    session.exited();
    let threads = session.client.ok("threads", json!({}));
    assert!(threads["threads"].is_array());
    session.client.refused("stackTrace", json!({"threadId": 1}));
    session.client.refused("next", json!({"threadId": 1}));
    session.client.refused("variables", json!({"variablesReference": 1}));
    session.client.refused("evaluate", json!({"expression": "1", "context": "watch", "frameId": 1}));
    session.client.end();
}

/// A program that ends while it is being stepped, or killed from outside.
#[test]
fn the_program_ends_by_itself() {
    let fixture = debug("output");
    let path = fixture.path();
    for backend in backends() {
        let mut session = Session::launch(&launch(&fixture, backend), &[(&path, &[fixture.line("exit")])]);
        let stop = session.stopped();
        session.client.ok("next", json!({"threadId": stop.thread}));
        assert_eq!(session.exited(), 0);
        session.client.end();
    }
    let fixture = debug("spin");
    for backend in backends() {
        let mut session = Session::launch(&launch(&fixture, backend), &[]);
        session.client.wait_for_output("stdout", "started");
        let line = session.client.output("stdout");
        let pid: i32 = line.split_whitespace().nth(1).and_then(|pid| pid.parse().ok()).expect("a pid");
        processes::signal(pid, libc::SIGKILL);
        let started = Instant::now();
        session.exited();
        assert!(started.elapsed() < Duration::from_secs(10));
        session.client.end();
    }
}

/// Children of the program run unharmed and are none of ours; the program's own end is seen.
#[test]
fn a_session_over_tcp() {
    let fixture = debug("stepping");
    let path = fixture.path();
    let launch = launch(&fixture, "auto").tcp();
    let mut session = Session::launch(&launch, &[(&path, &[fixture.line("main2")])]);
    let stop = session.stopped();
    session.frames(stop.thread);
    assert_eq!(session.text("total"), "0");
    assert_eq!(session.run_out(stop.thread), 0);
    session.client.end();
}
