//! L0 `machine`: what every layer means by memory, registers and architecture.
//!
//! Nothing here knows Go, DWARF, a debugger or a file. `image` implements [`Memory`] over the bytes on disk,
//! `target` over the live process; `golang`, `dispatch` and `eval` only ever see the trait. Must never do I/O.
//!
//! All addresses in the whole program are *run-time* addresses (link address + load bias) unless a name says `link`.

mod memory;
mod overlay;
mod registers;

pub use memory::{MemError, Memory, MemoryExt, NoMemory};
pub use overlay::Overlay;
pub use registers::{Reg, Regs};

/// The two architectures whose machine code is understood. Programs run on the host's one; both are analysed statically.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arch {
    Amd64,
    Arm64,
}

impl Arch {
    /// The register that holds the current g in ABIInternal code (R14, X28).
    pub fn g(self) -> Reg {
        match self {
            Arch::Amd64 => Reg::R14,
            Arch::Arm64 => Reg(28),
        }
    }

    /// The closure context register at a call (RDX, X26).
    pub fn context(self) -> Reg {
        match self {
            Arch::Amd64 => Reg::RDX,
            Arch::Arm64 => Reg(26),
        }
    }

    /// Integer argument and result registers of ABIInternal, in order (cmd/compile/abi-internal.md).
    pub fn int_args(self) -> &'static [Reg] {
        match self {
            Arch::Amd64 => Reg::AMD64_INT_ARGS,
            Arch::Arm64 => Reg::ARM64_INT_ARGS,
        }
    }

    /// DWARF number of the program counter.
    pub fn pc(self) -> Reg {
        match self {
            Arch::Amd64 => Reg::RIP,
            Arch::Arm64 => Reg(32),
        }
    }

    /// DWARF number of the stack pointer.
    pub fn sp(self) -> Reg {
        match self {
            Arch::Amd64 => Reg::RSP,
            Arch::Arm64 => Reg(31),
        }
    }

    /// DWARF number of the frame pointer (RBP, X29).
    pub fn fp(self) -> Reg {
        match self {
            Arch::Amd64 => Reg::RBP,
            Arch::Arm64 => Reg(29),
        }
    }

    /// Bytes that a CALL pushes: 8 on amd64, 0 on arm64 (the link register holds the return address).
    pub fn call_push(self) -> u64 {
        match self {
            Arch::Amd64 => 8,
            Arch::Arm64 => 0,
        }
    }
}
