//! Names: the linker's escapes, packages, and the short form in which people read them.
//! Must never split a name inside type arguments or a struct tag.

/// Undoes the linker's `%xx` escapes (cmd/internal/objabi/path.go); text in quotes (struct tags) stays as it is.
pub fn unescape(name: &str) -> String {
    if !name.contains('%') {
        return name.to_string();
    }
    let bytes = name.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let (mut i, mut quoted) = (0, false);
    while let Some(&b) = bytes.get(i) {
        match b {
            b'"' => quoted = !quoted,
            b'\\' if quoted => {
                out.push(b);
                i += 1;
                out.extend(bytes.get(i));
                i += 1;
                continue;
            }
            b'%' if !quoted => {
                if let Some(code) = hex(bytes.get(i + 1), bytes.get(i + 2)) {
                    out.push(code);
                    i += 3;
                    continue;
                }
            }
            _ => {}
        }
        out.push(b);
        i += 1;
    }
    String::from_utf8(out).unwrap_or_else(|_| name.to_string())
}

fn hex(high: Option<&u8>, low: Option<&u8>) -> Option<u8> {
    let digit = |b: &u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    Some(digit(high?)? << 4 | digit(low?)?)
}

/// Import path of a linker symbol, escapes undone; empty for symbols that belong to no package (`type:.eq.T`).
pub fn package_of(symbol: &str) -> String {
    split(symbol).map_or_else(String::new, |(package, _)| unescape(package))
}

/// Name within its package: `(*T).M`, `F[go.shape.int].func1`; the whole symbol if it has no package.
pub fn base_of(symbol: &str) -> &str {
    split(symbol).map_or(symbol, |(_, base)| base)
}

/// At the first dot after the last slash, both outside of type arguments.
fn split(symbol: &str) -> Option<(&str, &str)> {
    let head = symbol.split('[').next()?;
    if head.starts_with("type:") || head.starts_with("go:") {
        return None;
    }
    let after_slash = head.rfind('/').map_or(0, |i| i + 1);
    let dot = after_slash + head.get(after_slash..)?.find('.')?;
    Some((symbol.get(..dot)?, symbol.get(dot + 1..)?))
}

/// Package name instead of import path, within type arguments too, escapes undone:
/// `*example.com/x/y.T[a/b.C]` -> `*y.T[b.C]`. A version element (`/v2`, `.v3`) is no package name.
pub fn short(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(c) = rest.chars().next() {
        if c == '"' {
            let end = quoted_len(rest);
            let (tag, after) = rest.split_at(end);
            out.push_str(tag);
            rest = after;
        } else if is_separator(c) {
            out.push(c);
            rest = rest.get(c.len_utf8()..).unwrap_or("");
        } else {
            let end = rest.find(|c| is_separator(c) || c == '"').unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            push_short_word(word, &mut out);
            rest = after;
        }
    }
    out
}

fn is_separator(c: char) -> bool {
    matches!(c, ' ' | '(' | ')' | '[' | ']' | '{' | '}' | ',' | ';' | '*' | '&' | '<' | '>')
}

/// Bytes of the string literal at the start of `s`.
fn quoted_len(s: &str) -> usize {
    let mut escaped = false;
    for (i, b) in s.bytes().enumerate().skip(1) {
        match b {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return i + 1,
            _ => {}
        }
    }
    s.len()
}

fn push_short_word(word: &str, out: &mut String) {
    let word = match word.strip_prefix("...") {
        Some(w) => {
            out.push_str("...");
            w
        }
        None => word,
    };
    let Some(slash) = word.rfind('/') else {
        out.push_str(&unescape(word));
        return;
    };
    let (path, last) = (word.get(..slash).unwrap_or(""), word.get(slash + 1..).unwrap_or(word));
    let Some(dot) = last.find('.') else {
        out.push_str(&unescape(last));
        return;
    };
    let (package, name) = (last.get(..dot).unwrap_or(last), last.get(dot..).unwrap_or(""));
    let escaped = unescape(package);
    if is_version(&escaped) {
        out.push_str(&unescape(path.rsplit('/').next().unwrap_or(path)));
        out.push_str(&unescape(name));
        return;
    }
    match escaped.rsplit_once('.') {
        // gopkg.in/yaml%2ev3.Node
        Some((before, v)) if is_version(v) => out.push_str(before),
        _ => out.push_str(&escaped),
    }
    // The same with the escape undone already: gopkg.in/yaml.v3.Node
    let tail = name.get(1..).and_then(|n| n.split_once('.')).filter(|(v, _)| is_version(v));
    match tail {
        Some((_, n)) => {
            out.push('.');
            out.push_str(&unescape(n));
        }
        None => out.push_str(&unescape(name)),
    }
}

/// `v2`, `v3`, ...
fn is_version(s: &str) -> bool {
    s.strip_prefix('v').is_some_and(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        assert_eq!(unescape("a.com/my.mod/sub%2epkg.T"), "a.com/my.mod/sub.pkg.T");
        assert_eq!(unescape("100%"), "100%");
        assert_eq!(unescape("%zz%2"), "%zz%2");
        assert_eq!(unescape(r#"struct { F int "a\"%2e" }"#), r#"struct { F int "a\"%2e" }"#);
        assert_eq!(unescape("%e4%bd%a0.T"), "你.T");
        assert_eq!(unescape("%ff.T"), "%ff.T", "not UTF-8: left alone");
    }

    #[test]
    fn packages() {
        assert_eq!(package_of("example.com/my.mod/sub%2epkg.(*T).Get"), "example.com/my.mod/sub.pkg");
        assert_eq!(package_of("main.F[go.shape.struct { a/b.c int }].func1"), "main");
        assert_eq!(package_of("glob..func1"), "glob");
        assert_eq!(package_of("type:.eq.main.T"), "");
        assert_eq!(package_of("_cgo_init"), "");
        assert_eq!(base_of("a/b.(*T).M"), "(*T).M");
        assert_eq!(base_of("memmove"), "memmove");
    }

    #[test]
    fn short_forms() {
        assert_eq!(short("*example.com/x/y.T[a/b.C]"), "*y.T[b.C]");
        assert_eq!(short("map[string]os.File"), "map[string]os.File");
        assert_eq!(short("func(...a/b.T) (<-chan c/d.E, error)"), "func(...b.T) (<-chan d.E, error)");
        assert_eq!(short("gopkg.in/yaml%2ev3.Node"), "yaml.Node");
        assert_eq!(short("gopkg.in/yaml.v3.Node"), "yaml.Node");
        assert_eq!(short("github.com/x/y/v2.T"), "y.T");
        assert_eq!(short("example.com/q/sub%2epkg.Thing"), "sub.pkg.Thing");
        assert_eq!(short(r#"struct { A a/b.T "x/y.z" }"#), r#"struct { A b.T "x/y.z" }"#);
        assert_eq!(short("\"unterminated"), "\"unterminated");
    }
}
