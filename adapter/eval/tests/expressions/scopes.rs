//! Names at different places: shadowing, results, captured variables, type parameters, receivers, local types.

use std::sync::Arc;

use dispatch::SourceText;
use eval::{Names, Scope, Scratch};
use golang::{MadeTypes, Process};

use crate::support::{self, Mode};

/// Reads source files from disk.
struct Disk;

impl SourceText for Disk {
    fn source(&self, file: &str) -> Option<Arc<str>> {
        std::fs::read_to_string(file).ok().map(Into::into)
    }
}

/// Evaluates in the frame whose symbol begins with `function`, in a process that was started with `argument`.
fn check(argument: &str, function: &str, table: &[(&str, &str)]) {
    for version in support::versions() {
        let Some(program) = support::fixture("scopes", version, Mode::Debug, &[]) else { continue };
        let running = support::run_until_end(&program, &[argument]);
        let image = image::Image::open(&program).unwrap();
        let (made, scratch) = (MadeTypes::new(), Scratch::new());
        let memory = scratch.over(&running.memory);
        let process = Process::new(&image, &memory, &[], &made);
        let frame = support::frame_where(&process, |f| f.symbol.starts_with(function));
        let scope = Scope { source: Some(&Disk), ..Scope::new(&process, Some(&frame), &scratch) };
        let names = Names::of(&scope);
        for (text, expected) in table {
            assert_eq!(
                support::outcome(text, &names, &scope),
                *expected,
                "{text} in {function}, Go {version}"
            );
        }
    }
}

#[test]
fn inner_names_shadow_outer_ones() {
    check(
        "shadow",
        "main.shadow",
        &[
            ("x", "float64\tf4004000000000000"),
            ("y", "int\t8"),
            ("main.x", "string\ts7061636b616765"),
            ("named", "string\ts726573756c74"),
            ("err == nil", "bool\ttrue"),
            ("shared", "int\t1"),
        ],
    );
    check("shadow", "main.main", &[("x", "string\ts7061636b616765"), ("y", "error at 1: undefined: y")]);
}

#[test]
fn captured_variables_are_names_of_the_closure() {
    check(
        "closures",
        "main.closures.func1",
        &[
            ("count", "int\t3"),
            ("fixed", "string\ts6669786564"),
            ("local", "int\t6"),
            ("arg * count == local", "bool\ttrue"),
            ("&count != nil", "bool\ttrue"),
        ],
    );
    check("closures", "main.closures", &[("count", "int\t3")]);
}

#[test]
fn type_parameters_have_the_types_of_the_dictionary() {
    check(
        "generic",
        "main.Map[",
        &[
            ("first", "main.Point\t{1 2}"),
            ("first.X", "int\t1"),
            ("key", "string\ts31"),
            ("key == \"1\"", "bool\ttrue"),
            ("in[0].Y", "int\t2"),
            ("out[key].X", "int\t1"),
            ("boxed.(T).Y", "int\t2"),
            ("typeof(boxed) == T", "bool\ttrue"),
            ("typeof(boxed) == U", "bool\tfalse"),
            ("U(\"a\") == \"a\"", "bool\ttrue"),
            ("T", "type main.Point"),
            ("W", "error at 1: undefined: W"),
        ],
    );
    check(
        "method",
        "main.(*Stack[",
        &[
            ("s.items[0].Y", "int\t4"),
            ("v", "main.Point\t{3 4}"),
            ("boxed.(T).X", "int\t3"),
            ("T", "type main.Point"),
        ],
    );
}

#[test]
fn receivers_and_local_types() {
    check("value", "main.Point.value", &[("p.X * d", "int\t10"), ("p == Point{5, 6}", "bool\ttrue")]);
    check("local", "main.local", &[("t.Name", "string\ts6c6f63616c"), ("pt.Name == t.Name", "bool\ttrue")]);
}

#[test]
fn registers_and_facts_of_the_frame() {
    let Some(program) = support::fixture("scopes", "1.27.3", Mode::Debug, &[]) else { return };
    let running = support::run_until_end(&program, &["value"]);
    let image = image::Image::open(&program).unwrap();
    let (made, scratch) = (MadeTypes::new(), Scratch::new());
    let process = Process::new(&image, &running.memory, &[], &made);
    let mut frame = support::frame_where(&process, |f| f.symbol == "main.Point.value");
    frame.regs.set(machine::Reg::RAX, 0x1234);
    let mut lanes = [0u8; 16];
    lanes[..8].copy_from_slice(&1.5f64.to_le_bytes());
    frame.regs.set_vectors(vec![lanes]);
    let scope = Scope::new(&process, Some(&frame), &scratch);
    let names = Names::of(&scope);
    for (text, expected) in [
        ("RAX", "uint64\t4660"),
        ("rax + 1", "uint64\t4661"),
        ("_RAX == 0x1234", "bool\ttrue"),
        ("XMM0.float64[0] == 1.5", "bool\ttrue"),
        ("XMM0.uint8[7]", "uint8\t63"),
        ("len(XMM0.uint16)", "int\t8"),
        (
            "XMM0.int3",
            "error at 1: a vector register has no lanes int3; use one of uint8, uint16, uint32, uint64, int8, int16, int32, int64, float32, float64",
        ),
        ("RBX", "error at 1: the register's value is not known in this frame"),
        ("RIP == 0", "bool\tfalse"),
        ("runtime.curg.goid", "uint64\t1"),
        ("runtime.frameoff < 0", "bool\ttrue"),
    ] {
        assert_eq!(support::outcome(text, &names, &scope), expected, "{text}");
    }
    let (_, write) = eval::assignment(&scope, "RAX = 7").unwrap().unwrap();
    let home = image::PieceHome::Register(machine::Reg::RAX);
    assert_eq!(write.parts, [eval::WritePart { home, bytes: 7u64.to_le_bytes().to_vec() }]);
}
