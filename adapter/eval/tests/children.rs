//! Children of every value of the values program: their expressions give the same value again, reading by the type's descriptor
//! instead of its debug information gives the same text, and interfaces show what is inside and behind them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    dead_code
)]

mod support;
mod waiting;

use eval::{Children, Evaluated, Filter, Item, ItemKind, Page, Scope, Scratch, ShowItab, View};
use golang::Value;
use image::TypeId;
use support::Mode;
use waiting::{globals, start, with_view};

fn all(view: &View<'_>, item: &Item) -> Vec<Item> {
    eval::children(view, item, Page::default()).items
}

fn global(view: &View<'_>, name: &str) -> Item {
    globals(view).into_iter().find(|i| i.name == name).unwrap_or_else(|| panic!("no {name}"))
}

fn child(view: &View<'_>, item: &Item, name: &str) -> Item {
    let all = all(view, item);
    let names: Vec<&str> = all.iter().map(|i| i.name.as_str()).collect();
    all.iter().find(|i| i.name == name).unwrap_or_else(|| panic!("no {name} in {names:?}")).clone()
}

fn names(items: &[Item]) -> Vec<&str> {
    items.iter().map(|i| i.name.as_str()).collect()
}

/// Evaluates the row's expression and says how that differs from the row.
fn difference(view: &View<'_>, item: &Item, scratch: &Scratch) -> Option<String> {
    let e = item.evaluate_name.as_deref()?;
    let scope = Scope { process: view.process, frame: None, source: None, scratch };
    match eval::evaluate(e, &scope) {
        Ok(Evaluated::Value(v)) => {
            let text = eval::render(view, &v);
            (text != item.text).then(|| format!("{e}\n  gives {text}\n  shown {}", item.text))
        }
        Ok(other) => Some(format!("{e} gives {other:?}")),
        Err(why) => Some(format!("{e}: {why}")),
    }
}

fn walk(view: &View<'_>, item: &Item, depth: usize, visit: &mut impl FnMut(&Item)) {
    visit(item);
    if depth == 0 || !item.expandable {
        return;
    }
    for c in eval::children(view, item, Page { count: 20, ..Page::default() }).items {
        walk(view, &c, depth - 1, visit);
    }
}

#[test]
fn the_expression_of_every_row_gives_its_value_again() {
    for version in ["1.21.13", "1.27.3"] {
        let Some(w) = start(version, Mode::Debug) else { continue };
        with_view(&w, |view| {
            let scratch = Scratch::new();
            let (mut rows, mut failed) = (0, Vec::new());
            for item in globals(view).iter().filter(|i| i.name.starts_with('v')) {
                walk(view, item, 3, &mut |i| {
                    rows += usize::from(i.evaluate_name.is_some() && i.kind == ItemKind::Data);
                    failed.extend(difference(view, i, &scratch).filter(|_| i.kind == ItemKind::Data));
                });
            }
            assert!(rows > 1000, "only {rows} rows");
            assert!(failed.is_empty(), "{version}: {} of {rows}:\n{}", failed.len(), failed.join("\n"));
        });
    }
}

#[test]
fn a_value_reads_the_same_by_its_descriptor() {
    for version in support::versions() {
        let Some(w) = start(version, Mode::Debug) else { continue };
        with_view(&w, |view| {
            let (mut compared, mut failed) = (0, Vec::new());
            for item in globals(view).iter().filter(|i| i.name.starts_with('v')) {
                let Some(rtype) = view.process.runtime_type(item.value.ty) else { continue };
                let bare = Value { ty: TypeId::Runtime(rtype), ..item.value.clone() };
                let text = eval::render(view, &bare);
                compared += 1;
                // Descriptors have no names of constants, and name packages without their path.
                let plain =
                    |s: &str| s.replace("Green (2)", "2").replace("March (3)", "3").replace("FA|FC (5)", "5");
                if plain(&text) != plain(&item.text) {
                    failed.push(format!("{}\n   {text}\n   {}", item.name, item.text));
                }
            }
            assert!(compared > 80, "{version}: only {compared} have descriptors");
            assert!(failed.is_empty(), "{version}: {} of {compared}:\n{}", failed.len(), failed.join("\n"));
        });
    }
}

#[test]
fn interfaces_show_what_is_inside_and_behind_them() {
    for version in support::versions() {
        let Some(w) = start(version, Mode::Debug) else { continue };
        with_view(&w, |view| {
            let square = global(view, "vShapeSq");
            let rows = all(view, &square);
            assert_eq!(names(&rows), ["S", "[itab]"], "{version}");
            assert_eq!(rows[0].evaluate_name.as_deref(), Some("main.vShapeSq.(shapes.Sq).S"));
            assert_eq!(rows[1].text, "shapes.Sq as shapes.Shape, 2 methods");
            assert_eq!((square.named, square.indexed), (2, 0));
            let table = all(view, &rows[1]);
            assert_eq!(
                names(&table),
                ["interface", "concrete", "hash", "address", "Area", "Name"],
                "{version}"
            );
            assert_eq!(rows[1].named, table.len() as u64);
            assert_eq!(table[4].kind, ItemKind::Method);
            assert!(table[4].text.starts_with("shapes.(*Sq).Area 0x"), "{}", table[4].text);
            assert!(table[4].text.ends_with(" -> shapes.Sq.Area"), "{}", table[4].text);
            assert_eq!(table[4].value_location.as_ref().unwrap().line, 11);
            assert!(table[4].memory_reference.is_some_and(|a| table[4].text.contains(&format!("{a:#x}"))));
            assert_eq!(names(&all(view, &table[1])), ["Area", "Name"]);

            let circle = global(view, "vShapeC");
            assert_eq!(names(&all(view, &circle)), ["R", "Next", "[itab]"]);
            let typed_nil = global(view, "vErrTyped");
            let rows = all(view, &typed_nil);
            assert_eq!(names(&rows), ["[itab]"]);
            assert_eq!(rows[0].text, "typed nil: == nil is false, the *shapes.ErrX in it is nil");
            assert!(!global(view, "vErrNil").expandable && !global(view, "vAnyNil").expandable);
            assert!(!global(view, "vAnyInt").expandable, "a basic type needs no [type]");
            let facts = all(view, &child(view, &global(view, "vAnyA"), "[type]"));
            assert_eq!(names(&facts), ["concrete", "kind", "size", "hash", "address", "package", "methods"]);
            assert_eq!((facts[1].text.as_str(), facts[2].text.as_str()), ("struct", "24"));
            let always = View { show_itab: ShowItab::Always, ..*view };
            assert_eq!(names(&all(&always, &global(&always, "vAnyInt"))), ["[type]"]);
            let never = View { show_itab: ShowItab::Never, ..*view };
            assert_eq!(names(&all(&never, &global(&never, "vShapeSq"))), ["S"]);
        });
    }
}

#[test]
fn functions_show_what_they_captured() {
    for version in support::versions() {
        let Some(w) = start(version, Mode::Debug) else { continue };
        with_view(&w, |view| {
            let closure = all(view, &global(view, "vClosure"));
            let mut seen: Vec<_> = closure.iter().map(|i| (i.name.as_str(), i.text.as_str())).collect();
            seen.sort_unstable();
            assert_eq!(seen, [("name", "\"c\""), ("start", "10"), ("step", "2")], "{version}");
            for (name, this) in [
                ("vMethod", "shapes.Sq {S: 3}"),
                ("vMethodP", "*shapes.Circ {R: 1, Next: *shapes.Circ nil}"),
                ("vMethodI", "shapes.Shape(shapes.Sq) {S: 2}"),
            ] {
                let rows = all(view, &global(view, name));
                assert_eq!(names(&rows), [".this"], "{version} {name}");
                assert_eq!(rows[0].text, this, "{version} {name}");
            }
        });
    }
}

#[test]
fn channels_show_their_queue_and_who_waits() {
    for version in support::versions() {
        let Some(w) = start(version, Mode::Debug) else { continue };
        with_view(&w, |view| {
            let queue = global(view, "vChan");
            assert_eq!(queue.indexed, 4);
            let indexed = Page { filter: Filter::Indexed, ..Page::default() };
            let texts: Vec<String> =
                eval::children(view, &queue, indexed).items.into_iter().map(|i| i.text).collect();
            assert_eq!(texts, ["100", "101", "102", "103"], "{version}");
            assert_eq!(child(view, &queue, "qcount").text, "4 = 0x4");
            assert_eq!(child(view, &queue, "buf").type_name, "*[11]int");
            let senders = child(view, &global(view, "vChanS"), "[senders]");
            assert_eq!(senders.text, "1 waiting", "{version}");
            let rows = all(view, &senders);
            assert!(
                rows.len() == 1 && rows[0].name.starts_with("goroutine "),
                "{version}: {:?}",
                names(&rows)
            );
        });
    }
}

#[test]
fn a_map_is_paged_without_losing_or_repeating_an_entry() {
    for version in support::versions() {
        let Some(w) = start(version, Mode::Debug) else { continue };
        with_view(&w, |view| {
            let large = global(view, "vMapLarge");
            assert_eq!(large.indexed, 4000, "{version}");
            let mut keys = std::collections::BTreeMap::new();
            for start in (0..4000).step_by(700) {
                let page = Page { filter: Filter::Indexed, start, count: 700 };
                let Children { items, incomplete } = eval::children(view, &large, page);
                assert_eq!((items.len() as u64, incomplete), (700.min(4000 - start), None), "{version}");
                for i in items {
                    assert!(keys.insert(i.name, i.text.parse::<u64>().unwrap()).is_none());
                }
            }
            // The program printed the sum of what it left in the map.
            assert_eq!(
                w.printed,
                [format!("sum {} {}", keys.len(), keys.values().sum::<u64>())],
                "{version}"
            );
            let mut squares = Vec::new();
            let grown = global(view, "vMapGrow");
            for i in
                eval::children(view, &grown, Page { filter: Filter::Indexed, start: 0, count: 9999 }).items
            {
                squares.push((i.name.parse::<u64>().unwrap(), i.text.parse::<u64>().unwrap()));
            }
            squares.sort_unstable();
            assert!(squares.iter().enumerate().all(|(i, (k, v))| *k == i as u64 && *v == k * k), "{version}");
            assert_eq!(squares.len(), 6657, "{version}");
            let indirect = global(view, "vMapIndir");
            let page = Page { filter: Filter::Indexed, start: 0, count: 1000 };
            assert_eq!(
                eval::children(view, &indirect, page).items.len(),
                600,
                "{version}: a key and a value each"
            );
        });
    }
}

#[test]
fn a_method_selector_answers_which_body_runs() {
    for version in support::versions() {
        let Some(w) = start(version, Mode::Debug) else { continue };
        with_view(&w, |view| {
            let scratch = Scratch::new();
            let scope = Scope { process: view.process, frame: None, source: None, scratch: &scratch };
            let answer = |e: &str| eval::evaluate_item(e, &scope, view).unwrap();
            let promoted = answer("main.vShapeSq.Area");
            assert_eq!(promoted.text, "shapes.Shape.Area -> shapes.Sq.Area", "{version}");
            assert_eq!(promoted.value_location.as_ref().unwrap().line, 11);
            let rows = all(view, &promoted);
            assert_eq!(names(&rows).first().copied(), Some("itab"), "{version}: {rows:?}");
            assert_eq!(names(&rows).last().copied(), Some(".this"));
            assert_eq!(
                answer("main.vShapeC.Area").text,
                "shapes.Shape.Area -> shapes.(*Circ).Area",
                "{version}"
            );
            assert_eq!(answer("main.vMethod").text, "shapes.Sq.Area-fm -> shapes.Sq.Area", "{version}");
            assert_eq!(answer("main.vMethodI").text, "shapes.Shape.Area-fm -> shapes.Sq.Area", "{version}");
            assert_eq!(answer("main.vFunc").text, "main.afunc", "{version}");
            assert_eq!(answer("main.vFuncNil").text, "nil", "{version}");
        });
    }
}
