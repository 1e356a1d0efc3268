//! Type assertions and the cases of type switches in a Go source file, with their places.

use super::tokens::{Kind, Token, Tokens};
use crate::api::Span;

/// Tokens of one operand that are looked at.
const MAX_OPERAND: usize = 2000;

/// `x.(T)`, or a case of a type switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SourceAssert {
    pub(crate) span: Span,
    /// The wanted type as written, without spaces; empty for a case.
    pub(crate) wanted: String,
    /// The header or a case of a type switch.
    pub(crate) switch: bool,
    /// `v, ok := x.(T)`: it can't panic.
    pub(crate) comma_ok: bool,
    /// The whole as written, on one line; empty for a case.
    pub(crate) text: String,
}

/// All of a file, in source order.
pub(crate) fn assertions(text: &str) -> Vec<SourceAssert> {
    let tokens: Vec<Token<'_>> = Tokens::new(text).collect();
    let text_of = |i: usize| tokens.get(i).map_or("", |t| t.text);
    let mut out = Vec::new();
    // For each open brace: whether it is a type switch's body.
    let mut braces: Vec<bool> = Vec::new();
    let mut header = false;
    for (i, t) in tokens.iter().enumerate() {
        match t.text {
            "{" => braces.push(std::mem::take(&mut header)),
            "}" => {
                braces.pop();
            }
            "case" if t.kind == Kind::Keyword && braces.last() == Some(&true) => {
                let colon = tokens.iter().skip(i).take(MAX_OPERAND).find(|x| x.text == ":").unwrap_or(t);
                out.push(SourceAssert {
                    span: span(t, colon),
                    wanted: String::new(),
                    switch: true,
                    comma_ok: false,
                    text: String::new(),
                });
            }
            "." if text_of(i + 1) == "(" => {
                let Some(close) = closing(&tokens, i + 1) else { continue };
                let wanted: String =
                    tokens.iter().take(close).skip(i + 2).map(|t| t.text).collect::<Vec<_>>().concat();
                let switch = wanted == "type";
                header |= switch;
                let start = operand(&tokens, i);
                if let (Some(first), Some(last)) = (tokens.get(start), tokens.get(close)) {
                    out.push(SourceAssert {
                        span: span(first, last),
                        wanted,
                        switch,
                        comma_ok: !switch && is_comma_ok(&tokens, start, close),
                        text: text_between(text, first, last),
                    });
                }
            }
            _ => {}
        }
    }
    out
}

/// The expression from `start` to `close` is all of the right side of an assignment with two places on the left.
fn is_comma_ok(tokens: &[Token<'_>], start: usize, close: usize) -> bool {
    let ends = tokens.get(close + 1).is_none_or(|t| t.kind == Kind::Semi || t.text == "{");
    let Some(mut at) = start.checked_sub(1) else { return false };
    if !ends || !tokens.get(at).is_some_and(|t| matches!(t.text, ":=" | "=")) {
        return false;
    }
    let mut depth = 0usize;
    for _ in 0..MAX_OPERAND {
        let Some(before) = at.checked_sub(1) else { return false };
        at = before;
        match tokens.get(at) {
            Some(t) if matches!(t.text, ")" | "]") => depth += 1,
            Some(t) if matches!(t.text, "(" | "[") => match depth.checked_sub(1) {
                Some(d) => depth = d,
                None => return false,
            },
            Some(t) if depth == 0 && t.text == "," => return true,
            Some(t) if depth == 0 && (t.kind == Kind::Semi || matches!(t.text, "{" | "}")) => return false,
            Some(_) => {}
            None => return false,
        }
    }
    false
}

fn span(first: &Token<'_>, last: &Token<'_>) -> Span {
    Span {
        line: first.line,
        column: first.column,
        end_line: last.line,
        end_column: last.column + last.text.len() as u32,
    }
}

/// The source from one token to another, on one line.
pub(super) fn text_between(text: &str, first: &Token<'_>, last: &Token<'_>) -> String {
    let raw = text.get(first.at..last.at + last.text.len()).unwrap_or_default();
    raw.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The bracket that closes the one at `open`.
pub(super) fn closing(tokens: &[Token<'_>], open: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (i, t) in tokens.iter().enumerate().skip(open).take(MAX_OPERAND) {
        match t.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(i);
                }
            }
            _ => {}
        }
    }
    None
}

/// Where the operand before the token at `dot` begins; `dot` itself where there is none.
pub(super) fn operand(tokens: &[Token<'_>], dot: usize) -> usize {
    let text_of = |i: usize| tokens.get(i).map_or("", |t| t.text);
    let mut start = dot;
    let mut at = dot.checked_sub(1);
    while let Some(i) = at {
        let Some(t) = tokens.get(i) else { break };
        let first = match t.text {
            ")" | "]" | "}" => match opening(tokens, i) {
                Some(open) => open,
                None => break,
            },
            _ if matches!(t.kind, Kind::Ident | Kind::Literal) => i,
            _ => break,
        };
        start = first;
        let Some(before) = first.checked_sub(1) else { break };
        at = match text_of(before) {
            "." => before.checked_sub(1),
            // A call's or an index's name, another call.
            _ if matches!(t.text, ")" | "]" | "}")
                && (tokens.get(before).is_some_and(|b| b.kind == Kind::Ident)
                    || matches!(text_of(before), ")" | "]")) =>
            {
                Some(before)
            }
            _ => break,
        };
    }
    start
}

fn opening(tokens: &[Token<'_>], close: usize) -> Option<usize> {
    let mut depth = 0usize;
    for i in (close.saturating_sub(MAX_OPERAND)..=close).rev() {
        match tokens.get(i)?.text {
            ")" | "]" | "}" => depth += 1,
            "(" | "[" | "{" => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(i);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assertions_and_cases_have_places() {
        let text = "package p\nfunc f(v any) {\n\tn, ok := g(v)[0].x.(*T)\n\tswitch y := v.(type) {\n\tcase int, *T:\n\t}\n\tswitch ok {\n\tcase true:\n\t}\n\t_ = v.(interface{ M() })\n}\n";
        let found = assertions(text);
        let rows: Vec<_> =
            found.iter().map(|a| (a.span.line, a.span.column, a.wanted.as_str(), a.switch)).collect();
        assert_eq!(
            rows,
            [(3, 11, "*T", false), (4, 14, "type", true), (5, 2, "", true), (10, 6, "interface{M()}", false)]
        );
    }

    #[test]
    fn two_places_on_the_left_are_comma_ok() {
        let text = "package p\nfunc f(v any) {\n\tn, ok := v.(int)\n\tn = v.(int)\n\tif m[g(1, 2)], ok = v.(string); ok {\n\t}\n\ta, b := v.(int), v.(int)\n\tuse(a, v.(int))\n\tvar x, y = v.(int)\n}\n";
        let found = assertions(text);
        let rows: Vec<_> = found.iter().map(|a| (a.span.line, a.comma_ok)).collect();
        assert_eq!(rows, [(3, true), (4, false), (5, true), (7, false), (7, false), (8, false), (9, true)]);
        assert_eq!(found.first().map(|a| a.text.as_str()), Some("v.(int)"));
    }

    #[test]
    fn broken_text_is_no_trouble() {
        for text in [".(", ")))).(", "x.(((", "case", "}}}.(type){{{ case", "x.(type) {"] {
            assertions(text);
        }
    }
}
