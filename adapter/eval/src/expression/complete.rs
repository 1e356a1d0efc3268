//! Completions: what could stand at a place in an expression. Works on unfinished text, reads debug information only.

use expr::{Token, TokenKind};
use golang::Value;
use image::{Kind, Shape, TypeId};

use super::compile::{Purpose, compile};
use super::cx::Cx;
use super::names::{Names, package_name};
use super::program::{Builtin, Intrinsic};
use super::{Evaluated, Scope, run};

/// What a candidate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CandidateKind {
    Variable,
    Field,
    Method,
    Package,
    Function,
}

/// One completion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub text: String,
    pub kind: CandidateKind,
    /// Type of a variable or field.
    pub detail: Option<String>,
}

/// At most this many are worth showing.
const MAX_CANDIDATES: usize = 200;

/// Candidates for what stands before `column` (characters, from 1), and how many characters before it they replace.
pub fn complete(text: &str, column: usize, scope: &Scope<'_>) -> (usize, Vec<Candidate>) {
    let before: String = text.chars().take(column.saturating_sub(1)).collect();
    let tokens: Vec<Token> = expr::tokens(&before).filter(|t| t.kind != TokenKind::End).collect();
    let (prefix, rest) = match tokens.split_last() {
        Some((Token { kind: TokenKind::Name(n), span }, rest)) if span.end as usize == before.len() => {
            (n.clone(), rest)
        }
        _ => (String::new(), tokens.as_slice()),
    };
    let names = Names::of(scope);
    let mut found = match rest.split_last() {
        // Inside of an unfinished string.
        Some((Token { kind: TokenKind::Bad(_), .. }, _)) => Vec::new(),
        Some((Token { kind: TokenKind::Mark("."), span }, operand)) => {
            let start = operand_start(operand);
            let base = before.get(start..span.start as usize).unwrap_or("");
            members(base, scope, &names)
        }
        _ => in_scope(&names, scope),
    };
    let lower = prefix.to_lowercase();
    found.retain(|c| c.text.to_lowercase().starts_with(&lower));
    found.dedup_by(|a, b| a.text == b.text);
    found.truncate(MAX_CANDIDATES);
    (prefix.chars().count(), found)
}

/// Where the operand that ends the tokens begins: names, dots and balanced brackets.
fn operand_start(tokens: &[Token]) -> usize {
    let mut depth = 0usize;
    let mut start = tokens.last().map_or(0, |t| t.span.end as usize);
    let mut follows_operand = false;
    for t in tokens.iter().rev() {
        match &t.kind {
            TokenKind::Mark(")" | "]") => depth += 1,
            TokenKind::Mark("(" | "[") if depth > 0 => {
                depth -= 1;
                start = t.span.start as usize;
                continue;
            }
            _ if depth > 0 => {}
            TokenKind::Name(_) | TokenKind::Text(_) if !follows_operand => {
                start = t.span.start as usize;
                follows_operand = true;
                continue;
            }
            TokenKind::Mark(".") => {
                follows_operand = false;
                continue;
            }
            _ => return start,
        }
        follows_operand = false;
    }
    start
}

fn in_scope(names: &Names<'_>, scope: &Scope<'_>) -> Vec<Candidate> {
    let mut out = Vec::new();
    let named = |text: String, kind, detail| Candidate { text, kind, detail };
    for v in names.locals().into_iter().filter(|v| v.declared && !v.name.starts_with(['.', '#', '~'])) {
        out.push(named(v.name, CandidateKind::Variable, Some(scope.process.display_name(v.ty))));
    }
    if let Some(package) = names.package() {
        for (name, _, ty) in scope.process.image.globals_of(&package) {
            let short = name.rsplit('.').next().unwrap_or(&name).to_string();
            out.push(named(short, CandidateKind::Variable, Some(scope.process.display_name(ty))));
        }
    }
    let builtins = Builtin::ALL.iter().map(|b| b.0).chain(Intrinsic::ALL.iter().map(|i| i.0));
    out.extend(builtins.map(|b| named(b.to_string(), CandidateKind::Function, None)));
    let mut packages: Vec<String> =
        scope.process.image.packages().iter().map(|p| package_name(p).to_string()).collect();
    packages.sort();
    packages.dedup();
    out.extend(packages.into_iter().map(|p| named(p, CandidateKind::Package, None)));
    out
}

/// Fields and methods of a value, variables of a package.
fn members(base: &str, scope: &Scope<'_>, names: &Names<'_>) -> Vec<Candidate> {
    let cx = Cx { process: scope.process, scratch: scope.scratch };
    let mut out = Vec::new();
    if let Ok(program) = compile(base, names, Purpose::Value) {
        let inside = match run(&program, scope) {
            Ok(Evaluated::Value(Value { ty, .. })) if cx.kind(ty) != Kind::Interface => Some(ty),
            Ok(Evaluated::Value(v)) => {
                type_members(&cx, v.ty, &mut out);
                cx.concrete(&super::operand::Operand::Value(v)).ok().flatten().map(|v| v.ty)
            }
            _ => program.result_type(),
        };
        if let Some(ty) = inside {
            type_members(&cx, ty, &mut out);
        }
        return out;
    }
    for package in names.packages(base) {
        for (name, _, ty) in scope.process.image.globals_of(&package) {
            let short = name.rsplit('.').next().unwrap_or(&name).to_string();
            let detail = Some(scope.process.display_name(ty));
            out.push(Candidate { text: short, kind: CandidateKind::Variable, detail });
        }
    }
    out
}

fn type_members(cx: &Cx<'_>, ty: TypeId, out: &mut Vec<Candidate>) {
    let mut seen = Vec::new();
    let mut level = vec![ty];
    while let Some(ty) = level.pop() {
        let ty = if cx.kind(ty) == Kind::Pointer { cx.elem(ty).unwrap_or(ty) } else { ty };
        if seen.contains(&ty) || seen.len() > 32 {
            continue;
        }
        seen.push(ty);
        for f in cx.fields(ty).unwrap_or_default() {
            if f.embedded {
                level.push(f.ty);
            }
            let detail = Some(cx.name(f.ty));
            out.push(Candidate { text: f.name.to_string(), kind: CandidateKind::Field, detail });
        }
        let mut method = |name: String| {
            if !out.iter().any(|c| c.text == name) {
                out.push(Candidate { text: name, kind: CandidateKind::Method, detail: None });
            }
        };
        if let Ok(t) = cx.ty(ty)
            && let Shape::Interface { methods: Some(methods), .. } = &t.shape
        {
            methods.iter().for_each(|m| method(m.name.to_string()));
        }
        if let Some(rtype) = cx.process.runtime_type(cx.process.pointer_to(ty)) {
            let methods = cx.process.image.methods_of(rtype, cx.process.mem).unwrap_or_default();
            methods.into_iter().for_each(|m| method(m.name.to_string()));
        }
    }
}
