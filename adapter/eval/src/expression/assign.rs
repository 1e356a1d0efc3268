//! `x = e`: which bytes have to be written where. Nothing is written here: the session does that through the target.

use expr::{Node, NodeKind};
use golang::{Place, Value};
use image::{Kind, PieceHome, Shape, TypeId};

use super::compile::{Compiler, Purpose, compile_node};
use super::cx::{Cx, words};
use super::error::EvalError;
use super::names::Names;
use super::operand::{Operand, Static};
use super::scratch::Scratch;
use super::{Scope, run_operand};

/// What an assignment changes, in the order in which it is to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Write {
    pub parts: Vec<WritePart>,
}

/// Bytes for one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WritePart {
    /// [`PieceHome::Memory`], [`PieceHome::Register`] (of the frame) or [`PieceHome::Vector`].
    pub home: PieceHome,
    pub bytes: Vec<u8>,
}

/// Computes `target = text` for a value that was evaluated or shown in this frame.
pub fn assign(scope: &Scope<'_>, target: &Value, text: &str) -> Result<Write, EvalError> {
    let parsed = expr::parse(text);
    match parsed.errors.first() {
        Some(e) => Err(EvalError::syntax(text, e)),
        None => assign_node(scope, target, text, &parsed.root),
    }
}

/// Runs an assignment statement (`x = e`, `x += e`, `x++`); None: the text is an expression.
pub fn assignment(scope: &Scope<'_>, text: &str) -> Result<Option<(Value, Write)>, EvalError> {
    let (statement, errors) = expr::parse_statement(text);
    if let Some(e) = errors.first() {
        return Err(EvalError::syntax(text, e));
    }
    let expr::Statement::Assign { left, right } = statement else { return Ok(None) };
    let target = target(scope, text, &left)?;
    let write = assign_node(scope, &target, text, &right)?;
    Ok(Some((target, write)))
}

/// The place that the left side names.
fn target(scope: &Scope<'_>, text: &str, left: &Node) -> Result<Value, EvalError> {
    let names = Names::of(scope);
    let program = compile_node(text, left, &names, Purpose::Value)?;
    let refuse = |why: String| EvalError::new(text, left.span, why);
    let name = left.span.of(text);
    if let NodeKind::Index { base, .. } = &left.unparen().kind
        && is_missing_key(scope, text, base, left)?
    {
        return Err(refuse(format!(
            "{name} is not in the map: a new key would have to be allocated in the program; existing ones can be assigned"
        )));
    }
    let computed = |v: &Value| matches!(v.place, Place::Bytes { homes: None, .. });
    match run_operand(&program, scope)? {
        Operand::Value(v) if !computed(&v) => Ok(v),
        _ => Err(refuse(format!("cannot assign to {name}: it is not a variable"))),
    }
}

/// An index into a map that gave the zero value because the key is not there.
fn is_missing_key(scope: &Scope<'_>, text: &str, base: &Node, left: &Node) -> Result<bool, EvalError> {
    let names = Names::of(scope);
    let map = run_operand(&compile_node(text, base, &names, Purpose::Value)?, scope)?;
    let Operand::Value(map) = map else { return Ok(false) };
    let scratch = Scratch::new();
    let cx = Cx { process: scope.process, scratch: &scratch };
    if cx.kind(map.ty) != Kind::Map {
        return Ok(false);
    }
    match run_operand(&compile_node(text, left, &names, Purpose::Value)?, scope)? {
        Operand::Value(v) => Ok(!matches!(v.place, Place::Memory(_))),
        _ => Ok(false),
    }
}

fn assign_node(scope: &Scope<'_>, target: &Value, text: &str, right: &Node) -> Result<Write, EvalError> {
    let names = Names::of(scope);
    let scratch = Scratch::new();
    let memory = scratch.over(scope.process.mem);
    let process = golang::Process { mem: &memory, ..*scope.process };
    let cx = Cx { process: &process, scratch: &scratch };
    let refuse = |why: String| EvalError::new(text, right.span, why);
    // A literal string is written into the old one's bytes where it fits, the rest of the old one is cut off.
    if let NodeKind::Text(content) = &right.unparen().kind
        && cx.kind(target.ty) == Kind::String
    {
        return cx.assign_text(target, content).map_err(refuse);
    }
    let program = compile_node(text, right, &names, Purpose::Value)?;
    let inner = Scope { process: &process, scratch: &scratch, ..*scope };
    let value = run_operand(&program, &inner)?;
    let checker = Compiler::new(&names, cx, text);
    let statics = value.statics();
    let statics = relax(&cx, &statics, target.ty, &value);
    checker.assignable(&statics, right, target.ty, "assignment")?;
    let value = cx.typed_value(value, target.ty).map_err(refuse)?;
    let bytes = cx.bytes(&value).map_err(refuse)?;
    if cx.holds_scratch(target.ty, &bytes, 8) {
        let what = "the new value would have to be allocated in the program, which is not possible yet; assign a variable that has it";
        return Err(refuse(what.into()));
    }
    cx.places(target, bytes).map_err(refuse)
}

/// A pointer may be assigned an address: `p = 0xc000010000`.
fn relax(cx: &Cx<'_>, s: &Static, to: TypeId, value: &Operand) -> Static {
    let pointer = matches!(cx.kind(to), Kind::Pointer | Kind::UnsafePointer | Kind::Uintptr);
    match (s, value) {
        (Static::Number(c), Operand::Number(_)) if pointer && c.to_int().is_some() => Static::Dynamic,
        _ => s.clone(),
    }
}

impl Cx<'_> {
    fn assign_text(&self, target: &Value, content: &[u8]) -> Result<Write, String> {
        let (addr, len) = (self.word(target, 0)?, self.word(target, 1)?);
        if content.is_empty() {
            return self.places(target, words(&[0, 0]));
        }
        if self.memory(addr, len)? == content {
            return Ok(Write::default());
        }
        let more = content.len() as u64 > len;
        if more || self.process.image.is_read_only(addr) {
            let why = match more {
                true => format!("it is longer than the old one ({} bytes for {len})", content.len()),
                false => "the old one lies in read-only memory".to_string(),
            };
            return Err(format!(
                "a new string would have to be allocated in the program, which is not possible yet: {why}; assign another variable's string, or a shorter one"
            ));
        }
        let mut write = Write::default();
        write.parts.push(WritePart { home: PieceHome::Memory(addr), bytes: content.to_vec() });
        write.parts.extend(self.places(target, words(&[addr, content.len() as u64]))?.parts);
        Ok(write)
    }

    /// Whether the bytes of a value point into the debugger's own memory.
    fn holds_scratch(&self, ty: TypeId, bytes: &[u8], depth: usize) -> bool {
        let Some(depth) = depth.checked_sub(1) else { return false };
        let Ok(t) = self.ty(ty) else { return false };
        let word = |i: usize| super::cx::read_word(bytes, i).is_some_and(Scratch::contains);
        let inner = |offset: u64, ty: TypeId| {
            bytes.get(offset as usize..).is_some_and(|rest| self.holds_scratch(ty, rest, depth))
        };
        match &t.shape {
            Shape::Struct { fields } => fields.iter().any(|f| inner(f.offset, f.ty)),
            Shape::Array { elem, len } => {
                let size = self.size(*elem);
                (0..(*len).min(1 << 16)).any(|i| inner(i.wrapping_mul(size), *elem))
            }
            Shape::Interface { .. } => word(0) || word(1),
            _ if super::typing::nilable(t.kind) || t.kind == Kind::String => word(0),
            _ => false,
        }
    }

    /// Spreads bytes over the places that the target consists of.
    fn places(&self, target: &Value, bytes: Vec<u8>) -> Result<Write, String> {
        match &target.place {
            Place::Memory(addr) if Scratch::contains(*addr) => {
                Err("cannot assign to a computed value".into())
            }
            Place::Memory(addr) if self.process.image.is_read_only(*addr) => {
                Err("cannot assign: it lies in read-only memory".into())
            }
            Place::Memory(addr) => {
                Ok(Write { parts: vec![WritePart { home: PieceHome::Memory(*addr), bytes }] })
            }
            Place::Bytes { homes: Some(homes), .. } => {
                let mut parts = Vec::new();
                let mut at = 0usize;
                for piece in homes.iter() {
                    let end = at.saturating_add(piece.size as usize);
                    let part = bytes.get(at..end.min(bytes.len())).unwrap_or(&[]).to_vec();
                    match &piece.home {
                        PieceHome::Lost | PieceHome::Value(_) => {
                            return Err(
                                "cannot assign: the compiler keeps no place for this variable here".into()
                            );
                        }
                        home => parts.push(WritePart { home: home.clone(), bytes: part }),
                    }
                    at = end;
                }
                Ok(Write { parts })
            }
            Place::Bytes { homes: None, .. } => Err("cannot assign to a computed value".into()),
            Place::Unavailable(why) => Err(format!("cannot assign: {why}")),
        }
    }
}
