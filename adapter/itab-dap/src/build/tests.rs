//! Builds with a real go command.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use super::*;

/// A module in a private folder; `None` (printed, and a failure under CI) where there is no Go.
fn module(files: &[(&str, &str)]) -> Option<tempfile::TempDir> {
    if find_go(&BTreeMap::new()).is_none() {
        assert!(std::env::var_os("CI").is_none(), "no go command, and CI is set");
        println!("SKIPPED: no go command");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("go.mod", "module example.org/m\n\ngo 1.21\n")].iter().chain(files) {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    Some(folder)
}

fn request(folder: &Path, program: &str, mode: &str) -> BuildRequest {
    let config =
        LaunchConfig::parse(&json!({ "mode": mode, "program": program, "env": { "GOFLAGS": "-mod=mod" } }));
    BuildRequest::new(&config.unwrap(), folder)
}

fn run(request: &BuildRequest) -> (Result<Built, BuildError>, Vec<String>) {
    let mut lines = Vec::new();
    let built = build(request, &|| false, &mut |line| lines.push(line.to_owned()));
    (built, lines)
}

fn output_of(binary: &Path) -> String {
    String::from_utf8(std::process::Command::new(binary).output().unwrap().stdout).unwrap()
}

const HELLO: &str =
    "package main\n\nimport \"fmt\"\n\nvar v = \"plain\"\n\nfunc main() { fmt.Print(v, Word()) }\n";
const WORD: &str = "package main\n\nfunc Word() string { return \" word\" }\n";

#[test]
fn a_folder_a_file_and_an_import_path_build_the_same_program() {
    let Some(m) = module(&[("cmd/hello/main.go", HELLO), ("cmd/hello/word.go", WORD)]) else { return };
    let absolute = m.path().join("cmd/hello").display().to_string();
    for program in ["./cmd/hello", "cmd/hello", "cmd/hello/main.go", "example.org/m/cmd/hello", &absolute] {
        let (built, lines) = run(&request(m.path(), program, "debug"));
        let built = built.unwrap_or_else(|e| panic!("{program}: {e}"));
        assert_eq!(output_of(&built.binary), "plain word", "{program}");
        assert_eq!(lines, Vec::<String>::new(), "{program}");
        assert_eq!(built.binary.file_name().unwrap(), "hello");
        let binary = built.binary.clone();
        drop(built);
        assert!(!binary.exists(), "the temporary binary must go with the session");
    }
    // From a directory outside the module the build runs in the program's own folder.
    let elsewhere = tempfile::tempdir().unwrap();
    let (built, _) = run(&request(elsewhere.path(), &absolute, "debug"));
    assert_eq!(output_of(&built.unwrap().binary), "plain word");
}

#[test]
fn a_file_among_several_programs_is_built_alone() {
    let other = "package main\n\nfunc main() {}\n";
    let one = "package main\n\nfunc main() { print() }\n";
    let Some(m) = module(&[("one.go", one), ("other.go", other)]) else { return };
    let (built, _) = run(&request(m.path(), "one.go", "debug"));
    assert!(built.unwrap().command.ends_with("one.go"));
}

#[test]
fn user_flags_are_merged_and_optimisation_stays_off() {
    let Some(m) = module(&[("main.go", HELLO), ("word.go", WORD)]) else { return };
    let mut asked = request(m.path(), ".", "debug");
    asked.flags = ["-ldflags=-X main.v=flagged", "-gcflags=-m=1"].map(str::to_owned).into();
    let (built, lines) = run(&asked);
    let built = built.unwrap();
    assert_eq!(output_of(&built.binary), "flagged word");
    // -m talks about what it would inline; with -l nothing can be.
    assert!(lines.iter().any(|l| l.contains("escapes to heap")), "{lines:?}");
    assert!(!lines.iter().any(|l| l.contains("can inline")), "{lines:?}");
    assert!(
        built.command.contains("'all=-N -l'") && built.command.contains("'-N -l -m=1'"),
        "{}",
        built.command
    );
}

#[test]
fn tests_are_built_and_run_in_their_package() {
    let test = "package p\n\nimport \"testing\"\n\nfunc TestX(t *testing.T) {}\n";
    let Some(m) = module(&[("p/p.go", "package p\n"), ("p/p_test.go", test), ("q/q.go", "package q\n")])
    else {
        return;
    };
    let expected = std::fs::canonicalize(m.path().join("p")).unwrap();
    for program in ["./p", "p/p_test.go", "example.org/m/p"] {
        let built = run(&request(m.path(), program, "test")).0.unwrap_or_else(|e| panic!("{program}: {e}"));
        assert_eq!(built.package_directory.as_deref(), Some(expected.as_path()), "{program}");
        assert_eq!(built.binary.file_name().unwrap(), "p.test");
        assert!(output_of(&built.binary).contains("PASS"), "{program}");
    }
    let (none, _) = run(&request(m.path(), "./q", "test"));
    assert!(matches!(none, Err(BuildError::NoTests(_))), "{none:?}");
}

#[test]
fn compiler_messages_come_as_lines_and_in_the_error() {
    let Some(m) = module(&[("main.go", "package main\n\nfunc main() { undefined1(); undefined2() }\n")])
    else {
        return;
    };
    let (built, lines) = run(&request(m.path(), ".", "debug"));
    let Err(BuildError::Failed { messages, .. }) = built else { panic!("{built:?}") };
    assert!(messages.contains("main.go:3:15: undefined: undefined1"), "{messages}");
    assert_eq!(messages.lines().collect::<Vec<_>>(), lines);
}

#[test]
fn what_can_not_be_built_is_said() {
    let Some(m) = module(&[("main.go", HELLO), ("notes.txt", "x")]) else { return };
    let error = |program: &str| run(&request(m.path(), program, "debug")).0.unwrap_err().to_string();
    assert!(error("./nowhere").contains("does not exist"));
    assert!(error("gone.go").contains("does not exist"));
    assert!(error("notes.txt").contains("\"mode\": \"exec\""));
    assert!(error("example.org/none").contains("build failed"));
    let mut asked = request(m.path(), ".", "debug");
    asked.directory = m.path().join("absent");
    assert!(matches!(run(&asked).0, Err(BuildError::Directory { .. })));
    asked = request(m.path(), ".", "debug");
    asked.flags = vec!["-o".into(), "x".into()];
    assert!(run(&asked).0.unwrap_err().to_string().contains("\"output\""));
}

#[test]
fn an_output_is_where_it_was_asked_for_and_goes_at_the_end() {
    let Some(m) = module(&[
        ("sub/go.mod", "module example.org/sub\n\ngo 1.21\n"),
        ("sub/main.go", "package main\n\nfunc main() {}\n"),
    ]) else {
        return;
    };
    let mut asked = request(m.path(), ".", "debug");
    asked.flags = vec!["-C".into(), "sub".into()];
    asked.output = Some(m.path().join("named"));
    let built = run(&asked).0.unwrap();
    assert_eq!(built.binary, m.path().join("named"));
    assert!(built.binary.exists());
    drop(built);
    assert!(!m.path().join("named").exists());
}

#[test]
fn a_cancelled_build_ends_at_once_and_takes_its_children_along() {
    let Some(m) = module(&[]) else { return };
    // A stand-in for a slow compiler: a go command that never ends and has a child.
    let go = m.path().join("go");
    let pids = m.path().join("pids");
    let script =
        format!("#!/bin/sh\ntrap '' INT\nsleep 600 &\necho $$ $! > {}\necho working\nwait\n", pids.display());
    std::fs::write(&go, script).unwrap();
    std::fs::set_permissions(&go, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut asked = request(m.path(), ".", "debug");
    asked.env.insert("GO".into(), Some(go.display().to_string()));
    let (seen, started) = (std::cell::Cell::new(false), Instant::now());
    let result = build(&asked, &|| seen.get(), &mut |line| seen.set(line == "working"));
    assert!(matches!(result, Err(BuildError::Cancelled)), "{result:?}");
    assert!(started.elapsed() < Duration::from_secs(10));
    for pid in std::fs::read_to_string(pids).unwrap().split_whitespace() {
        let gone =
            || std::fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |s| s.contains(") Z "));
        let deadline = Instant::now() + Duration::from_secs(5);
        while !gone() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(gone(), "process {pid} lives on");
    }
}
