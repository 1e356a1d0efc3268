//! Parts of linker symbol names: never split naively, type arguments may contain dots, slashes and spaces.

/// Byte offset where the last component (after the last `.` outside brackets and parentheses) starts.
fn last_at(name: &str) -> usize {
    let mut depth = 0i32;
    let mut at = 0;
    let slash = last_slash(name);
    for (i, c) in name.char_indices() {
        match c {
            '[' | '(' | '{' => depth += 1,
            ']' | ')' | '}' => depth -= 1,
            '.' if depth == 0 && i >= slash => at = i + 1,
            _ => {}
        }
    }
    at
}

/// The last `/` outside brackets: dots before it belong to the import path.
fn last_slash(name: &str) -> usize {
    let mut depth = 0i32;
    let mut at = 0;
    for (i, c) in name.char_indices() {
        match c {
            '[' | '(' | '{' => depth += 1,
            ']' | ')' | '}' => depth -= 1,
            '/' if depth == 0 => at = i,
            _ => {}
        }
    }
    at
}

/// A linker symbol with the package's name for its path, escapes undone; type arguments that only a dictionary tells are `T?`.
pub(crate) fn display(image: &image::Image, symbol: &str) -> String {
    image::names::short(&golang::real_symbol(image, symbol, None))
}

/// `example.com/a.(*T).M` -> `M`; `a.F.func1` -> `func1`; type arguments of a method stay.
pub(crate) fn last(name: &str) -> &str {
    name.get(last_at(name)..).unwrap_or(name)
}

/// `a.F.func1` -> `a.F`: the function around a closure or wrapper.
pub(crate) fn parent(name: &str) -> Option<&str> {
    name.get(..last_at(name))?.strip_suffix('.')
}

/// The method's plain name: without `-fm` and type arguments.
pub(crate) fn method(name: &str) -> &str {
    let l = last(name);
    let l = l.strip_suffix("-fm").unwrap_or(l);
    l.split('[').next().unwrap_or(l)
}

/// `a.(*T).M` -> `a.T.M`.
pub(crate) fn value_receiver(name: &str) -> Option<String> {
    let at = last_at(name);
    let (head, m) = (name.get(..at)?.strip_suffix('.')?, name.get(at..)?);
    let open = head.rfind(".(*")?;
    let t = head.get(open + 3..)?.strip_suffix(')')?;
    Some(format!("{}.{t}.{m}", head.get(..open)?))
}

/// `a.(*T).M` and `a.T.M` -> (`a.T`, pointer receiver).
pub(crate) fn receiver(name: &str) -> Option<(String, bool)> {
    let at = last_at(name);
    let head = name.get(..at)?.strip_suffix('.')?;
    if let Some(open) = head.rfind(".(*")
        && let Some(t) = head.get(open + 3..).and_then(|t| t.strip_suffix(')'))
    {
        return Some((format!("{}.{t}", head.get(..open)?), true));
    }
    let inner = last_at(head);
    (inner > 0).then(|| (head.to_string(), false))
}

/// A function literal's name: `F.func1`, `F.func1.2`, `F-range1`.
pub(crate) fn is_closure(name: &str) -> bool {
    let l = last(name);
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    l.strip_prefix("func").is_some_and(digits)
        || digits(l)
        || l.strip_prefix("gowrap").is_some_and(digits)
        || l.strip_prefix("deferwrap").is_some_and(digits)
        || l.contains("-range")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_outside_brackets_and_import_paths() {
        assert_eq!(last("example.com/my.mod/a.(*T).M"), "M");
        assert_eq!(last("a.F[example.com/x.T].func1"), "func1");
        assert_eq!(method("a.T.M-fm"), "M");
        assert_eq!(method("a.L[go.shape.string].Conv[go.shape.int]"), "Conv");
        assert_eq!(value_receiver("x.y/a.(*T[int]).M").as_deref(), Some("x.y/a.T[int].M"));
        assert_eq!(value_receiver("a.T.M"), None);
        assert_eq!(receiver("a.(*T).M"), Some(("a.T".into(), true)));
        assert_eq!(receiver("a.T.M"), Some(("a.T".into(), false)));
        assert_eq!(receiver("a.F"), None);
    }
}
