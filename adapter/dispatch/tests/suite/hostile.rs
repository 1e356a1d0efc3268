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
    let Some(go) = crate::common::go("1.27.3") else { return };
    let program = crate::common::build(go, &crate::common::source("disp"), ".", Mode::Optimised, "amd64");
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
                    for c in &calls {
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
    let Some(go) = crate::common::go("1.27.3") else { return };
    for arch in ["amd64", "arm64"] {
        let program = crate::common::build(go, &crate::common::source("disp"), ".", Mode::Optimised, arch);
        let image = Image::open(&program).unwrap();
        let list = Engine::new().disassemble(&image, &Noise, 0x1000..0x3000);
        assert_eq!(list.iter().map(|i| i.bytes.len()).sum::<usize>(), 0x2000);
        assert!(list.iter().any(|i| i.text == "(bad)"));
    }
}
