//! Go programs of `tests/programs`, with the marks in their source.

use std::path::{Path, PathBuf};

pub use gofixture::Mode;

use crate::go::Toolchain;

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

/// Builds a program unless that was done.
#[track_caller]
pub fn build(name: &str, toolchain: &Toolchain, mode: Mode) -> Fixture {
    let source = folder(name);
    let binary = gofixture::build(&source, toolchain, mode);
    let main = source.join("main.go");
    let text = std::fs::read_to_string(&main).unwrap_or_else(|error| panic!("{}: {error}", main.display()));
    Fixture { name: name.to_owned(), binary, source: main, text, version: toolchain.numbers(), mode }
}

/// Builds a program whose source is made up by a test.
#[track_caller]
pub fn build_text(name: &str, text: &str, toolchain: &Toolchain, mode: Mode) -> Fixture {
    let folder = gofixture::folder().join("sources").join(name);
    std::fs::create_dir_all(&folder).expect("a folder");
    for (file, text) in
        [("go.mod", format!("module example.com/{name}\n\ngo 1.21\n")), ("main.go", text.into())]
    {
        // Other tests may build the same program now.
        let temporary =
            folder.join(format!("{file}.{}-{:?}", std::process::id(), std::thread::current().id()));
        std::fs::write(&temporary, text).expect("a source file");
        std::fs::rename(&temporary, folder.join(file)).expect("rename");
    }
    let binary = gofixture::build(&folder, toolchain, mode);
    let source = folder.join("main.go");
    let (name, text) = (name.to_owned(), text.to_owned());
    Fixture { name, binary, source, text, version: toolchain.numbers(), mode }
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
