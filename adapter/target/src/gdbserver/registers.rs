//! Registers of threads as `g` and `G` packets. Each thread is asked once for a stop, many in one exchange.

use machine::{Arch, Reg, Regs};

use super::driver::Server;
use crate::{TargetError, Tid};

/// Threads whose registers are asked for at once: the answers fit the socket.
const BATCH: usize = 8;
/// Registers by GDB's names, in DWARF order.
const NAMES: [&str; 17] = [
    "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
    "r15", "rip",
];
const VECTORS: [&str; 16] = [
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
    "xmm12", "xmm13", "xmm14", "xmm15",
];

impl Server {
    pub(super) fn thread_name(&self, tid: Tid) -> String {
        format!("p{:x}.{:x}", self.pid, tid.0)
    }

    /// Asks for the registers of those that were not asked for since the program last ran.
    fn fetch(&mut self, tids: &[Tid]) -> Result<(), TargetError> {
        let new: Vec<Tid> =
            tids.iter().copied().filter(|t| !self.registers.iter().any(|(known, _)| known == t)).collect();
        for some in new.chunks(BATCH) {
            let asks: Vec<String> =
                some.iter().flat_map(|t| [format!("Hg{}", self.thread_name(*t)), "g".into()]).collect();
            let answers = self.connection.ask_all(&asks)?;
            for (tid, pair) in some.iter().zip(answers.chunks_exact(2)) {
                // A thread that is gone can't be selected; what follows is another one's.
                if let [selected, g] = pair
                    && selected == b"OK"
                    && let Some(bytes) = rsp::unhex(g).filter(|b| !b.is_empty())
                {
                    self.registers.push((*tid, bytes));
                }
            }
        }
        Ok(())
    }

    /// The whole `g` packet of a thread that was asked for.
    fn packet(&self, tid: Tid) -> Result<&[u8], TargetError> {
        let found = self.registers.iter().find(|(t, _)| *t == tid);
        found.map(|(_, g)| g.as_slice()).ok_or(TargetError::NoSuchThread(tid))
    }

    pub(super) fn pc_of(&mut self, tid: Tid) -> Result<u64, TargetError> {
        self.fetch(&[tid])?;
        let pc = self.layout.value(self.packet(tid)?, "rip");
        pc.ok_or_else(|| TargetError::Protocol("registers without rip".into()))
    }

    pub(super) fn set_pc(&mut self, tid: Tid, pc: u64) -> Result<(), TargetError> {
        let mut regs = Regs::new(Arch::Amd64);
        regs.set_pc(pc);
        self.write_known(tid, &regs, false)
    }

    /// Those of the threads that still live.
    pub(super) fn read_all(&mut self, tids: &[Tid]) -> Result<Vec<(Tid, Regs)>, TargetError> {
        self.fetch(tids)?;
        Ok(tids.iter().filter_map(|tid| Some((*tid, self.decode(self.packet(*tid).ok()?)))).collect())
    }

    fn decode(&self, g: &[u8]) -> Regs {
        let mut regs = Regs::new(Arch::Amd64);
        for (n, name) in NAMES.iter().enumerate() {
            if let Some(v) = self.layout.value(g, name) {
                regs.set(Reg(n as u16), v);
            }
        }
        regs.flags = self.layout.value(g, "eflags").unwrap_or(0);
        regs.tls = self.layout.value(g, "fs_base").unwrap_or(0);
        regs.orig_syscall = self.layout.value(g, "orig_rax").map_or(-1, |v| v as i64);
        let vectors = VECTORS.iter().map_while(|name| self.layout.slice(g, name)?.try_into().ok());
        regs.set_vectors(vectors.collect());
        regs
    }

    pub(super) fn write_known(&mut self, tid: Tid, regs: &Regs, flags: bool) -> Result<(), TargetError> {
        self.fetch(&[tid])?;
        let mut g = self.packet(tid)?.to_vec();
        let old_pc = self.layout.value(&g, "rip");
        for (n, name) in NAMES.iter().enumerate() {
            if let (Some(v), Some(slot)) = (regs.get(Reg(n as u16)), self.layout.slice_mut(&mut g, name)) {
                slot.copy_from_slice(v.to_le_bytes().get(..slot.len()).unwrap_or_default());
            }
        }
        if flags {
            self.put_others(&mut g, regs, old_pc);
        }
        // What the kernel makes of it is asked for anew.
        self.registers.retain(|(t, _)| *t != tid);
        // Apart: written to whoever is selected, the bytes must not follow a refusal.
        let select = format!("Hg{}", self.thread_name(tid));
        self.connection.command(&select).map_err(|e| match e {
            TargetError::Protocol(_) => TargetError::NoSuchThread(tid),
            e => e,
        })?;
        self.connection.command(&format!("G{}", rsp::hex(&g)))
    }

    /// Flags, thread pointer, vectors, and the system call that the kernel would restart: not at another pc.
    fn put_others(&self, g: &mut [u8], regs: &Regs, old_pc: Option<u64>) {
        let old_call = self.layout.value(g, "orig_rax").map_or(-1, |v| v as i64);
        let moved = regs.orig_syscall == old_call && regs.get(Reg::RIP) != old_pc;
        let call = if moved { -1 } else { regs.orig_syscall };
        for (name, value) in [("eflags", regs.flags), ("fs_base", regs.tls), ("orig_rax", call as u64)] {
            if let Some(slot) = self.layout.slice_mut(g, name) {
                slot.copy_from_slice(value.to_le_bytes().get(..slot.len()).unwrap_or_default());
            }
        }
        for (name, value) in VECTORS.iter().zip(regs.vectors()) {
            if let Some(slot) = self.layout.slice_mut(g, name).filter(|s| s.len() == value.len()) {
                slot.copy_from_slice(value);
            }
        }
    }
}
