//! CPU profiles by dispatch: shares compared with what pprof itself says of the methods and of the leaves, files of other builds, damaged
//! files, and what `go tool pprof` makes of the output.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use e2e::fixture::{self, Fixture, Mode};
use e2e::go::{self, Toolchain};
use e2e::{Session, adapter};
use serde_json::json;

use crate::support::{launch, toolchain};

const SOURCE: &str = include_str!("../../../examples/profile/main.go");

fn program(toolchain: &Toolchain, mode: Mode) -> Fixture {
    fixture::build_text("profiled", SOURCE, toolchain, mode)
}

/// A line of the example by its `// stop: NAME`.
fn line(mark: &str) -> usize {
    let mark = format!("// stop: {mark}");
    SOURCE.lines().position(|l| l.ends_with(&mark)).expect("a mark") + 1
}

/// Runs the program, which profiles itself.
fn profiled(fixture: &Fixture, folder: &Path) -> PathBuf {
    let path = folder.join(format!("{}.pb.gz", fixture.mode.name()));
    let output = Command::new(&fixture.binary).arg(&path).output().expect("the program runs");
    assert!(output.status.success(), "{output:?}");
    path
}

fn itab(arguments: &[&str]) -> Output {
    Command::new(adapter::executable()).arg("profile").args(arguments).output().expect("itab-dap runs")
}

#[track_caller]
fn table(arguments: &[&str]) -> String {
    let output = itab(arguments);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

#[track_caller]
fn refusal(arguments: &[&str]) -> String {
    let output = itab(arguments);
    assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr).expect("text")
}

/// flat, cum (in milliseconds) and the rest of each row.
fn rows(table: &str) -> Vec<(i64, i64, String)> {
    let milliseconds =
        |s: &str| (s.trim_end_matches('s').parse::<f64>().expect("seconds") * 1000.0).round() as i64;
    let row = |line: &str| {
        let (numbers, text) = line.split_at_checked(37)?;
        let words: Vec<&str> = numbers.split_whitespace().collect();
        let flat = words.first().filter(|w| w.ends_with('s'))?;
        Some((milliseconds(flat), words.get(2).map_or(0, |w| milliseconds(w)), text.trim().to_owned()))
    };
    table.lines().skip(2).filter_map(row).collect()
}

fn pprof(toolchain: &Toolchain, arguments: &[&str]) -> String {
    let mut command = Command::new(&toolchain.go);
    command.args(["tool", "pprof", "-symbolize=none"]).args(arguments).env("GOTOOLCHAIN", "local");
    let output = command.output().expect("go tool pprof runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Function -> cum in milliseconds, as pprof counts it.
fn cum(toolchain: &Toolchain, profile: &Path) -> BTreeMap<String, i64> {
    let text = pprof(
        toolchain,
        &["-top", "-cum", "-unit=ms", "-nodecount=100000", "-nodefraction=0", &profile.display().to_string()],
    );
    let row = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ms = words.get(3)?.strip_suffix("ms").or((*words.get(3)? == "0").then_some("0"))?;
        let name = words.get(5..)?.join(" ");
        Some((name.trim_end_matches(" (inline)").to_owned(), ms.parse::<i64>().ok()?))
    };
    let whole = text.lines().find_map(|l| l.strip_suffix("ms total")?.rsplit(' ').next()?.parse().ok());
    let mut all: BTreeMap<String, i64> = BTreeMap::new();
    for (name, ms) in text.lines().filter_map(row) {
        *all.entry(name).or_default() += ms;
    }
    all.insert("total".into(), whole.unwrap_or(0));
    all
}

/// A profile with samples: where the machine is busy with others, the timers of a run of one second may hardly come.
#[allow(clippy::print_stderr, reason = "how often it had to run says how busy the machine was")]
fn sampled(toolchain: &Toolchain, fixture: &Fixture, folder: &Path) -> (PathBuf, BTreeMap<String, i64>) {
    for _ in 0..5 {
        let profile = profiled(fixture, folder);
        let truth = cum(toolchain, &profile);
        if truth["total"] >= ENOUGH {
            return (profile, truth);
        }
        eprintln!("{}: again, only {} ms were sampled", fixture.title(), truth["total"]);
    }
    panic!("{}: no profile with {ENOUGH} ms of samples", fixture.title());
}

/// Milliseconds in which each method of the example is seen.
const ENOUGH: i64 = 300;

/// Attribution of one build against pprof's own numbers.
fn attributed(toolchain: &Toolchain, mode: Mode) {
    let fixture = program(toolchain, mode);
    let folder = tempfile::tempdir().expect("a folder");
    let (profile, truth) = sampled(toolchain, &fixture, folder.path());
    let out = folder.path().join("out.pb.gz");
    let (profile_text, out_text) = (profile.display().to_string(), out.display().to_string());
    let binary = fixture.binary.display().to_string();
    let text = table(&["--binary", &binary, "-o", &out_text, "-n", "1000", &profile_text]);
    let title = fixture.title();
    let rows = rows(&text);
    let total = rows.iter().find(|r| r.2 == "in all").expect("a total").0;
    let others = rows.iter().filter(|r| r.2 != "in all");
    assert_eq!(others.map(|r| r.0).sum::<i64>(), total, "{title}: {text}");
    assert_eq!(truth["total"], total, "{title}: {truth:?}\n{text}");

    let at = |mark: &str| format!("main.go:{}:", line(mark));
    // Without debug information data flow doesn't always tell the interface; it is not guessed then.
    let named = |text: &str, call: &str| {
        text.starts_with(call)
            || (!mode.has_dwarf() && text.starts_with("?.Encode") && call.ends_with(".Encode"))
    };
    let reached = |marks: &[&str], call: &str, target: &str| -> (i64, i64) {
        let places: Vec<String> = marks.iter().map(|m| at(m)).collect();
        let fits = |r: &&(i64, i64, String)| {
            places.iter().any(|p| r.2.contains(p))
                && named(&r.2, call)
                && r.2.contains(&format!("-> {target}"))
        };
        rows.iter().filter(fits).fold((0, 0), |sum, r| (sum.0 + r.0, sum.1 + r.1))
    };
    let of = |name: &str| truth.get(name).copied().unwrap_or(0);
    let boxed: i64 =
        truth.iter().filter(|(n, _)| n.starts_with("main.(*Boxed")).map(|(_, ms)| *ms).max().unwrap_or(0);
    // What pprof says of the method, and of the leaf that only it calls.
    for (marks, call, target, method, leaf) in [
        (
            &["call"][..],
            "main.Codec.Encode",
            "main.(*Square).Encode",
            of("main.(*Square).Encode"),
            "main.burnSquare",
        ),
        (&["call", "end"], "main.Codec.Encode", "main.Cube.Encode", of("main.Cube.Encode"), "main.burnCube"),
        (&["call"], "main.Codec.Encode", "main.(*Boxed[string]).Encode", boxed, "main.burnBoxed"),
        (&["func"], "func value mix", "main.main.func1", of("main.main.func1"), ""),
    ] {
        let (flat, cum) = reached(marks, call, target);
        assert_eq!(flat, cum, "{title}: {target} calls nothing dynamic\n{text}");
        // The wrapper of Cube has samples of its own now and then, which pprof doesn't count to the method.
        assert!((method..=method + 20).contains(&flat), "{title}: {target} {flat}, pprof {method}\n{text}");
        let leaf = if leaf.is_empty() { flat } else { of(leaf) };
        assert!(
            leaf <= flat && flat - leaf <= total / 20 + 20,
            "{title}: {target} {flat}, leaf {leaf}\n{text}"
        );
        assert!(flat > 0, "{title}: {target}\n{text}");
    }
    // Twenty calls deep, the sample counts once.
    let (_, again) = reached(&["again"], "main.Codec.Encode", "main.(*Chain).Encode");
    let (_, chain) = reached(&["call"], "main.Codec.Encode", "main.(*Chain).Encode");
    let end = reached(&["end"], "main.Codec.Encode", "main.Cube.Encode").1;
    assert!(
        end <= again && again <= chain && chain <= of("main.(*Chain).Encode"),
        "{title}: {end} {again} {chain}\n{text}"
    );
    // Two instances share a body: neither is picked.
    let pair = rows.iter().find(|r| r.2.contains(&at("pair"))).unwrap_or_else(|| panic!("{title}: {text}"));
    assert!(pair.2.contains("main.(*Pair[T?]).Encode"), "{title}: {text}");
    for says in ["*main.Pair[*main.Square]", "*main.Pair[*main.Chain]"] {
        assert!(!mode.has_dwarf() || pair.2.contains(says), "{title}: {text}");
    }
    let plain = rows.iter().find(|r| r.2.starts_with("no dynamic call")).expect("a row").0;
    assert!(plain >= of("main.burnPlain") && plain > 0, "{title}: {plain}\n{text}");

    // The output has the same numbers under the targets' names.
    let labelled = cum(toolchain, &out);
    for name in ["main.burnSquare", "main.burnCube", "main.burnPlain", "total"] {
        assert_eq!(labelled.get(name), truth.get(name), "{title}: {name}");
    }
    for (_, cum, text) in rows.iter().filter(|r| r.2.contains(" -> ")) {
        let name = text.rsplit_once(" (").map_or(text.as_str(), |t| t.0);
        assert_eq!(labelled.get(name), Some(cum), "{title}: {name}: {labelled:?}");
    }
    let traces = pprof(toolchain, &["-traces", &out_text]).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(traces.contains("target: main.(*Square).Encode"), "{title}: {traces}");
    let tags = pprof(toolchain, &["-tags", &out_text]);
    assert!(tags.contains("dispatch: Total") && tags.contains("main.Cube.Encode"), "{title}: {tags}");
}

#[test]
fn shares_equal_those_of_the_methods() {
    let newest = go::newest();
    for mode in [Mode::Optimised, Mode::Debug, Mode::Stripped, Mode::PieStripped] {
        attributed(&newest, mode);
    }
    if let Some(old) = toolchain(21) {
        for mode in [Mode::Optimised, Mode::PieOptimised] {
            attributed(&old, mode);
        }
    }
}

#[test]
fn other_builds_and_damaged_files_are_refused() {
    let newest = go::newest();
    let (own, other) = (program(&newest, Mode::Optimised), program(&newest, Mode::Debug));
    let folder = tempfile::tempdir().expect("a folder");
    let profile = profiled(&own, folder.path());
    let path = profile.display().to_string();
    let why = refusal(&["--binary", &other.binary.display().to_string(), &path]);
    assert!(why.contains("of another build"), "{why}");
    // Without build IDs in the file the functions' names tell.
    if let Some(old) = toolchain(21) {
        let (own, other) = (program(&old, Mode::Optimised), program(&old, Mode::Debug));
        let path = profiled(&own, folder.path()).display().to_string();
        let why = refusal(&["--binary", &other.binary.display().to_string(), &path]);
        assert!(why.contains("of another build"), "{why}");
        let text = table(&["--binary", &own.binary.display().to_string(), &path]);
        assert!(text.contains("named places agree"), "{text}");
        std::fs::remove_file(&path).expect("removed");
    }
    // The file names its program itself.
    let profile = profiled(&own, folder.path());
    assert!(table(&[&path]).contains("build ID matches"));
    let whole = std::fs::read(&profile).expect("the profile");
    let binary = own.binary.display().to_string();
    for (bytes, says) in [
        (&whole[..0], "empty"),
        (&whole[..whole.len() / 2], "damaged gzip"),
        (&whole[..10], "damaged gzip"),
        (&b"not a profile"[..], "not a pprof profile"),
    ] {
        std::fs::write(&profile, bytes).expect("written");
        let why = refusal(&["--binary", &binary, &path]);
        assert!(why.contains(says), "{why}");
    }
    let missing = folder.path().join("missing").display().to_string();
    assert!(refusal(&[&missing]).contains("No such file"));
    assert!(refusal(&[&folder.path().display().to_string()]).contains("not a regular file"));
    std::fs::write(&profile, &whole).expect("written");
    assert!(refusal(&["--binary", &missing, &path]).contains("No such file"));
}

/// The program ran under the debugger, and has ended.
#[test]
fn in_the_debug_console() {
    let fixture = program(&go::newest(), Mode::Debug);
    let folder = tempfile::tempdir().expect("a folder");
    let profile = folder.path().join("cpu profile.pb.gz").display().to_string();
    let out = folder.path().join("out.pb.gz").display().to_string();
    let mut session = Session::begin(&launch(&fixture, "auto").with("args", json!([profile])), "launch");
    session.configured();
    assert_eq!(session.exited(), 0);
    let ask = |session: &mut Session, text: &str| {
        let body = session.client.ok("evaluate", json!({"expression": text, "context": "repl"}));
        body["result"].as_str().unwrap_or_default().to_owned()
    };
    let text = ask(&mut session, &format!("profile \"{profile}\" cum -o {out}"));
    assert!(text.contains("build ID matches") && text.contains("main.(*Square).Encode"), "{text}");
    assert!(std::fs::metadata(&out).is_ok_and(|m| m.len() > 0));
    let cums: Vec<i64> = rows(&text).iter().filter(|r| r.2.contains(" -> ")).map(|r| r.1).collect();
    assert!(cums.is_sorted_by(|a, b| a >= b), "{text}");
    let refused = session.client.request("evaluate", json!({"expression": "profile", "context": "repl"}));
    assert!(format!("{refused:?}").contains("write profile FILE"), "{refused:?}");
    session.client.end();
}
