//! Variables of frames: which ones, in which order, hidden or shadowed; generic and optimised code; bodies of range-over-func loops.

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

use eval::{Item, Variables, View};
use golang::Frame;
use support::Mode;
use waiting::{start, start_with, with_view};

/// The stack of the goroutine that waits for input.
fn stack(view: &View<'_>) -> Vec<Frame> {
    let p = view.process;
    for g in p.goroutines(100).goroutines {
        let frames = p.stack(golang::StackOf::Goroutine(&g), 0, 100).frames;
        if frames.iter().any(|f| f.symbol == "main.wait") {
            return frames;
        }
    }
    panic!("no goroutine is in main.wait");
}

/// Rows of the innermost frame whose symbol passes the test.
fn rows(view: &View<'_>, what: Variables<'_>, is_it: impl Fn(&str) -> bool) -> Vec<Item> {
    let frames = stack(view);
    let symbols: Vec<&str> = frames.iter().map(|f| f.symbol.as_str()).collect();
    let at = frames.iter().position(|f| is_it(&f.symbol)).unwrap_or_else(|| panic!("not in {symbols:?}"));
    let view = View { frame: Some(&frames[at]), outer: &frames[at + 1..], ..*view };
    eval::variables(&view, what)
}

fn names(items: &[Item]) -> Vec<&str> {
    items.iter().map(|i| i.name.as_str()).collect()
}

fn text<'a>(items: &'a [Item], name: &str) -> &'a str {
    &items.iter().find(|i| i.name == name).unwrap_or_else(|| panic!("no {name} in {:?}", names(items))).text
}

#[test]
fn locals_are_listed_as_declared() {
    for version in support::versions() {
        let Some(w) = start(version, Mode::Debug) else { continue };
        with_view(&w, |view| {
            let all = rows(view, Variables::All, |s| s == "main.locals");
            let expected = [
                "in", "arg", "text", "list", "e", "s", "res", "err", "(x)", "escaped", "keep", "x", "inc",
                "arr", "m",
            ];
            assert_eq!(names(&all), expected, "{version}");
            for (name, wanted) in [
                ("arg", "42"),
                ("text", "\"hello\""),
                ("list", "[]int len: 2, cap: 2, [1,2]"),
                ("e", "error(*shapes.ErrX) nil"),
                ("s", "shapes.Shape(shapes.Sq) {S: 1}"),
                ("res", "0"),
                ("err", "error nil"),
                ("(x)", "43"),
                ("escaped", "84"),
                ("keep", "*84"),
                ("x", "\"inner\""),
                ("inc", "main.locals.func1"),
                ("arr", "[3]int [1,2,3]"),
                ("m", "map[string]int [\"l\": 1, ]"),
            ] {
                assert_eq!(text(&all, name), wanted, "{version} {name}");
            }
            let x = &all[8];
            assert_eq!(
                (x.name.as_str(), &x.evaluate_name),
                ("(x)", &None),
                "a hidden variable has no expression"
            );
            assert_eq!(names(&rows(view, Variables::Arguments, |s| s == "main.locals")), expected[..8]);
            let registers = rows(view, Variables::Registers, |s| s == "main.locals");
            assert!(text(&registers, "   rip").starts_with("0x"), "{:?}", names(&registers));
        });
    }
}

#[test]
fn generic_code_shows_real_types() {
    for version in support::versions() {
        let Some(w) = start(version, Mode::Debug) else { continue };
        with_view(&w, |view| {
            let all = rows(view, Variables::All, |s| s.starts_with("main.generic["));
            assert_eq!(names(&all), ["in", "v", "m", "out", "local", "list"], "{version}");
            assert_eq!(
                text(&all, "local"),
                "main.Cell[string] {V: \"gen\", Nx: *main.Cell[string] nil}",
                "{version}"
            );
            assert_eq!(text(&all, "list"), "[]string len: 2, cap: 2, [\"gen\",\"gen\"]", "{version}");
            assert_eq!(text(&all, "m"), "map[int]string [1: \"a\", ]", "{version}");
            let types: Vec<&str> = all.iter().skip(1).map(|i| i.type_name.as_str()).collect();
            assert_eq!(
                types,
                ["string", "map[int]string", "string", "main.Cell[string]", "[]string"],
                "{version}"
            );
        });
    }
}

#[test]
fn optimised_code_says_what_it_lost() {
    let Some(w) = start("1.27.3", Mode::Optimised) else { return };
    with_view(&w, |view| {
        let all = rows(view, Variables::All, |s| s == "main.locals");
        assert_eq!(text(&all, "arg"), "42");
        assert_eq!(text(&all, "e"), "error(*shapes.ErrX) nil");
        assert_eq!(text(&all, "s"), "shapes.Shape(shapes.Sq) {S: 1}");
        assert!(text(&all, "res").starts_with("(unreadable optimi"), "{}", text(&all, "res"));
        assert!(names(&all).iter().all(|n| !n.starts_with('.') && !n.contains("autotmp")));
        // One word of the interface is gone; the other one still says what it is.
        let waiting = rows(view, Variables::All, |s| s == "main.wait");
        assert!(
            text(&waiting, "in").starts_with("io.Reader(*os.File) (unreadable data word"),
            "{}",
            text(&waiting, "in")
        );
        let generic = rows(view, Variables::All, |s| s.starts_with("main.generic["));
        assert!(
            generic.iter().all(|i| !i.text.contains(".param") && !i.type_name.contains(".param")),
            "{generic:?}"
        );
    });
}

#[test]
fn a_range_over_func_body_sees_the_variables_around_it() {
    for version in gofixture::matrix().into_iter().filter(|go| go.minor() >= 23).map(|go| &*go.version) {
        let Some(w) = start_with(version, Mode::Debug, &["range"]) else { continue };
        with_view(&w, |view| {
            let all = rows(view, Variables::All, |s| s.starts_with("main.ranging-range"));
            let expected = ["in", "param", "out", "before", "(shadow)", "i", "s", "shadow", "j", "inner"];
            assert_eq!(names(&all), expected, "{version}");
            let texts: Vec<&str> = all.iter().skip(1).map(|i| i.text.as_str()).collect();
            assert_eq!(texts, ["9", "0", "\"b\"", "1", "0", "\"p\"", "42", "0", "0"], "{version}");
        });
    }
}
