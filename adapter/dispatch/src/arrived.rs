//! At a body: through which concrete type the call came. The frames above tell it: wrappers that stand on the stack, the call
//! instruction in the caller, and the itab that the caller used, where it still is in the caller's frame.
//!
//! Never guesses: where several types are possible all are named, where nothing is known the reason is. Reads only.

use std::cell::RefCell;

use golang::{Frame, Process};
use image::{Image, InlineFrame, Itab};
use machine::{Arch, Memory, MemoryExt, Reg};

use crate::api::{Claim, Site, SiteKind};
use crate::engine::{Analysis, Engine, World};
use crate::flow::{Def, ENTRY, Expr, Flowed, Loc};
use crate::model::{Flow, Mem, Target};
use crate::{names, resolve, tables};

/// Wrappers between a call and its body.
const MAX_WRAPPERS: usize = 8;
/// Steps back from the load of a method to where its itab came from.
const MAX_BACK: u32 = 8;

/// One passage of a call: goroutine, the caller's frame (distance from the stack's top), the address the call returns to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Passage {
    pub goid: Option<u64>,
    pub frame_offset: u64,
    pub return_pc: u64,
}

/// Where a thread has the itab of a call in a register: who notes it there knows it when the call has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchedLoad {
    pub pc: u64,
    pub base: Reg,
    /// Of the call.
    pub return_pc: u64,
}

/// Through which types a call may have come.
#[derive(Clone, Debug)]
pub struct CalledThrough {
    /// Full names, one when it is certain; the reason where nothing is known.
    pub types: Result<Vec<String>, String>,
    /// Where the itab of the next call of this site can be seen, if this frame has lost it.
    pub watch: Vec<WatchedLoad>,
}

impl Engine {
    /// The types through whose itab or receiver the call of `frame` (a method's, stopped at its beginning) may have come. `seen` answers
    /// with the itab that was noted when the call passed its load.
    pub fn called_through(
        &self,
        process: &Process<'_>,
        frame: &Frame,
        seen: &dyn Fn(Passage) -> Option<u64>,
    ) -> CalledThrough {
        let read_only = |a: u64| process.image.is_read_only(a);
        let w = World { engine: self, image: process.image, mem: process.mem, read_only: &read_only };
        let arrival = Arrival { w, process, seen, watch: RefCell::default() };
        CalledThrough { types: arrival.types(frame), watch: arrival.watch.into_inner() }
    }
}

struct Arrival<'a> {
    w: World<'a>,
    process: &'a Process<'a>,
    seen: &'a dyn Fn(Passage) -> Option<u64>,
    watch: RefCell<Vec<WatchedLoad>>,
}

impl Arrival<'_> {
    fn types(&self, frame: &Frame) -> Result<Vec<String>, String> {
        let functions = self.w.image.functions();
        let stack = functions.inline_stack(frame.lookup_pc);
        let body = stack.get(frame.inline_depth).ok_or("the code here belongs to no function")?;
        let method = names::method(&body.name).to_string();
        let mut receiver = self.receiver(&body.name, frame.dict)?;
        for outer in stack.iter().skip(frame.inline_depth + 1) {
            if !is_method_wrapper(outer, &method) {
                // Inlined into code that calls the method of a known type.
                return Ok(vec![receiver]);
            }
            receiver = self.receiver(&outer.name, None)?;
        }
        let mut at = frame.clone();
        for _ in 0..MAX_WRAPPERS {
            let up = self.process.caller_of(&at).ok_or("the caller of this frame can't be found")?;
            let up = self.process.with_dictionary(up);
            let above = functions.inline_stack(up.lookup_pc);
            let wrapped = above.iter().all(|f| is_method_wrapper(f, &method));
            let Some(outermost) = above.last().filter(|_| wrapped) else {
                return self.by_call(&at, &up, &method, receiver);
            };
            receiver = self.receiver(&outermost.name, up.dict)?;
            at = up;
        }
        Err("more wrappers than can be followed".into())
    }

    /// Full name of the receiver's type, by the method's name and the dictionary of its code.
    fn receiver(&self, symbol: &str, dict: Option<u64>) -> Result<String, String> {
        let name = self.process.symbol_full_name(symbol, dict);
        let (receiver, pointer) = names::receiver(&name)
            .ok_or_else(|| format!("{} is no method", names::display(self.process.image, symbol)))?;
        if receiver.contains("T?") {
            return Err("the type arguments of the receiver are lost here".into());
        }
        Ok(if pointer { format!("*{receiver}") } else { receiver })
    }

    /// From the call instruction in `up` that led to the frame `at`, a body or the outermost wrapper on the stack.
    fn by_call(&self, at: &Frame, up: &Frame, method: &str, receiver: String) -> Result<Vec<String>, String> {
        let functions = self.w.image.functions();
        let entry =
            functions.at(at.lookup_pc).map(|f| f.entry()).ok_or("the code here belongs to no function")?;
        let caller = functions.at(up.lookup_pc).ok_or("it was called by code that is not Go's")?;
        let unknown = || self.by_tables(None, method, entry, Some(receiver.clone()));
        let Some(a) = self.w.engine.analysis(self.w.image, caller) else { return unknown() };
        // By reflection, or by assembly.
        let Some(site) = a.sites.iter().find(|s| s.return_pc == up.pc) else { return unknown() };
        match site.kind {
            SiteKind::Static { target } | SiteKind::Constant { target } => {
                // A wrapper that jumped on has no frame.
                let hidden =
                    functions.at(target).filter(|t| t.entry() != entry && names::method(t.name()) == method);
                Ok(vec![match hidden {
                    Some(t) => self.receiver(t.name(), None)?,
                    None => receiver,
                }])
            }
            SiteKind::Interface => self.by_itab(&a, site, up, method, entry),
            SiteKind::Dictionary { word } => {
                let code =
                    up.dict.and_then(|d| self.w.mem.read_u64(d.wrapping_add(8 * u64::from(word))).ok());
                let target =
                    code.and_then(|c| functions.at(c)).ok_or("the dictionary of the caller is lost")?;
                Ok(vec![self.receiver(target.name(), None).unwrap_or(receiver)])
            }
            SiteKind::Closure => Ok(vec![receiver]),
            SiteKind::Other => unknown(),
        }
    }

    fn by_itab(
        &self,
        a: &Analysis,
        site: &Site,
        up: &Frame,
        method: &str,
        entry: u64,
    ) -> Result<Vec<String>, String> {
        let known = site
            .constant_itab
            .or_else(|| self.itab_in_frame(a, site, up))
            .or_else(|| self.itab_of_variable(site, up))
            .or_else(|| {
                (self.seen)(Passage {
                    goid: up.goid,
                    frame_offset: up.frame_offset,
                    return_pc: site.return_pc,
                })
            });
        let itab = known.and_then(|at| self.w.image.itab(at, self.w.mem).ok());
        let fits = |i: &Itab| {
            !i.negative
                && site
                    .slot
                    .and_then(|s| i.fun.get(usize::from(s)))
                    .is_some_and(|f| self.leads(*f, method, entry))
        };
        if let Some(itab) = itab.filter(fits) {
            return Ok(vec![self.type_name(itab.typ)]);
        }
        let load =
            |l: &crate::api::Load| Some(WatchedLoad { pc: l.pc, base: l.base?, return_pc: site.return_pc });
        self.watch.borrow_mut().extend(site.loads.iter().filter_map(load));
        let wanted = match &site.interface {
            Claim::Known { interface, .. } => self.descriptor(*interface),
            _ => None,
        };
        self.by_tables(wanted, method, entry, None)
    }

    /// What is left when the call itself does not tell: the types of those itabs whose method leads here.
    fn by_tables(
        &self,
        interface: Option<u64>,
        method: &str,
        entry: u64,
        also: Option<String>,
    ) -> Result<Vec<String>, String> {
        let leads = |i: &Itab| !i.negative && i.fun.iter().any(|f| self.leads(*f, method, entry));
        let mut names: Vec<String> = self
            .all_itabs()
            .iter()
            .filter(|i| interface.is_none_or(|inter| i.inter == inter) && leads(i))
            .map(|i| self.type_name(i.typ))
            .chain(also)
            .collect();
        names.sort();
        names.dedup();
        if names.is_empty() {
            return Err("the itab of the call is lost in this frame".into());
        }
        Ok(names)
    }

    fn descriptor(&self, ty: image::TypeId) -> Option<u64> {
        match ty {
            image::TypeId::Runtime(at) => Some(at),
            other => self.w.image.type_of(other, self.w.mem).ok()?.runtime,
        }
    }

    fn all_itabs(&self) -> Vec<Itab> {
        let mut all: Vec<Itab> = self.w.engine.itabs(self.w.image).iter().cloned().collect();
        all.extend(tables::all(self.w.image, self.w.mem).unwrap_or_default());
        all
    }

    fn type_name(&self, rtype: u64) -> String {
        let t = self.w.image.type_of(image::TypeId::Runtime(rtype), self.w.mem);
        t.map_or_else(|_| format!("{rtype:#x}"), |t| t.name.to_string())
    }

    /// An itab's function is the one with this entry, or a wrapper of the method that jumps there and leaves no frame.
    fn leads(&self, fun: u64, method: &str, entry: u64) -> bool {
        if fun == entry {
            return true;
        }
        let Some(f) = self.w.image.functions().at(fun) else { return false };
        if !f.is_wrapper() || names::method(f.name()) != method {
            return false;
        }
        let chain = resolve::chain(&self.w, fun, None);
        if chain.body.is_some() {
            return chain.links.iter().any(|l| l.address == entry);
        }
        // Through an embedded interface, by a jump (Go 1.27): whichever method is in it.
        let sites = self.w.engine.analysis(self.w.image, f);
        sites.is_some_and(|a| a.sites.iter().any(|s| s.tail && s.kind == SiteKind::Interface))
    }

    /// The variable that debug information names for the itab, as it is in the caller's frame now.
    fn itab_of_variable(&self, site: &Site, up: &Frame) -> Option<u64> {
        let name = site.receiver.as_deref()?;
        let mut variables = self.w.image.variables(up.lookup_pc, up.inline_depth);
        variables.retain(|v| v.name == name && v.declared);
        let [variable] = variables.as_slice() else { return None };
        let value = golang::read_variable(self.process, up, variable);
        golang::word(self.process, &value, 0).ok().filter(|w| *w != 0)
    }

    /// The itab that the call used, if the caller's frame still has it where the load of the method took it from.
    fn itab_in_frame(&self, a: &Analysis, site: &Site, up: &Frame) -> Option<u64> {
        let flow = Flowed::new(&a.code, self.w.image);
        let call = a.code.at(site.pc)?;
        let mut found = None;
        for load in &site.loads {
            let at = Back { flow: &flow, a, mem: self.w.mem, image: self.w.image, frame: up, call };
            let value = at.value(a.code.at(load.pc)?, Loc::Reg(load.base?.0 as u8), 0)?;
            if found.is_some_and(|f| f != value) {
                return None;
            }
            found = Some(value);
        }
        found.filter(|v| *v != 0)
    }
}

/// Back from a register to a place in memory that still has its value.
struct Back<'a> {
    flow: &'a Flowed<'a>,
    a: &'a Analysis,
    mem: &'a dyn Memory,
    image: &'a Image,
    frame: &'a Frame,
    /// Index of the call.
    call: usize,
}

impl Back<'_> {
    /// The value of `loc` before instruction `i`.
    fn value(&self, i: usize, loc: Loc, depth: u32) -> Option<u64> {
        if depth > MAX_BACK {
            return None;
        }
        if let Loc::Slot(off) = loc {
            return self.slot(i, off);
        }
        let defs = self.flow.reaching(i, loc);
        if self.is_parameter(&defs) {
            return self.spilled(loc);
        }
        let [def] = defs.as_slice() else { return None };
        match def.expr {
            Expr::Imm(v) => Some(v as u64),
            Expr::Copy(from) => self.value(def.at, from, depth + 1),
            Expr::Add(from, n) => Some(self.value(def.at, from, depth + 1)?.wrapping_add_signed(n)),
            Expr::Sp(off) => Some(self.entry_sp().wrapping_add_signed(off)),
            Expr::Load(m) => self.load(def.at, &m, depth),
            _ => None,
        }
    }

    /// The value at the function's entry, also after its stack was grown: then the registers were saved and restored.
    fn is_parameter(&self, defs: &[Def]) -> bool {
        defs.iter().any(|d| d.at == ENTRY) && defs.iter().all(|d| d.at == ENTRY || self.grows_the_stack(d.at))
    }

    fn grows_the_stack(&self, i: usize) -> bool {
        let code = &self.a.code;
        let block = code.block_of.get(i).and_then(|b| code.blocks.get(*b as usize));
        let calls = block.into_iter().flat_map(|b| b.first..b.end).filter_map(|k| code.inst(k));
        calls
            .filter_map(|x| if let Flow::Call(Target::Const(t)) = x.flow { Some(t) } else { None })
            .any(|t| self.image.functions().at(t).is_some_and(|f| f.name().starts_with("runtime.morestack")))
    }

    /// A parameter's register that was stored to the frame, where the store is what the slot still holds at the call.
    fn spilled(&self, loc: Loc) -> Option<u64> {
        (0..self.call).find_map(|k| {
            let stored = self.flow.definitions(k).iter().filter(|(_, e)| *e == Expr::Copy(loc));
            let slots = stored.filter_map(|(to, _)| if let Loc::Slot(off) = to { Some(*off) } else { None });
            let mut own = slots.filter(|off| {
                let last = self.flow.reaching(self.call, Loc::Slot(*off));
                last.iter().all(|d| d.at == k) && !self.a.taken.contains(off)
            });
            let off = own.next()?;
            let parameter = self.is_parameter(&self.flow.reaching(k, loc));
            parameter.then(|| self.mem.read_u64(self.entry_sp().wrapping_add_signed(off)).ok())?
        })
    }

    fn entry_sp(&self) -> u64 {
        match self.image.arch() {
            Arch::Amd64 => self.frame.cfa.wrapping_sub(8),
            Arch::Arm64 => self.frame.cfa,
        }
    }

    /// A frame slot that was not written between instruction `i` and the call.
    fn slot(&self, i: usize, off: i64) -> Option<u64> {
        let same = self.flow.reaching(i, Loc::Slot(off)) == self.flow.reaching(self.call, Loc::Slot(off));
        if !same || (self.a.taken.contains(&off) && self.calls_between(i)) {
            return None;
        }
        self.mem.read_u64(self.entry_sp().wrapping_add_signed(off)).ok()
    }

    /// Other memory may have changed since, unless it was read right before the call.
    fn load(&self, i: usize, m: &Mem, depth: u32) -> Option<u64> {
        if m.index.is_some() || m.thread || self.calls_between(i) {
            return None;
        }
        let base = match m.base {
            Some(b) => self.value(i, Loc::Reg(b), depth + 1)?,
            None => 0,
        };
        self.mem.read_u64(base.wrapping_add_signed(m.disp)).ok()
    }

    /// A call, or the end of a straight run of code, lies between instruction `i` and the call.
    fn calls_between(&self, i: usize) -> bool {
        let block = |k: usize| self.a.code.block_of.get(k);
        block(i) != block(self.call)
            || (i..self.call).any(|k| self.a.code.inst(k).is_none_or(|x| matches!(x.flow, Flow::Call(_))))
    }
}

/// `(*T).M` made by the compiler around another method of that name; not `-fm`, `gowrap` and the like.
fn is_method_wrapper(f: &InlineFrame, method: &str) -> bool {
    let generated = f.is_wrapper || &*f.file == "<autogenerated>";
    generated && names::last(&f.name).split('[').next() == Some(method) && names::receiver(&f.name).is_some()
}
