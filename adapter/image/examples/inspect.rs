//! Prints what the crate sees in a program, with the time each question took: `inspect PROGRAM [FILE:LINE | FUNCTION]`.
#![allow(clippy::print_stdout)]

use std::time::Instant;

fn timed<T>(what: &str, f: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let out = f();
    println!("{:>10.3} ms  {what}", start.elapsed().as_secs_f64() * 1e3);
    out
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
    if let Some((file, line)) = what.rsplit_once(':') {
        let line = line.parse().unwrap_or(0);
        println!("{:x?}", timed("breakpoint", || fs.breakpoint_locations(file, line)));
        println!("{:x?}", timed("breakpoint again", || fs.breakpoint_locations(file, line)));
    }
    println!("{} itabs", timed("itabs", || image.static_itabs()).len());
    println!("symbol {:x?}", timed("symbol", || image.symbol("runtime.allgs")));
    println!("{} files", timed("files", || fs.files()).len());
}
