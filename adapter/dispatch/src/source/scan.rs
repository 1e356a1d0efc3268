//! Finds call expressions with a stack of brackets. A call is evaluated when its `)` is reached: operands and arguments have been
//! by then, so the order of closing parentheses is Go's evaluation order of calls (spec, "Order of evaluation").

use super::tokens::{Kind, Token, Tokens};
use super::{Form, Prefix, SourceCall};
use crate::api::Span;

/// Nesting deeper than this is not followed.
const MAX_DEPTH: usize = 2000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bracket {
    /// Arguments of a call or conversion.
    Call,
    /// Parenthesised expression, type assertion, declaration group.
    Paren,
    Index,
    /// Parameters or results of a function type.
    Signature,
    /// Body of an interface type: method specifications look like calls.
    Interface,
    Struct,
    Literal,
    Block,
    FuncBody,
}

/// Where a primary expression starts.
#[derive(Clone, Copy, Debug)]
struct Start {
    at: usize,
    line: u32,
    column: u32,
}

impl Start {
    fn of(t: &Token<'_>) -> Start {
        Start { at: t.at, line: t.line, column: t.column }
    }
}

/// The function part of a call that may follow.
#[derive(Clone, Copy, Debug)]
struct Name<'a> {
    text: &'a str,
    line: u32,
    dot: Option<usize>,
    indexed: bool,
}

#[derive(Debug)]
struct Level<'a> {
    bracket: Bracket,
    /// The primary expression that is being read, if the last token ended one.
    start: Option<Start>,
    name: Option<Name<'a>>,
    /// The last token was an operand's end.
    operand: bool,
    /// The last token was a dot at this offset.
    dot: Option<usize>,
    /// `if`, `for`, `switch`, `select` and no block yet: `{` opens a block.
    header: bool,
    for_header: bool,
    conditional: bool,
    /// `go`, `defer`: the primary expression that starts next.
    prefix: Option<(Prefix, Option<usize>)>,
    /// A `func` keyword whose body may come.
    func: Option<Start>,
    /// `struct` or `interface`: what the next brace opens.
    brace: Option<Bracket>,
    owner: u32,
    /// For a call: its function part; for an index: what is indexed.
    outer: Option<(Start, Option<Name<'a>>)>,
    open: usize,
    open_line: u32,
    literal_argument: bool,
    /// `range` and where its expression starts.
    range: Option<Start>,
}

impl Level<'_> {
    fn new(bracket: Bracket, owner: u32, conditional: bool, for_header: bool) -> Self {
        Level {
            bracket,
            start: None,
            name: None,
            operand: false,
            dot: None,
            header: false,
            for_header,
            conditional,
            prefix: None,
            func: None,
            brace: None,
            owner,
            outer: None,
            open: 0,
            open_line: 0,
            literal_argument: false,
            range: None,
        }
    }

    fn end_expression(&mut self) {
        self.start = None;
        self.name = None;
        self.operand = false;
        self.dot = None;
    }

    fn end_statement(&mut self) {
        self.end_expression();
        self.conditional = false;
        self.prefix = None;
        self.func = None;
        self.brace = None;
    }
}

struct Scanner<'a> {
    text: &'a str,
    levels: Vec<Level<'a>>,
    out: Vec<SourceCall>,
    functions: Vec<u32>,
}

/// The calls of a file, and the lines of the `func` keywords that have a body.
pub(super) fn calls(text: &str) -> (Vec<SourceCall>, Vec<u32>) {
    let levels = vec![Level::new(Bracket::Block, 0, false, false)];
    let mut s = Scanner { text, levels, out: Vec::new(), functions: Vec::new() };
    for t in Tokens::new(text) {
        if s.levels.len() > MAX_DEPTH {
            break;
        }
        s.token(&t);
    }
    (s.out, s.functions)
}

impl<'a> Scanner<'a> {
    fn top(&mut self) -> Option<&mut Level<'a>> {
        self.levels.last_mut()
    }

    fn token(&mut self, t: &Token<'a>) {
        match (t.kind, t.text) {
            (Kind::Semi, _) => self.semicolon(t),
            (Kind::Keyword, _) => self.keyword(t),
            (Kind::Ident | Kind::Literal, _) => self.operand(t),
            (_, "(") => self.open_paren(t),
            (_, "[") => self.open_index(t),
            (_, "{") => self.open_brace(t),
            (_, ")" | "]" | "}") => self.close(t),
            (_, ".") => {
                if let Some(l) = self.top() {
                    l.dot = Some(t.at);
                    l.operand = false;
                }
            }
            (_, op) => self.operator(op),
        }
    }

    fn semicolon(&mut self, t: &Token<'a>) {
        let Some(l) = self.top() else { return };
        // The semicolons of a `for` header end expressions, not the header.
        let (header, for_header) = (l.header && !t.automatic, l.for_header);
        l.end_statement();
        l.header = header;
        if !header && l.bracket != Bracket::Call && l.bracket != Bracket::Paren {
            l.for_header = false;
        } else {
            l.for_header = for_header;
        }
    }

    fn operator(&mut self, op: &str) {
        let Some(l) = self.top() else { return };
        l.end_expression();
        match op {
            "&&" | "||" => l.conditional = true,
            "," => {
                l.conditional = false;
                l.func = None;
            }
            "=" | ":=" | ":" => {
                l.func = None;
                l.brace = None;
            }
            _ => {}
        }
        if matches!(op, "," | ":") && l.bracket != Bracket::Block && l.bracket != Bracket::FuncBody {
            l.prefix = None;
        }
    }

    fn keyword(&mut self, t: &Token<'a>) {
        let start = Start::of(t);
        let Some(l) = self.top() else { return };
        if l.func.is_some() && !matches!(t.text, "chan" | "map" | "struct" | "interface" | "func") {
            l.func = None;
        }
        match t.text {
            "func" => {
                if l.func.is_none() {
                    if !l.operand && l.start.is_none() {
                        l.start = Some(start);
                    }
                    l.func = Some(start);
                    if let Some((_, s @ None)) = l.prefix.as_mut() {
                        *s = Some(start.at);
                    }
                }
                l.operand = false;
                l.name = None;
                return;
            }
            "interface" => {
                l.brace = Some(Bracket::Interface);
                l.start.get_or_insert(start);
                return;
            }
            "struct" => {
                l.brace = Some(Bracket::Struct);
                l.start.get_or_insert(start);
                return;
            }
            "map" | "chan" => {
                l.end_expression();
                l.start = Some(start);
                return;
            }
            "type" if l.dot.is_some() => {
                l.operand = true;
                return;
            }
            _ => {}
        }
        l.end_expression();
        match t.text {
            "if" | "switch" | "select" => l.header = true,
            "for" => {
                l.header = true;
                l.for_header = true;
            }
            "range" => l.range = Some(start),
            "go" => l.prefix = Some((Prefix::Go, None)),
            "defer" => l.prefix = Some((Prefix::Defer, None)),
            _ => {}
        }
    }

    fn operand(&mut self, t: &Token<'a>) {
        let Some(l) = self.top() else { return };
        if l.func.is_some() {
            // Its name, or a result type.
            return;
        }
        let dot = l.dot.take();
        if dot.is_none() || l.start.is_none() {
            l.start = Some(Start::of(t));
            if let Some((_, s @ None)) = l.prefix.as_mut() {
                *s = Some(t.at);
            }
        }
        l.operand = true;
        l.name = (t.kind == Kind::Ident).then_some(Name { text: t.text, line: t.line, dot, indexed: false });
    }

    fn push(&mut self, bracket: Bracket, t: &Token<'a>) -> Option<&mut Level<'a>> {
        let l = self.levels.last()?;
        let inside = matches!(
            bracket,
            Bracket::Call | Bracket::Paren | Bracket::Index | Bracket::Literal | Bracket::Struct
        );
        let mut new = Level::new(bracket, l.owner, inside && l.conditional, inside && l.for_header);
        new.open = t.at;
        new.open_line = t.line;
        self.levels.push(new);
        self.levels.last_mut()
    }

    fn open_paren(&mut self, t: &Token<'a>) {
        let Some(l) = self.levels.last_mut() else { return };
        let (start, name) = (l.start, l.name);
        if l.func.is_some() || matches!(l.bracket, Bracket::Interface) {
            self.push(Bracket::Signature, t);
            return;
        }
        match start {
            Some(s) if l.operand => {
                if let Some(new) = self.push(Bracket::Call, t) {
                    new.outer = Some((s, name));
                }
            }
            _ => {
                if l.dot.take().is_none() {
                    l.start = Some(Start::of(t));
                    if let Some((_, s @ None)) = l.prefix.as_mut() {
                        *s = Some(t.at);
                    }
                }
                self.push(Bracket::Paren, t);
            }
        }
    }

    fn open_index(&mut self, t: &Token<'a>) {
        let Some(l) = self.levels.last_mut() else { return };
        let (start, name, operand) = (l.start, l.name, l.operand);
        if !operand && l.func.is_none() && l.start.is_none() {
            l.start = Some(Start::of(t));
        }
        if let Some(new) = self.push(Bracket::Index, t)
            && let (Some(s), true) = (start, operand)
        {
            new.outer = Some((s, name));
        }
    }

    fn open_brace(&mut self, t: &Token<'a>) {
        let Some(l) = self.levels.last_mut() else { return };
        if let Some(b) = l.brace.take() {
            self.push(b, t);
            return;
        }
        if let Some(f) = l.func.take() {
            let line = f.line;
            self.functions.push(line);
            if let Some(new) = self.push(Bracket::FuncBody, t) {
                new.owner = line;
                new.outer = Some((f, None));
            }
            return;
        }
        if l.operand && !l.header {
            self.push(Bracket::Literal, t);
            return;
        }
        if !l.operand && matches!(l.bracket, Bracket::Literal) {
            // An element whose type is left out.
            l.start = Some(Start::of(t));
            self.push(Bracket::Literal, t);
            return;
        }
        self.finish_range(t.at);
        if let Some(l) = self.levels.last_mut() {
            l.header = false;
            l.for_header = false;
            l.end_statement();
        }
        self.push(Bracket::Block, t);
    }

    /// `for ... range expr {`: the iterator's calls belong to the header's line.
    fn finish_range(&mut self, end: usize) {
        let text = self.text;
        let Some(l) = self.levels.last_mut() else { return };
        let Some(r) = l.range.take() else { return };
        let from = r.at + "range".len();
        let Some(body) = text.get(from..end) else { return };
        let written = body.trim();
        let at = from + body.len() - body.trim_start().len();
        let column = r.column + (at - r.at) as u32;
        let span = Span { line: r.line, column, end_line: r.line, end_column: column + written.len() as u32 };
        let call = SourceCall {
            name: String::new(),
            callee: tidy(written),
            text: tidy(written),
            receiver: None,
            form: Form::Range,
            indexed: false,
            line: r.line,
            span,
            owner: l.owner,
            prefix: None,
            conditional: false,
            for_header: false,
            literal_argument: false,
        };
        if !written.is_empty() && !written.contains('\n') {
            self.out.push(call);
        }
    }

    fn close(&mut self, t: &Token<'a>) {
        if self.levels.len() < 2 {
            return;
        }
        let Some(closed) = self.levels.pop() else { return };
        if closed.bracket == Bracket::Call {
            self.emit(&closed, t);
        }
        let Some(l) = self.levels.last_mut() else { return };
        match closed.bracket {
            Bracket::Call | Bracket::Literal | Bracket::Struct | Bracket::Interface => {
                if l.func.is_none() {
                    l.operand = true;
                }
                l.name = None;
                l.dot = None;
                if let (Bracket::Call, Some((s, _))) = (closed.bracket, closed.outer) {
                    l.start = Some(s);
                }
            }
            Bracket::Paren => {
                l.operand = true;
                l.name = None;
                l.dot = None;
            }
            Bracket::Index => {
                if let Some((s, name)) = closed.outer {
                    l.start = Some(s);
                    l.name = name.map(|n| Name { indexed: true, ..n });
                    l.operand = true;
                }
                // `[]T`: the type that follows ends the operand.
            }
            Bracket::Signature => {}
            Bracket::FuncBody => {
                let literal = self.levels.len() > 1;
                let Some(l) = self.levels.last_mut() else { return };
                if literal {
                    l.start = closed.outer.map(|o| o.0);
                    l.operand = true;
                    l.name = None;
                    l.literal_argument = true;
                } else {
                    l.end_statement();
                }
            }
            Bracket::Block => l.end_statement(),
        }
        if closed.literal_argument
            && matches!(closed.bracket, Bracket::Literal | Bracket::Paren)
            && let Some(l) = self.levels.last_mut()
        {
            l.literal_argument = true;
        }
    }

    fn emit(&mut self, closed: &Level<'a>, t: &Token<'a>) {
        let Some((start, name)) = closed.outer else { return };
        let Some(l) = self.levels.last() else { return };
        let callee = self.text.get(start.at..closed.open).unwrap_or("");
        let (form, word, line, receiver, indexed) = match name {
            Some(n) => {
                let receiver =
                    n.dot.and_then(|d| self.text.get(start.at..d)).map(tidy).filter(|r| !r.is_empty());
                let form = if receiver.is_some() { Form::Selector } else { Form::Ident };
                (form, n.text.to_string(), n.line, receiver, n.indexed)
            }
            // A function literal is called on the line of its `func`, anything else on that of the parenthesis.
            None if callee.starts_with("func") => (Form::Other, String::new(), start.line, None, false),
            None => (Form::Other, String::new(), closed.open_line, None, false),
        };
        if form == Form::Ident && !indexed && is_builtin(&word) {
            return;
        }
        let prefix = match l.prefix {
            Some((p, Some(at))) if at == start.at => Some(p),
            _ => None,
        };
        if prefix.is_some() {
            // Only the last call of a chain is what `go` and `defer` run.
            for c in self.out.iter_mut().rev() {
                if c.prefix.is_some() && (c.span.line, c.span.column) == (start.line, start.column) {
                    c.prefix = None;
                }
            }
        }
        let span =
            Span { line: start.line, column: start.column, end_line: t.line, end_column: t.column + 1 };
        self.out.push(SourceCall {
            name: word,
            callee: tidy(callee),
            text: tidy(self.text.get(start.at..t.at + 1).unwrap_or("")),
            receiver,
            form,
            indexed,
            line,
            span,
            owner: l.owner,
            prefix,
            conditional: l.conditional,
            for_header: l.for_header,
            literal_argument: closed.literal_argument,
        });
    }
}

/// Predeclared functions and types: calls of them run no code of the author's.
fn is_builtin(name: &str) -> bool {
    const NAMES: [&str; 41] = [
        "append",
        "cap",
        "clear",
        "close",
        "complex",
        "copy",
        "delete",
        "imag",
        "len",
        "make",
        "max",
        "min",
        "new",
        "panic",
        "print",
        "println",
        "real",
        "recover",
        "bool",
        "byte",
        "complex64",
        "complex128",
        "error",
        "float32",
        "float64",
        "int",
        "int8",
        "int16",
        "int32",
        "int64",
        "rune",
        "string",
        "uint",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "uintptr",
        "any",
        "comparable",
        "type",
    ];
    NAMES.contains(&name)
}

/// On one line, runs of white space as one space; long function literals are cut.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(200));
    let mut space = false;
    for c in text.trim().chars() {
        if c.is_whitespace() {
            space = true;
            continue;
        }
        if space && !out.ends_with('.') && c != '.' {
            out.push(' ');
        }
        space = false;
        out.push(c);
        if out.len() > 160 {
            out.push('…');
            break;
        }
    }
    out
}
