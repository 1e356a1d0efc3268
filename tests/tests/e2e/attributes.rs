//! Launch attributes, build modes, and programs that nobody wrote for this.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use e2e::Session;
use e2e::fixture::folder;
use e2e::go;
use e2e::session::Launch;
use serde_json::{Value, json};

use crate::support::{debug, launch};

/// A launch that builds: the newest Go is first on PATH.
fn building(program: &Path, mode: &str) -> Launch {
    let mut launch = Launch::program(&program.display().to_string()).with("mode", json!(mode));
    launch.options.environment = with_go();
    launch
}

/// The environment in which the adapter finds the newest Go.
pub(crate) fn with_go() -> Vec<(String, String)> {
    let go = go::newest();
    let path = std::env::var("PATH").unwrap_or_default();
    let bin = go.go.parent().map(Path::display).map(|path| path.to_string()).unwrap_or_default();
    vec![("PATH".into(), format!("{bin}:{path}")), ("GOTOOLCHAIN".into(), "local".into())]
}

#[test]
fn views_on_request() {
    let fixture = debug("values");
    let path = fixture.path();
    let line = fixture.line("stop integers");
    let launch = launch(&fixture, "auto")
        .with("showGlobalVariables", json!(true))
        .with("showRegisters", json!(true))
        .with("hideSystemGoroutines", json!(true))
        .with("stackTraceDepth", json!(1));
    let mut session = Session::launch(&launch, &[(&path, &[line])]);
    let stop = session.stopped();
    session.frames(stop.thread);
    let globals = session.scope("Globals").expect("Globals")["variablesReference"].as_i64().unwrap_or(0);
    let globals = session.children(globals);
    let global = globals.iter().find(|variable| variable.name.ends_with("Global"));
    assert_eq!(global.map(|variable| variable.value.as_str()), Some("42"), "{globals:?}");
    let registers =
        session.scope("Registers").expect("Registers")["variablesReference"].as_i64().unwrap_or(0);
    let registers = session.children(registers);
    assert!(
        registers.iter().any(|register| register.name.trim().eq_ignore_ascii_case("rip")),
        "{registers:?}"
    );
    let threads = session.client.ok("threads", json!({}));
    assert_eq!(threads["threads"].as_array().map(Vec::len), Some(1), "{threads}");
    let body = session.client.ok("stackTrace", json!({"threadId": stop.thread}));
    assert_eq!(body["stackFrames"].as_array().map(Vec::len), Some(1), "{body}");
    session.client.end();
}

/// What is not there yet is said in the console, and the session goes on.
#[test]
fn attributes_that_are_not_yet() {
    let fixture = debug("output");
    let launch = launch(&fixture, "auto").with("followExec", json!(true)).with("__unknown", json!({"x": 1}));
    let mut session = Session::launch(&launch, &[]);
    assert_eq!(session.exited(), 0);
    let console = session.client.output("console") + &session.client.output("important");
    assert!(console.contains("followExec"), "{console:?}");
    session.client.end();
}

#[test]
fn a_package_s_tests() {
    let package = folder("tested");
    let source = package.join("tested.go").canonicalize().expect("a path");
    let text = std::fs::read_to_string(&source).expect("tested.go");
    let line = text.lines().position(|line| line.contains("// @double")).expect("a mark") as i64 + 1;
    let launch = building(&package, "test").with("args", json!(["-test.run", "TestDouble", "-test.v"]));
    let path = source.display().to_string();
    let mut session = Session::launch(&launch, &[(&path, &[line])]);
    let stop = session.stopped();
    assert_eq!(session.place(stop.thread).0, "tested.Double");
    assert_eq!(session.text("n"), "21");
    assert_eq!(session.run_out(stop.thread), 0);
    let stdout = session.client.output("stdout");
    assert!(stdout.contains("--- PASS: TestDouble") && !stdout.contains("TestOther"), "{stdout}");
    // A test runs in its package's folder.
    let package = package.canonicalize().expect("a path");
    assert!(stdout.contains(&format!("in {}", package.display())), "{stdout}");
    session.client.end();
}

/// Flags are added to ours, an output that was asked for lies there, and a private one is gone at the end.
#[test]
fn builds() {
    let temporary = tempfile::tempdir().expect("a folder");
    let output = temporary.path().join("built");
    for flags in [
        json!("-tags 'one two' -ldflags '-X main.x=y -X main.z=w'"),
        json!(["-tags", "one", "-gcflags=-d=ssa/check/off"]),
    ] {
        let launch = building(&folder("stepping"), "debug")
            .with("buildFlags", flags.clone())
            .with("output", json!(output.display().to_string()))
            .with("stopOnEntry", json!(true));
        let mut session = Session::launch(&launch, &[]);
        let stop = session.stopped();
        session.frames(stop.thread);
        assert!(output.exists(), "{flags}: no output");
        // Never optimised, whatever the flags say.
        assert!(session.scope("Locals").is_some_and(|scope| scope["name"] == json!("Locals")), "{flags}");
        session.client.end();
    }
}

/// A build that takes long can be cancelled; the compiler is gone.
#[test]
fn a_build_is_cancelled() {
    let toolchain = go::newest();
    let root = Command::new(&toolchain.go).args(["env", "GOROOT"]).env("GOTOOLCHAIN", "local").output();
    let root = String::from_utf8(root.expect("go env").stdout).expect("a path");
    let program = Path::new(root.trim()).join("src/cmd/compile");
    let mut launch = building(&program, "debug");
    let cache = tempfile::tempdir().expect("a folder");
    launch.options.environment.push(("GOCACHE".into(), cache.path().display().to_string()));
    let mut client = e2e::Client::start_with(&launch.options);
    client.ok("initialize", launch.client.clone());
    let seq = client.send("launch", launch.arguments.clone());
    std::thread::sleep(Duration::from_secs(2));
    client.ok("cancel", json!({"requestId": seq}));
    let failure = client.answer(seq).expect_err("a cancelled launch");
    assert!(failure.message.contains("cancel"), "{failure:?}");
    let compilers = || {
        let all = e2e::processes::marked(&client.adapter.mark);
        all.into_iter().filter(|(_, line)| line.contains("go build") || line.contains("/compile")).count()
    };
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while compilers() > 0 {
        assert!(std::time::Instant::now() < deadline, "{:?}", e2e::processes::marked(&client.adapter.mark));
        std::thread::sleep(Duration::from_millis(50));
    }
    client.end();
}

/// A command of the Go distribution, optimised and large: stops, shows and steps.
#[test]
fn a_command_of_the_distribution() {
    let toolchain = go::newest();
    let root = Command::new(&toolchain.go).args(["env", "GOROOT"]).env("GOTOOLCHAIN", "local").output();
    let root = String::from_utf8(root.expect("go env").stdout).expect("a path");
    let source = Path::new(root.trim()).join("src/cmd/gofmt");
    let binary = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/fixtures");
    std::fs::create_dir_all(&binary).expect("target/fixtures");
    let binary = binary.canonicalize().expect("a path").join(format!("gofmt-{}", toolchain.version));
    let built = Command::new(&toolchain.go)
        .args(["build", "-o"])
        .arg(&binary)
        .arg(".")
        .current_dir(&source)
        .env("GOTOOLCHAIN", "local")
        .output()
        .expect("go build");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let input = folder("stepping").join("main.go").canonicalize().expect("a path");
    let launch = Launch::program(&binary.display().to_string())
        .with("args", json!(["-l", input.display().to_string()]));
    let mut session = Session::begin(&launch, "launch");
    let body = session.client.ok(
        "setFunctionBreakpoints",
        json!({"breakpoints": [{"name": "main.main"}, {"name": "go/parser.ParseFile"}, {"name": "go/printer.(*Config).fprint"}]}),
    );
    let unverified: Vec<&Value> = body["breakpoints"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|b| b["verified"] != json!(true))
        .collect();
    assert!(unverified.is_empty(), "{unverified:?}");
    session.configured();
    for expected in ["main.main", "parser.ParseFile", "printer.(*Config).fprint"] {
        let stop = session.stopped();
        let frames = session.frames(stop.thread);
        assert_eq!(frames[0]["name"], json!(expected));
        let own = |frame: &Value| frame["name"].as_str().is_some_and(|name| name.starts_with("main."));
        assert!(frames.iter().any(own), "{frames:?}");
        for frame in frames.iter().take(4) {
            session.frame = frame["id"].as_i64();
            for local in session.locals() {
                session.children(local.reference);
            }
            session.client.ok("itab/dispatch", json!({"frameId": frame["id"]}));
        }
        if expected == "main.main" {
            let stop = session.step("next", stop.thread);
            assert_eq!(session.place(stop.thread).0, "main.main");
        }
        if expected == "printer.(*Config).fprint" {
            session.client.ok("setFunctionBreakpoints", json!({"breakpoints": []}));
        }
        session.client.ok("continue", json!({"threadId": stop.thread}));
    }
    assert_eq!(session.exited(), 0);
    session.client.end();
}
