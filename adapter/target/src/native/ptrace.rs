//! ptrace(2), one function for each request that is used. All must be called on the tracer thread.

use machine::{Arch, Reg, Regs};

/// Follow clone (threads), see fork, vfork and exec.
const OPTIONS: i32 = libc::PTRACE_O_TRACECLONE
    | libc::PTRACE_O_TRACEFORK
    | libc::PTRACE_O_TRACEVFORK
    | libc::PTRACE_O_TRACEVFORKDONE
    | libc::PTRACE_O_TRACEEXEC;

fn check(r: libc::c_long) -> std::io::Result<()> {
    if r == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

/// Attaches without stopping. A launched program dies when this process does.
pub(super) fn seize(tid: i32, kill_on_exit: bool) -> std::io::Result<()> {
    let options = if kill_on_exit { OPTIONS | libc::PTRACE_O_EXITKILL } else { OPTIONS };
    // SAFETY: no pointers.
    check(unsafe { libc::ptrace(libc::PTRACE_SEIZE, tid, 0, options) })
}

pub(super) fn interrupt(tid: i32) -> bool {
    // SAFETY: no pointers.
    unsafe { libc::ptrace(libc::PTRACE_INTERRUPT, tid, 0, 0) == 0 }
}

/// Continues with a signal (0: none).
pub(super) fn cont(tid: i32, signal: i32) -> std::io::Result<()> {
    // SAFETY: no pointers.
    check(unsafe { libc::ptrace(libc::PTRACE_CONT, tid, 0, signal) })
}

/// One instruction, no signal delivered.
pub(super) fn single_step(tid: i32) -> std::io::Result<()> {
    // SAFETY: no pointers.
    check(unsafe { libc::ptrace(libc::PTRACE_SINGLESTEP, tid, 0, 0) })
}

/// Leaves a thread in its group stop, listening for SIGCONT.
pub(super) fn listen(tid: i32) {
    // SAFETY: no pointers.
    unsafe { libc::ptrace(libc::PTRACE_LISTEN, tid, 0, 0) };
}

pub(super) fn detach(pid: i32, tid: i32, signals: &[i32]) {
    let mut signals = signals.iter();
    let first = signals.next().copied().unwrap_or(0);
    // SAFETY: no pointers.
    unsafe { libc::ptrace(libc::PTRACE_DETACH, tid, 0, first) };
    for s in signals {
        send(pid, tid, *s);
    }
}

pub(super) fn send(pid: i32, tid: i32, signal: i32) {
    // SAFETY: no pointers.
    unsafe { libc::syscall(libc::SYS_tgkill, pid, tid, signal) };
}

pub(super) fn kill(pid: i32) {
    // SAFETY: no pointers.
    unsafe { libc::kill(pid, libc::SIGKILL) };
}

/// The message of an event: a new tid or pid.
pub(super) fn event_message(tid: i32) -> Option<i32> {
    let mut message: libc::c_ulong = 0;
    // SAFETY: `message` lives through the call.
    let r = unsafe { libc::ptrace(libc::PTRACE_GETEVENTMSG, tid, 0, &raw mut message) };
    (r == 0).then(|| i32::try_from(message).ok()).flatten()
}

/// si_code of the signal that stopped a thread.
pub(super) fn signal_code(tid: i32) -> Option<i32> {
    // SAFETY: siginfo_t is plain data, zero is valid, and it lives through the call.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        (libc::ptrace(libc::PTRACE_GETSIGINFO, tid, 0, &raw mut info) == 0).then_some(info.si_code)
    }
}

/// A wait status of a thread, if one is there (or, blocking, when one comes).
pub(super) fn wait(tid: i32, block: bool) -> Option<i32> {
    let mut status = 0;
    let flags = libc::__WALL | if block { 0 } else { libc::WNOHANG };
    loop {
        // SAFETY: `status` lives through the call.
        let r = unsafe { libc::waitpid(tid, &raw mut status, flags) };
        if r == tid {
            return Some(status);
        }
        if r < 0 && std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted {
            continue;
        }
        return None;
    }
}

/// True when no status will ever come for a thread: it is not ours any more.
pub(super) fn is_gone(tid: i32) -> bool {
    let mut status = 0;
    // SAFETY: `status` lives through the call.
    let r = unsafe { libc::waitpid(tid, &raw mut status, libc::__WALL | libc::WNOHANG | libc::WNOWAIT) };
    r < 0 && std::io::Error::last_os_error().raw_os_error() == Some(libc::ECHILD)
}

pub(super) fn poke_bytes(pid: i32, addr: u64, bytes: &[u8]) -> std::io::Result<()> {
    for (i, b) in bytes.iter().enumerate() {
        let at = addr.wrapping_add(i as u64);
        let base = at & !7;
        // SAFETY: errno is thread-local; PEEKDATA's libc wrapper returns the word.
        let word = unsafe {
            *libc::__errno_location() = 0;
            let w = libc::ptrace(libc::PTRACE_PEEKDATA, pid, base, 0);
            if w == -1 && *libc::__errno_location() != 0 {
                return Err(std::io::Error::last_os_error());
            }
            w as u64
        };
        let shift = (at - base) * 8;
        let patched = word & !(0xff << shift) | u64::from(*b) << shift;
        // SAFETY: no pointers into this process.
        check(unsafe { libc::ptrace(libc::PTRACE_POKEDATA, pid, base, patched) })?;
    }
    Ok(())
}

fn general(tid: i32) -> std::io::Result<libc::user_regs_struct> {
    // SAFETY: plain data, zero is valid, lives through the call.
    unsafe {
        let mut raw: libc::user_regs_struct = std::mem::zeroed();
        check(libc::ptrace(libc::PTRACE_GETREGS, tid, 0, &raw mut raw))?;
        Ok(raw)
    }
}

pub(super) fn pc(tid: i32) -> std::io::Result<u64> {
    Ok(general(tid)?.rip)
}

pub(super) fn set_pc(tid: i32, pc: u64) -> std::io::Result<()> {
    let mut raw = general(tid)?;
    raw.rip = pc;
    set_general(tid, &raw)
}

fn set_general(tid: i32, raw: &libc::user_regs_struct) -> std::io::Result<()> {
    // SAFETY: `raw` lives through the call.
    check(unsafe { libc::ptrace(libc::PTRACE_SETREGS, tid, 0, std::ptr::from_ref(raw)) })
}

/// General registers, flags, fs_base, orig_rax and XMM0-15.
pub(super) fn read_regs(tid: i32) -> std::io::Result<Regs> {
    let raw = general(tid)?;
    let mut regs = Regs::new(Arch::Amd64);
    for (reg, value) in by_number(&raw) {
        regs.set(reg, value);
    }
    regs.flags = raw.eflags;
    regs.tls = raw.fs_base;
    regs.orig_syscall = raw.orig_rax as i64;
    regs.set_vectors(vectors(tid));
    Ok(regs)
}

fn by_number(raw: &libc::user_regs_struct) -> [(Reg, u64); 17] {
    [
        (Reg::RAX, raw.rax),
        (Reg::RDX, raw.rdx),
        (Reg::RCX, raw.rcx),
        (Reg::RBX, raw.rbx),
        (Reg::RSI, raw.rsi),
        (Reg::RDI, raw.rdi),
        (Reg::RBP, raw.rbp),
        (Reg::RSP, raw.rsp),
        (Reg::R8, raw.r8),
        (Reg::R9, raw.r9),
        (Reg::R10, raw.r10),
        (Reg::R11, raw.r11),
        (Reg::R12, raw.r12),
        (Reg::R13, raw.r13),
        (Reg::R14, raw.r14),
        (Reg::R15, raw.r15),
        (Reg::RIP, raw.rip),
    ]
}

fn vectors(tid: i32) -> Vec<[u8; 16]> {
    // SAFETY: plain data, zero is valid, lives through the call.
    let raw = unsafe {
        let mut raw: libc::user_fpregs_struct = std::mem::zeroed();
        if libc::ptrace(libc::PTRACE_GETFPREGS, tid, 0, &raw mut raw) != 0 {
            return Vec::new();
        }
        raw
    };
    let bytes: Vec<u8> = raw.xmm_space.iter().flat_map(|w| w.to_le_bytes()).collect();
    bytes.chunks_exact(16).filter_map(|c| c.try_into().ok()).collect()
}

/// Writes the general registers that are known, and the flags.
pub(super) fn write_regs(tid: i32, regs: &Regs) -> std::io::Result<()> {
    let mut raw = general(tid)?;
    let or = |r: Reg, old: u64| regs.get(r).unwrap_or(old);
    raw.rax = or(Reg::RAX, raw.rax);
    raw.rdx = or(Reg::RDX, raw.rdx);
    raw.rcx = or(Reg::RCX, raw.rcx);
    raw.rbx = or(Reg::RBX, raw.rbx);
    raw.rsi = or(Reg::RSI, raw.rsi);
    raw.rdi = or(Reg::RDI, raw.rdi);
    raw.rbp = or(Reg::RBP, raw.rbp);
    raw.rsp = or(Reg::RSP, raw.rsp);
    raw.r8 = or(Reg::R8, raw.r8);
    raw.r9 = or(Reg::R9, raw.r9);
    raw.r10 = or(Reg::R10, raw.r10);
    raw.r11 = or(Reg::R11, raw.r11);
    raw.r12 = or(Reg::R12, raw.r12);
    raw.r13 = or(Reg::R13, raw.r13);
    raw.r14 = or(Reg::R14, raw.r14);
    raw.r15 = or(Reg::R15, raw.r15);
    raw.rip = or(Reg::RIP, raw.rip);
    raw.eflags = regs.flags;
    set_general(tid, &raw)
}
