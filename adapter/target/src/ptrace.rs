//! The ptrace requests, one thin function each, on x86-64 Linux. All of them must come from the thread that traces.

use std::{io, mem};

use machine::{Arch, Reg, Regs};

type Result<T> = io::Result<T>;

/// `PTRACE_EVENT_STOP`, which the libc crate has only for some targets.
pub(crate) const EVENT_STOP: i32 = 128;

fn call(request: libc::c_uint, tid: i32, addr: usize, data: usize) -> Result<libc::c_long> {
    // SAFETY: callers pass pointers, as integers, to memory that is large enough for the request and lives through the call.
    let r = unsafe { libc::ptrace(request, tid, addr, data) };
    if r == -1 { Err(io::Error::last_os_error()) } else { Ok(r) }
}

/// Traces a task without stopping it.
pub(crate) fn seize(tid: i32, options: i32) -> Result<()> {
    call(libc::PTRACE_SEIZE, tid, 0, options as usize).map(drop)
}

pub(crate) fn interrupt(tid: i32) -> Result<()> {
    call(libc::PTRACE_INTERRUPT, tid, 0, 0).map(drop)
}

pub(crate) fn cont(tid: i32, signal: i32) -> Result<()> {
    call(libc::PTRACE_CONT, tid, 0, signal as usize).map(drop)
}

pub(crate) fn step(tid: i32, signal: i32) -> Result<()> {
    call(libc::PTRACE_SINGLESTEP, tid, 0, signal as usize).map(drop)
}

/// Leaves a task in its group-stop, to be told of its end.
pub(crate) fn listen(tid: i32) -> Result<()> {
    call(libc::PTRACE_LISTEN, tid, 0, 0).map(drop)
}

pub(crate) fn detach(tid: i32, signal: i32) -> Result<()> {
    call(libc::PTRACE_DETACH, tid, 0, signal as usize).map(drop)
}

pub(crate) fn event_message(tid: i32) -> Result<i32> {
    let mut message: libc::c_ulong = 0;
    call(libc::PTRACE_GETEVENTMSG, tid, 0, &raw mut message as usize)?;
    Ok(message as i32)
}

/// si_code and whether the kernel raised the signal for an instruction.
pub(crate) fn signal_code(tid: i32) -> Result<i32> {
    // SAFETY: an all-zero siginfo_t is valid.
    let mut info: libc::siginfo_t = unsafe { mem::zeroed() };
    call(libc::PTRACE_GETSIGINFO, tid, 0, &raw mut info as usize)?;
    Ok(info.si_code)
}

/// Eight bytes of any mapped page, also read-only ones.
pub(crate) fn peek(tid: i32, addr: u64) -> Result<u64> {
    // SAFETY: errno is this thread's; the request returns the word itself.
    unsafe {
        *libc::__errno_location() = 0;
        let word = libc::ptrace(libc::PTRACE_PEEKDATA, tid, addr as usize, 0usize);
        match *libc::__errno_location() {
            0 => Ok(word as u64),
            e => Err(io::Error::from_raw_os_error(e)),
        }
    }
}

pub(crate) fn poke(tid: i32, addr: u64, word: u64) -> Result<()> {
    call(libc::PTRACE_POKEDATA, tid, addr as usize, word as usize).map(drop)
}

/// Writes bytes, keeping their neighbours in the same words.
pub(crate) fn write_bytes(tid: i32, addr: u64, bytes: &[u8]) -> Result<()> {
    let mut at = addr;
    for chunk in bytes.chunks(8) {
        // The last word is moved down so that it does not reach into the next page, which may not be mapped.
        let spare = (8 - chunk.len()) as u64;
        let back = if at % 4096 + 8 > 4096 { spare } else { 0 };
        let mut word = peek(tid, at.wrapping_sub(back))?.to_le_bytes();
        for (slot, b) in word.iter_mut().skip(back as usize).zip(chunk) {
            *slot = *b;
        }
        poke(tid, at.wrapping_sub(back), u64::from_le_bytes(word))?;
        at = at.wrapping_add(chunk.len() as u64);
    }
    Ok(())
}

fn user_regs(tid: i32) -> Result<libc::user_regs_struct> {
    // SAFETY: plain integers; zero is valid.
    let mut r: libc::user_regs_struct = unsafe { mem::zeroed() };
    call(libc::PTRACE_GETREGS, tid, 0, &raw mut r as usize)?;
    Ok(r)
}

pub(crate) fn pc(tid: i32) -> Result<u64> {
    // The offset of rip in the user area.
    let at = mem::offset_of!(libc::user, regs) + mem::offset_of!(libc::user_regs_struct, rip);
    // SAFETY: errno is this thread's; the request returns the word itself.
    unsafe {
        *libc::__errno_location() = 0;
        let word = libc::ptrace(libc::PTRACE_PEEKUSER, tid, at, 0usize);
        match *libc::__errno_location() {
            0 => Ok(word as u64),
            e => Err(io::Error::from_raw_os_error(e)),
        }
    }
}

pub(crate) fn set_pc(tid: i32, pc: u64) -> Result<()> {
    let at = mem::offset_of!(libc::user, regs) + mem::offset_of!(libc::user_regs_struct, rip);
    call(libc::PTRACE_POKEUSER, tid, at, pc as usize).map(drop)
}

/// General registers by DWARF number, with the fields of `user_regs_struct` they live in.
fn fields(r: &mut libc::user_regs_struct) -> [&mut u64; 17] {
    [
        &mut r.rax, &mut r.rdx, &mut r.rcx, &mut r.rbx, &mut r.rsi, &mut r.rdi, &mut r.rbp, &mut r.rsp,
        &mut r.r8, &mut r.r9, &mut r.r10, &mut r.r11, &mut r.r12, &mut r.r13, &mut r.r14, &mut r.r15,
        &mut r.rip,
    ]
}

pub(crate) fn read_regs(tid: i32) -> Result<Regs> {
    let mut user = user_regs(tid)?;
    let mut regs = Regs::new(Arch::Amd64);
    regs.flags = user.eflags;
    regs.tls = user.fs_base;
    regs.orig_syscall = user.orig_rax as i64;
    for (n, field) in fields(&mut user).into_iter().enumerate() {
        regs.set(Reg(n as u16), *field);
    }
    let fp = float_regs(tid)?;
    let xmm = fp.xmm_space.as_chunks::<4>().0.iter().map(|quad| {
        let mut bytes = [0; 16];
        for (to, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(quad) {
            *to = word.to_le_bytes();
        }
        bytes
    });
    regs.set_vectors(xmm.collect());
    Ok(regs)
}

fn float_regs(tid: i32) -> Result<libc::user_fpregs_struct> {
    // SAFETY: plain integers; zero is valid.
    let mut fp: libc::user_fpregs_struct = unsafe { mem::zeroed() };
    call(libc::PTRACE_GETFPREGS, tid, 0, &raw mut fp as usize)?;
    Ok(fp)
}

/// Writes what is known of `regs`; see [`crate::Target::write_regs`] for orig_rax.
pub(crate) fn write_regs(tid: i32, regs: &Regs) -> Result<()> {
    let mut user = user_regs(tid)?;
    let (old_pc, old_call) = (user.rip, user.orig_rax as i64);
    for (n, field) in fields(&mut user).into_iter().enumerate() {
        if let Some(v) = regs.get(Reg(n as u16)) {
            *field = v;
        }
    }
    user.eflags = regs.flags;
    user.fs_base = regs.tls;
    let same_call = regs.orig_syscall == old_call && old_call >= 0;
    user.orig_rax = if same_call && user.rip != old_pc { u64::MAX } else { regs.orig_syscall as u64 };
    call(libc::PTRACE_SETREGS, tid, 0, &raw mut user as usize)?;
    if regs.vectors().is_empty() {
        return Ok(());
    }
    let mut fp = float_regs(tid)?;
    for (quad, bytes) in fp.xmm_space.as_chunks_mut::<4>().0.iter_mut().zip(regs.vectors()) {
        for (word, b) in quad.iter_mut().zip(bytes.as_chunks::<4>().0) {
            *word = u32::from_le_bytes(*b);
        }
    }
    call(libc::PTRACE_SETFPREGS, tid, 0, &raw mut fp as usize).map(drop)
}

/// A wait status of one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// Signal number, and the ptrace event above it (0: a signal is about to be delivered).
    Stopped {
        signal: i32,
        event: i32,
    },
    Gone,
}

pub(crate) fn status(raw: i32) -> Status {
    if libc::WIFSTOPPED(raw) {
        Status::Stopped { signal: libc::WSTOPSIG(raw), event: raw >> 16 }
    } else {
        Status::Gone
    }
}

/// Waits for one of this thread's own tracees and children. `None`: nothing yet (WNOHANG), or a signal interrupted the wait.
/// ECHILD: there are none.
pub(crate) fn wait(pid: i32, options: i32) -> Result<Option<(i32, Status)>> {
    let mut raw = 0;
    // SAFETY: `raw` lives through the call.
    let tid = unsafe { libc::waitpid(pid, &mut raw, options | libc::__WALL | libc::__WNOTHREAD) };
    match tid {
        0 => Ok(None),
        -1 => match io::Error::last_os_error() {
            e if e.kind() == io::ErrorKind::Interrupted => Ok(None),
            e => Err(e),
        },
        _ => Ok(Some((tid, status(raw)))),
    }
}

/// Looks at the next change without consuming it: task, and its end if it has ended.
pub(crate) fn peek_wait(options: i32) -> Result<Option<(i32, Option<crate::process::End>)>> {
    // SAFETY: an all-zero siginfo_t is valid; the kernel fills it.
    let mut info: libc::siginfo_t = unsafe { mem::zeroed() };
    let options = options | libc::WEXITED | libc::WSTOPPED | libc::WNOWAIT | libc::__WALL | libc::__WNOTHREAD;
    // SAFETY: `info` lives through the call.
    if unsafe { libc::waitid(libc::P_ALL, 0, &mut info, options) } != 0 {
        return match io::Error::last_os_error() {
            e if e.kind() == io::ErrorKind::Interrupted => Ok(None),
            e => Err(e),
        };
    }
    // SAFETY: waitid filled the SIGCHLD variant, or left zeros.
    let tid = unsafe { info.si_pid() };
    let ended = matches!(info.si_code, libc::CLD_EXITED | libc::CLD_KILLED | libc::CLD_DUMPED);
    Ok((tid != 0).then(|| (tid, ended.then(|| crate::process::end_of(&info)))))
}

/// Runs a seized child to its exec stop, passing signals on. `false`: it ended before, and is reaped.
pub(crate) fn run_to_exec(pid: i32) -> Result<bool> {
    loop {
        match wait(pid, 0)? {
            None => {}
            Some((_, Status::Gone)) => return Ok(false),
            Some((_, Status::Stopped { event: libc::PTRACE_EVENT_EXEC, .. })) => return Ok(true),
            Some((_, Status::Stopped { event: 0, signal })) => cont(pid, signal)?,
            Some((_, Status::Stopped { .. })) => cont(pid, 0)?,
        }
    }
}

/// Tells whether tracing is allowed, leaving no trace: the probing thread's end lets the task go unstopped.
pub(crate) fn try_seize(pid: i32) -> Result<()> {
    let probe = std::thread::Builder::new().name("ptrace probe".into()).spawn(move || seize(pid, 0))?;
    probe.join().unwrap_or_else(|_| Err(io::Error::other("the probe failed")))
}
