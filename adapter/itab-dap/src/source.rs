//! Source files: the client's paths against the compiler's (substitutePath, -trimpath), and their text.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

/// One rule of `substitutePath`: `from` on the client's side, `to` as the binary has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Substitution {
    pub(crate) from: String,
    pub(crate) to: String,
}

/// Files larger than this are not read for call columns, 16 MiB.
const MAX_SOURCE: u64 = 16 << 20;

/// Maps paths both ways and reads source text once.
#[derive(Default)]
pub(crate) struct Sources {
    rules: Vec<Substitution>,
    text: Mutex<HashMap<String, Option<Arc<str>>>>,
}

impl Sources {
    pub(crate) fn new(rules: Vec<Substitution>) -> Self {
        Sources { rules, text: Mutex::default() }
    }

    /// Client's path -> the path in the binary.
    pub(crate) fn to_server(&self, path: &str) -> String {
        self.rules.iter().find_map(|r| substitute(path, &r.from, &r.to)).unwrap_or_else(|| clean(path))
    }

    /// Path in the binary -> the client's path.
    pub(crate) fn to_client(&self, path: &str) -> String {
        self.rules.iter().find_map(|r| substitute(path, &r.to, &r.from)).unwrap_or_else(|| path.to_string())
    }

    /// The text of a file named as the binary names it; `None` if it can't be read here.
    pub(crate) fn text(&self, server_path: &str) -> Option<Arc<str>> {
        let mut cache = self.text.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        cache
            .entry(server_path.to_string())
            .or_insert_with(|| read(Path::new(&self.to_client(server_path))))
            .clone()
    }
}

impl dispatch::SourceText for Sources {
    fn source(&self, file: &str) -> Option<Arc<str>> {
        self.text(file)
    }
}

fn read(path: &Path) -> Option<Arc<str>> {
    let size = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?.len();
    if size > MAX_SOURCE {
        return None;
    }
    Some(String::from_utf8_lossy(&std::fs::read(path).ok()?).into())
}

/// Delve's rules (pkg/locspec SubstitutePath): a rule matches whole path elements; an empty `from` matches relative paths when
/// `to` is a directory, an empty `to` strips the directory.
fn substitute(path: &str, from: &str, to: &str) -> Option<String> {
    if from.is_empty() {
        if to.is_empty() || path.starts_with('/') || path.is_empty() || path.starts_with('<') {
            return None;
        }
        return Some(PathBuf::from(to).join(path).to_string_lossy().into_owned());
    }
    let dir = from.trim_end_matches('/');
    let rest = path.strip_prefix(dir)?;
    if rest.is_empty() {
        return Some(to.to_string());
    }
    let rest = rest.strip_prefix('/')?;
    if to.is_empty() {
        return Some(rest.to_string());
    }
    Some(format!("{}/{rest}", to.trim_end_matches('/')))
}

/// Removes `.` and `..` and doubled slashes without touching the file system.
fn clean(path: &str) -> String {
    let mut out = PathBuf::new();
    for c in Path::new(path).components() {
        match c {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => {
                if !out.pop() {
                    out.push("..");
                }
            }
            c => out.push(c),
        }
    }
    out.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(rules: &[(&str, &str)]) -> Sources {
        Sources::new(rules.iter().map(|(f, t)| Substitution { from: (*f).into(), to: (*t).into() }).collect())
    }

    #[test]
    fn a_rule_matches_whole_path_elements_both_ways() {
        let s = sources(&[("/home/me/app", "/build/app")]);
        assert_eq!(s.to_server("/home/me/app/x/main.go"), "/build/app/x/main.go");
        assert_eq!(s.to_server("/home/me/app2/main.go"), "/home/me/app2/main.go");
        assert_eq!(s.to_client("/build/app/x/main.go"), "/home/me/app/x/main.go");
    }

    #[test]
    fn trimmed_paths_are_relative() {
        let s = sources(&[("/home/me/app", "example.com/app")]);
        assert_eq!(s.to_server("/home/me/app/main.go"), "example.com/app/main.go");
        assert_eq!(s.to_client("example.com/app/main.go"), "/home/me/app/main.go");
        let s = sources(&[("/goroot/src", "")]);
        assert_eq!(s.to_client("fmt/print.go"), "/goroot/src/fmt/print.go");
        assert_eq!(s.to_server("/goroot/src/fmt/print.go"), "fmt/print.go");
    }

    #[test]
    fn dots_are_cleaned() {
        assert_eq!(sources(&[]).to_server("/a/b/../c/./d.go"), "/a/c/d.go");
    }
}
