//! One function's machine code: decoded, cut into blocks, with the frame's depth at every instruction.
//!
//! Bytes come from the file on disk, never from the process: probes and breakpoints in the program can't disturb the analysis.

use image::{Function, Image};
use machine::{Arch, MemoryExt};
use rustc_hash::FxHashMap;

use crate::decode;
use crate::model::{Alu, Dst, Flow, Inst, Op, R, Src, Target};

/// Functions longer than this are not analysed.
const MAX_BYTES: usize = 4 << 20;
/// Entries of one jump table.
const MAX_TABLE: usize = 2000;

/// A maximal run of instructions that is entered only at its first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Block {
    pub(crate) first: usize,
    /// One past the last.
    pub(crate) end: usize,
    pub(crate) succs: Vec<usize>,
    /// Only from blocks that can be reached from the entry.
    pub(crate) preds: Vec<usize>,
    pub(crate) reachable: bool,
}

pub(crate) struct Code {
    pub(crate) arch: Arch,
    pub(crate) entry: u64,
    pub(crate) end: u64,
    pub(crate) insts: Vec<Inst>,
    /// Bytes that SP has moved down since entry, before each instruction.
    pub(crate) depth: Vec<i64>,
    pub(crate) blocks: Vec<Block>,
    pub(crate) block_of: Vec<u32>,
    index: FxHashMap<u64, u32>,
}

/// SP and FP by the model's numbers.
pub(crate) fn sp_reg(arch: Arch) -> R {
    arch.sp().0 as R
}

impl Code {
    pub(crate) fn of(image: &Image, f: Function<'_>) -> Option<Code> {
        let len = usize::try_from(f.end().checked_sub(f.entry())?).ok()?;
        if len > MAX_BYTES {
            return None;
        }
        let bytes = image.read_vec(f.entry(), len, MAX_BYTES).ok()?;
        let insts = decode::decode(image.arch(), &bytes, f.entry());
        if insts.is_empty() {
            return None;
        }
        let index = insts.iter().enumerate().map(|(i, x)| (x.addr, i as u32)).collect();
        let mut code = Code {
            arch: image.arch(),
            entry: f.entry(),
            end: f.end(),
            depth: Vec::new(),
            blocks: Vec::new(),
            block_of: Vec::new(),
            index,
            insts,
        };
        code.depth = depths(&code, f);
        code.cut(image);
        Some(code)
    }

    pub(crate) fn inst(&self, i: usize) -> Option<&Inst> {
        self.insts.get(i)
    }

    /// Index of the instruction at `pc`.
    pub(crate) fn at(&self, pc: u64) -> Option<usize> {
        self.index.get(&pc).map(|i| *i as usize)
    }

    pub(crate) fn contains(&self, pc: u64) -> bool {
        (self.entry..self.end).contains(&pc)
    }

    pub(crate) fn depth_at(&self, i: usize) -> i64 {
        self.depth.get(i).copied().unwrap_or(0)
    }

    /// Offset from the entry SP of a frame slot that instruction `i` addresses as SP+disp.
    pub(crate) fn slot(&self, i: usize, disp: i64) -> i64 {
        disp.wrapping_sub(self.depth_at(i))
    }

    /// The block at `pc` ends the function without returning: a failed check.
    pub(crate) fn only_panics(&self, pc: u64) -> bool {
        let block = self.at(pc).and_then(|i| self.block_of.get(i)).and_then(|b| self.blocks.get(*b as usize));
        block.is_some_and(|b| {
            let last = b.end.checked_sub(1).and_then(|i| self.insts.get(i));
            b.succs.is_empty() && last.is_some_and(|i| matches!(i.flow, Flow::Call(_) | Flow::Trap))
        })
    }

    fn cut(&mut self, image: &Image) {
        let n = self.insts.len();
        let mut leader = vec![false; n + 1];
        let mut ends: FxHashMap<usize, (Vec<usize>, bool)> = FxHashMap::default();
        if let Some(l) = leader.first_mut() {
            *l = true;
        }
        for i in 0..n {
            let Some(inst) = self.insts.get(i) else { break };
            let (mut to, next) = match inst.flow {
                Flow::Next | Flow::Syscall => continue,
                Flow::Branch(_, t) => (self.at(t).into_iter().collect::<Vec<_>>(), true),
                Flow::Jump(Target::Const(t)) => (self.at(t).into_iter().collect(), false),
                Flow::Jump(_) => (self.jump_table(image, i), false),
                Flow::Call(Target::Const(t)) if never_returns(image, t) => (Vec::new(), false),
                Flow::Call(_) => continue,
                Flow::Ret | Flow::Trap => (Vec::new(), false),
            };
            for t in &to {
                if let Some(l) = leader.get_mut(*t) {
                    *l = true;
                }
            }
            if let Some(l) = leader.get_mut(i + 1) {
                *l = true;
            }
            to.dedup();
            ends.insert(i, (to, next));
        }
        let starts: Vec<usize> = (0..n).filter(|i| leader.get(*i).copied().unwrap_or(false)).collect();
        self.block_of = vec![0; n];
        for (b, first) in starts.iter().enumerate() {
            let end = starts.get(b + 1).copied().unwrap_or(n);
            for slot in self.block_of.iter_mut().take(end).skip(*first) {
                *slot = b as u32;
            }
            self.blocks.push(Block { first: *first, end, ..Block::default() });
        }
        for b in 0..self.blocks.len() {
            let Some(end) = self.blocks.get(b).map(|x| x.end) else { break };
            let (to, falls) = ends.get(&(end.wrapping_sub(1))).cloned().unwrap_or((Vec::new(), true));
            let mut succs: Vec<usize> =
                to.iter().filter_map(|i| self.block_of.get(*i)).map(|b| *b as usize).collect();
            if falls && end < n {
                succs.push(b + 1);
            }
            succs.sort_unstable();
            succs.dedup();
            if let Some(block) = self.blocks.get_mut(b) {
                block.succs = succs;
            }
        }
        self.reach();
    }

    fn reach(&mut self) {
        let mut work = vec![0usize];
        while let Some(b) = work.pop() {
            let Some(block) = self.blocks.get_mut(b) else { continue };
            if std::mem::replace(&mut block.reachable, true) {
                continue;
            }
            let succs = block.succs.clone();
            for s in succs {
                if let Some(t) = self.blocks.get_mut(s) {
                    t.preds.push(b);
                }
                work.push(s);
            }
        }
    }

    /// Targets of an indirect jump through a table; empty for a tail call.
    fn jump_table(&self, image: &Image, i: usize) -> Vec<usize> {
        let mut table = None;
        if let Some(Flow::Jump(Target::Mem(m))) = self.insts.get(i).map(|x| x.flow)
            && m.base.is_none()
            && m.index.is_some()
        {
            table = Some(m.disp as u64);
        }
        for back in 1..=12usize {
            if table.is_some() {
                break;
            }
            let Some(inst) = i.checked_sub(back).and_then(|k| self.insts.get(k)) else { break };
            for op in inst.ops.iter() {
                match op {
                    Op::Lea { mem, .. } if mem.base.is_none() && mem.index.is_none() => {
                        table = Some(mem.disp as u64);
                    }
                    // arm64: adrp, add.
                    Op::Alu { op: Alu::Add, dst: Dst::Reg(d), a: Src::Reg(a), b: Src::Imm(n), .. }
                        if a == d && self.arch == Arch::Arm64 =>
                    {
                        table = self.page_before(i - back, *a).map(|p| p.wrapping_add(*n as u64));
                    }
                    _ => {}
                }
            }
        }
        let Some(table) = table else { return Vec::new() };
        let mut out = Vec::new();
        for k in 0..MAX_TABLE {
            let Ok(word) = image.read_u64(table.wrapping_add(8 * k as u64)) else { break };
            let Some(to) = self.at(word) else { break };
            out.push(to);
        }
        out.sort_unstable();
        out.dedup();
        out
    }

    fn page_before(&self, i: usize, r: R) -> Option<u64> {
        (1..=4).find_map(|b| {
            let inst = self.insts.get(i.checked_sub(b)?)?;
            inst.ops.iter().find_map(|op| match op {
                Op::Mov { dst: Dst::Reg(d), src: Src::Imm(v), .. } if *d == r => Some(*v as u64),
                _ => None,
            })
        })
    }
}

/// pclntab's depth is asked for only where it can't be derived from the instruction before.
fn depths(code: &Code, f: Function<'_>) -> Vec<i64> {
    let sp = sp_reg(code.arch);
    let mut out = Vec::with_capacity(code.insts.len());
    let mut known: Option<i64> = Some(0);
    for inst in &code.insts {
        let d = known.or_else(|| f.sp_delta(inst.addr)).unwrap_or(0);
        out.push(d);
        let mut after = Some(d);
        for op in inst.ops.iter() {
            after = match op {
                Op::Alu { op, dst: Dst::Reg(r), a: Src::Reg(a), b: Src::Imm(n), .. }
                    if *r == sp && *a == sp =>
                {
                    match op {
                        Alu::Add => after.map(|x| x.wrapping_sub(*n)),
                        Alu::Sub => after.map(|x| x.wrapping_add(*n)),
                        _ => None,
                    }
                }
                Op::Mov { dst: Dst::Reg(r), .. }
                | Op::Lea { dst: r, .. }
                | Op::Alu { dst: Dst::Reg(r), .. }
                | Op::Clobber { dst: Dst::Reg(r), .. }
                    if *r == sp =>
                {
                    None
                }
                _ => after,
            };
        }
        known = match inst.flow {
            Flow::Ret | Flow::Jump(_) | Flow::Trap => None,
            // What follows a call that never returns may belong to another path.
            Flow::Call(_) => None,
            _ => after,
        };
    }
    out
}

/// True for functions of the runtime that a call doesn't come back from.
pub(crate) fn never_returns(image: &Image, target: u64) -> bool {
    let Some(f) = image.functions().at(target) else { return false };
    if f.entry() != target {
        return false;
    }
    let Some(name) = f.name().strip_prefix("runtime.") else { return false };
    if name.starts_with("panicCheck") || name.starts_with("panicking") {
        return false;
    }
    name.starts_with("panic")
        || name.starts_with("goPanic")
        || name.starts_with("gopanic")
        || name.starts_with("fatal")
        || name.starts_with("morestack")
        || name.starts_with("unreachable")
        || matches!(name, "throw" | "block" | "abort" | "goexit0" | "Goexit" | "racegoexit")
}
