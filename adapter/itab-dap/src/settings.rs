//! Settings that may change while debugging: launch attributes, and what `config` and `dlv config` write.

use eval::Limits;

use crate::config::{Common, PathRule, ShowItab};

/// Elements and bytes read at first, as Delve's defaults.
const STRING_BYTES: u64 = 512;
const ARRAY_VALUES: u64 = 64;
/// Time one request may spend reading values.
const READ_MILLISECONDS: u64 = 2_000;

/// Settings that `config` and `dlv config` show and change; the last ones Delve does not know.
const NAMES: &[&str] = &[
    "stackTraceDepth",
    "maxStringLen",
    "maxArrayValues",
    "showGlobalVariables",
    "showRegisters",
    "goroutineFilters",
    "showPprofLabels",
    "hideSystemGoroutines",
    "substitutePath",
    "followExec",
    "followExecRegex",
    "showRawStrings",
    "skipPackages",
];
const OWN: &[&str] = &["skipPackages"];

/// What the session goes by.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) common: Common,
}

impl Settings {
    pub(crate) fn new(common: Common) -> Self {
        Settings { common }
    }

    /// `config`: all settings; `config NAME`: one; `config NAME VALUE`: sets it. The second text names what was changed.
    pub(crate) fn config(&mut self, text: &str) -> Result<(String, String), String> {
        let (name, value) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        if name.is_empty() {
            return Ok((NAMES.iter().map(|n| self.show(n)).collect::<Vec<_>>().join("\n"), String::new()));
        }
        known(name)?;
        if value.trim().is_empty() {
            return Ok((self.show(name), String::new()));
        }
        self.set(name, value.trim())?;
        Ok((self.show(name), name.to_string()))
    }

    /// `dlv config -list [NAME]` and `dlv config NAME VALUE`, answered as Delve does.
    pub(crate) fn delves_config(&mut self, text: &str) -> Result<(String, String), String> {
        if let Some(name) = text.strip_prefix("-list") {
            let wanted = |n: &&&str| name.trim().is_empty() || **n == name.trim();
            let delves = NAMES.iter().filter(|n| !OWN.contains(n)).filter(wanted);
            return Ok((delves.map(|n| format!("{}\n", self.show(n))).collect(), String::new()));
        }
        let (name, value) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        known(name)?;
        self.set(name, value.trim())?;
        Ok((format!("{}\n\nUpdated", self.show(name)), name.to_string()))
    }

    fn show(&self, name: &str) -> String {
        let c = &self.common;
        let value = match name {
            "stackTraceDepth" => c.stack_trace_depth.to_string(),
            "maxStringLen" => c.max_string_len.to_string(),
            "maxArrayValues" => c.max_array_values.to_string(),
            "showGlobalVariables" => c.show_global_variables.to_string(),
            "showRegisters" => c.show_registers.to_string(),
            "goroutineFilters" => format!("{:?}", c.goroutine_filters),
            "showPprofLabels" => format!("[{}]", c.show_pprof_labels.join(" ")),
            "hideSystemGoroutines" => c.hide_system_goroutines.to_string(),
            "substitutePath" => {
                let rules = c.substitute_path.iter().map(|r| format!("[{} {}]", r.from, r.to));
                format!("[{}]", rules.collect::<Vec<_>>().join(" "))
            }
            "followExec" => c.follow_exec.to_string(),
            "followExecRegex" => format!("{:?}", c.follow_exec_regex),
            "showRawStrings" => c.show_raw_strings.to_string(),
            "skipPackages" => format!("[{}]", c.skip_packages.join(" ")),
            _ => String::new(),
        };
        format!("{name}\t{value}")
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let flag =
            || value.parse::<bool>().map_err(|_| format!("argument to {name:?} must be true or false"));
        let number = || value.parse::<u32>().map_err(|_| format!("argument to {name:?} must be a number"));
        let c = &mut self.common;
        match name {
            "stackTraceDepth" => c.stack_trace_depth = number()?.max(1),
            "maxStringLen" => c.max_string_len = number()?,
            "maxArrayValues" => c.max_array_values = number()?,
            "showGlobalVariables" => c.show_global_variables = flag()?,
            "showRegisters" => c.show_registers = flag()?,
            "goroutineFilters" => c.goroutine_filters = value.trim_matches('"').to_string(),
            "showPprofLabels" => set_labels(&mut c.show_pprof_labels, &words(value))?,
            "hideSystemGoroutines" => c.hide_system_goroutines = flag()?,
            "substitutePath" => set_rules(&mut c.substitute_path, &words(value))?,
            "showRawStrings" => c.show_raw_strings = flag()?,
            "skipPackages" => c.skip_packages = words(value),
            _ => return Err(format!("{name} can't be changed: child processes are not debugged yet")),
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
        limits.raw_strings = self.common.show_raw_strings;
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

fn known(name: &str) -> Result<(), String> {
    match NAMES.contains(&name) {
        true => Ok(()),
        false => Err(format!("{name:?} is not a configuration parameter; known are {}", NAMES.join(", "))),
    }
}

/// Words between spaces; quotes hold spaces.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    for c in text.chars() {
        match c {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            c if c.is_whitespace() && !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// `LABEL` adds, `-clear LABEL` removes, `-clear` removes all.
fn set_labels(labels: &mut Vec<String>, words: &[String]) -> Result<(), String> {
    match words {
        [] => {}
        [clear] if clear == "-clear" => labels.clear(),
        [clear, label] if clear == "-clear" => {
            let at = labels.iter().position(|l| l == label);
            labels.remove(at.ok_or_else(|| format!("could not find label {label:?}"))?);
        }
        [label] => labels.push(label.clone()),
        _ => return Err("too many arguments to \"config showPprofLabels\"".into()),
    }
    Ok(())
}

/// `FROM TO` adds or changes, `FROM` (or `-clear FROM`) removes, `-clear` removes all.
fn set_rules(rules: &mut Vec<PathRule>, words: &[String]) -> Result<(), String> {
    match words {
        [] => {}
        [clear] if clear == "-clear" => rules.clear(),
        [from] => remove_rule(rules, from)?,
        [clear, from] if clear == "-clear" => remove_rule(rules, from)?,
        [from, to] => match rules.iter_mut().find(|r| r.from == *from) {
            Some(rule) => rule.to.clone_from(to),
            None => rules.push(PathRule { from: from.clone(), to: to.clone() }),
        },
        _ => return Err("too many arguments to \"config substitutePath\"".into()),
    }
    Ok(())
}

fn remove_rule(rules: &mut Vec<PathRule>, from: &str) -> Result<(), String> {
    let at = rules.iter().position(|r| r.from == from);
    rules.remove(at.ok_or_else(|| format!("could not find rule for {from:?}"))?);
    Ok(())
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
    fn delves_console_lists_and_changes_settings() {
        let mut s = Settings::default();
        let mut config = |text: &str| s.delves_config(text);
        assert_eq!(config("-list showRegisters").unwrap().0, "showRegisters\tfalse\n");
        assert_eq!(config("showRegisters true").unwrap().0, "showRegisters\ttrue\n\nUpdated");
        let rule = config("substitutePath \"my dir\" /there").unwrap();
        assert_eq!(rule.0, "substitutePath\t[[my dir /there]]\n\nUpdated");
        assert_eq!(config("substitutePath \"my dir\"").unwrap().0, "substitutePath\t[]\n\nUpdated");
        assert!(config("substitutePath nosuch").is_err());
        assert_eq!(config("showPprofLabels a").unwrap().0, "showPprofLabels\t[a]\n\nUpdated");
        assert_eq!(config("showPprofLabels -clear").unwrap().0, "showPprofLabels\t[]\n\nUpdated");
        assert!(config("").is_err() && config("nosuch 1").is_err() && config("showRegisters 1").is_err());
        let all = config("-list").unwrap().0;
        assert_eq!(all.lines().count(), 12, "{all}");
        assert!(all.contains("goroutineFilters\t\"\"\n") && all.contains("maxStringLen\t0\n"), "{all}");
    }

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
