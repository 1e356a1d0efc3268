//! Garbage in the memory of values: whatever the bytes say, looking at a value ends in time, in bounded text, and without a panic.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    dead_code
)]

mod support;
mod waiting;

use std::time::{Duration, Instant};

use eval::{Budget, Item, Page, View};
use machine::{MemoryExt, Overlay};
use support::Mode;
use waiting::{globals, start, with_memory, with_view};

/// xorshift64*: the same numbers in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

/// Addresses that values lie at: the variables themselves and what they lead to.
fn places(view: &View<'_>, items: &[Item], depth: usize, out: &mut Vec<u64>) {
    for i in items {
        out.extend(golang::address(&i.value));
        out.extend(i.memory_reference);
        if depth > 0 && i.expandable {
            let children = eval::children(view, i, Page { count: 6, ..Page::default() });
            places(view, &children.items, depth - 1, out);
        }
    }
}

fn damage(overlay: &mut Overlay<'_>, memory: &support::ProcessMemory, places: &[u64], random: &mut Random) {
    for _ in 0..40 {
        let at = places[random.below(places.len() as u64) as usize] + 8 * random.below(6);
        let other = places[random.below(places.len() as u64) as usize];
        let word = match random.below(8) {
            0 => u64::MAX,
            1 => 1 << 62,
            2 => random.below(1 << 40),
            3 => random.next(),
            4 => other,
            5 => memory.read_u64(at).unwrap_or(0) ^ 1 << random.below(64),
            6 => other + random.below(64),
            _ => 0x401000,
        };
        overlay.write(at, &word.to_le_bytes());
    }
}

fn look_at_everything(view: &View<'_>, worst: &mut Duration) -> usize {
    let mut texts = 0;
    let mut visit = |item: &Item| {
        let begin = Instant::now();
        let children = eval::children(view, item, Page { count: 10, ..Page::default() });
        *worst = begin.elapsed().max(*worst);
        for c in &children.items {
            assert!(c.text.len() < 40_000, "{} bytes of text in {}", c.text.len(), c.name);
            texts += 1;
        }
        children.items
    };
    for item in globals(view).iter().filter(|i| i.name.starts_with('v')) {
        for c in visit(item) {
            visit(&c);
        }
    }
    texts
}

fn survives(version: &str, rounds: u64) {
    let Some(w) = start(version, Mode::Debug) else { return };
    let mut addresses = Vec::new();
    with_view(&w, |view| places(view, &globals(view), 2, &mut addresses));
    assert!(addresses.len() > 500);
    let mut worst = Duration::ZERO;
    for round in 0..rounds {
        let mut random = Random(round * 7919 + 1);
        let mut overlay = Overlay::new(&w.memory);
        damage(&mut overlay, &w.memory, &addresses, &mut random);
        with_memory(&w, &overlay, |view| {
            let budget = Budget::within(Duration::from_secs(5));
            let view = View { budget: &budget, ..*view };
            assert!(look_at_everything(&view, &mut worst) > 100);
        });
    }
    assert!(worst < Duration::from_secs(3), "{version}: one look took {worst:?}");
    eprintln!("{version}: worst look {worst:?}");
}

#[test]
fn damaged_values_are_looked_at_in_bounded_time() {
    survives("1.21.13", rounds());
    survives("1.27.3", rounds());
}

#[test]
fn a_used_up_time_limit_is_said_in_the_answer() {
    let Some(w) = start("1.27.3", Mode::Debug) else { return };
    with_view(&w, |view| {
        let large = globals(view).into_iter().find(|i| i.name == "vMapLarge").unwrap();
        let budget = Budget { bytes: 20_000, ..Budget::default() };
        let view = View { budget: &budget, ..*view };
        let page = Page { filter: eval::Filter::Indexed, start: 0, count: 4000 };
        let children = eval::children(&view, &large, page);
        assert!(children.items.len() < 4000 && children.incomplete.is_some());
    });
}

/// `HOSTILE_ROUNDS` asks for a longer run.
fn rounds() -> u64 {
    std::env::var("HOSTILE_ROUNDS").ok().and_then(|r| r.parse().ok()).unwrap_or(30)
}
