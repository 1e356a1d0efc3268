//! The filters of `setExceptionBreakpoints`, and the conditions that a client gives them.
//!
//! A condition is checked when it is set as far as that goes without a place in the program: names of variables get their meaning in the
//! frame that panicked.

use eval::{Names, Purpose, Scope};
use golang::Value;
use image::Image;
use wire::types as t;

use crate::{
    session::Session,
    trace::{Request, is_standard},
};

/// What conditions call the value given to `panic`.
pub(super) const PANIC_VALUE: &str = "panicValue";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Filter {
    UnrecoveredPanic,
    FatalThrow,
    Panic,
    RecoveredPanic,
    FailedAssertion,
}

/// How a filter is announced.
pub(crate) struct Described {
    pub(crate) filter: Filter,
    pub(crate) name: &'static str,
    label: &'static str,
    default: bool,
    description: &'static str,
}

const CONDITION: &str =
    "A Go expression on the frame that panicked; panicValue is the value: typeof(panicValue) == *main.MyErr";
const ASSERTION_CONDITION: &str =
    "A Go expression on the frame of the assertion; package=std or package=PATH looks into other packages";

pub(crate) const FILTERS: &[Described] = &[
    Described {
        filter: Filter::UnrecoveredPanic,
        name: "unrecovered-panic",
        label: "Unrecovered Panics",
        default: true,
        description: "Stop when a panic that nothing recovered ends the program",
    },
    Described {
        filter: Filter::FatalThrow,
        name: "runtime-fatal-throw",
        label: "Fatal Throws",
        default: true,
        description: "Stop when the Go runtime gives up (deadlock, concurrent map writes)",
    },
    Described {
        filter: Filter::Panic,
        name: "panic",
        label: "All Panics",
        default: false,
        description: "Stop at every panic where it happens, also those that are recovered",
    },
    Described {
        filter: Filter::RecoveredPanic,
        name: "recovered-panic",
        label: "Recovered Panics",
        default: false,
        description: "Stop where recover() takes a panic, in the deferred function that called it",
    },
    Described {
        filter: Filter::FailedAssertion,
        name: "failed-assertion",
        label: "Failed Type Assertions",
        default: false,
        description: "Stop where x.(T) fails, also in its v, ok form; outside the standard library unless the condition names a package",
    },
];

impl Filter {
    pub(crate) fn named(name: &str) -> Option<Filter> {
        FILTERS.iter().find(|d| d.name == name).map(|d| d.filter)
    }

    pub(crate) fn name(self) -> &'static str {
        FILTERS.iter().find(|d| d.filter == self).map_or("", |d| d.name)
    }
}

impl Described {
    pub(crate) fn announced(&self) -> t::ExceptionBreakpointsFilter {
        let condition = match self.filter {
            Filter::FailedAssertion => ASSERTION_CONDITION,
            Filter::FatalThrow => "A Go expression on the innermost frame outside the runtime",
            _ => CONDITION,
        };
        t::ExceptionBreakpointsFilter {
            filter: self.name.into(),
            label: self.label.into(),
            default: Some(self.default),
            description: Some(self.description.into()),
            supports_condition: Some(true),
            condition_description: Some(condition.into()),
        }
    }

    pub(crate) fn on_by_default(&self) -> bool {
        self.default
    }
}

/// A filter that is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) filter: Filter,
    pub(crate) condition: Option<Condition>,
}

/// When it stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    /// As the client gave it.
    pub(crate) text: String,
    /// Glob of the packages whose code counts.
    package: Option<String>,
    pub(super) expression: Option<String>,
}

impl Wanted {
    /// Whether code of a package counts at all.
    pub(super) fn takes_package(&self, image: &Image, package: &str) -> bool {
        match self.condition.as_ref().and_then(|c| c.package.clone()) {
            Some(glob) => Request { package: Some(glob), ..Request::default() }.takes_code(image, package),
            None => self.filter != Filter::FailedAssertion || !is_standard(image, package),
        }
    }
}

impl Session {
    /// Checks a condition. It is refused when it is wrong wherever it may be evaluated.
    pub(super) fn parse_condition(&self, filter: Filter, text: &str) -> Result<Condition, String> {
        let text = text.trim();
        let (package, rest) = split_package(text);
        let expression = (!rest.is_empty()).then(|| rest.to_string());
        let plain = Condition { text: text.into(), package, expression };
        let Some(expression) = &plain.expression else { return Ok(plain) };
        if plain.package.is_none() && (expression == "std" || is_package_path(expression)) {
            return Ok(Condition { package: Some(expression.clone()), expression: None, ..plain });
        }
        let shift = text.chars().count() - expression.chars().count();
        let wrong = |column: usize, why: &str| format!("condition: column {}: {why}", column + shift);
        if let Some(e) = expr::parse(expression).errors.first() {
            return Err(wrong(e.span.column(expression) as usize, &e.message));
        }
        let Some(inf) = self.inferior.as_ref() else { return Ok(plain) };
        let process = inf.process();
        let value = Value::unavailable(process.empty_interface(), "there is no panic yet");
        let names = Names::of(&Scope::new(&process, None, &self.scratch));
        let names = if filter.has_value() { names.with_value(PANIC_VALUE, &value) } else { names };
        match eval::compile(expression, &names, Purpose::Condition) {
            // `fmt`
            Err(e)
                if plain.package.is_none()
                    && e.message == format!("use of package {expression} without selector") =>
            {
                Ok(Condition { package: Some(expression.clone()), expression: None, ..plain.clone() })
            }
            // A variable of some frame.
            Err(e) if !e.message.starts_with("undefined: ") || is_misplaced(filter, &e.message) => {
                Err(wrong(e.column as usize, &e.message))
            }
            _ => Ok(plain),
        }
    }
}

impl Filter {
    /// Conditions can ask for the value given to `panic`.
    pub(super) fn has_value(self) -> bool {
        !matches!(self, Filter::FatalThrow | Filter::FailedAssertion)
    }
}

/// `net/http`: as an expression it would be a quotient, which is no condition.
fn is_package_path(text: &str) -> bool {
    text.contains('/')
        && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '*'))
}

fn is_misplaced(filter: Filter, message: &str) -> bool {
    !filter.has_value() && message == format!("undefined: {PANIC_VALUE}")
}

/// `package=GLOB`, `package == "GLOB"` at the beginning, an `&&` behind it, and the rest.
fn split_package(text: &str) -> (Option<String>, &str) {
    let found = || {
        let rest = text.strip_prefix("package")?;
        let rest = rest.trim_start().strip_prefix('=')?;
        let rest = rest.strip_prefix('=').unwrap_or(rest).trim_start();
        let (package, rest) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => rest.split_at(rest.find(|c: char| c.is_whitespace() || c == '&').unwrap_or(rest.len())),
        };
        let rest = rest.trim_start();
        let rest = rest.strip_prefix("&&").unwrap_or(rest).trim_start();
        (!package.is_empty()).then(|| (Some(package.to_string()), rest))
    };
    found().unwrap_or((None, text))
}

#[cfg(test)]
mod tests {
    use super::split_package;

    #[test]
    fn a_package_goes_before_the_expression() {
        let split = |text| {
            let (package, rest): (Option<String>, &str) = split_package(text);
            (package.unwrap_or_default(), rest.to_string())
        };
        let pair = |a: &str, b: &str| (a.to_string(), b.to_string());
        assert_eq!(split("package=std"), pair("std", ""));
        assert_eq!(split("package == \"net/http\" && n > 3"), pair("net/http", "n > 3"));
        assert_eq!(split("package=net/*&& ok"), pair("net/*", "ok"));
        assert_eq!(split("package=net/http ok"), pair("net/http", "ok"));
        assert_eq!(split("packages == 3"), pair("", "packages == 3"));
        assert_eq!(split("package = "), pair("", "package = "));
        assert_eq!(split("n > 3"), pair("", "n > 3"));
    }
}
