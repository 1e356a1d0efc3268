//! The driver: what the session asks for, as packets, while the program stands still.

use std::{
    process::Child,
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, TryRecvError};
use machine::Regs;
use rsp::RegisterLayout;

use super::connection::Connection;
use crate::{
    Event, NotChanged, Plan, Signal, StepOver, Stop, TargetError, Tid,
    actor::{Driver, Gone, Inbox},
    memory::ProcMemory,
    output::{Emitter, Outputs},
    process,
};

/// Bytes written by one `M` packet.
const WRITE_CHUNK: usize = 1024;
/// SIGTRAP, SIGSEGV, SIGILL, SIGBUS, SIGFPE in GDB's numbers.
pub(super) const TRAP: u8 = 5;
pub(super) const FAULTS: [u8; 4] = [11, 4, 10, 8];
/// Signals of job control.
const STOPS: [i32; 4] = [libc::SIGSTOP, libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];
/// How often we look whether a program runs that was let go.
const LOOKS_AFTER_DETACH: usize = 4;

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
    /// `g` packets of this stop.
    pub(super) registers: Vec<(Tid, Vec<u8>)>,
    /// The breakpoint that a step has taken out of memory; it goes back with the next resume.
    pub(super) lifted: Option<u64>,
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
            registers: Vec::new(),
            lifted: None,
            stepping: Vec::new(),
            replay: String::new(),
        }
    }

    pub(super) fn launched(&self) -> bool {
        self.end.is_some()
    }

    /// The driver's loop. Ends with the program, or when the session is gone.
    pub(super) fn run(&mut self, jobs: &Inbox<Server>) {
        while !self.over {
            // Answers are taken by the jobs that ask; what comes between jobs is a stop, or the server's end.
            match jobs.next() {
                Ok(Some(job)) => {
                    job(self);
                    continue;
                }
                Ok(None) => {}
                Err(Gone) => {
                    self.session_is_gone();
                    continue;
                }
            }
            if let Some(r) = self.connection.next_ready() {
                if self.running {
                    self.on_received(r);
                }
            } else if self.connection.is_over() {
                self.on_eof();
            } else if let Some(end) = self.told_end() {
                // A dying server lets the program go, which may end it: then the server's end came first.
                self.connection.fill(Duration::ZERO);
                if self.connection.is_over() && !self.killing {
                    self.on_eof();
                } else {
                    self.on_end(end);
                }
            } else {
                self.wait(jobs);
            }
        }
        self.connection.close();
        self.reap_server();
        // What the session still asks is answered ("ended") until it drops its end: a job left in the queue would never be.
        jobs.serve(self);
    }

    /// What the program's real parent has said of its end.
    fn told_end(&self) -> Option<Option<Event>> {
        match self.end.as_ref()?.try_recv() {
            Ok(e) => Some(Some(e)),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(None),
        }
    }

    /// Until there is a job, a packet, or the program's end.
    fn wait(&mut self, jobs: &Inbox<Server>) {
        let ms = i32::try_from(process::DEATH_WATCH.as_millis()).unwrap_or(i32::MAX);
        let [packet, job] =
            process::poll([(self.connection.fd(), libc::POLLIN), (jobs.fd(), libc::POLLIN)], ms);
        if job != 0 {
            jobs.awake();
        }
        if packet != 0 {
            self.connection.fill(Duration::ZERO);
        }
        if job == 0 && packet == 0 {
            self.look_for_death();
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

    /// Resumes by a `vCont` packet; its answer is a stop reply that comes later.
    pub(super) fn vcont(&mut self, actions: &str) -> Result<(), TargetError> {
        self.registers.clear();
        self.connection.send(format!("vCont{actions}").as_bytes())
    }

    /// Puts a signal back into the kernel's queue of its thread: that thread may stand at a hit that is not reported yet, and no
    /// signal may reach it before. A fault is not sent: its instruction has not run and faults again.
    pub(super) fn requeue(&mut self, tid: Tid, signal: Signal) {
        if !FAULTS.contains(&rsp::to_gdb(signal.0)) {
            process::signal_thread(self.pid, tid.0, signal.0);
        }
    }
}

impl Driver for Server {
    fn threads(&mut self) -> Result<Vec<Tid>, TargetError> {
        self.need_stopped()?;
        process::threads(self.pid)
    }

    fn read_regs(&mut self, tids: &[Tid]) -> Result<Vec<(Tid, Regs)>, TargetError> {
        self.need_stopped()?;
        self.read_all(tids)
    }

    fn write_regs(&mut self, tid: Tid, regs: &Regs) -> Result<(), TargetError> {
        self.need_stopped()?;
        self.write_known(tid, regs, true)
    }

    fn write_memory(&mut self, addr: u64, bytes: &[u8]) -> Result<(), TargetError> {
        self.need_stopped()?;
        self.write_through_server(addr, bytes)
    }

    fn change_breakpoints(&mut self, clear: &[u64], set: &[u64]) -> Result<Vec<NotChanged>, TargetError> {
        self.need_stopped()?;
        self.change(clear, set)
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
        self.run_with(None, &actions)?;
        self.running = true;
        Ok(())
    }

    fn step_over(&mut self, tid: Tid, deadline: Duration) -> Result<StepOver, TargetError> {
        self.step(tid, deadline)
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
