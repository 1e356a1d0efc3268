//! The driver: what the session asks for, as packets, while the program stands still.

use std::{
    process::Child,
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, never, select};
use machine::{Arch, Reg, Regs};
use rsp::{RegisterLayout, StopReply};

use super::connection::{Connection, ok};
use crate::{
    Event, Plan, Signal, StepOver, Stop, TargetError, Tid, Why,
    actor::{Driver, Job},
    memory::ProcMemory,
    output::{Emitter, Outputs},
    process,
};

/// Bytes written by one `M` packet.
const WRITE_CHUNK: usize = 1024;
/// SIGTRAP, SIGSEGV, SIGILL, SIGBUS, SIGFPE in GDB's numbers.
const TRAP: u8 = 5;
const FAULTS: [u8; 4] = [11, 4, 10, 8];
/// Signals of job control.
const STOPS: [i32; 4] = [libc::SIGSTOP, libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];
/// How often we look whether a program runs that was let go.
const LOOKS_AFTER_DETACH: usize = 4;
/// Registers by GDB's names, in DWARF order.
const NAMES: [&str; 17] = [
    "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
    "r15", "rip",
];

/// The driver's state; lives on its thread.
pub(super) struct Server {
    pub(super) pid: i32,
    pub(super) child: Child,
    /// Held for as long as the server may live.
    pub(super) guard: Option<std::os::fd::OwnedFd>,
    pub(super) connection: Connection,
    pub(super) layout: RegisterLayout,
    pub(super) memory: Arc<ProcMemory>,
    pub(super) emitter: Emitter,
    /// Until the end.
    pub(super) outputs: Option<Outputs>,
    /// The end of a launched program as its real parent sees it.
    pub(super) end: Option<Receiver<Event>>,
    pub(super) running: bool,
    pub(super) over: bool,
    /// Job control stopped it, as far as we know: it was found so, or a stop signal was delivered.
    pub(super) stopped_by_others: bool,
    /// We are killing it: a connection that breaks is no surprise.
    pub(super) killing: bool,
    /// SIGINTs that we sent and that have not been reported.
    pub(super) interrupts_due: u32,
    pub(super) interrupt_wanted: bool,
    /// Stops of other threads that came during a step.
    pub(super) pending: Vec<Stop>,
    /// Given to the session, not named in a resume yet.
    pub(super) held: Vec<(Tid, Signal)>,
    /// The thread selected by `Hg`.
    selected: Option<Tid>,
    /// Threads that the last resume told to make one step.
    pub(super) stepping: Vec<Tid>,
    /// The last resume's actions without their signals: what goes on after a stop that nobody needs to hear of.
    pub(super) replay: String,
}

impl Server {
    #[allow(clippy::too_many_arguments, reason = "one value for each part, made in one place")]
    pub(super) fn new(
        pid: i32,
        child: Child,
        connection: Connection,
        memory: Arc<ProcMemory>,
        emitter: Emitter,
        outputs: Option<Outputs>,
        end: Option<Receiver<Event>>,
    ) -> Server {
        Server {
            pid,
            child,
            guard: None,
            connection,
            layout: RegisterLayout::default(),
            memory,
            emitter,
            outputs,
            end,
            running: false,
            over: false,
            stopped_by_others: false,
            killing: false,
            interrupts_due: 0,
            interrupt_wanted: false,
            pending: Vec::new(),
            held: Vec::new(),
            selected: None,
            stepping: Vec::new(),
            replay: String::new(),
        }
    }

    pub(super) fn launched(&self) -> bool {
        self.end.is_some()
    }

    /// The driver's loop. Ends with the program, or when the session is gone.
    pub(super) fn run(&mut self, jobs: &Receiver<Job<Server>>) {
        let packets = self.connection.packets().clone();
        let end = self.end.clone().unwrap_or_else(never);
        while !self.over {
            // Answers are taken by the jobs that ask; what comes between jobs is a stop, or the server's end.
            select! {
                recv(jobs) -> job => match job {
                    Ok(job) => job(self),
                    Err(_) => self.session_is_gone(),
                },
                recv(packets) -> p => match p {
                    Ok(p) if self.running => self.on_received(p),
                    Ok(_) => {}
                    Err(_) => self.on_eof(),
                },
                recv(end) -> e => self.on_end(e.ok()),
                default(process::DEATH_WATCH) => self.look_for_death(),
            }
        }
        self.connection.close();
        self.reap_server();
        // What the session still asks is answered ("ended") until it drops its end: a job left in the queue would never be.
        for job in jobs {
            job(self);
        }
    }

    /// If the program was killed while it stood, the server says how it ended once it is told to go on.
    fn look_for_death(&mut self) {
        let stands = !self.running && !self.over && !self.killing;
        if stands && process::is_dead(self.pid) && self.vcont(";c").is_ok() {
            self.running = true;
        }
    }

    fn session_is_gone(&mut self) {
        if self.launched() {
            process::signal(-self.pid, libc::SIGKILL);
        } else if let Err(e) = self.detach() {
            tracing::warn!("detaching: {e}");
        }
        self.over = true;
    }

    /// The server ends when its connection closes; if not, it is ended.
    fn reap_server(&mut self) {
        let deadline = Instant::now() + Duration::from_millis(500);
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        self.kill_server();
        let _reaped = self.child.wait();
    }

    /// Ends the server with everything it started: it leads a process group of its own.
    pub(super) fn kill_server(&mut self) {
        let group = self.child.id() as i32;
        // SAFETY: kill takes no pointers; the child is not reaped yet, so the group is still its own.
        unsafe { libc::kill(-group, libc::SIGKILL) };
        let _dead = self.child.kill();
    }

    pub(super) fn need_stopped(&self) -> Result<(), TargetError> {
        if self.over || self.killing {
            Err(TargetError::Ended)
        } else if self.running {
            Err(TargetError::Running)
        } else {
            Ok(())
        }
    }

    fn thread_name(&self, tid: Tid) -> String {
        format!("p{:x}.{:x}", self.pid, tid.0)
    }

    /// The whole `g` packet of a thread.
    fn registers(&mut self, tid: Tid) -> Result<Vec<u8>, TargetError> {
        let g = if self.selected == Some(tid) {
            self.connection.ask("g")?
        } else {
            let select = format!("Hg{}", self.thread_name(tid));
            self.connection.send_all(&[&select, "g"])?;
            let selected = self.connection.answer()?;
            let g = self.connection.answer()?;
            ok(&selected, &select).map_err(|_| TargetError::NoSuchThread(tid))?;
            self.selected = Some(tid);
            g
        };
        let bytes =
            rsp::unhex(&g).ok_or_else(|| TargetError::Protocol(String::from_utf8_lossy(&g).into_owned()))?;
        if bytes.len() < self.layout.size().min(1) {
            return Err(TargetError::NoSuchThread(tid));
        }
        Ok(bytes)
    }

    pub(super) fn pc_of(&mut self, tid: Tid) -> Result<u64, TargetError> {
        let g = self.registers(tid)?;
        self.layout.value(&g, "rip").ok_or_else(|| TargetError::Protocol("registers without rip".into()))
    }

    pub(super) fn set_pc(&mut self, tid: Tid, pc: u64) -> Result<(), TargetError> {
        let mut regs = Regs::new(Arch::Amd64);
        regs.set_pc(pc);
        self.write_known(tid, &regs, false)
    }

    fn write_known(&mut self, tid: Tid, regs: &Regs, flags: bool) -> Result<(), TargetError> {
        let mut g = self.registers(tid)?;
        let old_pc = self.layout.value(&g, "rip");
        for (n, name) in NAMES.iter().enumerate() {
            if let (Some(v), Some(slot)) = (regs.get(Reg(n as u16)), self.layout.slice_mut(&mut g, name)) {
                slot.copy_from_slice(v.to_le_bytes().get(..slot.len()).unwrap_or_default());
            }
        }
        if flags {
            self.put_others(&mut g, regs, old_pc);
        }
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
        for (n, value) in regs.vectors().iter().enumerate() {
            if let Some(slot) =
                self.layout.slice_mut(g, &format!("xmm{n}")).filter(|s| s.len() == value.len())
            {
                slot.copy_from_slice(value);
            }
        }
    }

    /// A SIGINT of ours that is still in the kernel would hit the program once nobody takes it out.
    fn swallow_interrupt(&mut self) -> Result<(), TargetError> {
        if self.interrupts_due > 0 && !self.over {
            self.interrupt_wanted = true;
            self.replay = ";c".into();
            self.vcont(";c")?;
            self.running = true;
            self.wait_for_stop()?;
        }
        Ok(())
    }

    pub(super) fn write_through_server(&mut self, addr: u64, bytes: &[u8]) -> Result<(), TargetError> {
        for (i, chunk) in bytes.chunks(WRITE_CHUNK).enumerate() {
            let at = addr.wrapping_add((i * WRITE_CHUNK) as u64);
            self.connection.command(&format!("M{at:x},{:x}:{}", chunk.len(), rsp::hex(chunk))).map_err(
                |e| if matches!(e, TargetError::Protocol(_)) { TargetError::Unmapped(at) } else { e },
            )?;
        }
        Ok(())
    }

    /// Sends Z0 or z0 for every breakpoint.
    pub(super) fn switch_all(&mut self, on: bool) -> Result<(), TargetError> {
        let kind = if on { 'Z' } else { 'z' };
        let addrs: Vec<u64> = self.memory.breakpoints().into_iter().map(|b| b.0).collect();
        addrs.iter().try_for_each(|a| self.connection.command(&format!("{kind}0,{a:x},1")))
    }

    /// Resumes by a `vCont` packet; its answer is a stop reply that comes later.
    pub(super) fn vcont(&mut self, actions: &str) -> Result<(), TargetError> {
        self.selected = None;
        self.connection.send(format!("vCont{actions}").as_bytes())
    }

    /// One step; true if it is finished.
    fn step_reply(&mut self, tid: Tid, out: &mut StepOver, until: Instant) -> Result<bool, TargetError> {
        let packet = match self.connection.receive(until) {
            Err(TargetError::Silent) => return self.step_timed_out(),
            other => other?,
        };
        let reply = rsp::parse_stop(&packet);
        let Some(StopReply::Stopped { signal, thread, pc, breakpoint, .. }) = reply else {
            return match reply {
                Some(reply) => {
                    self.on_end_reply(&reply);
                    Ok(true)
                }
                None => Err(TargetError::Protocol(String::from_utf8_lossy(&packet).into_owned())),
            };
        };
        let who = thread.map_or(tid, |t| Tid(t.tid));
        if who != tid {
            // Another thread, released for a system call.
            match (signal, pc) {
                (TRAP, Some(pc)) if breakpoint => {
                    self.pending.push(Stop { tid: who, why: Why::Breakpoint(pc) })
                }
                (TRAP | 0, _) => {}
                (s, _) => self.requeue(who, Signal(rsp::from_gdb(s))),
            }
            return Ok(false);
        }
        if signal == TRAP || signal == 0 {
            return Ok(true);
        }
        if signal == rsp::to_gdb(libc::SIGINT) && self.interrupts_due > 0 {
            self.interrupts_due -= 1;
            return Ok(false);
        }
        out.pending.push((tid, Signal(rsp::from_gdb(signal))));
        Ok(FAULTS.contains(&signal))
    }

    /// Puts a signal back into the kernel's queue of its thread: that thread may stand at a hit that is not reported yet, and no
    /// signal may reach it before. A fault is not sent: its instruction has not run and faults again.
    pub(super) fn requeue(&mut self, tid: Tid, signal: Signal) {
        if !FAULTS.contains(&rsp::to_gdb(signal.0)) {
            process::signal_thread(self.pid, tid.0, signal.0);
        }
    }

    fn step_timed_out(&mut self) -> Result<bool, TargetError> {
        // SAFETY: kill takes no pointers.
        unsafe { libc::kill(self.pid, libc::SIGINT) };
        let _stop = self.connection.receive(Instant::now() + Duration::from_secs(2))?;
        Err(TargetError::StepTimeout(Duration::ZERO))
    }

    fn is_system_call(&self, pc: u64) -> bool {
        let byte = |a: u64| self.memory.original(a).or_else(|| self.memory.raw_byte(a));
        byte(pc) == Some(0x0f) && byte(pc.wrapping_add(1)) == Some(0x05)
    }
}

impl Driver for Server {
    fn threads(&mut self) -> Result<Vec<Tid>, TargetError> {
        self.need_stopped()?;
        process::threads(self.pid)
    }

    fn read_regs(&mut self, tid: Tid) -> Result<Regs, TargetError> {
        self.need_stopped()?;
        let g = self.registers(tid)?;
        let mut regs = Regs::new(Arch::Amd64);
        for (n, name) in NAMES.iter().enumerate() {
            if let Some(v) = self.layout.value(&g, name) {
                regs.set(Reg(n as u16), v);
            }
        }
        regs.flags = self.layout.value(&g, "eflags").unwrap_or(0);
        regs.tls = self.layout.value(&g, "fs_base").unwrap_or(0);
        regs.orig_syscall = self.layout.value(&g, "orig_rax").map_or(-1, |v| v as i64);
        let vectors: Vec<[u8; 16]> =
            (0..16).map_while(|i| self.layout.slice(&g, &format!("xmm{i}"))?.try_into().ok()).collect();
        regs.set_vectors(vectors);
        Ok(regs)
    }

    fn write_regs(&mut self, tid: Tid, regs: &Regs) -> Result<(), TargetError> {
        self.need_stopped()?;
        self.write_known(tid, regs, true)
    }

    fn write_memory(&mut self, addr: u64, bytes: &[u8]) -> Result<(), TargetError> {
        self.need_stopped()?;
        self.write_through_server(addr, bytes)
    }

    fn set_breakpoint(&mut self, addr: u64) -> Result<(), TargetError> {
        self.need_stopped()?;
        let byte = self.memory.raw_byte(addr).ok_or(TargetError::Unmapped(addr))?;
        self.connection.command(&format!("Z0,{addr:x},1")).map_err(|_| TargetError::Unmapped(addr))?;
        self.memory.add(addr, byte);
        Ok(())
    }

    fn clear_breakpoint(&mut self, addr: u64) -> Result<(), TargetError> {
        self.need_stopped()?;
        self.connection.command(&format!("z0,{addr:x},1"))?;
        self.memory.remove(addr);
        Ok(())
    }

    fn resume(&mut self, plan: &Plan) -> Result<(), TargetError> {
        if self.over {
            // Its end is on its way.
            return Ok(());
        }
        self.need_stopped()?;
        if self.tell_pending() {
            for (tid, _, signal) in &plan.threads {
                if let Some(s) = signal {
                    self.held.retain(|h| h != &(*tid, *s));
                    self.requeue(*tid, *s);
                }
            }
            return Ok(());
        }
        let mut actions = String::new();
        let mut named: Vec<Tid> = Vec::new();
        self.stepping.clear();
        self.replay.clear();
        for (tid, action, signal) in &plan.threads {
            if let Some(signal) = signal {
                self.held.retain(|h| h != &(*tid, *signal));
                self.stopped_by_others |= STOPS.contains(&signal.0);
            }
            if named.contains(tid) {
                // A second signal of the same thread.
                if let Some(signal) = signal {
                    self.requeue(*tid, *signal);
                }
                continue;
            }
            let plain = if *action == crate::Action::Step { 's' } else { 'c' };
            self.replay.push_str(&format!(";{plain}:{}", self.thread_name(*tid)));
            if *action == crate::Action::Step {
                self.stepping.push(*tid);
            }
            let letter = match (action, signal) {
                (crate::Action::Continue, None) => "c".to_string(),
                (crate::Action::Step, None) => "s".to_string(),
                (crate::Action::Continue, Some(s)) => format!("C{:02x}", rsp::to_gdb(s.0)),
                (crate::Action::Step, Some(s)) => format!("S{:02x}", rsp::to_gdb(s.0)),
            };
            actions.push_str(&format!(";{letter}:{}", self.thread_name(*tid)));
            named.push(*tid);
        }
        if plan.run_others {
            actions.push_str(";c");
            self.replay.push_str(";c");
        }
        self.memory.set_running(true);
        self.vcont(&actions)?;
        self.running = true;
        Ok(())
    }

    fn step_over(&mut self, tid: Tid, deadline: Duration) -> Result<StepOver, TargetError> {
        self.need_stopped()?;
        let pc = self.pc_of(tid)?;
        let lifted = self.memory.original(pc).is_some();
        let step = if self.is_system_call(pc) {
            format!("vCont;s:{};c", self.thread_name(tid))
        } else {
            format!("vCont;s:{}", self.thread_name(tid))
        };
        let until = Instant::now() + deadline;
        let mut out = StepOver::default();
        self.selected = None;
        if lifted {
            let lift = format!("z0,{pc:x},1");
            self.connection.send_all(&[&lift, &step])?;
            let answer = self.connection.answer()?;
            ok(&answer, &lift)?;
        } else {
            self.connection.send(step.as_bytes())?;
        }
        let result: Result<StepOver, TargetError> = loop {
            match self.step_reply(tid, &mut out, until) {
                Ok(true) => break Ok(out),
                Ok(false) => self.connection.send(step.as_bytes())?,
                Err(e) => break Err(e),
            }
        };
        if lifted && !self.over {
            self.connection.command(&format!("Z0,{pc:x},1"))?;
        }
        self.memory.drop_cache();
        let mut out = result.map_err(|e| match e {
            TargetError::StepTimeout(_) => TargetError::StepTimeout(deadline),
            e => e,
        })?;
        self.held.extend(out.pending.iter().copied());
        if self.over {
            out.instead = Some(Event::Stopped(Stop { tid, why: Why::Spurious }));
        }
        Ok(out)
    }

    fn interrupt(&mut self) -> Result<(), TargetError> {
        if self.running {
            self.interrupt_wanted = true;
            if self.interrupts_due > 0 {
                // Signals of one number don't add up: the one under way serves.
                return Ok(());
            }
            self.interrupts_due = 1;
            // The server's own interrupt signals the process group, which an attached program need not lead.
            // SAFETY: kill takes no pointers.
            unsafe { libc::kill(self.pid, libc::SIGINT) };
        }
        Ok(())
    }

    fn detach(&mut self) -> Result<(), TargetError> {
        if self.over {
            return Ok(());
        }
        if self.running {
            self.interrupt()?;
            self.wait_for_stop()?;
        }
        self.switch_all(false)?;
        self.swallow_interrupt()?;
        for (addr, _) in self.memory.breakpoints() {
            self.memory.remove(addr);
        }
        for (tid, signal) in std::mem::take(&mut self.held) {
            process::signal_thread(self.pid, tid.0, signal.0);
        }
        self.connection.command(&format!("D;{:x}", self.pid))?;
        self.over = true;
        if !self.launched() && !self.stopped_by_others {
            wake_left_stopped(self.pid);
        }
        Ok(())
    }

    fn kill(&mut self) -> Result<(), TargetError> {
        if self.over {
            return Ok(());
        }
        self.killing = true;
        kill_program(self.pid, self.launched());
        // A dead tracer lets the real parent reap at once, whatever state the server was in.
        self.kill_server();
        if !self.launched() {
            self.over = true;
            self.memory.set_ended();
            self.emitter.post(Event::Signalled { signal: Signal(libc::SIGKILL) });
        }
        Ok(())
    }
}

/// gdbserver stops new threads by a SIGSTOP, and one that is still on its way when it lets go stops the program for ever.
fn wake_left_stopped(pid: i32) {
    for _ in 0..LOOKS_AFTER_DETACH {
        std::thread::sleep(Duration::from_millis(5));
        if process::state(pid) == Some('T') {
            return process::signal(pid, libc::SIGCONT);
        }
    }
}

fn kill_program(pid: i32, launched: bool) {
    if launched {
        process::signal(-pid, libc::SIGKILL);
    } else {
        process::signal(pid, libc::SIGKILL);
    }
}
