//! Facts written beside the Go code that they are about, and checked where the program stops.
//!
//! ```text
//! i8 := int8(-5)
//! use(i8) // @stop integers
//! //@ i8 == -5
//! //@ i8 : int8
//! //@ [>=1.24] m == map[int]int [1: 2, ]
//! //@ [opt] s == …
//! ```
//!
//! `E == TEXT` is the value's text (`…` stands for any text), `E : TYPE` its type, `E > a, b` the names of its children,
//! `E ! TEXT` an error that contains the text. Facts belong to the last `@stop` above them. It must never pass when a stop was not reached or had no fact.

use std::collections::BTreeMap;

use serde_json::json;

use crate::fixture::{Fixture, Mode};
use crate::session::{Launch, Session, Variable};

/// What is claimed of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Claim {
    Value(String),
    Type(String),
    Children(Vec<String>),
    Error(String),
}

#[derive(Debug, Clone)]
struct Fact {
    line: usize,
    expression: String,
    claim: Claim,
}

/// A line with a breakpoint and what holds there.
#[derive(Debug)]
struct Place {
    name: String,
    facts: Vec<Fact>,
}

/// What a run found.
#[derive(Debug, Default)]
pub struct Report {
    pub checked: usize,
    pub failures: Vec<String>,
}

/// Runs a program over all its stops and checks every fact. The program must then end with code 0.
#[track_caller]
pub fn check(fixture: &Fixture, launch: &Launch) {
    let report = run(fixture, launch);
    assert!(report.checked > 0, "{}: no fact was checked", fixture.title());
    assert!(
        report.failures.is_empty(),
        "{}: {} of {} facts are wrong:\n{}",
        fixture.title(),
        report.failures.len(),
        report.checked,
        report.failures.join("\n")
    );
}

fn run(fixture: &Fixture, launch: &Launch) -> Report {
    let mut places = read(fixture);
    let lines: Vec<i64> = places.keys().copied().collect();
    let mut report = Report::default();
    let mut session = Session::begin(launch, "launch");
    let answers = session.set_breakpoints(&fixture.path(), &lines);
    for (line, answer) in lines.iter().zip(&answers) {
        if answer["verified"] != json!(true) || answer["line"] != json!(line) {
            report.failures.push(format!("line {line}: the breakpoint became {answer}"));
        }
    }
    session.configured();
    loop {
        let event = session.client.event_of(&["stopped", "exited"]);
        if event["event"] == json!("exited") {
            if event["body"]["exitCode"] != json!(0) {
                let output = session.client.output("stderr");
                report.failures.push(format!("exit code {}: {output}", event["body"]["exitCode"]));
            }
            break;
        }
        let thread = event["body"]["threadId"].as_i64().unwrap_or(0);
        let (function, line) = session.place(thread);
        match places.remove(&line) {
            Some(place) => place.check(&mut session, &mut report),
            None => report.failures.push(format!("stopped at line {line} in {function}: {}", event["body"])),
        }
        session.client.ok("continue", json!({"threadId": thread}));
    }
    for (line, place) in places {
        report.failures.push(format!("line {line}: the stop {} was never reached", place.name));
    }
    session.client.end();
    report
}

impl Place {
    fn check(&self, session: &mut Session, report: &mut Report) {
        let locals = session.locals();
        for fact in &self.facts {
            report.checked += 1;
            if let Err(text) = fact.check(session, &locals) {
                report.failures.push(format!("  {}:{}: `{}` {text}", self.name, fact.line, fact.expression));
            }
        }
    }
}

impl Fact {
    fn check(&self, session: &mut Session, locals: &[Variable]) -> Result<(), String> {
        let result = session.eval(&self.expression);
        if let Claim::Error(wanted) = &self.claim {
            return match result {
                Err(failure) if failure.message.contains(wanted.as_str()) => Ok(()),
                Err(failure) => Err(format!("fails with {:?}, not {wanted:?}", failure.message)),
                Ok(variable) => Err(format!("is {:?}, not an error", variable.value)),
            };
        }
        let variable = result.map_err(|failure| format!("can't be evaluated: {}", failure.message))?;
        match &self.claim {
            Claim::Value(wanted) => {
                if !matches(wanted, &variable.value) {
                    return Err(format!("is\n      {}\n    not\n      {wanted}", variable.value));
                }
                // What Locals lists must say the same.
                let listed = locals.iter().find(|local| local.name == self.expression);
                if let Some(local) = listed
                    && !matches(wanted, &local.value)
                {
                    return Err(format!("is listed as\n      {}\n    not\n      {wanted}", local.value));
                }
            }
            Claim::Type(wanted) => {
                if !matches(wanted, &variable.kind) {
                    return Err(format!("has type {}, not {wanted}", variable.kind));
                }
            }
            Claim::Children(wanted) => {
                let names: Vec<String> =
                    session.children(variable.reference).into_iter().map(|child| child.name).collect();
                let right = names.len() == wanted.len()
                    && names.iter().zip(wanted).all(|(name, pattern)| matches(pattern, name));
                if !right {
                    return Err(format!("has children {names:?}, not {wanted:?}"));
                }
            }
            Claim::Error(_) => {}
        }
        Ok(())
    }
}

/// True when a text is the pattern, in which `…` stands for any text.
pub fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

fn read(fixture: &Fixture) -> BTreeMap<i64, Place> {
    let mut places: BTreeMap<i64, Place> = BTreeMap::new();
    let mut current = None;
    for (index, line) in fixture.text.lines().enumerate() {
        let number = index + 1;
        if let Some((_, name)) = line.split_once("// @stop ") {
            current = Some(number as i64);
            places.insert(number as i64, Place { name: name.trim().to_owned(), facts: Vec::new() });
        } else if let Some(text) = line.trim_start().strip_prefix("//@ ") {
            let Some(text) = applies(text, fixture) else { continue };
            let place = current.and_then(|line| places.get_mut(&line));
            let place = place.unwrap_or_else(|| panic!("{}:{number}: a fact before any stop", fixture.name));
            place.facts.push(parse(text, number, &fixture.name));
        }
    }
    assert!(!places.is_empty(), "{} has no stops", fixture.name);
    places
}

/// The fact without its `[...]`, or none when that rules it out for this build.
fn applies<'a>(text: &'a str, fixture: &Fixture) -> Option<&'a str> {
    let Some(rest) = text.strip_prefix('[') else { return Some(text) };
    let (conditions, fact) = rest.split_once("] ").unwrap_or_else(|| panic!("{}: {text}", fixture.name));
    let minor = |text: &str| -> u32 {
        text.strip_prefix("1.").and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{text}"))
    };
    let holds = |condition: &str| match condition {
        "opt" => fixture.mode.optimised(),
        "debug" => !fixture.mode.optimised(),
        "pie" => fixture.mode == Mode::Pie,
        other => match other.strip_prefix(">=") {
            Some(version) => fixture.version.0 >= minor(version),
            None => fixture.version.0 < minor(other.strip_prefix('<').unwrap_or_else(|| panic!("{other}"))),
        },
    };
    conditions.split_whitespace().all(holds).then_some(fact)
}

fn parse(text: &str, line: usize, name: &str) -> Fact {
    let split = |separator: &str| {
        text.split_once(separator).map(|(left, right)| (left.trim().to_owned(), right.trim().to_owned()))
    };
    // The first separator decides: a value's text may contain the others.
    let found = [" == ", " : ", " > ", " ! "]
        .into_iter()
        .filter_map(|separator| text.find(separator).map(|at| (at, separator)))
        .min();
    let Some((_, separator)) = found else { panic!("{name}:{line}: no fact: {text}") };
    let (expression, right) = split(separator).unwrap_or_default();
    let claim = match separator {
        " == " => Claim::Value(right),
        " : " => Claim::Type(right),
        " > " => {
            Claim::Children(right.split(", ").filter(|part| !part.is_empty()).map(str::to_owned).collect())
        }
        _ => Claim::Error(right),
    };
    Fact { line, expression, claim }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("abc", "abc", true),
            ("abc", "abcd", false),
            ("a…c", "abbbc", true),
            ("a…c", "ab", false),
            ("…", "", true),
            ("x(0x…) {a: …, b: 2}", "x(0xc000) {a: 1, b: 2}", true),
            ("x(0x…) {a: …, b: 2}", "x(0xc000) {a: 1, b: 3}", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn claims() {
        let fact = parse("m == map[string]int [\"a : b\": 1, ]", 1, "x");
        assert_eq!(fact.claim, Claim::Value("map[string]int [\"a : b\": 1, ]".into()));
        assert_eq!(parse("x : error(*main.E)", 1, "x").claim, Claim::Type("error(*main.E)".into()));
        assert_eq!(parse("x > a, b", 1, "x").claim, Claim::Children(vec!["a".into(), "b".into()]));
        assert_eq!(parse("x.y ! no such", 1, "x").expression, "x.y");
    }
}
