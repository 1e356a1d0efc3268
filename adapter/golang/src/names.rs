//! Names for display: package names instead of import paths, real type arguments instead of shapes.
//!
//! Type arguments are named by the dictionary that is at hand, never guessed from the shape.

use std::ops::Range;

use image::names::{short, unescape};
use image::{Function, Image, TypeId};

use crate::Process;

/// What stands in place of a type argument that is not known.
const LOST: &str = "T?";
const SHAPE: &str = "go.shape.";

impl Process<'_> {
    /// `*os.File`, `main.Repo[models.User]`: package names, also in type arguments. `?` if the type can't be read.
    pub fn display_name(&self, id: TypeId) -> String {
        match self.type_of(id) {
            Ok(ty) => short(&ty.name),
            Err(_) => "?".into(),
        }
    }

    /// With full import paths.
    pub fn qualified_name(&self, id: TypeId) -> String {
        match self.type_of(id) {
            Ok(ty) => ty.name.to_string(),
            Err(_) => "?".into(),
        }
    }

    /// `main.(*Square).Area`; shapes are replaced by the real type arguments of the dictionary at `dict` when it is given,
    /// by `T?` when not: `main.(*Repo[T?]).Save`.
    pub fn function_display_name(&self, f: &Function<'_>, dict: Option<u64>) -> String {
        self.symbol_display_name(f.name(), dict)
    }

    /// The same for a linker symbol name (inlined functions have no entry of their own).
    pub fn symbol_display_name(&self, symbol: &str, dict: Option<u64>) -> String {
        short(&real_symbol(self.image, symbol, dict))
    }

    /// The same with full import paths.
    pub fn symbol_full_name(&self, symbol: &str, dict: Option<u64>) -> String {
        real_symbol(self.image, symbol, dict)
    }

    /// Real type arguments of a shaped function, as written in the name of its dictionary; None where that is lost or nameless.
    pub fn type_arguments(&self, symbol: &str, dict: u64) -> Option<Vec<String>> {
        let (symbol, name) = (unescape(symbol), dictionary_name(self.image, dict)?);
        if base(&symbol) != base(&name) {
            return None;
        }
        let groups = groups(&name);
        let args = groups.iter().filter_map(|r| name.get(r.clone())).flat_map(arguments);
        Some(args.map(short).collect())
    }

    /// Type arguments in the name of the wrapper of one instance, for the shaped function that it calls.
    pub(crate) fn arguments_by_name(&self, symbol: &str, wrapper: &str) -> Option<Vec<String>> {
        let (symbol, name) = (unescape(symbol), unescape(wrapper));
        let last = |s: &str| s.rsplit('.').next().map(|m| m.split('[').next().unwrap_or(m).to_string());
        if base(&symbol) != base(&name) || last(&symbol) != last(&name) || name.contains(SHAPE) {
            return None;
        }
        let args = type_argument_lists(&name);
        (!args.is_empty()).then(|| args.iter().map(|a| short(a)).collect())
    }
}

/// A linker symbol with escapes undone and, where it is of generic code, the real type arguments of the dictionary at `dict`; `T?`
/// where that is not known or belongs to other code.
pub fn real_symbol(image: &Image, symbol: &str, dict: Option<u64>) -> String {
    let symbol = unescape(symbol);
    if !symbol.contains(SHAPE) {
        return symbol;
    }
    let dictionary = dict.and_then(|at| dictionary_name(image, at));
    with_arguments(&symbol, dictionary.as_deref())
}

/// True if there is a dictionary at `at`, and it belongs to the generic code called `symbol`.
pub fn is_dictionary_of(image: &Image, at: u64, symbol: &str) -> bool {
    dictionary_name(image, at).is_some_and(|name| base(&name) == base(&unescape(symbol)))
}

/// Symbol of the dictionary at `at`, without `.dict`: `main.Repo[example.com/x.User]`.
fn dictionary_name(image: &Image, at: u64) -> Option<String> {
    match image.symbol_at(at)? {
        (name, 0) => name.contains("..dict.").then(|| unescape(&name.replacen("..dict.", ".", 1))),
        _ => None,
    }
}

/// `symbol` with the arguments of the dictionary called `name`, or with unknown ones.
fn with_arguments(symbol: &str, name: Option<&str>) -> String {
    let real = name.filter(|n| base(n) == base(symbol));
    let real_groups = real.map(groups).unwrap_or_default();
    let mut out = String::new();
    let mut from = 0;
    let mut shaped = 0;
    for group in groups(symbol) {
        let Some(inside) = symbol.get(group.clone()) else { continue };
        if !inside.contains(SHAPE) {
            continue;
        }
        out.push_str(symbol.get(from..group.start).unwrap_or(""));
        let args = real.zip(real_groups.get(shaped)).and_then(|(n, r)| n.get(r.clone()));
        let known = args.filter(|a| arguments(a).len() == arguments(inside).len());
        match known {
            Some(args) => out.push_str(args),
            None => out.push_str(&vec![LOST; arguments(inside).len()].join(",")),
        }
        from = group.end;
        shaped += 1;
    }
    out.push_str(symbol.get(from..).unwrap_or(""));
    out
}

/// All type arguments that a name is written with, its receiver's first: `p.L[string].Conv[main.N]` -> `string`, `main.N`.
pub fn type_argument_lists(name: &str) -> Vec<String> {
    let inside = groups(name).into_iter().filter_map(|r| name.get(r));
    inside.flat_map(arguments).map(str::to_string).collect()
}

/// Insides of the outermost brackets.
fn groups(name: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let (mut depth, mut start) = (0usize, 0);
    for (i, b) in name.bytes().enumerate() {
        match b {
            b'[' => {
                if depth == 0 {
                    start = i + 1;
                }
                depth += 1;
            }
            b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 && start > 0 {
                    found.push(start..i);
                    start = 0;
                }
            }
            _ => {}
        }
    }
    found
}

/// Comma-separated arguments, nested brackets, braces and parentheses respected.
fn arguments(inside: &str) -> Vec<&str> {
    let mut args = Vec::new();
    let (mut depth, mut from) = (0i32, 0);
    for (i, b) in inside.bytes().enumerate() {
        match b {
            b'[' | b'(' | b'{' => depth += 1,
            b']' | b')' | b'}' => depth -= 1,
            b',' if depth == 0 => {
                args.push(inside.get(from..i).unwrap_or("").trim());
                from = i + 1;
            }
            _ => {}
        }
    }
    args.push(inside.get(from..).unwrap_or("").trim());
    args
}

/// What precedes the first type arguments, receiver parentheses removed: `main.(*Repo[...]).Save` -> `main.Repo`.
fn base(name: &str) -> String {
    name.split('[').next().unwrap_or("").replace("(*", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_give_way_to_the_dictionarys_arguments() {
        let symbol = "main.(*Repo[go.shape.*uint8]).Save";
        assert_eq!(with_arguments(symbol, Some("main.Repo[*main.User]")), "main.(*Repo[*main.User]).Save");
        assert_eq!(with_arguments(symbol, None), "main.(*Repo[T?]).Save");
        // A dictionary of something else says nothing.
        assert_eq!(with_arguments(symbol, Some("main.Set[int]")), "main.(*Repo[T?]).Save");
    }

    #[test]
    fn functions_closures_and_generic_methods() {
        assert_eq!(
            with_arguments("main.F[go.shape.int,go.shape.struct { A int; B [2]string }].func1", None),
            "main.F[T?,T?].func1"
        );
        assert_eq!(
            with_arguments("p.L[go.shape.string].Conv[go.shape.int]", Some("p.L[string].Conv[main.N]")),
            "p.L[string].Conv[main.N]"
        );
        assert_eq!(with_arguments("p.F[go.shape.[3]int]", Some("p.F[[3]int]")), "p.F[[3]int]");
    }

    #[test]
    fn garbage_names_are_harmless() {
        for name in ["]]][", "[", "go.shape.", "a[go.shape.", "][go.shape.x]"] {
            let _ = with_arguments(name, Some(name));
        }
    }
}
