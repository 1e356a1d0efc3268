//! One instruction of one thread, the breakpoint under it lifted. Must never deliver a signal before that instruction has run.
//!
//! The breakpoint goes back together with the packet that lets others run: until then nobody can pass it.

use std::time::{Duration, Instant};

use rsp::StopReply;

use super::{
    breakpoints::packet,
    connection::ok,
    driver::{FAULTS, Server, TRAP},
};
use crate::{Event, Signal, StepOver, Stop, TargetError, Tid, Why};

impl Server {
    pub(super) fn step(&mut self, tid: Tid, deadline: Duration) -> Result<StepOver, TargetError> {
        self.need_stopped()?;
        let pc = self.pc_of(tid)?;
        let alone = format!(";s:{}", self.thread_name(tid));
        let actions = if self.is_system_call(pc) { format!("{alone};c") } else { alone };
        let until = Instant::now() + deadline;
        let mut out = StepOver::default();
        let lift = self.memory.original(pc).is_some().then_some(pc);
        self.run_with(lift, &actions)?;
        let result = loop {
            match self.step_reply(tid, &mut out, until) {
                Ok(true) => break Ok(()),
                Ok(false) => self.vcont(&actions)?,
                Err(e) => break Err(e),
            }
        };
        self.memory.drop_cache();
        result.map_err(|e| match e {
            TargetError::StepTimeout(_) => TargetError::StepTimeout(deadline),
            e => e,
        })?;
        self.held.extend(out.pending.iter().copied());
        if self.over {
            out.instead = Some(Event::Stopped(Stop { tid, why: Why::Spurious }));
        }
        Ok(out)
    }

    /// Resumes with exactly the breakpoint at `lift` out of memory, in one write; another one that a step has left out goes back.
    pub(super) fn run_with(&mut self, lift: Option<u64>, actions: &str) -> Result<(), TargetError> {
        let mut changes = Vec::new();
        if self.lifted != lift {
            changes.extend(self.lifted.map(|addr| (true, addr)));
            changes.extend(lift.map(|addr| (false, addr)));
        }
        self.lifted = lift;
        if changes.is_empty() {
            return self.vcont(actions);
        }
        let mut packets: Vec<String> = changes.iter().map(|(on, addr)| packet(*on, *addr)).collect();
        packets.push(format!("vCont{actions}"));
        self.registers.clear();
        self.connection.send_all(&packets)?;
        for ((on, addr), packet) in changes.iter().zip(&packets) {
            let answer = self.connection.answer()?;
            if let Err(e) = ok(&answer, packet) {
                // The page is gone, and the breakpoint with it.
                tracing::warn!("the breakpoint at {addr:#x}: {e}");
                if *on {
                    self.memory.remove(*addr);
                }
            }
        }
        Ok(())
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
