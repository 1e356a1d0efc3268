//! What looks like a call: builtins, intrinsics, conversions, `delve.catch`; and composite literals. Calls of the program's own
//! functions are refused with a sentence: nothing here makes the program run.

use std::sync::Arc;

use expr::{Constant, Element, Node, NodeKind, Span};
use image::{Kind, Shape, TypeId};

use super::compile::Compiler;
use super::error::EvalError;
use super::operand::{Operand, Static};
use super::program::{Builtin, Intrinsic, Op};
use super::typing::nilable;

/// Builtins that change the program or allocate in it.
const REFUSED: [&str; 12] = [
    "append", "new", "make", "copy", "delete", "clear", "close", "panic", "recover", "print", "println",
    "call",
];

impl Compiler<'_> {
    pub(crate) fn call(
        &mut self,
        node: &Node,
        function: &Node,
        arguments: &[Node],
        spread: bool,
    ) -> Result<Static, EvalError> {
        let callee = function.unparen();
        if let NodeKind::Name(n) = &callee.kind
            && !matches!(self.names.lookup(n), Ok(Some(_)))
        {
            if let Some((_, builtin)) = Builtin::ALL.iter().find(|b| b.0 == n) {
                return self.builtin(node, *builtin, arguments, spread);
            }
            if let Some((_, intrinsic)) = Intrinsic::ALL.iter().find(|i| i.0 == n) {
                return self.intrinsic(node, n, *intrinsic, arguments);
            }
            if REFUSED.contains(&n.as_str()) {
                return Err(self
                    .error(node.span, format!("{n} would change the program; an expression only reads it")));
            }
        }
        if let NodeKind::Selector { base, name, .. } = &callee.kind
            && let NodeKind::Name(q) = &base.kind
            && !self.is_variable(q)
        {
            match (q.as_str(), name.as_str()) {
                ("delve", "catch") => return self.catch(node, arguments),
                ("unsafe", "Sizeof" | "Alignof") => return self.size_of(node, name, arguments),
                _ => {}
            }
        }
        // In a call's place a quoted name in a pointer is a type: (*"example.com/x.T")(addr).
        if self.as_type(function)?.is_some() {
            let ty = self.known_type(function)?;
            return self.conversion(node, ty, arguments, spread);
        }
        self.refuse_call(node, function)
    }

    fn refuse_call(&mut self, node: &Node, function: &Node) -> Result<Static, EvalError> {
        let text = function.span.of(self.text).to_string();
        let called = match self.expression(function)? {
            Static::Function | Static::Dynamic => true,
            Static::Typed(t) => self.cx.kind(t) == Kind::Func,
            _ => false,
        };
        if !called {
            return Err(
                self.error(function.span, format!("invalid operation: cannot call non-function {text}"))
            );
        }
        Err(self.error(
            node.span,
            format!(
                "calling {text} would run the program, which expressions don't do yet; {text} without parentheses shows which function it is"
            ),
        ))
    }

    fn builtin(
        &mut self,
        node: &Node,
        builtin: Builtin,
        arguments: &[Node],
        spread: bool,
    ) -> Result<Static, EvalError> {
        if spread {
            return Err(self.error(
                node.span,
                format!("invalid operation: invalid use of ... with built-in {}", builtin.name()),
            ));
        }
        let mark = self.ops.len();
        let mut statics = Vec::new();
        for a in arguments {
            statics.push((self.expression(a)?, a.span.of(self.text)));
        }
        let result = self.cx.builtin_result(builtin, &statics).map_err(|why| self.error(node.span, why))?;
        let count = arguments.len();
        self.emit(Op::Builtin { builtin, count }, node.span);
        // Of constants only: computed now, so that the result is a constant as well.
        let constants: Vec<Operand> = statics
            .iter()
            .filter_map(|(s, _)| match s {
                Static::Number(c) => Some(Operand::Number(c.clone())),
                Static::Text(t) => Some(Operand::Text(t.clone())),
                _ => None,
            })
            .collect();
        if constants.len() == count {
            let folded = self.cx.builtin(builtin, constants).map_err(|why| self.error(node.span, why))?;
            self.rewind(mark);
            return Ok(self.push(folded, node.span));
        }
        Ok(result)
    }

    fn intrinsic(
        &mut self,
        node: &Node,
        name: &str,
        intrinsic: Intrinsic,
        arguments: &[Node],
    ) -> Result<Static, EvalError> {
        let [argument] = arguments else {
            return Err(self.error(node.span, format!("{name} takes one argument, as in {name}(x)")));
        };
        if intrinsic == Intrinsic::TypeOf
            && let Some(t) = self.as_type(argument)?
        {
            return Ok(self.push(Operand::Type(t), node.span));
        }
        let s = self.expression(argument)?;
        if let (Intrinsic::Itab, Static::Typed(t)) = (intrinsic, &s)
            && self.cx.kind(*t) != Kind::Interface
        {
            let what = self.cx.describe(&s, argument.span.of(self.text));
            return Err(self.error(
                argument.span,
                format!("itab takes an interface value, not {what}; typeof gives its type"),
            ));
        }
        self.emit(Op::Intrinsic(intrinsic), node.span);
        Ok(if intrinsic == Intrinsic::TypeOf { Static::Type } else { Static::Shown })
    }

    /// `delve.catch(expr)`: an error while it runs is `false`.
    fn catch(&mut self, node: &Node, arguments: &[Node]) -> Result<Static, EvalError> {
        let [argument] = arguments else {
            return Err(self.error(node.span, "delve.catch takes one expression"));
        };
        let at = self.ops.len();
        self.emit(Op::Catch { to: 0 }, node.span);
        self.expression(argument)?;
        self.emit(Op::EndCatch, node.span);
        let end = self.ops.len();
        if let Some(Op::Catch { to }) = self.ops.get_mut(at) {
            *to = end;
        }
        // A value or false: known when it runs.
        Ok(Static::Dynamic)
    }

    fn size_of(&mut self, node: &Node, name: &str, arguments: &[Node]) -> Result<Static, EvalError> {
        let [argument] = arguments else {
            return Err(self.error(node.span, format!("unsafe.{name} takes one argument")));
        };
        let mark = self.ops.len();
        let ty = match self.expression(argument)? {
            Static::Typed(t) => t,
            other => {
                let what = self.cx.describe(&other, argument.span.of(self.text));
                return Err(self.error(argument.span, format!("the size of {what} is not known")));
            }
        };
        self.rewind(mark);
        let n = if name == "Sizeof" { self.cx.size(ty) } else { self.alignment(ty, 16) };
        let size = Operand::Number(Constant::int(i128::from(n)));
        let uintptr = self.cx.basic("uintptr").map_err(|why| self.error(node.span, why))?;
        let v = self.cx.typed_value(size, uintptr).map_err(|why| self.error(node.span, why))?;
        Ok(self.push(Operand::Value(v), node.span))
    }

    fn alignment(&self, ty: TypeId, depth: usize) -> u64 {
        let Some(depth) = depth.checked_sub(1) else { return 8 };
        let Ok(t) = self.cx.ty(ty) else { return 1 };
        match (&t.shape, t.kind) {
            (Shape::Struct { fields }, _) => {
                fields.iter().map(|f| self.alignment(f.ty, depth)).max().unwrap_or(1)
            }
            (Shape::Array { elem, .. }, _) => self.alignment(*elem, depth),
            (_, Kind::Complex64) => 4,
            _ => t.size.clamp(1, 8),
        }
    }

    fn conversion(
        &mut self,
        node: &Node,
        ty: TypeId,
        arguments: &[Node],
        spread: bool,
    ) -> Result<Static, EvalError> {
        let name = self.cx.name(ty);
        let argument = match arguments {
            [one] if !spread => one,
            [] => return Err(self.error(node.span, format!("missing argument in conversion to {name}"))),
            _ => return Err(self.error(node.span, format!("too many arguments in conversion to {name}"))),
        };
        self.wanted = self.cx.numeric(ty).map(|_| ty);
        let s = self.operand(argument)?;
        self.wanted = None;
        self.cx.convertible(&s, ty).map_err(|why| {
            let what = self.cx.describe(&s, argument.span.of(self.text));
            self.error(argument.span, format!("cannot convert {what} {why}"))
        })?;
        self.emit(Op::Convert(ty), node.span);
        Ok(self.typed(ty))
    }

    /// `T{...}` of a struct or an array, for comparison and assignment.
    pub(crate) fn composite(
        &mut self,
        node: &Node,
        ty: Option<&Node>,
        elements: &[Element],
    ) -> Result<Static, EvalError> {
        let Some(ty) = ty else {
            return Err(self.error(node.span, "invalid composite literal type: missing type"));
        };
        let ty = match &ty.kind {
            NodeKind::ArrayType { len: None, elem } => {
                let elem = self.known_type(elem)?;
                self.cx.process.array_of(elem, elements.len() as u64)
            }
            _ => self.known_type(ty)?,
        };
        self.literal(node.span, ty, elements)
    }

    fn literal(&mut self, span: Span, ty: TypeId, elements: &[Element]) -> Result<Static, EvalError> {
        let t = self.cx.ty(ty).map_err(|why| self.error(span, why))?;
        const LARGEST: u64 = 1 << 20;
        if t.size > LARGEST {
            return Err(
                self.error(span, format!("a literal of {} bytes is too large for an expression", t.size))
            );
        }
        let places = match &t.shape {
            Shape::Struct { fields } => {
                let fields: Vec<(Arc<str>, TypeId, u64)> =
                    fields.iter().map(|f| (f.name.clone(), f.ty, f.offset)).collect();
                self.struct_elements(span, ty, &fields, elements)?
            }
            Shape::Array { elem, len } => self.array_elements(*elem, *len, elements)?,
            _ => {
                let name = self.cx.name(ty);
                return Err(self.error(
                    span,
                    format!("a literal of type {name} would have to be allocated in the program; only structs and arrays can be written here"),
                ));
            }
        };
        self.emit(Op::Composite { ty, places: places.into() }, span);
        Ok(Static::Typed(ty))
    }

    fn struct_elements(
        &mut self,
        span: Span,
        ty: TypeId,
        fields: &[(Arc<str>, TypeId, u64)],
        elements: &[Element],
    ) -> Result<Vec<u64>, EvalError> {
        let name = self.cx.name(ty);
        let keyed = elements.first().is_some_and(|e| e.key.is_some());
        if !keyed && !elements.is_empty() && elements.len() != fields.len() {
            let few = if elements.len() < fields.len() { "few" } else { "many" };
            return Err(self.error(span, format!("too {few} values in struct literal of type {name}")));
        }
        let mut places = Vec::new();
        for (i, e) in elements.iter().enumerate() {
            let field = match (&e.key, keyed) {
                (Some(key), true) => {
                    let text = key.span.of(self.text);
                    let found = fields.iter().find(|f| matches!(&key.kind, NodeKind::Name(n) if **n == *f.0));
                    found.ok_or_else(|| {
                        self.error(key.span, format!("unknown field {text} in struct literal of type {name}"))
                    })?
                }
                (None, false) => match fields.get(i) {
                    Some(f) => f,
                    None => {
                        return Err(
                            self.error(span, format!("too many values in struct literal of type {name}"))
                        );
                    }
                },
                _ => {
                    return Err(self
                        .error(e.value.span, "mixture of field:value and value elements in struct literal"));
                }
            };
            self.element(&e.value, field.1)?;
            places.push(field.2);
        }
        Ok(places)
    }

    fn array_elements(
        &mut self,
        elem: TypeId,
        len: u64,
        elements: &[Element],
    ) -> Result<Vec<u64>, EvalError> {
        let size = self.cx.size(elem);
        let mut places = Vec::new();
        let mut next = 0u64;
        for e in elements {
            if let Some(key) = &e.key {
                let mut inner = Compiler::new(self.names, self.cx, self.text);
                next = match inner.expression(key)? {
                    Static::Number(c) => c.to_int().and_then(|i| u64::try_from(i).ok()).unwrap_or(u64::MAX),
                    _ => return Err(self.error(key.span, "index must be a constant")),
                };
            }
            if next >= len {
                let what = format!("invalid argument: index {next} out of bounds [0:{len}]");
                return Err(self.error(e.value.span, what));
            }
            self.element(&e.value, elem)?;
            places.push(next.wrapping_mul(size));
            next += 1;
        }
        Ok(places)
    }

    /// An element's value; a literal inside may leave out its type.
    fn element(&mut self, value: &Node, ty: TypeId) -> Result<(), EvalError> {
        if let NodeKind::Composite { ty: None, elements } = &value.kind {
            return self.literal(value.span, ty, elements).map(drop);
        }
        let s = self.expression(value)?;
        self.assignable(&s, value, ty, "struct literal")
    }

    /// Whether Go would assign the value to a variable of type `ty`.
    pub(crate) fn assignable(
        &self,
        s: &Static,
        value: &Node,
        ty: TypeId,
        place: &str,
    ) -> Result<(), EvalError> {
        let kind = self.cx.kind(ty);
        let good = match s {
            Static::Dynamic => true,
            _ if kind == Kind::Interface => !matches!(s, Static::Type | Static::Function | Static::Shown),
            Static::Typed(t) => {
                let named = |id| self.cx.ty(id).is_ok_and(|t| t.named);
                self.cx.process.same_type(*t, ty)
                    || (!named(*t) || !named(ty)) && self.cx.same_underlying(*t, ty, 8)
            }
            Static::Number(c) => match self.cx.constant_fits(ty, c) {
                Ok(()) => true,
                Err(super::typing::Fault::Constant { constant, why, .. }) => {
                    let ty = self.cx.name(ty);
                    let why =
                        if why == "truncated" { " (truncated)".to_string() } else { format!(" ({why})") };
                    return Err(self
                        .error(value.span, format!("cannot use {constant} as {ty} value in {place}{why}")));
                }
                Err(_) => false,
            },
            Static::Text(_) => kind == Kind::String,
            Static::Bool => kind == Kind::Bool,
            Static::Nil => nilable(kind),
            _ => false,
        };
        if good {
            return Ok(());
        }
        let what = self.cx.describe(s, value.span.of(self.text));
        Err(self.error(value.span, format!("cannot use {what} as {} value in {place}", self.cx.name(ty))))
    }
}
