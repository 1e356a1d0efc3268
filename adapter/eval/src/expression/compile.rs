//! From the syntax tree to the program: names get their meaning, types are checked as far as they are known, constants are folded.
//! Everything that can be refused without running is refused here, with the place of the fault. Must never read a frame.

use std::sync::Arc;

use expr::{BinaryOp, Node, NodeKind, Span, UnaryOp};
use golang::{Place, Value};
use image::{Kind, Shape, TypeId};

use super::cx::Cx;
use super::error::EvalError;
use super::names::{Meaning, Names, shared};
use super::operand::{Operand, Static, TypeRef};
use super::program::{Builtin, Intrinsic, Op, Program, Special};
use super::registers::{self, RegisterRef};
use super::typing::Common;
use super::{number::Numeric, operate};

/// What an expression is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Any value.
    Value,
    /// A breakpoint's condition: must be a bool.
    Condition,
}

/// Compiles `text` for the place that `names` stands for. Run it as often as that place is reached.
pub fn compile(text: &str, names: &Names<'_>, purpose: Purpose) -> Result<Program, EvalError> {
    let parsed = expr::parse(text);
    match parsed.errors.first() {
        Some(e) => Err(EvalError::syntax(text, e)),
        None => compile_node(text, &parsed.root, names, purpose),
    }
}

/// The same for a tree whose spans count in `text`.
pub(crate) fn compile_node(
    text: &str,
    node: &Node,
    names: &Names<'_>,
    purpose: Purpose,
) -> Result<Program, EvalError> {
    let scratch = super::Scratch::new();
    let cx = Cx { process: names.process, scratch: &scratch };
    let mut c = Compiler::new(names, cx, text);
    let result = c.top(node)?;
    let may_be_bool = match &result {
        Static::Bool | Static::Dynamic => true,
        Static::Typed(t) => cx.kind(*t) == Kind::Bool,
        _ => false,
    };
    if purpose == Purpose::Condition && !may_be_bool {
        let what = cx.describe(&result, node.span.of(text));
        return Err(c.error(node.span, format!("non-boolean condition: {what}")));
    }
    let result = if let Static::Typed(t) = result { Some(t) } else { None };
    let program = Program {
        text: text.into(),
        ops: c.ops,
        spans: c.spans,
        variables: c.variables,
        result,
        may_be_bool,
    };
    program.verify().map_err(|why| EvalError::new(text, node.span, format!("internal error: {why}")))?;
    Ok(program)
}

pub(crate) struct Compiler<'a> {
    pub(crate) names: &'a Names<'a>,
    pub(crate) cx: Cx<'a>,
    pub(crate) text: &'a str,
    pub(crate) ops: Vec<Op>,
    spans: Vec<Span>,
    variables: Vec<image::ScopeVariable>,
    /// The type that an untyped constant here becomes when it is shifted by a variable; see [`super::shift`].
    pub(super) wanted: Option<TypeId>,
}

impl<'a> Compiler<'a> {
    pub(crate) fn new(names: &'a Names<'a>, cx: Cx<'a>, text: &'a str) -> Compiler<'a> {
        Compiler { names, cx, text, ops: Vec::new(), spans: Vec::new(), variables: Vec::new(), wanted: None }
    }

    pub(crate) fn error(&self, span: Span, message: impl Into<String>) -> EvalError {
        EvalError::new(self.text, span, message)
    }

    pub(crate) fn emit(&mut self, op: Op, span: Span) {
        self.ops.push(op);
        self.spans.push(span);
    }

    pub(crate) fn push(&mut self, o: Operand, span: Span) -> Static {
        let s = o.statics();
        self.emit(Op::Push(o), span);
        s
    }

    pub(crate) fn mark(&self) -> usize {
        self.ops.len()
    }

    /// Drops what was emitted after the mark.
    pub(crate) fn rewind(&mut self, mark: usize) {
        self.ops.truncate(mark);
        self.spans.truncate(mark);
    }

    /// A type as it is known before the run: a type parameter's is not.
    pub(crate) fn typed(&self, ty: TypeId) -> Static {
        match self.cx.process.type_of(ty).map(|t| matches!(t.shape, Shape::Param { .. })) {
            Ok(false) => Static::Typed(ty),
            _ => Static::Dynamic,
        }
    }

    /// The whole expression: a type may stand alone (its description is the answer).
    fn top(&mut self, node: &Node) -> Result<Static, EvalError> {
        match self.as_type(node) {
            Ok(Some(t)) if !matches!(node.unparen().kind, NodeKind::Text(_)) => {
                if let TypeRef::Missing(name) = &t {
                    return Err(
                        self.error(node.span, format!("undefined: {name} (the program has no such type)"))
                    );
                }
                Ok(self.push(Operand::Type(t), node.span))
            }
            _ => self.expression(node),
        }
    }

    /// Emits what leaves the node's value on the stack.
    pub(crate) fn expression(&mut self, node: &Node) -> Result<Static, EvalError> {
        let around = self.wanted;
        // Arguments, indices and the like have surroundings of their own.
        if !matches!(node.kind, NodeKind::Paren(_) | NodeKind::Unary { .. } | NodeKind::Binary { .. }) {
            self.wanted = None;
        }
        let result = self.expression_within(node);
        self.wanted = around;
        result
    }

    fn expression_within(&mut self, node: &Node) -> Result<Static, EvalError> {
        let span = node.span;
        match &node.kind {
            NodeKind::Bad => Err(self.error(span, "syntax error")),
            NodeKind::Name(n) => self.name(n, span),
            NodeKind::Number(c) => Ok(self.push(Operand::Number(c.clone()), span)),
            NodeKind::Text(t) => Ok(self.push(Operand::Text(t.as_slice().into()), span)),
            NodeKind::Paren(inner) => self.expression(inner),
            NodeKind::Selector { base, name, name_span } => self.selector(node, base, name, *name_span),
            NodeKind::Index { base, indices } => self.index(node, base, indices),
            NodeKind::Slice { base, low, high, max } => {
                let bounds = [low.as_deref(), high.as_deref(), max.as_deref()];
                self.slice(node, base, bounds)
            }
            NodeKind::Assert { base, ty } => self.assertion(node, base, ty.as_deref()),
            NodeKind::Call { function, arguments, spread } => self.call(node, function, arguments, *spread),
            NodeKind::Star(inner) => self.star(node, inner),
            NodeKind::Unary { op, operand } => self.unary(node, *op, operand),
            NodeKind::Binary { op, left, right, op_span } if op.is_logical() => {
                self.logical(*op, *op_span, left, right)
            }
            NodeKind::Binary { op, left, right, .. } => self.binary(node, *op, left, right),
            NodeKind::Composite { ty, elements } => self.composite(node, ty.as_deref(), elements),
            _ => Err(self.error(span, format!("{} (type) is not an expression", span.of(self.text)))),
        }
    }

    /// Emits the value and has its bytes read, for operators on scalars.
    pub(crate) fn operand(&mut self, node: &Node) -> Result<Static, EvalError> {
        let s = self.expression(node)?;
        let scalar = match &s {
            Static::Typed(t) => {
                let kind = self.cx.kind(*t);
                Numeric::of(kind).is_some()
                    || matches!(
                        kind,
                        Kind::Bool | Kind::String | Kind::Pointer | Kind::Chan | Kind::UnsafePointer
                    )
            }
            _ => false,
        };
        if scalar
            && !matches!(
                self.ops.last(),
                Some(Op::Push(Operand::Value(Value { place: Place::Bytes { .. }, .. })))
            )
        {
            self.emit(Op::Load, node.span);
        }
        Ok(s)
    }

    fn name(&mut self, name: &str, span: Span) -> Result<Static, EvalError> {
        match self.names.lookup(name) {
            Ok(Some(meaning)) => self.meaning(meaning, name, span),
            Ok(None) => self.universe(name, span),
            Err(why) => self.universe(name, span).map_err(|_| self.error(span, why)),
        }
    }

    fn meaning(&mut self, meaning: Meaning, name: &str, span: Span) -> Result<Static, EvalError> {
        match meaning {
            Meaning::Local(v) => {
                let ty = v.ty;
                let i = match self.variables.iter().position(|known| known.die == v.die) {
                    Some(i) => i,
                    None => {
                        self.variables.push(v);
                        self.variables.len() - 1
                    }
                };
                self.emit(Op::Variable(u32::try_from(i).unwrap_or(u32::MAX)), span);
                Ok(self.typed(ty))
            }
            Meaning::Global(v) => Ok(self.push(Operand::Value(v), span)),
            Meaning::Constant { value, ty } => {
                let number = Operand::Number(expr::Constant::int(value));
                match ty {
                    Some(ty) => {
                        let v = self.cx.typed_value(number, ty).map_err(|why| self.error(span, why))?;
                        Ok(self.push(Operand::Value(v), span))
                    }
                    None => Ok(self.push(number, span)),
                }
            }
            Meaning::Function(f) => Ok(self.push(Operand::Function(f), span)),
            Meaning::Type(_) => Err(self.error(span, format!("{name} (type) is not an expression"))),
        }
    }

    /// What needs no declaration: Go's own names, registers.
    fn universe(&mut self, name: &str, span: Span) -> Result<Static, EvalError> {
        match name {
            "nil" => return Ok(self.push(Operand::Nil, span)),
            "true" | "false" => return Ok(self.push(Operand::Bool(name == "true"), span)),
            "iota" => return Err(self.error(span, "cannot use iota outside constant declaration")),
            "_" => return Err(self.error(span, "cannot use _ as value")),
            _ => {}
        }
        if super::types::predeclared(name).is_some() {
            return Err(self.error(span, format!("{name} (type) is not an expression")));
        }
        if Builtin::ALL.iter().any(|b| b.0 == name) || Intrinsic::ALL.iter().any(|i| i.0 == name) {
            return Err(self.error(span, format!("{name} (built-in) must be called")));
        }
        if let Some(r) = registers::by_name(name, self.cx.process.image.arch()) {
            return self.register(r, span);
        }
        if !self.names.packages(name).is_empty() {
            return Err(self.error(span, format!("use of package {name} without selector")));
        }
        let near = self.names.similar(name).map_or(String::new(), |n| format!(" (did you mean {n}?)"));
        Err(self.error(span, format!("undefined: {name}{near}")))
    }

    fn register(&mut self, r: RegisterRef, span: Span) -> Result<Static, EvalError> {
        let ty = self.cx.register_type(r).map_err(|why| self.error(span, why))?;
        self.emit(Op::Register(r), span);
        Ok(Static::Typed(ty))
    }

    pub(crate) fn is_variable(&self, name: &str) -> bool {
        matches!(
            self.names.lookup(name),
            Ok(Some(Meaning::Local(_) | Meaning::Global(_) | Meaning::Constant { .. }))
        )
    }

    /// A qualifier: no variable of this name is in the way.
    pub(crate) fn is_package(&self, name: &str) -> bool {
        !self.is_variable(name) && (name == "unsafe" || !self.names.packages(name).is_empty())
    }

    fn selector(
        &mut self,
        node: &Node,
        base: &Node,
        name: &str,
        name_span: Span,
    ) -> Result<Static, EvalError> {
        match &base.unparen().kind {
            NodeKind::Name(q) if !self.is_variable(q) => {
                if let Some(s) = self.qualified(node, q, name)? {
                    return Ok(s);
                }
            }
            NodeKind::Text(path) => {
                let path = String::from_utf8_lossy(path).into_owned();
                return match self.names.qualified(&path, name).map_err(|why| self.error(node.span, why))? {
                    Some(m) => self.meaning(m, name, node.span),
                    None if self.names.packages(&path).is_empty() => {
                        Err(self.error(base.span, format!("undefined: the program has no package {path:?}")))
                    }
                    None => Err(self.error(name_span, format!("undefined: {path:?}.{name}"))),
                };
            }
            _ => {}
        }
        if let Some(TypeRef::Known(ty)) = self.as_type(base)? {
            return self.method_expression(node, ty, name);
        }
        let s = self.expression(base)?;
        let text = base.span.of(self.text);
        match s {
            Static::Typed(t) => {
                let path = self.cx.find_selector(t, name, text).map_err(|why| self.error(name_span, why))?;
                let result = match path.statics() {
                    Static::Typed(t) => self.typed(t),
                    other => other,
                };
                self.emit(Op::Path(Arc::new(path)), name_span);
                Ok(result)
            }
            Static::Dynamic => {
                self.emit(Op::Select(shared(name)), name_span);
                Ok(Static::Dynamic)
            }
            other => {
                let what = self.cx.type_text(&other);
                Err(self.error(
                    name_span,
                    format!("{text}.{name} undefined (type {what} has no field or method {name})"),
                ))
            }
        }
    }

    /// `q.name` where `q` is no variable.
    fn qualified(&mut self, node: &Node, q: &str, name: &str) -> Result<Option<Static>, EvalError> {
        let special = match (q, name) {
            ("runtime", "curg") => Some(Special::CurrentG),
            ("runtime", "frameoff") => Some(Special::FrameOffset),
            ("runtime", "threadid") => Some(Special::ThreadId),
            _ => None,
        };
        if let Some(special) = special {
            let ty = self.cx.special_type(special).map_err(|why| self.error(node.span, why))?;
            self.emit(Op::Special(special), node.span);
            return Ok(Some(Static::Typed(ty)));
        }
        if let Some(r @ RegisterRef::Vector { .. }) = registers::by_name(q, self.cx.process.image.arch()) {
            let lanes = r.with_lanes(name).map_err(|why| self.error(node.span, why))?;
            return self.register(lanes, node.span).map(Some);
        }
        if !self.is_package(q) {
            return Ok(None);
        }
        match self.names.qualified(q, name).map_err(|why| self.error(node.span, why))? {
            Some(m) => self.meaning(m, node.span.of(self.text), node.span).map(Some),
            None => Err(self.error(node.span, format!("undefined: {q}.{name}"))),
        }
    }

    /// `T.Method`, `(*T).Method`.
    fn method_expression(&mut self, node: &Node, ty: TypeId, name: &str) -> Result<Static, EvalError> {
        match self.cx.method_expression(ty, name) {
            Some(f) => Ok(self.push(Operand::Function(f), node.span)),
            None => {
                let (text, ty) = (node.span.of(self.text), self.cx.name(ty));
                Err(self.error(node.span, format!("{text} undefined (type {ty} has no method {name})")))
            }
        }
    }

    fn index(&mut self, node: &Node, base: &Node, indices: &[Node]) -> Result<Static, EvalError> {
        if matches!(self.as_type(node), Ok(Some(_))) {
            return Err(
                self.error(node.span, format!("{} (type) is not an expression", node.span.of(self.text)))
            );
        }
        let [index] = indices else {
            return Err(self.error(node.span, "unexpected comma; expecting ]"));
        };
        let container = self.expression(base)?;
        let at = self.operand(index)?;
        let text = base.span.of(self.text);
        let result =
            self.cx.index_result(&container, &at, text).map_err(|why| self.error(index.span, why))?;
        self.emit(Op::Index, node.span);
        Ok(match result {
            Static::Typed(t) => self.typed(t),
            other => other,
        })
    }

    fn slice(&mut self, node: &Node, base: &Node, bounds: [Option<&Node>; 3]) -> Result<Static, EvalError> {
        let container = self.expression(base)?;
        for bound in bounds.into_iter().flatten() {
            let s = self.operand(bound)?;
            let good = match &s {
                Static::Number(c) => c.to_int().is_some_and(|i| i >= 0),
                Static::Typed(t) => self.cx.numeric(*t).is_some_and(Numeric::is_int),
                Static::Dynamic => true,
                _ => false,
            };
            if !good {
                let what = self.cx.describe(&s, bound.span.of(self.text));
                return Err(self.error(
                    bound.span,
                    format!("invalid argument: slice index {what} must be a non-negative integer"),
                ));
            }
        }
        let [low, high, max] = bounds.map(|b| b.is_some());
        let text = base.span.of(self.text);
        let result = self.cx.slice_result(&container, max, text).map_err(|why| self.error(base.span, why))?;
        self.emit(Op::Slice { low, high, max }, node.span);
        Ok(result)
    }

    fn assertion(&mut self, node: &Node, base: &Node, ty: Option<&Node>) -> Result<Static, EvalError> {
        let text = base.span.of(self.text);
        let Some(ty) = ty else {
            let hint = format!(
                "invalid syntax tree: use of .(type) outside type switch; typeof({text}) gives the type"
            );
            return Err(self.error(node.span, hint));
        };
        let s = self.expression(base)?;
        let interface = match &s {
            Static::Typed(t) => self.cx.kind(*t) == Kind::Interface,
            other => matches!(other, Static::Dynamic),
        };
        if !interface {
            let what = self.cx.describe(&s, text);
            return Err(self.error(base.span, format!("invalid operation: {what} is not an interface")));
        }
        if matches!(&ty.kind, NodeKind::Name(n) if n == "data") && !matches!(self.as_type(ty), Ok(Some(_))) {
            self.emit(Op::Inside, node.span);
            return Ok(Static::Dynamic);
        }
        let wanted = self.need_type(ty)?;
        let result = match &wanted {
            TypeRef::Known(id) => self.typed(*id),
            _ => Static::Dynamic,
        };
        self.emit(Op::Assert(wanted), node.span);
        Ok(result)
    }

    fn star(&mut self, node: &Node, inner: &Node) -> Result<Static, EvalError> {
        if let Ok(Some(_)) = self.as_type(node) {
            return Err(
                self.error(node.span, format!("{} (type) is not an expression", node.span.of(self.text)))
            );
        }
        let s = self.operand(inner)?;
        let text = inner.span.of(self.text);
        let result = self.cx.deref_result(&s, text).map_err(|why| self.error(node.span, why))?;
        self.emit(Op::Deref, node.span);
        Ok(match result {
            Static::Typed(t) => self.typed(t),
            other => other,
        })
    }

    fn unary(&mut self, node: &Node, op: UnaryOp, operand: &Node) -> Result<Static, EvalError> {
        let text = operand.span.of(self.text);
        if op == UnaryOp::Address {
            let s = self.expression(operand)?;
            self.emit(Op::Address, node.span);
            return match s {
                Static::Typed(t) => Ok(Static::Typed(self.cx.process.pointer_to(t))),
                Static::Dynamic => Ok(Static::Dynamic),
                other => {
                    let what = self.cx.describe(&other, text);
                    Err(self.error(node.span, format!("invalid operation: cannot take address of {what}")))
                }
            };
        }
        let mark = self.mark();
        let s = self.operand(operand)?;
        if let Static::Number(c) = &s {
            let folded = c.unary(op).map_err(|e| self.error(node.span, e.to_string()))?;
            self.rewind(mark);
            return Ok(self.push(Operand::Number(folded), node.span));
        }
        let result = self.cx.unary_result(op, &s, text).map_err(|why| self.error(node.span, why))?;
        self.emit(Op::Unary(op), node.span);
        Ok(result)
    }

    fn logical(
        &mut self,
        op: BinaryOp,
        op_span: Span,
        left: &Node,
        right: &Node,
    ) -> Result<Static, EvalError> {
        let l = self.operand(left)?;
        let jump = self.ops.len();
        self.emit(Op::JumpIf { when: op == BinaryOp::OrElse, to: 0 }, left.span);
        let r = self.operand(right)?;
        let common = self.common(op, op_span, (&l, left), (&r, right))?;
        self.emit(Op::Boolean(op), right.span);
        let end = self.ops.len();
        if let Some(Op::JumpIf { to, .. }) = self.ops.get_mut(jump) {
            *to = end;
        }
        Ok(self.cx.binary_result(op, common, &l))
    }

    pub(super) fn common(
        &self,
        op: BinaryOp,
        span: Span,
        l: (&Static, &Node),
        r: (&Static, &Node),
    ) -> Result<Common, EvalError> {
        let side = |s: (&'_ Static, &Node)| s.1.span.of(self.text).to_string();
        self.cx.common(op, l.0, r.0).map_err(|fault| {
            let (a, b) = (side(l), side(r));
            self.error(span, self.cx.fault_text(fault, op, (l.0, &a), (r.0, &b)))
        })
    }

    fn binary(&mut self, node: &Node, op: BinaryOp, left: &Node, right: &Node) -> Result<Static, EvalError> {
        let mark = self.mark();
        let (l, r, common) = self.sides(op, node, left, right)?;
        if common == Common::Constants
            && let (Some(a), Some(b)) = (constant(&l), constant(&r))
        {
            let folded = operate::constants(op, &a, &b).map_err(|why| self.error(node.span, why))?;
            self.rewind(mark);
            return Ok(self.push(folded, node.span));
        }
        if let (BinaryOp::Div | BinaryOp::Rem, Static::Number(c), Common::Typed(t)) = (op, &r, common)
            && c.is_zero()
            && self.cx.numeric(t).is_some_and(Numeric::is_int)
        {
            return Err(self.error(right.span, "invalid operation: division by zero"));
        }
        self.emit(Op::Binary { op, left: left.span, right: right.span }, node.span);
        Ok(self.cx.binary_result(op, common, &l))
    }

    /// One side of an operator. Beside `typeof(x)` stands a type, which need not be in the program.
    pub(super) fn side(&mut self, op: BinaryOp, node: &Node, other: &Node) -> Result<Static, EvalError> {
        if !op.is_equality() || !self.is_typeof(other) || self.is_typeof(node) {
            return self.operand(node);
        }
        match &node.unparen().kind {
            NodeKind::Text(_) => return self.operand(node),
            NodeKind::Name(n) if n == "nil" || self.is_variable(n) => return self.operand(node),
            _ => {}
        }
        let t = match self.as_type(node) {
            Ok(Some(t)) => t,
            _ => TypeRef::Missing(shared(&self.spelled(node))),
        };
        Ok(self.push(Operand::Type(t), node.span))
    }

    fn is_typeof(&self, node: &Node) -> bool {
        match &node.unparen().kind {
            NodeKind::Call { function, .. } => {
                matches!(&function.kind, NodeKind::Name(n) if n == "typeof") && !self.is_variable("typeof")
            }
            _ => false,
        }
    }
}

/// An untyped constant as an operand.
fn constant(s: &Static) -> Option<Operand> {
    match s {
        Static::Number(c) => Some(Operand::Number(c.clone())),
        Static::Text(t) => Some(Operand::Text(t.clone())),
        _ => None,
    }
}
