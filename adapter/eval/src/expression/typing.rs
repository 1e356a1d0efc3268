//! Go's typing rules of operators, on types alone: used when an expression is compiled, and again when a type only showed at run time.

use expr::{BinaryOp, Constant, UnaryOp};
use image::{Kind, Shape, TypeId};

use super::cx::Cx;
use super::number::Numeric;
use super::operand::Static;

/// What both operands of a binary operator become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Common {
    /// Values of this type.
    Typed(TypeId),
    /// Untyped constants.
    Constants,
    /// bool, untyped on both sides.
    Booleans,
    /// One side is nil.
    Nil,
    /// One side is an interface at least: types and values are compared.
    Interfaces,
    /// `typeof(x) == T`
    Types,
    /// A shift: the operands keep their types.
    Shift,
    /// Not decided before it runs.
    Unknown,
}

/// Why an operator doesn't take its operands; the caller knows how they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Mismatched,
    /// The operator is not defined on the left (or only) operand's type; with a hint.
    Undefined(&'static str),
    UndefinedRight,
    /// The constant doesn't become the type: `overflows`, `truncated`.
    Constant {
        constant: String,
        ty: TypeId,
        why: &'static str,
    },
    Other(String),
}

impl Cx<'_> {
    /// How an operand is called in messages: `x (variable of type int)`, `5 (untyped int constant)`.
    pub(crate) fn describe(&self, s: &Static, text: &str) -> String {
        match s {
            Static::Typed(id) => format!("{text} (value of type {})", self.name(*id)),
            Static::Number(c) if c.to_string() == text => format!("{text} ({} constant)", c.kind().text()),
            Static::Number(c) => format!("{text} ({} constant {c})", c.kind().text()),
            Static::Text(_) => format!("{text} (untyped string constant)"),
            Static::Bool => format!("{text} (untyped bool value)"),
            Static::Nil => "untyped nil".into(),
            Static::Type => format!("{text} (type)"),
            Static::Function => format!("{text} (function of the program)"),
            Static::Shown | Static::Dynamic => text.into(),
        }
    }

    /// The type part of [`Cx::describe`].
    pub(crate) fn type_text(&self, s: &Static) -> String {
        match s {
            Static::Typed(id) => self.name(*id),
            Static::Number(c) => c.kind().text().into(),
            Static::Text(_) => "untyped string".into(),
            Static::Bool => "untyped bool".into(),
            Static::Nil => "untyped nil".into(),
            Static::Type => "type".into(),
            Static::Function => "func".into(),
            Static::Shown => "text".into(),
            Static::Dynamic => "unknown type".into(),
        }
    }

    pub(crate) fn fault_text(
        &self,
        fault: Fault,
        op: BinaryOp,
        l: (&Static, &str),
        r: (&Static, &str),
    ) -> String {
        let whole = || format!("{} {} {}", l.1, op.text(), r.1);
        let undefined = |side: (&Static, &str)| {
            format!(
                "invalid operation: operator {} not defined on {}",
                op.text(),
                self.describe(side.0, side.1)
            )
        };
        match fault {
            Fault::Mismatched => {
                let (a, b) = (self.type_text(l.0), self.type_text(r.0));
                format!("invalid operation: {} (mismatched types {a} and {b})", whole())
            }
            Fault::Undefined(hint) => format!("{}{hint}", undefined(l)),
            Fault::UndefinedRight => undefined(r),
            Fault::Constant { constant, ty, why } => {
                let ty = self.name(ty);
                match why {
                    "overflows" => format!("{constant} overflows {ty}"),
                    _ => format!("{constant} truncated to {ty}"),
                }
            }
            Fault::Other(why) => why,
        }
    }

    /// What the two sides of `op` have in common, or why they have nothing.
    pub(crate) fn common(&self, op: BinaryOp, l: &Static, r: &Static) -> Result<Common, Fault> {
        if op.is_shift() {
            return self.shift_operands(l, r);
        }
        let common = match (l, r) {
            (Static::Dynamic, _) | (_, Static::Dynamic) => return Ok(Common::Unknown),
            (Static::Shown, _) => return Err(Fault::Undefined("")),
            (_, Static::Shown) => return Err(Fault::UndefinedRight),
            (Static::Number(_), Static::Number(_)) | (Static::Text(_), Static::Text(_)) => Common::Constants,
            (Static::Bool, Static::Bool) => Common::Booleans,
            (Static::Typed(a), Static::Typed(b)) => self.typed_pair(op, *a, *b)?,
            (Static::Typed(t), other) | (other, Static::Typed(t)) => self.untyped_meets(op, *t, other)?,
            (Static::Function, Static::Nil) | (Static::Nil, Static::Function) => Common::Nil,
            (Static::Type, Static::Type | Static::Nil | Static::Text(_))
            | (Static::Nil | Static::Text(_), Static::Type) => Common::Types,
            (Static::Nil, Static::Nil) => {
                return Err(Fault::Other(format!(
                    "invalid operation: nil {} nil (operator {} not defined on nil)",
                    op.text(),
                    op.text()
                )));
            }
            _ => return Err(Fault::Mismatched),
        };
        self.defined(op, common, l)?;
        Ok(common)
    }

    fn typed_pair(&self, op: BinaryOp, a: TypeId, b: TypeId) -> Result<Common, Fault> {
        if self.process.same_type(a, b) {
            return Ok(if self.kind(a) == Kind::Interface { Common::Interfaces } else { Common::Typed(a) });
        }
        if !op.is_equality() {
            return Err(Fault::Mismatched);
        }
        if self.kind(a) == Kind::Interface || self.kind(b) == Kind::Interface {
            return Ok(Common::Interfaces);
        }
        let (x, y) = (self.ty(a).map_err(Fault::Other)?, self.ty(b).map_err(Fault::Other)?);
        // Assignable: identical underlying types, one of them without a name.
        match (!x.named || !y.named) && self.same_underlying(a, b, 8) {
            true => Ok(Common::Typed(a)),
            false => Err(Fault::Mismatched),
        }
    }

    /// A typed operand and a constant, an untyped bool or nil.
    fn untyped_meets(&self, op: BinaryOp, t: TypeId, other: &Static) -> Result<Common, Fault> {
        let kind = self.kind(t);
        let boxed = kind == Kind::Interface && op.is_equality();
        match other {
            Static::Nil if nilable(kind) => Ok(Common::Nil),
            Static::Number(_) | Static::Text(_) | Static::Bool if boxed => Ok(Common::Interfaces),
            Static::Number(c) => match Numeric::of(kind) {
                Some(_) => self.constant_fits(t, c).map(|()| Common::Typed(t)),
                None => Err(Fault::Mismatched),
            },
            Static::Text(_) if kind == Kind::String => Ok(Common::Typed(t)),
            Static::Bool if kind == Kind::Bool => Ok(Common::Typed(t)),
            _ => Err(Fault::Mismatched),
        }
    }

    /// Whether the constant is representable in the numeric type.
    pub(crate) fn constant_fits(&self, ty: TypeId, c: &Constant) -> Result<(), Fault> {
        let numeric = self.numeric(ty).ok_or(Fault::Mismatched)?;
        numeric.constant(c).map(drop).map_err(|why| {
            let constant = format!("{c} ({} constant)", c.kind().text());
            Fault::Constant { constant, ty, why }
        })
    }

    /// Whether the operator is defined on what both sides became.
    fn defined(&self, op: BinaryOp, common: Common, left: &Static) -> Result<(), Fault> {
        let undefined = Err(Fault::Undefined(""));
        match common {
            Common::Typed(t) => self.defined_on(op, t),
            Common::Constants if op.is_logical() => undefined,
            Common::Constants => match left {
                Static::Text(_) if op != BinaryOp::Add && !op.is_comparison() => undefined,
                _ => Ok(()),
            },
            Common::Booleans if op.is_logical() || op.is_equality() => Ok(()),
            Common::Nil | Common::Interfaces | Common::Types if op.is_equality() => Ok(()),
            Common::Interfaces => Err(Fault::Undefined("; assert the type first, as in x.(int)")),
            Common::Unknown | Common::Shift => Ok(()),
            _ => undefined,
        }
    }

    fn defined_on(&self, op: BinaryOp, t: TypeId) -> Result<(), Fault> {
        let kind = self.kind(t);
        let numeric = Numeric::of(kind);
        let fine = match op {
            op if op.is_logical() => kind == Kind::Bool,
            op if op.is_equality() => return self.comparable(t, 16),
            op if op.is_ordering() => {
                kind == Kind::String || matches!(numeric, Some(Numeric::Int { .. } | Numeric::Float { .. }))
            }
            BinaryOp::Add => numeric.is_some() || kind == Kind::String,
            BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div => numeric.is_some(),
            _ => numeric.is_some_and(Numeric::is_int),
        };
        if fine { Ok(()) } else { Err(Fault::Undefined("")) }
    }

    /// Slices, maps and functions, and what contains them, are compared with nil only.
    fn comparable(&self, t: TypeId, depth: usize) -> Result<(), Fault> {
        let ty = self.ty(t).map_err(Fault::Other)?;
        let only_nil = |what: &str| {
            Err(Fault::Other(format!(
                "invalid operation: {what} can only be compared to nil ({})",
                self.name(t)
            )))
        };
        match &ty.shape {
            _ if depth == 0 => Ok(()),
            Shape::Slice { .. } => only_nil("slice"),
            Shape::Map { .. } => only_nil("map"),
            Shape::Func(_) => only_nil("func"),
            Shape::Array { elem, .. } => self.comparable(*elem, depth - 1),
            Shape::Struct { fields } => fields.iter().try_for_each(|f| {
                self.comparable(f.ty, depth - 1).map_err(|_| {
                    let (s, f) = (self.name(t), &f.name);
                    Fault::Other(format!(
                        "invalid operation: struct containing field {f} that cannot be compared ({s})"
                    ))
                })
            }),
            _ => Ok(()),
        }
    }

    fn shift_operands(&self, l: &Static, r: &Static) -> Result<Common, Fault> {
        match r {
            Static::Typed(t) if self.numeric(*t).is_some_and(Numeric::is_int) => {}
            Static::Number(c) => match c.to_int() {
                Some(0..) => {}
                Some(_) => return Err(Fault::Other(format!("invalid operation: negative shift count {c}"))),
                None => {
                    return Err(Fault::Other(format!("invalid operation: shift count {c} must be integer")));
                }
            },
            Static::Dynamic => {}
            other => {
                let ty = self.type_text(other);
                return Err(Fault::Other(format!(
                    "invalid operation: shift count must be integer, not {ty}"
                )));
            }
        }
        let operand = |ty: String| {
            Fault::Other(format!("invalid operation: shifted operand must be integer, not {ty}"))
        };
        match l {
            Static::Typed(t) if self.numeric(*t).is_some_and(Numeric::is_int) => Ok(Common::Shift),
            Static::Number(c) if c.to_int().is_some() => match r {
                Static::Number(_) => Ok(Common::Constants),
                _ => Ok(Common::Shift),
            },
            Static::Dynamic => Ok(Common::Unknown),
            other => Err(operand(self.type_text(other))),
        }
    }

    /// The type of the result.
    pub(crate) fn binary_result(&self, op: BinaryOp, common: Common, l: &Static) -> Static {
        match common {
            _ if op.is_comparison() => Static::Bool,
            Common::Typed(t) => Static::Typed(t),
            Common::Booleans => Static::Bool,
            Common::Shift => match l {
                // An untyped constant that is shifted by a variable is an int, unless its surroundings say otherwise.
                Static::Number(_) => self.basic("int").map_or(Static::Dynamic, Static::Typed),
                other => other.clone(),
            },
            _ => Static::Dynamic,
        }
    }

    pub(crate) fn unary_result(&self, op: UnaryOp, s: &Static, text: &str) -> Result<Static, String> {
        let undefined = |s| {
            Err(format!(
                "invalid operation: operator {} not defined on {}",
                op.text(),
                self.describe(s, text)
            ))
        };
        match (op, s) {
            (_, Static::Dynamic) => Ok(Static::Dynamic),
            (UnaryOp::Receive, _) => Err(format!(
                "receiving from {text} would change the program; len({text}) and its children show what is in it"
            )),
            (UnaryOp::Not, Static::Bool) => Ok(Static::Bool),
            (UnaryOp::Not, Static::Typed(t)) if self.kind(*t) == Kind::Bool => Ok(s.clone()),
            (UnaryOp::Plus | UnaryOp::Minus, Static::Typed(t)) if self.numeric(*t).is_some() => Ok(s.clone()),
            (UnaryOp::Complement, Static::Typed(t)) if self.numeric(*t).is_some_and(Numeric::is_int) => {
                Ok(s.clone())
            }
            _ => undefined(s),
        }
    }

    /// Identical underlying types, names of both dropped.
    pub(crate) fn same_underlying(&self, a: TypeId, b: TypeId, depth: usize) -> bool {
        if self.process.same_type(a, b) {
            return true;
        }
        let (Ok(x), Ok(y)) = (self.ty(a), self.ty(b)) else { return false };
        if x.kind != y.kind || x.size != y.size || depth == 0 {
            return false;
        }
        let same = |a: TypeId, b: TypeId| self.process.same_type(a, b);
        match (&x.shape, &y.shape) {
            (Shape::Basic, Shape::Basic) => true,
            (Shape::Array { elem: a, len: n }, Shape::Array { elem: b, len: m }) => n == m && same(*a, *b),
            (Shape::Slice { elem: a }, Shape::Slice { elem: b }) => same(*a, *b),
            (Shape::Chan { elem: a, .. }, Shape::Chan { elem: b, .. }) => same(*a, *b),
            (Shape::Map { key: k, elem: a, .. }, Shape::Map { key: l, elem: b, .. }) => {
                same(*k, *l) && same(*a, *b)
            }
            (Shape::Pointer { elem: Some(a) }, Shape::Pointer { elem: Some(b) }) => {
                same(*a, *b)
                    || depth > 1 && !self.is_named(a) && !self.is_named(b) && self.same_underlying(*a, *b, 1)
            }
            (Shape::Struct { fields: f }, Shape::Struct { fields: g }) => {
                f.len() == g.len()
                    && f.iter().zip(g).all(|(f, g)| {
                        f.name == g.name
                            && f.offset == g.offset
                            && f.embedded == g.embedded
                            && same(f.ty, g.ty)
                    })
            }
            (Shape::Func(f), Shape::Func(g)) => {
                let all = |a: &[TypeId], b: &[TypeId]| {
                    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(*a, *b))
                };
                f.variadic == g.variadic && all(&f.params, &g.params) && all(&f.results, &g.results)
            }
            (Shape::Interface { methods: Some(f), .. }, Shape::Interface { methods: Some(g), .. }) => {
                f.len() == g.len() && f.iter().zip(g).all(|(f, g)| f.name == g.name && f.package == g.package)
            }
            _ => false,
        }
    }

    fn is_named(&self, id: &TypeId) -> bool {
        self.ty(*id).is_ok_and(|t| t.named)
    }
}

/// Kinds whose zero value is nil.
pub(crate) fn nilable(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Pointer
            | Kind::Slice
            | Kind::Map
            | Kind::Chan
            | Kind::Func
            | Kind::Interface
            | Kind::UnsafePointer
    )
}
