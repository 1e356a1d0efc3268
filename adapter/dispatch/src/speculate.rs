//! Tier 2: runs whole callees in the interpreter, through the runtime's own code, on the copy-on-write overlay.
//!
//! Asked for only; nothing reaches the program. It goes on as long as everything that decides the way is known, and stops with a reason
//! at what only the program itself can do: the kernel, other goroutines, the clock, chance. Bounded in instructions, depth, memory, time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use machine::{Memory as _, MemoryExt as _};

use crate::code::Code;
use crate::engine::World;
use crate::exec::{self, Modelled};
use crate::interp::{Machine, Step, V};
use crate::{tables, views};

const MAX_INSTRUCTIONS: usize = 400_000;
const MAX_TIME: Duration = Duration::from_secs(2);
const MAX_DEPTH: usize = 100;
/// Words of the overlay.
const MAX_WORDS: usize = 200_000;
/// One allocation, one copy.
const MAX_BYTES: u64 = 256 << 10;
/// Below this much room the callee's frames go to a stack of the sandbox's own.
const ROOM: u64 = 8 << 10;
const STACK: u64 = 512 << 10;
/// Stack arguments of one call.
const MAX_ARGUMENTS: u64 = 4096;

/// An assertion to an interface whose itab the runtime has not made yet: makes one in the overlay, with the same functions. False: the
/// call is none, or it is not sure that the type implements the interface. Before the return address is pushed.
pub(crate) fn assertion(w: &World<'_>, m: &mut Machine<'_>, name: &str) -> bool {
    let word = |m: &Machine<'_>, at: u64| m.load(at, 8, true).map(|v| v.n);
    let (first, typ) = (m.arg(0).map(|v| v.n), m.arg(1).map(|v| v.n));
    let (Some(first), Some(typ)) = (first, typ.filter(|t| *t != 0)) else { return false };
    let (inter, may_fail) = match name {
        // abi.TypeAssert: cache, interface, whether it has the comma-ok form.
        "runtime.typeAssert" => (
            word(m, first.wrapping_add(8)),
            m.load(first.wrapping_add(16), 1, true).is_some_and(|v| v.n != 0),
        ),
        "runtime.assertE2I" => (Some(first), false),
        "runtime.assertE2I2" => (Some(first), true),
        _ => return false,
    };
    let Some(inter) = inter else { return false };
    if tables::lookup(w.image, w.mem, inter, typ).is_some() {
        return false;
    }
    let Some(functions) = views::functions_for(w.image, w.mem, typ, inter) else { return false };
    let itab = match functions {
        Some(functions) => {
            let at = m.allocate(24 + 8 * functions.len() as u64).n;
            let hash = w.image.runtime_hash(typ, w.mem).map_or(0, u64::from);
            for (i, n) in [inter, typ, hash].into_iter().chain(functions).enumerate() {
                m.store(at.wrapping_add(8 * i as u64), Some(V::new(n)), 8);
            }
            at
        }
        None if may_fail => 0,
        None => return false,
    };
    m.forget_registers();
    m.set_result(0, Some(V::new(itab)));
    true
}

/// What one question may spend, all paths of the line together.
pub(crate) struct Budget {
    instructions: usize,
    until: Instant,
}

impl Budget {
    pub(crate) fn new() -> Budget {
        Budget { instructions: MAX_INSTRUCTIONS, until: Instant::now() + MAX_TIME }
    }

    fn spend(&mut self, m: &Machine<'_>) -> Result<(), String> {
        self.instructions =
            self.instructions.checked_sub(1).ok_or("it runs for longer than the sandbox allows")?;
        if self.instructions.is_multiple_of(1024) {
            if Instant::now() > self.until {
                return Err("it runs for longer than the sandbox allows".into());
            }
            if m.written_words() > MAX_WORDS {
                return Err("it writes more memory than the sandbox allows".into());
            }
        }
        Ok(())
    }
}

/// A function that is being run.
struct Frame {
    code: Arc<Code>,
    name: String,
    return_pc: u64,
    /// SP before the call, and how many bytes of arguments were taken along to the sandbox's own stack.
    moved: Option<(u64, u64)>,
}

/// Runs a callee to its return. `Err`: why that can't be done, and `m` is as it was. Call it before the return address is pushed.
pub(crate) fn run<'a>(
    w: &World<'a>,
    m: &mut Machine<'a>,
    target: u64,
    return_pc: u64,
    budget: &mut Budget,
) -> Result<(), String> {
    let mut run = Run { w, m: m.clone(), frames: Vec::new(), own_stack: false };
    run.m.lenient = true;
    let done = run.whole(target, return_pc, budget);
    if let Err(why) = done {
        let at = run.frames.last().map(|f| image::names::short(&image::names::unescape(&f.name)));
        return Err(match at {
            Some(at) => format!("{why} (in {at})"),
            None => why,
        });
    }
    *m = run.m;
    Ok(())
}

struct Run<'w, 'a> {
    w: &'w World<'a>,
    m: Machine<'a>,
    frames: Vec<Frame>,
    own_stack: bool,
}

impl<'a> Run<'_, 'a> {
    fn whole(&mut self, target: u64, return_pc: u64, budget: &mut Budget) -> Result<(), String> {
        let mut pc = self.enter(target, return_pc)?;
        loop {
            let Some(code) = self.frames.last().map(|f| f.code.clone()) else { return Ok(()) };
            pc = self.stay(&code, pc, budget)?;
        }
    }

    /// Runs in one function until it calls or returns.
    fn stay(&mut self, code: &Arc<Code>, mut pc: u64, budget: &mut Budget) -> Result<u64, String> {
        loop {
            budget.spend(&self.m)?;
            let inst = code.at(pc).and_then(|i| code.inst(i)).ok_or("an address that is no instruction")?;
            let step = self.m.step(inst, false);
            if self.m.lost_track() {
                return Err("a store to an address that isn't known".into());
            }
            pc = match step {
                Step::Next => inst.end(),
                Step::Branch { to, .. } if exec::is_growth(self.w, code, to) => inst.end(),
                Step::Branch { taken: Some(t), to } => {
                    if t.n != 0 {
                        to
                    } else {
                        inst.end()
                    }
                }
                Step::Branch { taken: None, .. } => {
                    return Err(format!("a branch at {pc:#x} on a value that the sandbox doesn't know"));
                }
                Step::Jump(Some(t)) if code.contains(t.n) => t.n,
                Step::Jump(Some(t)) => {
                    let left = self.frames.pop().ok_or("no frame")?;
                    self.m.leave();
                    return self.tail(left, t.n);
                }
                Step::Call(Some(t)) => return self.enter(t.n, inst.end()),
                Step::Ret(Some(to)) => return self.leave(to.n),
                Step::Fault(a) => return Err(format!("it faults at address {:#x}", a.n)),
                Step::Syscall => return Err("a system call".into()),
                Step::Stop => return Err("it would crash".into()),
                Step::Jump(None) | Step::Call(None) | Step::Ret(None) => {
                    return Err(format!("a jump at {pc:#x} to an address that isn't known"));
                }
            };
        }
    }

    /// Calls `target`; where execution goes on.
    fn enter(&mut self, target: u64, return_pc: u64) -> Result<u64, String> {
        let w = self.w;
        let f = w.image.functions().at(target).ok_or("code that is not Go's (cgo, vDSO)")?;
        if let Some(why) = refusal(f.name()) {
            return Err(format!("{why}: {}", image::names::short(f.name())));
        }
        if f.is_assembly() && self.search(f.name())? {
            return Ok(return_pc);
        }
        match self.model(f.name(), target)? {
            Modelled::Done => return Ok(return_pc),
            Modelled::Panics => return Err("a panic".into()),
            Modelled::No => {}
        }
        if self.frames.len() >= MAX_DEPTH {
            return Err("calls more than a hundred deep".into());
        }
        let code = w.engine.code(w.image, f).ok_or("code that can't be read")?;
        let name = f.name().to_string();
        let moved = self.make_room(f.args_size())?;
        self.m.enter(return_pc);
        self.frames.push(Frame { code, name, return_pc, moved });
        Ok(target)
    }

    /// A jump to another function, which returns for the one that is left.
    fn tail(&mut self, left: Frame, target: u64) -> Result<u64, String> {
        let at = self.enter(target, left.return_pc)?;
        match self.frames.last_mut() {
            // It runs: what the frame before has moved comes back when it returns.
            Some(f) if at == target && f.moved.is_none() => f.moved = left.moved,
            _ if left.moved.is_some() => return Err("a tail call at the end of the stack".into()),
            _ => {}
        }
        Ok(at)
    }

    fn leave(&mut self, to: u64) -> Result<u64, String> {
        let frame = self.frames.pop().ok_or("no frame")?;
        if to != frame.return_pc {
            self.frames.push(frame);
            return Err("a return to somewhere else".into());
        }
        self.m.leave();
        if let Some((sp, bytes)) = frame.moved {
            let from = self.m.sp().ok_or("no stack pointer")?;
            // Results may be on the stack too.
            self.m.copy(sp, from.n, bytes);
            self.m.set_stack_pointer(sp);
            self.own_stack = false;
        }
        Ok(to)
    }

    /// Real frames never grow into what lies below the goroutine's stack: from near its end the callee runs on another one.
    fn make_room(&mut self, arguments: Option<u32>) -> Result<Option<(u64, u64)>, String> {
        let sp = self.m.sp().ok_or("no stack pointer")?.n;
        if self.own_stack {
            return Ok(None);
        }
        let g = self.m.reg(self.m.arch.g().0 as u8).ok_or("no goroutine")?.n;
        let low = self.m.read_u64(g).map_err(|_| "no goroutine")?;
        if sp.checked_sub(low).is_some_and(|room| room > ROOM) {
            return Ok(None);
        }
        // arm64 keeps the caller's saved link below its arguments.
        let bytes = u64::from(arguments.unwrap_or(256)).min(MAX_ARGUMENTS).next_multiple_of(8) + 16;
        let base = self.m.allocate(STACK).n;
        let top = (base + STACK - bytes - 256) & !15;
        self.m.copy(top, sp, bytes);
        self.m.set_stack_pointer(top);
        self.own_stack = true;
        Ok(Some((sp, bytes)))
    }

    /// Runtime functions whose effect is known and whose code the interpreter can't, or need not, follow.
    fn model(&mut self, name: &str, target: u64) -> Result<Modelled, String> {
        if assertion(self.w, &mut self.m, name) {
            return Ok(Modelled::Done);
        }
        let m = &mut self.m;
        let args = [0, 1, 2, 3, 4].map(|i| m.arg(i).map(|v| v.n));
        let short = name.strip_prefix("runtime.").or_else(|| name.strip_prefix("internal/bytealg."));
        let short = short.or_else(|| name.strip_prefix("internal/runtime/maps.").filter(|n| *n == "rand"));
        let known = "an argument that the sandbox doesn't know";
        let result = match (short.unwrap_or(""), args) {
            ("memmove", [Some(to), Some(from), Some(n), ..]) => {
                bounded(n)?;
                m.copy_bytes(to, from, n);
                return Ok(self.returned(None));
            }
            ("memclrNoHeapPointers" | "memclrHasPointers", [Some(to), Some(n), ..]) => {
                bounded(n)?;
                m.clear(to, n);
                return Ok(self.returned(None));
            }
            ("memequal", [Some(a), Some(b), Some(n), ..]) => u64::from(bytes(m, a, n)? == bytes(m, b, n)?),
            ("cmpstring", [Some(a), Some(n), Some(b), Some(k), _]) => {
                order(&bytes(m, a, n)?, &bytes(m, b, k)?)
            }
            ("Compare", [Some(a), Some(n), _, Some(b), Some(k)]) => order(&bytes(m, a, n)?, &bytes(m, b, k)?),
            // Chance: a number as good as any other. What it decides is announced as speculative.
            ("rand" | "rand32" | "cheaprand" | "fastrand" | "fastrand64" | "bootstrapRand", _) => 4,
            (
                "memmove"
                | "memclrNoHeapPointers"
                | "memclrHasPointers"
                | "memequal"
                | "cmpstring"
                | "Compare"
                | "IndexByte"
                | "IndexByteString"
                | "Count"
                | "CountString",
                _,
            ) => return Err(known.into()),
            _ => {
                if let Some(n) = self.allocation(short.unwrap_or(""), args) {
                    bounded(n)?;
                }
                // What the interpreter runs itself keeps more than a model that gives up.
                if short.is_some_and(|s| RUN_AS_IT_IS.contains(&s)) {
                    return Ok(Modelled::No);
                }
                return Ok(exec::model(self.w, &mut self.m, name, target));
            }
        };
        Ok(self.returned(Some(result)))
    }

    /// The searches of internal/bytealg, which are written in assembly. On amd64 their arguments and results are on the stack.
    fn search(&mut self, name: &str) -> Result<bool, String> {
        let Some(name) = name.strip_prefix("internal/bytealg.") else { return Ok(false) };
        let name = name.strip_suffix(".abi0").unwrap_or(name);
        // Words of arguments: a slice has three, a string two.
        let (of_string, text) = match name {
            "IndexByte" | "Count" => (false, false),
            "IndexByteString" | "CountString" => (true, false),
            "Index" => (false, true),
            "IndexString" => (true, true),
            _ => return Ok(false),
        };
        let width = if of_string { 2 } else { 3 };
        let on_stack = self.m.arch == machine::Arch::Amd64;
        let sp = self.m.sp().ok_or("no stack pointer")?.n;
        let word = |i: u64| match on_stack {
            true => self.m.load(sp.wrapping_add(8 * i), if i == width && !text { 1 } else { 8 }, false),
            false => self.m.arg(i as usize),
        };
        let words = [word(0), word(1), word(width), word(width + 1)];
        let [Some(at), Some(n), Some(wanted), more] = words else {
            return Err("an argument that the sandbox doesn't know".into());
        };
        let hay = bytes(&self.m, at.n, n.n)?;
        let needle = match (text, more) {
            (false, _) => vec![wanted.n as u8],
            (true, Some(k)) => bytes(&self.m, wanted.n, k.n)?,
            (true, None) => return Err("an argument that the sandbox doesn't know".into()),
        };
        let result = if name.starts_with("Count") {
            hay.iter().filter(|b| Some(*b) == needle.first()).count() as u64
        } else if needle.is_empty() {
            0
        } else {
            hay.windows(needle.len()).position(|w| w == needle).map_or(u64::MAX, |i| i as u64)
        };
        self.returned(Some(result));
        if on_stack {
            let arguments = if text { 2 * width } else { width + 1 };
            self.m.store(sp.wrapping_add(8 * arguments), Some(V::new(result)), 8);
        }
        Ok(true)
    }

    fn returned(&mut self, result: Option<u64>) -> Modelled {
        self.m.forget_registers();
        self.m.set_result(0, result.map(V::new));
        Modelled::Done
    }

    /// Bytes that a model of an allocation is asked for.
    fn allocation(&self, short: &str, args: [Option<u64>; 5]) -> Option<u64> {
        let size = |t: u64| self.w.mem.read_u64(t).ok();
        match short {
            "newobject" => size(args[0]?),
            "makeslice" => size(args[0]?)?.checked_mul(args[2]?).or(Some(u64::MAX)),
            s if s.starts_with("mallocgc") => args[0],
            _ => None,
        }
    }
}

/// Models for a line's own interpretation that leave their result unknown where the code itself tells.
const RUN_AS_IT_IS: [&str; 2] = ["typedmemmove", "convT"];

fn bounded(n: u64) -> Result<(), String> {
    if n > MAX_BYTES { Err(format!("{n} bytes at once")) } else { Ok(()) }
}

fn bytes(m: &Machine<'_>, at: u64, n: u64) -> Result<Vec<u8>, String> {
    bounded(n)?;
    let mut out = vec![0; usize::try_from(n).unwrap_or(0)];
    match m.read(at, &mut out) {
        Ok(got) if got == out.len() => Ok(out),
        _ => Err("memory that the sandbox doesn't know".into()),
    }
}

fn order(a: &[u8], b: &[u8]) -> u64 {
    (a.cmp(b) as i64) as u64
}

/// Why a function is not run.
fn refusal(name: &str) -> Option<&'static str> {
    // The runtime's own under other packages' names.
    if matches!(name, "time.now" | "time.runtimeNano" | "time.runtimeNow" | "time.Sleep") {
        return Some("the clock");
    }
    let short = name.strip_prefix("runtime.")?;
    let starts = |list: &[&str]| list.iter().any(|p| short.starts_with(p));
    Some(if starts(&["chansend", "chanrecv", "selectgo", "selectnb", "closechan", "block"]) {
        "a channel operation"
    } else if starts(&["newproc"]) {
        "a go statement"
    } else if starts(&["deferreturn", "gorecover"]) {
        "a deferred call"
    } else if starts(&["entersyscall", "reentersyscall", "exitsyscall"]) {
        "a system call"
    } else if starts(&["cgocall", "asmcgocall", "cgocallback"]) {
        "C code"
    } else if starts(&["mapiterinit", "mapIterStart", "mapiternext", "mapIterNext"]) {
        "an iteration over a map, whose order is random"
    } else if starts(&["nanotime", "walltime", "time_now", "usleep", "timer", "newTimer", "resetTimer"]) {
        "the clock"
    } else if starts(&[
        "gopark",
        "goready",
        "ready",
        "Gosched",
        "semacquire",
        "sync_runtime_Semacquire",
        "lock2",
        "mcall",
    ]) {
        "another goroutine is waited for"
    } else if starts(&["systemstack", "morestack"]) {
        "work of the runtime on its own stack"
    } else if starts(&["callers", "Callers", "GC", "gcStart", "mallocgcLarge"]) {
        "work of the runtime"
    } else {
        return None;
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_the_program_can_do_is_refused() {
        assert_eq!(refusal("runtime.chansend1"), Some("a channel operation"));
        assert_eq!(refusal("runtime.newproc"), Some("a go statement"));
        assert_eq!(refusal("runtime.mapaccess1_fast64"), None);
        assert_eq!(refusal("main.chansend"), None);
        assert_eq!(order(b"a", b"b"), u64::MAX);
    }
}
