//! The tree of every construct, the errors of broken ones, and hostile input. Trees are written as S-expressions.

use expr::{Element, Node, NodeKind, Param, Statement, parse, parse_statement};

fn show(n: &Node) -> String {
    let list = |ns: &[Node]| ns.iter().map(show).collect::<Vec<_>>().join(" ");
    let params = |ps: &[Param]| {
        let one = |p: &Param| match p.names.is_empty() {
            true => show(&p.ty),
            false => format!("{}:{}", p.names.join(","), show(&p.ty)),
        };
        ps.iter().map(one).collect::<Vec<_>>().join(" ")
    };
    let maybe = |n: &Option<Box<Node>>| n.as_ref().map_or("_".into(), |n| show(n));
    match &n.kind {
        NodeKind::Bad => "BAD".into(),
        NodeKind::Name(n) => n.clone(),
        NodeKind::Number(c) => c.to_string(),
        NodeKind::Text(t) => format!("{:?}", String::from_utf8_lossy(t)),
        NodeKind::Paren(n) => show(n),
        NodeKind::Selector { base, name, .. } => format!("(. {} {name})", show(base)),
        NodeKind::Index { base, indices } => format!("([] {} {})", show(base), list(indices)),
        NodeKind::Slice { base, low, high, max } => {
            format!("([:] {} {} {} {})", show(base), maybe(low), maybe(high), maybe(max))
        }
        NodeKind::Assert { base, ty } => format!("(assert {} {})", show(base), maybe(ty)),
        NodeKind::Call { function, arguments, spread } => {
            format!("(call{} {} {})", if *spread { "..." } else { "" }, show(function), list(arguments))
        }
        NodeKind::Star(n) => format!("(* {})", show(n)),
        NodeKind::Unary { op, operand } => format!("({} {})", op.text(), show(operand)),
        NodeKind::Binary { op, left, right, .. } => format!("({} {} {})", op.text(), show(left), show(right)),
        NodeKind::Composite { ty, elements } => {
            let one = |e: &Element| match &e.key {
                Some(k) => format!("{}:{}", show(k), show(&e.value)),
                None => show(&e.value),
            };
            format!("(lit {} {})", maybe(ty), elements.iter().map(one).collect::<Vec<_>>().join(" "))
        }
        NodeKind::ArrayType { len, elem } => format!("(array {} {})", maybe(len), show(elem)),
        NodeKind::SliceType(elem) => format!("(slice {})", show(elem)),
        NodeKind::MapType { key, value } => format!("(map {} {})", show(key), show(value)),
        NodeKind::ChanType { dir, elem } => format!("(chan {dir:?} {})", show(elem)),
        NodeKind::FuncType { params: p, results, variadic } => {
            format!("(func{} ({}) ({}))", if *variadic { "..." } else { "" }, params(p), params(results))
        }
        NodeKind::StructType(fields) => format!("(struct {})", params(fields)),
        NodeKind::InterfaceType(methods) => format!("(interface {})", params(methods)),
    }
}

fn good(text: &str) -> String {
    let p = parse(text);
    assert_eq!(p.errors, [], "{text}");
    show(&p.root)
}

#[test]
fn trees() {
    for (text, tree) in [
        ("x", "x"),
        ("1 + 2*3 - 4", "(- (+ 1 (* 2 3)) 4)"),
        ("a || b && c == d | e &^ f", "(|| a (&& b (== c (| d (&^ e f)))))"),
        ("1<<2+3", "(+ (<< 1 2) 3)"),
        ("-x.y", "(- (. x y))"),
        ("!a == ^b", "(== (! a) (^ b))"),
        ("*p.q", "(* (. p q))"),
        ("&a[1].b", "(& (. ([] a 1) b))"),
        ("- -1", "(- (- 1))"),
        ("a[1:2:3]", "([:] a 1 2 3)"),
        ("a[:]", "([:] a _ _ _)"),
        ("a[:2]", "([:] a _ 2 _)"),
        ("s.(*os.File).fd", "(. (assert s (* (. os File))) fd)"),
        ("s.(type)", "(assert s _)"),
        ("x.(data)", "(assert x data)"),
        ("(*T)(p)", "(call (* T) p)"),
        (r#"(*"example.com/x.T")(0xc000)"#, r#"(call (* "example.com/x.T") 49152)"#),
        (r#""example.com/x".V.f"#, r#"(. (. "example.com/x" V) f)"#),
        ("f(a, b...)", "(call... f a b)"),
        ("f(a,)", "(call f a)"),
        ("[]int{1, 2}", "(lit (slice int) 1 2)"),
        ("[...]int{2: 1}", "(lit (array _ int) 2:1)"),
        ("[]byte(s)", "(call (slice byte) s)"),
        ("map[string][]int{}", "(lit (map string (slice int)) )"),
        ("T{A: 1, B: {2}}", "(lit T A:1 B:(lit _ 2))"),
        ("p.T{1}.x", "(. (lit (. p T) 1) x)"),
        ("G[int]{1}", "(lit ([] G int) 1)"),
        ("F[int, map[string]T](x)", "(call ([] F int (map string T)) x)"),
        ("func(a, b int, c ...string) (x error)", "(func... (a,b:int c:string) (x:error))"),
        ("(func(int, *T) string)(f)", "(call (func (int (* T)) (string)) f)"),
        ("(<-chan int)(c)", "(call (chan Receive int) c)"),
        ("typeof(w) == *gzip.Writer", "(== (call typeof w) (* (. gzip Writer)))"),
        ("struct { a, b int; *T; c string \"t\" }{}", "(lit (struct a,b:int (* T) c:string) )"),
        (
            "interface { M(int) string; io.Reader }(x)",
            "(call (interface M:(func (int) (string)) (. io Reader)) x)",
        ),
        ("'a' + '\\n' + '\\u00e9' + '\\xff'", "(+ (+ (+ 'a' '\\n') 'é') 'ÿ')"),
        ("`a\\b\n`", "\"a\\\\b\\n\""),
        ("\"\\x41\\102\\u00e9\\\"\"", "\"ABé\\\"\""),
        ("0x_ff + 0b1_01 + 0o17 + 017 + 1_000", "(+ (+ (+ (+ 255 5) 15) 15) 1000)"),
        (".5 + 1e3 + 0x1p-2 + 1.", "(+ (+ (+ 0.5 1000) 0.25) 1)"),
        ("2i*1.5i", "(* (0 + 2i) (0 + 1.5i))"),
        ("~r0 /* result */ + 1 // x", "(+ ~r0 1)"),
        ("größe.日本", "(. größe 日本)"),
        ("<-c", "(<- c)"),
    ] {
        assert_eq!(good(text), tree, "{text}");
    }
}

#[test]
fn statements() {
    let show = |text: &str| match parse_statement(text) {
        (Statement::Assign { left, right }, e) if e.is_empty() => {
            format!("{} = {}", show(&left), show(&right))
        }
        (Statement::Expression(x), e) if e.is_empty() => show(&x),
        (_, e) => format!("{} at {}", e[0].message, e[0].span.column(text)),
    };
    assert_eq!(show("x = y + 1"), "x = (+ y 1)");
    assert_eq!(
        show("a[i].b <<= 2"),
        "([] a i) = BAD".replace("([] a i) = BAD", "(. ([] a i) b) = (<< (. ([] a i) b) 2)")
    );
    assert_eq!(show("*p++"), "(* p) = (+ (* p) 1)");
    assert_eq!(show("x == 1"), "(== x 1)");
    assert_eq!(show("x := 1"), "a debugger can't declare variables; use = to assign to an existing one at 3");
}

#[test]
fn errors_say_what_and_where() {
    for (text, column, message) in [
        ("", 1, "syntax error: unexpected end of expression, expected expression"),
        ("x +", 4, "syntax error: unexpected end of expression, expected expression"),
        ("x = 1", 3, "syntax error: cannot use an assignment as value; == compares"),
        ("a b", 3, "syntax error: unexpected name b, expected end of expression"),
        ("a.", 3, "syntax error: unexpected end of expression, expected name or ("),
        ("f(1", 4, "syntax error: unexpected end of expression, expected )"),
        ("a[1", 4, "syntax error: unexpected end of expression, expected ]"),
        ("a[::1]", 4, "syntax error: middle index required in 3-index slice"),
        ("\"abc", 1, "string literal not terminated"),
        ("'ab'", 1, "more than one character in rune literal"),
        ("''", 1, "empty rune literal or unescaped ' in rune literal"),
        ("1 + 09", 5, "invalid digit '9' in base 8 literal"),
        ("0b12", 1, "invalid digit '2' in base 2 literal"),
        ("1__0", 1, "'_' must separate successive digits"),
        ("12abc", 1, "unexpected 'a' in number"),
        ("x @ y", 3, "invalid character U+0040 '@'"),
        ("é + $", 5, "invalid character U+0024 '$'"),
        ("if x", 1, "syntax error: unexpected keyword if, expected expression"),
        ("func() { }", 1, "function literals can't be evaluated in a debugger"),
        ("x /* ", 2, "comment not terminated"),
    ] {
        let p = parse(text);
        let first = p.errors.first().unwrap_or_else(|| panic!("{text}: no error, {}", show(&p.root)));
        assert_eq!((first.span.column(text), first.message.as_str()), (column, message), "{text}");
    }
}

#[test]
fn deep_and_long_input_is_answered_by_an_error() {
    let deep = |open: &str, close: &str| format!("{}x{}", open.repeat(100_000), close.repeat(100_000));
    for text in [
        deep("(", ")"),
        deep("-", ""),
        deep("*", ""),
        deep("[]", ""),
        deep("a[", "]"),
        deep("f(", ")"),
        deep("x+", ""),
        deep("T{", "}"),
        deep("func(", ")"),
        deep("struct{a,b ", "}"),
        deep("", ".x"),
        deep("", "[0]"),
        deep("map[", "]int"),
        deep("x.(", ")"),
    ] {
        let p = parse(&text);
        assert!(!p.errors.is_empty(), "{}...", &text[..10]);
        assert!(p.root.depth <= expr::MAX_DEPTH);
    }
    assert_eq!(parse(&vec!["x"; 200].join("+")).errors, []);
}

/// A small deterministic generator: tests must not depend on the day.
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below as u64) as usize
    }
}

#[test]
fn random_bytes_and_tokens_never_panic_and_spans_stay_inside() {
    const WORDS: [&str; 44] = [
        "x",
        "1",
        "1.5e",
        "0x",
        "'",
        "\"",
        "`",
        "\\",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ".",
        "...",
        ",",
        ":",
        "*",
        "&",
        "-",
        "<-",
        "=",
        ":=",
        "++",
        "func",
        "map",
        "chan",
        "struct",
        "interface",
        "type",
        "nil",
        "~",
        "é",
        "\n",
        "//",
        "/*",
        "'\\u",
        "\"\\x",
        "<<",
        "&&",
        "data",
        "_",
        "9",
    ];
    let mut r = Random(0x9e37_79b9_7f4a_7c15);
    for round in 0..20_000 {
        let text: String = if round % 2 == 0 {
            let bytes: Vec<u8> = (0..r.next(40)).map(|_| r.next(256) as u8).collect();
            String::from_utf8_lossy(&bytes).into_owned()
        } else {
            let spaced = if r.next(2) == 0 { " " } else { "" };
            (0..r.next(30)).map(|_| format!("{}{spaced}", WORDS[r.next(WORDS.len())])).collect()
        };
        let p = parse(&text);
        let (_, errors) = parse_statement(&text);
        let (_, template_errors) = expr::Template::parse(&text);
        for e in p.errors.iter().chain(&errors).chain(&template_errors) {
            assert!(e.span.end as usize <= text.len() && e.span.start <= e.span.end, "{text:?}: {e:?}");
            assert!(text.is_char_boundary(e.span.start as usize), "{text:?}: {e:?}");
        }
        if p.errors.is_empty() {
            assert!(!show(&p.root).contains("BAD"), "{text:?}");
        }
    }
}
