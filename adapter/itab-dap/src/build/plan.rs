//! What is built, from where, under which name.
//!
//! The go command finds the module from the directory it runs in. So a build runs in the adapter's directory (or `dlvCwd`), as
//! with Delve, while the program belongs to the same module; else in the program's own folder, where Delve's build would fail.

use std::path::{Path, PathBuf};

use super::run::{self, Invocation};
use super::{BuildError, BuildRequest};
use crate::config::{flag_value, merge_build_flags};

pub(super) struct Plan {
    test: bool,
    /// Flags with `-C` first.
    flags: Vec<String>,
    /// What the go command is to build.
    package: String,
    /// Where it runs.
    pub(super) directory: PathBuf,
    /// The package's folder, where it is known from the path alone.
    folder: Option<PathBuf>,
    /// File name for a temporary binary: what `ps` will show.
    pub(super) name: String,
}

impl Plan {
    pub(super) fn new(request: &BuildRequest) -> Result<Self, BuildError> {
        let flags = merge_build_flags(&request.flags)?;
        let start = &request.directory;
        let directory = std::fs::canonicalize(start)
            .map_err(|source| BuildError::Directory { directory: start.clone(), source })?;
        // With -C the go command changes its directory first, and relative paths start there.
        let changed = flag_value(&request.flags, "C");
        let base = changed.map_or_else(|| directory.clone(), |dir| directory.join(dir));
        let path = base.join(&request.program);
        let mut plan = Plan {
            test: request.test,
            flags,
            package: request.program.clone(),
            directory,
            folder: None,
            name: String::new(),
        };
        if path.is_dir() && (looks_like_path(&request.program) || has_go_files(&path)) {
            plan.take_folder(&base, &path, changed.is_some());
        } else if path.is_file() {
            plan.take_file(&base, &path, changed.is_some(), request)?;
        } else if looks_like_path(&request.program) {
            return Err(BuildError::NoProgram(path.display().to_string()));
        }
        plan.name = binary_name(
            &plan.folder.clone().unwrap_or_else(|| PathBuf::from(&request.program)),
            request.test,
        );
        Ok(plan)
    }

    fn take_folder(&mut self, base: &Path, folder: &Path, fixed: bool) {
        let folder = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
        if fixed || module_root(&folder) == module_root(base) {
            // An absolute path is a package for the go command, a relative one only with a dot in front.
            self.package = folder.display().to_string();
        } else {
            self.directory.clone_from(&folder);
            self.package = ".".into();
        }
        self.folder = Some(folder);
    }

    /// A file stands for its package, unless the folder holds several programs: then it is built alone, as `go run FILE` would.
    fn take_file(
        &mut self,
        base: &Path,
        file: &Path,
        fixed: bool,
        request: &BuildRequest,
    ) -> Result<(), BuildError> {
        if file.extension().is_none_or(|e| e != "go") {
            return Err(BuildError::NotSource(request.program.clone()));
        }
        let folder = file.parent().unwrap_or(base).to_owned();
        self.take_folder(base, &folder, fixed);
        if !request.test && stands_alone(file, &folder) {
            self.package =
                std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned()).display().to_string();
        }
        Ok(())
    }

    pub(super) fn build_arguments(&self, binary: &Path) -> Vec<String> {
        let mut all = match self.test {
            true => vec!["test".to_owned()],
            false => vec!["build".to_owned()],
        };
        let (directory, rest) = match self.flags.first().map(String::as_str) {
            Some("-C") => self.flags.split_at(2.min(self.flags.len())),
            _ => self.flags.split_at(0),
        };
        all.extend_from_slice(directory);
        if self.test {
            all.push("-c".into());
        }
        all.extend(["-o".to_owned(), binary.display().to_string()]);
        all.extend_from_slice(rest);
        all.push(self.package.clone());
        all
    }

    /// The folder of the package, by `go list` where only an import path is known.
    pub(super) fn package_directory(
        &self,
        go: &Path,
        request: &BuildRequest,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<PathBuf, BuildError> {
        if let Some(folder) = &self.folder {
            return Ok(folder.clone());
        }
        let mut arguments = vec!["list".to_owned()];
        for name in ["C", "mod", "modfile", "tags", "overlay"] {
            if let Some(value) = flag_value(&request.flags, name) {
                arguments.extend([format!("-{name}"), value.to_owned()]);
            }
        }
        arguments.extend(["-f".into(), "{{.Dir}}".into(), self.package.clone()]);
        let mut directory = PathBuf::new();
        let invocation =
            Invocation { go, arguments: &arguments, directory: &self.directory, env: &request.env };
        run::run(&invocation, cancelled, &mut |line| {
            if Path::new(line).is_absolute() {
                directory = PathBuf::from(line);
            }
        })?;
        Ok(directory)
    }
}

/// What can't be an import path of a package elsewhere.
fn looks_like_path(program: &str) -> bool {
    program.starts_with('/')
        || program == "."
        || program == ".."
        || program.starts_with("./")
        || program.starts_with("../")
        || program.ends_with(".go")
}

fn has_go_files(folder: &Path) -> bool {
    go_files(folder).next().is_some()
}

fn go_files(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "go"))
}

/// Whether another file of the folder has a `func main` of its own, or this one is kept out of its package by a build tag.
fn stands_alone(file: &Path, folder: &Path) -> bool {
    let text = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    let has_main = |source: &str| source.lines().any(|line| line.starts_with("func main()"));
    let source = text(file);
    let ignored = source
        .lines()
        .take_while(|line| !line.starts_with("package "))
        .any(|line| line.starts_with("//go:build ") && line.contains("ignore"));
    let same = |other: &Path| other.file_name() == file.file_name();
    ignored || (has_main(&source) && go_files(folder).any(|other| !same(&other) && has_main(&text(&other))))
}

/// The nearest folder with a go.mod, at or above.
fn module_root(folder: &Path) -> Option<PathBuf> {
    let folder = std::fs::canonicalize(folder).ok()?;
    folder.ancestors().find(|dir| dir.join("go.mod").is_file()).map(Path::to_owned)
}

fn binary_name(package: &Path, test: bool) -> String {
    let base = package.file_name().map_or_else(|| "program".to_owned(), |n| n.to_string_lossy().into_owned());
    let plain: String =
        base.chars().filter(|c| c.is_ascii_alphanumeric() || "._-".contains(*c)).take(64).collect();
    let plain = if plain.trim_matches('.').is_empty() { "program".to_owned() } else { plain };
    if test { format!("{plain}.test") } else { plain }
}
