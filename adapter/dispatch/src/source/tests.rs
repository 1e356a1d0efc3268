//! Calls and receivers as the source writes them. Must never depend on a Go toolchain.

use super::*;

fn names(text: &str) -> Vec<String> {
    Calls::parse(text).all.into_iter().map(|c| c.callee).collect()
}

#[test]
fn calls_come_in_evaluation_order() {
    let src =
        "package p\nfunc f() {\n\tr := a.Weight() + b.Weight()*x.Add(y.One(), 2)\n\tm.Make(n).Speak(1)\n}\n";
    assert_eq!(names(src), ["a.Weight", "b.Weight", "y.One", "x.Add", "m.Make", "m.Make(n).Speak"]);
    let all = Calls::parse(src).all;
    let speak = all.last().unwrap();
    assert_eq!((speak.span.line, speak.span.column, speak.span.end_column), (4, 2, 20));
    assert_eq!(speak.receiver.as_deref(), Some("m.Make(n)"));
    assert_eq!(speak.owner, 2);
}

#[test]
fn what_is_no_call_is_left_out() {
    let src = "package p\ntype I interface {\n\tM(x int) string\n\tN()\n}\ntype F func(int) (string, error)\nfunc (t *T) name[P any](a int, b func(int) bool) (c int, err error) {\n\t_ = len(x) + int(y)\n\tif (a) > (b) {\n\t}\n\tvar z = x.(T)\n\t_ = \"f()\" // g()\n\t_ = `h()`\n\tswitch v := x.(type) {\n\tcase T:\n\t}\n\treturn\n}\n";
    assert_eq!(names(src), Vec::<String>::new());
}

#[test]
fn literals_go_defer_and_generic_calls() {
    let src = "package p\nfunc f() {\n\tgo a.B(c.D())\n\tdefer func() { g() }()\n\tF[int](T{1, h()}.M(), func() int { return k() }())\n\tfor i := 0; i < a.W(); i += b.W() {\n\t\tx.Y()\n\t}\n\tif v := q.R(); v && s.T() || u() {\n\t}\n}\n";
    let all = Calls::parse(src).all;
    let callees: Vec<&str> = all.iter().map(|c| c.callee.as_str()).collect();
    let find = |n: &str| all.iter().find(|c| c.callee == n).unwrap();
    assert_eq!(find("a.B").prefix, Some(Prefix::Go));
    assert_eq!(find("c.D").prefix, None);
    assert_eq!(find("func() { g() }").prefix, Some(Prefix::Defer));
    assert_eq!(find("g").owner, 4);
    assert!(find("F[int]").indexed && find("F[int]").name == "F");
    assert!(find("a.W").for_header && find("b.W").for_header && !find("x.Y").for_header);
    assert!(!find("q.R").conditional && find("s.T").conditional && find("u").conditional);
    assert!(callees.iter().position(|c| *c == "h") < callees.iter().position(|c| c.ends_with(".M")));
}

#[test]
fn a_chain_over_lines_has_each_selectors_line() {
    let src = "package p\nfunc f() {\n\tb.\n\t\tFoo().\n\t\tBar(\n\t\t\tx.Y(),\n\t\t)\n}\n";
    let lines: Vec<(String, u32)> = Calls::parse(src).all.into_iter().map(|c| (c.name, c.line)).collect();
    assert_eq!(lines, [("Foo".into(), 4), ("Y".into(), 6), ("Bar".into(), 5)]);
}

#[test]
fn garbage_ends() {
    for s in ["func(", "((((((", "}}}}))))", "a.b(`", "x := func() { y(", "\u{0}\u{ff}f(", "for range {"] {
        let _ = Calls::parse(s);
    }
}
