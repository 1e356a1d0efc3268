//! Channels: the buffer in the order of receipt, and the goroutines that wait (runtime/chan.go: hchan, waitq, sudog).

use image::{Shape, TypeId};
use machine::MemoryExt;

use super::place::{Value, underlying, word};
use crate::Process;

/// A channel that is not nil.
#[derive(Clone, Debug)]
pub struct Channel {
    /// Address of its runtime.hchan.
    pub addr: u64,
    pub elem: TypeId,
    /// Elements in the buffer.
    pub len: u64,
    pub cap: u64,
    pub closed: bool,
    /// The hchan as DWARF describes it, when it does.
    pub header: Option<Value>,
    buffer: u64,
    receive_index: u64,
    elem_size: u64,
}

/// A goroutine in a channel's queue.
#[derive(Clone, Debug)]
pub struct Waiter {
    /// 0: its g can't be read.
    pub goid: u64,
    /// What a sender sends; where a receiver wants it.
    pub elem: Option<Value>,
}

/// Waiters that are listed at most.
const MAX_WAITERS: usize = 1000;

/// The channel behind a channel value; None for nil.
pub fn channel(p: &Process<'_>, v: &Value) -> Result<Option<Channel>, String> {
    let ty = underlying(p, v.ty).map_err(|e| e.to_string())?;
    let Shape::Chan { elem, header } = ty.shape else {
        return Err(format!("{} is not a channel type", ty.name));
    };
    let addr = word(p, v, 0)?;
    if addr == 0 {
        return Ok(None);
    }
    let layout = p.image.layout();
    let read = |name: &str| {
        let offset = layout.offset("runtime.hchan", name).ok_or("the layout of channels is not known")?;
        p.mem.read_u64(addr.wrapping_add(offset)).map_err(|e| e.to_string())
    };
    let c = Channel {
        addr,
        elem,
        len: read("qcount")?,
        cap: read("dataqsiz")?,
        closed: read("closed")? & 0xffff_ffff != 0,
        header: header.map(|h| Value::at(h, addr)),
        buffer: read("buf")?,
        receive_index: read("recvx")?,
        elem_size: read("elemsize")? & 0xffff,
    };
    if c.len > c.cap || c.cap >= 1 << 47 || (c.cap > 0 && c.receive_index >= c.cap) {
        return Err(format!("invalid channel: {} of {} elements", c.len.cast_signed(), c.cap.cast_signed()));
    }
    Ok(Some(c))
}

impl Channel {
    /// Buffered element `i`: 0 is received next.
    pub fn element(&self, i: u64) -> Value {
        let slot = self.receive_index.wrapping_add(i).checked_rem(self.cap).unwrap_or(0);
        Value::at(self.elem, self.buffer.wrapping_add(slot.wrapping_mul(self.elem_size)))
    }

    /// Address of the buffer's first slot.
    pub fn buffer(&self) -> u64 {
        self.buffer
    }
}

/// The goroutines that wait to receive (`receivers`) or to send, first come first. Bounded; ends at the first nonsense.
pub fn waiters(p: &Process<'_>, c: &Channel, receivers: bool) -> Vec<Waiter> {
    let layout = p.image.layout();
    let queue = if receivers { "recvq.first" } else { "sendq.first" };
    let offsets = || {
        Some((
            layout.offset("runtime.hchan", queue)?,
            layout.offset("runtime.sudog", "g")?,
            layout.offset("runtime.sudog", "next")?,
            sudog_elem(p)?,
            layout.offset("runtime.g", "goid")?,
        ))
    };
    let Some((first, g, next, elem, goid)) = offsets() else { return Vec::new() };
    let read = |at: u64| p.mem.read_u64(at).ok();
    let mut out = Vec::new();
    let mut at = read(c.addr.wrapping_add(first)).unwrap_or(0);
    while at != 0 && out.len() < MAX_WAITERS {
        let Some(g) = read(at.wrapping_add(g)) else { break };
        let goid = read(g.wrapping_add(goid)).unwrap_or(0);
        let elem = read(at.wrapping_add(elem)).filter(|a| *a != 0).map(|a| Value::at(c.elem, a));
        out.push(Waiter { goid, elem });
        at = read(at.wrapping_add(next)).unwrap_or(0);
    }
    out
}

/// Offset of the plain pointer to the element: since Go 1.26 the second word of a maybeTraceablePtr.
fn sudog_elem(p: &Process<'_>) -> Option<u64> {
    let layout = p.image.layout();
    layout.offset("runtime.sudog", "elem.vu").or_else(|| layout.offset("runtime.sudog", "elem"))
}
