//! Type syntax (go.dev/ref/spec#Types), where a type must stand; elsewhere types are operands of expressions.

use crate::ast::{ChanDir, Param};
use crate::parser::Parser;
use crate::{Node, NodeKind, Span, Token, TokenKind};

impl Parser {
    /// A type; a quoted full name (`"example.com/x.T"`) is one too.
    pub(crate) fn ty(&mut self) -> Node {
        self.nested(Parser::ty_inner)
    }

    fn ty_inner(&mut self) -> Node {
        let Token { kind, span } = self.current();
        match kind {
            TokenKind::Name(n) => {
                self.advance();
                let base = self.node(NodeKind::Name(n), span);
                self.type_suffix(base)
            }
            TokenKind::Text(t) => {
                self.advance();
                let base = self.node(NodeKind::Text(t), span);
                self.type_suffix(base)
            }
            TokenKind::Mark("*") => {
                self.advance();
                let inner = Box::new(self.ty());
                let span = self.since(span);
                self.node(NodeKind::Star(inner), span)
            }
            TokenKind::Mark("(") => {
                self.advance();
                let inner = Box::new(self.ty());
                self.expect(")");
                let span = self.since(span);
                self.node(NodeKind::Paren(inner), span)
            }
            TokenKind::Mark("[") => self.array_or_slice(span),
            TokenKind::Mark("<-") | TokenKind::Keyword("chan") => self.channel(span),
            TokenKind::Keyword("map") => self.map(span),
            TokenKind::Keyword("func") => {
                self.advance();
                self.signature(span)
            }
            TokenKind::Keyword("struct") => self.structure(span),
            TokenKind::Keyword("interface") => self.interface(span),
            _ => {
                self.unexpected("type");
                self.node(NodeKind::Bad, Span { start: span.start, end: span.start })
            }
        }
    }

    /// `.Name` and `[arguments]` after a type name.
    fn type_suffix(&mut self, mut base: Node) -> Node {
        if self.take(".") {
            let token = self.current();
            if let TokenKind::Name(name) = token.kind {
                self.advance();
                let span = base.span.to(token.span);
                let kind = NodeKind::Selector { base: Box::new(base), name, name_span: token.span };
                base = self.node(kind, span);
            } else {
                self.unexpected("name");
            }
        }
        if !self.take("[") {
            return base;
        }
        let mut indices = vec![self.ty()];
        while self.take(",") && !self.sees("]") {
            indices.push(self.ty());
        }
        self.expect("]");
        let span = self.since(base.span);
        self.node(NodeKind::Index { base: Box::new(base), indices }, span)
    }

    fn array_or_slice(&mut self, span: Span) -> Node {
        self.advance();
        if self.take("]") {
            let elem = Box::new(self.ty());
            let span = self.since(span);
            return self.node(NodeKind::SliceType(elem), span);
        }
        let len = if self.take("...") { None } else { Some(Box::new(self.expression(1))) };
        self.expect("]");
        let elem = Box::new(self.ty());
        let span = self.since(span);
        self.node(NodeKind::ArrayType { len, elem }, span)
    }

    fn channel(&mut self, span: Span) -> Node {
        let receive = self.take("<-");
        if self.sees_keyword("chan") {
            self.advance();
        } else {
            self.unexpected("chan");
        }
        let dir = if receive {
            ChanDir::Receive
        } else if self.take("<-") {
            ChanDir::Send
        } else {
            ChanDir::Both
        };
        let elem = Box::new(self.ty());
        let span = self.since(span);
        self.node(NodeKind::ChanType { dir, elem }, span)
    }

    fn map(&mut self, span: Span) -> Node {
        self.advance();
        self.expect("[");
        let key = Box::new(self.ty());
        self.expect("]");
        let value = Box::new(self.ty());
        let span = self.since(span);
        self.node(NodeKind::MapType { key, value }, span)
    }

    /// Parameters and results, from `(` on.
    fn signature(&mut self, span: Span) -> Node {
        let (params, variadic) = self.parameters();
        let results = if self.sees("(") {
            self.parameters().0
        } else if self.begins_type() {
            vec![Param { names: Vec::new(), ty: self.ty(), tag: None }]
        } else {
            Vec::new()
        };
        let span = self.since(span);
        self.node(NodeKind::FuncType { params, results, variadic }, span)
    }

    fn begins_type(&self) -> bool {
        match self.current().kind {
            TokenKind::Name(_) => true,
            TokenKind::Mark(m) => matches!(m, "*" | "[" | "<-"),
            TokenKind::Keyword(k) => matches!(k, "chan" | "map" | "func" | "struct" | "interface"),
            _ => false,
        }
    }

    /// A parameter list: `(a, b int, c ...string)`, `(int, string)`.
    fn parameters(&mut self) -> (Vec<Param>, bool) {
        let mut params: Vec<Param> = Vec::new();
        // Entries that may still turn out to be names of the next type.
        let mut undecided = 0;
        let mut variadic = false;
        self.expect("(");
        while !self.sees(")") {
            variadic = self.take("...");
            let first = self.ty();
            let named = !variadic && !self.sees(",") && !self.sees(")");
            match first.kind {
                NodeKind::Name(last) if named => {
                    variadic = self.take("...");
                    let ty = self.ty();
                    let mut names: Vec<String> =
                        params.split_off(undecided).into_iter().filter_map(|p| type_name(p.ty)).collect();
                    names.push(last);
                    params.push(Param { names, ty, tag: None });
                    undecided = params.len();
                }
                _ => params.push(Param { names: Vec::new(), ty: first, tag: None }),
            }
            if !self.take(",") {
                break;
            }
        }
        self.expect(")");
        (params, variadic)
    }

    fn structure(&mut self, span: Span) -> Node {
        self.advance();
        self.expect("{");
        let mut fields = Vec::new();
        while !self.sees("}") {
            let before = fields.len();
            self.fields(&mut fields);
            if !self.take(";") || fields.len() == before {
                break;
            }
        }
        self.expect("}");
        let span = self.since(span);
        self.node(NodeKind::StructType(fields), span)
    }

    /// `a, b T "tag"`, or an embedded type.
    fn fields(&mut self, fields: &mut Vec<Param>) {
        let first = self.ty();
        let mut names = Vec::new();
        if let NodeKind::Name(n) = &first.kind {
            names.push(n.clone());
        }
        while !names.is_empty() && self.take(",") {
            match self.current().kind {
                TokenKind::Name(n) => {
                    self.advance();
                    names.push(n);
                }
                _ => self.unexpected("name"),
            }
        }
        let embedded = names.is_empty() || names.len() == 1 && !self.begins_type();
        let ty = if embedded { first } else { self.ty() };
        let tag = match self.current().kind {
            TokenKind::Text(t) => {
                self.advance();
                Some(t)
            }
            _ => None,
        };
        if embedded {
            names.clear();
        }
        fields.push(Param { names, ty, tag });
    }

    fn interface(&mut self, span: Span) -> Node {
        self.advance();
        self.expect("{");
        let mut methods = Vec::new();
        while !self.sees("}") {
            let start = self.current().span;
            let first = self.ty();
            match first.kind {
                NodeKind::Bad => break,
                NodeKind::Name(name) if self.sees("(") => {
                    let ty = self.signature(start);
                    methods.push(Param { names: vec![name], ty, tag: None });
                }
                _ => methods.push(Param { names: Vec::new(), ty: first, tag: None }),
            }
            if !self.take(";") {
                break;
            }
        }
        self.expect("}");
        let span = self.since(span);
        self.node(NodeKind::InterfaceType(methods), span)
    }
}

fn type_name(ty: Node) -> Option<String> {
    match ty.kind {
        NodeKind::Name(n) => Some(n),
        _ => None,
    }
}
