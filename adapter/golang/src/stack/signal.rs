//! Registers that the kernel saved when it delivered a signal (struct ucontext, arch/*/include/uapi/asm/sigcontext.h).

use machine::{Arch, Memory, MemoryExt, Reg, Regs};

/// amd64: `uc_mcontext` follows flags, link and the signal stack.
const AMD64_MCONTEXT: u64 = 40;
/// DWARF numbers in the order of `struct sigcontext`: r8-r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip.
const AMD64_ORDER: [u16; 17] = [8, 9, 10, 11, 12, 13, 14, 15, 5, 4, 6, 3, 1, 0, 2, 7, 16];
/// arm64: siginfo comes first, then ucontext with a signal mask of 128 bytes and alignment to 16.
const ARM64_UCONTEXT: u64 = 128;
const ARM64_REGS: u64 = 176 + 8;

/// The interrupted registers. `at`: the stack pointer at the entry of the handler, above the return address (amd64: where the
/// ucontext is; arm64: where siginfo is).
pub(crate) fn interrupted(arch: Arch, mem: &dyn Memory, at: u64, tls: u64) -> Option<Regs> {
    let mut regs = Regs::new(arch);
    regs.tls = tls;
    match arch {
        Arch::Amd64 => {
            let bytes = mem.read_vec(at.checked_add(AMD64_MCONTEXT)?, 18 * 8, 18 * 8).ok()?;
            let mut words = bytes.as_chunks::<8>().0.iter().map(|w| u64::from_le_bytes(*w));
            for n in AMD64_ORDER {
                regs.set(Reg(n), words.next()?);
            }
            regs.flags = words.next()?;
        }
        Arch::Arm64 => {
            let bytes = mem.read_vec(at.checked_add(ARM64_UCONTEXT + ARM64_REGS)?, 33 * 8, 33 * 8).ok()?;
            for (n, w) in bytes.as_chunks::<8>().0.iter().enumerate() {
                regs.set(Reg(n as u16), u64::from_le_bytes(*w));
            }
        }
    }
    Some(regs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use machine::{NoMemory, Overlay};

    #[test]
    fn the_kernels_order_is_undone() {
        let mut mem = Overlay::new(&NoMemory);
        for i in 0..18u64 {
            mem.write(0x1000 + AMD64_MCONTEXT + i * 8, &(100 + i).to_le_bytes());
        }
        let regs = interrupted(Arch::Amd64, &mem, 0x1000, 7).unwrap();
        assert_eq!((regs.get(Reg::R8), regs.fp(), regs.sp(), regs.pc()), (Some(100), 110, 115, 116));
        assert_eq!(
            (regs.get(Reg::RAX), regs.get(Reg::RDI), regs.flags, regs.tls),
            (Some(113), Some(108), 117, 7)
        );
        assert!(interrupted(Arch::Amd64, &mem, 0x2000, 7).is_none());
    }
}
