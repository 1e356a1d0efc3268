//! What a trace takes: words of the console or the members of `itab/trace`, and the functions and names they select.
//!
//! What can't be decided before the program runs (the concrete type, an interface that data flow does not know) is asked at each hit.

use image::Image;
use wire::itab::TraceFilter;

use crate::{requests::breakpoints::parse_address, settings::glob_matches};

/// A filter and the options beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) site: Option<Place>,
    pub(crate) interface: Option<String>,
    pub(crate) method: Option<String>,
    pub(crate) concrete: Option<String>,
    pub(crate) package: Option<String>,
    pub(crate) arguments: bool,
    pub(crate) results: bool,
    pub(crate) limit: Option<u64>,
}

/// A place in the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Line { file: String, line: u32, column: Option<u32> },
    Address(u64),
}

impl Place {
    fn parse(text: &str) -> Result<Place, String> {
        if text.starts_with("0x")
            && let Some(addr) = parse_address(text)
        {
            return Ok(Place::Address(addr));
        }
        let wrong =
            || format!("{text:?} is not a site; write file.go:LINE, file.go:LINE:COLUMN or 0xADDRESS");
        let (head, last) = text.rsplit_once(':').ok_or_else(wrong)?;
        let last: u32 = last.parse().map_err(|_| wrong())?;
        match head.rsplit_once(':').and_then(|(file, line)| Some((file, line.parse::<u32>().ok()?))) {
            Some((file, line)) => Ok(Place::Line { file: file.into(), line, column: Some(last) }),
            None => Ok(Place::Line { file: head.into(), line: last, column: None }),
        }
    }
}

impl Request {
    pub(crate) fn of_wire(
        filter: Option<TraceFilter>,
        arguments: Option<bool>,
        results: Option<bool>,
        limit: Option<u64>,
    ) -> Result<Request, String> {
        let f = filter.unwrap_or_default();
        let some = |s: Option<String>| s.filter(|s| !s.trim().is_empty());
        Ok(Request {
            site: some(f.site).map(|s| Place::parse(s.trim())).transpose()?,
            interface: some(f.interface),
            method: some(f.method),
            concrete: some(f.concrete),
            package: some(f.package),
            arguments: arguments == Some(true),
            results: results == Some(true),
            limit,
        })
    }

    /// Words of the console: `name=value`, `args`, `results`, and values that say by their shape what they are (`main.go:12`,
    /// `io.Writer`, `io.Writer.Write`, `*os.File`, `net/http`).
    pub(crate) fn of_words(text: &str) -> Result<Request, String> {
        let mut r = Request::default();
        for word in text.split_whitespace() {
            match word.split_once('=') {
                Some(("site", v)) => r.site = Some(Place::parse(v)?),
                Some(("interface", v)) => r.interface = Some(v.into()),
                Some(("method", v)) => r.method = Some(v.into()),
                Some(("concrete", v)) => r.concrete = Some(v.into()),
                Some(("package", v)) => r.package = Some(v.into()),
                Some(("limit", v)) => {
                    r.limit = Some(v.parse().map_err(|_| format!("limit={v} is not a number"))?);
                }
                Some((name, _)) => {
                    return Err(format!(
                        "a trace has no filter {name:?}; write site=, interface=, method=, concrete=, package= or limit="
                    ));
                }
                None => r.take_word(word)?,
            }
        }
        Ok(r)
    }

    fn take_word(&mut self, word: &str) -> Result<(), String> {
        let name = word.rsplit('/').next().unwrap_or(word);
        match name.split('.').collect::<Vec<_>>().as_slice() {
            _ if word == "args" || word == "arguments" => self.arguments = true,
            _ if word == "results" => self.results = true,
            _ if word.starts_with("0x") || word.contains(".go:") => self.site = Some(Place::parse(word)?),
            _ if word.starts_with('*') && word.len() > 1 => self.concrete = Some(word.into()),
            [_] => self.package = Some(word.into()),
            [package, ty, method] if !package.is_empty() && !method.is_empty() => {
                let prefix = word.strip_suffix(name).unwrap_or_default();
                self.interface = Some(format!("{prefix}{package}.{ty}"));
                self.method = Some((*method).into());
            }
            [_, _] => self.interface = Some(word.into()),
            _ => return Err(format!("{word:?} is not a filter; try package=, interface=, site=")),
        }
        Ok(())
    }

    /// Nothing says where: only the author's own code.
    pub(crate) fn is_default_scope(&self) -> bool {
        self.package.is_none() && self.site.is_none()
    }

    /// Whether code of a package is taken.
    pub(crate) fn takes_package(&self, image: &Image, package: &str) -> bool {
        match &self.package {
            Some(glob) if glob == "std" => is_standard(image, package),
            Some(glob) => glob_matches(glob, package) || glob_matches(glob, last(package)),
            None if self.site.is_some() => true,
            None => is_of_main_module(image, package),
        }
    }

    /// The same, the runtime left out unless it is named: it runs where nothing else can.
    pub(crate) fn takes_code(&self, image: &Image, package: &str) -> bool {
        let runtime = package == "runtime"
            || package.starts_with("runtime/internal/")
            || package.starts_with("internal/runtime/");
        let named = self.site.is_some() || self.package.as_deref().is_some_and(|p| p.contains("runtime"));
        (named || !runtime) && self.takes_package(image, package)
    }

    /// Whether a site's file and line, and column where it is known, are the wanted ones.
    pub(crate) fn takes_place(&self, pc: u64, file: &str, line: u32, column: Option<u32>) -> bool {
        match &self.site {
            None => true,
            Some(Place::Address(a)) => *a == pc,
            Some(Place::Line { file: wanted, line: l, column: c }) => {
                let same_file = file
                    .strip_suffix(wanted.as_str())
                    .is_some_and(|head| head.is_empty() || head.ends_with('/') || wanted.starts_with('/'));
                same_file && *l == line && (c.is_none() || column.is_none() || *c == column)
            }
        }
    }

    /// A name by glob; both spellings are tried.
    pub(crate) fn takes_interface(&self, short: &str, qualified: &str) -> bool {
        fits(self.interface.as_deref(), short, qualified)
    }

    pub(crate) fn takes_concrete(&self, short: &str, qualified: &str) -> bool {
        fits(self.concrete.as_deref(), short, qualified)
    }

    pub(crate) fn takes_method(&self, name: &str) -> bool {
        self.method.as_deref().is_none_or(|g| glob_matches(g, name))
    }
}

fn fits(glob: Option<&str>, short: &str, qualified: &str) -> bool {
    glob.is_none_or(|g| {
        // A leading star is a pointer's, not a wildcard.
        let same = |name: &str| match g.strip_prefix('*').filter(|r| !r.is_empty()) {
            Some(rest) => name.strip_prefix('*').is_some_and(|n| glob_matches(rest, n)),
            None => glob_matches(g, name),
        };
        same(short) || same(qualified)
    })
}

fn last(package: &str) -> &str {
    package.rsplit('/').next().unwrap_or(package)
}

/// Packages of the standard library have no dot in the first element of their path.
pub(crate) fn is_standard(image: &Image, package: &str) -> bool {
    let first = package.split('/').next().unwrap_or(package);
    !first.contains('.') && !is_of_main_module(image, package)
}

/// Packages of the program's own module; without build information: package main, and what no other module can be.
pub(crate) fn is_of_main_module(image: &Image, package: &str) -> bool {
    let info = image.build_info();
    let module = match info.main_module.as_str() {
        "" => info.main_path.as_str(),
        m => m,
    };
    package == "main"
        || package == "main_test"
        || (!module.is_empty()
            && module != "command-line-arguments"
            && package.strip_prefix(module).is_some_and(|r| r.is_empty() || r.starts_with(['/', '_'])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_say_by_their_shape_what_they_are() {
        let r = Request::of_words("io.Writer.Write *os.File args limit=5").unwrap();
        assert_eq!(r.interface.as_deref(), Some("io.Writer"));
        assert_eq!(r.method.as_deref(), Some("Write"));
        assert_eq!(r.concrete.as_deref(), Some("*os.File"));
        assert!(r.arguments && !r.results && r.limit == Some(5));
        let r = Request::of_words("net/http").unwrap();
        assert_eq!((r.package.as_deref(), r.is_default_scope()), (Some("net/http"), false));
        let r = Request::of_words("example.com/x/shop.Store.Get results").unwrap();
        assert_eq!(r.interface.as_deref(), Some("example.com/x/shop.Store"));
        let r = Request::of_words("sub/main.go:12:3").unwrap();
        assert!(r.takes_place(0, "/home/sub/main.go", 12, Some(3)));
        assert!(!r.takes_place(0, "/home/sub/main.go", 12, Some(4)));
        assert!(!r.takes_place(0, "/home/nosub/main.go", 12, Some(3)));
        assert!(Request::of_words("colour=red").is_err());
        assert!(Request::of_words("main.go:x").is_err());
    }

    #[test]
    fn a_leading_star_is_a_pointer() {
        let r = Request::of_words("concrete=*os.File").unwrap();
        assert!(r.takes_concrete("*os.File", "*os.File") && !r.takes_concrete("xos.File", "xos.File"));
    }
}
