//! Settings that may change while debugging: launch attributes, and what `config` and `dlv config` write.

use eval::Limits;

use crate::config::{Common, ShowItab};

/// Elements and bytes read at first, as Delve's defaults.
const STRING_BYTES: u64 = 512;
const ARRAY_VALUES: u64 = 64;
/// Time one request may spend reading values.
const READ_MILLISECONDS: u64 = 2_000;

/// Settings that `config` shows and changes.
const NAMES: &[&str] = &[
    "stackTraceDepth",
    "maxStringLen",
    "maxArrayValues",
    "showGlobalVariables",
    "showRegisters",
    "hideSystemGoroutines",
    "substitutePath",
    "skipPackages",
];

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

    /// `config`: all settings; `config NAME`: one; `config NAME VALUE`: sets it. The second text names what was changed.
    pub(crate) fn config(&mut self, text: &str) -> Result<(String, String), String> {
        let (name, value) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let value = value.trim();
        if name.is_empty() {
            return Ok((NAMES.iter().map(|n| self.show(n)).collect::<Vec<_>>().join("\n"), String::new()));
        }
        if !NAMES.contains(&name) {
            return Err(format!("there is no setting {name:?}; config lists them"));
        }
        if value.is_empty() {
            return Ok((self.show(name), String::new()));
        }
        self.set(name, value)?;
        Ok((self.show(name), name.to_string()))
    }

    fn show(&self, name: &str) -> String {
        let c = &self.common;
        let value = match name {
            "stackTraceDepth" => c.stack_trace_depth.to_string(),
            "maxStringLen" => self.limits().string.to_string(),
            "maxArrayValues" => self.limits().array.to_string(),
            "showGlobalVariables" => c.show_global_variables.to_string(),
            "showRegisters" => c.show_registers.to_string(),
            "hideSystemGoroutines" => c.hide_system_goroutines.to_string(),
            "substitutePath" => {
                format!(
                    "[{}]",
                    c.substitute_path
                        .iter()
                        .map(|r| format!("{:?}: {:?}", r.from, r.to))
                        .collect::<Vec<_>>()
                        .join(", ")
                )
            }
            "skipPackages" => format!("{:?}", c.skip_packages),
            _ => String::new(),
        };
        format!("{name}\t{value}")
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let flag = || value.parse::<bool>().map_err(|_| format!("{name} is true or false, not {value:?}"));
        let number = || value.parse::<u32>().map_err(|_| format!("{name} is a number, not {value:?}"));
        let c = &mut self.common;
        match name {
            "stackTraceDepth" => c.stack_trace_depth = number()?.max(1),
            "maxStringLen" => c.max_string_len = number()?,
            "maxArrayValues" => c.max_array_values = number()?,
            "showGlobalVariables" => c.show_global_variables = flag()?,
            "showRegisters" => c.show_registers = flag()?,
            "hideSystemGoroutines" => c.hide_system_goroutines = flag()?,
            "skipPackages" => c.skip_packages = value.split_whitespace().map(str::to_string).collect(),
            "substitutePath" => {
                let words: Vec<&str> = value.split_whitespace().map(|w| w.trim_matches('"')).collect();
                match words.as_slice() {
                    ["-clear"] => c.substitute_path.clear(),
                    [from, to] => c
                        .substitute_path
                        .push(crate::config::PathRule { from: (*from).into(), to: (*to).into() }),
                    _ => return Err("write config substitutePath FROM TO, or -clear".into()),
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// True if plain steps don't stop in this package.
    pub(crate) fn skips(&self, package: &str) -> bool {
        self.common
            .skip_packages
            .iter()
            .any(|glob| if glob == "std" { is_standard(package) } else { glob_matches(glob, package) })
    }

    /// How much of a value is read for its text.
    pub(crate) fn limits(&self) -> Limits {
        let l = &self.common.limits;
        let or = |given: Option<u32>, old: u32, default: u64| match (given, old) {
            (Some(n), _) if n > 0 => u64::from(n),
            (_, n) if n > 0 => u64::from(n),
            _ => default,
        };
        let mut limits = Limits::default();
        limits.string = or(l.string, self.common.max_string_len, STRING_BYTES);
        limits.whole_string = limits.string;
        limits.array = or(l.array, self.common.max_array_values, ARRAY_VALUES);
        limits.map = or(l.map, self.common.max_array_values, ARRAY_VALUES);
        if let Some(n) = l.struct_.filter(|n| *n > 0) {
            limits.fields = Some(n as usize);
        }
        if let Some(n) = l.depth.filter(|n| *n > 0) {
            limits.depth = n;
        }
        limits
    }

    pub(crate) fn show_itab(&self) -> eval::ShowItab {
        match self.common.show_itab {
            ShowItab::Auto => eval::ShowItab::Auto,
            ShowItab::Always => eval::ShowItab::Always,
            ShowItab::Never => eval::ShowItab::Never,
        }
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
    "archive",
    "bufio",
    "bytes",
    "cmp",
    "compress",
    "container",
    "context",
    "crypto",
    "database",
    "debug",
    "embed",
    "encoding",
    "errors",
    "expvar",
    "flag",
    "fmt",
    "go",
    "hash",
    "html",
    "image",
    "index",
    "internal",
    "io",
    "iter",
    "log",
    "maps",
    "math",
    "mime",
    "net",
    "os",
    "path",
    "plugin",
    "reflect",
    "regexp",
    "runtime",
    "slices",
    "sort",
    "strconv",
    "strings",
    "structs",
    "sync",
    "syscall",
    "testing",
    "text",
    "time",
    "unicode",
    "unique",
    "unsafe",
    "vendor",
    "weak",
];

/// `*` within one path element, `...` across elements.
pub(crate) fn glob_matches(glob: &str, text: &str) -> bool {
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
