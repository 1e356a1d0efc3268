//! What is measured: programs, Go versions and builds; and the rows of the tables that `cargo xtask accuracy` prints.
//!
//! `ITAB_ACCURACY` says how much: nothing: our own programs (this runs in CI); `real`: real programs too; `full`: every version.
//! `ITAB_ACCURACY_ROWS` names a file to which the rows are appended.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{Go, Mode, source};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Extent {
    Own,
    Real,
    Full,
}

pub(crate) fn extent() -> Extent {
    match std::env::var("ITAB_ACCURACY").as_deref() {
        Ok("full") => Extent::Full,
        Ok("real") => Extent::Real,
        _ => Extent::Own,
    }
}

/// `ITAB_ACCURACY_ONLY` keeps the builds whose label contains one of its words.
fn wanted(label: &str) -> bool {
    let only = std::env::var("ITAB_ACCURACY_ONLY").unwrap_or_default();
    only.is_empty() || only.split(',').any(|w| w.split_whitespace().all(|w| label.contains(w)))
}

/// The newest Go version that is measured.
pub(crate) const NEWEST: &str = gofixture::MATRIX[2];

/// A program as `go build` takes it.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) package: &'static str,
    /// Packages whose listing is the truth.
    pub(crate) listed: &'static [&'static str],
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Own,
    /// A command of the Go distribution.
    Distribution,
    /// From the module proxy.
    Module(&'static str),
}

const OWN: [Program; 2] = [
    Program { name: "disp", package: ".", listed: &["."], kind: Kind::Own },
    Program { name: "busy", package: ".", listed: &["."], kind: Kind::Own },
];

const GO: Program = Program {
    name: "cmd/go",
    package: "cmd/go",
    listed: &[
        "go/types",
        "net/http",
        "reflect",
        "encoding/json",
        "text/template",
        "go/printer",
        "crypto/tls",
        "cmd/go/internal/...",
    ],
    kind: Kind::Distribution,
};

const COMPILE: Program = Program {
    name: "cmd/compile",
    package: "cmd/compile",
    listed: &[
        "cmd/compile/internal/ir",
        "cmd/compile/internal/escape",
        "cmd/compile/internal/walk",
        "cmd/compile/internal/ssagen",
        "cmd/compile/internal/typecheck",
        "cmd/compile/internal/types2",
        "cmd/compile/internal/noder",
    ],
    kind: Kind::Distribution,
};

const DELVE: Program = Program {
    name: "delve",
    package: "github.com/go-delve/delve/cmd/dlv",
    listed: &["github.com/go-delve/delve/..."],
    kind: Kind::Module("github.com/go-delve/delve@v1.26.0"),
};

/// One program built in one way.
#[derive(Clone, Debug)]
pub(crate) struct Build {
    pub(crate) program: Program,
    pub(crate) go: &'static Go,
    pub(crate) mode: Mode,
    /// Where the go command runs.
    pub(crate) dir: PathBuf,
}

impl Build {
    pub(crate) fn label(&self) -> String {
        label(&self.program, &self.go.version, self.mode)
    }

    /// Built, or as it was built before.
    pub(crate) fn binary(&self) -> PathBuf {
        let program = match self.program.kind {
            Kind::Own => gofixture::Program::new(&self.dir),
            Kind::Distribution => gofixture::Program::distribution(self.program.package),
            Kind::Module(_) => gofixture::Program::required(&self.dir, self.program.package),
        };
        program.build(self.go, self.mode)
    }

    pub(crate) fn is_own(&self) -> bool {
        self.program.kind == Kind::Own
    }

    /// Built with `-N -l`.
    pub(crate) fn is_debug(&self) -> bool {
        !self.mode.optimised()
    }
}

fn label(p: &Program, version: &str, mode: Mode) -> String {
    let kind = match mode {
        m if !m.optimised() => "debug",
        m if !m.has_dwarf() => "stripped",
        _ => "opt",
    };
    format!("{} {version} {} {kind}", p.name, mode.arch())
}

/// The builds of this run; what is missing is a printed skip.
pub(crate) fn builds(modes: &[Mode]) -> Vec<Build> {
    let extent = extent();
    let versions: &[&str] = if extent == Extent::Full { &gofixture::ALL } else { &gofixture::MATRIX };
    let mut out = Vec::new();
    for version in versions {
        // What imports half of the standard library takes long to build: CI has it once.
        let mut programs: Vec<Program> = OWN.to_vec();
        programs.retain(|p| p.name == "disp" || extent > Extent::Own || *version == NEWEST);
        if extent >= Extent::Real {
            programs.push(GO);
        }
        if extent == Extent::Full || (extent == Extent::Real && *version == NEWEST) {
            programs.push(COMPILE);
        }
        if extent == Extent::Full && *version == NEWEST {
            programs.push(DELVE);
        }
        programs.retain(|p| modes.iter().any(|m| wanted(&label(p, version, *m))));
        if programs.is_empty() {
            continue;
        }
        let Some(go) = gofixture::exact(version) else { continue };
        for program in programs {
            let Some(dir) = folder(&program, go) else { continue };
            let native = |m: &Mode| m.arch() == "amd64" || program.name != "busy" || extent > Extent::Own;
            for mode in modes.iter().filter(|m| wanted(&label(&program, version, **m)) && native(m)) {
                out.push(Build { program: program.clone(), go, mode: *mode, dir: dir.clone() });
            }
        }
    }
    out
}

fn folder(p: &Program, go: &Go) -> Option<PathBuf> {
    match p.kind {
        Kind::Own => Some(source(p.name)),
        Kind::Distribution => Some(go.root().join("src")),
        Kind::Module(module) => fetched(p, module, go),
    }
}

/// A folder with a module that requires the program's.
fn fetched(p: &Program, module: &str, go: &Go) -> Option<PathBuf> {
    let dir = gofixture::folder().join(format!("module-{}", p.name));
    if dir.join("go.sum").is_file() {
        return Some(dir);
    }
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("go.mod"), format!("module example.com/measured\n\ngo {}\n", go.version))
        .unwrap();
    std::fs::write(dir.join("tools.go"), format!("package measured\n\nimport _ \"{}\"\n", p.package))
        .unwrap();
    let got = command(go, &dir).args(["get", module]).output().unwrap();
    if !got.status.success() {
        gofixture::skip(p.name, &String::from_utf8_lossy(&got.stderr));
        return None;
    }
    Some(dir)
}

/// The go command in a folder, as the fixtures are built.
pub(crate) fn command(go: &Go, dir: &Path) -> Command {
    let mut c = Command::new(&go.go);
    c.current_dir(dir)
        .env("GOTOOLCHAIN", "local")
        .env("GOWORK", "off")
        .env("CGO_ENABLED", "0")
        .env("GOOS", "linux");
    c
}

/// What go/types says about the program (tests/truth), by the same Go version that built it.
pub(crate) fn truth(b: &Build) -> Vec<Vec<String>> {
    let tool = gofixture::build(&source("truth"), b.go, Mode::Optimised);
    // It asks the go command for the packages.
    let mut path = b.go.root().join("bin").into_os_string();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let out = Command::new(tool)
        .arg(b.program.package)
        .current_dir(&b.dir)
        .env("PATH", path)
        .env("GOTOOLCHAIN", "local")
        .env("GOWORK", "off")
        .env("GOOS", "linux")
        .env("GOARCH", b.mode.arch())
        .env("CGO_ENABLED", "0")
        .output()
        .unwrap();
    assert!(out.status.success(), "{}: {}", b.label(), String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8_lossy(&out.stdout);
    text.lines().map(|l| l.split('\t').map(String::from).collect()).collect()
}

/// A type's name without the spaces that go/types, DWARF and the runtime set differently.
pub(crate) fn plain(name: &str) -> String {
    let mut out: String = name.split_whitespace().collect::<String>().replace(';', ",");
    // An unexported method of an unnamed interface carries its package.
    if let Some(body) = out.strip_prefix("interface{") {
        let method = |m: &str| {
            let name = m.find('(').map_or(m, |n| &m[..n]);
            m[name.rfind('.').map_or(0, |n| n + 1)..].to_string()
        };
        out = format!("interface{{{}", body.split(',').map(method).collect::<Vec<_>>().join(","));
    }
    if out == "any" {
        out = "interface{}".into();
    }
    // Types that are local to a function are numbered: cached·1.
    let Some((before, number)) = out.rsplit_once('·') else { return out };
    if number.bytes().all(|b| b.is_ascii_digit()) { before.to_string() } else { out }
}

/// Prints a row and keeps it for the table.
pub(crate) fn row(table: &str, label: &str, cells: &[(&str, String)]) {
    let text: Vec<String> = cells.iter().map(|(k, v)| format!("{v} {k}")).collect();
    println!("{table}: {label}: {}", text.join(", "));
    let Some(file) = std::env::var_os("ITAB_ACCURACY_ROWS") else { return };
    use std::io::Write as _;
    let mut line = format!("{table}\t{label}");
    for (k, v) in cells {
        line.push_str(&format!("\t{k}={v}"));
    }
    line.push('\n');
    let opened = std::fs::OpenOptions::new().append(true).create(true).open(file);
    opened.unwrap().write_all(line.as_bytes()).unwrap();
}

/// `n` of `all` with its share.
pub(crate) fn share(n: usize, all: usize) -> String {
    format!("{n} ({:.2} %)", percent(n, all))
}

pub(crate) fn percent(n: usize, all: usize) -> f64 {
    if all == 0 { 100.0 } else { n as f64 * 100.0 / all as f64 }
}

/// Prints examples of what falls short: all with SHOW=1.
pub(crate) fn examples(what: &str, list: &[String]) {
    let most = if std::env::var_os("SHOW").is_some() { usize::MAX } else { 5 };
    for l in list.iter().take(most) {
        println!("  {what}: {l}");
    }
}
