//! Panics in progress and calls that wait for a function's end (runtime/panic.go).

use image::{FuncId, Function, Image, Kind, Shape, Type, TypeId};
use machine::{Arch, Memory, MemoryExt};

use crate::{Frame, Goroutine, Place, Process, Stack, Value};

/// More panics or deferred calls than this in one goroutine is a cycle of garbage.
const MAX_CHAIN: usize = 10_000;
/// FUNCDATA_OpenCodedDeferInfo (internal/abi/symtab.go).
const OPEN_CODED_DEFER_INFO: usize = 4;
/// deferBits is one byte.
const MAX_OPEN_CODED: u64 = 8;

/// One `runtime._panic` of a goroutine, newest first.
#[derive(Clone, Debug)]
pub struct Panic {
    /// Address of the `_panic`.
    pub addr: u64,
    /// The interface value given to `panic`; type `any`.
    pub arg: Value,
    pub recovered: bool,
    /// Made by runtime.Goexit, not by panic.
    pub goexit: bool,
}

/// One call that waits for its function's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deferred {
    /// Address of the funcval; 0 if it is nil.
    pub funcval: u64,
    /// Code address of the deferred function (often `F.deferwrapN`).
    pub entry: u64,
    pub function: Option<FuncId>,
    /// CFA of the frame that deferred it, as in [`Frame::cfa`]; None if that frame is not in the given stack.
    pub cfa: Option<u64>,
    /// Open-coded: kept in the frame, not on the goroutine's list.
    pub open_coded: bool,
}

impl Process<'_> {
    /// Panics in progress, newest first.
    pub fn panics(&self, g: &Goroutine) -> Vec<Panic> {
        let Some(o) = self.facts().g.as_ref() else { return Vec::new() };
        let layout = self.image.layout();
        let field = |name: &str| layout.offset("runtime._panic", name);
        let (Some(arg), Some(link), Some(recovered), Some(goexit)) =
            (field("arg"), field("link"), field("recovered"), field("goexit"))
        else {
            return Vec::new();
        };
        let any = self.empty_interface();
        let mut found: Vec<Panic> = Vec::new();
        let mut at = self.mem.read_u64(g.addr.wrapping_add(o.panic)).unwrap_or(0);
        while at != 0 && found.len() < MAX_CHAIN && found.iter().all(|p| p.addr != at) {
            let flag = |offset: u64| self.mem.read_u8(at.wrapping_add(offset)).is_ok_and(|b| b != 0);
            found.push(Panic {
                addr: at,
                arg: Value { ty: any, place: Place::Memory(at.wrapping_add(arg)) },
                recovered: flag(recovered),
                goexit: flag(goexit),
            });
            at = self.mem.read_u64(at.wrapping_add(link)).unwrap_or(0);
        }
        found
    }

    /// The type `any`.
    pub fn empty_interface(&self) -> TypeId {
        let make = |id| Type {
            id,
            name: "interface {}".into(),
            kind: Kind::Interface,
            size: 16,
            named: false,
            shape: Shape::Interface { empty: true, methods: Some(Vec::new()) },
            runtime: None,
        };
        self.image
            .find_type("interface {}")
            .or_else(|| self.made.intern("interface {}", make))
            .unwrap_or(TypeId::Made(0))
    }

    /// Pending deferred calls of a goroutine in the order in which they would run. `stack`: its frames (open-coded defers live
    /// in them; calls of frames that are not in it come last, without a CFA).
    pub fn deferred(&self, g: &Goroutine, stack: &Stack) -> Vec<Deferred> {
        let mut list = self.defer_list(g);
        let mut pending = Vec::new();
        for frame in stack.frames.iter().filter(|f| !f.inlined && f.function.is_some()) {
            self.open_coded(frame, &mut pending);
            let sp = frame.regs.sp();
            let (here, rest) = list.into_iter().partition::<Vec<_>, _>(|(at, _)| *at == sp);
            list = rest;
            pending.extend(here.into_iter().map(|(_, d)| Deferred { cfa: Some(frame.cfa), ..d }));
        }
        pending.extend(list.into_iter().map(|(_, d)| d));
        pending
    }

    /// `g._defer`: stack pointer of the frame and call, in list order.
    fn defer_list(&self, g: &Goroutine) -> Vec<(u64, Deferred)> {
        let mut found = Vec::new();
        if let Some(o) = self.facts().g.as_ref() {
            let first = self.mem.read_u64(g.addr.wrapping_add(o.defer)).unwrap_or(0);
            let _ = self.defer_chain(first, None, &mut found);
        }
        found
    }

    /// A chain of `_defer`. Records of range-over-func bodies take the frame of the record that heads them.
    fn defer_chain(&self, first: u64, frame_sp: Option<u64>, found: &mut Vec<(u64, Deferred)>) -> Option<()> {
        let layout = self.image.layout();
        let field = |name: &str| layout.offset("runtime._defer", name);
        let (sp_at, fn_at, link_at) = (field("sp")?, field("fn")?, field("link")?);
        let (range_at, head_at) = (field("rangefunc"), field("head"));
        let (started_at, open_at) = (field("started"), field("openDefer"));
        let mut at = first;
        let mut steps = 0;
        while at != 0 && steps < MAX_CHAIN && found.len() < MAX_CHAIN {
            steps += 1;
            let word = |offset: u64| self.mem.read_u64(at.wrapping_add(offset)).ok();
            let flag = |offset: Option<u64>| {
                offset.is_some_and(|o| self.mem.read_u8(at.wrapping_add(o)).is_ok_and(|b| b != 0))
            };
            let sp = frame_sp.or_else(|| word(sp_at))?;
            if flag(range_at) && frame_sp.is_none() {
                // `head` points to an atomic pointer to the list.
                let head = self.mem.read_u64(word(head_at?)?).unwrap_or(0);
                let _ = self.defer_chain(head, Some(sp), found);
            } else if !flag(started_at) && !flag(open_at) {
                found.push((sp, self.deferred_call(word(fn_at)?, false)));
            }
            at = word(link_at)?;
        }
        Some(())
    }

    fn deferred_call(&self, funcval: u64, open_coded: bool) -> Deferred {
        let entry = self.mem.read_u64(funcval).unwrap_or(0);
        let function = self.image.functions().at(entry).filter(|f| f.entry() == entry).map(|f| f.id());
        Deferred { funcval, entry, function, cfa: None, open_coded }
    }

    /// Open-coded defers of a frame, last one first.
    fn open_coded(&self, frame: &Frame, pending: &mut Vec<Deferred>) -> Option<()> {
        let f = self.image.functions().get(frame.function?)?;
        let places = open_coded_defers(self.image, self.mem, f)?;
        // Below the return address and the saved frame pointer.
        let varp = frame.cfa.checked_sub(match self.image.arch() {
            Arch::Amd64 => 16,
            Arch::Arm64 => 8,
        })?;
        let bits = self.mem.read_u8(varp.checked_sub(places.bits)?).ok()?;
        for (i, below) in places.slots.iter().enumerate().rev() {
            if bits >> i & 1 == 0 {
                continue;
            }
            let funcval = self.mem.read_u64(varp.checked_sub(*below)?).ok()?;
            let call = self.deferred_call(funcval, true);
            // In the prologue the bits are not cleared yet: garbage points to no function.
            if call.function.is_some() {
                pending.push(Deferred { cfa: Some(frame.cfa), ..call });
            }
        }
        Some(())
    }
}

/// Where a function keeps its open-coded defers: bytes below its variables (the return address and the saved frame pointer above).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenCodedDefers {
    /// The byte whose bits say which are pending.
    pub bits: u64,
    /// The func value of each bit.
    pub slots: Vec<u64>,
}

/// FUNCDATA_OpenCodedDeferInfo of a function that has it.
pub fn open_coded_defers(image: &Image, mem: &dyn Memory, f: Function<'_>) -> Option<OpenCodedDefers> {
    let mut data = Varints { at: f.funcdata(OPEN_CODED_DEFER_INFO)?, mem };
    let bits = data.next()?;
    let second = data.next()?;
    let one_by_one = image.layout().offset("runtime._defer", "openDefer").is_some();
    let mut slots: Vec<u64> = match one_by_one {
        // Up to 1.21: their number, then the place of each, last one first.
        true => (0..second.min(MAX_OPEN_CODED)).map(|_| data.next()).collect::<Option<Vec<_>>>()?,
        // Since 1.22: the place of the first; the others follow it.
        false => (0..MAX_OPEN_CODED).rev().map(|i| second.wrapping_sub(i * 8)).collect(),
    };
    slots.reverse();
    Some(OpenCodedDefers { bits, slots })
}

/// Unsigned varints of funcdata.
struct Varints<'a> {
    at: u64,
    mem: &'a dyn Memory,
}

impl Varints<'_> {
    fn next(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..35).step_by(7) {
            let byte = self.mem.read_u8(self.at).ok()?;
            self.at = self.at.checked_add(1)?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}
