//! Runtime errors in the words of the source: which expression it was, and which part of it is nil, zero or out of range.
//!
//! The line's operations come from the source, and the frame's values decide which of them it was. Where several fit, or values that
//! would decide are lost, nothing is added to the runtime's message: a wrong name is worse than none.

use std::sync::Arc;

use dispatch::{Context, Operation, OperationKind, Scope, SiteKind};
use eval::{Evaluated, Purpose};
use golang::{BoundsCheck, Conversion, Interface, RuntimeError, Value};
use image::{Kind, TypeId};

use super::{assertions::conversion_text, raised::Raised};
use crate::session::{Detail, Session, look::Look};

/// The nil check of a receiver stands at most this far before the load of its method.
const NIL_CHECK_BYTES: u64 = 64;

/// Operations that a text names where it is not known which of them it was.
const MAX_NAMED: usize = 3;

const NIL_DEREFERENCE: &str = "invalid memory address or nil pointer dereference";
/// What the evaluator says of it.
const EVALUATED_NIL: &str = "nil pointer dereference";
const DIVISION: &str = "integer divide by zero";
const SHIFT: &str = "negative shift amount";
const NIL_MAP: &str = "assignment to entry in nil map";
const UNCOMPARABLE: &str = "comparing uncomparable type ";
const UNHASHABLE: &str = "hash of unhashable type ";

impl Session {
    /// Adds to the runtime's message what the source says.
    pub(super) fn explain(&mut self, raised: &Raised, error: &RuntimeError, text: &mut String) {
        if let RuntimeError::Message(message) = error {
            let named = match message {
                m if m.contains(NIL_DEREFERENCE) => self.nil_call(raised),
                m if m.starts_with("value method ") => self.nil_receiver(raised),
                _ => None,
            };
            if let Some(named) = named {
                *text = format!("{named}: {text}");
                return;
            }
        }
        let Some(handle) = raised.handle() else { return };
        let Some(inf) = self.inferior.as_ref() else { return };
        let operations = inf.engine.operations(&*self.sources, &handle.frame.file, handle.frame.line);
        let engine_text = match error {
            RuntimeError::Conversion(c) => Some(conversion_text(&inf.process(), &inf.engine, c)),
            _ => None,
        };
        if let Some(better) = engine_text {
            *text = better;
        }
        let said = self.look(Some(&handle), None, Detail::Row, |look| {
            let line = Line { look, operations: &operations };
            let seen = line.dynamic_types();
            (line.explain(error), unequal_part(look, error, seen))
        });
        let Ok((named, part)) = said else { return };
        if let Some(named) = named {
            *text = format!("{named}: {text}");
        }
        if let Some(part) = part {
            text.push_str(&format!(" ({part})"));
        }
    }

    /// A call through a nil interface, told as the source writes it: `s.deps.store (main.Store) is nil, calling Get`.
    fn nil_call(&self, raised: &Raised) -> Option<String> {
        let fault = raised.frame().filter(|_| raised.is_fault())?;
        let inf = self.inferior.as_ref()?;
        let sites = inf.engine.sites(&inf.image, fault.function?);
        // The fault is at the load of the method, or at the nil check a little before it.
        let near = |load: u64| load >= fault.pc && load - fault.pc < NIL_CHECK_BYTES;
        let of_line = sites.iter().filter(|s| s.kind == SiteKind::Interface && s.line == fault.line);
        let site = of_line.into_iter().find(|s| s.loads.iter().any(|l| near(l.pc)))?;
        let sources = Arc::clone(&self.sources);
        let cx = Context {
            image: &inf.image,
            mem: &**inf.memory(),
            regs: &fault.regs,
            top: true,
            inline_depth: fault.inline_depth,
            source: &*sources,
        };
        let calls = inf.engine.call_sites(&cx, Scope::Line);
        let call = calls.into_iter().find(|c| c.call_pc == Some(site.pc))?;
        let (receiver, method) = receiver_of(&call)?;
        Some(format!("{receiver} is nil, calling {method}"))
    }

    /// A value method through a nil pointer: the call that the frame is in.
    fn nil_receiver(&self, raised: &Raised) -> Option<String> {
        let caller = raised.frame()?;
        let inf = self.inferior.as_ref()?;
        let sources = Arc::clone(&self.sources);
        let cx = Context {
            image: &inf.image,
            mem: &**inf.memory(),
            regs: &caller.regs,
            top: false,
            inline_depth: caller.inline_depth,
            source: &*sources,
        };
        let calls = inf.engine.call_sites(&cx, Scope::Line);
        let call = calls.into_iter().find(|c| c.in_progress)?;
        let (receiver, method) = receiver_of(&call)?;
        let holds = if call.interface_name.is_some() { "holds" } else { "is" };
        Some(format!("{receiver} {holds} a nil pointer, calling {method}"))
    }
}

/// The receiver as written with its interface type in parentheses, and the method. Without the source: the interface type alone.
fn receiver_of(call: &dispatch::CallSite) -> Option<(String, String)> {
    let Some(written) = call.expression.as_deref() else {
        return Some((format!("the {}", call.interface_name.as_ref()?), call.method.clone()?));
    };
    let method = match &call.method {
        Some(method) => method.clone(),
        None => written.rsplit_once('.')?.1.trim().to_string(),
    };
    let receiver = written.strip_suffix(method.as_str())?.trim_end().strip_suffix('.')?.trim_end();
    let interface = call.interface_name.as_ref().map(|i| format!(" ({i})")).unwrap_or_default();
    Some((format!("{receiver}{interface}"), method))
}

/// Parts of operations, each once.
#[derive(Default)]
struct Parts<'a>(Vec<(String, &'a Operation)>);

impl<'a> Parts<'a> {
    fn add(&mut self, part: &str, op: &'a Operation) {
        if self.0.iter().all(|(known, _)| known != part) {
            self.0.push((part.to_string(), op));
        }
    }
}

/// The line that panicked, with its frame.
struct Line<'a> {
    look: &'a Look<'a>,
    operations: &'a [Operation],
}

impl Line<'_> {
    fn explain(&self, error: &RuntimeError) -> Option<String> {
        match error {
            RuntimeError::Bounds { check, index, limit } => self.bounds(*check, *index, *limit),
            RuntimeError::Conversion(c) => self.conversion(c),
            RuntimeError::Unhashable(ty) => self.with_type(OperationKind::Index, &self.name(*ty), &[1]),
            RuntimeError::Nil => None,
            RuntimeError::Message(m) => self.message(m.trim_start_matches("runtime error: ")),
        }
    }

    fn message(&self, message: &str) -> Option<String> {
        if message.starts_with(NIL_DEREFERENCE) {
            return self.nil_part();
        }
        if let Some(name) = message.strip_prefix(UNCOMPARABLE) {
            return self.with_type(OperationKind::Compare, name, &[0, 1]);
        }
        if let Some(name) = message.strip_prefix(UNHASHABLE) {
            return self.with_type(OperationKind::Index, name, &[1]);
        }
        match message {
            DIVISION => {
                let op = self
                    .pick(OperationKind::Divide, |o| self.holds(&format!("({}) == 0", o.operands.get(1)?)))?;
                Some(format!("{} is 0, in {}", op.operands.get(1)?, op.text))
            }
            SHIFT => {
                let op = self
                    .pick(OperationKind::Shift, |o| self.holds(&format!("({}) < 0", o.operands.get(1)?)))?;
                Some(format!("{} is negative, in {}", op.operands.get(1)?, op.text))
            }
            NIL_MAP => {
                // What is indexed further is read, not assigned.
                let read = |o: &Operation| {
                    let mut all = self.operations.iter().filter(|x| x.kind == OperationKind::Index);
                    all.any(|x| x.operands.first() == Some(&o.text))
                };
                let op = self.pick(OperationKind::Index, |o| {
                    if read(o) {
                        Some(false)
                    } else {
                        self.holds(&format!("({}) == nil", o.operands.first()?))
                    }
                })?;
                Some(format!("{} is nil, assigning {}", op.operands.first()?, op.text))
            }
            "close of nil channel" => self.pick_text(OperationKind::Close, |o| {
                self.holds(&format!("({}) == nil", o.operands.first()?))
            }),
            "close of closed channel" => self.pick_text(OperationKind::Close, |_| None),
            "send on closed channel" => self.pick_text(OperationKind::Send, |_| None),
            _ => None,
        }
    }

    fn bounds(&self, check: BoundsCheck, index: i128, limit: i64) -> Option<String> {
        let size = |f: &str, o: &Operation| {
            // The runtime tells no limit beside a negative index.
            if index < 0 { None } else { Some(format!("{f}({}) == {limit}", o.operands.first()?)) }
        };
        let is = |operand: usize, o: &Operation| {
            let text = o.operands.get(operand).filter(|t| !t.is_empty())?;
            Some(format!("({text}) == {index}"))
        };
        let kind = if check == BoundsCheck::Index { OperationKind::Index } else { OperationKind::Slice };
        let (operand, of) = match check {
            BoundsCheck::Index => (1, Some("len")),
            BoundsCheck::SliceLen => (2, Some("len")),
            BoundsCheck::SliceCap => (2, Some("cap")),
            BoundsCheck::SliceLow | BoundsCheck::Slice3Low => (1, None),
            BoundsCheck::Slice3Len => (3, Some("len")),
            BoundsCheck::Slice3Cap => (3, Some("cap")),
            BoundsCheck::Slice3High => (2, None),
            BoundsCheck::Convert => return None,
        };
        self.pick_text(kind, |o| {
            let parts = [is(operand, o), of.and_then(|f| size(f, o))];
            let parts: Vec<String> = parts.into_iter().flatten().collect();
            if parts.is_empty() { None } else { self.holds(&parts.join(" && ")) }
        })
    }

    fn conversion(&self, c: &Conversion) -> Option<String> {
        self.pick_text(OperationKind::Assert, |o| {
            let found = self.dynamic_type(o.operands.first()?)?;
            if found != c.concrete.map(|t| self.name(t)) {
                return Some(false);
            }
            // The type may be a type parameter, or have another name.
            let last = |s: &str| s.rsplit(['.', '*']).next().unwrap_or(s).to_string();
            (last(o.operands.get(1)?) == last(&self.name(c.wanted?))).then_some(true)
        })
    }

    /// The operation one of whose operands is of (or holds) the named type.
    fn with_type(&self, kind: OperationKind, name: &str, operands: &[usize]) -> Option<String> {
        self.pick_text(kind, |o| {
            let texts = operands.iter().filter_map(|i| o.operands.get(*i));
            let types: Vec<String> = texts.filter_map(|t| self.dynamic_type(t)?).collect();
            match types.iter().any(|t| t == name) {
                true => Some(true),
                // A struct or array may hold what can't be compared, a number can't.
                false if types.iter().any(|t| is_basic(t)) => Some(false),
                false => None,
            }
        })
    }

    /// The only operation of a kind for which the frame's values speak; the only one of the line when they are silent.
    fn pick(&self, kind: OperationKind, fits: impl Fn(&Operation) -> Option<bool>) -> Option<&Operation> {
        match self.candidates(kind, fits).as_slice() {
            [one] => Some(one),
            _ => None,
        }
    }

    /// The same, and where several remain because values are lost: one of them, `a[i] or b[j]`.
    fn pick_text(&self, kind: OperationKind, fits: impl Fn(&Operation) -> Option<bool>) -> Option<String> {
        let all = self.candidates(kind, fits);
        let texts: Vec<&str> = all.iter().map(|o| o.text.as_str()).collect();
        (1..=MAX_NAMED).contains(&texts.len()).then(|| texts.join(" or "))
    }

    /// Operations of a kind that fit; where none is known to fit, those that may.
    fn candidates(&self, kind: OperationKind, fits: impl Fn(&Operation) -> Option<bool>) -> Vec<&Operation> {
        let mut all: Vec<(&Operation, Option<bool>)> = Vec::new();
        for o in self.operations.iter().filter(|o| o.kind == kind) {
            if all.iter().all(|(known, _)| known.text != o.text) {
                all.push((o, fits(o)));
            }
        }
        let known = all.iter().any(|(_, fits)| *fits == Some(true));
        all.retain(|(_, fits)| if known { *fits == Some(true) } else { fits.is_none() });
        all.into_iter().map(|(o, _)| o).collect()
    }

    /// What is nil on the line, if that is certain: the only part that is; or a call's result, which can't be told, where all else is not.
    fn nil_part(&self) -> Option<String> {
        // Parts that are nil; receivers of methods that are (a value method reads through them here); results of calls.
        let (mut nil, mut receivers, mut results) = (Parts::default(), Parts::default(), Parts::default());
        for op in self.operations {
            let Some(base) = op.operands.first() else { continue };
            match op.kind {
                OperationKind::Field | OperationKind::Dereference | OperationKind::Call => {
                    match self.is_nil(base) {
                        Some(true) => nil.add(base, op),
                        // A field of an embedded pointer that is nil.
                        Some(false) if op.kind == OperationKind::Field && self.faults(&op.text) => {
                            if !self.faults(base) {
                                return None;
                            }
                        }
                        Some(false) => {}
                        None if base.ends_with(')') => results.add(base, op),
                        // A function's declaration on the same line.
                        None if op.kind == OperationKind::Call && self.is_undefined(base) => {}
                        // A variable that is lost.
                        None => return None,
                    }
                }
                OperationKind::Method => match (self.is_nil(base), self.is_nil(&op.text)) {
                    (Some(true), _) => receivers.add(base, op),
                    // A field of func type.
                    (_, Some(true)) => nil.add(&op.text, op),
                    (None, None) if base.ends_with(')') => results.add(base, op),
                    (None, None) => return None,
                    _ => {}
                },
                // Through a pointer to an array.
                OperationKind::Index if self.is_nil(base) == Some(true) => nil.add(base, op),
                _ => {}
            }
        }
        let (what, op) = match (nil.0.as_slice(), receivers.0.as_slice(), results.0.as_slice()) {
            ([one], [], []) | ([], [one], []) | ([], [], [one]) => one,
            _ => return None,
        };
        let ty = self.static_type(what).map(|t| format!(" ({t})")).unwrap_or_default();
        Some(match (op.kind, *what == op.text) {
            (OperationKind::Method, true) | (OperationKind::Call, _) => {
                format!("{what}{ty} is nil, calling it")
            }
            _ => format!("{what}{ty} is nil, in {}", op.text),
        })
    }

    /// Whether an expression is a nil pointer or func; None: it can't be told.
    fn is_nil(&self, text: &str) -> Option<bool> {
        let scope = &self.look.scope;
        match eval::evaluate(text, scope) {
            Ok(Evaluated::Value(v)) => {
                let ty = scope.process.type_of(v.ty).ok()?;
                match ty.kind {
                    Kind::Pointer | Kind::Func | Kind::UnsafePointer => {
                        Some(golang::word(scope.process, &v, 0).ok()? == 0)
                    }
                    _ => Some(false),
                }
            }
            Ok(_) => Some(false),
            Err(e) if e.message.contains("of package") || e.message.contains("must be called") => Some(false),
            Err(e) if e.message.contains("(type) is not an expression") => Some(false),
            // A part of it is nil, which is an operation of its own.
            Err(e) if e.message.contains(EVALUATED_NIL) => Some(false),
            Err(_) => None,
        }
    }

    fn is_undefined(&self, name: &str) -> bool {
        eval::evaluate(name, &self.look.scope).is_err_and(|e| e.message.starts_with("undefined: "))
    }

    fn faults(&self, text: &str) -> bool {
        eval::evaluate(text, &self.look.scope).is_err_and(|e| e.message.contains(EVALUATED_NIL))
    }

    fn holds(&self, condition: &str) -> Option<bool> {
        let names = eval::Names::of(&self.look.scope);
        let program = eval::compile(condition, &names, Purpose::Condition).ok()?;
        eval::holds(&program, &self.look.scope).ok()
    }

    fn value(&self, text: &str) -> Option<Value> {
        match eval::evaluate(text, &self.look.scope).ok()? {
            Evaluated::Value(v) => Some(v),
            _ => None,
        }
    }

    fn static_type(&self, text: &str) -> Option<String> {
        self.value(text).map(|v| self.name(v.ty))
    }

    /// The dynamic type of an expression; inner None: nil. Outer None: it can't be told.
    fn dynamic_type(&self, text: &str) -> Option<Option<String>> {
        let v = self.value(text)?;
        self.dynamic(&v).map(|t| t.map(|t| self.name(t)))
    }

    fn dynamic(&self, v: &Value) -> Option<Option<TypeId>> {
        let process = self.look.scope.process;
        if process.type_of(v.ty).ok()?.kind != Kind::Interface {
            return Some(Some(v.ty));
        }
        match golang::interface(process, v) {
            Interface::Dynamic(d) => Some(Some(d.value.ty)),
            Interface::Nil => Some(None),
            Interface::Half(_) | Interface::Bad(_) => None,
        }
    }

    /// The dynamic types of all operands of the line.
    fn dynamic_types(&self) -> Vec<TypeId> {
        let kinds = [OperationKind::Compare, OperationKind::Index];
        let operations = self.operations.iter().filter(|o| kinds.contains(&o.kind));
        let texts = operations.flat_map(|o| &o.operands);
        texts.filter_map(|t| self.dynamic(&self.value(t)?)?).collect()
    }

    fn name(&self, ty: TypeId) -> String {
        self.look.scope.process.display_name(ty)
    }
}

/// Values of the type are always comparable.
fn is_basic(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric())
}

/// Which part of a type has no `==`: `main.Key has the field .list of type []int`.
fn unequal_part(look: &Look<'_>, error: &RuntimeError, seen: Vec<TypeId>) -> Option<String> {
    let process = look.view.process;
    let ty = match error {
        RuntimeError::Unhashable(ty) => *ty,
        RuntimeError::Message(m) => {
            let m = m.trim_start_matches("runtime error: ");
            let name = m.strip_prefix(UNCOMPARABLE).or_else(|| m.strip_prefix(UNHASHABLE))?;
            let named = |t: &TypeId| process.display_name(*t) == name;
            seen.into_iter().find(named).or_else(|| only_type(look, name))?
        }
        _ => return None,
    };
    let (path, part) = golang::uncomparable_part(process, ty)?;
    let name = process.display_name(ty);
    (!path.is_empty()).then(|| format!("{name}{path} is a {}", process.display_name(part)))
}

/// The only type of a short name: by debug information, else among those that the program describes at run time.
fn only_type(look: &Look<'_>, name: &str) -> Option<TypeId> {
    let process = look.view.process;
    match process.image.find_types_short(name).as_slice() {
        [one] => Some(*one),
        [] => look.view.dispatch?.type_named(process.image, name),
        _ => None,
    }
}
