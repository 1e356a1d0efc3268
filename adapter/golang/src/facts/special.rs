//! Runtime functions that a stack walk must know: they switch stacks, or were called by nobody.

use image::Functions;
use rustc_hash::FxHashMap;

/// What is special about a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Special {
    /// runtime.systemstack: runs a function on g0; its own frame stays on the goroutine's stack.
    SystemStack,
    /// runtime.mcall: leaves the goroutine's stack for g0 for good; the caller is in `g.sched`.
    Mcall,
    /// runtime.morestack: likewise, to grow the stack.
    MoreStack,
    /// runtime.gogo: jumps from g0 to `g.sched`.
    Gogo,
    /// runtime.asmcgocall: calls C on g0.
    AsmCgoCall,
    /// runtime.cgocallback: C calls Go; leaves g0 for the goroutine's stack.
    CgoCallback,
    /// crosscall2: saves C's registers and calls cgocallback.
    CrossCall2,
    /// runtime.sigtramp, runtime.cgoSigtramp: entered by the kernel, a ucontext above its frame.
    SigTramp,
    /// runtime.sigreturn__sigaction: its stack pointer is at the ucontext.
    SigReturn,
    /// runtime.nanotime1, runtime.walltime, ...: call the vDSO on g0.
    Vdso,
    /// runtime.racecall: calls TSan on g0, the goroutine's SP in a register that C preserves.
    RaceCall,
    /// runtime.sigpanic, asyncPreempt, debugCallV2: the runtime pretends that the interrupted instruction called them, so the
    /// pc in the caller is exact and is no return address.
    Injected,
}

const NAMES: &[(&str, Special)] = &[
    ("runtime.systemstack", Special::SystemStack),
    ("runtime.mcall", Special::Mcall),
    ("runtime.morestack", Special::MoreStack),
    ("runtime.gogo", Special::Gogo),
    ("gogo", Special::Gogo),
    ("runtime.asmcgocall", Special::AsmCgoCall),
    ("runtime.cgocallback", Special::CgoCallback),
    ("crosscall2", Special::CrossCall2),
    ("runtime.sigtramp", Special::SigTramp),
    ("runtime.cgoSigtramp", Special::SigTramp),
    ("runtime.sigreturn__sigaction", Special::SigReturn),
    ("runtime.nanotime1", Special::Vdso),
    ("runtime.walltime", Special::Vdso),
    ("time.now", Special::Vdso),
    ("runtime.vgetrandom1", Special::Vdso),
    ("racecall", Special::RaceCall),
    ("runtime.racecall", Special::RaceCall),
    ("runtime.sigpanic", Special::Injected),
    ("runtime.asyncPreempt", Special::Injected),
    ("runtime.debugCallV2", Special::Injected),
];

/// Special functions by entry, run-time addresses.
#[derive(Debug, Default)]
pub(crate) struct Specials {
    by_entry: FxHashMap<u64, Special>,
    /// runtime.asmcgocall_landingpad exists (1.22 and newer): asmcgocall keeps g and depth at the bottom of its frame.
    pub(crate) landing_pad: bool,
}

impl Specials {
    pub(crate) fn find(functions: &Functions) -> Specials {
        let mut by_entry = FxHashMap::default();
        for &(name, special) in NAMES {
            for f in functions.by_name(name) {
                by_entry.insert(f.entry(), special);
            }
        }
        Specials { by_entry, landing_pad: !functions.by_name("runtime.asmcgocall_landingpad").is_empty() }
    }

    pub(crate) fn get(&self, entry: u64) -> Option<Special> {
        self.by_entry.get(&entry).copied()
    }
}
