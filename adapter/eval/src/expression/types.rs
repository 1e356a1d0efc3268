//! Type expressions: which type of the program a syntax tree names. A type that the program doesn't have is no error here: no value
//! can be of it, so that `typeof(x) == T` is false and `x.(T)` fails.

use expr::{ChanDir, Node, NodeKind, Param};
use image::TypeId;

use super::compile::Compiler;
use super::error::EvalError;
use super::names::{Meaning, shared};
use super::operand::{Static, TypeRef};

/// Go's predeclared types, with the names that debug information has for the aliases.
const PREDECLARED: [(&str, &str); 25] = [
    ("bool", "bool"),
    ("byte", "uint8"),
    ("rune", "int32"),
    ("any", "interface {}"),
    ("error", "error"),
    ("string", "string"),
    ("int", "int"),
    ("int8", "int8"),
    ("int16", "int16"),
    ("int32", "int32"),
    ("int64", "int64"),
    ("uint", "uint"),
    ("uint8", "uint8"),
    ("uint16", "uint16"),
    ("uint32", "uint32"),
    ("uint64", "uint64"),
    ("uintptr", "uintptr"),
    ("float32", "float32"),
    ("float64", "float64"),
    ("complex64", "complex64"),
    ("complex128", "complex128"),
    ("unsafe.Pointer", "unsafe.Pointer"),
    ("interface {}", "interface {}"),
    ("interface{}", "interface {}"),
    ("struct {}", "struct {}"),
];

/// What stands for a predeclared type.
pub(crate) fn predeclared(name: &str) -> Option<&'static str> {
    PREDECLARED.iter().find(|p| p.0 == name).map(|p| p.1)
}

impl Compiler<'_> {
    /// The type that a node names; None when it is an expression. Names of variables shadow types.
    pub(crate) fn as_type(&self, node: &Node) -> Result<Option<TypeRef>, EvalError> {
        let missing = || Ok(Some(TypeRef::Missing(shared(node.span.of(self.text)))));
        match &node.kind {
            NodeKind::Paren(inner) => self.as_type(inner),
            NodeKind::Name(n) => self.named_type(n, node),
            NodeKind::Selector { base, name, .. } => match &base.unparen().kind {
                NodeKind::Name(q) if self.is_package(q) => {
                    if q == "unsafe" && name == "Pointer" {
                        return Ok(self.predeclared("unsafe.Pointer"));
                    }
                    match self.names.qualified(q, name).map_err(|why| self.error(node.span, why))? {
                        Some(m) => Ok(type_meaning(m)),
                        None => Ok(self.linked(&self.names.packages(q), name)),
                    }
                }
                NodeKind::Text(path) => {
                    let path = String::from_utf8_lossy(path);
                    match self.names.member(&path, name) {
                        Some(m) => Ok(type_meaning(m)),
                        None => Ok(self.linked(&[path.into_owned()], name)),
                    }
                }
                _ => Ok(None),
            },
            NodeKind::Index { base, indices } => self.instance(base, indices),
            NodeKind::Star(inner) => {
                let inner = match (&inner.unparen().kind, self.as_type(inner)?) {
                    (NodeKind::Text(t), _) => Some(self.quoted_type(t)),
                    (_, found) => found,
                };
                Ok(inner.map(|t| match t {
                    TypeRef::Known(id) => TypeRef::Known(self.cx.process.pointer_to(id)),
                    TypeRef::Missing(name) => TypeRef::Missing(format!("*{name}").into()),
                    TypeRef::Nil => TypeRef::Nil,
                }))
            }
            NodeKind::SliceType(elem) => match self.need_type(elem)? {
                TypeRef::Known(id) => Ok(Some(TypeRef::Known(self.cx.process.slice_of(id)))),
                _ => missing(),
            },
            NodeKind::ArrayType { len, elem } => {
                let len = match len {
                    Some(len) => self.array_length(len)?,
                    None => {
                        return Err(
                            self.error(node.span, "invalid use of [...] array (outside a composite literal)")
                        );
                    }
                };
                match self.need_type(elem)? {
                    TypeRef::Known(id) => Ok(Some(TypeRef::Known(self.cx.process.array_of(id, len)))),
                    _ => missing(),
                }
            }
            NodeKind::MapType { .. }
            | NodeKind::ChanType { .. }
            | NodeKind::FuncType { .. }
            | NodeKind::StructType(_)
            | NodeKind::InterfaceType(_) => match self.type_name(node)? {
                Some(name) => match self.find(&name) {
                    Some(id) => Ok(Some(TypeRef::Known(id))),
                    None => Ok(Some(TypeRef::Missing(shared(&name)))),
                },
                None => missing(),
            },
            _ => Ok(None),
        }
    }

    /// A node that must be a type.
    pub(crate) fn need_type(&self, node: &Node) -> Result<TypeRef, EvalError> {
        if let NodeKind::Text(t) = &node.unparen().kind {
            return Ok(self.quoted_type(t));
        }
        if let Some(t) = self.as_type(node)? {
            return Ok(t);
        }
        let text = node.span.of(self.text);
        let is_value = matches!(&node.unparen().kind, NodeKind::Name(n) if self.is_variable(n));
        Err(match is_value {
            true => self.error(node.span, format!("{text} is not a type")),
            false => self.error(node.span, format!("undefined: {text}")),
        })
    }

    /// A node that must be a type of the program.
    pub(crate) fn known_type(&self, node: &Node) -> Result<TypeId, EvalError> {
        match self.need_type(node)? {
            TypeRef::Known(id) => Ok(id),
            _ => {
                let text = node.span.of(self.text);
                Err(self.error(node.span, format!("undefined: {text} (the program has no such type)")))
            }
        }
    }

    /// A type that only its descriptor tells of.
    fn linked(&self, packages: &[String], name: &str) -> Option<TypeRef> {
        let mut found = packages.iter().filter_map(|p| self.cx.process.linked_type(&format!("{p}.{name}")));
        found.next().map(TypeRef::Known)
    }

    /// How the type would be shown, for comparing it with types that only show when the program runs.
    pub(crate) fn spelled(&self, node: &Node) -> String {
        let package =
            || self.names.package().map(|p| format!("{}.", image::names::short(&p))).unwrap_or_default();
        match &node.kind {
            NodeKind::Paren(inner) => self.spelled(inner),
            NodeKind::Name(n) => match predeclared(n) {
                Some(n) => n.to_string(),
                None => format!("{}{n}", package()),
            },
            NodeKind::Text(t) => String::from_utf8_lossy(t).into_owned(),
            NodeKind::Star(inner) => format!("*{}", self.spelled(inner)),
            NodeKind::SliceType(elem) => format!("[]{}", self.spelled(elem)),
            NodeKind::MapType { key, value } => format!("map[{}]{}", self.spelled(key), self.spelled(value)),
            _ => node.span.of(self.text).to_string(),
        }
    }

    fn find(&self, name: &str) -> Option<TypeId> {
        self.cx.process.basic(name).or_else(|| self.cx.process.image.find_type(name))
    }

    fn predeclared(&self, name: &str) -> Option<TypeRef> {
        let name = predeclared(name)?;
        Some(self.find(name).map_or(TypeRef::Missing(name.into()), TypeRef::Known))
    }

    fn named_type(&self, name: &str, node: &Node) -> Result<Option<TypeRef>, EvalError> {
        match self.names.lookup(name) {
            Ok(Some(Meaning::Type(id))) => Ok(Some(TypeRef::Known(id))),
            Ok(Some(_)) => Ok(None),
            Ok(None) => {
                match self.predeclared(name).or_else(|| self.names.type_parameter(name).map(TypeRef::Known)) {
                    Some(t) => Ok(Some(t)),
                    None => Ok(self.names.package().and_then(|p| self.linked(&[p], name))),
                }
            }
            Err(why) => match self.predeclared(name) {
                Some(t) => Ok(Some(t)),
                None => Err(self.error(node.span, why)),
            },
        }
    }

    /// `"example.com/x.T"`, any type as debug information spells it, also in the short form.
    fn quoted_type(&self, text: &[u8]) -> TypeRef {
        let name = String::from_utf8_lossy(text);
        let short = || match self.cx.process.image.find_types_short(&name).as_slice() {
            [one] => Some(*one),
            _ => None,
        };
        let known = predeclared(&name).unwrap_or(&name);
        if let Some(id) = self.find(known).or_else(short) {
            return TypeRef::Known(id);
        }
        let process = self.cx.process;
        // A long row of stars is no type's name.
        const LONGEST: usize = 2048;
        if name.len() > LONGEST {
            return TypeRef::Missing("?".into());
        }
        if let Some(TypeRef::Known(id)) =
            name.strip_prefix('*').map(|inner| self.quoted_type(inner.as_bytes()))
        {
            return TypeRef::Known(process.pointer_to(id));
        }
        if let Some(TypeRef::Known(id)) =
            name.strip_prefix("[]").map(|inner| self.quoted_type(inner.as_bytes()))
        {
            return TypeRef::Known(process.slice_of(id));
        }
        process.linked_type(known).map_or(TypeRef::Missing(shared(known)), TypeRef::Known)
    }

    /// `Stack[int]`: debug information has instances only, under their full names.
    fn instance(&self, base: &Node, indices: &[Node]) -> Result<Option<TypeRef>, EvalError> {
        let (packages, name) = match &base.unparen().kind {
            NodeKind::Name(n) if !self.is_variable(n) => (self.names.package().into_iter().collect(), n),
            NodeKind::Selector { base, name, .. } => match &base.unparen().kind {
                NodeKind::Name(q) if self.is_package(q) => (self.names.packages(q), name),
                NodeKind::Text(path) => (vec![String::from_utf8_lossy(path).into_owned()], name),
                _ => return Ok(None),
            },
            _ => return Ok(None),
        };
        let mut arguments = Vec::new();
        for i in indices {
            // An index that is no type makes the whole an ordinary index expression.
            match self.as_type(i)? {
                Some(TypeRef::Known(id)) => arguments.push(self.cx.process.qualified_name(id)),
                Some(t) => return Ok(Some(t)),
                None => return Ok(None),
            }
        }
        let arguments = arguments.join(",");
        let found = packages.iter().find_map(|p: &String| self.find(&format!("{p}.{name}[{arguments}]")));
        let package = packages.first().map_or("", |p| p.as_str());
        Ok(Some(found.map_or_else(
            || TypeRef::Missing(format!("{package}.{name}[{arguments}]").into()),
            TypeRef::Known,
        )))
    }

    fn array_length(&self, len: &Node) -> Result<u64, EvalError> {
        let mut inner = Compiler::new(self.names, self.cx, self.text);
        match inner.expression(len)? {
            Static::Number(c) => {
                match c.to_int().and_then(|n| u64::try_from(n).ok()).filter(|n| *n < 1 << 40) {
                    Some(n) => Ok(n),
                    None => Err(self.error(len.span, format!("invalid array length {c}"))),
                }
            }
            _ => {
                Err(self.error(len.span, format!("array length {} must be constant", len.span.of(self.text))))
            }
        }
    }

    /// A composite type's name as debug information spells it; None when a part of it is not in the program.
    fn type_name(&self, node: &Node) -> Result<Option<String>, EvalError> {
        match &node.kind {
            NodeKind::MapType { key, value } => {
                let (Some(k), Some(v)) = (self.part_name(key)?, self.part_name(value)?) else {
                    return Ok(None);
                };
                Ok(Some(format!("map[{k}]{v}")))
            }
            NodeKind::ChanType { dir, elem } => {
                let prefix = match dir {
                    ChanDir::Both => "chan ",
                    ChanDir::Send => "chan<- ",
                    ChanDir::Receive => "<-chan ",
                };
                Ok(self.part_name(elem)?.map(|e| format!("{prefix}{e}")))
            }
            NodeKind::FuncType { params, results, variadic } => {
                Ok(self.signature_name(params, results, *variadic)?.map(|s| format!("func{s}")))
            }
            NodeKind::StructType(fields) => {
                let mut all = Vec::new();
                for f in fields {
                    let Some(ty) = self.part_name(&f.ty)? else { return Ok(None) };
                    all.extend(f.names.iter().map(|n| format!("{n} {ty}")));
                    if f.names.is_empty() {
                        all.push(ty);
                    }
                }
                Ok(Some(braces("struct", &all)))
            }
            NodeKind::InterfaceType(methods) => {
                let mut all = Vec::new();
                for m in methods {
                    let name = match &m.ty.kind {
                        NodeKind::FuncType { params, results, variadic } => {
                            self.signature_name(params, results, *variadic)?
                        }
                        _ => return Ok(None),
                    };
                    let Some(name) = name else { return Ok(None) };
                    all.extend(m.names.iter().map(|n| format!("{n}{name}")));
                }
                all.sort();
                Ok(Some(braces("interface", &all)))
            }
            _ => Ok(None),
        }
    }

    fn part_name(&self, node: &Node) -> Result<Option<String>, EvalError> {
        match self.need_type(node)? {
            TypeRef::Known(id) => Ok(Some(self.cx.process.qualified_name(id))),
            _ => Ok(None),
        }
    }

    fn signature_name(
        &self,
        params: &[Param],
        results: &[Param],
        variadic: bool,
    ) -> Result<Option<String>, EvalError> {
        let list = |params: &[Param]| -> Result<Option<Vec<String>>, EvalError> {
            let mut all = Vec::new();
            for p in params {
                let Some(ty) = self.part_name(&p.ty)? else { return Ok(None) };
                all.extend(std::iter::repeat_n(ty, p.names.len().max(1)));
            }
            Ok(Some(all))
        };
        let (Some(mut params), Some(results)) = (list(params)?, list(results)?) else { return Ok(None) };
        if let Some(last) = params.last_mut().filter(|_| variadic) {
            last.insert_str(0, "...");
        }
        let results = match results.as_slice() {
            [] => String::new(),
            [one] => format!(" {one}"),
            many => format!(" ({})", many.join(", ")),
        };
        Ok(Some(format!("({}){results}", params.join(", "))))
    }
}

fn braces(word: &str, parts: &[String]) -> String {
    if parts.is_empty() { format!("{word} {{}}") } else { format!("{word} {{ {} }}", parts.join("; ")) }
}

fn type_meaning(m: Meaning) -> Option<TypeRef> {
    match m {
        Meaning::Type(id) => Some(TypeRef::Known(id)),
        _ => None,
    }
}
