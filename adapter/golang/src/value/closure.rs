//! Func values: the function behind the word, and what a closure, a method value or a reflect-made function carries along
//! (cmd/compile closures; runtime.funcval; reflect/makefunc.go).

use image::{Function, PieceHome, ScopeVariable, Shape, TypeId, VarContext, VarRole};
use machine::{MemoryExt, Regs};

use super::composite::fields;
use super::place::{Value, underlying, word};
use super::unpack;
use crate::Process;

/// A func value that is not nil.
#[derive(Clone, Debug)]
pub struct FuncValue {
    /// Address of the funcval: the code pointer, followed by what the closure captured.
    pub funcval: u64,
    /// Code address in it.
    pub entry: u64,
    /// Linker symbol of the function at exactly that address; None: not the entry of a function.
    pub symbol: Option<String>,
    pub captures: Vec<Capture>,
}

/// One captured variable.
#[derive(Clone, Debug)]
pub struct Capture {
    /// As in the source; `.this` for the receiver of a method value.
    pub name: String,
    /// The variable itself, also where the closure holds a pointer to it.
    pub value: Value,
    pub by_reference: bool,
}

/// Captures that are listed at most.
const MAX_CAPTURES: usize = 1000;

/// The function behind a func value; None for nil.
pub fn function_of(p: &Process<'_>, v: &Value) -> Result<Option<FuncValue>, String> {
    let funcval = word(p, v, 0)?;
    if funcval == 0 {
        return Ok(None);
    }
    let entry = p.mem.read_u64(funcval).map_err(|e| e.to_string())?;
    let function = p.image.functions().at(entry).filter(|f| f.entry() == entry);
    let symbol = function.map(|f| f.name().to_string());
    let captures = function.map(|f| captures(p, funcval, &f)).unwrap_or_default();
    Ok(Some(FuncValue { funcval, entry, symbol, captures }))
}

fn captures(p: &Process<'_>, funcval: u64, f: &Function<'_>) -> Vec<Capture> {
    match f.name() {
        "reflect.makeFuncStub" => return made(p, funcval, "reflect.makeFuncImpl"),
        "reflect.methodValueCall" => return made(p, funcval, "reflect.methodValue"),
        _ => {}
    }
    if let Some(receiver) = f.name().strip_suffix("-fm").and_then(|m| bound_receiver(p, funcval, m)) {
        return vec![receiver];
    }
    let depth = p.image.functions().inline_stack(f.entry()).len().saturating_sub(1);
    let all = p.image.variables(f.entry(), depth);
    // The compiler's own: dictionaries, the state of range-over-func loops.
    let all: Vec<ScopeVariable> = all.into_iter().filter(|v| !v.name.starts_with(['.', '#'])).collect();
    let mut placed: Vec<(u64, ScopeVariable)> = Vec::new();
    placed.extend(all.iter().filter_map(|v| Some((v.closure_offset?, v.clone()))));
    if placed.is_empty() {
        placed = unpacked(p, f, &all);
    }
    placed.sort_by_key(|(offset, _)| *offset);
    let capture = |(offset, var): (u64, ScopeVariable)| {
        let value = capture(p, funcval.wrapping_add(offset), var.ty, var.by_reference);
        Capture { name: var.name, value, by_reference: var.by_reference }
    };
    placed.into_iter().take(MAX_CAPTURES).map(capture).collect()
}

/// Offsets of captured variables by the code that unpacks them.
fn unpacked(p: &Process<'_>, f: &Function<'_>, all: &[ScopeVariable]) -> Vec<(u64, ScopeVariable)> {
    let copies = unpack::copies(f, p.image.arch(), p.mem);
    if copies.is_empty() {
        return Vec::new();
    }
    // Any frame address will do: only the distance of a slot from it counts.
    const FRAME: u64 = 1 << 40;
    let regs = Regs::new(p.image.arch());
    let cx = VarContext { pc: f.prologue_end(), regs: &regs, cfa: FRAME, mem: p.mem };
    let slot = |var: &ScopeVariable| match p.image.locate(var, &cx).ok()?.first()?.home {
        PieceHome::Memory(at) => Some(at.wrapping_sub(FRAME).cast_signed()),
        _ => None,
    };
    let locals = all.iter().filter(|v| !matches!(v.role, VarRole::Param | VarRole::Result));
    let placed = locals.filter_map(|v| {
        let slot = slot(v)?;
        let copy = copies.iter().find(|c| c.frame_offset == slot)?;
        Some((copy.closure_offset, v.clone()))
    });
    placed.collect()
}

fn capture(p: &Process<'_>, at: u64, ty: TypeId, by_reference: bool) -> Value {
    if !by_reference {
        return Value::at(ty, at);
    }
    match p.mem.read_u64(at) {
        Ok(0) => Value::unavailable(ty, "the closure holds no pointer to it"),
        Ok(to) => Value::at(ty, to),
        Err(e) => Value::unavailable(ty, e.to_string()),
    }
}

/// The receiver copy behind the code pointer of `T.M-fm`; its type is in the symbol: `pkg.T.M`, `pkg.(*T).M`.
fn bound_receiver(p: &Process<'_>, funcval: u64, method: &str) -> Option<Capture> {
    let method = image::names::unescape(method);
    let receiver = receiver_type(&method)?;
    let ty = p.image.find_type(&receiver).or_else(|| {
        let pointed = p.image.find_type(receiver.strip_prefix('*')?)?;
        Some(p.pointer_to(pointed))
    })?;
    underlying(p, ty).ok()?;
    Some(Capture { name: ".this".into(), value: Value::at(ty, funcval.wrapping_add(8)), by_reference: false })
}

/// `a/b.(*T[int]).M` -> `*a/b.T[int]`; `a/b.T.M` -> `a/b.T`.
fn receiver_type(method: &str) -> Option<String> {
    let mut depth = 0usize;
    let mut dot = None;
    for (i, c) in method.char_indices() {
        match c {
            '[' | '(' => depth += 1,
            ']' | ')' => depth = depth.saturating_sub(1),
            '.' if depth == 0 => dot = Some(i),
            _ => {}
        }
    }
    let receiver = method.get(..dot?)?;
    match receiver.split_once(".(*") {
        Some((package, ty)) => Some(format!("*{package}.{}", ty.strip_suffix(')')?)),
        None => Some(receiver.to_string()),
    }
}

/// The fields of what reflect keeps behind its stubs.
fn made(p: &Process<'_>, funcval: u64, ty: &str) -> Vec<Capture> {
    let Some(ty) = p.image.find_type(ty) else { return Vec::new() };
    let v = Value::at(ty, funcval);
    let all = fields(p, &v).unwrap_or_default();
    let capture =
        |(f, value): (image::Field, Value)| Capture { name: f.name.to_string(), value, by_reference: false };
    all.into_iter().filter(|(f, _)| !is_code_pointer(p, f.ty)).map(capture).collect()
}

fn is_code_pointer(p: &Process<'_>, ty: TypeId) -> bool {
    matches!(p.type_of(ty).map(|t| t.shape.clone()), Ok(Shape::Struct { .. }))
}

#[cfg(test)]
mod tests {
    use super::receiver_type;

    #[test]
    fn the_receiver_is_read_from_the_symbol() {
        assert_eq!(receiver_type("a/b.c.(*T[int,x/y.Z]).M").as_deref(), Some("*a/b.c.T[int,x/y.Z]"));
        assert_eq!(receiver_type("main.T.M").as_deref(), Some("main.T"));
        assert_eq!(receiver_type("main").as_deref(), None);
    }
}
