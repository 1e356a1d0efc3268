//! What the answers cost: one function, the whole binary, one prediction. Printed and kept for the table; only a wild excess fails, because
//! the machine may be busy and the build without optimisations.

use std::time::{Duration, Instant};

use dispatch::{Context, Engine, NoSource, Scope, SiteKind};
use image::Image;
use machine::{NoMemory, Regs};

use crate::common::Mode;
use crate::plan;

/// Sorts; the value at a percentage.
fn at(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times.get(times.len() * percent / 100).copied().unwrap_or_default()
}

fn millis(t: Duration) -> String {
    format!("{:.2} ms", t.as_secs_f64() * 1e3)
}

#[test]
fn functions_and_binaries_are_analysed_in_time() {
    for b in plan::builds(&[Mode::Optimised, Mode::Debug, Mode::Stripped]) {
        if b.program.name == "busy" {
            continue;
        }
        let binary = b.binary();
        let image = Image::open(&binary).unwrap();
        // What is found once per image is paid for at the first stop and measured apart.
        let engine = Engine::new();
        let started = Instant::now();
        let main = image.functions().by_name("main.main")[0].id();
        engine.sites(&image, main);
        let first = started.elapsed();
        let mut times = Vec::new();
        let mut predictions = Vec::new();
        let every = (image.functions().len() / 3000).max(1);
        for f in image.functions().iter().step_by(every).filter(|f| !f.is_assembly()) {
            let started = Instant::now();
            let sites = engine.sites(&image, f.id());
            times.push(started.elapsed());
            let Some(site) = sites.iter().find(|s| s.kind == SiteKind::Interface) else { continue };
            // The line of a call, with nothing to read: what remains is the interpretation.
            let mut regs = Regs::new(image.arch());
            let line = image.functions().location(site.pc).map(|l| (l.file, l.line));
            let rows = f.rows();
            let start = rows.iter().find(|r| Some((r.file.clone(), r.line)) == line);
            regs.set_pc(start.map_or(site.pc, |r| r.start));
            let cx = Context {
                image: &image,
                mem: &NoMemory,
                regs: &regs,
                top: true,
                inline_depth: 0,
                source: &NoSource,
            };
            let started = Instant::now();
            engine.call_sites(&cx, Scope::Line);
            predictions.push(started.elapsed());
        }
        let started = Instant::now();
        let all = Engine::new().scan(&image, &|_| true, &|| false).len();
        let whole = started.elapsed();
        let size = std::fs::metadata(&binary).unwrap().len() as f64 / 1e6;
        plan::row(
            "cost",
            &b.label(),
            &[
                ("size", format!("{size:.1} MB")),
                ("first function", millis(first)),
                ("a function, median", millis(at(&mut times, 50))),
                ("99 %", millis(at(&mut times, 99))),
                ("a line's prediction, median", millis(at(&mut predictions, 50))),
                ("99 %.", millis(at(&mut predictions, 99))),
                ("whole binary", millis(whole)),
                ("calls in it", all.to_string()),
            ],
        );
        assert!(all > 100);
        assert!(at(&mut times, 50) < Duration::from_millis(50) && whole < Duration::from_secs(120));
    }
}
