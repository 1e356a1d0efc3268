//! Random types, values of them as Go source, and the tree that must be shown.

use std::fmt::Write as _;

use super::Dice;

/// A type of the generated program.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Type {
    /// Name in the source, name that is shown.
    Basic(&'static str, &'static str),
    Slice(Box<Type>),
    Array(usize, Box<Type>),
    Map(Box<Type>, Box<Type>),
    Pointer(Box<Type>),
    Chan(Box<Type>),
    Func,
    Any,
    Shape,
    /// Index of the declaration.
    Struct(usize),
    Generic(Box<Type>),
}

impl Type {
    /// As the source writes it.
    pub(super) fn source(&self) -> String {
        self.text(true)
    }

    /// As a debugger writes it.
    pub(super) fn shown(&self) -> String {
        self.text(false)
    }

    fn text(&self, source: bool) -> String {
        let main = if source { "" } else { "main." };
        match self {
            Self::Basic(written, shown) => (if source { written } else { shown }).to_string(),
            Self::Slice(of) => format!("[]{}", of.text(source)),
            Self::Array(len, of) => format!("[{len}]{}", of.text(source)),
            Self::Map(key, of) => format!("map[{}]{}", key.text(source), of.text(source)),
            Self::Pointer(to) => format!("*{}", to.text(source)),
            Self::Chan(of) => format!("chan {}", of.text(source)),
            Self::Func => format!("{main}Callback"),
            Self::Any => if source { "any" } else { "interface {}" }.to_owned(),
            Self::Shape => format!("{main}Shape"),
            Self::Struct(index) => format!("{main}S{index}"),
            Self::Generic(of) => format!("{main}Box[{}]", of.text(source)),
        }
    }
}

/// A variable, field or element, and what is shown of it.
#[derive(Debug, Clone)]
pub struct Node {
    /// The child's name: `[0]`, `Field`, the empty string behind a pointer.
    pub name: String,
    pub ty: String,
    pub shown: Shown,
}

/// What must be shown of a value.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The whole text, or its beginning.
    pub text: String,
    pub whole: bool,
    /// What is found by opening it; `None` where that is not foreseen here.
    pub children: Option<Vec<Node>>,
    /// How a Go expression goes on from this value to each child (`.F`, `[0]`, a prefix `*`).
    pub paths: Vec<String>,
    /// `len()` of a map, the elements of a channel: facts that an expression gives.
    pub facts: Vec<(String, String)>,
}

impl Shown {
    fn leaf(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            whole: true,
            children: Some(Vec::new()),
            paths: Vec::new(),
            facts: Vec::new(),
        }
    }

    /// A value with children, of which only the text's beginning is foreseen; each with the path that leads to it.
    fn tree(text: String, children: Vec<(Node, String)>) -> Self {
        let (children, paths) = children.into_iter().unzip();
        Self { text, whole: false, children: Some(children), paths, facts: Vec::new() }
    }
}

const BASICS: &[(&str, &str)] = &[
    ("bool", "bool"),
    ("int", "int"),
    ("int8", "int8"),
    ("int16", "int16"),
    ("rune", "int32"),
    ("int64", "int64"),
    ("uint", "uint"),
    ("byte", "uint8"),
    ("uint16", "uint16"),
    ("uint32", "uint32"),
    ("uint64", "uint64"),
    ("uintptr", "uintptr"),
    ("float32", "float32"),
    ("float64", "float64"),
    ("complex64", "complex64"),
    ("complex128", "complex128"),
    ("string", "string"),
    ("Level", "main.Level"),
    ("Text", "main.Text"),
    ("Flag", "main.Flag"),
];

/// Kinds whose maps have one child for each entry, named by the key's text.
const KEYS: &[(&str, &str)] = &[
    ("int", "int"),
    ("string", "string"),
    ("uint16", "uint16"),
    ("bool", "bool"),
    ("float64", "float64"),
    ("Level", "main.Level"),
];

const STRINGS: &[(&str, &str)] = &[
    (r#""""#, r#""""#),
    (r#""plain""#, r#""plain""#),
    (r#""h\u00e9llo \u4e16\u754c""#, "\"héllo 世界\""),
    (r#""\U0001F600 tab\t quote\" back\\ nl\n""#, "\"😀 tab\\t quote\\\" back\\\\ nl\\n\""),
    (r#""\x00\x01\xff\xfe""#, r#""\x00\x01\xff\xfe""#),
    (r#""\u200b\ufeff\u00a0""#, r#""\u200b\ufeff\u00a0""#),
];

const FLOATS: &[(&str, &str)] = &[
    ("0.0", "0"),
    ("1.5", "1.5"),
    ("-2.25", "-2.25"),
    ("math.Inf(1)", "+Inf"),
    ("math.Inf(-1)", "-Inf"),
    ("math.NaN()", "NaN"),
    ("math.Copysign(0, -1)", "-0"),
    ("123456789.0", "123456789"),
    ("1e21", "1000000000000000000000"),
    ("1e-7", "0.0000001"),
    ("0.1", "0.1"),
    ("100000", "100000"),
];

const FLOATS32: &[(&str, &str)] = &[
    ("0.1", "0.1"),
    ("-1.5", "-1.5"),
    ("16777216", "16777216"),
    ("3.4028235e38", "340282350000000000000000000000000000000"),
    ("1e-45", "0.000000000000000000000000000000000000000000001"),
    ("float32(math.Inf(1))", "+Inf"),
    ("float32(math.NaN())", "NaN"),
];

/// Makes types and values.
pub(super) struct Values {
    dice: Dice,
    /// Fields of the struct types: name (empty: embedded), type.
    structs: Vec<Vec<(String, Type)>>,
}

impl Values {
    pub(super) fn new(dice: Dice) -> Self {
        Self { dice, structs: Vec::new() }
    }

    /// The struct types that were made up.
    pub(super) fn declarations(&self) -> String {
        let mut out = String::new();
        for (index, fields) in self.structs.iter().enumerate() {
            let _infallible = writeln!(out, "type S{index} struct {{");
            for (name, ty) in fields {
                let space = if name.is_empty() { "" } else { " " };
                let _infallible = writeln!(out, "\t{name}{space}{}", ty.source());
            }
            out.push_str("}\n\n");
        }
        out
    }

    /// True for types whose values take no memory.
    pub(super) fn is_empty(&self, ty: &Type) -> bool {
        match ty {
            Type::Array(len, of) => *len == 0 || self.is_empty(of),
            Type::Struct(index) => self.structs[*index].iter().all(|(_, ty)| self.is_empty(ty)),
            _ => false,
        }
    }

    fn basic(&mut self) -> Type {
        let (written, shown) = self.dice.pick(BASICS);
        Type::Basic(written, shown)
    }

    pub(super) fn any_type(&mut self, depth: usize) -> Type {
        if depth == 0 {
            return self.basic();
        }
        let of = |values: &mut Self| Box::new(values.any_type(depth - 1));
        match self.dice.below(15) {
            0 | 1 => self.basic(),
            2 | 3 => Type::Slice(of(self)),
            4 => Type::Array(self.dice.below(4), of(self)),
            5 | 6 => {
                let (written, shown) = self.dice.pick(KEYS);
                Type::Map(Box::new(Type::Basic(written, shown)), of(self))
            }
            7 => Type::Pointer(of(self)),
            8 => Type::Chan(of(self)),
            9 => Type::Func,
            10 => Type::Any,
            11 => Type::Shape,
            12 | 13 => self.struct_type(depth),
            _ => Type::Generic(of(self)),
        }
    }

    fn struct_type(&mut self, depth: usize) -> Type {
        let count = self.dice.below(5);
        let mut fields: Vec<(String, Type)> = (0..count)
            .map(|index| {
                let name = if index % 2 == 0 { format!("F{index}") } else { format!("f{index}") };
                (name, self.any_type(depth - 1))
            })
            .collect();
        if self.dice.below(3) == 0 && !self.structs.is_empty() {
            let embedded = Type::Struct(self.dice.below(self.structs.len()));
            let embedded = if self.dice.below(2) == 0 { embedded } else { Type::Pointer(Box::new(embedded)) };
            fields.push((String::new(), embedded));
        }
        self.structs.push(fields);
        Type::Struct(self.structs.len() - 1)
    }

    /// A value as source, and what is shown of it.
    pub(super) fn value(&mut self, ty: &Type, depth: usize) -> (String, Shown) {
        let nil = depth == 0 || self.dice.below(6) == 0;
        match ty {
            Type::Basic(written, _) => self.basic_value(written),
            Type::Slice(of) => self.slice(ty, of, nil, depth),
            Type::Array(len, of) => {
                let (elements, mut shown) = self.elements(*len, of, depth.saturating_sub(1));
                shown.text = format!("{} [", ty.shown());
                (format!("{}{{{elements}}}", ty.source()), shown)
            }
            Type::Map(key, of) => self.map(ty, key, of, nil, depth),
            Type::Pointer(_) if nil => ("nil".into(), Shown::leaf(format!("{} nil", ty.shown()))),
            Type::Pointer(to) => {
                let (inner, shown) = self.value(to, depth - 1);
                let pointee = Node { name: String::new(), ty: to.shown(), shown };
                let shown = Shown::tree("*".into(), vec![(pointee, "*".into())]);
                (format!("ptr[{}]({inner})", to.source()), shown)
            }
            Type::Chan(_) if nil => ("nil".into(), Shown::leaf(format!("{} nil", ty.shown()))),
            Type::Chan(of) => {
                let count = self.dice.below(4);
                let room = count + self.dice.below(3);
                let (elements, _) = self.elements(count, of, depth - 1);
                let comma = if count == 0 { "" } else { ", " };
                let mut shown = Shown::leaf(format!("{} {count}/{room}", ty.shown()));
                shown.children = None;
                shown.facts = vec![("len".into(), count.to_string()), ("cap".into(), room.to_string())];
                (format!("filled[{}]({room}{comma}{elements})", of.source()), shown)
            }
            Type::Func if nil => ("nil".into(), Shown::leaf("nil")),
            Type::Func => ("called".into(), Shown::leaf("main.called")),
            Type::Any if nil => ("nil".into(), Shown::leaf("interface {} nil")),
            Type::Any => {
                let inner = self.any_type(depth - 1);
                let inner = if inner == Type::Any || inner == Type::Shape { self.basic() } else { inner };
                let (source, shown) = self.value(&inner, depth - 1);
                (
                    format!("{}({source})", parenthesised(&inner)),
                    within("interface {}", &inner.shown(), shown),
                )
            }
            Type::Shape => match self.dice.below(4) {
                0 => ("nil".into(), Shown::leaf("main.Shape nil")),
                1 => ("(*Circle)(nil)".into(), Shown::leaf("main.Shape(*main.Circle) nil")),
                2 => {
                    let field = Node { name: "R".into(), ty: "float64".into(), shown: Shown::leaf("2.5") };
                    let text = "main.Shape(*main.Circle) *{R: 2.5}".into();
                    ("&Circle{2.5}".into(), Shown::tree(text, vec![(field, ".(*main.Circle).R".into())]))
                }
                _ => {
                    let field = Node { name: "Side".into(), ty: "float64".into(), shown: Shown::leaf("3") };
                    let text = "main.Shape(main.Square) {Side: 3}".into();
                    ("Square{3}".into(), Shown::tree(text, vec![(field, ".(main.Square).Side".into())]))
                }
            },
            Type::Struct(index) => self.struct_value(*index, depth),
            Type::Generic(of) => {
                let (inner, shown) = self.value(of, depth.saturating_sub(1));
                let next = format!("*{} nil", ty.shown());
                let children = vec![
                    (Node { name: "V".into(), ty: of.shown(), shown }, ".V".into()),
                    (
                        Node {
                            name: "Next".into(),
                            ty: format!("*{}", ty.shown()),
                            shown: Shown::leaf(next),
                        },
                        ".Next".into(),
                    ),
                ];
                let shown = Shown::tree(format!("{} {{V: ", ty.shown()), children);
                (format!("{}{{V: {inner}}}", ty.source()), shown)
            }
        }
    }

    fn slice(&mut self, ty: &Type, of: &Type, nil: bool, depth: usize) -> (String, Shown) {
        if nil {
            return ("nil".into(), Shown::leaf(format!("{} len: 0, cap: 0, nil", ty.shown())));
        }
        let count = self.dice.below(5);
        let room = count + self.dice.below(4);
        let (elements, mut shown) = self.elements(count, of, depth - 1);
        shown.text = format!("{} len: {count}, cap: {room}, [", ty.shown());
        let comma = if count == 0 { "" } else { ", " };
        (format!("roomy[{}]({room}{comma}{elements})", of.source()), shown)
    }

    fn elements(&mut self, count: usize, of: &Type, depth: usize) -> (String, Shown) {
        let mut source = Vec::new();
        let mut children = Vec::new();
        for index in 0..count {
            let (element, shown) = self.value(of, depth);
            source.push(element);
            let path = format!("[{index}]");
            children.push((Node { name: path.clone(), ty: of.shown(), shown }, path));
        }
        (source.join(", "), Shown::tree(String::new(), children))
    }

    fn map(&mut self, ty: &Type, key: &Type, of: &Type, nil: bool, depth: usize) -> (String, Shown) {
        if nil {
            return ("nil".into(), Shown::leaf(format!("{} nil", ty.shown())));
        }
        if key.source() == "int" && self.dice.below(3) == 0 {
            // Large enough for several groups or tables, checked by its length and two entries.
            let count = 100 + self.dice.below(2000);
            let (value, shown) = self.value(of, depth - 1);
            let mut map = Shown::tree(format!("{} [", ty.shown()), Vec::new());
            map.children = None;
            map.facts = vec![("len".into(), count.to_string())];
            if shown.whole {
                let last = (count - 1) * 7919;
                map.facts.push((format!("[{last}]"), shown.text.clone()));
                map.facts.push(("[0]".into(), shown.text));
            }
            return (format!("counted[{}]({count}, {value})", of.source()), map);
        }
        let keys = self.keys(key);
        let mut source = Vec::new();
        let mut children = Vec::new();
        for (written, name) in &keys {
            let (value, shown) = self.value(of, depth - 1);
            source.push(format!("{written}: {value}"));
            let ty = format!("{}: {}", key.shown(), of.shown());
            children.push((Node { name: name.clone(), ty, shown }, format!("[{written}]")));
        }
        let mut map = Shown::tree(format!("{} [", ty.shown()), children);
        map.facts = vec![("len".into(), keys.len().to_string())];
        (format!("{}{{{}}}", ty.source(), source.join(", ")), map)
    }

    /// Different keys of a type: source and text.
    fn keys(&mut self, key: &Type) -> Vec<(String, String)> {
        let plain = |list: &[&str]| list.iter().map(|k| ((*k).to_owned(), (*k).to_owned())).collect();
        let mut all: Vec<(String, String)> = match key.source().as_str() {
            "bool" => plain(&["true", "false"]),
            "string" => STRINGS.iter().map(|(w, s)| ((*w).to_owned(), (*s).to_owned())).collect(),
            "float64" => plain(&["1.5", "-0.25", "1000000000000000000000"]),
            "uint16" => ["0", "7", "65535"]
                .iter()
                .map(|k| ((*k).to_owned(), format!("{k} = {:#x}", k.parse::<u64>().expect("a number"))))
                .collect(),
            "Level" => plain(&["0", "-5", "32767"]),
            _ => plain(&[
                "0",
                "-1",
                "42",
                "9223372036854775807",
                "-9223372036854775808",
                "5",
                "6",
                "7",
                "8",
                "9",
            ]),
        };
        let keep = 1 + self.dice.below(all.len());
        all.truncate(keep);
        all
    }

    fn struct_value(&mut self, index: usize, depth: usize) -> (String, Shown) {
        let fields = self.structs[index].clone();
        let mut source = Vec::new();
        let mut children = Vec::new();
        for (name, ty) in &fields {
            let name =
                if name.is_empty() { ty.source().trim_start_matches('*').to_owned() } else { name.clone() };
            let (value, shown) = self.value(ty, depth.saturating_sub(1));
            source.push(format!("{name}: {value}"));
            let path = format!(".{name}");
            children.push((Node { name, ty: ty.shown(), shown }, path));
        }
        let shown = Shown::tree(format!("main.S{index} {{"), children);
        (format!("S{index}{{{}}}", source.join(", ")), shown)
    }

    fn basic_value(&mut self, ty: &str) -> (String, Shown) {
        let pair = |(source, text): (&str, &str)| (source.to_owned(), Shown::leaf(text));
        let signed = |dice: &mut Dice, bits: u32| {
            let (low, high) = (i64::MIN >> (64 - bits), i64::MAX >> (64 - bits));
            let value = dice.pick(&[low, high, 0, -1, 1, 42, high / 3, low / 7]);
            (value.to_string(), Shown::leaf(value.to_string()))
        };
        let unsigned = |dice: &mut Dice, bits: u32| {
            let high = u64::MAX >> (64 - bits);
            let value = dice.pick(&[0, 1, high, high / 3, 10]);
            (value.to_string(), Shown::leaf(format!("{value} = {value:#x}")))
        };
        match ty {
            "bool" | "Flag" => {
                let value = if self.dice.below(2) == 0 { "false" } else { "true" };
                (value.to_owned(), Shown::leaf(value))
            }
            "int8" => signed(&mut self.dice, 8),
            "int16" | "Level" => signed(&mut self.dice, 16),
            "rune" => signed(&mut self.dice, 32),
            "int" | "int64" => signed(&mut self.dice, 64),
            "byte" => unsigned(&mut self.dice, 8),
            "uint16" => unsigned(&mut self.dice, 16),
            "uint32" => unsigned(&mut self.dice, 32),
            "uint" | "uint64" | "uintptr" => unsigned(&mut self.dice, 64),
            "float32" => pair(self.dice.pick(FLOATS32)),
            "float64" => pair(self.dice.pick(FLOATS)),
            "complex64" | "complex128" => {
                let part = if ty == "complex64" { "float32" } else { "float64" };
                let (real, imaginary) =
                    (self.dice.pick(&["1", "-2.5", "0"]), self.dice.pick(&["0.5", "-1", "10000000000"]));
                let leaf = |name: &str, text: &str| {
                    (Node { name: name.into(), ty: part.into(), shown: Shown::leaf(text) }, String::new())
                };
                let children = vec![leaf("real", real), leaf("imaginary", imaginary)];
                let mut shown = Shown::tree(format!("({real} + {imaginary}i)"), children);
                shown.whole = true;
                (format!("complex({real}, {imaginary})"), shown)
            }
            _ => pair(self.dice.pick(STRINGS)),
        }
    }
}

/// `T` of a conversion `T(x)`.
fn parenthesised(ty: &Type) -> String {
    let text = ty.source();
    if text.starts_with(['*', 'c']) || text.starts_with("func") { format!("({text})") } else { text }
}

/// The value of an interface: the concrete value's children, reached by an assertion.
fn within(interface: &str, concrete: &str, inner: Shown) -> Shown {
    let beginning = format!("{interface}({concrete}) ");
    let assert = format!(".({concrete})");
    if !inner.whole {
        // Behind a pointer the children are the pointee's; that is checked with the declared interfaces.
        let children = if concrete.starts_with('*') { None } else { inner.children };
        let paths = inner.paths.iter().map(|path| format!("{assert}{path}")).collect();
        return Shown { text: beginning, whole: false, children, paths, facts: Vec::new() };
    }
    // The text names both types and then the value without its own; of a nil slice the nil alone.
    let value = inner.text.strip_prefix(concrete).map_or(inner.text.as_str(), str::trim_start);
    let value = value.strip_prefix("len: 0, cap: 0, ").unwrap_or(value);
    // Hexadecimal stands beside a number only where it is alone.
    let value = value.split(" = 0x").next().unwrap_or(value);
    let facts = Vec::new();
    Shown {
        text: format!("{beginning}{value}"),
        whole: true,
        children: inner.children,
        paths: inner.paths,
        facts,
    }
}
