//! Which line of which function instance a pc belongs to.

use std::sync::Arc;

use image::InlineFrame;

/// Which function instance and line a pc has to be in.
pub(crate) struct Line {
    /// From the physical function inwards: name and line.
    frames: Vec<(String, u32)>,
    file: Arc<str>,
}

impl Line {
    pub(crate) fn of(stack: &[InlineFrame], depth: usize) -> Option<Line> {
        let at = stack.get(depth)?;
        let frames = stack.iter().skip(depth).rev().map(|f| (f.name.clone(), f.line)).collect();
        Some(Line { frames, file: at.file.clone() })
    }

    /// The pc belongs to the line, callees that were inlined into it included.
    pub(crate) fn holds(&self, stack: &[InlineFrame]) -> bool {
        let Some(skip) = stack.len().checked_sub(self.frames.len()) else { return false };
        stack
            .iter()
            .skip(skip)
            .rev()
            .zip(&self.frames)
            .all(|(s, (name, line))| s.line == *line && s.name == *name)
            && stack.get(skip).is_some_and(|s| s.file == self.file)
    }

    /// The pc belongs to the line itself, not to an inlined callee.
    pub(crate) fn holds_directly(&self, stack: &[InlineFrame]) -> bool {
        stack.len() == self.frames.len() && self.holds(stack)
    }

    /// The function directly inlined into the line's function at this pc.
    pub(crate) fn inlined<'s>(&self, stack: &'s [InlineFrame]) -> Option<&'s InlineFrame> {
        stack.get(stack.len().checked_sub(self.frames.len() + 1)?)
    }

    pub(crate) fn same_function(&self, stack: &[InlineFrame]) -> bool {
        let Some(skip) = stack.len().checked_sub(self.frames.len()) else { return false };
        let outer = self.frames.len().saturating_sub(1);
        let frames = stack.iter().skip(skip).rev();
        frames
            .zip(&self.frames)
            .enumerate()
            .all(|(i, (s, (name, line)))| s.name == *name && (i == outer || s.line == *line))
    }
}
