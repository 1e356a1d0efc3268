//! The smallest tracer that the tests need: breakpoints by address, stop of all threads, single steps of one.
//!
//! Independent of the product's back ends, so that a fault there can't hide one here.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use golang::ThreadState;
use image::Image;
use machine::{Arch, MemError, Memory, Reg, Regs};

pub(crate) struct Tracer {
    child: Child,
    pid: i32,
    mem: ProcMemory,
    /// Threads and the signal each is to get when it goes on.
    threads: BTreeMap<i32, i32>,
    breakpoints: BTreeMap<u64, u8>,
    /// Thread that is at a breakpoint: it steps over it first.
    pub(crate) current: i32,
}

pub(crate) struct ProcMemory(File);

impl Memory for ProcMemory {
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<usize, MemError> {
        Ok(self.0.read_at(buf, addr).unwrap_or(0))
    }
}

impl Tracer {
    /// Starts `program` stopped at its first instruction; sets the image's load bias.
    pub(crate) fn launch(program: &Path, args: &[&str], image: &Image) -> Tracer {
        Tracer::launch_with(program, args, &[], image)
    }

    pub(crate) fn launch_with(program: &Path, args: &[&str], env: &[(&str, &str)], image: &Image) -> Tracer {
        let mut cmd = Command::new(program);
        cmd.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        cmd.envs(env.iter().copied());
        // SAFETY: ptrace(TRACEME) is async-signal-safe.
        unsafe {
            cmd.pre_exec(|| {
                libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0);
                Ok(())
            });
        }
        let child = cmd.spawn().unwrap();
        let pid = child.id() as i32;
        wait_for(pid);
        let options = libc::PTRACE_O_TRACECLONE | libc::PTRACE_O_EXITKILL;
        // SAFETY: the child is stopped and traced by this thread.
        unsafe { libc::ptrace(libc::PTRACE_SETOPTIONS, pid, 0, options) };
        let mem = File::options().read(true).write(true).open(format!("/proc/{pid}/mem")).unwrap();
        image.set_bias(at_entry(pid).wrapping_sub(image.link_entry()));
        Tracer {
            child,
            pid,
            mem: ProcMemory(mem),
            threads: BTreeMap::from([(pid, 0)]),
            breakpoints: BTreeMap::new(),
            current: pid,
        }
    }

    pub(crate) fn mem(&self) -> &dyn Memory {
        &self.mem
    }

    pub(crate) fn set_breakpoint(&mut self, addr: u64) {
        if self.breakpoints.contains_key(&addr) {
            return;
        }
        let mut old = [0];
        self.mem.0.read_exact_at(&mut old, addr).unwrap();
        self.mem.0.write_all_at(&[0xcc], addr).unwrap();
        self.breakpoints.insert(addr, old[0]);
    }

    /// Registers of all threads.
    pub(crate) fn threads(&self) -> Vec<ThreadState> {
        self.threads.keys().map(|&tid| ThreadState { tid, regs: regs_of(tid) }).collect()
    }

    pub(crate) fn thread(&self, tid: i32) -> ThreadState {
        ThreadState { tid, regs: regs_of(tid) }
    }

    /// Runs until a thread meets a breakpoint (its id) or the program ends (None). Then all threads are stopped.
    pub(crate) fn run(&mut self) -> Option<i32> {
        if self.breakpoints.contains_key(&regs_of(self.current).pc()) {
            self.step(self.current);
        }
        let tids: Vec<i32> = self.threads.keys().copied().collect();
        for tid in tids {
            self.resume(tid, libc::PTRACE_CONT);
        }
        loop {
            let (tid, status) = wait_any();
            if tid < 0 {
                return None;
            }
            if libc::WIFEXITED(status) || libc::WIFSIGNALED(status) {
                self.threads.remove(&tid);
                if tid == self.pid {
                    return None;
                }
                continue;
            }
            let signal = libc::WSTOPSIG(status);
            let event = status >> 16;
            self.threads.insert(tid, 0);
            if signal == libc::SIGTRAP && event == 0 && self.at_breakpoint(tid) {
                self.current = tid;
                self.stop_others(tid);
                return Some(tid);
            }
            let internal = event != 0 || signal == libc::SIGSTOP;
            self.threads.insert(tid, if internal || signal == libc::SIGTRAP { 0 } else { signal });
            self.resume(tid, libc::PTRACE_CONT);
        }
    }

    /// One instruction of one thread; the others stay where they are. A signal that comes instead is delivered by the next step.
    pub(crate) fn step(&mut self, tid: i32) {
        let pc = regs_of(tid).pc();
        let lifted = self.breakpoints.get(&pc).copied();
        if let Some(old) = lifted {
            self.mem.0.write_all_at(&[old], pc).unwrap();
        }
        loop {
            self.resume(tid, libc::PTRACE_SINGLESTEP);
            let status = wait_for(tid);
            if !libc::WIFSTOPPED(status) || libc::WSTOPSIG(status) == libc::SIGTRAP && status >> 16 == 0 {
                break;
            }
            let signal = libc::WSTOPSIG(status);
            if status >> 16 == 0 && signal != libc::SIGSTOP && signal != libc::SIGURG {
                self.threads.insert(tid, signal);
                break;
            }
        }
        if lifted.is_some() {
            self.mem.0.write_all_at(&[0xcc], pc).unwrap();
        }
    }

    /// One thread runs to an address, the others stay where they are.
    pub(crate) fn run_to(&mut self, tid: i32, addr: u64) {
        let mut old = [0];
        self.mem.0.read_exact_at(&mut old, addr).unwrap();
        self.mem.0.write_all_at(&[0xcc], addr).unwrap();
        loop {
            self.resume(tid, libc::PTRACE_CONT);
            let status = wait_for(tid);
            assert!(libc::WIFSTOPPED(status), "the thread ended on its way to {addr:#x}");
            let signal = libc::WSTOPSIG(status);
            let mut raw = raw_regs(tid);
            if signal == libc::SIGTRAP && status >> 16 == 0 && raw.rip == addr + 1 {
                raw.rip = addr;
                // SAFETY: the thread is stopped; `raw` outlives the call.
                unsafe { libc::ptrace(libc::PTRACE_SETREGS, tid, 0, &raw) };
                break;
            }
            if status >> 16 == 0 && ![libc::SIGSTOP, libc::SIGURG, libc::SIGTRAP].contains(&signal) {
                self.threads.insert(tid, signal);
            }
        }
        self.mem.0.write_all_at(&old, addr).unwrap();
    }

    /// A trap of ours: the pc goes back onto the breakpoint.
    fn at_breakpoint(&self, tid: i32) -> bool {
        let mut raw = raw_regs(tid);
        let at = raw.rip - 1;
        if !self.breakpoints.contains_key(&at) {
            return false;
        }
        raw.rip = at;
        // SAFETY: the thread is stopped; `raw` outlives the call.
        unsafe { libc::ptrace(libc::PTRACE_SETREGS, tid, 0, &raw) };
        true
    }

    fn stop_others(&mut self, except: i32) {
        let tids: Vec<i32> = self.threads.keys().copied().filter(|&t| t != except).collect();
        for tid in tids {
            // SAFETY: plain system call.
            unsafe { libc::syscall(libc::SYS_tgkill, self.pid, tid, libc::SIGSTOP) };
            loop {
                let status = wait_for(tid);
                if libc::WIFEXITED(status) || libc::WIFSIGNALED(status) {
                    self.threads.remove(&tid);
                    break;
                }
                let signal = libc::WSTOPSIG(status);
                if signal == libc::SIGSTOP && status >> 16 == 0 {
                    break;
                }
                let ours = signal == libc::SIGTRAP && status >> 16 == 0 && self.at_breakpoint(tid);
                if !ours && status >> 16 == 0 && signal != libc::SIGTRAP {
                    self.threads.insert(tid, signal);
                }
                // The SIGSTOP is still to come.
                // SAFETY: the thread is stopped.
                unsafe { libc::ptrace(libc::PTRACE_CONT, tid, 0, 0) };
            }
        }
    }

    fn resume(&mut self, tid: i32, request: libc::c_uint) {
        let signal = self.threads.insert(tid, 0).unwrap_or(0);
        // SAFETY: the thread is stopped and traced by this thread.
        unsafe { libc::ptrace(request, tid, 0, signal) };
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        // The leader's end is reported after that of the other threads, which only their tracer can reap: also of those
        // that were born and not seen yet.
        while !matches!(wait_any(), (tid, _) if tid < 0 || tid == self.pid) {}
    }
}

fn wait_for(tid: i32) -> i32 {
    let mut status = 0;
    // SAFETY: `status` outlives the call.
    unsafe { libc::waitpid(tid, &mut status, libc::__WALL) };
    status
}

/// A stop of a thread traced by this (test) thread only: tests run side by side.
fn wait_any() -> (i32, i32) {
    let mut status = 0;
    // SAFETY: `status` outlives the call.
    let tid = unsafe { libc::waitpid(-1, &mut status, libc::__WALL | libc::__WNOTHREAD) };
    (tid, status)
}

fn raw_regs(tid: i32) -> libc::user_regs_struct {
    // SAFETY: plain data.
    let mut raw: libc::user_regs_struct = unsafe { std::mem::zeroed() };
    // SAFETY: the thread is stopped; `raw` outlives the call.
    unsafe { libc::ptrace(libc::PTRACE_GETREGS, tid, 0, &mut raw) };
    raw
}

fn regs_of(tid: i32) -> Regs {
    let r = raw_regs(tid);
    let mut regs = Regs::new(Arch::Amd64);
    let values = [
        r.rax, r.rdx, r.rcx, r.rbx, r.rsi, r.rdi, r.rbp, r.rsp, r.r8, r.r9, r.r10, r.r11, r.r12, r.r13,
        r.r14, r.r15, r.rip,
    ];
    for (n, v) in values.into_iter().enumerate() {
        regs.set(Reg(n as u16), v);
    }
    regs.tls = r.fs_base;
    regs.flags = r.eflags;
    regs
}

fn at_entry(pid: i32) -> u64 {
    let auxv = std::fs::read(format!("/proc/{pid}/auxv")).unwrap();
    let words: Vec<u64> = auxv.as_chunks::<8>().0.iter().map(|w| u64::from_le_bytes(*w)).collect();
    words.chunks(2).find(|w| w[0] == 9).unwrap()[1]
}
