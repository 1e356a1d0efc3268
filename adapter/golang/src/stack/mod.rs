//! Stacks: frames of a thread or goroutine, innermost first, inlined ones expanded.

mod dictionary;
mod expand;
mod foreign;
mod owner;
mod signal;
mod switch;
mod walk;
mod words;

use std::sync::Arc;

use image::FuncId;
use machine::Regs;

pub(crate) use owner::Owner;
pub(crate) use walk::{Physical, Walk};

use crate::{Goroutine, Process, SavedRegs, ThreadState};

/// Frames of machine code that one walk visits at most; a deeper stack is cut off there.
const MAX_PHYSICAL: usize = 250_000;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrameKind {
    Go,
    /// Code that is not Go's (C, vDSO).
    C,
    /// runtime.sigtramp: the next frame was interrupted by a signal.
    SignalHandler,
    /// systemstack, mcall, morestack, asmcgocall, cgocallback: the next frame is on another stack.
    StackSwitch,
}

/// One frame. Frames of functions inlined into one physical frame share `regs`, `cfa` and `frame_offset`.
#[derive(Clone, Debug)]
pub struct Frame {
    pub pc: u64,
    /// For lookups of lines and variables: `pc - 1` where `pc` is a return address, else `pc`.
    pub lookup_pc: u64,
    /// In callers only PC, SP, FP and g are known.
    pub regs: Regs,
    /// Canonical frame address: SP before the call.
    pub cfa: u64,
    /// The physical function.
    pub function: Option<FuncId>,
    /// Linker symbol of the (inlined) function, as in pclntab.
    pub symbol: String,
    /// For display; see [`Process::function_display_name`].
    pub name: String,
    pub file: Arc<str>,
    pub line: u32,
    /// 0 = innermost at this pc, as in `Functions::inline_stack` and `Image::variables`.
    pub inline_depth: usize,
    /// True for all but the physical function of the pc.
    pub inlined: bool,
    /// `stack.hi - cfa`: survives stack growth. 0 if the stack's bounds are unknown.
    pub frame_offset: u64,
    pub kind: FrameKind,
    /// A wrapper made by the compiler.
    pub wrapper: bool,
    /// In package runtime or internal to it.
    pub runtime: bool,
    /// Goroutine on whose behalf it runs.
    pub goid: Option<u64>,
    /// Address of that `runtime.g`.
    pub g: Option<u64>,
    /// Dictionary of a shaped function, when known.
    pub dict: Option<u64>,
}

/// A window of a stack.
#[derive(Clone, Debug, Default)]
pub struct Stack {
    pub frames: Vec<Frame>,
    /// Frames of the whole stack, inlined ones counted.
    pub total: usize,
    /// Why the walk ended before the bottom: corrupt stack, cap reached. None: the stack is complete.
    pub incomplete: Option<String>,
}

/// Whose stack.
#[derive(Clone, Copy)]
pub enum StackOf<'a> {
    Thread(&'a ThreadState),
    Goroutine(&'a Goroutine),
}

impl Process<'_> {
    /// Frames `start .. start + levels`, innermost first. A goroutine on a thread is walked from the thread's registers.
    pub fn stack(&self, of: StackOf<'_>, start: usize, levels: usize) -> Stack {
        let walk = match of {
            StackOf::Thread(t) => self.walk_thread(t),
            StackOf::Goroutine(g) => self.walk_goroutine(g),
        };
        match walk {
            Ok(walk) => self.window(walk, start, levels),
            Err(why) => Stack { incomplete: Some(why), ..Stack::default() },
        }
    }

    /// The innermost frame of a thread: a few reads only.
    pub fn frame_at(&self, thread: &ThreadState) -> Frame {
        let machine = self.machine_of(thread);
        let owner = machine.map(|m| self.owner_of_top(&m, thread.regs.sp())).unwrap_or_default();
        let mut walk = Walk::new(self, owner, thread.regs.clone(), true);
        let physical = walk.next_frame().unwrap_or_else(|| Physical::unknown(&thread.regs));
        self.innermost(&physical, &owner)
    }

    /// The physical caller of a frame, across changes of stack; None at the bottom or when it can't be found.
    pub fn caller_of(&self, frame: &Frame) -> Option<Frame> {
        let owner = match frame.g {
            Some(g) => self.owner_of_g(g),
            None => Owner::default(),
        };
        let exact = frame.lookup_pc == frame.pc;
        let mut walk = Walk::new(self, owner, frame.regs.clone(), exact);
        let first = walk.next_frame()?;
        if first.kind != FrameKind::Go && frame.g.is_some() {
            return self.caller_by_walk(frame);
        }
        let caller = walk.next_frame()?;
        Some(self.innermost(&caller, &owner))
    }

    /// Beyond a change of stack it matters how many lie above: walk from the top.
    fn caller_by_walk(&self, frame: &Frame) -> Option<Frame> {
        let g = self.goroutine_at(frame.g?)?;
        let mut walk = self.walk_goroutine(&g).ok()?;
        let owner = walk.owner;
        for _ in 0..MAX_PHYSICAL {
            let here = walk.next_frame()?;
            if here.pc == frame.pc && here.regs.sp() == frame.regs.sp() {
                let caller = walk.next_frame()?;
                return Some(self.innermost(&caller, &owner));
            }
        }
        None
    }

    fn owner_of_thread(&self, thread: &ThreadState) -> Owner {
        self.machine_of(thread).map(|m| self.owner_of_machine(&m)).unwrap_or_default()
    }

    fn walk_thread(&self, thread: &ThreadState) -> Result<Walk<'_>, String> {
        Ok(Walk::new(self, self.owner_of_thread(thread), thread.regs.clone(), true))
    }

    fn walk_goroutine(&self, g: &Goroutine) -> Result<Walk<'_>, String> {
        let on_thread = g.thread.and_then(|tid| self.threads.iter().find(|t| t.tid == tid));
        if let Some(t) = on_thread
            && self.g_of_thread(t) == Some(g.addr)
        {
            return self.walk_thread(t);
        }
        self.walk_saved(g.addr, g.saved)
    }

    /// From the registers that the runtime saved when the goroutine left its thread.
    fn walk_saved(&self, g: u64, saved: SavedRegs) -> Result<Walk<'_>, String> {
        let owner = self.owner_of_g(g);
        if saved.pc == 0 || !owner.on_user(saved.sp) {
            return Err("the goroutine's saved registers are not in its stack".into());
        }
        let mut regs = Regs::new(self.image.arch());
        regs.set_pc(saved.pc);
        regs.set_sp(saved.sp);
        regs.set(self.image.arch().fp(), saved.bp);
        regs.set(self.image.arch().g(), g);
        let exact = self.is_entry(saved.pc);
        Ok(Walk::new(self, owner, regs, exact))
    }

    /// A goroutine that never ran is about to run its function's first instruction.
    pub(crate) fn is_entry(&self, pc: u64) -> bool {
        self.image.functions().at(pc).is_some_and(|f| f.entry() == pc)
    }
}
