//! Constant arithmetic against values that Go's compiler computes.

use expr::{BinaryOp, Constant, Node, NodeKind, UnaryOp, parse};

fn value(n: &Node) -> Result<Constant, String> {
    match &n.kind {
        NodeKind::Number(c) => Ok(c.clone()),
        NodeKind::Paren(n) => value(n),
        NodeKind::Unary { op, operand } => value(operand)?.unary(*op).map_err(|e| e.to_string()),
        NodeKind::Binary { op, left, right, .. } => {
            let (l, r) = (value(left)?, value(right)?);
            match op.is_comparison() {
                true => l.compare(*op, &r).map(|b| Constant::int(b.into())).map_err(|e| e.to_string()),
                false => l.binary(*op, &r).map_err(|e| e.to_string()),
            }
        }
        other => Err(format!("{other:?}")),
    }
}

fn text(source: &str) -> String {
    let p = parse(source);
    assert_eq!(p.errors, []);
    value(&p.root).map_or_else(|e| format!("error: {e}"), |c| c.to_string())
}

#[test]
fn results_are_go_s() {
    for (source, result) in [
        ("1<<100>>98", "4"),
        ("7/2", "3"),
        ("-7/2", "-3"),
        ("-7%3", "-1"),
        ("7/2.0", "3.5"),
        ("'a'+1", "'b'"),
        ("^0", "-1"),
        ("6 &^ 3", "4"),
        ("0.1+0.2 == 0.3", "1"),
        ("1.0/3*3 == 1", "1"),
        ("1e100 > 1e99", "1"),
        ("(1+2i)*(3-4i)", "(11 + 2i)"),
        ("1i*1i == -1", "1"),
        ("(11+2i)/(3-4i) == 1+2i", "1"),
        ("1 << 3.0", "8"),
        ("0x1.8p1", "3"),
        ("1/0", "error: invalid operation: division by zero"),
        ("1.0/0", "error: invalid operation: division by zero"),
        ("1.5 % 2", "error: invalid operation: operator % not defined on untyped float constant"),
        ("1.5 << 2", "error: invalid operation: shift of untyped float constant that is not an integer"),
        ("1 << -1", "error: invalid shift count"),
        ("1i < 2", "error: invalid operation: operator < not defined on untyped complex constant"),
        (
            "1 << 200",
            "error: constant overflow: integer constants of more than 127 bits are not supported here",
        ),
        (
            "1 << 126 * 4",
            "error: constant overflow: integer constants of more than 127 bits are not supported here",
        ),
    ] {
        assert_eq!(text(source), result, "{source}");
    }
}

#[test]
fn floats_are_rounded_once_and_to_nearest() {
    let c = |s: &str| value(&parse(s).root).unwrap();
    for s in [
        "0.1",
        "0.3",
        "1.1",
        "123456789.123456789",
        "1e23",
        "1e-20",
        "3.4028234663852886e38",
        "1e308",
        "1e-320",
    ] {
        assert_eq!(c(s).to_f64(), s.parse::<f64>().ok(), "{s}");
        assert_eq!(c(s).to_f32(), s.parse::<f32>().ok(), "{s}");
    }
    assert_eq!(c("1.0/3").to_f64(), Some(1.0 / 3.0));
    assert_eq!(c("16777217.0").to_f32(), Some(16777216.0));
    assert_eq!(c("2.0").to_int(), Some(2));
    assert_eq!(c("2.5").to_int(), None);
    assert_eq!(Constant::int(5).unary(UnaryOp::Minus).unwrap().to_int(), Some(-5));
    assert_eq!(Constant::float(f64::NAN).compare(BinaryOp::Equal, &Constant::float(f64::NAN)), Ok(false));
}
