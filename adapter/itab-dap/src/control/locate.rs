//! Function breakpoints: from what a user types (`main.f`, `T.M`, `(*T).M`, `pkg/path.F`, `f:12`, `file.go:12`) to addresses.
//!
//! A wrapper's name binds to the body it leads to, so `main.B.M` is never ambiguous with its own `(*B).M` wrapper. All
//! instantiations of a generic function bind together unless type arguments are written.

use image::{Function, Image};

/// What was found for a name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Located {
    pub(crate) addrs: Vec<u64>,
    pub(crate) file: String,
    pub(crate) line: u32,
}

/// Candidates named in an ambiguity, at most.
const MAX_NAMED: usize = 8;

/// Finds the places of a function breakpoint. The error is a sentence for the user.
pub(crate) fn locate(
    image: &Image,
    spec: &str,
    body_of: impl Fn(u64) -> Option<u64>,
) -> Result<Located, String> {
    let spec = spec.trim();
    if spec.is_empty() {
        return Err("the function's name is empty".into());
    }
    if spec.starts_with("./") || spec.starts_with("../") {
        return Err("breakpoint names that are relative paths are not supported".into());
    }
    let regular_expression = spec.len() > 1 && spec.starts_with('/') && spec.ends_with('/');
    if regular_expression
        || spec.starts_with(['+', '-', '.', '*'])
        || spec.bytes().all(|b| b.is_ascii_digit())
    {
        return Err(format!(
            "breakpoint name {spec:?} could not be parsed as a function: write pkg.Func, (*T).Method, pkg.Func:LINE or file.go:LINE"
        ));
    }
    if let Some((head, line)) = spec.rsplit_once(':') {
        let line = line
            .parse::<u32>()
            .map_err(|_| format!("breakpoint name {spec:?}: line offset negative or not a number"))?;
        return if head.ends_with(".go") {
            at_file_line(image, head, line)
        } else {
            at_function_line(image, head, line, body_of)
        };
    }
    // `/io/ioutil.ReadFile`: a path with its beginning left out, as Delve takes it.
    let functions = matching(image, spec.strip_prefix('/').unwrap_or(spec))?;
    let mut addrs: Vec<u64> =
        functions.iter().map(|f| body_of(f.entry()).unwrap_or_else(|| f.prologue_end())).collect();
    addrs.sort_unstable();
    addrs.dedup();
    let first = addrs.first().and_then(|a| image.functions().location(*a));
    let (file, line) = first.map(|l| (l.file.to_string(), l.line)).unwrap_or_default();
    Ok(Located { addrs, file, line })
}

fn at_file_line(image: &Image, file: &str, line: u32) -> Result<Located, String> {
    let files: Vec<_> = image.functions().files().iter().filter(|f| ends_with_path(f, file)).collect();
    match files.as_slice() {
        [] => Err(format!("no source file {file} in the program")),
        [f] => match image.functions().breakpoint_locations(f, line) {
            Some((line, addrs)) if !addrs.is_empty() => Ok(Located { addrs, file: f.to_string(), line }),
            _ => Err(format!("no code at {file}:{line}")),
        },
        several => {
            let names: Vec<_> = several.iter().take(MAX_NAMED).map(|f| f.to_string()).collect();
            Err(format!("{file} is ambiguous: {}", names.join(", ")))
        }
    }
}

fn at_function_line(
    image: &Image,
    name: &str,
    line: u32,
    body_of: impl Fn(u64) -> Option<u64>,
) -> Result<Located, String> {
    let base = locate(image, name, body_of)?;
    let target = base.line.saturating_add(line);
    match image.functions().breakpoint_locations(&base.file, target) {
        Some((line, addrs)) if !addrs.is_empty() => Ok(Located { addrs, file: base.file, line }),
        _ => Err(format!("no code {line} lines after the beginning of {name}")),
    }
}

/// True if `path` is `suffix`, or ends in `/suffix`.
fn ends_with_path(path: &str, suffix: &str) -> bool {
    path.strip_suffix(suffix)
        .is_some_and(|head| head.is_empty() || head.ends_with('/') || suffix.starts_with('/'))
}

fn matching<'a>(image: &'a Image, spec: &str) -> Result<Vec<Function<'a>>, String> {
    let wanted = Wanted::parse(spec);
    let mut found: Vec<(u8, Function<'a>)> =
        image.functions().iter().filter_map(|f| wanted.rank(f.name()).map(|r| (r, f))).collect();
    // An ABI wrapper has the same name as the real function; a method wrapper stands beside the method it wraps.
    let real = found.iter().any(|(_, f)| !f.is_wrapper());
    if real {
        found.retain(|(_, f)| !f.is_wrapper());
    }
    let best = found.iter().map(|f| f.0).min().ok_or_else(|| {
        format!("location {spec:?} not found: the program has no such function{}", hint(image, spec))
    })?;
    found.retain(|f| f.0 == best);
    let mut names: Vec<String> = found.iter().map(|(_, f)| without_type_arguments(f.name())).collect();
    names.sort();
    names.dedup();
    if names.len() > 1 {
        let more = names.len().saturating_sub(MAX_NAMED);
        let mut text = names.into_iter().take(MAX_NAMED).collect::<Vec<_>>().join(", ");
        if more > 0 {
            text.push_str(&format!(" and {more} more"));
        }
        return Err(format!("location {spec:?} ambiguous: {text}"));
    }
    Ok(found.into_iter().map(|f| f.1).collect())
}

/// A function of the same name but for the letter case: the usual slip.
fn hint(image: &Image, spec: &str) -> String {
    let lower = Wanted::parse(&spec.to_lowercase());
    let near = image.functions().iter().filter(|f| !f.is_wrapper()).find(|f| {
        let name = f.name();
        // Cheap first: most names end otherwise.
        name.len() >= spec.len() && lower.rank(&name.to_lowercase()).is_some()
    });
    near.map(|f| format!("; did you mean {}?", without_type_arguments(f.name()))).unwrap_or_default()
}

/// A parsed name: what the user wrote, in comparable pieces.
struct Wanted {
    /// With type arguments if they were written.
    text: String,
    has_arguments: bool,
}

impl Wanted {
    fn parse(spec: &str) -> Wanted {
        Wanted { text: spec.replace(' ', ""), has_arguments: spec.contains('[') }
    }

    /// How well a linker name fits: 0 the whole name, 1 with the package's name, 2 without package, 3 the method's name alone or
    /// behind its package (`main.String`).
    fn rank(&self, linker_name: &str) -> Option<u8> {
        let full = image::names::unescape(linker_name);
        let full = if self.has_arguments { full.replace(' ', "") } else { without_type_arguments(&full) };
        let (path, rest) = split_package(&full);
        let short = format!("{}.{rest}", path.rsplit('/').next().unwrap_or(path));
        let same = |name: &str| {
            name == self.text || without_star(name) == without_star(&self.text) && !self.names_pointer()
        };
        if same(&full) {
            return Some(0);
        }
        if same(&short) {
            return Some(1);
        }
        if same(rest) {
            return Some(2);
        }
        let last = rest.rsplit('.').next().unwrap_or(rest);
        let package = path.rsplit('/').next().unwrap_or(path);
        let alone = self.text.strip_prefix(package).and_then(|t| t.strip_prefix('.')).unwrap_or(&self.text);
        (last == alone && !is_closure_name(rest)).then_some(3)
    }

    /// `(*T).M` means the pointer receiver only; `T.M` means either.
    fn names_pointer(&self) -> bool {
        self.text.contains("(*")
    }
}

fn is_closure_name(rest: &str) -> bool {
    rest.split('.')
        .skip(1)
        .any(|p| p.starts_with("func") || p.starts_with("gowrap") || p.starts_with("deferwrap"))
}

/// `(*T).M` -> `T.M`.
fn without_star(name: &str) -> String {
    name.replace("(*", "").replace(')', "")
}

/// `pkg.F[go.shape.int]` -> `pkg.F`; nested brackets too.
pub(crate) fn without_type_arguments(name: &str) -> String {
    let mut depth = 0_u32;
    name.chars()
        .filter(|c| match c {
            '[' => {
                depth += 1;
                false
            }
            ']' => {
                depth = depth.saturating_sub(1);
                false
            }
            _ => depth == 0,
        })
        .collect()
}

/// `a.b/c.(*T).M` -> (`a.b/c`, `(*T).M`), dots of the path kept.
pub(crate) fn split_package(name: &str) -> (&str, &str) {
    let end = name.find('[').unwrap_or(name.len());
    let head = name.get(..end).unwrap_or(name);
    let slash = head.rfind('/').map_or(0, |i| i + 1);
    let dot = head.get(slash..).and_then(|s| s.find('.')).map(|i| slash + i);
    dot.and_then(|i| Some((name.get(..i)?, name.get(i + 1..)?))).unwrap_or(("", name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rank(spec: &str, name: &str) -> Option<u8> {
        Wanted::parse(spec).rank(name)
    }

    #[test]
    fn names_are_matched_from_the_whole_to_the_last_part() {
        assert_eq!(rank("example.com/a/b.(*T).M", "example.com/a/b.(*T).M"), Some(0));
        assert_eq!(rank("b.(*T).M", "example.com/a/b.(*T).M"), Some(1));
        assert_eq!(rank("(*T).M", "example.com/a/b.(*T).M"), Some(2));
        assert_eq!(rank("T.M", "example.com/a/b.(*T).M"), Some(2));
        assert_eq!(rank("M", "example.com/a/b.(*T).M"), Some(3));
        assert_eq!(rank("b.M", "example.com/a/b.(*T).M"), Some(3));
        assert_eq!(rank("a.M", "example.com/a/b.(*T).M"), None);
        assert_eq!(rank("(*T).M", "main.T.M"), None);
        assert_eq!(rank("main.f", "main.g"), None);
    }

    #[test]
    fn all_instantiations_match_unless_arguments_are_written() {
        let shaped = "main.(*Repo[go.shape.int]).Save";
        assert_eq!(rank("main.(*Repo).Save", shaped), Some(0));
        assert_eq!(rank("main.(*Repo[go.shape.int]).Save", shaped), Some(0));
        assert_eq!(rank("main.(*Repo[go.shape.string]).Save", shaped), None);
    }

    #[test]
    fn packages_are_split_at_the_dot_after_the_last_slash_outside_brackets() {
        assert_eq!(split_package("a.b/c.(*T).M"), ("a.b/c", "(*T).M"));
        assert_eq!(split_package("main.F[a/b.T]"), ("main", "F[a/b.T]"));
    }
}
