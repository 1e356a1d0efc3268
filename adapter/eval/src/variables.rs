//! The variables of a scope as rows: arguments first, then locals by depth and line; globals of a package; registers.

use golang::{Frame, Process, Value, frame_variables, read_variable};
use image::{ScopeVariable, VarRole};
use machine::{Arch, Reg, Regs};
use rustc_hash::FxHashMap;

use crate::viewer::{Viewer, look};
use crate::{Item, View};

/// Which scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variables<'a> {
    /// Parameters and results of the frame's function.
    Arguments,
    /// Its other variables that are declared at this line, captured ones included.
    Locals,
    /// Arguments, then locals: Delve's `Locals` scope.
    All,
    /// Package variables by import path.
    Globals(&'a str),
    /// General registers of the frame.
    Registers,
}

/// Rows of a scope.
pub fn variables(view: &View<'_>, what: Variables<'_>) -> Vec<Item> {
    look(view, |viewer| match what {
        Variables::Globals(package) => viewer.globals(package),
        Variables::Registers => viewer.registers(),
        _ => viewer.locals(what),
    })
}

/// A variable with the frame that it belongs to.
struct Found<'a> {
    frame: &'a Frame,
    variable: ScopeVariable,
    argument: bool,
    shadowed: bool,
}

/// The compiler's own variables.
fn is_hidden(name: &str) -> bool {
    let name = name.strip_prefix('&').unwrap_or(name);
    name.is_empty() || name.starts_with(['.', '#'])
}

/// The function that a range-over-func body was written in: `main.F` for `main.F-range1-range2`.
fn range_function(symbol: &str) -> Option<&str> {
    let at = symbol.rfind('.').unwrap_or(0);
    let last = symbol.get(at..)?;
    let (name, _) = last.split_once("-range")?;
    symbol.get(..at + name.len())
}

/// The frames whose variables are visible in a range-over-func body besides its own, innermost first; empty when the outermost of them,
/// the function itself, is not on the stack.
fn enclosing<'a>(symbol: &str, outer: &'a [Frame]) -> Vec<&'a Frame> {
    let Some(function) = range_function(symbol) else { return Vec::new() };
    let mut out = Vec::new();
    for frame in outer {
        if frame.symbol == function {
            out.push(frame);
            return out;
        }
        if range_function(&frame.symbol) == Some(function) {
            out.push(frame);
        }
    }
    Vec::new()
}

/// A parameter that escapes is listed twice: as it was passed, and as the variable on the heap that the code uses from then on.
/// One of them is taken away: the first once the second exists.
fn merge_escaped(process: &Process<'_>, frame: &Frame, all: Vec<ScopeVariable>) -> Vec<ScopeVariable> {
    let same = |a: &ScopeVariable, b: &ScopeVariable| a.name == b.name && a.depth == b.depth && a.ty == b.ty;
    let passed = |v: &ScopeVariable| matches!(v.role, VarRole::Param | VarRole::Result) && !v.by_reference;
    let mut out: Vec<ScopeVariable> = Vec::with_capacity(all.len());
    let (mut escaped, rest): (Vec<_>, Vec<_>) = all.iter().partition(|v| {
        v.by_reference && v.closure_offset.is_none() && all.iter().any(|p| passed(p) && same(p, v))
    });
    escaped.retain(|v| golang::address(&read_variable(process, frame, v)).is_some());
    for v in rest {
        match escaped.iter().find(|e| passed(v) && same(v, e)) {
            Some(heap) => out.push(ScopeVariable { role: v.role, decl_line: v.decl_line, ..(*heap).clone() }),
            None => out.push(v.clone()),
        }
    }
    out
}

fn visible<'a>(process: &Process<'_>, frame: &'a Frame, body: bool) -> Vec<Found<'a>> {
    let keep = |v: &ScopeVariable| {
        let of_the_loop = !(v.name.starts_with('~') || v.closure_offset.is_some());
        v.declared && !is_hidden(&v.name) && (!body || of_the_loop)
    };
    let all = frame_variables(process, frame).into_iter().filter(keep).collect();
    let mut out: Vec<Found<'_>> = merge_escaped(process, frame, all)
        .into_iter()
        .map(|variable| {
            let argument = !body && matches!(variable.role, VarRole::Param | VarRole::Result);
            Found { frame, variable, argument, shadowed: false }
        })
        .collect();
    let order = |f: &Found<'_>| {
        let depth = if f.argument { 0 } else { f.variable.depth };
        (!f.argument, depth, f.variable.decl_line)
    };
    out.sort_by_key(order);
    out
}

/// All variables of a frame, outer ones first, with those marked that an inner one hides.
fn merged<'a>(process: &Process<'_>, frame: &'a Frame, outer: &'a [Frame]) -> Vec<Found<'a>> {
    let around = enclosing(&frame.symbol, outer);
    let mut out = Vec::new();
    let count = around.len();
    for (i, f) in around.iter().rev().enumerate() {
        out.extend(visible(process, f, i > 0));
    }
    out.extend(visible(process, frame, count > 0));
    let mut last: FxHashMap<String, usize> = FxHashMap::default();
    for i in 0..out.len() {
        let Some(name) = out.get(i).map(|f| f.variable.name.clone()) else { break };
        if let Some(earlier) = last.insert(name, i)
            && let Some(f) = out.get_mut(earlier)
        {
            f.shadowed = true;
        }
    }
    out
}

impl Viewer<'_> {
    fn locals(&self, what: Variables<'_>) -> Vec<Item> {
        let Some(frame) = self.view.frame else { return Vec::new() };
        let wanted = |f: &Found<'_>| match what {
            Variables::Arguments => f.argument,
            Variables::Locals => !f.argument,
            _ => true,
        };
        let mut all = merged(self.process, frame, self.view.outer);
        all.sort_by_key(|f| !f.argument);
        all.iter().filter(|f| wanted(f)).take(self.view.budget.children).map(|f| self.local(f)).collect()
    }

    fn local(&self, f: &Found<'_>) -> Item {
        let value = read_variable(self.process, f.frame, &f.variable);
        let name = &f.variable.name;
        if f.shadowed {
            return Item { name: format!("({name})"), ..self.item(name, &value, None) };
        }
        // Results without a name, and blank parameters, can't be written.
        let e = Some(name.as_str()).filter(|n| !n.starts_with('~') && *n != "_");
        self.item(name, &value, e)
    }

    fn globals(&self, package: &str) -> Vec<Item> {
        let prefix = format!("{package}.");
        let qualifier =
            if package.contains(['/', '.', '-']) { format!("\"{package}\"") } else { package.to_string() };
        let all = self.process.image.globals_of(package);
        let row = |(name, addr, ty): &(String, u64, image::TypeId)| {
            let name = name.strip_prefix(&prefix).unwrap_or(name);
            self.item(name, &Value::at(*ty, *addr), Some(&format!("{qualifier}.{name}")))
        };
        all.iter()
            .filter(|(name, _, _)| !name.contains(".."))
            .take(self.view.budget.children)
            .map(row)
            .collect()
    }

    fn registers(&self) -> Vec<Item> {
        let Some(frame) = self.view.frame else { return Vec::new() };
        let row = |(name, text): (String, String)| {
            let e = format!("_{}", name.to_ascii_uppercase());
            self.fact(&format!("{:>6}", name.to_ascii_lowercase()), text, "uint64", Some(e))
        };
        register_texts(&frame.regs).into_iter().map(row).collect()
    }
}

/// Names and values of the general registers that are known, in the order of a register view.
fn register_texts(regs: &Regs) -> Vec<(String, String)> {
    let arch = regs.arch();
    let order: Vec<Reg> = match arch {
        Arch::Amd64 => [16, 7, 0, 3, 2, 1, 4, 5, 6].into_iter().chain(8..16).map(Reg).collect(),
        Arch::Arm64 => [32, 31].into_iter().chain(0..31).map(Reg).collect(),
    };
    let general = |r: Reg| Some((r.name(arch), format!("{:#018x}", regs.get(r)?)));
    let mut out: Vec<_> = order.into_iter().filter_map(general).collect();
    match arch {
        Arch::Amd64 => {
            out.push(("Rflags".into(), format!("{:#018x}\t[{}]", regs.flags, flags(regs.flags))));
            out.push(("Fs_base".into(), format!("{:#018x}", regs.tls)));
        }
        Arch::Arm64 => out.push(("NZCV".into(), format!("{:#018x}", regs.flags))),
    }
    out
}

fn flags(value: u64) -> String {
    const NAMES: [(u32, &str); 9] =
        [(0, "CF"), (2, "PF"), (4, "AF"), (6, "ZF"), (7, "SF"), (8, "TF"), (9, "IF"), (10, "DF"), (11, "OF")];
    let set = NAMES.iter().filter(|(bit, _)| value >> bit & 1 == 1).map(|(_, name)| *name);
    set.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_body_belongs_to_its_function() {
        assert_eq!(range_function("main.F-range1"), Some("main.F"));
        assert_eq!(range_function("a/b.(*T).F-range1-range2"), Some("a/b.(*T).F"));
        assert_eq!(range_function("my-range/x.F"), None);
    }

    #[test]
    fn registers_are_listed_as_a_view_shows_them() {
        let mut regs = Regs::new(Arch::Amd64);
        regs.set_pc(0x401000);
        regs.flags = 0x246;
        let all = register_texts(&regs);
        assert_eq!(all.first(), Some(&("Rip".to_string(), "0x0000000000401000".to_string())));
        assert!(all.contains(&("Rflags".to_string(), "0x0000000000000246\t[PF ZF IF]".to_string())));
    }
}
