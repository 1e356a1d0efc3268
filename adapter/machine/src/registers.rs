//! One thread's or one frame's registers, keyed by DWARF number on both architectures.
//!
//! amd64: rax 0 rdx 1 rcx 2 rbx 3 rsi 4 rdi 5 rbp 6 rsp 7 r8-r15 8-15 rip 16, xmm0-15 17-32.
//! arm64: x0-x30 0-30, sp 31, pc 32, v0-v31 64-95. Both: general registers are `Reg(0..=32)`.

use crate::Arch;

/// A register by DWARF number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reg(pub u16);

impl Reg {
    pub const RAX: Reg = Reg(0);
    pub const RDX: Reg = Reg(1);
    pub const RCX: Reg = Reg(2);
    pub const RBX: Reg = Reg(3);
    pub const RSI: Reg = Reg(4);
    pub const RDI: Reg = Reg(5);
    pub const RBP: Reg = Reg(6);
    pub const RSP: Reg = Reg(7);
    pub const R8: Reg = Reg(8);
    pub const R9: Reg = Reg(9);
    pub const R10: Reg = Reg(10);
    pub const R11: Reg = Reg(11);
    pub const R12: Reg = Reg(12);
    pub const R13: Reg = Reg(13);
    pub const R14: Reg = Reg(14);
    pub const R15: Reg = Reg(15);
    pub const RIP: Reg = Reg(16);
    pub(crate) const AMD64_INT_ARGS: &'static [Reg] =
        &[Reg::RAX, Reg::RBX, Reg::RCX, Reg::RDI, Reg::RSI, Reg::R8, Reg::R9, Reg::R10, Reg::R11];
    pub(crate) const ARM64_INT_ARGS: &'static [Reg] = &[
        Reg(0),
        Reg(1),
        Reg(2),
        Reg(3),
        Reg(4),
        Reg(5),
        Reg(6),
        Reg(7),
        Reg(8),
        Reg(9),
        Reg(10),
        Reg(11),
        Reg(12),
        Reg(13),
        Reg(14),
        Reg(15),
    ];

    /// Name as Delve and GDB print it (`Rax`, `Rip`; `X0`, `SP`, `PC`); `?N` for a number without a name.
    pub fn name(self, arch: Arch) -> String {
        const AMD64: [&str; 17] = [
            "Rax", "Rdx", "Rcx", "Rbx", "Rsi", "Rdi", "Rbp", "Rsp", "R8", "R9", "R10", "R11", "R12", "R13",
            "R14", "R15", "Rip",
        ];
        match (arch, self.0) {
            (Arch::Amd64, n) => match AMD64.get(n as usize) {
                Some(s) => (*s).to_string(),
                None if (17..33).contains(&n) => format!("XMM{}", n - 17),
                None => format!("?{n}"),
            },
            (Arch::Arm64, n @ 0..=30) => format!("X{n}"),
            (Arch::Arm64, 31) => "SP".into(),
            (Arch::Arm64, 32) => "PC".into(),
            (Arch::Arm64, n @ 64..=95) => format!("V{}", n - 64),
            (Arch::Arm64, n) => format!("?{n}"),
        }
    }
}

/// Register values; those that are not known (of an unwound frame, after a call) read as `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Regs {
    arch: Arch,
    general: [u64; 33],
    /// Bit n: `general[n]` is known.
    known: u64,
    /// Vector registers (low 16 bytes each); empty when never read.
    vectors: Vec<[u8; 16]>,
    /// RFLAGS / NZCV.
    pub flags: u64,
    /// Thread pointer: fs_base on amd64, tpidr_el0 on arm64.
    pub tls: u64,
    /// amd64 orig_rax: the number of the system call the thread is in, -1 when it is in none.
    pub orig_syscall: i64,
}

impl Regs {
    /// All registers unknown.
    pub fn new(arch: Arch) -> Regs {
        Regs { arch, general: [0; 33], known: 0, vectors: Vec::new(), flags: 0, tls: 0, orig_syscall: -1 }
    }

    pub fn arch(&self) -> Arch {
        self.arch
    }

    pub fn get(&self, r: Reg) -> Option<u64> {
        let v = self.general.get(r.0 as usize)?;
        (self.known & (1 << r.0) != 0).then_some(*v)
    }

    pub fn set(&mut self, r: Reg, v: u64) {
        if let Some(slot) = self.general.get_mut(r.0 as usize) {
            *slot = v;
            self.known |= 1 << r.0;
        }
    }

    pub fn forget(&mut self, r: Reg) {
        if r.0 < 33 {
            self.known &= !(1 << r.0);
        }
    }

    /// 16 bytes of vector register `n` (XMMn, Vn), counted from 0.
    pub fn vector(&self, n: u16) -> Option<[u8; 16]> {
        self.vectors.get(n as usize).copied()
    }

    pub fn set_vectors(&mut self, v: Vec<[u8; 16]>) {
        self.vectors = v;
    }

    pub fn vectors(&self) -> &[[u8; 16]] {
        &self.vectors
    }

    /// The program counter; 0 when unknown.
    pub fn pc(&self) -> u64 {
        self.get(self.arch.pc()).unwrap_or(0)
    }

    /// The stack pointer; 0 when unknown.
    pub fn sp(&self) -> u64 {
        self.get(self.arch.sp()).unwrap_or(0)
    }

    /// The frame pointer; 0 when unknown.
    pub fn fp(&self) -> u64 {
        self.get(self.arch.fp()).unwrap_or(0)
    }

    pub fn set_pc(&mut self, v: u64) {
        self.set(self.arch.pc(), v);
    }

    pub fn set_sp(&mut self, v: u64) {
        self.set(self.arch.sp(), v);
    }
}
