//! [`Process`]: the stopped program, everything a reader needs. Cheap to make, one for each stop; holds no state of its own.

use image::Image;
use machine::{Memory, Regs};

use crate::MadeTypes;
use crate::facts::Facts;

/// One kernel thread at a stop.
#[derive(Clone, Debug)]
pub struct ThreadState {
    /// Kernel thread id (`m.procid`).
    pub tid: i32,
    pub regs: Regs,
}

/// The stopped process. All readers of goroutines, stacks, types and values are methods of this.
#[derive(Clone, Copy)]
pub struct Process<'a> {
    pub image: &'a Image,
    pub mem: &'a dyn Memory,
    pub threads: &'a [ThreadState],
    /// Lives as long as the program: types made by the evaluator, and facts about the runtime that are found once.
    pub made: &'a MadeTypes,
}

impl<'a> Process<'a> {
    pub fn new(
        image: &'a Image,
        mem: &'a dyn Memory,
        threads: &'a [ThreadState],
        made: &'a MadeTypes,
    ) -> Process<'a> {
        Process { image, mem, threads, made }
    }

    pub(crate) fn facts(&self) -> &'a Facts {
        self.made.facts(self.image)
    }
}
