//! Go's tokens (spec, "Lexical elements") with automatic semicolons and positions; keywords, operators and numbers are those of `expr`.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Ident,
    Keyword,
    Literal,
    /// Operators and punctuation; the text says which.
    Op,
    /// `;`, written or inserted at a line's end.
    Semi,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    /// Byte offset.
    pub(super) at: usize,
    pub(super) line: u32,
    /// 1-based byte column.
    pub(super) column: u32,
    /// An automatic semicolon.
    pub(super) automatic: bool,
}

pub(super) struct Tokens<'a> {
    text: &'a str,
    at: usize,
    line: u32,
    line_start: usize,
    /// The last token allows an automatic semicolon.
    ends: bool,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a str) -> Tokens<'a> {
        Tokens { text, at: 0, line: 1, line_start: 0, ends: false }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn token(&self, kind: Kind, len: usize) -> Token<'a> {
        Token {
            kind,
            text: self.text.get(self.at..self.at + len).unwrap_or(""),
            at: self.at,
            line: self.line,
            column: (self.at - self.line_start) as u32 + 1,
            automatic: false,
        }
    }

    /// Moves over `len` bytes and counts their lines.
    fn skip(&mut self, len: usize) {
        let end = (self.at + len).min(self.text.len());
        let passed = self.text.get(self.at..end).unwrap_or("");
        for (i, b) in passed.bytes().enumerate() {
            if b == b'\n' {
                self.line += 1;
                self.line_start = self.at + i + 1;
            }
        }
        self.at = end;
    }

    fn automatic(&mut self) -> Token<'a> {
        self.ends = false;
        Token { automatic: true, ..self.token(Kind::Semi, 0) }
    }

    /// Whitespace and comments; Some: an automatic semicolon.
    fn gap(&mut self) -> Option<Token<'a>> {
        loop {
            let rest = self.rest();
            let first = rest.bytes().next()?;
            match first {
                b'\n' if self.ends => return Some(self.automatic()),
                b' ' | b'\t' | b'\r' | b'\n' => self.skip(1),
                b'/' if rest.starts_with("//") => {
                    let n = rest.find('\n').unwrap_or(rest.len());
                    self.at += n;
                }
                b'/' if rest.starts_with("/*") => {
                    let n = rest.find("*/").map_or(rest.len(), |n| n + 2);
                    let newline = rest.get(..n).is_some_and(|c| c.contains('\n'));
                    if newline && self.ends {
                        let t = self.automatic();
                        self.skip(n);
                        return Some(t);
                    }
                    self.skip(n);
                }
                _ => return None,
            }
        }
    }

    fn string(&self, quote: u8) -> usize {
        let bytes = self.rest().as_bytes();
        let mut i = 1;
        while let Some(b) = bytes.get(i) {
            match *b {
                b'\\' if quote != b'`' => i += 2,
                b'\n' if quote != b'`' => return i,
                b if b == quote => return i + 1,
                _ => i += 1,
            }
        }
        bytes.len()
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        if let Some(t) = self.gap() {
            return Some(t);
        }
        let rest = self.rest();
        let first = rest.chars().next()?;
        let word = |c: char| c == '_' || c.is_alphanumeric();
        let (kind, len) = match first {
            '"' | '`' | '\'' => (Kind::Literal, self.string(first as u8)),
            c if c.is_ascii_digit() => (Kind::Literal, expr::number_length(rest)),
            '.' if rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit) => {
                (Kind::Literal, expr::number_length(rest))
            }
            c if word(c) => {
                let n = rest.find(|c: char| !word(c)).unwrap_or(rest.len());
                let keyword = rest.get(..n).is_some_and(|w| expr::KEYWORDS.contains(&w));
                (if keyword { Kind::Keyword } else { Kind::Ident }, n)
            }
            ';' => (Kind::Semi, 1),
            c => {
                let mark = expr::MARKS.iter().find(|m| rest.starts_with(**m));
                (Kind::Op, mark.map_or(c.len_utf8(), |m| m.len()))
            }
        };
        let len = len.max(first.len_utf8()).min(rest.len());
        let t = self.token(kind, len);
        self.ends = match kind {
            Kind::Ident | Kind::Literal => true,
            Kind::Keyword => matches!(t.text, "break" | "continue" | "fallthrough" | "return"),
            Kind::Op => matches!(t.text, ")" | "]" | "}" | "++" | "--"),
            Kind::Semi => false,
        };
        self.skip(len);
        Some(t)
    }
}
