//! Prints what the crate sees in a program, with the time each question took: `inspect PROGRAM [FILE:LINE | FUNCTION]`.
#![allow(clippy::print_stdout)]

use std::time::Instant;

fn timed<T>(what: &str, f: impl FnOnce() -> T) -> T {
    let (start, cpu) = (Instant::now(), cpu_ms());
    let out = f();
    println!("{:>10.3} ms, cpu {:>8.3} ms  {what}", start.elapsed().as_secs_f64() * 1e3, cpu_ms() - cpu);
    out
}

/// Time that the whole process has run: the wall clock lies on a busy machine.
fn cpu_ms() -> f64 {
    let mut ns = 0.0;
    for task in std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let text = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        ns += text.split(' ').next().and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0);
    }
    ns / 1e6
}

fn main() {
    let mut args = std::env::args().skip(1);
    let path = args.next().unwrap_or_default();
    let what = args.next().unwrap_or_else(|| "main.main".into());
    let image = match timed("open", || image::Image::open(path.as_ref())) {
        Ok(i) => i,
        Err(e) => return println!("{e}"),
    };
    println!("{} {:?} pie={} dwarf={}", image.go_version(), image.arch(), image.is_pie(), image.has_dwarf());
    println!("moduledata {:x?} types {:x?}", image.moduledata(), image.type_range());
    let fs = image.functions();
    let found = timed("by_name", || fs.by_name(&what));
    for f in &found {
        println!("{:#x}..{:#x} {} {}:{}", f.entry(), f.end(), f.name(), f.file(), f.start_line());
        println!("prologue end {:#x}", timed("prologue_end", || f.prologue_end()));
        println!("{} rows", timed("rows", || f.rows()).len());
    }
    for f in found.iter().take(1) {
        let pc = f.prologue_end();
        let vars = timed("variables", || image.variables(pc, 0));
        let vars = timed("variables again", || image.variables(pc, 0).len().max(vars.len()));
        println!("{vars} variables");
        let mut regs = machine::Regs::new(image.arch());
        for n in 0..33 {
            regs.set(machine::Reg(n), 0x1000 + u64::from(n));
        }
        let cx = image::VarContext { pc, regs: &regs, cfa: 0x7000, mem: &image };
        for v in image.variables(pc, 0) {
            let ty = timed("type", || image.type_of(v.ty, &image));
            let ty =
                ty.map_or_else(|e| e.to_string(), |t| format!("{} {:?} {:?}", t.name, t.kind, t.runtime));
            println!(
                "  {} {ty} {:?} line {} depth {} {:x?}",
                v.name,
                v.role,
                v.decl_line,
                v.depth,
                image.locate(&v, &cx)
            );
        }
        println!("{:?}", image.signature(f.id()));
    }
    println!("type {:?}", timed("find_type", || image.find_type("runtime.g")));
    println!("global {:x?}", timed("global", || image.global("runtime.allgs")));
    println!(
        "rtype {:?}",
        timed("dwarf_of_runtime", || image.dwarf_of_runtime(image.type_range().start + 0x7c80))
    );
    for a in image.static_itabs().into_iter().take(3) {
        if let Ok(i) = image.itab(a, &image) {
            let name = |t| image.type_of(image::TypeId::Runtime(t), &image).map(|t| t.name.to_string());
            println!("{:?} {:?} {:x?}", name(i.inter), name(i.typ), i.fun);
        }
    }
    if let Some((file, line)) = what.rsplit_once(':') {
        let line = line.parse().unwrap_or(0);
        println!("{:x?}", timed("breakpoint", || fs.breakpoint_locations(file, line)));
        println!("{:x?}", timed("breakpoint again", || fs.breakpoint_locations(file, line)));
    }
    println!("{} itabs", timed("itabs", || image.static_itabs()).len());
    println!("symbol {:x?}", timed("symbol", || image.symbol("runtime.allgs")));
    println!("{} files", timed("files", || fs.files()).len());
}
