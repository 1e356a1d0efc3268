//! A process under gdbserver, as the tests need it: breakpoints, registers, memory, one event at a time.

use std::io::{BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use machine::{Arch, MemError, Memory, Reg, Regs};

struct Wire {
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// An amd64 process stopped under gdbserver; killed when dropped.
pub(crate) struct Process {
    child: Child,
    wire: Mutex<Wire>,
    pub(crate) pid: i32,
    mem: std::fs::File,
}

/// Why the process stopped.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Thread id as the server names it.
    Trap(String),
    Signal(u8, String),
    Exited,
}

impl Process {
    pub(crate) fn start(program: &Path, args: &[&str], env: &[(&str, &str)]) -> Option<Process> {
        let mut child = Command::new("gdbserver")
            .args(["--disable-randomization", "--once", "-"])
            .arg(program)
            .args(args)
            .envs(env.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let wire = Wire { input: child.stdin.take()?, output: BufReader::new(child.stdout.take()?) };
        let wire = Mutex::new(wire);
        let mut p = Process { child, wire, pid: 0, mem: std::fs::File::open("/dev/zero").ok()? };
        p.ask("qSupported:multiprocess-;swbreak+;vContSupported+");
        p.ask("QStartNoAckMode");
        p.ask("QPassSignals:e;17;1a;1b;2c;");
        p.ask("?");
        p.ask("Hg0");
        let thread = p.ask("qC");
        p.pid = i32::from_str_radix(thread.trim_start_matches("QC").split('.').next_back()?, 16).ok()?;
        let path = format!("/proc/{}/mem", p.pid);
        p.mem = std::fs::File::open(path).ok()?;
        Some(p)
    }

    fn ask(&self, packet: &str) -> String {
        let mut w = self.wire.lock().unwrap();
        let sum = packet.bytes().fold(0u8, u8::wrapping_add);
        w.input.write_all(format!("${packet}#{sum:02x}").as_bytes()).unwrap();
        w.input.flush().unwrap();
        loop {
            let mut b = [0u8; 1];
            if w.output.read(&mut b).unwrap_or(0) == 0 {
                return String::new();
            }
            if b[0] != b'$' {
                continue;
            }
            let mut text = Vec::new();
            while w.output.read(&mut b).unwrap_or(0) == 1 && b[0] != b'#' {
                text.push(b[0]);
            }
            let mut sum = [0u8; 2];
            let _ = w.output.read_exact(&mut sum);
            if packet.starts_with("qSupported") || packet.starts_with("QStartNoAck") {
                w.input.write_all(b"+").unwrap();
            }
            let text = expand(&text);
            // Console output of the server.
            if text.starts_with('O') && text != "OK" {
                continue;
            }
            return text;
        }
    }

    pub(crate) fn set(&self, addr: u64) {
        assert_eq!(self.ask(&format!("Z0,{addr:x},1")), "OK", "breakpoint at {addr:#x}");
    }

    pub(crate) fn clear(&self, addr: u64) {
        // One that another thread's hit has removed already is no fault.
        self.ask(&format!("z0,{addr:x},1"));
    }

    fn stop(&self, answer: &str) -> Stop {
        let thread = answer
            .split(';')
            .find_map(|f| f.trim_start_matches(|c: char| c != 't').strip_prefix("thread:"))
            .unwrap_or("")
            .to_string();
        match answer.get(..3) {
            Some(s) if s == "T05" || s == "S05" => Stop::Trap(thread),
            Some(s) if s.starts_with(['T', 'S']) => {
                Stop::Signal(u8::from_str_radix(&s[1..], 16).unwrap_or(0), thread)
            }
            _ => Stop::Exited,
        }
    }

    pub(crate) fn resume(&self) -> Stop {
        let a = self.ask("vCont;c");
        self.stop(&a)
    }

    pub(crate) fn resume_with(&self, signal: u8, thread: &str) -> Stop {
        let a = self.ask(&format!("vCont;C{signal:02x}:{thread};c"));
        self.stop(&a)
    }

    pub(crate) fn step(&self, thread: &str) -> Stop {
        let a = self.ask(&format!("vCont;s:{thread}"));
        self.stop(&a)
    }

    pub(crate) fn regs(&self, thread: &str) -> Regs {
        self.ask(&format!("Hg{thread}"));
        let text = self.ask("g");
        let bytes: Vec<u8> = (0..text.len() / 2)
            .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap_or(0))
            .collect();
        let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        // gdb's order: rax rbx rcx rdx rsi rdi rbp rsp r8-r15 rip eflags(4) segments(6*4) st0-7 fctrl.. xmm0-15
        let order = [0u16, 3, 2, 1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
        let mut r = Regs::new(Arch::Amd64);
        for (i, reg) in order.iter().enumerate() {
            r.set(Reg(*reg), word(8 * i));
        }
        r.flags = u64::from(u32::from_le_bytes(bytes[136..140].try_into().unwrap()));
        let xmm = 17 * 8 + 7 * 4 + 8 * 10 + 8 * 4;
        let vectors =
            (0..16).filter_map(|i| bytes.get(xmm + 16 * i..xmm + 16 * i + 16)?.try_into().ok()).collect();
        r.set_vectors(vectors);
        // mxcsr and orig_rax lie between.
        let fs = xmm + 16 * 16 + 4 + 8;
        if bytes.len() >= fs + 8 {
            r.tls = word(fs);
        }
        r
    }
}

/// Run-length encoding of the remote protocol.
fn expand(bytes: &[u8]) -> String {
    let mut out: Vec<u8> = Vec::new();
    let mut i = 0;
    while i < bytes.len() {
        if bytes[i] == b'*' && i + 1 < bytes.len() {
            let n = bytes[i + 1] - 29;
            let last = *out.last().unwrap_or(&b'0');
            out.extend(std::iter::repeat_n(last, n as usize));
            i += 2;
        } else {
            out.push(bytes[i]);
            i += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

impl Memory for Process {
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<usize, MemError> {
        use std::os::unix::fs::FileExt;
        if addr > i64::MAX as u64 {
            return Ok(0);
        }
        let mut n = 0;
        while n < buf.len() {
            match self.mem.read_at(&mut buf[n..], addr + n as u64) {
                Ok(0) | Err(_) => break,
                Ok(k) => n += k,
            }
        }
        Ok(n)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Ok(w) = self.wire.lock() {
            let mut input = &w.input;
            let _ = input.write_all(b"$k#6b");
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
