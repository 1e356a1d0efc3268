//! Facts about real programs of every Go version in every mode, against the toolchain's own tools and against themselves
//! (DWARF and runtime descriptors describe the same types, pclntab and the line table the same lines).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr
)]

mod common;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::process::Command;

use common::{build, line_of, source};
use gofixture::{Mode, Toolchain, matrix, newest};
use image::{FuncId, Image, Kind, Shape, TypeId, VarRole};
use machine::MemoryExt;

const MODES: [Mode; 6] =
    [Mode::Debug, Mode::Optimised, Mode::Stripped, Mode::Pie, Mode::PieStripped, Mode::Arm64];

fn open(path: &Path) -> Image {
    Image::open(path).unwrap()
}

fn each(modes: &[Mode], f: impl Fn(&Toolchain, Mode, &Image)) {
    for t in matrix() {
        for mode in modes {
            let image = open(&build("kinds", t, *mode));
            if matches!(mode, Mode::Pie | Mode::PieStripped) {
                image.set_bias(0x5555_5555_4000);
            }
            f(t, *mode, &image);
        }
    }
}

/// `go tool nm`: address -> name of the text symbols.
fn nm(t: &Toolchain, path: &Path) -> BTreeMap<u64, Vec<String>> {
    let out =
        Command::new(&t.go).args(["tool", "nm"]).arg(path).env("GOTOOLCHAIN", "local").output().unwrap();
    let mut all: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for line in String::from_utf8_lossy(&out.stdout).lines() {
        let mut words = line.split_whitespace();
        let (Some(addr), Some(kind)) = (words.next(), words.next()) else { continue };
        if let (Ok(addr), true) = (u64::from_str_radix(addr, 16), kind.eq_ignore_ascii_case("t")) {
            all.entry(addr).or_default().push(words.collect::<Vec<_>>().join(" "));
        }
    }
    all
}

#[test]
fn functions_are_those_of_nm() {
    for t in matrix() {
        let path = build("kinds", t, Mode::Optimised);
        let image = open(&path);
        let nm = nm(t, &path);
        let mut checked = 0;
        for f in image.functions().iter() {
            let names = nm.get(&f.entry()).unwrap_or_else(|| panic!("{}: {} not in nm", t.version, f.name()));
            let plain = f.name().replace('·', ".");
            let same = names.iter().any(|n| *n == plain || n.strip_suffix(".abi0") == Some(&plain));
            assert!(same, "{}: {:#x} {} {names:?}", t.version, f.entry(), f.name());
            assert_eq!(image.functions().at(f.entry()).map(|g| g.id()), Some(f.id()));
            assert_eq!(image.functions().at(f.end() - 1).map(|g| g.id()), Some(f.id()));
            assert!(
                image.functions().by_name(f.name()).iter().any(|g| g.entry() == f.entry() || !g.is_wrapper())
            );
            checked += 1;
        }
        assert!(checked > 1000, "{checked}");
    }
}

#[test]
fn stripped_and_pie_programs_have_the_same_functions() {
    each(&MODES, |t, mode, image| {
        let v = image.go_version();
        assert_eq!(format!("{}.{}.{}", v.major, v.minor, v.patch), t.version);
        assert_eq!(image.has_dwarf(), mode.has_dwarf(), "{} {mode:?}", t.version);
        let pie = matches!(mode, Mode::Pie | Mode::PieStripped);
        assert_eq!(image.is_pie(), pie);
        assert!(!image.is_cgo());
        let fs = image.functions();
        assert!(fs.files().iter().any(|f| f.ends_with("kinds.go")));
        for name in ["main.main", "main.(*S).M", "main.loop", "runtime.gopanic", "main.closures.func1"] {
            let found = fs.by_name(name);
            assert_eq!(found.len(), 1, "{} {mode:?} {name}", t.version);
            assert!(image.is_text(found[0].entry()) && !found[0].is_wrapper());
        }
        assert!(fs.by_name("main.main")[0].entry() > image.bias());
        assert!(
            fs.by_name("runtime.goexit")[0].is_top_frame() && fs.by_name("runtime.goexit")[0].is_assembly()
        );
        let md = image.moduledata().unwrap();
        assert_eq!(
            image.read_u64(md).unwrap(),
            image.section(".gopclntab").map_or(image.read_u64(md).unwrap(), |r| r.start)
        );
        assert!(image.is_read_only(image.type_range().start) && !image.is_read_only(md + 8) || pie);
        assert_eq!(image.tls_g_offset(), if mode == Mode::Arm64 { 16 } else { -8 });
    });
}

#[test]
fn lines_are_those_of_addr2line() {
    for t in matrix() {
        let path = build("kinds", t, Mode::Optimised);
        let image = open(&path);
        let mut asked = Vec::new();
        for f in image.functions().iter().filter(|f| f.package() == "main" || f.package() == "sort") {
            asked.extend((f.entry()..f.end()).step_by(13));
        }
        let text: String = asked.iter().map(|pc| format!("{pc:#x}\n")).collect();
        let mut child = Command::new(&t.go)
            .args(["tool", "addr2line"])
            .arg(&path)
            .env("GOTOOLCHAIN", "local")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
        let out = child.wait_with_output().unwrap();
        let lines: Vec<String> = String::from_utf8_lossy(&out.stdout).lines().map(str::to_string).collect();
        let mut checked = 0;
        for (pc, answer) in asked.iter().zip(lines.chunks(2)) {
            let Some(at) = image.functions().location(*pc) else { continue };
            assert_eq!(format!("{}:{}", at.file, at.line), answer[1], "{} {pc:#x}", t.version);
            checked += 1;
        }
        // Padding between functions belongs to no line.
        assert!(checked > 300, "{} {checked} of {}", t.version, asked.len());
    }
}

#[test]
fn prologues_are_those_of_the_line_table() {
    each(&[Mode::Debug, Mode::Optimised, Mode::Pie], |t, mode, image| {
        let (mut n, mut wrong) = (0, 0);
        for f in image.functions().iter().filter(|f| !f.is_assembly()) {
            let Some(marked) = image.marked_prologue_end(f.id()) else { continue };
            n += 1;
            wrong += usize::from(marked != f.prologue_end());
        }
        assert!(n > 1000 && wrong == 0, "{} {mode:?}: {wrong} of {n}", t.version);
    });
}

#[test]
fn inlined_calls_are_frames() {
    let line = line_of("kinds", "// inlined");
    each(&[Mode::Optimised, Mode::Stripped, Mode::PieStripped, Mode::Arm64], |t, mode, image| {
        let fs = image.functions();
        let file = source("kinds").to_string_lossy().into_owned();
        let (used, addrs) = fs.breakpoint_locations(&file, line).unwrap();
        assert_eq!(used, line);
        // Two copies in callsSmall; the function itself is not called and gone.
        assert_eq!(addrs.len(), 2, "{} {mode:?} {addrs:x?}", t.version);
        for a in addrs {
            let stack = fs.inline_stack(a);
            let names: Vec<_> = stack.iter().map(|f| f.name.as_str()).collect();
            assert_eq!(names, ["main.small", "main.callsSmall"], "{} {mode:?}", t.version);
            assert!(stack[0].inlined && !stack[1].inlined && stack[0].line == line);
            assert!(stack[1].line > stack[1].start_line);
        }
    });
}

#[test]
fn breakpoints_go_where_users_expect() {
    let file = source("kinds").to_string_lossy().into_owned();
    each(&[Mode::Debug, Mode::Stripped, Mode::Pie], |t, mode, image| {
        let fs = image.functions();
        let at = |text: &str| fs.breakpoint_locations(&file, line_of("kinds", text));
        let what = format!("{} {mode:?}", t.version);
        // The function's first line: behind the prologue, once.
        let (_, addrs) = at("func loop(").unwrap();
        let f = &fs.by_name("main.loop")[0];
        assert_eq!(addrs, [f.prologue_end()], "{what}");
        assert!(f.prologue_end() > f.entry() || mode == Mode::Stripped);
        // A comment moves to the next statement, a blank line too.
        let (used, addrs) = at("// a comment line").unwrap();
        let next = line_of("kinds", "continue");
        assert!(used == next || mode == Mode::Stripped && used > next, "{what} {used}");
        assert_eq!(addrs.len(), 1, "{what}");
        // In a closure: the closure, not the function around it.
        let (used, addrs) = at("// in closure").unwrap();
        assert_eq!(used, line_of("kinds", "// in closure"));
        assert!(addrs.iter().all(|a| fs.inline_stack(*a)[0].name.contains("func1")), "{what}");
        // A line with a closure on it: both.
        let (_, addrs) = at("return func() int { return add(n) }").unwrap();
        let names: Vec<_> = addrs.iter().map(|a| fs.inline_stack(*a)[0].name.clone()).collect();
        assert!(
            names.iter().any(|n| *n == "main.closures") && names.iter().any(|n| n.ends_with("func2")),
            "{what} {names:?}"
        );
        // One for each instantiation's shape.
        let (_, addrs) = at("s.items = append(s.items, x)").unwrap();
        assert!(!addrs.is_empty());
        assert!(fs.breakpoint_locations(&file, 100_000).is_none());
        assert!(fs.breakpoint_locations("/no/such/file.go", 1).is_none());
        assert!(fs.breakpoint_locations(&file, 1).is_none(), "before the first function");
    });
}

#[test]
fn every_line_with_code_takes_a_breakpoint_on_itself() {
    let file = source("kinds").to_string_lossy().into_owned();
    each(&[Mode::Debug, Mode::Optimised, Mode::Stripped, Mode::Arm64], |t, mode, image| {
        let fs = image.functions();
        let lines = fs.breakable_lines(&file);
        assert!(lines.len() > 40, "{} {mode:?} {}", t.version, lines.len());
        for line in lines {
            let (used, addrs) = fs.breakpoint_locations(&file, line).unwrap();
            assert_eq!(used, line);
            for a in addrs {
                let f = fs.at(a).unwrap();
                let found = fs.location(a).unwrap();
                let first = f.start_line() == line || fs.location(f.entry()).unwrap().line == line;
                assert!(found.line == line || first, "{} {mode:?} {line} {a:#x} {found:?}", t.version);
                assert!(!f.is_wrapper() || fs.inline_stack(a).len() > 1);
            }
        }
    });
}

/// Name, kind, size and parts of a type, spelled out, for comparison across the two descriptions.
fn describe(image: &Image, id: TypeId) -> String {
    let t = image.type_of(id, image).unwrap();
    let name = |id: &TypeId| image.type_of(*id, image).map_or_else(|e| e.to_string(), |t| t.name.to_string());
    let parts = match &t.shape {
        Shape::Basic => String::new(),
        Shape::Array { elem, len } => format!("[{len}]{}", name(elem)),
        Shape::Slice { elem } => name(elem),
        Shape::Map { key, elem, .. } => format!("{} -> {}", name(key), name(elem)),
        Shape::Chan { elem, .. } => name(elem),
        Shape::Pointer { elem } => elem.as_ref().map_or_else(String::new, name),
        Shape::Struct { fields } => {
            let one = |f: &image::Field| format!("{} {} {} {}", f.name, name(&f.ty), f.offset, f.embedded);
            fields.iter().map(one).collect::<Vec<_>>().join("; ")
        }
        Shape::Func(sig) => format!(
            "({}) ({}) {}",
            sig.params.iter().map(name).collect::<Vec<_>>().join(", "),
            sig.results.iter().map(name).collect::<Vec<_>>().join(", "),
            sig.variadic
        ),
        Shape::Interface { empty, methods } => {
            let names: Vec<_> = methods.iter().flatten().map(|m| m.name.to_string()).collect();
            format!("{empty} {}", names.join(", "))
        }
        Shape::Param { dict_index, .. } => format!("param {dict_index}"),
    };
    // Local types have a number in DWARF only; a recursive name may be cut.
    let plain = |s: String| s.split('·').next().unwrap_or("").to_string();
    format!("{} {:?} {} {} {{{parts}}}", plain(t.name.to_string()), t.kind, t.size, t.named)
}

/// All descriptors that can be reached from the static itabs and from DWARF.
fn reachable(image: &Image) -> Vec<u64> {
    let mut seen = std::collections::BTreeSet::new();
    let mut open: Vec<u64> = Vec::new();
    for a in image.static_itabs() {
        let itab = image.itab(a, image).unwrap();
        open.extend([itab.inter, itab.typ]);
    }
    while let Some(t) = open.pop() {
        if !seen.insert(t) {
            continue;
        }
        let ty = image.type_of(TypeId::Runtime(t), image).unwrap();
        let mut add = |id: &TypeId| match id {
            TypeId::Runtime(a) => open.push(*a),
            other => panic!("{other:?}"),
        };
        match &ty.shape {
            Shape::Array { elem, .. } | Shape::Slice { elem } | Shape::Chan { elem, .. } => add(elem),
            Shape::Map { key, elem, .. } => [key, elem].into_iter().for_each(add),
            Shape::Pointer { elem } => elem.iter().for_each(add),
            Shape::Struct { fields } => fields.iter().for_each(|f| add(&f.ty)),
            Shape::Func(sig) => sig.params.iter().chain(&sig.results).for_each(add),
            Shape::Interface { methods, .. } => {
                methods.iter().flatten().filter_map(|m| m.ty.as_ref()).for_each(add)
            }
            _ => {}
        }
        open.extend(image.methods_of(t, image).unwrap().iter().filter_map(|m| match m.ty {
            Some(TypeId::Runtime(a)) => Some(a),
            _ => None,
        }));
    }
    seen.into_iter().collect()
}

#[test]
fn dwarf_and_descriptors_describe_the_same_types() {
    each(&[Mode::Debug, Mode::Optimised, Mode::Pie], |t, mode, image| {
        let (mut n, mut kinds) = (0, HashMap::new());
        for rtype in reachable(image) {
            let Some(dwarf) = image.dwarf_of_runtime(rtype) else { continue };
            let (a, b) = (describe(image, dwarf), describe(image, TypeId::Runtime(rtype)));
            // The linker spells tags, and embedded fields of unnamed structures, in its own way.
            if a.contains("struct {") {
                continue;
            }
            assert_eq!(a, b, "{} {mode:?} {rtype:#x}", t.version);
            let ty = image.type_of(dwarf, image).unwrap();
            assert_eq!(ty.runtime, Some(rtype));
            assert_eq!(image.type_from_runtime(rtype), dwarf);
            *kinds.entry(ty.kind as u8).or_insert(0) += 1;
            n += 1;
        }
        assert!(n > 60 && kinds.len() > 14, "{} {mode:?} {n} {kinds:?}", t.version);
    });
}

#[test]
fn stripped_programs_have_the_types_of_the_others() {
    for t in matrix() {
        let names = |mode| {
            let image = open(&build("kinds", t, mode));
            let mut all: Vec<String> = reachable(&image)
                .iter()
                .map(|a| image.type_of(TypeId::Runtime(*a), &image).unwrap().name.to_string())
                .collect();
            all.sort();
            all
        };
        let (full, stripped, pie) = (names(Mode::Optimised), names(Mode::Stripped), names(Mode::PieStripped));
        assert_eq!(full, stripped, "{}", t.version);
        assert!(pie.len() > 100, "{}", pie.len());
        for wanted in ["main.I", "*main.S", "main.Inner", "*os.File", "func(int) string"] {
            assert!(stripped.iter().any(|n| n == wanted), "{} {wanted}", t.version);
        }
    }
}

#[test]
fn itabs_hold_the_methods_that_they_name() {
    each(&MODES, |t, mode, image| {
        let what = format!("{} {mode:?}", t.version);
        let itabs = image.static_itabs();
        assert!(itabs.len() > 8, "{what}");
        let mut checked = 0;
        for a in itabs {
            let itab = image.itab(a, image).unwrap();
            let inter = image.type_of(TypeId::Runtime(itab.inter), image).unwrap();
            let Shape::Interface { methods: Some(methods), .. } = &inter.shape else { panic!("{what}") };
            assert_eq!(methods.len(), itab.fun.len(), "{what} {}", inter.name);
            for (m, fun) in methods.iter().zip(&itab.fun) {
                // Up to Go 1.25 a position-independent program has the address of a pruned method unrelocated.
                let fun = if *fun < image.bias() { fun + image.bias() } else { *fun };
                let f = image
                    .functions()
                    .at(fun)
                    .unwrap_or_else(|| panic!("{what} {} {} {:x?}", inter.name, m.name, itab));
                assert_eq!(f.entry(), fun);
                let named =
                    f.name().ends_with(&format!(".{}", m.name)) || f.name() == "runtime.unreachableMethod";
                assert!(named, "{what} {} {}", m.name, f.name());
                checked += 1;
            }
        }
        assert!(checked > 15, "{what} {checked}");
        // An address that is no itab is refused.
        assert!(image.itab(image.type_range().start + 0x100, image).is_err());
        assert!(image.itab(0, image).is_err());
    });
}

#[test]
fn methods_and_direct_interfaces() {
    each(&[Mode::Optimised, Mode::Stripped], |t, mode, image| {
        let types = reachable(image);
        let find = |name: &str| {
            let named = |a: &&u64| &*image.type_of(TypeId::Runtime(**a), image).unwrap().name == name;
            *types.iter().find(named).unwrap_or_else(|| panic!("{name} {} {mode:?}", t.version))
        };
        let what = format!("{} {mode:?}", t.version);
        let s = image.methods_of(find("*main.S"), image).unwrap();
        let names: Vec<_> = s.iter().map(|m| (&*m.name, m.package.as_deref())).collect();
        assert!(
            names.contains(&("M", None)) && names.contains(&("hidden", Some("main"))),
            "{what} {names:?}"
        );
        let m = s.iter().find(|m| &*m.name == "M").unwrap();
        let f = image.functions().at(m.ifn.unwrap()).unwrap();
        assert_eq!((f.name(), f.entry()), ("main.(*S).M", m.ifn.unwrap()), "{what}");
        assert!(image.is_direct_iface(find("*main.S"), image).unwrap());
        assert!(!image.is_direct_iface(find("main.Inner"), image).unwrap());
        assert_ne!(image.runtime_hash(find("main.Inner"), image).unwrap(), 0);
    });
}

#[test]
fn types_are_found_by_name() {
    each(&[Mode::Debug], |t, _, image| {
        let get =
            |n: &str| image.type_of(image.find_type(n).unwrap_or_else(|| panic!("{n}")), image).unwrap();
        for n in ["int", "string", "error", "main.S", "*main.S", "[]string", "main.MyMap", "runtime.g"] {
            assert_eq!(&*get(n).name, n, "{}", t.version);
        }
        assert_eq!(get("main.S").kind, Kind::Struct);
        assert!(get("main.MyFunc").named && !get("[]string").named);
        assert!(image.find_type("main.Nothing").is_none());
        let short = image.find_types_short("rand.Rand");
        assert!(short.iter().all(|t| image.type_of(*t, image).unwrap().name.ends_with("rand.Rand")));
        assert_eq!(image.find_types_short("fs.PathError").len(), 1, "{}", t.version);
        let Shape::Map { header: Some(h), .. } = get("main.MyMap").shape else { panic!() };
        assert_eq!(image.type_of(h, image).unwrap().kind, Kind::Struct);
        assert_eq!(image.constants_of(get("main.MyInt").id).len(), 3);
        assert_eq!(image.constant("main.KC").map(|c| c.0), Some(2));
        let (addr, ty) = image.global("main.Counter").unwrap();
        assert_eq!((image.read_u64(addr).unwrap(), ty), (2, Some(get("main.MyInt").id)));
        assert_eq!(image.global_at(addr + 3).unwrap().0, "main.Counter");
        assert!(image.globals_of("main").iter().any(|g| g.0 == "main.G"));
        assert!(image.packages().iter().any(|p| p == "io/fs"));
        assert!(image.global("main.nothing").is_none());
    });
}

#[test]
fn variables_of_unoptimised_code_are_all_located() {
    each(&[Mode::Debug, Mode::Pie], |t, mode, image| {
        let what = format!("{} {mode:?}", t.version);
        let regs = {
            let mut r = machine::Regs::new(image.arch());
            (0..33).for_each(|n| r.set(machine::Reg(n), 0x7000_0000 + u64::from(n)));
            r
        };
        let at = |text: &str| {
            image
                .functions()
                .breakpoint_locations(&source("kinds").to_string_lossy(), line_of("kinds", text))
                .unwrap()
                .1
        };
        let vars = |pc: u64| {
            let cx = image::VarContext { pc, regs: &regs, cfa: 0x7fff_0000, mem: image };
            let mut all = BTreeMap::new();
            for v in image.variables(pc, 0) {
                let ty = image.type_of(v.ty, image).unwrap();
                let pieces = image.locate(&v, &cx).unwrap_or_else(|e| panic!("{what} {}: {e}", v.name));
                let size: u64 = pieces.iter().map(|p| p.size).sum();
                assert_eq!(size, if v.by_reference { 8 } else { ty.size }, "{what} {}", v.name);
                all.insert(v.name.clone(), (v, ty));
            }
            all
        };
        let p = vars(at("// params returns")[0]);
        let roles: Vec<_> = p.iter().map(|(n, (v, t))| format!("{n} {:?} {}", v.role, t.name)).collect();
        let expected = [
            "a Param int",
            "b Param string",
            "c Param []uint8",
            "d Param interface {}",
            "e Param main.I",
            "err Result error",
            "f Param float64",
            "n Result int",
        ];
        assert_eq!(roles, expected, "{what}");
        let l = vars(at("// loop body")[0]);
        for (name, depth_at_least) in [("xs", 0), ("sum", 0), ("i", 1), ("x", 1)] {
            assert!(l[name].0.depth >= depth_at_least && l[name].0.declared, "{what} {name} {:?}", l[name].0);
        }
        let e = vars(at("// escapes returns")[0]);
        assert!(e["local"].0.by_reference && &*e["local"].1.name == "int", "{what}");
        let c = vars(at("// in closure")[0]);
        assert!(c.contains_key("total") && c.contains_key("n"), "{what} {:?}", c.keys());
        if t.minor() >= 23 {
            assert_eq!(c["total"].0.role, VarRole::Captured, "{what}");
        }
        // Before its declaration a variable is listed as such.
        let m = vars(at("// the first statement")[0]);
        assert!(!m["words"].0.declared, "{what}");
        let f = image.functions().by_name("main.params")[0].id();
        let sig: Vec<_> = image.signature(f).unwrap().into_iter().map(|(n, _, r)| (n, r)).collect();
        assert_eq!(
            sig.iter().map(|s| s.0.as_str()).collect::<Vec<_>>(),
            ["a", "b", "c", "d", "e", "f", "n", "err"],
            "{what}"
        );
        assert_eq!(sig.iter().filter(|s| s.1).count(), 2);
    });
}

#[test]
fn generic_code_has_dictionaries_and_parameters() {
    each(&[Mode::Debug], |t, _, image| {
        let f = image.functions().by_name("main.Map[go.shape.int,go.shape.string]");
        assert_eq!(f.len(), 1, "{}", t.version);
        let vars = image.variables(f[0].prologue_end(), 0);
        assert!(vars.iter().any(|v| v.name == ".dict" && v.role == VarRole::Param));
        let xs = vars.iter().find(|v| v.name == "xs").unwrap();
        let ty = image.type_of(xs.ty, image).unwrap();
        assert!(matches!(ty.shape, Shape::Param { .. }) && ty.kind == Kind::Slice, "{} {ty:?}", t.version);
        assert!(image.signature(FuncId(f[0].id().0)).unwrap().iter().any(|p| p.0 == ".dict"));
    });
}

#[test]
fn inlined_variables_belong_to_their_frame() {
    each(&[Mode::Optimised], |t, _, image| {
        let fs = image.functions();
        let file = source("kinds").to_string_lossy().into_owned();
        let (_, addrs) = fs.breakpoint_locations(&file, line_of("kinds", "// inlined")).unwrap();
        for a in addrs {
            let inner: Vec<_> = image.variables(a, 0).into_iter().map(|v| v.name).collect();
            let outer: Vec<_> = image.variables(a, 1).into_iter().map(|v| v.name).collect();
            assert!(
                inner.iter().any(|n| n == "x" || n == "y"),
                "{} {inner:?} {:?}",
                t.version,
                fs.inline_stack(a)
            );
            assert!(!inner.contains(&"b".into()), "{} {inner:?}", t.version);
            assert!(outer.contains(&"x".into()) && !outer.contains(&"y".into()), "{} {outer:?}", t.version);
            assert!(image.variables(a, 2).is_empty());
        }
        assert!(image.is_optimised(fs.by_name("main.main")[0].entry()));
    });
    each(&[Mode::Debug], |_, _, image| {
        assert!(!image.is_optimised(image.functions().by_name("main.main")[0].entry()));
    });
}

#[test]
fn cgo_programs() {
    for t in matrix() {
        for mode in [Mode::Debug, Mode::PieOptimised] {
            let image = open(&build("cgo", t, mode));
            let what = format!("{} {mode:?}", t.version);
            assert!(image.is_cgo() && image.has_dwarf(), "{what}");
            // 160 bytes of C's thread variables lie between g and the thread pointer.
            assert!(image.tls_g_offset() <= -160, "{what} {}", image.tls_g_offset());
            assert_eq!(image.functions().by_name("main.main").len(), 1, "{what}");
            let c = image.symbol("_start").unwrap();
            assert!(image.is_text(c) && image.functions().at(c).is_none(), "{what}");
            assert!(image.static_itabs().len() > 5, "{what}");
            assert!(image.find_type("main._Ctype_struct___0").is_some(), "{what}");
        }
    }
}

#[test]
fn c_frames_unwind_by_cfi() {
    let Some(t) = newest() else { return };
    let image = open(&build("cgo", t, Mode::Debug));
    let pc = image.symbol("_start").unwrap();
    let mut regs = machine::Regs::new(image.arch());
    regs.set_pc(pc);
    regs.set_sp(0x1000);
    // The ABI marks _start as outermost.
    assert!(image.unwind_cfi(&mut regs, &machine::NoMemory).is_err());
    // At the entry of any other C function the return address is on top of the stack.
    let Some(f) = image.symbol("_cgo_wait_runtime_init_done").or_else(|| image.symbol("x_cgo_init")) else {
        return;
    };
    let mut stack = machine::Overlay::new(&machine::NoMemory);
    stack.write(0x1000, &0x1234_5678u64.to_le_bytes());
    let mut regs = machine::Regs::new(image.arch());
    regs.set_pc(f);
    regs.set_sp(0x1000);
    image.unwind_cfi(&mut regs, &stack).unwrap();
    assert_eq!((regs.pc(), regs.sp()), (0x1234_5678, 0x1008));
}

#[test]
fn uncompressed_debug_information_reads_the_same() {
    let Some(t) = newest() else { return };
    let (a, b) = (open(&build("kinds", t, Mode::Optimised)), open(&build("kinds", t, Mode::Uncompressed)));
    let names = |i: &Image| i.variables(i.functions().by_name("main.loop")[0].prologue_end(), 0).len();
    assert!(names(&a) > 0);
    assert_eq!(names(&a), names(&b));
}

#[test]
fn text_addresses_are_never_data() {
    let Some(t) = newest() else { return };
    let image = open(&build("kinds", t, Mode::Pie));
    image.set_bias(0x5555_5555_4000);
    // A pointer in the file's data is relocated: the type of the first itab lies among the types.
    let itab = image.static_itabs()[0];
    assert!(image.type_range().contains(&image.read_u64(itab).unwrap()));
    // Reads stop at unmapped memory.
    let mut b = [0; 16];
    assert_eq!(machine::Memory::read(&image, 0x10, &mut b), Ok(0));
    let end = image.section(".text").unwrap().end;
    assert!(image.read_u8(end - 1).is_ok());
}
