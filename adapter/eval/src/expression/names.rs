//! What names mean at a place in the program: variables of the frame, then the package's, then Go's own. Reads debug information only.

use std::sync::Arc;

use dispatch::SourceText;
use golang::{Frame, Place, Process, Value};
use image::{ScopeVariable, TypeId, VarRole};

use super::Scope;
use super::operand::Callable;

/// What conditions and log messages call the receiver.
const RECEIVER: &str = "recv";

/// Where an expression's names are looked up.
#[derive(Clone, Copy)]
pub struct Names<'a> {
    pub(crate) process: &'a Process<'a>,
    /// Code address (for a caller's frame: inside the call), and the inline frame counted from the innermost; None: only packages.
    at: Option<(u64, usize)>,
    /// The frame, once the program is stopped there: type parameters have no meaning without.
    pub(crate) frame: Option<&'a Frame>,
    pub(crate) source: Option<&'a dyn SourceText>,
    /// `recv` stands for the receiver of the method.
    receiver: bool,
    /// A name of the debugger's own, and its value.
    given: Option<(&'a str, &'a Value)>,
}

/// What a name stands for.
#[derive(Clone, Debug)]
pub(crate) enum Meaning {
    Local(ScopeVariable),
    /// A package variable.
    Global(Value),
    Constant {
        value: i128,
        ty: Option<TypeId>,
    },
    Function(Callable),
    Type(TypeId),
}

impl<'a> Names<'a> {
    /// Names at a code address, for breakpoint conditions. `inline_depth` 0 is the innermost inlined function.
    pub fn at(process: &'a Process<'a>, pc: u64, inline_depth: usize) -> Names<'a> {
        Names {
            process,
            at: Some((pc, inline_depth)),
            frame: None,
            source: None,
            receiver: false,
            given: None,
        }
    }

    /// The same, and `recv` is the method's receiver, however the method calls it, unless something else has that name.
    pub fn with_receiver(self) -> Names<'a> {
        Names { receiver: true, ..self }
    }

    /// The same, and `name` is a value, unless something else has that name.
    pub fn with_value(self, name: &'a str, value: &'a Value) -> Names<'a> {
        Names { given: Some((name, value)), ..self }
    }

    /// Names in the scope's frame.
    pub fn of(scope: &Scope<'a>) -> Names<'a> {
        let at = scope.frame.map(|f| (f.lookup_pc, f.inline_depth));
        Names {
            process: scope.process,
            at,
            frame: scope.frame,
            source: scope.source,
            receiver: false,
            given: None,
        }
    }

    /// Variables of the frame's function, innermost and latest first; those not declared yet are left out.
    pub(crate) fn locals(&self) -> Vec<ScopeVariable> {
        let Some((pc, depth)) = self.at else { return Vec::new() };
        let mut all = self.process.image.variables(pc, depth);
        all.sort_by_key(|v| (std::cmp::Reverse(v.depth), std::cmp::Reverse(v.decl_line)));
        all
    }

    /// Import path of the package whose code runs.
    pub(crate) fn package(&self) -> Option<String> {
        let (pc, depth) = self.at?;
        let functions = self.process.image.functions();
        let inlined = functions.inline_stack(pc).into_iter().nth(depth);
        match inlined {
            Some(f) => Some(image::names::package_of(&f.name)),
            None => functions.at(pc).map(|f| f.package()),
        }
    }

    /// A name without a package before it; the error is a hint for one that is not declared yet.
    pub(crate) fn lookup(&self, name: &str) -> Result<Option<Meaning>, String> {
        let mut later = None;
        for v in self.locals().into_iter().filter(|v| v.name == name) {
            if v.declared {
                return Ok(Some(Meaning::Local(v)));
            }
            later.get_or_insert(v.decl_line);
        }
        if let Some(package) = self.package()
            && let Some(found) = self.member(&package, name)
        {
            return Ok(Some(found));
        }
        if name == RECEIVER
            && self.receiver
            && let Some(v) = self.receiver_variable()
        {
            return Ok(Some(Meaning::Local(v)));
        }
        if let Some((_, value)) = self.given.filter(|given| given.0 == name) {
            return Ok(Some(Meaning::Global(value.clone())));
        }
        match later {
            Some(line) => {
                Err(format!("undefined: {name} (it is declared on line {line}, which has not run yet)"))
            }
            None => Ok(None),
        }
    }

    /// The first parameter of a method's code. Wrappers call it `.this`.
    fn receiver_variable(&self) -> Option<ScopeVariable> {
        let (pc, depth) = self.at?;
        let functions = self.process.image.functions();
        let name = functions.inline_stack(pc).into_iter().nth(depth)?.name;
        if !is_method(&name) {
            return None;
        }
        let mut parameters = self.process.image.variables(pc, depth);
        parameters.retain(|v| v.role == VarRole::Param && v.name != ".dict");
        parameters.into_iter().min_by_key(|v| v.die)
    }

    /// A package's variable, constant, function or type.
    pub(crate) fn member(&self, package: &str, name: &str) -> Option<Meaning> {
        let image = self.process.image;
        let full = format!("{package}.{name}");
        if let Some((addr, Some(ty))) = image.global(&full) {
            return Some(Meaning::Global(Value { ty, place: Place::Memory(addr) }));
        }
        if let Some((value, ty)) = image.constant(&full) {
            return Some(Meaning::Constant { value, ty });
        }
        if let Some(ty) = image.find_type(&full) {
            return Some(Meaning::Type(ty));
        }
        let functions = image.functions().by_name(&full);
        let f = functions.first()?;
        Some(Meaning::Function(Callable {
            entry: Some(f.entry()),
            name: full.into(),
            receiver: None,
            interface: None,
            itab: None,
        }))
    }

    /// Import paths that a qualifier may mean, best matches only: the whole path, else the package's name, else a suffix of the path.
    pub(crate) fn packages(&self, qualifier: &str) -> Vec<String> {
        let all = self.process.image.packages();
        if let Some(current) = self.package()
            && (current == qualifier || package_name(&current) == qualifier)
        {
            let mut out = vec![current.clone()];
            out.extend(all.into_iter().filter(|p| *p != current && package_name(p) == qualifier));
            return out;
        }
        let exact: Vec<String> = all.iter().filter(|p| *p == qualifier).cloned().collect();
        let named: Vec<String> = all.iter().filter(|p| package_name(p) == qualifier).cloned().collect();
        let last =
            |p: &String| p.rsplit('/').next() == Some(qualifier) || p.ends_with(&format!("/{qualifier}"));
        let suffix: Vec<String> = all.iter().filter(|p| last(p)).cloned().collect();
        let mut out = exact;
        for p in named.into_iter().chain(suffix) {
            if !out.contains(&p) {
                out.push(p);
            }
        }
        out
    }

    /// A member of the one package that the qualifier means; several packages that have it are an error naming them.
    pub(crate) fn qualified(&self, qualifier: &str, name: &str) -> Result<Option<Meaning>, String> {
        let packages = self.packages(qualifier);
        let mut found: Vec<(String, Meaning)> = Vec::new();
        for p in packages {
            if let Some(m) = self.member(&p, name) {
                // The whole path, or the package that the code is in, leaves no doubt.
                if p == qualifier || Some(&p) == self.package().as_ref() {
                    return Ok(Some(m));
                }
                found.push((p, m));
            }
        }
        if found.len() > 1 {
            let all: Vec<String> = found.iter().map(|(p, _)| format!("\"{p}\".{name}")).collect();
            return Err(format!("{qualifier}.{name} is ambiguous: write {}", all.join(" or ")));
        }
        Ok(found.pop().map(|f| f.1))
    }

    /// A name in scope that differs in case, or in one letter.
    pub(crate) fn similar(&self, name: &str) -> Option<String> {
        let locals = self.locals().into_iter().map(|v| v.name);
        let package = self.package().unwrap_or_default();
        let short = |full: String| full.rsplit('.').next().map(str::to_string);
        let globals = self.process.image.globals_of(&package).into_iter().filter_map(|g| short(g.0));
        locals.chain(globals).find(|n| n != name && is_near(n, name))
    }
}

/// `main.T.M`, `main.(*T[int]).M`: a type stands between package and name. Function literals are no methods.
fn is_method(symbol: &str) -> bool {
    let base: String = without_brackets(image::names::base_of(symbol));
    let parts: Vec<&str> = base.split('.').collect();
    let literal = |s: &str| {
        ["func", "gowrap", "deferwrap"]
            .iter()
            .any(|p| s.strip_prefix(p).is_some_and(|n| n.starts_with(|c: char| c.is_ascii_digit())))
    };
    matches!(parts.as_slice(), [_, method] if !literal(method) && !method.contains('-'))
}

fn without_brackets(name: &str) -> String {
    let mut depth = 0u32;
    let outside = name.chars().filter(|c| {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => return depth == 0,
        }
        false
    });
    outside.collect()
}

/// The same but for case, or one letter changed, added or left out.
fn is_near(a: &str, b: &str) -> bool {
    if a.to_lowercase() == b.to_lowercase() {
        return true;
    }
    if a.chars().count() < 3 || b.chars().count() < 3 {
        return false;
    }
    let same = a.chars().zip(b.chars()).take_while(|(x, y)| x == y).count();
    let (rest_a, rest_b): (String, String) = (a.chars().skip(same).collect(), b.chars().skip(same).collect());
    let tail = |s: &str| s.chars().skip(1).collect::<String>();
    tail(&rest_a) == tail(&rest_b) || tail(&rest_a) == rest_b || rest_a == tail(&rest_b)
}

/// The name that a package most likely has, by its path: `math/rand/v2` -> `rand`, `gopkg.in/yaml.v3` -> `yaml`, `x/go-git` -> `git`.
pub(crate) fn package_name(path: &str) -> &str {
    let is_version =
        |s: &str| s.strip_prefix('v').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    let mut parts = path.rsplit('/');
    let mut last = parts.next().unwrap_or(path);
    if is_version(last) {
        last = parts.next().unwrap_or(last);
    }
    if let Some((base, version)) = last.rsplit_once('.')
        && is_version(version)
    {
        last = base;
    }
    let last = last.strip_prefix("go-").unwrap_or(last);
    last.strip_suffix("-go").or(last.strip_suffix(".go")).unwrap_or(last)
}

/// Shares a name.
pub(crate) fn shared(name: &str) -> Arc<str> {
    name.into()
}

#[cfg(test)]
mod tests {
    use super::package_name;

    #[test]
    fn a_package_s_name_from_its_path() {
        for (path, name) in [
            ("main", "main"),
            ("net/http", "http"),
            ("math/rand/v2", "rand"),
            ("gopkg.in/yaml.v3", "yaml"),
            ("github.com/x/go-git", "git"),
            ("example.com/v8", "example.com"),
        ] {
            assert_eq!(package_name(path), name, "{path}");
        }
    }
}
