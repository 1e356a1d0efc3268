//! Rows of other lines that the compiler has put between the instructions of one: they are no sign that the line was left.
//!
//! Stripped programs have no marks of where statements begin, so that every moved instruction looks like a statement of its own.

use std::collections::HashSet;

use image::Image;

use crate::engine::Engine;
use crate::model::{Flow, Target};
use crate::predict::Line;

/// Instructions of other lines that may lie between parts of one.
const MAX_BETWEEN: usize = 24;

impl Engine {
    /// True if code of the line of `line_pc` (`depth`: which of its inlined frames, 0 the innermost) follows soon behind `from`: without
    /// a call, a return or a way back.
    pub fn comes_back(&self, image: &Image, from: u64, line_pc: u64, depth: usize) -> bool {
        let functions = image.functions();
        let Some(line) = Line::of(&functions.inline_stack(line_pc), depth) else { return false };
        let Some(code) = functions.at(from).and_then(|f| self.code(image, f)) else { return false };
        let mut work = vec![from];
        let mut seen = HashSet::new();
        while let Some(pc) = work.pop() {
            if seen.len() >= MAX_BETWEEN || !seen.insert(pc) {
                continue;
            }
            if line.holds(&functions.inline_stack(pc)) {
                return true;
            }
            let Some(inst) = code.at(pc).and_then(|i| code.inst(i)) else { continue };
            let next = inst.end();
            match inst.flow {
                Flow::Next => work.push(next),
                Flow::Branch(_, to) => work.extend([to, next].into_iter().filter(|t| *t > pc)),
                Flow::Jump(Target::Const(to)) if to > pc => work.push(to),
                // The garbage collector's note of a pointer store is a part of the store.
                Flow::Call(Target::Const(to))
                    if functions.at(to).is_some_and(|f| f.name().starts_with("runtime.gcWriteBarrier")) =>
                {
                    work.push(next);
                }
                _ => {}
            }
        }
        false
    }
}
