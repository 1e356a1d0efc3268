//! Offsets of the fields that goroutines and stacks need, looked up once by name.

use image::Layout;

/// Fields of `runtime.g`, in bytes from its start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GOffsets {
    pub(crate) size: u64,
    pub(crate) stack_lo: u64,
    pub(crate) stack_hi: u64,
    pub(crate) panic: u64,
    pub(crate) defer: u64,
    pub(crate) m: u64,
    pub(crate) sched_pc: u64,
    pub(crate) sched_sp: u64,
    pub(crate) sched_bp: u64,
    pub(crate) sched_lr: u64,
    pub(crate) syscallsp: u64,
    pub(crate) syscallpc: u64,
    pub(crate) syscallbp: Option<u64>,
    pub(crate) status: u64,
    pub(crate) goid: u64,
    pub(crate) waitsince: u64,
    pub(crate) waitreason: u64,
    pub(crate) lockedm: u64,
    pub(crate) sigpc: Option<u64>,
    pub(crate) parent: Option<u64>,
    pub(crate) gopc: u64,
    pub(crate) startpc: u64,
    pub(crate) labels: u64,
    pub(crate) running_cleanups: Option<u64>,
}

impl GOffsets {
    /// None if a field is missing without which nothing works.
    pub(crate) fn find(layout: &Layout) -> Option<GOffsets> {
        let g = |field: &str| layout.offset("runtime.g", field);
        let (stack, sched) = (g("stack")?, g("sched")?);
        let buf = |field: &str| Some(sched + layout.offset("runtime.gobuf", field)?);
        Some(GOffsets {
            size: layout.size("runtime.g").unwrap_or(448).clamp(64, 4096),
            stack_lo: stack,
            stack_hi: stack + 8,
            panic: g("_panic")?,
            defer: g("_defer")?,
            m: g("m")?,
            sched_pc: buf("pc")?,
            sched_sp: buf("sp")?,
            sched_bp: buf("bp")?,
            sched_lr: buf("lr")?,
            syscallsp: g("syscallsp")?,
            syscallpc: g("syscallpc")?,
            syscallbp: g("syscallbp"),
            status: g("atomicstatus")?,
            goid: g("goid")?,
            waitsince: g("waitsince")?,
            waitreason: g("waitreason")?,
            lockedm: g("lockedm")?,
            sigpc: g("sigpc"),
            parent: g("parentGoid"),
            gopc: g("gopc")?,
            startpc: g("startpc")?,
            labels: g("labels")?,
            running_cleanups: g("runningCleanups"),
        })
    }
}

/// Fields of `runtime.m`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MOffsets {
    pub(crate) g0: u64,
    pub(crate) procid: u64,
    pub(crate) gsignal: u64,
    pub(crate) curg: u64,
    pub(crate) vdso_sp: Option<u64>,
    pub(crate) vdso_pc: Option<u64>,
}

impl MOffsets {
    pub(crate) fn find(layout: &Layout) -> Option<MOffsets> {
        let m = |field: &str| layout.offset("runtime.m", field);
        Some(MOffsets {
            g0: m("g0")?,
            procid: m("procid")?,
            gsignal: m("gsignal")?,
            curg: m("curg")?,
            vdso_sp: m("vdsoSP"),
            vdso_pc: m("vdsoPC"),
        })
    }
}
