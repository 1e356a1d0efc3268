//! Stacks: frames of a thread or goroutine, innermost first, inlined ones expanded.

use std::sync::Arc;

use image::FuncId;
use machine::Regs;

use crate::{Goroutine, Process, ThreadState};

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
    /// Frames `start .. start + levels`, innermost first.
    pub fn stack(&self, _of: StackOf<'_>, _start: usize, _levels: usize) -> Stack {
        Stack { incomplete: Some("stacks are not available".into()), ..Stack::default() }
    }

    /// The innermost frame of a thread: a few reads only.
    pub fn frame_at(&self, thread: &ThreadState) -> Frame {
        let regs = thread.regs.clone();
        let pc = regs.pc();
        Frame {
            pc,
            lookup_pc: pc,
            cfa: 0,
            regs,
            function: None,
            symbol: String::new(),
            name: String::new(),
            file: Arc::from(""),
            line: 0,
            inline_depth: 0,
            inlined: false,
            frame_offset: 0,
            kind: FrameKind::C,
            wrapper: false,
            runtime: false,
            goid: None,
            g: None,
            dict: None,
        }
    }

    /// The physical caller of a frame, across stack switches; None at the bottom or when it can't be found.
    pub fn caller_of(&self, _frame: &Frame) -> Option<Frame> {
        None
    }
}
