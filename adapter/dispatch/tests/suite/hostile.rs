//! Garbage in: code bytes, registers, memory and itabs that make no sense give "unknown", never a panic or a hang.

use dispatch::{Context, Engine, NoSource, Scope};
use image::Image;
use machine::{MemError, Memory, Reg, Regs};

use crate::common::Mode;

/// A small generator, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Every address is mapped and holds noise.
struct Noise;

impl Memory for Noise {
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<usize, MemError> {
        for (i, b) in buf.iter_mut().enumerate() {
            let x = addr.wrapping_add(i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            *b = (x >> 40) as u8;
        }
        Ok(buf.len())
    }
}

#[test]
fn noise_gives_answers_without_a_panic() {
    let Some(go) = gofixture::exact(crate::plan::NEWEST) else { return };
    let program = crate::common::disp(go, Mode::Optimised);
    let image = Image::open(&program).unwrap();
    let engine = Engine::new();
    let mut r = Random(0x1234_5678_9abc_def1);
    let functions: Vec<_> = image.functions().iter().filter(|f| f.name().starts_with("main.")).collect();
    let started = std::time::Instant::now();
    let mut asked = 0;
    for f in &functions {
        for _ in 0..6 {
            let mut regs = Regs::new(image.arch());
            for n in 0..16 {
                if !r.next().is_multiple_of(3) {
                    regs.set(Reg(n), if r.next().is_multiple_of(2) { r.next() } else { r.next() % 4096 });
                }
            }
            regs.set_pc(f.entry() + r.next() % (f.end() - f.entry()));
            let memories: [&dyn Memory; 2] = [&Noise, &machine::NoMemory];
            for mem in memories {
                for top in [true, false] {
                    let cx = Context {
                        image: &image,
                        mem,
                        regs: &regs,
                        top,
                        inline_depth: (r.next() % 3) as usize,
                        source: &NoSource,
                    };
                    let calls = engine.call_sites(&cx, Scope::Function);
                    for c in calls.iter().chain(&engine.speculate(&cx, Scope::Line)) {
                        let _ = (dispatch::label(c), engine.plan(&cx, c));
                    }
                    asked += 1;
                }
                engine.resolve(&image, mem, r.next(), Some(&regs));
                engine.resolve(&image, mem, f.entry(), Some(&regs));
                engine.resolve_func(&image, mem, r.next());
                if let Some(site) = engine.sites(&image, f.id()).first() {
                    engine.resolve_at_load(&image, mem, &regs, site);
                }
            }
        }
    }
    engine.itab_table(&image, &Noise);
    println!("{asked} questions about noise in {:?}", started.elapsed());
    assert!(asked > 500);
    assert!(started.elapsed().as_secs() < 60);
}

#[test]
fn a_listing_of_noise_has_every_byte() {
    let Some(go) = gofixture::exact(crate::plan::NEWEST) else { return };
    for mode in [Mode::Optimised, Mode::Arm64] {
        let program = crate::common::disp(go, mode);
        let image = Image::open(&program).unwrap();
        let list = Engine::new().disassemble(&image, &Noise, 0x1000..0x3000);
        assert_eq!(list.iter().map(|i| i.bytes.len()).sum::<usize>(), 0x2000);
        assert!(list.iter().any(|i| i.text == "(bad)"));
    }
}

/// File offset, length and flags of each loaded segment.
fn segments(elf: &[u8]) -> Vec<(usize, usize, u32)> {
    let word =
        |at: usize, n: usize| elf[at..at + n].iter().rev().fold(0u64, |w, b| w << 8 | u64::from(*b)) as usize;
    let (table, size, count) = (word(32, 8), word(54, 2), word(56, 2));
    (0..count)
        .map(|i| table + i * size)
        .filter(|at| word(*at, 4) == 1)
        .map(|at| (word(at + 8, 8), word(at + 32, 8), word(at + 4, 4) as u32))
        .collect()
}

/// Asks everything about a file whose bytes are not what a compiler wrote.
fn ask_everything(image: &Image, r: &mut Random) -> usize {
    let engine = Engine::new();
    let mut calls = 0;
    for f in image.functions().iter() {
        if !f.name().starts_with("main.") && !r.next().is_multiple_of(24) {
            continue;
        }
        calls += engine.sites(image, f.id()).len();
        engine.assertions(image, f.id());
        engine.placements(image, f.id(), &NoSource);
        let len = f.end().saturating_sub(f.entry()).max(1);
        engine.disassemble(image, image, f.entry()..f.entry() + len.min(4096));
        let mut regs = Regs::new(image.arch());
        for n in 0..16 {
            regs.set(Reg(n), if r.next().is_multiple_of(2) { f.entry() + r.next() % len } else { r.next() });
        }
        regs.set_pc(f.entry() + r.next() % len);
        let cx = Context { image, mem: image, regs: &regs, top: true, inline_depth: 0, source: &NoSource };
        let both = [engine.call_sites(&cx, Scope::Function), engine.speculate(&cx, Scope::Line)];
        for c in both.into_iter().flatten() {
            let _ = (dispatch::label(&c), engine.plan(&cx, &c));
        }
        engine.resolve(image, image, f.entry(), Some(&regs));
    }
    let table = engine.itab_table(image, image);
    for row in table.rows.iter().take(200) {
        for f in &row.itab.fun {
            engine.resolve(image, image, *f, None);
        }
    }
    for t in engine.all_types(image).into_iter().step_by(7) {
        let _ = engine.methods(image, image, t);
        let _ = engine.implementers(image, image, t, true);
    }
    calls
}

/// Flips bits of code, or of the other segments, opens the file and asks.
fn flipped(mode: Mode, code: bool, seeds: std::ops::Range<u64>) {
    let Some(go) = gofixture::exact(crate::plan::NEWEST) else { return };
    let good = std::fs::read(crate::common::disp(go, mode)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let started = std::time::Instant::now();
    let (mut opened, mut calls) = (0, 0);
    for seed in seeds {
        let mut r = Random(0x9e37_79b9_7f4a_7c15 ^ (seed << 32 | 1));
        let mut bytes = good.clone();
        for (at, len, flags) in segments(&good) {
            if (flags & 1 != 0) != code {
                continue;
            }
            // The first page has the file's own headers: other tests are about those.
            let from = if at == 0 { 4096 } else { at };
            let len = (at + len).saturating_sub(from);
            for _ in 0..len / if code { 60 } else { 600 } {
                let k = from + r.next() as usize % len;
                bytes[k] ^= 1 << (r.next() % 8);
            }
        }
        let path = dir.path().join(format!("{seed}"));
        std::fs::write(&path, &bytes).unwrap();
        let Ok(image) = Image::open(&path) else { continue };
        opened += 1;
        calls += ask_everything(&image, &mut r);
    }
    println!("{mode:?}: {opened} files opened, {calls} calls found in {:?}", started.elapsed());
    assert!(!code || (opened > 0 && calls > 100), "{opened} {calls}");
    assert!(started.elapsed().as_secs() < 300, "{:?}", started.elapsed());
}

#[test]
fn flipped_code_gives_answers_without_a_panic() {
    for mode in [Mode::Optimised, Mode::Arm64, Mode::Debug] {
        flipped(mode, true, 0..2);
    }
}

#[test]
fn flipped_tables_itabs_and_types_give_answers_without_a_panic() {
    for mode in [Mode::Optimised, Mode::Arm64, Mode::Stripped] {
        flipped(mode, false, 0..3);
    }
}
