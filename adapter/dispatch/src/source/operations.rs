//! Operations of a Go source line that can panic, with their operands as written: what a runtime error is about.
//!
//! Works on tokens like the rest of this folder. Which of several operations it was is not decided here.

use super::asserts::{closing, operand, text_between};
use super::tokens::{Kind, Token, Tokens};

/// Operands of one operation that are followed, at most.
const MAX_POSTFIX: usize = 64;

/// What can panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationKind {
    /// `base[index]`: operands base, index.
    Index,
    /// `base[low:high:max]`: operands base, low, high, max; absent ones are empty.
    Slice,
    /// `/`, `%` and their assignments: operands left, right.
    Divide,
    /// `<<`, `>>` and their assignments: operands left, right.
    Shift,
    /// `==`, `!=`: operands left, right.
    Compare,
    /// `channel <- value`: operand channel.
    Send,
    /// `close(channel)`: operand channel.
    Close,
    /// `base.name` that is not called: operands base, name.
    Field,
    /// `base.name(...)`: operands base, name.
    Method,
    /// `*pointer`: operand pointer.
    Dereference,
    /// `f(...)`: operand f, a plain name.
    Call,
    /// `base.(T)`: operands base, T.
    Assert,
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    pub kind: OperationKind,
    /// As written, on one line.
    pub text: String,
    pub operands: Vec<String>,
}

/// The operations whose operator stands on a line; where there is none, those that reach over it.
pub(crate) fn on_line(text: &str, line: u32) -> Vec<Operation> {
    let tokens: Vec<Token<'_>> = Tokens::new(text).collect();
    let all = || (0..tokens.len()).filter_map(|i| Reader { text, tokens: &tokens }.at(i));
    let exact: Vec<Operation> = all().filter(|f| f.line == line).map(|f| f.operation).collect();
    if !exact.is_empty() {
        return exact;
    }
    all().filter(|f| (f.first_line..=f.last_line).contains(&line)).map(|f| f.operation).collect()
}

/// An operation and its lines.
struct Found {
    line: u32,
    first_line: u32,
    last_line: u32,
    operation: Operation,
}

struct Reader<'a> {
    text: &'a str,
    tokens: &'a [Token<'a>],
}

impl Reader<'_> {
    fn token(&self, i: usize) -> &str {
        self.tokens.get(i).map_or("", |t| t.text)
    }

    /// The operation whose operator is token `i`.
    fn at(&self, i: usize) -> Option<Found> {
        let kind = self.tokens.get(i)?.kind;
        match self.token(i) {
            "[" => self.index(i),
            "/" | "%" | "/=" | "%=" => self.binary(i, OperationKind::Divide),
            "<<" | ">>" | "<<=" | ">>=" => self.binary(i, OperationKind::Shift),
            "==" | "!=" => self.binary(i, OperationKind::Compare),
            "<-" => {
                let start = self.left(i)?;
                let end = self.right(i + 1)?;
                self.found(OperationKind::Send, i, start, end, vec![self.between(start, i - 1)?])
            }
            "." if self.token(i + 1) == "(" && self.token(i + 2) != "type" => {
                let (start, end) = (self.left(i)?, closing(self.tokens, i + 1)?);
                let operands = vec![self.between(start, i - 1)?, self.between(i + 2, end.checked_sub(1)?)?];
                self.found(OperationKind::Assert, i, start, end, operands)
            }
            "." => self.selector(i),
            "*" if self.is_prefix(i) => {
                let end = self.right(i + 1)?;
                self.found(OperationKind::Dereference, i, i, end, vec![self.between(i + 1, end)?])
            }
            "close" if self.token(i + 1) == "(" && !self.follows_dot(i) => {
                let end = closing(self.tokens, i + 1)?;
                let channel = self.between(i + 2, end.checked_sub(1)?)?;
                self.found(OperationKind::Close, i, i, end, vec![channel])
            }
            name if kind == Kind::Ident && self.token(i + 1) == "(" && !self.follows_dot(i) => {
                let end = closing(self.tokens, i + 1)?;
                self.found(OperationKind::Call, i, i, end, vec![name.to_string()])
            }
            _ => None,
        }
    }

    fn follows_dot(&self, i: usize) -> bool {
        i.checked_sub(1).is_some_and(|b| matches!(self.token(b), "." | "func"))
    }

    /// No operand stands before the token: it is no binary operator.
    fn is_prefix(&self, i: usize) -> bool {
        let Some(before) = i.checked_sub(1).and_then(|b| self.tokens.get(b)) else { return true };
        !(matches!(before.kind, Kind::Ident | Kind::Literal) || matches!(before.text, ")" | "]" | "}"))
    }

    /// First token of the operand before `i`.
    fn left(&self, i: usize) -> Option<usize> {
        let start = operand(self.tokens, i);
        (start < i).then_some(start)
    }

    /// Last token of the operand that begins at `i`: prefix operators, a name, literal or parentheses, and what follows it.
    fn right(&self, mut i: usize) -> Option<usize> {
        let last_prefix = i + MAX_POSTFIX;
        while i < last_prefix && matches!(self.token(i), "+" | "-" | "!" | "^" | "*" | "&" | "<-") {
            i += 1;
        }
        let first = self.tokens.get(i)?;
        let mut end = match first.kind {
            Kind::Ident | Kind::Literal => i,
            Kind::Op if matches!(first.text, "(" | "[") => closing(self.tokens, i)?,
            _ => return None,
        };
        for _ in 0..MAX_POSTFIX {
            let next = self.tokens.get(end + 1)?;
            end = match next.text {
                "." if self.tokens.get(end + 2).is_some_and(|t| t.kind == Kind::Ident) => end + 2,
                "." if self.token(end + 2) == "(" => closing(self.tokens, end + 2)?,
                "(" | "[" => closing(self.tokens, end + 1)?,
                // A literal `T{...}`; before a block stands a space.
                "{" if self.tokens.get(end).is_some_and(|t| t.at + t.text.len() == next.at) => {
                    closing(self.tokens, end + 1)?
                }
                _ => break,
            };
        }
        Some(end)
    }

    fn between(&self, first: usize, last: usize) -> Option<String> {
        if last < first {
            return None;
        }
        Some(text_between(self.text, self.tokens.get(first)?, self.tokens.get(last)?))
    }

    fn found(
        &self,
        kind: OperationKind,
        operator: usize,
        start: usize,
        end: usize,
        operands: Vec<String>,
    ) -> Option<Found> {
        Some(Found {
            line: self.tokens.get(operator)?.line,
            first_line: self.tokens.get(start)?.line,
            last_line: self.tokens.get(end)?.line,
            operation: Operation { kind, text: self.between(start, end)?, operands },
        })
    }

    fn binary(&self, i: usize, kind: OperationKind) -> Option<Found> {
        let (start, end) = (self.left(i)?, self.right(i + 1)?);
        self.found(kind, i, start, end, vec![self.between(start, i - 1)?, self.between(i + 1, end)?])
    }

    fn selector(&self, i: usize) -> Option<Found> {
        let start = self.left(i)?;
        let name = self.tokens.get(i + 1).filter(|t| t.kind == Kind::Ident)?;
        let kind = if self.token(i + 2) == "(" { OperationKind::Method } else { OperationKind::Field };
        let operands = vec![self.between(start, i - 1)?, name.text.to_string()];
        let mut found = self.found(kind, i, start, i + 1, operands)?;
        // The compiler's line of a selector is that of its name.
        found.line = name.line;
        Some(found)
    }

    /// `base[...]` by its opening bracket.
    fn index(&self, i: usize) -> Option<Found> {
        let start = self.left(i)?;
        let end = closing(self.tokens, i)?;
        let base = self.between(start, i - 1)?;
        let colons = self.colons(i, end);
        if colons.is_empty() {
            let index = self.between(i + 1, end.checked_sub(1)?)?;
            return self.found(OperationKind::Index, i, start, end, vec![base, index]);
        }
        let mut operands = vec![base];
        let mut from = i + 1;
        for stop in colons.into_iter().chain([end]) {
            operands.push(self.between(from, stop - 1).unwrap_or_default());
            from = stop + 1;
        }
        operands.resize(4, String::new());
        self.found(OperationKind::Slice, i, start, end, operands)
    }

    /// The colons between two brackets, those of brackets within left out.
    fn colons(&self, open: usize, close: usize) -> Vec<usize> {
        let mut depth = 0usize;
        let mut found = Vec::new();
        for i in open + 1..close {
            match self.token(i) {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth = depth.saturating_sub(1),
                ":" if depth == 0 => found.push(i),
                _ => {}
            }
        }
        found.truncate(2);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(line: &str, kind: OperationKind) -> Vec<(String, Vec<String>)> {
        let text = format!("package p\nfunc f() {{\n\t{line}\n}}\n");
        let all = on_line(&text, 3).into_iter().filter(|o| o.kind == kind);
        all.map(|o| (o.text, o.operands)).collect()
    }

    #[track_caller]
    fn only(line: &str, kind: OperationKind, text: &str, operands: &[&str]) {
        let operands: Vec<String> = operands.iter().map(|o| o.to_string()).collect();
        assert_eq!(rows(line, kind), [(text.to_string(), operands)], "{line}");
    }

    #[test]
    fn operations_have_operands() {
        only("x := a.list[i+1]", OperationKind::Index, "a.list[i+1]", &["a.list", "i+1"]);
        only("y = s[lo : f(1, 2)]", OperationKind::Slice, "s[lo : f(1, 2)]", &["s", "lo", "f(1, 2)", ""]);
        only("y = s[:m[k]:c]", OperationKind::Slice, "s[:m[k]:c]", &["s", "", "m[k]", "c"]);
        only("return a + b / c.d", OperationKind::Divide, "b / c.d", &["b", "c.d"]);
        only("total %= -n(2)", OperationKind::Divide, "total %= -n(2)", &["total", "-n(2)"]);
        only("if a == *p {", OperationKind::Compare, "a == *p", &["a", "*p"]);
        only("x = a == pair{1, b}", OperationKind::Compare, "a == pair{1, b}", &["a", "pair{1, b}"]);
        only("x := v.(*T)", OperationKind::Assert, "v.(*T)", &["v", "*T"]);
        only("c.out <- v", OperationKind::Send, "c.out <- v", &["c.out"]);
        only("close(c.out)", OperationKind::Close, "close(c.out)", &["c.out"]);
        assert!(rows("use(p.next.value)", OperationKind::Dereference).is_empty());
    }

    #[test]
    fn selectors_are_told_from_calls() {
        let fields = rows("use(p.next.value, q.Get())", OperationKind::Field);
        let names: Vec<&str> = fields.iter().map(|f| f.0.as_str()).collect();
        assert_eq!(names, ["p.next", "p.next.value"]);
        only("use(p.next.value, q.Get())", OperationKind::Method, "q.Get", &["q", "Get"]);
        only("use(a * *p)", OperationKind::Dereference, "*p", &["p"]);
        assert!(rows("x := <-c", OperationKind::Send).is_empty());
    }

    #[test]
    fn broken_text_is_no_trouble() {
        for text in
            ["a[", "a[:", "/", "x /", "== ==", "close(", ".", "a.", "*", "****", "<-", "a <-", "f(", "[[["]
        {
            on_line(text, 1);
        }
    }
}
