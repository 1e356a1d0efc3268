//! What the server says while the program runs: stops, children, ends, and its own death.

use std::time::{Duration, Instant};

use rsp::{Received, StopReply, ThreadId};

use super::driver::Server;
use crate::{Event, Signal, Stop, TargetError, Tid, Why, memory::ProcMemory, output::tell_end, process};

/// How long the real end of a launched program may come after the server's word of it.
const END_DEADLINE: Duration = Duration::from_secs(2);
/// How long after the server's end that of a launched program may be seen to have come before it.
const LAST_WORD_DEADLINE: Duration = Duration::from_millis(300);
/// How long a vfork child may run in the program's memory.
const VFORK_DEADLINE: Duration = Duration::from_secs(30);
const STOP_DEADLINE: Duration = Duration::from_secs(5);
const TRAP: u8 = 5;
const INT3: u8 = 0xcc;

impl Server {
    pub(super) fn on_received(&mut self, r: Received) {
        match r {
            Received::Packet(p) => {
                if let Err(e) = self.on_stop_packet(&p) {
                    self.on_failure(&e);
                }
            }
            Received::Ack | Received::Nack | Received::Notification(_) => {}
            Received::Corrupt => self.on_failure(&TargetError::Protocol("a corrupt packet".into())),
        }
    }

    fn on_failure(&mut self, e: &TargetError) {
        if self.killing || self.over {
            return;
        }
        // gdbserver answers E01 for a thread that ended with its program: then the parent knows how, once the server lets go of it.
        if self.launched() {
            self.connection.close();
        }
        match self.own_end() {
            Some(end) => self.finish(end),
            None => self.lost(&e.to_string()),
        }
    }

    fn on_stop_packet(&mut self, packet: &[u8]) -> Result<(), TargetError> {
        if packet.first() == Some(&b'O') || packet.is_empty() {
            return Ok(());
        }
        let reply = rsp::parse_stop(packet).ok_or_else(|| {
            TargetError::Protocol(format!("{:?} instead of a stop", String::from_utf8_lossy(packet)))
        })?;
        let StopReply::Stopped { signal, thread, pc, breakpoint, fork, vfork, vfork_done: _, exec } = reply
        else {
            self.on_end_reply(&reply);
            return Ok(());
        };
        self.memory.drop_cache();
        let tid = thread.map_or(Tid(self.pid), |t| Tid(t.tid));
        if let Some(child) = fork {
            self.running = false;
            self.let_fork_go(child)?;
            return self.go_on(None);
        }
        if let Some(child) = vfork {
            self.running = false;
            self.wait_out_vfork(tid, child)?;
            return self.go_on(None);
        }
        if let Some(path) = exec {
            self.running = false;
            self.memory.exec();
            self.memory.set_running(false);
            self.held.clear();
            self.emitter.post(Event::Exec { tid, path: path.into() });
            return Ok(());
        }
        if signal == TRAP {
            return self.on_trap(tid, pc, breakpoint);
        }
        if signal == rsp::to_gdb(libc::SIGINT) && self.interrupts_due > 0 {
            self.interrupts_due -= 1;
            if !self.interrupt_wanted {
                return self.go_on(None);
            }
            self.stopped(Stop { tid, why: Why::Interrupted });
            return Ok(());
        }
        if signal == 0 {
            return self.go_on(None);
        }
        if self.stepping.contains(&tid) {
            let signal = Signal(rsp::from_gdb(signal));
            self.held.push((tid, signal));
            self.stopped(Stop { tid, why: Why::Signal(signal) });
            return Ok(());
        }
        // The program's own business (a nil dereference, a signal that the server does not pass by itself).
        self.go_on(Some((tid, signal)))
    }

    /// Runs on after a stop that nobody is told of, with the signal that stopped a thread.
    fn go_on(&mut self, signal: Option<(Tid, u8)>) -> Result<(), TargetError> {
        if self.tell_pending() {
            if let Some((tid, signal)) = signal {
                self.requeue(tid, Signal(rsp::from_gdb(signal)));
            }
            return Ok(());
        }
        let first =
            signal.map(|(tid, s)| format!(";C{s:02x}:p{:x}.{:x}", self.pid, tid.0)).unwrap_or_default();
        let replay = self.replay.clone();
        self.memory.set_running(true);
        self.vcont(&format!("{first}{replay}"))?;
        self.running = true;
        Ok(())
    }

    fn stopped(&mut self, stop: Stop) {
        self.running = false;
        self.interrupt_wanted = false;
        self.memory.set_running(false);
        self.emitter.post(Event::Stopped(stop));
    }

    fn on_trap(&mut self, tid: Tid, pc: Option<u64>, breakpoint: bool) -> Result<(), TargetError> {
        self.running = false;
        let pc = match pc {
            Some(pc) => pc,
            None => self.pc_of(tid)?,
        };
        if breakpoint && self.memory.original(pc).is_some() {
            self.stopped(Stop { tid, why: Why::Breakpoint(pc) });
            return Ok(());
        }
        if breakpoint && self.memory.raw_byte(pc) == Some(INT3) {
            // A hard-coded int3: the server sets the pc on it and would report it for ever.
            self.set_pc(tid, pc.wrapping_add(1))?;
            self.stopped(Stop { tid, why: Why::HardTrap });
            return Ok(());
        }
        if !breakpoint && self.stepping.contains(&tid) {
            self.stopped(Stop { tid, why: Why::StepDone });
            return Ok(());
        }
        if !breakpoint {
            // Sent by somebody with kill.
            return self.go_on(Some((tid, TRAP)));
        }
        // A hit of a breakpoint that was removed meanwhile; the pc is set back already.
        self.go_on(None)
    }

    /// The first stop kept from a step that still counts is told; true if there was one.
    pub(super) fn tell_pending(&mut self) -> bool {
        while !self.pending.is_empty() {
            let stop = self.pending.remove(0);
            if let Why::Breakpoint(addr) = stop.why
                && self.memory.original(addr).is_none()
            {
                continue;
            }
            self.stopped(stop);
            return true;
        }
        false
    }

    /// fork: the child has a copy of the memory, breakpoints included; it gets the original bytes and is let go.
    fn let_fork_go(&mut self, child: ThreadId) -> Result<(), TargetError> {
        let pid = child.pid.unwrap_or(child.tid);
        let memory = ProcMemory::open(pid);
        for (addr, byte) in self.memory.breakpoints() {
            if !memory.write_raw(addr, &[byte]) {
                tracing::warn!("the breakpoint at {addr:#x} stays in child {pid}");
            }
        }
        self.connection.command(&format!("D;{pid:x}"))
    }

    /// vfork: the child runs in the program's own memory while its parent waits. All other threads are held and all breakpoints
    /// are out for that time: no hit is missed and none hits the child.
    fn wait_out_vfork(&mut self, parent: Tid, child: ThreadId) -> Result<(), TargetError> {
        self.switch_all(false)?;
        self.connection.command(&format!("D;{:x}", child.pid.unwrap_or(child.tid)))?;
        let until = Instant::now() + VFORK_DEADLINE;
        let only_parent = format!(";c:p{:x}.{:x}", self.pid, parent.0);
        self.vcont(&only_parent)?;
        loop {
            let packet = self.connection.receive(until)?;
            match rsp::parse_stop(&packet) {
                Some(StopReply::Stopped { vfork_done: true, .. }) => break,
                Some(StopReply::Stopped { signal, .. }) if signal != 0 && signal != TRAP => {
                    self.vcont(&format!(";C{signal:02x}:p{:x}.{:x}", self.pid, parent.0))?;
                }
                Some(StopReply::Stopped { .. }) => self.vcont(&only_parent)?,
                Some(end) => {
                    self.on_end_reply(&end);
                    return Ok(());
                }
                None => {}
            }
        }
        self.switch_all(true)
    }

    /// `W`, `X`: the program's end. For a launched one its real parent's word counts.
    pub(super) fn on_end_reply(&mut self, reply: &StopReply) {
        let told = match reply {
            StopReply::Exited { code, .. } => Event::Exited { code: *code },
            StopReply::Signalled { signal, .. } => {
                Event::Signalled { signal: Signal(rsp::from_gdb(*signal)) }
            }
            StopReply::NoResumed | StopReply::Stopped { .. } => return,
        };
        // Closing lets the server go, and so the parent reap.
        self.connection.close();
        let real = self.end.as_ref().and_then(|e| e.recv_timeout(END_DEADLINE).ok());
        self.finish(real.unwrap_or(told));
    }

    /// The real parent saw the end.
    pub(super) fn on_end(&mut self, e: Option<Event>) {
        self.finish(e.unwrap_or(Event::Lost { why: "the program's parent thread is gone".into() }));
    }

    fn finish(&mut self, e: Event) {
        self.running = false;
        self.over = true;
        self.memory.set_ended();
        tell_end(self.outputs.take(), self.emitter.clone(), e);
    }

    /// The connection broke.
    pub(super) fn on_eof(&mut self) {
        if self.killing && self.launched() {
            let end = self.end.as_ref().and_then(|e| e.recv_timeout(END_DEADLINE).ok());
            return self.finish(end.unwrap_or(Event::Signalled { signal: Signal(libc::SIGKILL) }));
        }
        match self.own_end() {
            Some(end) => self.finish(end),
            None => self.lost("gdbserver ended"),
        }
    }

    /// How a launched program ended by itself, where the server ended with it instead of telling so. A signal tells nothing: the death of
    /// its tracer kills a program as well.
    fn own_end(&self) -> Option<Event> {
        let end = self.end.as_ref()?.recv_timeout(LAST_WORD_DEADLINE).ok()?;
        matches!(end, Event::Exited { .. }).then_some(end)
    }

    /// The server is gone: a launched program is killed, an attached one gets its bytes back and runs on.
    fn lost(&mut self, why: &str) {
        self.kill_server();
        if self.launched() {
            process::signal(-self.pid, libc::SIGKILL);
        } else {
            self.restore_without_server();
        }
        self.finish(Event::Lost { why: why.to_string() });
    }

    fn restore_without_server(&mut self) {
        // SAFETY: kill takes no pointers.
        unsafe { libc::kill(self.pid, libc::SIGSTOP) };
        for (addr, byte) in self.memory.breakpoints() {
            if !self.memory.write_raw(addr, &[byte]) {
                tracing::warn!("the breakpoint at {addr:#x} could not be taken out");
            }
        }
        // SAFETY: kill takes no pointers.
        unsafe { libc::kill(self.pid, libc::SIGCONT) };
    }

    /// Waits for the stop that an interrupt leads to; what else comes first is handled on the way.
    pub(super) fn wait_for_stop(&mut self) -> Result<(), TargetError> {
        let until = Instant::now() + STOP_DEADLINE;
        while self.running && !self.over {
            let packet = self.connection.receive(until)?;
            self.on_stop_packet(&packet)?;
        }
        Ok(())
    }
}
