//! Line, method name and column of every interface call of a binary, and its type assertions, against what go/types says about the
//! program's source.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use crate::common::Mode;
use crate::plan::{self, Extent, percent, plain};
use dispatch::{Claim, Engine, SiteKind, SourceText};
use image::Image;

/// Source files, read once.
#[derive(Default)]
pub(crate) struct Files(Mutex<HashMap<String, Option<Arc<str>>>>);

impl SourceText for Files {
    fn source(&self, file: &str) -> Option<Arc<str>> {
        let mut kept = self.0.lock().unwrap();
        kept.entry(file.to_string())
            .or_insert_with(|| std::fs::read_to_string(file).ok().map(Into::into))
            .clone()
    }
}

/// A call of the truth.
struct Call {
    span: [u32; 4],
    kind: String,
    name: String,
    interface: String,
    receiver: String,
}

fn number(s: &str) -> u32 {
    s.parse().unwrap()
}

/// (file, line of the selector) -> calls.
fn calls(truth: &[Vec<String>]) -> HashMap<(&str, u32), Vec<Call>> {
    let mut out: HashMap<(&str, u32), Vec<Call>> = HashMap::new();
    for l in truth.iter().filter(|l| l[0] == "call") {
        let call = Call {
            span: [number(&l[2]), number(&l[3]), number(&l[4]), number(&l[5])],
            kind: l[6].clone(),
            name: l[7].clone(),
            interface: l[8].clone(),
            receiver: l[10].clone(),
        };
        out.entry((&l[1], number(&l[9]))).or_default().push(call);
    }
    out
}

#[derive(Debug, Default)]
struct Score {
    sites: usize,
    generated: usize,
    by_flow: usize,
    by_text: usize,
    unnamed: Vec<String>,
    wrong: Vec<String>,
    placed: usize,
    placeless: Vec<String>,
    misplaced: Vec<String>,
}

/// Does an interface call's site mean this call of the source?
fn dispatches(c: &Call) -> bool {
    matches!(c.kind.as_str(), "interface" | "dictionary" | "expression")
}

fn score(image: &Image, truth: &[Vec<String>]) -> Score {
    let calls = calls(truth);
    let (engine, files) = (Engine::new(), Files::default());
    let mut s = Score::default();
    for f in image.functions().iter().filter(|f| !f.is_assembly()) {
        for p in engine.placements(image, f.id(), &files) {
            let site = &p.site;
            if site.kind != SiteKind::Interface {
                continue;
            }
            if site.file.starts_with('<') {
                s.generated += 1;
                continue;
            }
            s.sites += 1;
            let none = Vec::new();
            let here = calls.get(&(&*site.file, site.line)).unwrap_or(&none);
            let at = format!("{} {:#x} {}:{}", f.name(), site.pc, site.file, site.line);
            let Some(m) = &p.method else {
                s.unnamed.push(at.clone());
                s.placeless.push(at);
                continue;
            };
            *(if site.method.is_some() { &mut s.by_flow } else { &mut s.by_text }) += 1;
            if !here.iter().any(|c| c.name == *m && dispatches(c)) {
                let there: Vec<_> = here.iter().map(|c| format!("{} {}", c.kind, c.name)).collect();
                s.wrong.push(format!("{at} {m}: {there:?}"));
            }
            let Some(span) = p.span else {
                s.placeless.push(format!("{at} {m}"));
                continue;
            };
            s.placed += 1;
            let span = [span.line, span.column, span.end_line, span.end_column];
            let same: Vec<&Call> = here.iter().filter(|c| c.name == *m).collect();
            let right = here
                .iter()
                .any(|c| c.span == span && c.name == *m && dispatches(c) && agrees(image, c, site, &same));
            if !right {
                let there: Vec<_> = here
                    .iter()
                    .map(|c| format!("{:?} {} {} {}", c.span, c.kind, c.name, c.interface))
                    .collect();
                s.misplaced.push(format!("{at} {m} {span:?} {:?}: {there:?}", site.receiver));
            }
        }
    }
    s
}

/// Of several calls of one name this tells whether it is the right one: the interface that data flow found, and the variable that DWARF
/// names for its itab.
fn agrees(image: &Image, c: &Call, site: &dispatch::Site, same: &[&Call]) -> bool {
    // Two variables may hold one value: the name counts where another of the calls has it.
    let variable = |r: &String| c.receiver == *r || same.iter().all(|s| s.receiver != *r);
    let receiver = site.receiver.as_ref().is_none_or(variable);
    let Claim::Known { interface, .. } = &site.interface else { return receiver };
    let Ok(ty) = image.type_of(*interface, image) else { return receiver };
    // Types with parameters, local and literal types are spelt differently.
    let comparable =
        c.interface != "-" && !c.interface.contains(['[', '{']) && !ty.name.contains(['[', '{', '·']);
    receiver && (!comparable || plain(&ty.name) == c.interface || same_methods(image, &ty.name, &c.interface))
}

/// A conversion to a wider interface may be left out by the compiler, so the methods count and not the name.
fn same_methods(image: &Image, a: &str, b: &str) -> bool {
    let methods = |n: &str| -> Option<Vec<String>> {
        let ty = image.type_of(image.find_type(n)?, image).ok()?;
        match &ty.shape {
            image::Shape::Interface { methods: Some(m), .. } => {
                Some(m.iter().map(|m| m.name.to_string()).collect())
            }
            _ => None,
        }
    };
    methods(a).is_some_and(|m| Some(m) == methods(b))
}

#[test]
fn lines_names_and_columns_agree_with_go_types() {
    let mut faults = Vec::new();
    for b in plan::builds(&[Mode::Optimised, Mode::Debug, Mode::Arm64]) {
        let image = Image::open(&b.binary()).unwrap();
        let s = score(&image, &plan::truth(&b));
        let named = s.by_flow + s.by_text;
        plan::row(
            "line, name, column",
            &b.label(),
            &[
                ("sites in source", s.sites.to_string()),
                ("in generated code", s.generated.to_string()),
                ("named", plan::share(named, s.sites)),
                ("of these by the line's text", s.by_text.to_string()),
                ("name or line wrong", s.wrong.len().to_string()),
                ("column given", plan::share(s.placed, s.sites)),
                ("column wrong", s.misplaced.len().to_string()),
            ],
        );
        for (what, list) in [
            ("wrong", &s.wrong),
            ("wrong column", &s.misplaced),
            ("without a name", &s.unnamed),
            ("without a column", &s.placeless),
        ] {
            plan::examples(what, list);
        }
        let right = s.wrong.is_empty() && s.misplaced.is_empty();
        let few = s.sites - named > 2 && percent(named, s.sites) < 99.0;
        if !right || few || percent(s.placed, s.sites) < 95.0 {
            faults.push(b.label());
        }
    }
    assert!(faults.is_empty(), "wrong, or too few: {faults:?}");
}

/// What the binary has of an assertion of the source.
#[derive(Debug, Default)]
struct Found {
    all: usize,
    found: usize,
    missing: Vec<String>,
    parameters: usize,
    parameters_found: usize,
}

fn assertions(image: &Image, truth: &[Vec<String>]) -> Found {
    let engine = Engine::new();
    let mut sites: HashMap<(Arc<str>, u32), HashSet<String>> = HashMap::new();
    let mut lines: HashSet<(Arc<str>, u32)> = HashSet::new();
    for f in image.functions().iter().filter(|f| !f.is_assembly()) {
        lines.extend(f.rows().iter().map(|r| (r.file.clone(), r.line)));
        for a in engine.assertions(image, f.id()) {
            let names = a.wanted.iter().filter_map(|t| image.type_of(*t, image).ok()).map(|t| plain(&t.name));
            sites.entry((a.file, a.line)).or_default().extend(names);
        }
    }
    let mut out = Found::default();
    for l in truth.iter().filter(|l| l[0] == "assert") {
        let file: Arc<str> = l[1].as_str().into();
        let on: Vec<u32> = (number(&l[2])..=number(&l[3])).chain([number(&l[6])]).collect();
        // A clause of a switch has code of its own; an assertion stands on its line.
        let linked = |n: &u32| lines.contains(&(file.clone(), *n));
        if !(if l[7] == "switch" { linked(&on[0]) } else { on.iter().any(linked) }) {
            continue;
        }
        let found = on.iter().any(|n| {
            sites.get(&(file.clone(), *n)).is_some_and(|s| l[5] == "parameter" || s.contains(&plain(&l[4])))
        });
        if l[5] == "parameter" {
            out.parameters += 1;
            out.parameters_found += usize::from(found);
            continue;
        }
        out.all += 1;
        out.found += usize::from(found);
        if !found {
            let there: Vec<_> = on.iter().filter_map(|n| sites.get(&(file.clone(), *n))).flatten().collect();
            out.missing.push(format!("{}:{} {} {} {}; there: {there:?}", l[1], l[2], l[7], l[5], l[4]));
        }
    }
    out
}

#[test]
fn assertions_of_the_source_are_found() {
    let mut faults = Vec::new();
    for b in plan::builds(&[Mode::Debug, Mode::Optimised, Mode::Arm64Debug]) {
        // The versions differ in the runtime functions that they call; one program tells.
        if plan::extent() == Extent::Own && b.mode == Mode::Arm64Debug && b.go.version != plan::NEWEST {
            continue;
        }
        let image = Image::open(&b.binary()).unwrap();
        let s = assertions(&image, &plan::truth(&b));
        plan::row(
            "assertions",
            &b.label(),
            &[
                ("in linked code", s.all.to_string()),
                ("found", plan::share(s.found, s.all)),
                ("to type parameters", s.parameters.to_string()),
                ("of these found", s.parameters_found.to_string()),
            ],
        );
        plan::examples("not found", &s.missing);
        let least = if b.is_debug() { 99.9 } else { 85.0 };
        if s.all - s.found > 2 && percent(s.found, s.all) < least {
            faults.push(b.label());
        }
    }
    assert!(faults.is_empty(), "too few: {faults:?}");
}
