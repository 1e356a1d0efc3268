//! A debug server that hangs, dies, lies or splits its packets; a kernel that refuses ptrace.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use e2e::Session;
use e2e::session::Launch;
use e2e::skip;
use serde_json::json;

use crate::support::{debug, has_gdbserver};

/// An executable script in a folder of its own.
fn script(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("gdbserver");
    std::fs::write(&path, text).expect("a script");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("permissions");
    (folder, path)
}

fn with_server(path: &std::path::Path) -> Launch {
    let fixture = debug("stepping");
    Launch::exec(&fixture).with("backend", json!({"kind": "gdbserver", "path": path.display().to_string()}))
}

/// Servers that can't be used: the launch is refused in time, with the server's own words where it had any.
#[test]
fn servers_that_do_not_serve() {
    for (what, text, said) in [
        ("missing", "", "gdbserver"),
        ("dies at once", "#!/bin/sh\necho 'own words' >&2\nexit 7\n", ""),
        ("hangs silently", "#!/bin/sh\nexec sleep 600\n", ""),
        ("talks nonsense", "#!/bin/sh\nwhile true; do echo 'nonsense$#00$$##'; sleep 0.01; done\n", ""),
    ] {
        let (_folder, path) = script(text);
        let path = if what == "missing" { PathBuf::from("/nowhere/gdbserver") } else { path };
        let started = Instant::now();
        let (mut client, failure) = Session::refused(&with_server(&path), "launch");
        assert!(started.elapsed() < Duration::from_secs(40), "{what}: {:?}", started.elapsed());
        assert!(failure.message.len() > 20 && failure.message.contains(said), "{what}: {failure:?}");
        client.end();
    }
}

/// The real server behind a relay that passes one byte at a time, as a slow network might.
const RELAY: &str = r#"#!/usr/bin/env python3
import os, socket, subprocess, sys, threading, time
arguments = sys.argv[1:]
die = float(os.environ.get("RELAY_DIES", "0"))
ours = os.path.dirname(os.path.abspath(sys.argv[0]))
folders = [folder for folder in os.environ["PATH"].split(os.pathsep) if folder and os.path.abspath(folder) != ours]
real = next(p for p in (os.path.join(folder, "gdbserver") for folder in folders) if os.access(p, os.X_OK))
def pump(read, write, size):
    try:
        while True:
            data = read(65536)
            if not data:
                break
            for i in range(0, len(data), size):
                write(data[i:i + size])
    except OSError:
        pass
    os._exit(0)
place = next(i for i, a in enumerate(arguments) if a in ("-", "stdio") or (":" in a and not a.startswith("--")))
if arguments[place] in ("-", "stdio"):
    arguments[place] = "-"
    child = subprocess.Popen([real] + arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    ours = (lambda n: os.read(0, n), lambda d: os.write(1, d))
    theirs = (lambda n: os.read(child.stdout.fileno(), n), lambda d: os.write(child.stdin.fileno(), d))
else:
    sys.exit("unknown transport " + arguments[place])
if die:
    threading.Timer(die, lambda: (child.kill(), os._exit(1))).start()
threading.Thread(target=pump, args=(ours[0], theirs[1], 1), daemon=True).start()
pump(theirs[0], ours[1], 1)
"#;

#[test]
fn packets_in_pieces() {
    if !has_gdbserver() {
        return skip("split packets", "gdbserver is not on PATH");
    }
    let (_folder, path) = script(RELAY);
    let fixture = debug("stepping");
    let source = fixture.path();
    let mut session = Session::launch(&with_server(&path), &[(&source, &[fixture.line("main2")])]);
    let stop = session.stopped();
    session.frames(stop.thread);
    assert_eq!(session.text("total"), "0");
    let stop = session.step("next", stop.thread);
    assert_eq!(session.place(stop.thread).1, fixture.line("main3"));
    assert_eq!(session.run_out(stop.thread), 0);
    session.client.end();
}

/// The server dies in the middle of a session: said, ended, and nobody is left.
#[test]
fn a_server_that_dies() {
    if !has_gdbserver() {
        return skip("a dying server", "gdbserver is not on PATH");
    }
    let (_folder, path) = script(RELAY);
    let fixture = debug("spin");
    let mut launch = Launch::exec(&fixture)
        .with("backend", json!({"kind": "gdbserver", "path": path.display().to_string()}));
    launch.options.environment = vec![("RELAY_DIES".into(), "1.5".into())];
    let mut session = Session::launch(&launch, &[]);
    session.client.event("terminated");
    session.client.end();
}

/// Containers refuse ptrace: every back end says so at once, with what to do.
#[test]
fn a_kernel_that_refuses() {
    let fixture = debug("stepping");
    for backend in crate::support::backends() {
        let mut launch = Launch::exec(&fixture).with("backend", json!(backend));
        launch.options.refuse_ptrace = true;
        let started = Instant::now();
        let (mut client, failure) = Session::refused(&launch, "launch");
        assert!(started.elapsed() < Duration::from_secs(20), "{backend}: {:?}", started.elapsed());
        let text = failure.message.to_lowercase();
        assert!(text.contains("ptrace") && failure.show_user, "{backend}: {failure:?}");
        client.end();
    }
}
