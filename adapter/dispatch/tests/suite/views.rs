//! Implementers, itab table and method sets of real programs, against go/types and the binary's own symbols.

use std::collections::{BTreeMap, BTreeSet};

use crate::common::Mode;
use crate::plan::{self, plain};
use dispatch::{Engine, Miss};
use image::{Image, TypeId};

#[test]
fn implementers_agree_with_go_types() {
    let mut faults = Vec::new();
    for b in plan::builds(&[Mode::Optimised, Mode::Stripped, Mode::Arm64]) {
        let truth = plan::truth(&b);
        let image = Image::open(&b.binary()).unwrap();
        let s = implementers(&image, &truth);
        plan::row(
            "implementers",
            &b.label(),
            &[
                ("interfaces", s.interfaces.to_string()),
                ("types", s.types.to_string()),
                ("pairs in the binary", s.pairs.to_string()),
                ("listed", s.listed.to_string()),
                ("missing", s.missing.len().to_string()),
                ("wrong", s.wrong.len().to_string()),
                ("maybe", s.maybe.to_string()),
            ],
        );
        plan::examples("wrong", &s.wrong);
        plan::examples("missing", &s.missing);
        if !s.wrong.is_empty() || !s.missing.is_empty() || s.listed < 30 {
            faults.push(b.label());
        }
    }
    assert!(faults.is_empty(), "wrong, missing or too few: {faults:?}");
}

#[derive(Default)]
struct Pairs {
    interfaces: usize,
    types: usize,
    pairs: usize,
    listed: usize,
    maybe: usize,
    missing: Vec<String>,
    wrong: Vec<String>,
}

/// Every named interface that the binary has, with every named type that it has, and pointers to them.
fn implementers(image: &Image, truth: &[Vec<String>]) -> Pairs {
    let engine = Engine::new();
    let named: BTreeSet<&str> = truth.iter().filter(|l| l[0] == "type").map(|l| l[1].as_str()).collect();
    let wanted: BTreeSet<(&str, &str)> =
        truth.iter().filter(|l| l[0] == "impl").map(|l| (l[1].as_str(), l[2].as_str())).collect();
    // Descriptors by name; types that are local to functions may share one.
    let mut by_name: BTreeMap<String, Vec<TypeId>> = BTreeMap::new();
    for t in engine.all_types(image) {
        if let Ok(ty) = image.type_of(t, image) {
            by_name.entry(plain(&ty.name)).or_default().push(t);
        }
    }
    let comparable = |name: &str| {
        named.contains(name.trim_start_matches('*')) && by_name.get(name).is_some_and(|v| v.len() == 1)
    };
    let mut s = Pairs { types: by_name.keys().filter(|n| comparable(n)).count(), ..Pairs::default() };
    for (name, ids) in &by_name {
        let Ok(ty) = image.type_of(ids[0], image) else { continue };
        let interface =
            matches!(&ty.shape, image::Shape::Interface { methods: Some(m), .. } if !m.is_empty());
        if !interface || !comparable(name) {
            continue;
        }
        s.interfaces += 1;
        let list = engine.implementers(image, image, ids[0], false).unwrap();
        let mut said: BTreeSet<String> = BTreeSet::new();
        for x in list {
            let concrete = plain(&image.type_of(TypeId::Runtime(x.rtype), image).unwrap().name);
            if !comparable(&concrete) {
                continue;
            }
            let right = wanted.contains(&(name.as_str(), concrete.as_str()));
            if x.maybe {
                s.maybe += 1;
                said.insert(concrete);
                continue;
            }
            s.listed += 1;
            if !right {
                s.wrong.push(format!("{concrete} does not implement {name}"));
            }
            said.insert(concrete);
        }
        for (_, concrete) in wanted.range((name.as_str(), "")..).take_while(|w| w.0 == name) {
            if !comparable(concrete) {
                continue;
            }
            s.pairs += 1;
            if !said.contains(*concrete) {
                s.missing.push(format!("{concrete} implements {name}"));
            }
        }
    }
    s
}

#[test]
fn near_misses_say_why() {
    let Some(go) = gofixture::exact(plan::NEWEST) else { return };
    let program = crate::common::disp(go, Mode::Debug);
    let image = Image::open(&program).unwrap();
    let engine = Engine::new();
    let both = image.find_type("main.Both").unwrap();
    let near = engine.implementers(&image, &image, both, true).unwrap();
    let why = |name: &str| {
        near.iter().find(|x| x.concrete_type == name).and_then(|x| x.missing.clone()).map(|m| (m.0, m.1))
    };
    assert_eq!(why("main.Inner"), Some(("PtrWeight".into(), Miss::PointerReceiver)));
    assert_eq!(why("main.Num"), Some(("PtrWeight".into(), Miss::Absent)));
    assert!(near.iter().any(|x| x.concrete_type == "*main.ByValue" && x.missing.is_none()));
}

#[test]
fn method_sets_say_where_a_method_comes_from() {
    let Some(go) = gofixture::exact(plan::NEWEST) else { return };
    let program = crate::common::disp(go, Mode::Debug);
    let image = Image::open(&program).unwrap();
    let engine = Engine::new();
    let methods = |t: &str| engine.methods(&image, &image, image.find_type(t).unwrap()).unwrap();
    let rows = methods("*main.ByPointer");
    let weight = rows.iter().find(|m| m.name == "Weight").unwrap();
    assert!(weight.wrapper && weight.exported && !weight.removed);
    assert_eq!(weight.promoted_from.as_deref(), Some("main.Inner"));
    let rows = methods("*main.Cat");
    let weight = rows.iter().find(|m| m.name == "Weight").unwrap();
    assert!(!weight.wrapper && weight.pointer_receiver && weight.promoted_from.is_none());
    assert_eq!(weight.link.as_ref().unwrap().name, "main.(*Cat).Weight");
    let rows = methods("main.Speaker");
    let names: Vec<_> = rows.iter().map(|m| (m.slot, m.name.as_str())).collect();
    assert_eq!(names, [(Some(0), "Name"), (Some(1), "Speak"), (Some(2), "Weight")]);
}

#[test]
fn the_file_lists_the_same_itabs_as_its_symbols() {
    for go in gofixture::matrix() {
        let program = crate::common::disp(go, Mode::Optimised);
        let image = Image::open(&program).unwrap();
        let table = Engine::new().itab_table(&image, &image);
        assert!(table.incomplete.is_some() && table.rows.len() > 20);
        let mut functions = 0;
        for row in &table.rows {
            for f in &row.itab.fun {
                let f = image.functions().at(*f).unwrap();
                let method = f.name().rsplit('.').next().unwrap().to_string();
                functions += usize::from(!method.is_empty());
            }
        }
        assert!(functions > 50);
        assert!(table.rows.iter().any(|r| r.concrete_type == "*os.File" && r.interface_type == "io.Writer"));
    }
}

#[test]
fn disassembly_names_calls_and_itabs() {
    let Some(go) = gofixture::exact(plan::NEWEST) else { return };
    for mode in [Mode::Optimised, Mode::Arm64] {
        let program = crate::common::disp(go, mode);
        let image = Image::open(&program).unwrap();
        let engine = Engine::new();
        let f = image.functions().by_name("main.interfaces")[0];
        let len = (f.end() - f.entry()) as usize;
        let list = engine.disassemble(&image, &image, f.entry()..f.end());
        let notes: Vec<&str> = list.iter().filter_map(|i| i.note.as_deref()).collect();
        assert!(notes.contains(&"call main.Weigher.Weight"), "{notes:?}");
        assert!(notes.contains(&"call main.Op.Add"), "{notes:?}");
        assert!(notes.contains(&"itab of main.Op, Add"), "{notes:?}");
        let total: usize = list.iter().map(|i| i.bytes.len()).sum();
        assert_eq!(total, len);
        // Bytes that are no instructions end in text, not in a panic.
        assert_eq!(engine.disassemble(&image, &image, 0x10..0x50).len(), 0);
    }
}

#[test]
fn assertions_are_found_with_what_they_want() {
    for go in gofixture::matrix() {
        for mode in [Mode::Optimised, Mode::Debug] {
            let program = crate::common::disp(go, mode);
            let image = Image::open(&program).unwrap();
            let f = image.functions().by_name("main.assertions")[0];
            let sites = Engine::new().assertions(&image, f.id());
            let names: BTreeSet<String> = sites
                .iter()
                .flat_map(|s| &s.wanted)
                .map(|t| image.type_of(*t, &image).unwrap().name.to_string())
                .collect();
            for wanted in ["main.Speaker", "main.Weigher", "error", "fmt.Stringer", "main.Op"] {
                assert!(names.contains(wanted), "{} {mode:?}: {names:?}", go.version);
            }
            assert!(sites.iter().all(|s| s.line > 200), "{sites:?}");
        }
    }
}
