//! Assignments: the computed writes are made in a copy of the memory, where Go's expressions must then see the new values.

use eval::{Names, Scope, Scratch};
use golang::{MadeTypes, Process};
use image::PieceHome;
use machine::Overlay;

use crate::support::{self, Mode};

/// Computes `statement` in `main.locals`, writes what it says into a copy of memory, and evaluates `then` there.
fn outcomes(table: &[(&str, &str, &str)]) {
    let Some(program) = support::oracle("1.27.3", Mode::Debug) else { return };
    let running = support::run_until_end(&program, &["locals"]);
    let image = image::Image::open(&program).unwrap();
    let (made, scratch) = (MadeTypes::new(), Scratch::new());
    let before = Process::new(&image, &running.memory, &[], &made);
    let frame = support::frame_of(&before, "main.locals");
    let mut wrong = Vec::new();
    for (statement, then, expected) in table {
        let mut copy = Overlay::new(&running.memory);
        let write = eval::assignment(&Scope::new(&before, Some(&frame), &scratch), statement);
        let got = match write {
            Ok(None) => "no assignment".to_string(),
            Err(e) => format!("error at {}: {e}", e.column),
            Ok(Some((_, write))) => {
                for part in &write.parts {
                    let PieceHome::Memory(addr) = part.home else { panic!("{statement}: {part:?}") };
                    copy.write(addr, &part.bytes);
                }
                let memory = scratch.over(&copy);
                let after = Process::new(&image, &memory, &[], &made);
                let scope = Scope::new(&after, Some(&frame), &scratch);
                support::outcome(then, &Names::of(&scope), &scope)
            }
        };
        if got != *expected {
            wrong.push(format!("{statement}; {then}\n    expected: {expected}\n    got:      {got}"));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_kind_that_can_be_assigned() {
    outcomes(&[
        ("one = 5", "one", "int\t5"),
        ("one = -1", "one", "int\t-1"),
        ("one += 10", "one", "int\t11"),
        ("one <<= 4", "one", "int\t16"),
        ("one++", "one", "int\t2"),
        ("one--", "one", "int\t0"),
        ("i8max = -128", "i8max", "int8\t-128"),
        ("u64max = 1<<63", "u64max", "uint64\t9223372036854775808"),
        ("r = 'x'", "r == 'x'", "bool\ttrue"),
        ("f64 = 2.5", "f64 == 2.5", "bool\ttrue"),
        ("f32 = 1", "f32 == 1", "bool\ttrue"),
        ("f64 = one2()", "f64", "error at 7: undefined: one2 (did you mean one?)"),
        ("c128 = 1+2i", "c128 == 1+2i", "bool\ttrue"),
        ("yes = !yes", "yes", "bool\tfalse"),
        ("yes = one == 2", "yes", "bool\tfalse"),
        ("temp = 40", "temp == 40", "bool\ttrue"),
        ("s = utf", "s == utf", "bool\ttrue"),
        ("s = s[1:3]", "s", "string\ts656c"),
        ("s = \"\"", "s == empty", "bool\ttrue"),
        ("long = \"short\"", "long", "string\ts73686f7274"),
        ("sl[1] = 99", "sl[0] + sl[1]", "int\t100"),
        ("sl = sl[:2]", "len(sl)", "int\t2"),
        ("sl = nil", "sl == nil", "bool\ttrue"),
        ("arr[2] = arr[0] + 5", "arr", "[4]int\t[10 20 15 40]"),
        ("arr = [4]int{1, 2, 3, 4}", "arr", "[4]int\t[1 2 3 4]"),
        ("p.X = 100", "p", "main.Point\t{100 4}"),
        ("p = Point{7, 8}", "p", "main.Point\t{7 8}"),
        ("p = *pp", "p == *pp", "bool\ttrue"),
        ("pp.Y = 1", "*pp", "main.Point\t{5 1}"),
        ("*pp = q", "pp.X", "int\t3"),
        ("pp = nil", "pp == nil", "bool\ttrue"),
        ("nilp = pp", "nilp.Y", "int\t6"),
        ("outer.Level = 4", "outer.Deep.Level", "int\t4"),
        ("outer.Flags[1] = 9", "outer.Flags", "[3]main.Flags\t[1 9 3]"),
        ("list.Next.Value = -2", "list.Next.Value", "int\t-2"),
        ("m[\"a\"] = 77", "m[\"a\"]", "int\t77"),
        ("mk[key].X = 12", "mk[key].X", "int\t12"),
        ("m = nil", "m == nil", "bool\ttrue"),
        ("ch = nil", "ch == nil", "bool\ttrue"),
        ("fn = nil", "fn == nil", "bool\ttrue"),
        ("nilfn = fn", "nilfn == nil", "bool\tfalse"),
        ("a1 = a2", "a1 == \"str\"", "bool\ttrue"),
        ("a1 = nil", "a1 == nil", "bool\ttrue"),
        ("a1 = pp", "a1 == pp", "bool\ttrue"),
        ("a1 = sq", "a1 == sq", "bool\ttrue"),
        ("a1 = p", "a1 == p", "bool\ttrue"),
        ("nilsh = ci", "nilsh == ci", "bool\ttrue"),
        ("sq = ci", "sq.(*shapes.Circle).R == 2", "bool\ttrue"),
        ("sq = nil", "sq == nil", "bool\ttrue"),
        ("err = terr", "err == terr", "bool\ttrue"),
        ("rd = nil", "rd == nil", "bool\ttrue"),
        ("shapes.Count = 1", "shapes.Count", "int\t1"),
        ("up = nil", "up == nil", "bool\ttrue"),
        ("uptr = 0", "uptr", "uintptr\t0"),
    ]);
}

#[test]
fn what_can_t_be_assigned_says_why() {
    outcomes(&[
        (
            "one = 1.5",
            "",
            "error at 7: cannot use 1.5 (untyped float constant) as int value in assignment (truncated)",
        ),
        (
            "u8max = 300",
            "",
            "error at 9: cannot use 300 (untyped int constant) as uint8 value in assignment (overflows)",
        ),
        ("one = s", "", "error at 7: cannot use s (value of type string) as int value in assignment"),
        ("one = i8max", "", "error at 7: cannot use i8max (value of type int8) as int value in assignment"),
        ("s = nil", "", "error at 5: cannot use untyped nil as string value in assignment"),
        ("one + 1 = 2", "", "error at 1: cannot assign to one + 1: it is not a variable"),
        ("5 = one", "", "error at 1: cannot assign to 5: it is not a variable"),
        ("shapes.Large = 1", "", "error at 1: cannot assign to shapes.Large: it is not a variable"),
        (
            "m[\"new\"] = 1",
            "",
            "error at 1: m[\"new\"] is not in the map: a new key would have to be allocated in the program; existing ones can be assigned",
        ),
        (
            "empty = \"x\"",
            "",
            "error at 9: a new string would have to be allocated in the program, which is not possible yet: it is longer than the old one (1 bytes for 0); assign another variable's string, or a shorter one",
        ),
        (
            "s = utf + s",
            "",
            "error at 5: the new value would have to be allocated in the program, which is not possible yet; assign a variable that has it",
        ),
        (
            "s = \"HELLO\"",
            "",
            "error at 5: a new string would have to be allocated in the program, which is not possible yet: the old one lies in read-only memory; assign another variable's string, or a shorter one",
        ),
        (
            "sq = p",
            "",
            "error at 6: cannot use a value of type main.Point as shapes.Shape: missing method Area",
        ),
        ("x := 1", "", "error at 3: a debugger can't declare variables; use = to assign to an existing one"),
        ("foo = 1", "", "error at 1: undefined: foo"),
        ("one == 1", "", "no assignment"),
    ]);
}
