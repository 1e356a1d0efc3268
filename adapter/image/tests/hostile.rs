//! Hostile files: truncated, garbage, with flipped bytes. Nothing may panic, hang or allocate without bound.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr
)]

mod common;

use std::path::{Path, PathBuf};

use common::{build, source};
use gofixture::{Mode, newest};
use image::{Image, ImageError, TypeId, VarContext};
use machine::{Memory, MemoryExt};

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn files_that_are_no_go_programs_are_refused_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let open = |name: &str, bytes: &[u8]| Image::open(&write(dir.path(), name, bytes)).map(|_| ());
    assert!(matches!(Image::open(&dir.path().join("missing")), Err(ImageError::Io { .. })));
    assert!(matches!(Image::open(dir.path()), Err(ImageError::Io { .. })));
    assert!(matches!(open("empty", b""), Err(ImageError::Io { .. })));
    assert!(matches!(open("text", b"#!/bin/sh\nexit 1\n"), Err(ImageError::NotElf(..))));
    assert!(matches!(open("magic", b"\x7fELF"), Err(ImageError::NotElf(..))));
    let mut core = std::fs::read("/proc/self/exe").unwrap();
    assert!(matches!(open("rust", &core), Err(ImageError::NotGo(_))));
    core[16] = 4;
    assert!(matches!(open("core", &core), Err(ImageError::CoreFile(_))));
    core[16] = 1;
    assert!(matches!(open("object", &core), Err(ImageError::NotElf(..))));
    (core[16], core[18]) = (2, 8);
    let error = open("mips", &core).unwrap_err().to_string();
    assert!(error.contains("machine 8"), "{error}");
}

#[test]
fn too_old_a_version_is_named() {
    let Some(t) = newest() else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = std::fs::read(build("kinds", t, Mode::Stripped)).unwrap();
    let version = format!("go{}", t.version);
    let at = bytes.windows(14).position(|w| w == b"\xff Go buildinf:").unwrap() + 33;
    assert_eq!(&bytes[at..at + version.len()], version.as_bytes());
    bytes[at..at + version.len()].copy_from_slice(format!("go1.17.{:0>1$}", 1, version.len() - 7).as_bytes());
    match Image::open(&write(dir.path(), "old", &bytes)) {
        Err(ImageError::UnsupportedGo { version, .. }) => assert!(version.starts_with("go1.17")),
        other => panic!("{:?}", other.map(|_| ())),
    }
}

/// Asks everything of a damaged program; the answers don't matter.
fn ask_everything(image: &Image) {
    let fs = image.functions();
    let _ = (fs.files().len(), image.packages().len(), image.layout().offset("runtime.g", "sched.pc"));
    let _ = fs.breakpoint_locations(&source("kinds").to_string_lossy(), 90);
    let mut regs = machine::Regs::new(image.arch());
    (0..33).for_each(|n| regs.set(machine::Reg(n), 0x40_0000 + u64::from(n) * 8));
    for f in fs.iter().step_by(97).chain(fs.by_name("main.main")).chain(fs.by_name("main.closures")).take(60)
    {
        let _ = (
            f.name().len(),
            f.package(),
            f.file(),
            f.is_wrapper(),
            f.funcdata(4),
            f.rows().len(),
            f.deferreturn(),
        );
        for pc in [f.entry(), f.prologue_end(), f.end().wrapping_sub(1), f.entry().wrapping_add(17)] {
            let _ = (fs.inline_stack(pc).len(), fs.location(pc), f.sp_delta(pc), image.is_optimised(pc));
            let cx = VarContext { pc, regs: &regs, cfa: 0x7000_0000, mem: image };
            for v in image.variables(pc, 0).iter().take(40) {
                let _ = (image.locate(v, &cx).is_ok(), image.type_of(v.ty, image).is_ok());
            }
            let mut regs = regs.clone();
            regs.set_pc(pc);
            let _ = image.unwind_cfi(&mut regs, image);
        }
        let _ = image.signature(f.id());
    }
    for name in ["runtime.g", "main.S", "[]string", "error"] {
        if let Some(t) = image.find_type(name) {
            let _ = (image.type_of(t, image).is_ok(), image.constants_of(t).len());
        }
    }
    let _ = (image.find_types_short("fs.PathError"), image.global("main.G"), image.globals_of("main").len());
    let _ = (
        image.constant("main.KC"),
        image.global_at(image.symbol("main.G").unwrap_or(1)),
        image.tls_g_offset(),
    );
    for a in image.static_itabs().into_iter().take(50) {
        if let Ok(i) = image.itab(a, image) {
            let _ = (image.methods_of(i.typ, image).is_ok(), image.is_direct_iface(i.typ, image));
            let _ = (image.type_of(TypeId::Runtime(i.inter), image).is_ok(), image.dwarf_of_runtime(i.typ));
        }
    }
    let types = image.type_range();
    for a in (types.start..types.end).step_by(1 << 13).take(200) {
        let _ = (image.type_of(TypeId::Runtime(a & !7), image).is_ok(), image.read_u64(a).is_ok());
    }
    let _ = image.read(u64::MAX - 3, &mut [0; 16]);
    assert!(image.type_of(TypeId::Dwarf(u64::MAX), image).is_err());
    assert!(image.type_of(TypeId::Made(7), image).is_err());
}

/// A small generator: the same bytes in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}

/// Rounds of each mutation; `IMAGE_FUZZ_ROUNDS` for a long run.
fn rounds() -> usize {
    std::env::var("IMAGE_FUZZ_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(4)
}

/// Ranges of the file worth damaging: headers, tables, debug information.
fn targets(image: &Image, len: usize) -> Vec<std::ops::Range<usize>> {
    let names = [
        ".gopclntab",
        ".data.rel.ro.gopclntab",
        ".go.module",
        ".go.buildinfo",
        ".noptrdata",
        ".go.type",
        ".rodata",
        ".debug_info",
        ".debug_abbrev",
        ".debug_line",
        ".debug_loclists",
        ".debug_loc",
        ".debug_rnglists",
        ".debug_addr",
        ".debug_frame",
        ".symtab",
        ".itablink",
        ".rela",
    ];
    let mut all: Vec<_> = names.iter().filter_map(|n| image.file_range(n)).collect();
    all.push(0..4096.min(len));
    all.retain(|r| !r.is_empty() && r.end <= len);
    all
}

#[test]
fn flipped_bytes() {
    let Some(t) = newest() else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for mode in [Mode::Uncompressed, Mode::Pie, Mode::Stripped] {
        let path = build("kinds", t, mode);
        let whole = std::fs::read(&path).unwrap();
        let targets = targets(&Image::open(&path).unwrap(), whole.len());
        assert!(targets.len() > 4);
        for round in 0..rounds() {
            let mut bytes = whole.clone();
            for range in &targets {
                // Some rounds hit the beginning of each table, where headers are; others all of it.
                let span = if round % 2 == 0 { range.len().min(256) } else { range.len() };
                for _ in 0..1 + round % 3 * 20 {
                    let at = range.start + random.below(span);
                    bytes[at] = match random.below(3) {
                        0 => 0xff,
                        1 => bytes[at] ^ (1 << random.below(8)),
                        _ => random.below(256) as u8,
                    };
                }
                // One table at a time, or a damaged ELF header would hide the rest.
                let path = write(dir.path(), "flipped", &bytes);
                if let Ok(image) = Image::open(&path) {
                    ask_everything(&image);
                }
                bytes[range.clone()].copy_from_slice(&whole[range.clone()]);
            }
        }
    }
}

#[test]
fn truncated_files() {
    let Some(t) = newest() else { return };
    let dir = tempfile::tempdir().unwrap();
    let whole = std::fs::read(build("kinds", t, Mode::Optimised)).unwrap();
    for i in 0..24 {
        let path = write(dir.path(), "cut", &whole[..whole.len() * i / 24]);
        if let Ok(image) = Image::open(&path) {
            ask_everything(&image);
        }
    }
}

#[test]
fn a_program_rebuilt_while_open_does_not_kill_us() {
    let Some(t) = newest() else { return };
    let dir = tempfile::tempdir().unwrap();
    let whole = std::fs::read(build("kinds", t, Mode::Optimised)).unwrap();
    let path = write(dir.path(), "program", &whole);
    let image = Image::open(&path).unwrap();
    assert!(!image.is_stale());
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(1000).unwrap();
    ask_everything(&image);
    assert!(image.is_stale());
}

/// Memory in which every word points at one function type with thousands of parameters, all of them itself.
struct Recursive;

impl Memory for Recursive {
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<usize, machine::MemError> {
        let mut head = [0u8; 56];
        (head[0], head[8], head[21], head[23]) = (8, 8, 8, 19);
        (head[48], head[49]) = (0, 0x1f);
        for (i, b) in buf.iter_mut().enumerate() {
            let at = (addr.wrapping_add(i as u64) & 0xffff) as usize;
            *b = *head.get(at).unwrap_or(&0x7f_0000_0000u64.to_le_bytes()[at % 8]);
        }
        Ok(buf.len())
    }
}

#[test]
fn a_type_that_consists_of_itself_ends() {
    let Some(t) = newest() else { return };
    let image = Image::open(&build("kinds", t, Mode::Stripped)).unwrap();
    let start = std::time::Instant::now();
    let refused = image.type_of(TypeId::Runtime(0x7f_0000_0000), &Recursive);
    assert!(refused.is_err(), "{refused:?}");
    assert!(start.elapsed().as_secs() < 5);
    // Garbage everywhere is refused.
    assert!(image.type_of(TypeId::Runtime(0x1000), &machine::NoMemory).is_err());
    assert!(image.itab(0x7f_0000_0000, &Recursive).is_err());
}
