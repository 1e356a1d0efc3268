//! Tokens of Go (go.dev/ref/spec#Lexical_elements), with newlines as white space: an expression has no statements to separate.
//! Any text gives tokens; what is none becomes [`TokenKind::Bad`] with the reason.

use crate::{Constant, Span, constant};

/// One token.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    pub kind: TokenKind,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum TokenKind {
    /// Identifier, also the compiler's own (`~r0`, `T·7`).
    Name(String),
    Keyword(&'static str),
    /// Integer, float, imaginary or rune literal.
    Number(Constant),
    /// String literal without its quotes and escapes.
    Text(Vec<u8>),
    /// Operator or punctuation.
    Mark(&'static str),
    /// Not a token; the reason in Go's words.
    Bad(String),
    End,
}

/// The keywords of Go.
pub const KEYWORDS: [&str; 25] = [
    "break",
    "case",
    "chan",
    "const",
    "continue",
    "default",
    "defer",
    "else",
    "fallthrough",
    "for",
    "func",
    "go",
    "goto",
    "if",
    "import",
    "interface",
    "map",
    "package",
    "range",
    "return",
    "select",
    "struct",
    "switch",
    "type",
    "var",
];

/// Operators and punctuation, longest first, so that the first match is the token.
pub const MARKS: [&str; 47] = [
    "&^=", "<<=", ">>=", "...", "&&", "||", "<-", "++", "--", "==", "!=", "<=", ">=", ":=", "+=", "-=", "*=",
    "/=", "%=", "&=", "|=", "^=", "<<", ">>", "&^", "+", "-", "*", "/", "%", "&", "|", "^", "<", ">", "=",
    "!", "(", ")", "[", "]", "{", "}", ",", ";", ".", ":",
];

/// All tokens of `text`, the last one [`TokenKind::End`]; lexed as they are asked for.
pub fn tokens(text: &str) -> impl Iterator<Item = Token> + '_ {
    let mut lexer = Lexer { text, at: 0 };
    let mut ended = false;
    std::iter::from_fn(move || {
        let token = (!ended).then(|| lexer.token())?;
        ended = token.kind == TokenKind::End;
        Some(token)
    })
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Advances over all characters that satisfy `p`.
    fn skip_while(&mut self, p: impl Fn(char) -> bool) {
        let n = self.rest().find(|c| !p(c)).unwrap_or(self.rest().len());
        self.at += n;
    }

    /// White space and comments; an unterminated comment is an error.
    fn skip_blank(&mut self) -> Option<String> {
        loop {
            self.skip_while(|c| c.is_whitespace() || c == '\u{feff}');
            if self.rest().starts_with("//") {
                self.skip_while(|c| c != '\n');
            } else if self.rest().starts_with("/*") {
                match self.rest().get(2..).and_then(|r| r.find("*/")) {
                    Some(n) => self.at += n + 4,
                    None => {
                        self.at = self.text.len();
                        return Some("comment not terminated".into());
                    }
                }
            } else {
                return None;
            }
        }
    }

    fn token(&mut self) -> Token {
        let before = self.at;
        if let Some(why) = self.skip_blank() {
            return Token { kind: TokenKind::Bad(why), span: Span::new(before, self.at) };
        }
        let start = self.at;
        let kind = match self.peek() {
            None => TokenKind::End,
            Some(c) if is_letter(c) => self.name(),
            Some('~') if self.rest().chars().nth(1).is_some_and(is_letter) => self.name(),
            Some(c) if c.is_ascii_digit() => self.number(),
            Some('.') if self.rest().chars().nth(1).is_some_and(|c| c.is_ascii_digit()) => self.number(),
            Some('"') => self.quoted(),
            Some('`') => self.raw(),
            Some('\'') => self.rune(),
            Some(c) => self.mark(c),
        };
        Token { kind, span: Span::new(start, self.at) }
    }

    fn name(&mut self) -> TokenKind {
        let start = self.at;
        self.skip_while(|c| is_letter(c) || c.is_numeric() || c == '·' || c == '~');
        let word = self.text.get(start..self.at).unwrap_or("");
        match KEYWORDS.iter().find(|k| **k == word) {
            Some(k) => TokenKind::Keyword(k),
            None => TokenKind::Name(word.to_string()),
        }
    }

    fn mark(&mut self, c: char) -> TokenKind {
        if let Some(m) = MARKS.iter().find(|m| self.rest().starts_with(**m)) {
            self.at += m.len();
            return TokenKind::Mark(m);
        }
        self.at += c.len_utf8();
        TokenKind::Bad(format!("invalid character U+{:04X} {:?}", u32::from(c), c))
    }

    /// Takes what may belong to a number, then has it read as a whole: `0x1p-2`, `1_000`, `1e+9i`, `0b12` (an error).
    fn number(&mut self) -> TokenKind {
        let start = self.at;
        self.at += number_length(self.rest());
        match constant::parse_number(self.text.get(start..self.at).unwrap_or("")) {
            Ok(n) => TokenKind::Number(n),
            Err(why) => TokenKind::Bad(why),
        }
    }

    fn raw(&mut self) -> TokenKind {
        let body = self.rest().get(1..).unwrap_or("");
        match body.find('`') {
            Some(n) => {
                let bytes = body.bytes().take(n).filter(|b| *b != b'\r').collect();
                self.at += n + 2;
                TokenKind::Text(bytes)
            }
            None => {
                self.at = self.text.len();
                TokenKind::Bad("string literal not terminated".into())
            }
        }
    }

    fn quoted(&mut self) -> TokenKind {
        self.at += 1;
        let mut bytes = Vec::new();
        let mut wrong = None;
        loop {
            match self.peek() {
                None | Some('\n') => return TokenKind::Bad("string literal not terminated".into()),
                Some('"') => {
                    self.at += 1;
                    return wrong.map_or(TokenKind::Text(bytes), TokenKind::Bad);
                }
                Some('\\') => match self.escape('"') {
                    Ok(Escape::Byte(b)) => bytes.push(b),
                    Ok(Escape::Char(c)) => bytes.extend(c.encode_utf8(&mut [0; 4]).bytes()),
                    Err(why) => wrong = Some(why),
                },
                Some(c) => {
                    self.at += c.len_utf8();
                    bytes.extend(c.encode_utf8(&mut [0; 4]).bytes());
                }
            }
        }
    }

    fn rune(&mut self) -> TokenKind {
        self.at += 1;
        let mut runes = Vec::new();
        let mut wrong = None;
        loop {
            match self.peek() {
                None | Some('\n') => return TokenKind::Bad("rune literal not terminated".into()),
                Some('\'') => {
                    self.at += 1;
                    break;
                }
                Some('\\') => match self.escape('\'') {
                    Ok(Escape::Byte(b)) => runes.push(u32::from(b)),
                    Ok(Escape::Char(c)) => runes.push(u32::from(c)),
                    Err(why) => wrong = Some(why),
                },
                Some(c) => {
                    self.at += c.len_utf8();
                    runes.push(u32::from(c));
                }
            }
        }
        match (wrong, runes.as_slice()) {
            (Some(why), _) => TokenKind::Bad(why),
            (None, [one]) => TokenKind::Number(Constant::rune(*one)),
            (None, []) => TokenKind::Bad("empty rune literal or unescaped ' in rune literal".into()),
            (None, _) => TokenKind::Bad("more than one character in rune literal".into()),
        }
    }

    /// After a backslash; `quote` is the only quote that may be escaped.
    fn escape(&mut self, quote: char) -> Result<Escape, String> {
        self.at += 1;
        let Some(c) = self.peek() else { return Err("escape is invalid: the text ends".into()) };
        self.at += c.len_utf8();
        let simple = |c: char| Ok(Escape::Char(c));
        match c {
            'a' => simple('\x07'),
            'b' => simple('\x08'),
            'f' => simple('\x0c'),
            'n' => simple('\n'),
            'r' => simple('\r'),
            't' => simple('\t'),
            'v' => simple('\x0b'),
            '\\' => simple('\\'),
            c if c == quote => simple(c),
            '0'..='7' => {
                self.at -= 1;
                let n = self.digits(3, 8)?;
                u8::try_from(n).map(Escape::Byte).map_err(|_| format!("octal escape value {n} > 255"))
            }
            'x' => Ok(Escape::Byte(self.digits(2, 16)? as u8)),
            'u' => self.unicode(4),
            'U' => self.unicode(8),
            _ => Err("unknown escape (use \\a \\b \\f \\n \\r \\t \\v \\\\ \\' \\\" \\x.. \\u.... or octal)"
                .into()),
        }
    }

    fn unicode(&mut self, count: usize) -> Result<Escape, String> {
        let n = self.digits(count, 16)?;
        char::from_u32(n)
            .map(Escape::Char)
            .ok_or_else(|| format!("escape is invalid Unicode code point U+{n:04X}"))
    }

    fn digits(&mut self, count: usize, base: u32) -> Result<u32, String> {
        let word = self.rest().get(..count).unwrap_or("");
        let good = word.len() == count && word.chars().all(|c| c.is_digit(base));
        match u32::from_str_radix(word, base) {
            Ok(n) if good => {
                self.at += count;
                Ok(n)
            }
            _ => Err(format!("escape needs {count} digits of base {base}")),
        }
    }
}

/// How much of `rest`, which begins with a digit or a dot and a digit, may belong to the number; it needn't be a good one.
pub fn number_length(rest: &str) -> usize {
    let hex = matches!(rest.get(..2), Some("0x" | "0X"));
    let mut previous = ' ';
    for (at, c) in rest.char_indices() {
        let exponent = if hex { matches!(previous, 'p' | 'P') } else { matches!(previous, 'e' | 'E') };
        let signed = matches!(c, '+' | '-') && exponent;
        if !(c.is_alphanumeric() || c == '_' || c == '.' || signed) {
            return at;
        }
        previous = c;
    }
    rest.len()
}

enum Escape {
    Byte(u8),
    Char(char),
}

fn is_letter(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}
