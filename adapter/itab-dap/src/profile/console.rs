//! `profile ...` in the debug console.

use std::path::PathBuf;

use super::{ROWS, Request, Sort, run};
use crate::{console::Answer, session::Session};

const USAGE: &str = "write profile FILE [cum] [-o OUT] [-n ROWS] [--binary PROGRAM]";

impl Session {
    pub(crate) fn profile_command(&mut self, rest: &str) -> Answer {
        match self.profile_request(rest).and_then(|r| run(&r, &self.sources)) {
            Ok(text) => Answer::Text(text),
            Err(why) => Answer::Error(why),
        }
    }

    /// Paths are as the adapter's process sees them; one with blanks is written in quotes.
    fn profile_request(&self, rest: &str) -> Result<Request, String> {
        let mut request =
            Request { profile: PathBuf::new(), binary: None, output: None, sort: Sort::Flat, rows: ROWS };
        let mut words = words(rest)?.into_iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value; {USAGE}"));
            match word.as_str() {
                "-o" => request.output = Some(value()?.into()),
                "-binary" | "--binary" => request.binary = Some(value()?.into()),
                "-n" => {
                    let n = value()?;
                    request.rows =
                        n.parse().map_err(|_| format!("{n:?} is not a number of rows; {USAGE}"))?;
                }
                "cum" => request.sort = Sort::Cum,
                "flat" => request.sort = Sort::Flat,
                w if w.starts_with('-') || !request.profile.as_os_str().is_empty() => {
                    return Err(USAGE.into());
                }
                w => request.profile = w.into(),
            }
        }
        if request.profile.as_os_str().is_empty() {
            return Err(USAGE.into());
        }
        // The program that is, or was, debugged here is more likely to be there than the path in the profile.
        let debugged = (!self.traced_program.is_empty()).then(|| PathBuf::from(&self.traced_program));
        request.binary = request.binary.or(debugged);
        Ok(request)
    }
}

fn words(text: &str) -> Result<Vec<String>, String> {
    let (mut out, mut rest) = (Vec::new(), text.trim_start());
    while let Some(first) = rest.chars().next() {
        let (word, after) = match first {
            '"' => rest.get(1..).and_then(|r| r.split_once('"')).ok_or("a quote is not closed")?,
            _ => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        out.push(word.to_string());
        rest = after.trim_start();
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn words_may_be_quoted() {
        assert_eq!(words(r#" a  "b c" d "#).unwrap(), ["a", "b c", "d"]);
        assert!(words("a \"b").is_err());
        assert!(words("").unwrap().is_empty());
    }
}
