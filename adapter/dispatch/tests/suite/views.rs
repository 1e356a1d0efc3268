//! Implementers, itab table and method sets of real programs, against go/types and the binary's own symbols.

use std::collections::BTreeSet;

use crate::common::Mode;
use dispatch::{Engine, Miss};
use image::{Image, TypeId};

#[test]
fn implementers_agree_with_go_types() {
    let dir = crate::common::source("disp");
    let Some(truth) = crate::common::truth(&dir) else { return };
    let wanted: BTreeSet<(String, String)> =
        truth.iter().filter(|l| l[0] == "impl").map(|l| (l[1].clone(), l[2].clone())).collect();
    for version in crate::common::versions() {
        let Some(go) = crate::common::go(version) else { continue };
        let program = crate::common::build(go, &dir, ".", Mode::Optimised, "amd64");
        let image = Image::open(&program).unwrap();
        let engine = Engine::new();
        let interfaces: BTreeSet<&String> = wanted.iter().map(|w| &w.0).collect();
        let (mut pairs, mut maybe) = (0, 0);
        for i in interfaces {
            let Some(ty) = image.find_type(i) else { continue };
            let Ok(list) = engine.implementers(&image, &image, ty, false) else { continue };
            for x in list {
                let name = image.type_of(TypeId::Runtime(x.rtype), &image).unwrap().name.to_string();
                // go/types knows main's and its imports' named types; others can't be compared.
                let known = wanted.iter().any(|(_, t)| *t == name);
                if !known || name.contains('[') {
                    continue;
                }
                if x.maybe {
                    maybe += 1;
                    continue;
                }
                pairs += 1;
                assert!(
                    wanted.contains(&(i.clone(), name.clone())),
                    "{version}: {name} does not implement {i}"
                );
            }
        }
        // All pairs of main's own types that the binary has.
        for (i, t) in wanted.iter().filter(|(i, _)| i.starts_with("main.")) {
            let (Some(inter), Some(concrete)) = (image.find_type(i), image.find_type(t)) else { continue };
            let Some(rtype) = image.type_of(concrete, &image).unwrap().runtime else { continue };
            let Ok(list) = engine.implementers(&image, &image, inter, false) else { continue };
            assert!(list.iter().any(|x| x.rtype == rtype), "{version}: {t} implements {i}, not listed");
        }
        println!("{version}: {pairs} pairs, none wrong, {maybe} maybe");
        assert!(pairs > 30, "{pairs}");
    }
}

#[test]
fn near_misses_say_why() {
    let Some(go) = crate::common::go("1.27.3") else { return };
    let program = crate::common::build(go, &crate::common::source("disp"), ".", Mode::Debug, "amd64");
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
    let Some(go) = crate::common::go("1.27.3") else { return };
    let program = crate::common::build(go, &crate::common::source("disp"), ".", Mode::Debug, "amd64");
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
    for version in ["1.21.13", "1.27.3"] {
        let Some(go) = crate::common::go(version) else { continue };
        let program = crate::common::build(go, &crate::common::source("disp"), ".", Mode::Optimised, "amd64");
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
    let Some(go) = crate::common::go("1.27.3") else { return };
    for arch in ["amd64", "arm64"] {
        let program = crate::common::build(go, &crate::common::source("disp"), ".", Mode::Optimised, arch);
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
    for version in crate::common::versions() {
        let Some(go) = crate::common::go(version) else { continue };
        for mode in [Mode::Optimised, Mode::Debug] {
            let program = crate::common::build(go, &crate::common::source("disp"), ".", mode, "amd64");
            let image = Image::open(&program).unwrap();
            let f = image.functions().by_name("main.assertions")[0];
            let sites = Engine::new().assertions(&image, f.id());
            let names: BTreeSet<String> = sites
                .iter()
                .flat_map(|s| &s.wanted)
                .map(|t| image.type_of(*t, &image).unwrap().name.to_string())
                .collect();
            for wanted in ["main.Speaker", "main.Weigher", "error", "fmt.Stringer", "main.Op"] {
                assert!(names.contains(wanted), "{version} {mode:?}: {names:?}");
            }
            assert!(sites.iter().all(|s| s.line > 200), "{sites:?}");
        }
    }
}
