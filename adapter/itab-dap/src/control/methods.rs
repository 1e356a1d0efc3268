//! Breakpoints on an interface's method: from `io.Writer.Write(*os.File)` to the bodies that the method has.
//!
//! Only bodies are named, never their wrappers, so that one call stops once. Pure: reads the program, arms nothing.

use std::collections::{BTreeMap, HashSet};

use dispatch::{Engine, Implementation, Implementations, NamedInterface};
use golang::Process;
use image::{Image, Itab};

use super::{breakpoints::Watch, guards::Guard};

/// Names that a message lists at most.
const MAX_NAMED: usize = 4;

/// Where a breakpoint may go: an address, whose code it is, and who must have called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) addr: u64,
    pub(crate) body: String,
    pub(crate) guards: Vec<Guard>,
}

/// What a method's name was found to mean.
pub(crate) struct Found {
    pub(crate) targets: Vec<Target>,
    pub(crate) watch: Watch,
    /// What the user should know beside the bodies.
    pub(crate) remark: Option<String>,
}

/// `io.Writer.Write` or `io.Writer.Write(*os.File)`, cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spec<'a> {
    pub(crate) interface: &'a str,
    pub(crate) method: &'a str,
    pub(crate) concrete: Option<&'a str>,
}

impl<'a> Spec<'a> {
    /// None: no method of a type.
    pub(crate) fn parse(text: &'a str) -> Option<Spec<'a>> {
        let text = text.trim();
        let (head, concrete) = match text.strip_suffix(')') {
            Some(inner) => {
                let open = opening(inner)?;
                (text.get(..open)?.trim_end(), Some(text.get(open + 1..text.len() - 1)?.trim()))
            }
            None => (text, None),
        };
        let dot = last_dot(head)?;
        let (interface, method) = (head.get(..dot)?, head.get(dot + 1..)?);
        let is_name = !method.is_empty() && method.chars().all(|c| c.is_alphanumeric() || c == '_');
        let is_type =
            !interface.is_empty() && !interface.contains(['(', '*', ' ', ':']) || interface.contains('[');
        if !is_name || !is_type || concrete == Some("") {
            return None;
        }
        Some(Spec { interface, method, concrete })
    }
}

/// Byte offset of the `(` that the end of `inner` closes.
fn opening(inner: &str) -> Option<usize> {
    let mut depth = 1;
    for (i, c) in inner.char_indices().rev() {
        match c {
            ')' => depth += 1,
            '(' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(i);
        }
    }
    None
}

/// The last dot outside of brackets.
fn last_dot(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (i, c) in text.char_indices().rev() {
        match c {
            ']' | ')' => depth += 1,
            '[' | '(' => depth -= 1,
            '.' if depth == 0 => return Some(i),
            _ => {}
        }
    }
    None
}

/// The interfaces that a name stands for and that have the method: one, or the instances of a generic one.
pub(crate) fn interfaces(
    engine: &Engine,
    process: &Process<'_>,
    name: &str,
    method: &str,
) -> Result<Vec<NamedInterface>, String> {
    let (image, mem) = (process.image, process.mem);
    let all = engine.interfaces_named(image, mem, name);
    let Some(first) = all.first() else {
        return Err(format!("there is no interface {name} in the program (or nothing is called through it)"));
    };
    let base = |n: &str| n.split('[').next().unwrap_or(n).to_string();
    if all.iter().any(|i| base(&i.name) != base(&first.name)) {
        let names: Vec<&str> = all.iter().take(MAX_NAMED).map(|i| i.name.as_str()).collect();
        return Err(format!("{name} is ambiguous: {}", names.join(", ")));
    }
    let methods = engine.interface_methods(image, mem, first.rtype);
    if !methods.iter().any(|m| m == method) {
        let hint = methods.iter().find(|m| m.eq_ignore_ascii_case(method));
        let hint = hint.map(|m| format!("; did you mean {m}?")).unwrap_or_default();
        return Err(format!("{name} has no method {method}{hint}"));
    }
    Ok(all)
}

/// The bodies of a method in all types that implement the interfaces.
pub(crate) fn find(
    engine: &Engine,
    process: &Process<'_>,
    interfaces: &[NamedInterface],
    method: &str,
    concrete: Option<&str>,
) -> Result<Found, String> {
    let mut all = Implementations::default();
    let mut known = HashSet::new();
    for i in interfaces {
        let more = engine.implementations(process.image, process.mem, i.rtype, method)?;
        known.extend(more.found.iter().map(|f| f.rtype));
        all.found.extend(more.found);
        all.unresolved.extend(more.unresolved);
        all.maybe = all.maybe.max(more.maybe);
    }
    let title = match interfaces {
        [one] => format!("{}.{method}", image::names::short(&one.name)),
        several => {
            let name = several.first().map(|i| image::names::short(&i.name)).unwrap_or_default();
            format!("{}.{method}", name.split('[').next().unwrap_or(&name))
        }
    };
    let concrete = match concrete {
        Some(text) => Some(chosen(&all, &title, text)?),
        None => None,
    };
    let watch = Watch {
        title,
        interfaces: interfaces.iter().map(|i| i.rtype).collect(),
        method: method.to_string(),
        concrete,
        known,
    };
    let targets = targets(process.image, &all.found, watch.concrete.as_deref());
    Ok(Found { targets, remark: remark(&all, watch.concrete.as_deref()), watch })
}

/// Bodies for a type whose itab the program has just made; None: nothing new to this breakpoint.
pub(crate) fn find_more(
    engine: &Engine,
    process: &Process<'_>,
    watch: &mut Watch,
    itab: &Itab,
) -> Option<Vec<Target>> {
    if itab.negative || !watch.interfaces.contains(&itab.inter) || !watch.known.insert(itab.typ) {
        return None;
    }
    let more = engine.implementation(process.image, process.mem, itab, itab.inter, &watch.method);
    let found = targets(process.image, &more.found, watch.concrete.as_deref());
    (!found.is_empty()).then_some(found)
}

/// The full name of the type that the user wrote.
fn chosen(all: &Implementations, title: &str, text: &str) -> Result<String, String> {
    let plain = |s: &str| s.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    let wanted = plain(text);
    let names: Vec<&String> =
        all.found.iter().map(|i| &i.concrete_type).chain(all.unresolved.iter().map(|u| &u.0)).collect();
    if names.iter().any(|n| plain(n) == wanted) {
        return names.into_iter().find(|n| plain(n) == wanted).cloned().ok_or_else(|| "no such type".into());
    }
    let mut fits: Vec<&String> =
        names.iter().copied().filter(|n| plain(&image::names::short(n)) == wanted).collect();
    fits.sort_unstable();
    fits.dedup();
    match fits.as_slice() {
        [one] => Ok((*one).clone()),
        [] => {
            let other = format!("*{wanted}");
            let near = names.iter().find(|n| {
                let short = plain(&image::names::short(n));
                short == other || format!("*{short}") == wanted
            });
            let hint =
                near.map(|n| format!("; did you mean {}?", image::names::short(n))).unwrap_or_default();
            Err(format!("no type {text} implements the interface of {title} in this program{hint}"))
        }
        several => {
            let names: Vec<&str> = several.iter().take(MAX_NAMED).map(|s| s.as_str()).collect();
            Err(format!("{text} is ambiguous: {}", names.join(", ")))
        }
    }
}

/// Addresses of the bodies, each once, with who must have called.
fn targets(image: &Image, found: &[Implementation], concrete: Option<&str>) -> Vec<Target> {
    // A body that takes every call needs no second look for those that come through an embedded interface.
    let own: HashSet<u64> = found.iter().filter(|i| !i.embedded).map(|i| i.body.stop_pc).collect();
    let wanted: Vec<&Implementation> = match concrete {
        Some(c) => found.iter().filter(|i| i.concrete_type == *c).collect(),
        None => found.iter().filter(|i| !i.embedded || !own.contains(&i.body.stop_pc)).collect(),
    };
    let mut places: BTreeMap<u64, (String, Vec<Option<Guard>>)> = BTreeMap::new();
    let copies = inlined(image, &wanted);
    for i in wanted {
        let guard = match concrete {
            Some(c) => Some(Guard::Concrete(c.to_string())),
            None if i.embedded => Some(Guard::Concrete(i.concrete_type.clone())),
            None => arguments_of(&i.body.qualified_name).filter(|_| is_shared(image, i)).map(Guard::Instance),
        };
        for addr in addresses(image, i, &copies) {
            let (_, guards) = places.entry(addr).or_insert_with(|| (i.body.name.clone(), Vec::new()));
            if !guards.contains(&guard) {
                guards.push(guard.clone());
            }
        }
    }
    places
        .into_iter()
        .map(|(addr, (body, guards))| {
            // One implementation that takes every call is enough.
            let guards = guards.into_iter().collect::<Option<Vec<Guard>>>().unwrap_or_default();
            Target { addr, body, guards }
        })
        .collect()
}

/// The body is machine code that other instances of its generic type run too.
fn is_shared(image: &Image, i: &Implementation) -> bool {
    let physical = i.body.function.and_then(|f| image.functions().get(f));
    physical.is_some_and(|f| f.name().contains("go.shape."))
}

/// `main.(*Repo[example.com/a.User]).Save` -> `a.User`.
pub(crate) fn arguments_of(symbol: &str) -> Option<Vec<String>> {
    let name = image::names::unescape(symbol);
    let groups = golang::type_argument_lists(&name);
    (!groups.is_empty() && !name.contains("go.shape."))
        .then(|| groups.iter().map(|a| image::names::short(a)).collect())
}

/// Functions whose inlined copies are bodies too, by linker name.
fn inlined(image: &Image, wanted: &[&Implementation]) -> Vec<image::InlinedCopy> {
    let names: HashSet<&str> = wanted.iter().map(|i| physical_name(image, i)).collect();
    image.functions().inlined_copies(&|name| names.contains(name))
}

/// The linker's name of the body: the shaped one for generic code.
fn physical_name<'a>(image: &'a Image, i: &'a Implementation) -> &'a str {
    let physical = i.body.function.and_then(|f| image.functions().get(f)).filter(|_| is_shared(image, i));
    physical.map_or(i.body.qualified_name.as_str(), |f| f.name())
}

/// Where the body of one implementation begins: in its function, in copies of it, or in the wrapper that is all there is.
fn addresses(image: &Image, i: &Implementation, copies: &[image::InlinedCopy]) -> Vec<u64> {
    let name = physical_name(image, i);
    let mut out: Vec<u64> = copies.iter().filter(|c| c.name == name).map(|c| c.pc).collect();
    out.extend(image.functions().by_name(name).iter().filter(|f| !f.is_wrapper()).map(|f| f.prologue_end()));
    // A body in a wrapper counts once, wherever in it the copy begins.
    let here = image.functions().at(i.body.stop_pc).map(|f| f.id());
    let known = i.body.inlined && copies.iter().any(|c| c.name == name && Some(c.function) == here);
    if !known {
        out.push(i.body.stop_pc);
    }
    out.sort_unstable();
    out.dedup();
    out
}

fn remark(all: &Implementations, concrete: Option<&str>) -> Option<String> {
    let open: Vec<String> = all
        .unresolved
        .iter()
        .filter(|u| concrete.is_none_or(|c| u.0 == c))
        .map(|(name, why)| format!("{}: {why}", image::names::short(name)))
        .collect();
    if open.is_empty() {
        return None;
    }
    let more = open.len().saturating_sub(MAX_NAMED);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    let listed: Vec<String> = open.into_iter().take(MAX_NAMED).collect();
    Some(format!("not bound: {}{more}", listed.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Option<(&str, &str, Option<&str>)> {
        Spec::parse(text).map(|s| (s.interface, s.method, s.concrete))
    }

    #[test]
    fn methods_with_and_without_a_type() {
        assert_eq!(cut("io.Writer.Write"), Some(("io.Writer", "Write", None)));
        assert_eq!(cut("io.Writer.Write(*os.File)"), Some(("io.Writer", "Write", Some("*os.File"))));
        assert_eq!(cut("error.Error"), Some(("error", "Error", None)));
        assert_eq!(cut("a.b/c.Store[d.e/f.T].Get"), Some(("a.b/c.Store[d.e/f.T]", "Get", None)));
        assert_eq!(
            cut("main.S[int].Get(main.F[func(int) string])"),
            Some(("main.S[int]", "Get", Some("main.F[func(int) string]")))
        );
        assert_eq!(cut("main.S[*main.T].Get"), Some(("main.S[*main.T]", "Get", None)));
        assert_eq!(cut("main.(*T).M"), None);
        assert_eq!(cut("main.go:12"), None);
        assert_eq!(cut("main"), None);
        assert_eq!(cut("io.Writer.Write()"), None);
        assert_eq!(cut(")"), None);
        assert_eq!(cut("x.)("), None);
    }

    #[test]
    fn type_arguments_are_short_names() {
        assert_eq!(
            arguments_of("main.(*Repo[example.com/a.User,int]).Save"),
            Some(vec!["a.User".to_string(), "int".to_string()])
        );
        assert_eq!(arguments_of("main.(*T).M"), None);
        assert_eq!(arguments_of("main.(*Repo[go.shape.int]).Save"), None);
    }
}
