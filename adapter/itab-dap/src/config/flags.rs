//! Build flags: splitting what a user wrote on one line, and merging it with the flags that make a binary debuggable.
//!
//! Follows GOROOT/src/cmd/go/internal/load/flag.go: each `-gcflags` is `[pattern=]flags`, and for one package the *last* one
//! whose pattern matches is the only one that counts. Must never drop a user's flag silently.

/// Build flags that can't be used; the text is shown to the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlagError {
    #[error("unclosed {0} in build flags")]
    Unclosed(char),
    #[error("-o in build flags: use the \"output\" attribute instead")]
    Output,
    #[error("{0} in build flags needs a value")]
    NoValue(String),
}

/// Splits a command line into arguments: blanks separate, single and double quotes group, also in the middle of an argument; a
/// backslash escapes a quote and is itself everywhere else.
pub fn split_flags(line: &str) -> Result<Vec<String>, FlagError> {
    let mut all = Vec::new();
    let mut current: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', _) if chars.peek().is_some_and(|n| matches!(n, '\'' | '"')) => {
                current.get_or_insert_default().extend(chars.next());
            }
            (c, Some(q)) if c == q => quote = None,
            ('\'' | '"', None) => {
                quote = Some(c);
                current.get_or_insert_default();
            }
            (c, None) if c.is_whitespace() => all.extend(current.take()),
            (c, _) => current.get_or_insert_default().push(c),
        }
    }
    match quote {
        Some(q) => Err(FlagError::Unclosed(q)),
        None => {
            all.extend(current);
            Ok(all)
        }
    }
}

/// The flags for `go build`: `-C` first (the go command insists), then `-gcflags 'all=-N -l'`, then the user's own, in which
/// every `-gcflags` gets `-N -l` as well.
///
/// `-l` counts: given twice it means *more* inlining, so that the user's own `-N` and `-l` are taken out before ours go in. With
/// no user flags the result is exactly Delve's, so that both share the build cache.
pub fn merge_build_flags(user: &[String]) -> Result<Vec<String>, FlagError> {
    let mut directory = Vec::new();
    let mut rest = Vec::new();
    let mut flags = user.iter();
    while let Some(flag) = flags.next() {
        let (name, inline) = name_and_value(flag);
        let mut value = || match inline {
            Some(value) => Ok(value.to_owned()),
            None => flags.next().cloned().ok_or_else(|| FlagError::NoValue(flag.clone())),
        };
        match name {
            Some("C") => directory = vec!["-C".to_owned(), value()?],
            Some("o") => return Err(FlagError::Output),
            Some("gcflags") => rest.extend(["-gcflags".to_owned(), unoptimised(&value()?)?]),
            _ => rest.push(flag.clone()),
        }
    }
    directory.extend(["-gcflags".to_owned(), "all=-N -l".to_owned()]);
    directory.extend(rest);
    Ok(directory)
}

/// The value of one flag of the user's (`-C dir`, `-C=dir`), the last one given.
pub(crate) fn flag_value<'a>(user: &'a [String], wanted: &str) -> Option<&'a str> {
    let mut found = None;
    for (i, flag) in user.iter().enumerate() {
        let (name, inline) = name_and_value(flag);
        if name == Some(wanted) {
            found = inline.or_else(|| user.get(i + 1).map(String::as_str));
        }
    }
    found
}

/// `-name`, `--name`, `-name=value`.
fn name_and_value(flag: &str) -> (Option<&str>, Option<&str>) {
    let Some(body) = flag.strip_prefix("--").or_else(|| flag.strip_prefix('-')) else {
        return (None, None);
    };
    match body.split_once('=') {
        Some((name, value)) => (Some(name), Some(value)),
        None => (Some(body), None),
    }
}

/// One value of `-gcflags` with `-N -l` in it and its pattern kept. A value that the go command refuses stays as it is.
fn unoptimised(value: &str) -> Result<String, FlagError> {
    let value = value.trim();
    let (pattern, flags) = match value.split_once('=') {
        _ if value.starts_with('-') || value.is_empty() => ("", value),
        Some((pattern, flags)) => (pattern, flags),
        None => return Ok(value.to_owned()),
    };
    let kept: Vec<String> =
        compiler_flags(flags)?.into_iter().filter(|f| !switches_optimisation(f)).collect();
    let mut all = vec!["-N".to_owned(), "-l".to_owned()];
    all.extend(kept.iter().map(|f| quoted(f)));
    let all = all.join(" ");
    Ok(if pattern.is_empty() { all } else { format!("{pattern}={all}") })
}

fn switches_optimisation(flag: &str) -> bool {
    matches!(name_and_value(flag).0, Some("N" | "l"))
}

/// GOROOT/src/cmd/internal/quoted: blanks separate, and a field may be quoted as a whole; no escapes.
fn compiler_flags(text: &str) -> Result<Vec<String>, FlagError> {
    let mut all = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (field, after) = match first {
            '\'' | '"' => {
                let body = rest.get(1..).unwrap_or_default();
                body.split_once(first).ok_or(FlagError::Unclosed(first))?
            }
            _ => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        all.push(field.to_owned());
        rest = after.trim_start();
    }
    Ok(all)
}

fn quoted(flag: &str) -> String {
    let plain = !flag.is_empty() && !flag.contains(|c: char| c.is_whitespace() || matches!(c, '\'' | '"'));
    match plain {
        true => flag.to_owned(),
        false if flag.contains('\'') => format!("\"{flag}\""),
        false => format!("'{flag}'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(all: &[&str]) -> Vec<String> {
        all.iter().map(|s| (*s).to_owned()).collect()
    }

    #[test]
    fn a_line_is_split_as_a_shell_would() {
        let split = |line| split_flags(line).unwrap();
        assert_eq!(split(""), strings(&[]));
        assert_eq!(split("  -race\t-tags=a,b "), strings(&["-race", "-tags=a,b"]));
        assert_eq!(split("-ldflags='-X main.v=1 -s'"), strings(&["-ldflags=-X main.v=1 -s"]));
        assert_eq!(split(r#"-ldflags "-X 'main.v=a b'""#), strings(&["-ldflags", "-X 'main.v=a b'"]));
        assert_eq!(split(r"-tags='' x"), strings(&["-tags=", "x"]));
        assert_eq!(split(r"it\'s C:\dir"), strings(&["it's", r"C:\dir"]));
        assert_eq!(split_flags("-tags 'a"), Err(FlagError::Unclosed('\'')));
    }

    #[test]
    fn without_user_flags_the_build_is_delves() {
        assert_eq!(merge_build_flags(&[]).unwrap(), strings(&["-gcflags", "all=-N -l"]));
    }

    #[test]
    fn user_gcflags_are_added_and_optimisation_stays_off() {
        let merge = |all: &[&str]| merge_build_flags(&strings(all)).unwrap();
        let base = ["-gcflags", "all=-N -l"];
        let with = |more: &[&str]| strings(&[&base[..], more].concat());
        assert_eq!(merge(&["-gcflags=-m"]), with(&["-gcflags", "-N -l -m"]));
        assert_eq!(
            merge(&["-gcflags", "all=-m -d=checkptr"]),
            with(&["-gcflags", "all=-N -l -m -d=checkptr"])
        );
        assert_eq!(merge(&["--gcflags=std=-S"]), with(&["-gcflags", "std=-N -l -S"]));
        assert_eq!(merge(&["-gcflags="]), with(&["-gcflags", "-N -l"]));
        // -l twice would switch inlining on again.
        assert_eq!(merge(&["-gcflags=all=-N -l"]), with(&["-gcflags", "all=-N -l"]));
        assert_eq!(merge(&["-gcflags=-l=4 -N=false"]), with(&["-gcflags", "-N -l"]));
        assert_eq!(
            merge(&["-gcflags=all=-asmhdr 'a b.h'"]),
            with(&["-gcflags", "all=-N -l -asmhdr 'a b.h'"])
        );
    }

    #[test]
    fn directory_comes_first_and_output_is_refused() {
        let merged = merge_build_flags(&strings(&["-race", "-C", "sub", "-tags=x"])).unwrap();
        assert_eq!(merged, strings(&["-C", "sub", "-gcflags", "all=-N -l", "-race", "-tags=x"]));
        assert_eq!(merge_build_flags(&strings(&["-o", "x"])), Err(FlagError::Output));
        assert_eq!(merge_build_flags(&strings(&["-o=x"])), Err(FlagError::Output));
        assert_eq!(merge_build_flags(&strings(&["-gcflags"])), Err(FlagError::NoValue("-gcflags".into())));
        assert_eq!(flag_value(&strings(&["-C=sub"]), "C"), Some("sub"));
    }
}
