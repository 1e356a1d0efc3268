//! Commands of the debug console: every function of this adapter for clients without views (docs/PROTOCOL.md section 3).
//!
//! A single word that names a variable in scope is the variable; `:word` is always the command.

mod commands;
mod delve;
mod examine;
mod raw;

use crate::session::Session;

/// What a command leads to.
pub(crate) enum Answer {
    Text(String),
    Error(String),
    /// An error with a number of its own.
    Refused(crate::error::Refused),
    /// The text is answered first; then the program runs.
    ThenRun(String, Box<dyn FnOnce(&mut Session)>),
}

/// A command and its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) name: String,
    pub(crate) rest: String,
    /// `COMMAND > FILE`.
    pub(crate) to_file: Option<String>,
}

/// Names of all commands, with their help line.
pub(crate) const COMMANDS: &[(&str, &str)] = &[
    ("help", "help: this list"),
    (
        "dispatch",
        "dispatch [function] [speculate] | dispatch step [N] | dispatch chain N: the calls of the line and their targets",
    ),
    ("itab", "itab EXPR | itab 0xADDR: the itab behind an interface value or at an address"),
    ("iface", "iface 0xADDR: the two words there as an interface value with methods"),
    ("eface", "eface 0xADDR: the two words there as an empty interface value"),
    ("where", "where EXPR | where 0xADDR: what a value points to, or what an address belongs to"),
    ("itabs", "itabs [INTERFACE] [TYPE] [new]: the itab table; names may be globs"),
    ("implementers", "implementers INTERFACE [near]: the types that implement an interface, or nearly do"),
    ("methods", "methods TYPE|EXPR: the method set"),
    (
        "trace",
        "trace dispatch|asserts [FILTER] | off|on|show [N] | pprof|graph FILE [N]: log and count interface calls or type assertions",
    ),
    (
        "profile",
        "profile FILE [cum] [-o OUT] [-n ROWS] [--binary PROGRAM]: a CPU profile by dynamic calls and the methods and funcs they reached",
    ),
    ("goroutines", "goroutines [-all]: the goroutines"),
    ("goroutine", "goroutine N: look at another goroutine"),
    ("breaks", "breaks: the breakpoints"),
    (
        "break",
        "break FUNCTION|file.go:LINE|LINE|INTERFACE.METHOD [TYPE] [if CONDITION]: a breakpoint; break -d N removes one",
    ),
    ("catch", "catch [FILTER [on|off] [if CONDITION]]: exception filters, or their list"),
    ("regs", "regs: the registers of the selected frame"),
    ("disass", "disass [-a]: the instructions of the line, or of the whole function"),
    ("-exec", "-exec COMMAND: a command of the native debugger, where the back end has one"),
    ("config", "config [NAME [VALUE]]: settings"),
    ("dlv", "dlv help|config|sources|types|target|x: as in Delve's debug console"),
];

pub(crate) fn is_command(name: &str) -> bool {
    COMMANDS.iter().any(|(n, _)| *n == name)
}

/// Splits a console line into a command, if it is one.
pub(crate) fn parse(line: &str) -> Option<(Command, bool)> {
    let line = line.trim();
    let (forced, text) = match line.strip_prefix(':') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, line),
    };
    let (text, to_file) = match text.rsplit_once(" > ") {
        Some((head, file)) if !file.trim().is_empty() && !file.contains(['"', '\'', '(', ')']) => {
            (head.trim_end(), Some(file.trim().to_string()))
        }
        _ => (text, None),
    };
    let name = text.split_whitespace().next()?;
    if !is_command(name) {
        // `:word` is always meant as a command; the one that runs it says that there is none.
        let none = Command { name: name.to_string(), rest: String::new(), to_file: None };
        return forced.then_some((none, true));
    }
    let rest = text.get(name.len()..).unwrap_or_default().trim().to_string();
    // `itab(x)` and `dispatch.field` are expressions; `config > y` with a variable of that name as well. These take globs and types:
    let takes_symbols =
        ["itabs", "methods", "implementers", "break", "goroutines", "trace", "profile"].contains(&name);
    let call =
        rest.starts_with(['(', '.', '=']) && !text.get(name.len()..).is_some_and(|t| t.starts_with(' '));
    if forced {
        return Some((Command { name: name.to_string(), rest, to_file }, true));
    }
    if call
        || !takes_symbols
            && !["itab", "where", "-exec"].contains(&name)
            && rest.starts_with(['(', '.', '[', '=', '+', '*', '/', '<', '>', '!', '&', '|', ','])
    {
        return None;
    }
    Some((Command { name: name.to_string(), rest, to_file }, forced))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(line: &str) -> Option<String> {
        parse(line).map(|(c, _)| format!("{}|{}", c.name, c.rest))
    }

    #[test]
    fn commands_are_told_from_expressions() {
        assert_eq!(name("dispatch step 1").as_deref(), Some("dispatch|step 1"));
        assert_eq!(name("  itab w "), Some("itab|w".into()));
        assert_eq!(name("itab(w)"), None);
        assert_eq!(name("methods *main.T"), Some("methods|*main.T".into()));
        assert_eq!(name("x + 1"), None);
        assert_eq!(name("config.Name"), None);
        assert_eq!(name("config == nil"), None);
        assert_eq!(parse(":dispatch").map(|c| c.1), Some(true));
        assert_eq!(name(":nosuch").as_deref(), Some("nosuch|"));
        assert_eq!(name("where *p").as_deref(), Some("where|*p"));
        assert_eq!(name("where(p)"), None);
        assert_eq!(name("-exec info all-registers").as_deref(), Some("-exec|info all-registers"));
    }

    #[test]
    fn output_may_go_to_a_file() {
        let (c, _) = parse("dispatch function > /tmp/x").unwrap();
        assert_eq!((c.rest.as_str(), c.to_file.as_deref()), ("function", Some("/tmp/x")));
    }
}
