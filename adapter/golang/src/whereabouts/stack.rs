//! Addresses on stacks: whose stack, which frame, which variable.

use crate::{Frame, FrameKind, Place, Process, StackOf, frame_variables, read_variable};

/// Frames that are looked through.
const MAX_FRAMES: usize = 20_000;

/// An address on the stack of a goroutine or of a thread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OnStack {
    /// None: a thread's own stack (g0, gsignal).
    pub goid: Option<u64>,
    pub tid: Option<i32>,
    /// From the top, inlined frames counted, as a stack trace has them.
    pub frame: Option<usize>,
    pub function: Option<String>,
    /// The variable there, and how far into it.
    pub variable: Option<(String, u64)>,
    /// Below the stack pointer: nothing lives there.
    pub unused: bool,
}

/// The goroutine whose stack it is, then the thread whose system or signal stack it is.
pub(super) fn look_up(p: &Process<'_>, addr: u64) -> Option<OnStack> {
    if let Some(g) = p.goroutine_of_stack(addr) {
        let stack = p.stack(StackOf::Goroutine(&g), 0, MAX_FRAMES);
        let mut found = OnStack { goid: Some(g.id), ..OnStack::default() };
        in_frames(p, &stack.frames, (g.stack_lo, g.stack_hi), addr, &mut found);
        return Some(found);
    }
    p.threads.iter().find_map(|t| {
        let machine = p.machine_of(t)?;
        let owner = p.owner_of_machine(&machine);
        let on = [owner.system, owner.signal].into_iter().flatten().any(|b| b.lo <= addr && addr < b.hi);
        on.then(|| OnStack { tid: Some(t.tid), ..OnStack::default() })
    })
}

fn in_frames(p: &Process<'_>, frames: &[Frame], bounds: (u64, u64), addr: u64, found: &mut OnStack) {
    // Only frames of this stack: those of the system stack lie elsewhere.
    let here = |f: &Frame| f.kind == FrameKind::Go && bounds.0 < f.cfa && f.cfa <= bounds.1;
    let mut own = frames.iter().enumerate().filter(|(_, f)| here(f));
    if let Some((_, top)) = own.clone().next() {
        found.unused = addr < top.regs.sp();
    }
    let Some((index, frame)) = own.find(|(_, f)| addr < f.cfa) else { return };
    if found.unused {
        return;
    }
    // Parameters that a callee keeps lie in its caller's frame; inlined functions share one frame.
    let callee = frames.get(..index).and_then(|f| f.iter().rev().find(|f| here(f))).map(|f| f.cfa);
    let candidates =
        frames.iter().enumerate().filter(|(_, f)| here(f) && (f.cfa == frame.cfa || Some(f.cfa) == callee));
    for (i, f) in candidates {
        if let Some(variable) = variable_at(p, f, addr) {
            found.frame = Some(i);
            found.function = Some(f.name.clone());
            found.variable = Some(variable);
            return;
        }
    }
    // The physical function is the last of those that share the frame.
    let last = frames.iter().enumerate().skip(index).take_while(|(_, f)| f.cfa == frame.cfa).last();
    found.frame = Some(last.map_or(index, |(i, _)| i));
    found.function = Some(last.map_or(frame, |(_, f)| f).name.clone());
}

fn variable_at(p: &Process<'_>, frame: &Frame, addr: u64) -> Option<(String, u64)> {
    frame_variables(p, frame).into_iter().filter(|v| !v.name.starts_with('.')).find_map(|v| {
        let value = read_variable(p, frame, &v);
        let Place::Memory(at) = value.place else { return None };
        let size = p.type_of(value.ty).ok()?.size.max(1);
        let into = addr.checked_sub(at).filter(|n| *n < size)?;
        Some((v.name, into))
    })
}
