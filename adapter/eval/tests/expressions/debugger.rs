//! What the evaluator can beyond Go, and what it refuses: messages in Go's words, at the right column.

use crate::support::{self, Mode};
use eval::{LogTemplate, Names, Purpose, Scope, Scratch};
use golang::{MadeTypes, Process};

/// Runs `f` in the frame of `main.locals`, or with package names only.
fn with_scope(locals: bool, f: impl FnOnce(&Scope<'_>, &Names<'_>)) {
    let Some(program) = support::oracle("1.27.3", Mode::Debug) else { return };
    let arguments: &[&str] = if locals { &["locals"] } else { &[] };
    let running = support::run_until_end(&program, arguments);
    let image = image::Image::open(&program).unwrap();
    let (made, scratch) = (MadeTypes::new(), Scratch::new());
    let memory = scratch.over(&running.memory);
    let process = Process::new(&image, &memory, &[], &made);
    let frame = locals.then(|| support::frame_of(&process, "main.locals"));
    let scope = Scope::new(&process, frame.as_ref(), &scratch);
    let main = image.functions().by_name("main.main").first().unwrap().entry();
    let names = if locals { Names::of(&scope) } else { Names::at(&process, main, 0) };
    f(&scope, &names);
}

fn check(table: &[(&str, &str)], locals: bool) {
    with_scope(locals, |scope, names| {
        let wrong: Vec<String> = table
            .iter()
            .map(|(text, expected)| (text, expected, support::outcome(text, names, scope)))
            .filter(|(_, expected, got)| got != *expected)
            .map(|(text, expected, got)| format!("{text}\n    expected: {expected}\n    got:      {got}"))
            .collect();
        assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    });
}

#[test]
fn beyond_go() {
    let table = [
        // Through interfaces.
        ("a5.X", "int\t3"),
        ("a4.Y", "int\t4"),
        ("a3[1]", "int\t8"),
        ("a3[1:]", "[]int\t2/2[8 9]"),
        ("a8[\"x\"]", "int\t24"),
        ("len(a3)", "int\t3"),
        ("sq.Side", "float64\tf4008000000000000"),
        ("ci.Tags[0]", "string\ts74"),
        ("outer.Shape.Side", "float64\tf4000000000000000"),
        ("err42.Code == 42", "bool\ttrue"),
        ("*a5", "main.Point\t{3 4}"),
        ("shs[1].R > 1", "bool\ttrue"),
        ("a1.(data) == 5", "bool\ttrue"),
        ("a4.(data).X", "int\t3"),
        // Types by quoted names.
        ("sq.(\"example.com/oracle/shapes.Square\").Side", "float64\tf4008000000000000"),
        ("ci.(*\"example.com/oracle/shapes.Circle\").R", "float64\tf4000000000000000"),
        ("\"example.com/oracle/shapes\".Count", "int\t42"),
        ("(*(*\"main.Point\")(paddr)).Y", "int\t6"),
        ("(*Point)(paddr).X", "int\t5"),
        // Intrinsics.
        ("typeof(a1)", "type int"),
        ("typeof(sq) == shapes.Square", "bool\ttrue"),
        ("typeof(ci) == *shapes.Circle", "bool\ttrue"),
        ("typeof(ci) != *shapes.Circle", "bool\tfalse"),
        ("typeof(ci) == *gzip.Writer", "bool\tfalse"),
        ("typeof(ci) == *shapes.Nothing", "bool\tfalse"),
        ("typeof(ci) == map[string]*gzip.Writer", "bool\tfalse"),
        ("typeof(ci) == \"*shapes.Circle\"", "bool\ttrue"),
        ("typeof(nilsh) == nil", "bool\ttrue"),
        ("typeof(sq) == typeof(shs[0])", "bool\ttrue"),
        ("typeof(sq) == typeof(ci)", "bool\tfalse"),
        ("typeof(a3) == []int", "bool\ttrue"),
        ("typeof(a8) == map[string]int", "bool\ttrue"),
        ("typeof(a1) == any", "bool\tfalse"),
        ("typeof(p)", "type main.Point"),
        ("typeof(terr)", "type *main.Err"),
        ("typeof(nilsh)", "nil"),
        ("itab(sq)", "itab of shapes.Square"),
        ("itab(nilsh)", "nil"),
        ("where(&shapes.Count)", "data shapes.Count"),
        ("where(fn)", "text strings.ToUpper"),
        ("where(nilp)", "unmapped"),
        ("where(pp)", "data"),
        ("where(12)", "unmapped"),
        // Functions and methods as values.
        ("sq.Area", "func example.com/oracle/shapes.(*Square).Area"),
        ("ci.Area", "func example.com/oracle/shapes.(*Circle).Area"),
        ("err.Error", "func errors.(*errorString).Error"),
        ("main.main", "func main.main"),
        ("strings.ToUpper", "func strings.ToUpper"),
        ("shapes.Square.Name", "func example.com/oracle/shapes.Square.Name"),
        ("(*Err).Error", "func main.(*Err).Error"),
        ("outer.Area", "func example.com/oracle/shapes.(*Square).Area"),
        // Raw words, runtime structures.
        ("a1.data == nil", "bool\tfalse"),
        ("nilsh.tab == nil", "bool\ttrue"),
        ("ch.qcount", "uint\t2"),
        ("delve.catch(a1.(string) == \"x\")", "bool\tfalse"),
        ("delve.catch(a2.(string) == \"str\")", "bool\ttrue"),
        ("delve.catch(*nilp == p) || yes", "bool\ttrue"),
        ("yes && delve.catch(nilsl[3] == 1)", "bool\tfalse"),
        ("Point", "type main.Point"),
        ("map[string]int", "type map[string]int"),
        ("[]*Point", "type []*main.Point"),
        ("ci.(shapes.Shape).R", "float64\tf4000000000000000"),
        (
            "sq.(fmt.Stringer)",
            "error at 1: interface conversion: shapes.Square is not fmt.Stringer: missing method String",
        ),
    ];
    check(&table, true);
    check(&table, false);
}

#[test]
fn refusals() {
    let table = [
        ("foo", "error at 1: undefined: foo"),
        ("1 + foo", "error at 5: undefined: foo"),
        ("Zero", "error at 1: undefined: Zero (did you mean zero?)"),
        ("shapes.Nope", "error at 1: undefined: shapes.Nope"),
        ("shapes", "error at 1: use of package shapes without selector"),
        ("p.Z", "error at 3: p.Z undefined (type main.Point has no field or method Z)"),
        (
            "p.x",
            "error at 3: p.x undefined (type main.Point has no field or method x, but does have field X)",
        ),
        ("one + f64", "error at 1: invalid operation: one + f64 (mismatched types int and float64)"),
        ("i8max + i16max", "error at 1: invalid operation: i8max + i16max (mismatched types int8 and int16)"),
        ("s + 1", "error at 1: invalid operation: s + 1 (mismatched types string and untyped int)"),
        ("s - s", "error at 1: invalid operation: operator - not defined on s (value of type string)"),
        ("yes + no", "error at 1: invalid operation: operator + not defined on yes (value of type bool)"),
        ("!one", "error at 1: invalid operation: operator ! not defined on one (value of type int)"),
        ("one && yes", "error at 5: invalid operation: one && yes (mismatched types int and bool)"),
        ("f64 % f64", "error at 1: invalid operation: operator % not defined on f64 (value of type float64)"),
        ("u8max == 256", "error at 1: 256 (untyped int constant) overflows uint8"),
        ("one == 1.5", "error at 1: 1.5 (untyped float constant) truncated to int"),
        ("one / 0", "error at 7: invalid operation: division by zero"),
        ("seven / zero", "error at 1: runtime error: integer divide by zero"),
        ("1 << -1", "error at 1: invalid operation: negative shift count -1"),
        ("one << minus7", "error at 1: runtime error: negative shift amount"),
        ("f64 << 1", "error at 1: invalid operation: shifted operand must be integer, not float64"),
        ("sl == sl", "error at 1: invalid operation: slice can only be compared to nil ([]int)"),
        ("m == m", "error at 1: invalid operation: map can only be compared to nil (map[string]int)"),
        ("one == nil", "error at 1: invalid operation: one == nil (mismatched types int and untyped nil)"),
        ("nil == nil", "error at 1: invalid operation: nil == nil (operator == not defined on nil)"),
        ("a3 == a3", "error at 1: runtime error: comparing uncomparable type []int"),
        ("a1 + 1", "error at 1: invalid operation: a1 + 1 (mismatched types interface {} and untyped int)"),
        ("sl[5]", "error at 1: runtime error: index out of range [5] with length 5"),
        ("sl[-1]", "error at 4: invalid argument: index -1 (constant of type int) must not be negative"),
        ("sl[1.5]", "error at 4: invalid argument: index 1.5 (untyped float constant) truncated to int"),
        ("sl[s]", "error at 4: invalid argument: index of type string must be integer"),
        ("sl[3:1]", "error at 1: runtime error: slice bounds out of range [3:1]"),
        ("sl[:9]", "error at 1: runtime error: slice bounds out of range [:9] with capacity 5"),
        ("s[2:9]", "error at 1: runtime error: slice bounds out of range [:9] with length 5"),
        ("s[::1]", "error at 4: syntax error: middle index required in 3-index slice"),
        ("s[0:1:2]", "error at 1: invalid operation: 3-index slice of string s"),
        ("one[0]", "error at 5: invalid operation: cannot index one (value of type int)"),
        ("m[1]", "error at 3: cannot use a value of type untyped int as string value in map index"),
        ("*one", "error at 1: invalid operation: cannot indirect one (value of type int)"),
        ("nilp.X", "error at 6: runtime error: invalid memory address or nil pointer dereference"),
        ("*nilp", "error at 1: runtime error: invalid memory address or nil pointer dereference"),
        ("&one.two", "error at 6: one.two undefined (type int has no field or method two)"),
        ("&(one + two)", "error at 1: a computed value has no address"),
        ("a1.(string)", "error at 1: interface conversion: interface {} is int, not string"),
        ("a6.(int)", "error at 1: interface conversion: interface {} is nil, not int"),
        ("a1.(Nope)", "error at 5: undefined: Nope"),
        ("one.(int)", "error at 1: invalid operation: one (value of type int) is not an interface"),
        (
            "a1.(type)",
            "error at 1: invalid syntax tree: use of .(type) outside type switch; typeof(a1) gives the type",
        ),
        (
            "nilsh.Side",
            "error at 7: runtime error: invalid memory address or nil pointer dereference: the shapes.Shape is nil, it has no Side",
        ),
        ("sq.Radius", "error at 4: the shapes.Square in the shapes.Shape has no field or method Radius"),
        ("int(s)", "error at 5: cannot convert s (value of type string) to type int"),
        (
            "uint8(300)",
            "error at 7: cannot convert 300 (untyped int constant) to type uint8 (constant overflows)",
        ),
        ("int(2.5)", "error at 5: cannot convert 2.5 (untyped float constant) to type int (truncated)"),
        ("int(1, 2)", "error at 1: too many arguments in conversion to int"),
        (
            "[4]int(sl[2:])",
            "error at 1: runtime error: cannot convert slice with length 3 to array or pointer to array with length 4",
        ),
        ("len(one)", "error at 1: invalid argument: one (value of type int) for built-in len"),
        ("len()", "error at 1: not enough arguments for len (expected 1, found 0)"),
        ("cap(m)", "error at 1: invalid argument: m (value of type map[string]int) for built-in cap"),
        ("append(sl, 1)", "error at 1: append would change the program; an expression only reads it"),
        (
            "<-ch",
            "error at 1: receiving from ch would change the program; len(ch) and its children show what is in it",
        ),
        ("Point{1}", "error at 1: too few values in struct literal of type main.Point"),
        ("Point{Z: 1}", "error at 7: unknown field Z in struct literal of type main.Point"),
        (
            "Point{X: \"a\"}",
            "error at 10: cannot use \"a\" (untyped string constant) as int value in struct literal",
        ),
        ("[2]int{1, 2, 3}", "error at 14: invalid argument: index 2 out of bounds [0:2]"),
        ("int + 1", "error at 1: int (type) is not an expression"),
        ("len", "error at 1: len (built-in) must be called"),
        ("_", "error at 1: cannot use _ as value"),
        ("main.Nope", "error at 1: undefined: main.Nope"),
        ("x = 1", "error at 3: syntax error: cannot use an assignment as value; == compares"),
    ];
    check(&table, true);
}

#[test]
fn calls_are_refused_with_a_sentence() {
    with_scope(true, |scope, names| {
        for text in ["sq.Area()", "strings.ToUpper(s)", "fn(s)", "err.Error() == \"boom\""] {
            let got = support::outcome(text, names, scope);
            assert!(got.contains("would run the program, which expressions don't do yet"), "{text}: {got}");
        }
        let got = support::outcome("one(2)", names, scope);
        assert_eq!(got, "error at 1: invalid operation: cannot call non-function one");
    });
}

#[test]
fn conditions_are_checked_when_they_are_compiled() {
    with_scope(true, |scope, names| {
        let refuse = |text: &str| eval::compile(text, names, Purpose::Condition).unwrap_err().to_string();
        assert_eq!(refuse("one"), "non-boolean condition: one (value of type int)");
        assert_eq!(refuse("bogus == 1"), "undefined: bogus");
        assert_eq!(refuse("one =="), "syntax error: unexpected end of expression, expected expression");
        for (text, truth) in
            [("one == 1", true), ("yes && s == \"x\"", false), ("a5.X == 3", true), ("a1.(int) > 4", true)]
        {
            let program = eval::compile(text, names, Purpose::Condition).unwrap();
            for _ in 0..3 {
                assert_eq!(eval::holds(&program, scope), Ok(truth), "{text}");
            }
        }
        let dynamic = eval::compile("a5.X", names, Purpose::Condition).unwrap();
        let error = eval::holds(&dynamic, scope).unwrap_err().to_string();
        assert_eq!(error, "non-boolean condition: expected a bool, this is of type int");
    });
}

#[test]
fn a_condition_costs_microseconds() {
    with_scope(true, |scope, names| {
        for text in ["one == 5", "p.X > 3 && s == \"no\"", "a1 == 6", "list.Next.Next.Value == 9"] {
            let program = eval::compile(text, names, Purpose::Condition).unwrap();
            let rounds = 2000;
            let start = std::time::Instant::now();
            for _ in 0..rounds {
                assert_eq!(eval::holds(&program, scope), Ok(false), "{text}");
            }
            let each = start.elapsed() / rounds;
            println!("{text}: {each:?}");
            assert!(each < std::time::Duration::from_micros(400), "{text}: {each:?}");
        }
    });
}

#[test]
fn log_messages() {
    with_scope(true, |scope, names| {
        let show = |e: &eval::Evaluated| match e {
            eval::Evaluated::Value(v) => support::show(scope.process, v, 8),
            other => format!("{other:?}"),
        };
        let render = |text: &str| LogTemplate::parse(text, names).map(|t| t.render(scope, &show));
        assert_eq!(render("one={one}, {{x}} {p.X}{p.Y}").unwrap(), "one=1, {x} 34");
        assert_eq!(
            render("{nilp.X}!").unwrap(),
            "(nilp.X: runtime error: invalid memory address or nil pointer dereference)!"
        );
        let error = render("ab {foo}").unwrap_err();
        assert_eq!((error.column, error.to_string().as_str()), (5, "undefined: foo"));
        assert_eq!(render("ab {one").unwrap_err().column, 4);
        assert_eq!(LogTemplate::check("}").unwrap_err().column, 1);
    });
}
