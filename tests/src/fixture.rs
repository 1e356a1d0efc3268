//! Go programs of `tests/programs`, built once for each version and mode into `target/fixtures`.

use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::go::Toolchain;

/// How a program is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// `-gcflags all=-N -l`
    Debug,
    /// The compiler's defaults.
    Optimised,
    /// Debug and position independent.
    Pie,
    /// Optimised with `-trimpath`.
    Trimpath,
    /// Optimised, `-ldflags -s -w`: no symbols, no DWARF.
    Stripped,
}

impl Mode {
    /// Its name in file names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Optimised => "opt",
            Self::Pie => "pie",
            Self::Trimpath => "trimpath",
            Self::Stripped => "stripped",
        }
    }

    /// True where the compiler optimised.
    pub fn optimised(self) -> bool {
        matches!(self, Self::Optimised | Self::Trimpath | Self::Stripped)
    }

    fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Debug => &["-gcflags=all=-N -l"],
            Self::Optimised => &[],
            Self::Pie => &["-gcflags=all=-N -l", "-buildmode=pie"],
            Self::Trimpath => &["-trimpath"],
            Self::Stripped => &["-ldflags=-s -w"],
        }
    }
}

/// A built program.
#[derive(Debug, Clone)]
pub struct Fixture {
    pub name: String,
    pub binary: PathBuf,
    /// The main source file.
    pub source: PathBuf,
    pub text: String,
    pub version: (u32, u32),
    pub mode: Mode,
}

/// The folder of a program's source.
pub fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("programs").join(name)
}

/// Builds a program unless that was done; none, with a counted skip, where cgo is needed and there is no C compiler.
#[track_caller]
pub fn build(name: &str, toolchain: &Toolchain, mode: Mode) -> Fixture {
    let source = folder(name);
    let binary = build_folder(&source, name, toolchain, mode);
    let main = source.join("main.go");
    let text = std::fs::read_to_string(&main).unwrap_or_else(|error| panic!("{}: {error}", main.display()));
    Fixture { name: name.to_owned(), binary, source: main, text, version: toolchain.version, mode }
}

fn build_folder(source: &Path, name: &str, toolchain: &Toolchain, mode: Mode) -> PathBuf {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/fixtures");
    std::fs::create_dir_all(&target).expect("target/fixtures");
    let target = target.canonicalize().expect("target/fixtures");
    let binary = target.join(format!("{name}-{}-{}", toolchain.name(), mode.name()));
    let lock =
        std::fs::File::create(target.join(format!("{name}-{}-{}.lock", toolchain.name(), mode.name())))
            .expect("a lock file");
    // SAFETY: flock on a descriptor that lives until the end of this function.
    assert_eq!(unsafe { libc::flock(lock.as_raw_fd(), libc::LOCK_EX) }, 0, "a lock");
    let built = std::fs::metadata(&binary).and_then(|data| data.modified()).ok();
    if built.is_some_and(|built| newest_change(source).is_some_and(|changed| changed < built)) {
        return binary;
    }
    let temporary = binary.with_extension(format!("tmp{}", std::process::id()));
    let mut command = Command::new(&toolchain.go);
    command
        .arg("build")
        .args(mode.flags())
        .arg("-o")
        .arg(&temporary)
        .arg(".")
        .current_dir(source)
        .env("GOTOOLCHAIN", "local")
        .env("GOFLAGS", "-mod=mod")
        .env("CGO_ENABLED", if name.contains("cgo") { "1" } else { "0" });
    let output = command.output().expect("go runs");
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    std::fs::rename(&temporary, &binary).expect("rename");
    binary
}

fn newest_change(source: &Path) -> Option<std::time::SystemTime> {
    let files = std::fs::read_dir(source).ok()?.flatten();
    files.filter_map(|file| file.metadata().and_then(|data| data.modified()).ok()).max()
}

impl Fixture {
    /// The line of `// @NAME` (alone or at the end of a line of code).
    #[track_caller]
    pub fn line(&self, mark: &str) -> i64 {
        let wanted = format!("// @{mark}");
        let found = self.text.lines().position(|line| {
            line.split_once(&wanted).is_some_and(|(_, rest)| rest.is_empty() || rest.starts_with(' '))
        });
        found.map(|index| index as i64 + 1).unwrap_or_else(|| panic!("{} has no {wanted}", self.name))
    }

    /// The main source file's path as text.
    pub fn path(&self) -> String {
        self.source.canonicalize().unwrap_or_else(|_| self.source.clone()).display().to_string()
    }

    /// What it is, for a report.
    pub fn title(&self) -> String {
        format!("{} go1.{}.{} {}", self.name, self.version.0, self.version.1, self.mode.name())
    }
}
