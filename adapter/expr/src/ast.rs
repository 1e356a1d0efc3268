//! The syntax tree: one node set for expressions and types, each node with its span. Only data, no meaning.

use crate::{Constant, Span};

/// One node. `depth` is the height of the tree below it, so that its users may recurse without a limit of their own.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub kind: NodeKind,
    pub span: Span,
    /// 1 for a leaf; never more than [`crate::MAX_DEPTH`].
    pub depth: u16,
}

#[derive(Clone, Debug, PartialEq)]
pub enum NodeKind {
    /// Where an operand was expected and none was found; there is an error for it.
    Bad,
    Name(String),
    /// Number or rune.
    Number(Constant),
    /// String literal, unquoted: any bytes. Before a `.` and in place of a type it is a quoted import path.
    Text(Vec<u8>),
    Paren(Box<Node>),
    /// `base.name`
    Selector {
        base: Box<Node>,
        name: String,
        name_span: Span,
    },
    /// `base[index]`, or an instantiation with several arguments.
    Index {
        base: Box<Node>,
        indices: Vec<Node>,
    },
    /// `base[low:high:max]`
    Slice {
        base: Box<Node>,
        low: Option<Box<Node>>,
        high: Option<Box<Node>>,
        max: Option<Box<Node>>,
    },
    /// `base.(T)`; without a type: `base.(type)`.
    Assert {
        base: Box<Node>,
        ty: Option<Box<Node>>,
    },
    /// Call, conversion or builtin.
    Call {
        function: Box<Node>,
        arguments: Vec<Node>,
        /// `f(x...)`
        spread: bool,
    },
    /// Dereference or pointer type.
    Star(Box<Node>),
    Unary {
        op: UnaryOp,
        operand: Box<Node>,
    },
    Binary {
        op: BinaryOp,
        /// Of the operator.
        op_span: Span,
        left: Box<Node>,
        right: Box<Node>,
    },
    /// `T{...}`; without a type inside another literal.
    Composite {
        ty: Option<Box<Node>>,
        elements: Vec<Element>,
    },
    /// `[len]T`; `len` is absent in `[...]T`.
    ArrayType {
        len: Option<Box<Node>>,
        elem: Box<Node>,
    },
    SliceType(Box<Node>),
    MapType {
        key: Box<Node>,
        value: Box<Node>,
    },
    ChanType {
        dir: ChanDir,
        elem: Box<Node>,
    },
    FuncType {
        params: Vec<Param>,
        results: Vec<Param>,
        variadic: bool,
    },
    StructType(Vec<Param>),
    /// Methods (name and [`NodeKind::FuncType`]) and embedded types (without a name).
    InterfaceType(Vec<Param>),
}

/// Fields of a struct type, parameters or results of a function type, a method of an interface type.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// All names that share the type (`a, b int`); none: embedded, or an unnamed parameter.
    pub names: Vec<String>,
    pub ty: Node,
    pub tag: Option<Vec<u8>>,
}

/// Element of a composite literal.
#[derive(Clone, Debug, PartialEq)]
pub struct Element {
    pub key: Option<Node>,
    pub value: Node,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChanDir {
    Both,
    Send,
    Receive,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnaryOp {
    Plus,
    Minus,
    Not,
    /// `^x`
    Complement,
    /// `&x`
    Address,
    /// `<-x`
    Receive,
}

impl UnaryOp {
    pub fn text(self) -> &'static str {
        match self {
            UnaryOp::Plus => "+",
            UnaryOp::Minus => "-",
            UnaryOp::Not => "!",
            UnaryOp::Complement => "^",
            UnaryOp::Address => "&",
            UnaryOp::Receive => "<-",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    OrElse,
    AndThen,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Add,
    Sub,
    Or,
    Xor,
    Mul,
    Div,
    Rem,
    ShiftLeft,
    ShiftRight,
    And,
    AndNot,
}

impl BinaryOp {
    /// Every operator with its text; the inverse of [`BinaryOp::text`].
    pub const ALL: [BinaryOp; 19] = [
        BinaryOp::OrElse,
        BinaryOp::AndThen,
        BinaryOp::Equal,
        BinaryOp::NotEqual,
        BinaryOp::Less,
        BinaryOp::LessEqual,
        BinaryOp::Greater,
        BinaryOp::GreaterEqual,
        BinaryOp::Add,
        BinaryOp::Sub,
        BinaryOp::Or,
        BinaryOp::Xor,
        BinaryOp::Mul,
        BinaryOp::Div,
        BinaryOp::Rem,
        BinaryOp::ShiftLeft,
        BinaryOp::ShiftRight,
        BinaryOp::And,
        BinaryOp::AndNot,
    ];

    pub fn text(self) -> &'static str {
        match self {
            BinaryOp::OrElse => "||",
            BinaryOp::AndThen => "&&",
            BinaryOp::Equal => "==",
            BinaryOp::NotEqual => "!=",
            BinaryOp::Less => "<",
            BinaryOp::LessEqual => "<=",
            BinaryOp::Greater => ">",
            BinaryOp::GreaterEqual => ">=",
            BinaryOp::Add => "+",
            BinaryOp::Sub => "-",
            BinaryOp::Or => "|",
            BinaryOp::Xor => "^",
            BinaryOp::Mul => "*",
            BinaryOp::Div => "/",
            BinaryOp::Rem => "%",
            BinaryOp::ShiftLeft => "<<",
            BinaryOp::ShiftRight => ">>",
            BinaryOp::And => "&",
            BinaryOp::AndNot => "&^",
        }
    }

    pub fn from_text(text: &str) -> Option<BinaryOp> {
        BinaryOp::ALL.into_iter().find(|op| op.text() == text)
    }

    /// Go's five levels: 1 binds least (`||`), 5 most (`*`).
    pub fn precedence(self) -> u8 {
        match self {
            BinaryOp::OrElse => 1,
            BinaryOp::AndThen => 2,
            op if op.is_comparison() => 3,
            BinaryOp::Add | BinaryOp::Sub | BinaryOp::Or | BinaryOp::Xor => 4,
            _ => 5,
        }
    }

    pub fn is_comparison(self) -> bool {
        self.is_equality() || self.is_ordering()
    }

    pub fn is_equality(self) -> bool {
        matches!(self, BinaryOp::Equal | BinaryOp::NotEqual)
    }

    pub fn is_ordering(self) -> bool {
        matches!(self, BinaryOp::Less | BinaryOp::LessEqual | BinaryOp::Greater | BinaryOp::GreaterEqual)
    }

    pub fn is_shift(self) -> bool {
        matches!(self, BinaryOp::ShiftLeft | BinaryOp::ShiftRight)
    }

    pub fn is_logical(self) -> bool {
        matches!(self, BinaryOp::OrElse | BinaryOp::AndThen)
    }
}

/// What the debug console and set-variable take: an expression, or an assignment (`x op= e`, `x++` are written out).
#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    Expression(Node),
    Assign { left: Node, right: Node },
}

impl Node {
    /// The node inside any number of parentheses.
    pub fn unparen(&self) -> &Node {
        let mut node = self;
        while let NodeKind::Paren(inner) = &node.kind {
            node = inner;
        }
        node
    }
}
