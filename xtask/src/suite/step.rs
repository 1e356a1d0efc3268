//! Steps of the test command: run, timed, remembered, and printed at the end.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::bail;

/// Exit code of a script that misses something.
const MISSING: i32 = 77;

pub(super) enum Outcome {
    Passed(String),
    Skipped(String),
    Failed(String),
}

impl Outcome {
    /// What is not there is a skip on a developer's machine and a failure where everything has to be there.
    pub(super) fn absent(what: &str) -> Self {
        match std::env::var_os("CI") {
            Some(_) => Self::Failed(format!("{what} is missing, and CI is set")),
            None => Self::Skipped(format!("{what} is missing")),
        }
    }

    fn of(result: anyhow::Result<String>) -> Self {
        result.map_or_else(|error| Self::Failed(format!("{error:#}")), Self::Passed)
    }
}

/// What `cargo test` said.
#[derive(Default)]
struct Totals {
    passed: u64,
    failed: u64,
    ignored: u64,
    skips: Vec<String>,
    failures: Vec<String>,
}

#[derive(Default)]
pub(super) struct Report {
    steps: Vec<(String, Outcome, Duration)>,
    tests: Option<Totals>,
}

impl Report {
    pub(super) fn add(&mut self, name: &str, outcome: Outcome) {
        self.steps.push((name.to_owned(), outcome, Duration::ZERO));
    }

    /// Runs a command with its output shown; says whether it succeeded.
    pub(super) fn command(&mut self, name: &str, command: &mut Command) -> bool {
        self.check(name, || {
            let status = command.stdin(Stdio::null()).status()?;
            if !status.success() {
                bail!("{} {status}", command.get_program().display());
            }
            Ok(())
        })
    }

    /// A script that says with exit code 77 and its last line what it misses.
    pub(super) fn script(&mut self, name: &str, command: &mut Command) {
        println!("-- {name}");
        let started = Instant::now();
        let mut last = String::new();
        let outcome = match Self::shown(command, &mut last) {
            Ok(status) if status.success() => Outcome::Passed(String::new()),
            Ok(status) if status.code() == Some(MISSING) => Outcome::absent(&last),
            Ok(status) => Outcome::Failed(format!("{status}: {last}")),
            Err(error) => Outcome::Failed(error.to_string()),
        };
        self.steps.push((name.to_owned(), outcome, started.elapsed()));
    }

    /// Runs a command, shows its lines and keeps the last one.
    fn shown(command: &mut Command, last: &mut String) -> std::io::Result<ExitStatus> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        for line in child.stdout.take().map(BufReader::new).into_iter().flat_map(|out| out.lines()) {
            *last = line?;
            println!("{last}");
        }
        child.wait()
    }

    pub(super) fn check(&mut self, name: &str, work: impl FnOnce() -> anyhow::Result<()>) -> bool {
        println!("-- {name}");
        let started = Instant::now();
        let outcome = Outcome::of(work().map(|()| String::new()));
        let passed = matches!(outcome, Outcome::Passed(_));
        self.steps.push((name.to_owned(), outcome, started.elapsed()));
        passed
    }

    /// Runs `cargo test`, shows its lines without the output of tests that pass, and counts.
    pub(super) fn rust_tests(&mut self, name: &str, command: &mut Command) {
        println!("-- {name}");
        let started = Instant::now();
        let mut totals = Totals::default();
        let outcome = Outcome::of(totals.run(command).map(|()| {
            let Totals { passed, ignored, skips, .. } = &totals;
            format!("{passed} passed, {ignored} ignored, {} skipped", skips.len())
        }));
        self.steps.push((name.to_owned(), outcome, started.elapsed()));
        self.tests = Some(totals);
    }

    /// Prints the results; an error when a step failed.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        println!("\n== Results");
        if let Some(tests) = &self.tests {
            tests.skips.iter().for_each(|skip| println!("{skip}"));
            tests.failures.iter().for_each(|failure| println!("{failure}"));
        }
        let mut failed = 0;
        for (name, outcome, time) in &self.steps {
            let seconds = time.as_secs_f64();
            match outcome {
                Outcome::Passed(detail) => println!("ok      {name} ({seconds:.1} s) {detail}"),
                Outcome::Skipped(why) => println!("skipped {name}: {why}"),
                Outcome::Failed(why) => {
                    failed += 1;
                    println!("FAILED  {name} ({seconds:.1} s): {why}");
                }
            }
        }
        if let Some(Totals { passed, failed, ignored, skips, .. }) = &self.tests {
            let word = if *failed == 0 { "ok" } else { "FAILED" };
            let skips = skips.len();
            println!(
                "test result: {word}. {passed} passed; {failed} failed; {ignored} ignored; {skips} skips printed"
            );
        }
        if failed > 0 {
            bail!("{failed} of {} steps failed", self.steps.len());
        }
        Ok(())
    }
}

impl Totals {
    fn run(&mut self, command: &mut Command) -> anyhow::Result<()> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        if let Some(stdout) = child.stdout.take() {
            let mut quiet = false;
            for line in BufReader::new(stdout).split(b'\n') {
                let line = String::from_utf8_lossy(&line?).trim_end().to_owned();
                if self.line(&line, &mut quiet) {
                    println!("{line}");
                }
            }
        }
        let status = child.wait()?;
        if !status.success() {
            bail!("{} passed, {} failed ({status})", self.passed, self.failed);
        }
        Ok(())
    }

    /// Counts; says whether to show the line: what a test that passed has printed is not shown.
    fn line(&mut self, line: &str, quiet: &mut bool) -> bool {
        let result = line.starts_with("test result:");
        match line {
            "successes:" => *quiet = true,
            "failures:" => *quiet = false,
            _ if result || line.starts_with("running ") => *quiet = false,
            _ => {}
        }
        if line.trim_start().to_lowercase().starts_with("skip") {
            self.skips.push(line.trim().to_owned());
        } else if !*quiet && line.starts_with("test ") && line.ends_with("... FAILED") {
            self.failures.push(line.to_owned());
        }
        if result {
            let mut words = line.split([' ', ';', '.']).filter(|w| !w.is_empty()).peekable();
            while let Some(word) = words.next() {
                let (Ok(count), Some(what)) = (word.parse::<u64>(), words.peek()) else { continue };
                match *what {
                    "passed" => self.passed += count,
                    "failed" => self.failed += count,
                    "ignored" => self.ignored += count,
                    _ => {}
                }
            }
        }
        !*quiet && !line.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_counted_and_the_output_of_passing_tests_is_hidden() {
        let mut totals = Totals::default();
        let mut quiet = false;
        let lines = "running 2 tests\ntest a ... ok\ntest b ... FAILED\n\nsuccesses:\n\n---- a stdout ----\nSKIPPED: no go\nnoise\ntest c ... FAILED\n\n\
             failures:\n\n---- b stdout ----\nboom\n\ntest result: FAILED. 1 passed; 1 failed; 3 ignored; 0 measured; 0 filtered out";
        let mut shown = Vec::new();
        for line in lines.lines() {
            if totals.line(line, &mut quiet) {
                shown.push(line);
            }
        }
        assert_eq!((totals.passed, totals.failed, totals.ignored), (1, 1, 3));
        assert_eq!(totals.skips, ["SKIPPED: no go"]);
        assert_eq!(totals.failures, ["test b ... FAILED"]);
        assert!(shown.contains(&"boom") && !shown.contains(&"noise"));
    }
}
