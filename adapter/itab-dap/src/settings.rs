//! Settings that may change while debugging: launch attributes, and what `config` and `dlv config` write.

use eval::Limits;

use crate::config::{Common, ShowItab};

/// Elements and bytes read at first, as Delve's defaults.
const STRING_BYTES: usize = 512;
const ARRAY_VALUES: usize = 64;
/// Time one request may spend reading values.
const READ_MILLISECONDS: u64 = 2_000;

/// What the session goes by.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) common: Common,
}

impl Settings {
    pub(crate) fn new(common: Common) -> Self {
        Settings { common }
    }

    /// The console says which back end debugs the program, unless the client showed only its last line (Helix).
    pub(crate) fn says_backend(&self) -> bool {
        true
    }

    /// True if plain steps don't stop in this package.
    pub(crate) fn skips(&self, package: &str) -> bool {
        self.common.skip_packages.iter().any(|glob| {
            if glob == "std" { is_standard(package) } else { glob_matches(glob, package) }
        })
    }

    /// How much of a value is read for its text.
    pub(crate) fn limits(&self) -> Limits {
        let l = &self.common.limits;
        let or = |given: Option<u32>, old: u32, default: usize| match (given, old) {
            (Some(n), _) if n > 0 => n as usize,
            (_, n) if n > 0 => n as usize,
            _ => default,
        };
        let mut limits = Limits::default();
        limits.string = or(l.string, self.common.max_string_len, STRING_BYTES);
        limits.array = or(l.array, self.common.max_array_values, ARRAY_VALUES);
        limits.map = or(l.map, self.common.max_array_values, ARRAY_VALUES);
        if let Some(n) = l.struct_.filter(|n| *n > 0) {
            limits.fields = Some(n as usize);
        }
        if let Some(n) = l.depth.filter(|n| *n > 0) {
            limits.depth = n as usize;
        }
        limits.show_itab = match self.common.show_itab {
            ShowItab::Auto => eval::ShowItab::Auto,
            ShowItab::Always => eval::ShowItab::Always,
            ShowItab::Never => eval::ShowItab::Never,
        };
        limits
    }

    /// Milliseconds that one read request may take.
    pub(crate) fn read_milliseconds(&self) -> u64 {
        self.common.limits.milliseconds.filter(|n| *n > 0).map_or(READ_MILLISECONDS, u64::from)
    }
}

/// The standard library: the first path element has no dot (as cmd/go decides), and is not the main package.
fn is_standard(package: &str) -> bool {
    let first = package.split('/').next().unwrap_or(package);
    !first.contains('.') && package != "main" && !first.is_empty() && KNOWN_STD_ROOTS.contains(&first)
}

/// First path elements of GOROOT/src: a module may be named without a dot too.
const KNOWN_STD_ROOTS: &[&str] = &[
    "archive", "bufio", "bytes", "cmp", "compress", "container", "context", "crypto", "database", "debug", "embed", "encoding",
    "errors", "expvar", "flag", "fmt", "go", "hash", "html", "image", "index", "internal", "io", "iter", "log", "maps", "math",
    "mime", "net", "os", "path", "plugin", "reflect", "regexp", "runtime", "slices", "sort", "strconv", "strings", "structs",
    "sync", "syscall", "testing", "text", "time", "unicode", "unique", "unsafe", "vendor", "weak",
];

/// `*` within one path element, `...` across elements.
fn glob_matches(glob: &str, text: &str) -> bool {
    match glob.find(['*', '?']).or_else(|| glob.find("...")) {
        None => glob == text,
        Some(_) => matches_from(glob.as_bytes(), text.as_bytes(), 0),
    }
}

fn matches_from(glob: &[u8], text: &[u8], depth: usize) -> bool {
    if depth > 256 {
        return false;
    }
    if let Some(rest) = glob.strip_prefix(b"...") {
        return (0..=text.len()).any(|i| text.get(i..).is_some_and(|t| matches_from(rest, t, depth + 1)));
    }
    match (glob.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => (0..=text.len())
            .take_while(|i| *i == 0 || text.get(i - 1) != Some(&b'/'))
            .any(|i| text.get(i..).is_some_and(|t| matches_from(rest, t, depth + 1))),
        (Some((b'?', g)), Some((c, t))) => *c != b'/' && matches_from(g, t, depth + 1),
        (Some((a, g)), Some((b, t))) => a == b && matches_from(g, t, depth + 1),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_of_packages() {
        assert!(glob_matches("example.com/x", "example.com/x"));
        assert!(!glob_matches("example.com/x", "example.com/x/y"));
        assert!(glob_matches("example.com/*", "example.com/x"));
        assert!(!glob_matches("example.com/*", "example.com/x/y"));
        assert!(glob_matches("example.com/...", "example.com/x/y"));
    }

    #[test]
    fn the_standard_library_is_known_by_its_roots() {
        assert!(is_standard("net/http"));
        assert!(!is_standard("main"));
        assert!(!is_standard("example.com/net/http"));
        assert!(!is_standard("mymodule/util"));
    }
}
