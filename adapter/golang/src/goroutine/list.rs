//! Enumeration: `runtime.allgs`, or what the threads run when it can't be found.

use machine::MemoryExt;
use rustc_hash::FxHashMap;

use super::{Goroutine, GoroutineList, Status};
use crate::Process;
use crate::facts::AllGs;

/// More entries than this is a lying length.
const MAX_GS: u64 = 1 << 22;
/// Entries of allgs read at once.
const CHUNK: u64 = 8192;

/// Kernel threads of Ms, each read once.
type Tids = FxHashMap<u64, Option<i32>>;

impl Process<'_> {
    /// Live goroutines in the order of `allgs`, at most `limit`; those beyond the limit are counted only.
    pub fn goroutines(&self, limit: usize) -> GoroutineList {
        let mut list = GoroutineList::default();
        let mut tids = Tids::default();
        let complete = self.each_g(|addr| {
            if list.goroutines.len() >= limit {
                list.total += usize::from(self.is_live_at(addr));
            } else if let Some(g) = self.live_goroutine(addr, &mut tids) {
                list.total += 1;
                list.goroutines.push(g);
            }
            true
        });
        if let Err(why) = complete {
            list.incomplete = Some(why);
        }
        list
    }

    /// A goroutine of the program's own, other than the one whose `runtime.g` is at `own`, lives: it may change what both can reach.
    /// True where that can't be told.
    pub fn others_may_run(&self, own: u64) -> bool {
        let mut found = false;
        let complete = self.each_g(|addr| {
            let other = || self.is_live_at(addr) && self.goroutine_at(addr).is_some_and(|g| !g.system);
            found |= addr != own && other();
            !found
        });
        found || complete.is_err()
    }

    /// The live goroutine with this id.
    pub fn goroutine(&self, goid: u64) -> Option<Goroutine> {
        let mut found = None;
        let _ = self.each_g(|addr| {
            if self.goid_at(addr) == Some(goid) && self.is_live_at(addr) {
                found = self.goroutine_at(addr);
            }
            found.is_none()
        });
        found
    }

    /// The live goroutine whose `runtime.g` is at this address.
    pub fn goroutine_at(&self, addr: u64) -> Option<Goroutine> {
        self.live_goroutine(addr, &mut Tids::default())
    }

    /// The live goroutine on whose stack an address lies.
    pub(crate) fn goroutine_of_stack(&self, addr: u64) -> Option<Goroutine> {
        let o = self.facts().g.as_ref()?;
        let mut found = None;
        let _ = self.each_g(|g| {
            let bounds = self.mem.read_u64(g.wrapping_add(o.stack_lo)).ok();
            let bounds = bounds.zip(self.mem.read_u64(g.wrapping_add(o.stack_hi)).ok());
            if bounds.is_some_and(|(lo, hi)| (lo..hi).contains(&addr)) {
                found = self.goroutine_at(g);
            }
            found.is_none()
        });
        found
    }

    fn live_goroutine(&self, addr: u64, tids: &mut Tids) -> Option<Goroutine> {
        let o = self.facts().g.as_ref()?;
        let raw = self.raw_g(addr)?;
        let (status, _) = Status::from_word(raw.half(o.status));
        if !status.is_live() {
            return None;
        }
        let m = raw.word(o.m);
        let tid = if m == 0 { None } else { *tids.entry(m).or_insert_with(|| self.tid_of_m(m)) };
        self.describe(&raw, tid)
    }

    fn is_live_at(&self, addr: u64) -> bool {
        let Some(o) = self.facts().g.as_ref() else { return false };
        let word = addr.checked_add(o.status).and_then(|at| self.mem.read_u32(at).ok());
        word.is_some_and(|w| Status::from_word(w).0.is_live())
    }

    /// Calls `visit` with the address of every g until it answers false. `Err`: why not all were visited.
    fn each_g(&self, mut visit: impl FnMut(u64) -> bool) -> Result<(), String> {
        let facts = self.facts();
        if facts.g.is_none() || facts.m.is_none() {
            return Err("the layout of runtime.g is unknown for this version of Go".into());
        }
        match facts.allgs.and_then(|all| self.allgs(all)) {
            Some((ptr, len)) => self.each_of_array(ptr, len, visit),
            None => {
                let mut seen = Vec::new();
                for g in self.threads.iter().filter_map(|t| self.g_of_thread(t)) {
                    if !seen.contains(&g) {
                        seen.push(g);
                        if !visit(g) {
                            return Ok(());
                        }
                    }
                }
                Err("runtime.allgs was not found: only goroutines on threads are listed".into())
            }
        }
    }

    /// Array of g's: address, length. None if it is not plausible.
    fn allgs(&self, all: AllGs) -> Option<(u64, u64)> {
        let (ptr, len) = match all {
            // The length first: the runtime publishes the array before it.
            AllGs::Atomic { ptr, len } => {
                let len = self.mem.read_u64(len).ok()?;
                (self.mem.read_u64(ptr).ok()?, len)
            }
            AllGs::Slice(at) => {
                let len = self.mem.read_u64(at.checked_add(8)?).ok()?;
                (self.mem.read_u64(at).ok()?, len)
            }
        };
        // Empty before runtime.main: not an error.
        (len <= MAX_GS && (ptr != 0 || len == 0)).then_some((ptr, len))
    }

    fn each_of_array(&self, ptr: u64, len: u64, mut visit: impl FnMut(u64) -> bool) -> Result<(), String> {
        let mut done = 0;
        while done < len {
            let n = CHUNK.min(len - done);
            let at = ptr.wrapping_add(done * 8);
            let bytes = self
                .mem
                .read_vec(at, n as usize * 8, CHUNK as usize * 8)
                .map_err(|e| format!("the list of goroutines ends at entry {done}: {e}"))?;
            for word in bytes.as_chunks::<8>().0 {
                if !visit(u64::from_le_bytes(*word)) {
                    return Ok(());
                }
            }
            done += n;
        }
        Ok(())
    }
}
