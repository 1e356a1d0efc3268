//! Untyped constants that are shifted by a variable: they take the type that they would have without the shift, so in `flags & (1 << n)`
//! the type of `flags`. Types only; nothing is computed here.

use expr::{BinaryOp, ConstantKind, Node};
use image::TypeId;

use super::EvalError;
use super::compile::Compiler;
use super::operand::{Operand, Static};
use super::typing::Common;

impl Compiler<'_> {
    /// Compiles both sides of an operator. A side whose constant is shifted takes the other side's type.
    pub(super) fn sides(
        &mut self,
        op: BinaryOp,
        node: &Node,
        left: &Node,
        right: &Node,
    ) -> Result<(Static, Static, Common), EvalError> {
        let outer = self.wanted;
        let mark = self.mark();
        let around = if op.is_comparison() { None } else { outer };
        let first = self.sides_wanting(op, node, left, right, (around, around));
        let types = match &first {
            Err(SidesError::Mismatch(m)) => (self.number_type(&m.left), self.number_type(&m.right)),
            _ => (None, None),
        };
        let result = match (first, types) {
            (Err(SidesError::Mismatch(m)), (Some(l), Some(r))) => {
                self.rewind(mark);
                let left_adapts = self.sides_wanting(op, node, left, right, (Some(r), around));
                let again = left_adapts.or_else(|_| {
                    self.rewind(mark);
                    self.sides_wanting(op, node, left, right, (around, Some(l)))
                });
                again.map_err(|_| m.why)
            }
            (first, _) => first.map_err(SidesError::into_inner),
        };
        self.wanted = outer;
        result
    }

    fn sides_wanting(
        &mut self,
        op: BinaryOp,
        node: &Node,
        left: &Node,
        right: &Node,
        (for_left, for_right): (Option<TypeId>, Option<TypeId>),
    ) -> Result<(Static, Static, Common), SidesError> {
        let mark = self.mark();
        self.wanted = for_left;
        let l = self.side(op, left, right)?;
        if op.is_shift()
            && let Static::Number(c) = &l
        {
            // The count comes first: it says whether this is a constant.
            self.wanted = None;
            let count = self.side(op, right, left)?;
            if !matches!(count, Static::Number(_)) {
                self.rewind(mark);
                let l = self.shifted(left, c, for_left)?;
                let r = self.side(op, right, left)?;
                let common = self.common(op, node.span, (&l, left), (&r, right))?;
                return Ok((l, r, common));
            }
            let common = self.common(op, node.span, (&l, left), (&count, right))?;
            return Ok((l, count, common));
        }
        self.wanted = if op.is_shift() { None } else { for_right };
        let r = self.side(op, right, left)?;
        match self.common(op, node.span, (&l, left), (&r, right)) {
            Ok(common) => Ok((l, r, common)),
            Err(why) => Err(SidesError::Mismatch(Box::new(Mismatch { why, left: l, right: r }))),
        }
    }

    /// The shifted constant as a value of the type wanted around it, or of its own.
    fn shifted(
        &mut self,
        left: &Node,
        c: &expr::Constant,
        wanted: Option<TypeId>,
    ) -> Result<Static, EvalError> {
        let text = left.span.of(self.text);
        let ty = match (wanted, c.kind()) {
            (Some(ty), _) => ty,
            (None, ConstantKind::Int) => self.cx.basic("int").map_err(|why| self.error(left.span, why))?,
            (None, ConstantKind::Rune) => self.cx.basic("int32").map_err(|why| self.error(left.span, why))?,
            (None, ConstantKind::Float | ConstantKind::Complex) => {
                let what = self.cx.describe(&Static::Number(c.clone()), text);
                return Err(self
                    .error(left.span, format!("invalid operation: shifted operand {what} must be integer")));
            }
        };
        if !self.cx.numeric(ty).is_some_and(super::number::Numeric::is_int) {
            let name = self.cx.name(ty);
            let why = format!("invalid operation: shifted operand {text} (type {name}) must be integer");
            return Err(self.error(left.span, why));
        }
        let value =
            self.cx.typed_value(Operand::Number(c.clone()), ty).map_err(|why| self.error(left.span, why))?;
        Ok(self.push(Operand::Value(value), left.span))
    }

    fn number_type(&self, s: &Static) -> Option<TypeId> {
        match s {
            Static::Typed(t) if self.cx.numeric(*t).is_some() => Some(*t),
            _ => None,
        }
    }
}

enum SidesError {
    /// A side itself is wrong.
    Side(EvalError),
    /// The sides don't fit together.
    Mismatch(Box<Mismatch>),
}

struct Mismatch {
    why: EvalError,
    left: Static,
    right: Static,
}

impl SidesError {
    fn into_inner(self) -> EvalError {
        match self {
            Self::Side(why) => why,
            Self::Mismatch(m) => m.why,
        }
    }
}

impl From<EvalError> for SidesError {
    fn from(why: EvalError) -> Self {
        Self::Side(why)
    }
}
