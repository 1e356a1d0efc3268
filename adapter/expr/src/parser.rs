//! Recursive descent with operator precedence (go.dev/ref/spec#Expressions). Never fails and never recurses deeper than
//! [`MAX_DEPTH`]: a text that needs more is answered by an error.

use crate::{
    BinaryOp, Element, Node, NodeKind, Param, Span, Statement, SyntaxError, Token, TokenKind, UnaryOp, tokens,
};

/// Height of the largest tree. Users of the tree recurse this deep at most; 250 levels need well under 1 MiB of stack.
pub const MAX_DEPTH: u16 = 250;

/// After this many errors the rest is not worth showing.
const MAX_ERRORS: usize = 10;

/// A tree and everything that was wrong with the text. Without errors the tree holds no [`NodeKind::Bad`].
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    pub root: Node,
    pub errors: Vec<SyntaxError>,
}

/// Parses one expression or type.
pub fn parse(text: &str) -> Parsed {
    let mut p = Parser::new(text);
    let root = p.expression(1);
    p.expect_end();
    Parsed { root, errors: p.errors }
}

/// Parses an expression or an assignment.
pub fn parse_statement(text: &str) -> (Statement, Vec<SyntaxError>) {
    let mut p = Parser::new(text);
    let left = p.expression(1);
    let operator = p.current();
    let span = operator.span;
    let TokenKind::Mark(mark) = operator.kind else {
        p.expect_end();
        return (Statement::Expression(left), p.errors);
    };
    let one = |p: &mut Parser| p.node(NodeKind::Number(crate::Constant::int(1)), span);
    let right = match mark {
        "=" => {
            p.advance();
            Some(p.expression(1))
        }
        ":=" => {
            p.error(span, "a debugger can't declare variables; use = to assign to an existing one");
            None
        }
        "++" | "--" => {
            p.advance();
            let op = if mark == "++" { BinaryOp::Add } else { BinaryOp::Sub };
            let one = one(&mut p);
            Some(p.binary(op, span, left.clone(), one))
        }
        _ => {
            mark.strip_suffix('=').and_then(BinaryOp::from_text).filter(|op| !op.is_comparison()).map(|op| {
                p.advance();
                let value = p.expression(1);
                p.binary(op, span, left.clone(), value)
            })
        }
    };
    p.expect_end();
    match right {
        Some(right) => (Statement::Assign { left, right }, p.errors),
        None => (Statement::Expression(left), p.errors),
    }
}

pub(crate) struct Parser {
    tokens: Vec<Token>,
    at: usize,
    nesting: u16,
    pub(crate) errors: Vec<SyntaxError>,
}

impl Parser {
    fn new(text: &str) -> Parser {
        Parser { tokens: tokens(text).collect(), at: 0, nesting: 0, errors: Vec::new() }
    }

    /// The token to look at; [`TokenKind::End`] for ever after the last one.
    pub(crate) fn current(&self) -> Token {
        let token = self.tokens.get(self.at).or(self.tokens.last());
        token.cloned().unwrap_or(Token { kind: TokenKind::End, span: Span::default() })
    }

    pub(crate) fn advance(&mut self) {
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
    }

    fn previous_end(&self) -> u32 {
        self.at.checked_sub(1).and_then(|i| self.tokens.get(i)).map_or(0, |t| t.span.end)
    }

    /// From `start` to the end of the last token taken.
    pub(crate) fn since(&self, start: Span) -> Span {
        Span { start: start.start, end: self.previous_end().max(start.end) }
    }

    pub(crate) fn sees(&self, mark: &str) -> bool {
        matches!(self.tokens.get(self.at), Some(Token { kind: TokenKind::Mark(m), .. }) if *m == mark)
    }

    pub(crate) fn sees_keyword(&self, word: &str) -> bool {
        matches!(self.tokens.get(self.at), Some(Token { kind: TokenKind::Keyword(k), .. }) if *k == word)
    }

    pub(crate) fn take(&mut self, mark: &str) -> bool {
        let seen = self.sees(mark);
        if seen {
            self.advance();
        }
        seen
    }

    pub(crate) fn expect(&mut self, mark: &str) {
        if !self.take(mark) {
            self.unexpected(mark);
        }
    }

    pub(crate) fn error(&mut self, span: Span, message: impl Into<String>) {
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(SyntaxError::new(span, message));
        }
    }

    /// `syntax error: unexpected X, expected Y` at the current token, which stays; a token that is none explains itself.
    pub(crate) fn unexpected(&mut self, wanted: &str) {
        let token = self.current();
        let found = match token.kind {
            TokenKind::Bad(why) => {
                self.error(token.span, why);
                self.advance();
                return;
            }
            TokenKind::End => "end of expression".to_string(),
            TokenKind::Name(n) => format!("name {n}"),
            TokenKind::Keyword(k) => format!("keyword {k}"),
            TokenKind::Number(n) => format!("literal {n}"),
            TokenKind::Text(_) => "string literal".to_string(),
            TokenKind::Mark(m) => m.to_string(),
        };
        self.error(token.span, format!("syntax error: unexpected {found}, expected {wanted}"));
    }

    fn expect_end(&mut self) {
        let token = self.current();
        match token.kind {
            TokenKind::End => {}
            TokenKind::Mark("=") => {
                self.error(token.span, "syntax error: cannot use an assignment as value; == compares");
            }
            _ => self.unexpected("end of expression"),
        }
    }

    /// Everything after this is the end: one error is enough for a text that is nested too deeply.
    fn give_up(&mut self, span: Span) -> Node {
        self.error(span, format!("expression is nested too deeply (more than {MAX_DEPTH} levels)"));
        self.at = self.tokens.len().saturating_sub(1);
        Node { kind: NodeKind::Bad, span, depth: 1 }
    }

    /// Makes a node; a tree that would become too high is given up.
    pub(crate) fn node(&mut self, kind: NodeKind, span: Span) -> Node {
        let depth = height(&kind) + 1;
        if depth > MAX_DEPTH { self.give_up(span) } else { Node { kind, span, depth } }
    }

    /// Runs `f` one level deeper.
    pub(crate) fn nested(&mut self, f: impl FnOnce(&mut Parser) -> Node) -> Node {
        if self.nesting >= MAX_DEPTH {
            let span = self.current().span;
            return self.give_up(span);
        }
        self.nesting += 1;
        let node = f(self);
        self.nesting -= 1;
        node
    }

    fn binary(&mut self, op: BinaryOp, op_span: Span, left: Node, right: Node) -> Node {
        let span = left.span.to(right.span);
        let (left, right) = (Box::new(left), Box::new(right));
        self.node(NodeKind::Binary { op, op_span, left, right }, span)
    }

    /// An expression whose operators bind at least as strongly as `level`.
    pub(crate) fn expression(&mut self, level: u8) -> Node {
        self.nested(|p| {
            let mut left = p.unary();
            loop {
                let Token { kind: TokenKind::Mark(mark), span } = p.current() else { return left };
                let Some(op) = BinaryOp::from_text(mark) else { return left };
                if op.precedence() < level {
                    return left;
                }
                p.advance();
                let right = p.expression(op.precedence() + 1);
                left = p.binary(op, span, left, right);
            }
        })
    }

    fn unary(&mut self) -> Node {
        let token = self.current();
        let op = match token.kind {
            TokenKind::Mark("+") => UnaryOp::Plus,
            TokenKind::Mark("-") => UnaryOp::Minus,
            TokenKind::Mark("!") => UnaryOp::Not,
            TokenKind::Mark("^") => UnaryOp::Complement,
            TokenKind::Mark("&") => UnaryOp::Address,
            TokenKind::Mark("<-") if self.keyword_follows("chan") => return self.ty(),
            TokenKind::Mark("<-") => UnaryOp::Receive,
            TokenKind::Mark("*") => {
                self.advance();
                let inner = Box::new(self.nested(Parser::unary));
                let span = self.since(token.span);
                return self.node(NodeKind::Star(inner), span);
            }
            // Written together by accident: `!!a` and `- -a` are two tokens anyway, `--a`, `&&a`, `++a` are one.
            TokenKind::Mark(m @ ("--" | "++" | "&&")) => {
                self.error(token.span, format!("syntax error: unexpected {m}, expected expression"));
                self.advance();
                return self.nested(Parser::unary);
            }
            _ => return self.primary(),
        };
        self.advance();
        let operand = Box::new(self.nested(Parser::unary));
        let span = self.since(token.span);
        self.node(NodeKind::Unary { op, operand }, span)
    }

    fn keyword_follows(&self, word: &str) -> bool {
        matches!(self.tokens.get(self.at + 1), Some(Token { kind: TokenKind::Keyword(k), .. }) if *k == word)
    }

    /// An operand and all its suffixes.
    fn primary(&mut self) -> Node {
        let mut base = self.operand();
        loop {
            base = match self.current().kind {
                TokenKind::Mark(".") => self.selector(base),
                TokenKind::Mark("[") => self.index(base),
                TokenKind::Mark("(") => self.call(base),
                TokenKind::Mark("{") if may_be_type(&base) => self.composite(Some(base)),
                _ => return base,
            };
        }
    }

    fn operand(&mut self) -> Node {
        let Token { kind, span } = self.current();
        let kind = match kind {
            TokenKind::Name(n) => NodeKind::Name(n),
            TokenKind::Number(n) => NodeKind::Number(n),
            TokenKind::Text(t) => NodeKind::Text(t),
            TokenKind::Mark("(") => {
                self.advance();
                let inner = self.expression(1);
                self.expect(")");
                let span = self.since(span);
                return self.node(NodeKind::Paren(Box::new(inner)), span);
            }
            TokenKind::Mark("[") | TokenKind::Keyword("struct" | "map" | "chan" | "interface" | "func") => {
                let ty = self.ty();
                if matches!(ty.kind, NodeKind::FuncType { .. }) && self.sees("{") {
                    self.error(ty.span, "function literals can't be evaluated in a debugger");
                }
                return ty;
            }
            _ => {
                self.unexpected("expression");
                let here = Span { start: span.start, end: span.start };
                return self.node(NodeKind::Bad, here);
            }
        };
        self.advance();
        self.node(kind, span)
    }

    fn selector(&mut self, base: Node) -> Node {
        self.advance();
        let token = self.current();
        if self.take("(") {
            return self.assertion(base);
        }
        let (name, name_span) = match token.kind {
            TokenKind::Name(n) => {
                self.advance();
                (n, token.span)
            }
            _ => {
                self.unexpected("name or (");
                (String::new(), Span { start: token.span.start, end: token.span.start })
            }
        };
        let span = base.span.to(name_span);
        self.node(NodeKind::Selector { base: Box::new(base), name, name_span }, span)
    }

    /// After `base.(`.
    fn assertion(&mut self, base: Node) -> Node {
        let ty = if self.sees_keyword("type") {
            self.advance();
            None
        } else {
            Some(Box::new(self.ty()))
        };
        self.expect(")");
        let span = self.since(base.span);
        self.node(NodeKind::Assert { base: Box::new(base), ty }, span)
    }

    fn index(&mut self, base: Node) -> Node {
        self.advance();
        let mut first = if self.sees(":") { None } else { Some(self.expression(1)) };
        if self.sees(":") {
            return self.slice(base, first);
        }
        let mut indices = Vec::new();
        indices.extend(first.take());
        while self.take(",") && !self.sees("]") {
            indices.push(self.expression(1));
        }
        self.expect("]");
        let span = self.since(base.span);
        self.node(NodeKind::Index { base: Box::new(base), indices }, span)
    }

    fn slice(&mut self, base: Node, low: Option<Node>) -> Node {
        self.expect(":");
        let bound = |p: &mut Parser| (!p.sees("]") && !p.sees(":")).then(|| Box::new(p.expression(1)));
        let high = bound(self);
        let mut max = None;
        if self.sees(":") {
            let colon = self.current().span;
            self.advance();
            max = bound(self);
            if high.is_none() {
                self.error(colon, "syntax error: middle index required in 3-index slice");
            } else if max.is_none() {
                self.error(colon, "syntax error: final index required in 3-index slice");
            }
        }
        self.expect("]");
        let span = self.since(base.span);
        self.node(NodeKind::Slice { base: Box::new(base), low: low.map(Box::new), high, max }, span)
    }

    fn call(&mut self, function: Node) -> Node {
        self.advance();
        let mut arguments = Vec::new();
        let mut spread = false;
        while !self.sees(")") && !spread {
            arguments.push(self.expression(1));
            spread = self.take("...");
            if !self.take(",") {
                break;
            }
        }
        self.expect(")");
        let span = self.since(function.span);
        self.node(NodeKind::Call { function: Box::new(function), arguments, spread }, span)
    }

    /// At `{`.
    fn composite(&mut self, ty: Option<Node>) -> Node {
        let open = self.current().span;
        self.advance();
        let mut elements = Vec::new();
        while !self.sees("}") {
            let first = self.element();
            let element = if self.take(":") {
                Element { key: Some(first), value: self.element() }
            } else {
                Element { key: None, value: first }
            };
            elements.push(element);
            if !self.take(",") {
                break;
            }
        }
        self.expect("}");
        let span = self.since(ty.as_ref().map_or(open, |t| t.span));
        self.node(NodeKind::Composite { ty: ty.map(Box::new), elements }, span)
    }

    fn element(&mut self) -> Node {
        if self.sees("{") { self.nested(|p| p.composite(None)) } else { self.expression(1) }
    }
}

/// Whether `{` after this node begins a composite literal.
fn may_be_type(node: &Node) -> bool {
    match &node.kind {
        NodeKind::Name(_) | NodeKind::ArrayType { .. } | NodeKind::SliceType(_) => true,
        NodeKind::MapType { .. } | NodeKind::StructType(_) => true,
        NodeKind::Selector { base, .. } => matches!(base.kind, NodeKind::Name(_) | NodeKind::Text(_)),
        NodeKind::Index { base, .. } => may_be_type(base),
        _ => false,
    }
}

/// Height of the highest child.
fn height(kind: &NodeKind) -> u16 {
    let all = |nodes: &[Node]| nodes.iter().map(|n| n.depth).max().unwrap_or(0);
    let types = |params: &[Param]| params.iter().map(|p| p.ty.depth).max().unwrap_or(0);
    let maybe = |n: &Option<Box<Node>>| n.as_ref().map_or(0, |n| n.depth);
    match kind {
        NodeKind::Bad | NodeKind::Name(_) | NodeKind::Number(_) | NodeKind::Text(_) => 0,
        NodeKind::Paren(n) | NodeKind::Star(n) | NodeKind::SliceType(n) => n.depth,
        NodeKind::Selector { base, .. } => base.depth,
        NodeKind::Index { base, indices } => base.depth.max(all(indices)),
        NodeKind::Slice { base, low, high, max } => {
            base.depth.max(maybe(low)).max(maybe(high)).max(maybe(max))
        }
        NodeKind::Assert { base, ty } => base.depth.max(maybe(ty)),
        NodeKind::Call { function, arguments, .. } => function.depth.max(all(arguments)),
        NodeKind::Unary { operand, .. } => operand.depth,
        NodeKind::Binary { left, right, .. } => left.depth.max(right.depth),
        NodeKind::Composite { ty, elements } => {
            let of = |e: &Element| e.value.depth.max(e.key.as_ref().map_or(0, |k| k.depth));
            maybe(ty).max(elements.iter().map(of).max().unwrap_or(0))
        }
        NodeKind::ArrayType { len, elem } => maybe(len).max(elem.depth),
        NodeKind::MapType { key, value } => key.depth.max(value.depth),
        NodeKind::ChanType { elem, .. } => elem.depth,
        NodeKind::FuncType { params, results, .. } => types(params).max(types(results)),
        NodeKind::StructType(fields) | NodeKind::InterfaceType(fields) => types(fields),
    }
}
