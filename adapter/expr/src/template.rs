//! Log messages: text with `{expression}` in it; `{{` and `}}` are the braces themselves. Never fails on odd text: errors carry a span.

use crate::{Span, SyntaxError, TokenKind, parse, parser::Parsed, tokens};

/// A log message, cut into pieces.
#[derive(Clone, Debug)]
pub struct Template {
    pub segments: Vec<Segment>,
}

#[derive(Clone, Debug)]
pub enum Segment {
    Text(String),
    /// The expression's text, its place in the whole message (spans inside count from there), and its tree.
    Expression {
        text: String,
        span: Span,
        parsed: Parsed,
    },
}

impl Template {
    /// Cuts `text`. Braces inside an expression (`T{1}`, string literals) belong to the expression.
    pub fn parse(text: &str) -> (Template, Vec<SyntaxError>) {
        let mut segments = Vec::new();
        let mut errors = Vec::new();
        let mut plain = String::new();
        let mut at = 0;
        while let Some(c) = text.get(at..).and_then(|r| r.chars().next()) {
            let rest = text.get(at + c.len_utf8()..).unwrap_or("");
            match c {
                '{' | '}' if rest.starts_with(c) => {
                    plain.push(c);
                    at += 2;
                }
                '}' => {
                    let why = "unexpected } in log message: write }} for a brace";
                    errors.push(SyntaxError::new(Span::new(at, at + 1), why));
                    at += 1;
                }
                '{' => {
                    let start = at + 1;
                    let Some(len) = expression_length(rest) else {
                        let why = "{ without } in log message: write {{ for a brace";
                        errors.push(SyntaxError::new(Span::new(at, text.len()), why));
                        break;
                    };
                    if !plain.is_empty() {
                        segments.push(Segment::Text(std::mem::take(&mut plain)));
                    }
                    let body = rest.get(..len).unwrap_or("");
                    segments.push(expression(body, start, &mut errors));
                    at = start + len + 1;
                }
                c => {
                    plain.push(c);
                    at += c.len_utf8();
                }
            }
        }
        if !plain.is_empty() {
            segments.push(Segment::Text(plain));
        }
        (Template { segments }, errors)
    }
}

fn expression(body: &str, start: usize, errors: &mut Vec<SyntaxError>) -> Segment {
    let parsed = parse(body);
    for e in &parsed.errors {
        let span = Span::new(start + e.span.start as usize, start + e.span.end as usize);
        errors.push(SyntaxError::new(span, e.message.clone()));
    }
    Segment::Expression { text: body.to_string(), span: Span::new(start, start + body.len()), parsed }
}

/// Bytes up to the `}` that closes the expression, found among tokens so that strings and literals may contain braces.
fn expression_length(rest: &str) -> Option<usize> {
    let mut depth = 0u32;
    for t in tokens(rest) {
        match t.kind {
            TokenKind::Mark("{") => depth += 1,
            TokenKind::Mark("}") if depth == 0 => return Some(t.span.start as usize),
            TokenKind::Mark("}") => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> (String, Vec<(u32, String)>) {
        let (t, errors) = Template::parse(text);
        let mut out = String::new();
        for s in &t.segments {
            match s {
                Segment::Text(s) => out += &format!("[{s}]"),
                Segment::Expression { text, span, .. } => out += &format!("<{text}@{}>", span.start),
            }
        }
        (out, errors.into_iter().map(|e| (e.span.column(text), e.message)).collect())
    }

    #[test]
    fn text_expressions_and_escaped_braces() {
        assert_eq!(shape("x = {x}, {{literal}}").0, "[x = ]<x@5>[, {literal}]");
        assert_eq!(shape("{a}{b.c[1]}").0, "<a@1><b.c[1]@4>");
        assert_eq!(shape(r#"{m["}"]} {T{1}.A}!"#).0, r#"<m["}"]@1>[ ]<T{1}.A@10>[!]"#);
        assert_eq!(shape("").0, "");
        assert_eq!(shape("é{x}").0, "[é]<x@3>");
    }

    #[test]
    fn errors_carry_the_column_in_the_whole_message() {
        assert_eq!(shape("ab}").1, [(3, "unexpected } in log message: write }} for a brace".to_string())]);
        assert_eq!(shape("ab{x").1, [(3, "{ without } in log message: write {{ for a brace".to_string())]);
        assert_eq!(shape("é {x +} y").1.first().map(|e| e.0), Some(7));
        assert_eq!(shape("n: {}").1.len(), 1);
    }
}
