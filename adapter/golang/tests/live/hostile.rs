//! Garbage memory: every reader must come to an end, with a reason or with little, and must not panic.

use std::time::{Duration, Instant};

use golang::{Goroutine, MadeTypes, Process, SavedRegs, Stack, StackOf, Status, ThreadState};
use image::Image;
use machine::{Arch, MemError, Memory, Reg, Regs};

use crate::toolchain::{Mode, build, newest};

/// Memory in which every word looks like something: code, stack, small numbers, zero; read-only sections are the file's.
struct Garbage<'a> {
    image: &'a Image,
    seed: u64,
    code: Vec<u64>,
}

const STACK: u64 = 0xc000_1000_0000;

fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (x ^ (x >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ (x >> 32)
}

impl Garbage<'_> {
    fn word(&self, addr: u64) -> u64 {
        let r = mix(addr ^ self.seed);
        match r % 11 {
            0..=3 => self.code[(r >> 8) as usize % self.code.len()] + (r >> 40) % 64,
            4..=6 => STACK + (((r >> 8) % 0x10_0000) & !7),
            7 => addr.wrapping_add(((r >> 8) % 256) & !7),
            8 => (r >> 8) % 4096,
            9 => 0,
            _ => r,
        }
    }
}

impl Memory for Garbage<'_> {
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<usize, MemError> {
        if self.image.is_read_only(addr) || self.image.is_text(addr) {
            return self.image.read(addr, buf);
        }
        if mix((addr >> 12) ^ self.seed).is_multiple_of(13) {
            return Ok(0);
        }
        for (i, b) in buf.iter_mut().enumerate() {
            let at = addr.wrapping_add(i as u64);
            *b = self.word(at & !7).to_le_bytes()[(at & 7) as usize];
        }
        Ok(buf.len())
    }
}

fn regs(g: &Garbage<'_>, n: u64) -> Regs {
    let mut regs = Regs::new(Arch::Amd64);
    for i in 0..17 {
        regs.set(Reg(i), g.word(n * 1000 + u64::from(i) * 8));
    }
    regs.set_sp(STACK + mix(n) % 0x10_0000 / 8 * 8);
    regs.set_pc(g.code[mix(n + 1) as usize % g.code.len()] + mix(n + 2) % 100);
    regs.tls = STACK + 0x100;
    regs
}

fn check(stack: &Stack, levels: usize) {
    assert!(stack.frames.len() <= levels && stack.frames.len() <= stack.total.max(1));
}

#[test]
fn garbage_memory_never_hangs_or_panics() {
    let Some(toolchain) = newest() else { return };
    let image = Image::open(&build("zoo", toolchain, Mode::Optimised)).unwrap();
    let made = MadeTypes::new();
    let special = [
        "runtime.systemstack",
        "runtime.mcall",
        "runtime.morestack",
        "runtime.sigtramp",
        "runtime.asmcgocall",
        "runtime.cgocallback",
        "runtime.sigpanic",
        "gogo",
        "runtime.nanotime1",
    ];
    let mut code: Vec<u64> = image.functions().iter().map(|f| f.entry() + 5).collect();
    for name in special {
        // Some are in programs with C only.
        let found = image.functions().by_name(name).first().map(|f| f.entry());
        code.extend(found.iter().flat_map(|entry| std::iter::repeat_n(entry + 8, 100)));
    }
    let start = Instant::now();
    for n in 0..1500 {
        let mem = Garbage { image: &image, seed: mix(n), code: code.clone() };
        let thread = ThreadState { tid: 7, regs: regs(&mem, n) };
        let threads = [thread.clone()];
        let p = Process::new(&image, &mem, &threads, &made);
        check(&p.stack(StackOf::Thread(&thread), 0, 100), 100);
        let frame = p.frame_at(&thread);
        let _ = p.caller_of(&frame);
        let g = Goroutine {
            addr: STACK + n * 64,
            id: n,
            status: Status::Waiting,
            scan: false,
            wait_reason: None,
            wait_since_ns: None,
            thread: Some(7),
            start_pc: mem.word(n),
            go_pc: mem.word(n + 8),
            parent: None,
            labels: Vec::new(),
            system: false,
            locked: false,
            stack_lo: STACK,
            stack_hi: STACK + 0x10_0000,
            saved: SavedRegs { pc: thread.regs.pc(), sp: thread.regs.sp(), bp: 0, lr: 0 },
        };
        let stack = p.stack(StackOf::Goroutine(&g), 0, 100);
        check(&stack, 100);
        assert!(p.panics(&g).len() <= 10_000);
        assert!(p.deferred(&g, &stack).len() <= 20_000);
        let list = p.goroutines(50);
        assert!(list.goroutines.len() <= 50);
        let _ = p.goroutine_at(g.addr);
        let _ = p.goid_of(&thread);
    }
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}
