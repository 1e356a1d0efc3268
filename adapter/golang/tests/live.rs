//! Tests over real programs, built by real toolchains, stopped by a tracer.

// Helpers of tests may fail loudly; clippy excuses only what stands inside a test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

#[path = "live/tracer.rs"]
mod tracer;

#[path = "live/toolchain.rs"]
mod toolchain;

#[path = "live/steps.rs"]
mod steps;

#[path = "live/cgo.rs"]
mod cgo;

#[path = "live/facts.rs"]
mod facts;

#[path = "live/panics.rs"]
mod panics;

#[path = "live/hostile.rs"]
mod hostile;

#[path = "live/goroutines.rs"]
mod goroutines;

use std::path::Path;

use golang::MadeTypes;
use image::Image;
use tracer::Tracer;

/// A program stopped at a breakpoint.
pub(crate) struct Stopped {
    pub(crate) image: Image,
    pub(crate) made: MadeTypes,
    pub(crate) tracer: Tracer,
    pub(crate) tid: i32,
}

impl Stopped {
    /// Runs `program` to the entry of `function`.
    pub(crate) fn at(program: &Path, args: &[&str], function: &str) -> Stopped {
        let image = Image::open(program).unwrap();
        let mut tracer = Tracer::launch(program, args, &image);
        for f in image.functions().by_name(function) {
            tracer.set_breakpoint(f.entry());
        }
        let tid = tracer.run().expect("the program ended before it came to the function");
        Stopped { image, made: MadeTypes::new(), tracer, tid }
    }

    pub(crate) fn with<R>(&self, look: impl FnOnce(&golang::Process<'_>) -> R) -> R {
        let threads = self.tracer.threads();
        look(&golang::Process::new(&self.image, self.tracer.mem(), &threads, &self.made))
    }
}
