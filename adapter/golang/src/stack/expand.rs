//! From physical frames to frames as the author wrote them: inlined calls, names, files and lines; and the window that is asked for.

use std::sync::Arc;

use machine::Regs;
use rustc_hash::FxHashMap;

use super::walk::{Physical, Walk};
use super::{Frame, FrameKind, MAX_PHYSICAL, Owner, Stack};
use crate::Process;

impl Physical {
    /// A frame of which only the registers are known.
    pub(crate) fn unknown(regs: &Regs) -> Physical {
        Physical {
            pc: regs.pc(),
            lookup_pc: regs.pc(),
            regs: regs.clone(),
            cfa: regs.sp(),
            function: None,
            kind: FrameKind::C,
            stack_hi: None,
        }
    }
}

impl Process<'_> {
    /// Frames `start .. start + levels` of a walk, and how many there are in all.
    pub(super) fn window(&self, mut walk: Walk<'_>, start: usize, levels: usize) -> Stack {
        let mut stack = Stack::default();
        let end = start.saturating_add(levels);
        let mut depths = FxHashMap::default();
        for _ in 0..MAX_PHYSICAL {
            let Some(physical) = walk.next_frame() else {
                stack.incomplete = walk.why.take();
                self.dictionaries_from_callers(&mut stack.frames);
                return stack;
            };
            let here = *depths.entry(physical.lookup_pc).or_insert_with(|| self.depth_at(&physical));
            let first = stack.total;
            stack.total += here;
            if first < end && stack.total > start {
                let frames = self.expand(&physical, &walk.owner);
                let skip = start.saturating_sub(first);
                stack.frames.extend(frames.into_iter().skip(skip).take(end - first.max(start)));
            }
        }
        stack.incomplete = Some(format!("only the innermost {MAX_PHYSICAL} frames were read"));
        self.dictionaries_from_callers(&mut stack.frames);
        stack
    }

    /// Frames that one physical frame stands for.
    fn depth_at(&self, physical: &Physical) -> usize {
        match physical.function {
            Some(_) => self.image.functions().inline_stack(physical.lookup_pc).len().max(1),
            None => 1,
        }
    }

    /// The frames of one physical frame, innermost first.
    pub(super) fn expand(&self, physical: &Physical, owner: &Owner) -> Vec<Frame> {
        let inline = match physical.function {
            Some(_) => self.image.functions().inline_stack(physical.lookup_pc),
            None => Vec::new(),
        };
        if inline.is_empty() {
            return vec![self.bare(physical, owner)];
        }
        let dict = self.dictionary_of(physical);
        let outer = self.bare(physical, owner);
        let frames = inline.into_iter().enumerate().map(|(depth, at)| Frame {
            name: self.symbol_display_name(&at.name, dict),
            runtime: is_runtime(&at.name),
            wrapper: at.is_wrapper || (!at.inlined && outer.wrapper),
            file: at.file,
            line: at.line,
            symbol: at.name,
            inlined: at.inlined,
            inline_depth: depth,
            dict,
            ..outer.clone()
        });
        frames.collect()
    }

    /// The innermost of the frames that one physical frame stands for, without looking for its dictionary.
    pub(super) fn innermost(&self, physical: &Physical, owner: &Owner) -> Frame {
        let mut frame = self.bare(physical, owner);
        let inline = match physical.function {
            Some(_) => self.image.functions().inline_stack(physical.lookup_pc),
            None => Vec::new(),
        };
        if let Some(at) = inline.into_iter().next() {
            frame.name = self.symbol_display_name(&at.name, None);
            frame.runtime = is_runtime(&at.name);
            frame.wrapper = at.is_wrapper || (!at.inlined && frame.wrapper);
            frame.file = at.file;
            frame.line = at.line;
            frame.symbol = at.name;
            frame.inlined = at.inlined;
        }
        frame
    }

    /// The physical function's frame, without lines.
    fn bare(&self, physical: &Physical, owner: &Owner) -> Frame {
        let functions = self.image.functions();
        let function = physical.function.and_then(|id| functions.get(id));
        let symbol = match function {
            Some(f) => f.name().to_string(),
            None => self.foreign_name(physical.lookup_pc),
        };
        Frame {
            pc: physical.pc,
            lookup_pc: physical.lookup_pc,
            regs: physical.regs.clone(),
            cfa: physical.cfa,
            function: physical.function,
            name: symbol.clone(),
            runtime: function.is_some() && is_runtime(&symbol),
            symbol,
            file: Arc::from(""),
            line: 0,
            inline_depth: 0,
            inlined: false,
            frame_offset: physical.stack_hi.map_or(0, |hi| hi.saturating_sub(physical.cfa)),
            kind: physical.kind,
            wrapper: function.is_some_and(|f| f.is_wrapper()),
            goid: owner.goid,
            g: owner.g,
            dict: None,
        }
    }

    /// A C function by its symbol, else `?`.
    fn foreign_name(&self, pc: u64) -> String {
        match self.image.symbol_at(pc) {
            Some((name, _)) if self.image.is_text(pc) => name,
            _ => "?".into(),
        }
    }
}

/// In package runtime, or internal to it.
fn is_runtime(symbol: &str) -> bool {
    symbol.starts_with("runtime.")
        || symbol.starts_with("internal/runtime/")
        || symbol.starts_with("runtime/internal/")
        || symbol.starts_with("internal/abi.")
        || symbol.starts_with("runtime/cgo.")
        || matches!(symbol, "gogo" | "gosave_systemstack_switch" | "callRet" | "crosscall2" | "setg_gcc")
}
