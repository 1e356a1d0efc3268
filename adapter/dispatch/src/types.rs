//! Interface types of sites from whole-function data flow: each word's set of possible types.
//!
//! Several possible types are never narrowed by guessing; nil contributes nothing.

mod decide;
mod homes;
mod signatures;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use image::{Function, Image, TypeId};
use machine::{Arch, MemoryExt};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::abi::{self, Place};
use crate::api::SiteKind;
use crate::classify::Found;
use crate::engine::Engine;
use crate::flow::{Def, ENTRY, Either, Expr, Flowed, Loc};
use crate::model::{Flow, Mem, R, Target};
use crate::results;
use crate::words::{self, Word};

/// Derivations per function; beyond it the rest is unknown.
const MAX_STEPS: u32 = 40_000;
const MAX_DEPTH: u32 = 150;

pub(crate) use signatures::{Shared, Signature};

pub(crate) type Set = BTreeSet<Word>;

pub(crate) struct Typer<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) image: &'a Image,
    pub(crate) f: Function<'a>,
    pub(crate) flow: &'a Flowed<'a>,
    by_index: FxHashMap<usize, (SiteKind, Option<u16>, Option<u64>)>,
    memo: RefCell<FxHashMap<(usize, Loc), Set>>,
    busy: RefCell<FxHashSet<(usize, Loc)>>,
    /// A value in progress was met: what rests on it isn't final.
    cyclic: Cell<bool>,
    steps: Cell<u32>,
    variables: RefCell<FxHashMap<usize, std::rc::Rc<Vec<homes::Homed>>>>,
    idom: std::cell::OnceCell<Vec<Option<usize>>>,
    /// How many functions up the creation of a closure is being looked for.
    pub(crate) creating: Cell<u32>,
    /// How many callers or callees away from the function that was asked about.
    pub(crate) level: Cell<u32>,
}

impl<'a> Typer<'a> {
    pub(crate) fn new(
        engine: &'a Engine,
        image: &'a Image,
        f: Function<'a>,
        flow: &'a Flowed<'a>,
        found: &[Found],
    ) -> Typer<'a> {
        let by_index = found.iter().map(|x| (x.index, (x.kind, x.slot, x.constant_itab))).collect();
        Typer {
            engine,
            image,
            f,
            flow,
            by_index,
            memo: RefCell::default(),
            busy: RefCell::default(),
            cyclic: Cell::new(false),
            steps: Cell::new(0),
            variables: RefCell::default(),
            idom: std::cell::OnceCell::new(),
            creating: Cell::new(0),
            level: Cell::new(0),
        }
    }

    pub(crate) fn idom(&self) -> &[Option<usize>] {
        self.idom.get_or_init(|| crate::dom::dominators(self.flow.code))
    }

    /// The possible types of `loc` before instruction `i`; empty: unknown.
    pub(crate) fn types(&self, i: usize, loc: Loc) -> Set {
        self.types_at(i, loc, 0)
    }

    fn types_at(&self, i: usize, loc: Loc, depth: u32) -> Set {
        let mut out = Set::new();
        if depth > MAX_DEPTH || self.steps.get() > MAX_STEPS {
            return out;
        }
        for d in self.flow.reaching(i, loc) {
            out.extend(self.of_def(&d, depth + 1));
        }
        let scalar = out.iter().all(|w| *w == Word::Scalar);
        if scalar && let Loc::Slot(off) = loc {
            out.extend(results::written_by_callees(self, i, off));
        }
        if out.is_empty()
            && let Some(w) = self.by_dwarf(i, loc)
        {
            out.insert(w);
        }
        out
    }

    fn of_def(&self, d: &Def, depth: u32) -> Set {
        let key = (d.at, d.loc);
        if let Some(s) = self.memo.borrow().get(&key) {
            return s.clone();
        }
        self.steps.set(self.steps.get() + 1);
        if !self.busy.borrow_mut().insert(key) {
            self.cyclic.set(true);
            return Set::new();
        }
        let before = self.cyclic.replace(false);
        let set = self.derive(d, depth);
        self.busy.borrow_mut().remove(&key);
        let cyclic = self.cyclic.get();
        if !cyclic || self.busy.borrow().is_empty() {
            self.memo.borrow_mut().insert(key, set.clone());
        }
        self.cyclic.set(before || (cyclic && !self.busy.borrow().is_empty()));
        set
    }

    fn derive(&self, d: &Def, depth: u32) -> Set {
        if d.at == ENTRY {
            return match self.at_entry(d.loc) {
                Some(w) => std::iter::once(w).collect(),
                None => crate::stripped::from_callers(self, d.loc),
            };
        }
        // The instruction may define the location from itself.
        let mut out: Set = match d.expr {
            Expr::Copy(l) => return self.types_at(d.at, l, depth),
            Expr::Imm(0) => Set::new(),
            Expr::Imm(v) => std::iter::once(Word::Const(v as u64)).collect(),
            Expr::Sp(off) => std::iter::once(Word::Frame(off)).collect(),
            Expr::Add(l, n) => {
                let mut base = self.types_at(d.at, l, depth);
                if self.cyclic.get() {
                    // A walk through an array in the frame: where it ends isn't known, and behind it are other variables.
                    base.retain(|w| !matches!(w, Word::Frame(_)));
                }
                base.into_iter().filter_map(|w| words::add(self.image, w, n)).collect()
            }
            Expr::Index { base, index, scale, disp } => self.indexed(d.at, base, index, scale, disp, depth),
            Expr::Phi(a, b) => {
                let mut s = Set::new();
                for e in [a, b] {
                    if let Either::Loc(l) = e {
                        s.extend(self.types_at(d.at, l, depth));
                    } else if let Either::Imm(v) = e
                        && v != 0
                    {
                        s.insert(Word::Const(v as u64));
                    }
                }
                s
            }
            Expr::Load(m) => self.load(d.at, &m, depth),
            Expr::Call => results::of_call(self, d.at, d.loc, depth),
            Expr::SpIndexed | Expr::Unknown => Set::new(),
        };
        out = self.constants(out);
        if out.is_empty()
            && !matches!(d.expr, Expr::Imm(0))
            && let Some(w) = self.by_dwarf(d.at + 1, d.loc)
        {
            out.insert(w);
        }
        out
    }

    /// Constants that are itabs stand for their interface.
    fn constants(&self, set: Set) -> Set {
        set.into_iter()
            .map(|w| match w {
                Word::Const(a) => self
                    .engine
                    .itabs(self.image)
                    .get(a)
                    .map_or(w, |i| Word::Itab(words::canon(self.image, TypeId::Runtime(i.inter)))),
                w => w,
            })
            .collect()
    }

    fn indexed(&self, at: usize, base: Option<Loc>, index: Loc, scale: u8, disp: i64, depth: u32) -> Set {
        let one = |loc: Loc| -> Set {
            let s = self.types_at(at, loc, depth);
            s.into_iter().filter_map(|w| words::index(self.image, w, disp)).collect()
        };
        let mut out = base.map(one).unwrap_or_default();
        if out.is_empty() && scale == 1 {
            out = one(index);
        }
        out
    }

    fn load(&self, at: usize, m: &Mem, depth: u32) -> Set {
        if m.thread {
            return Set::new();
        }
        if let Some(a) = self.flow.absolute(at, m) {
            return results::constant_load(self.engine, self.image, a).into_iter().collect();
        }
        let Some(base) = m.base else { return Set::new() };
        let through = |loc: Loc| -> Set {
            let mut bases = self.types_at(at, loc, depth);
            let weak = |w: &Word| matches!(w, Word::Scalar | Word::Data(_) | Word::Const(_));
            if bases.iter().all(weak) {
                let data = bases.iter().any(|w| matches!(w, Word::Data(_)));
                let compared = if data { self.by_merged_compare(at, loc) } else { None };
                bases.extend(compared.or_else(|| self.pointer_by_dwarf(at, loc)));
            }
            bases.into_iter().flat_map(|w| self.load_word(at, w, m, depth)).collect()
        };
        let mut out = through(Loc::Reg(base));
        if out.is_empty()
            && let (Some(x), 1) = (m.index, m.scale)
        {
            out = through(Loc::Reg(x));
        }
        out
    }

    fn load_word(&self, at: usize, w: Word, m: &Mem, depth: u32) -> Set {
        let d = m.disp;
        let one = |w: Option<Word>| w.into_iter().collect::<Set>();
        match w {
            Word::Frame(off) if m.index.is_none() => self.types_at(at, Loc::Slot(off + d), depth),
            Word::Const(a) if m.index.is_none() => {
                results::constant_load(self.engine, self.image, a.wrapping_add(d as u64))
                    .into_iter()
                    .collect()
            }
            Word::AssertCache(desc) if m.index.is_some() && d % 16 == 0 => {
                results::assert_interface(self.image, desc).into_iter().collect()
            }
            Word::SwitchCache(desc) if m.index.is_some() && d == 0x18 => {
                std::iter::once(Word::SwitchItab(desc)).collect()
            }
            Word::Context if m.index.is_none() => match self.capture(d) {
                Some(w) => one(Some(w)),
                None => crate::captures::at_creation(self, self.f, d),
            },
            w if m.index.is_some() => {
                let at = words::index(self.image, w, 0);
                one(at.and_then(|w| words::load(self.image, w, d)))
            }
            w => one(words::load(self.image, w, d)),
        }
    }

    /// The captured variable at `[context + d]`.
    fn capture(&self, d: i64) -> Option<Word> {
        let off = u64::try_from(d).ok()?;
        if off == 0 {
            return Some(Word::Code);
        }
        let pc = self.f.prologue_end();
        let depth = self.image.functions().inline_stack(pc).len().saturating_sub(1);
        for v in self.image.variables(pc, depth) {
            let Some(start) = v.closure_offset else { continue };
            if v.by_reference && start == off {
                return Some(Word::Ptr { ty: words::canon(self.image, v.ty), off: 0, many: false });
            }
            let size = words::size(self.image, v.ty);
            if !v.by_reference && off >= start && off < start + size {
                return words::leaf(self.image, v.ty, off - start);
            }
        }
        results::wrapper_capture(self.engine, self.image, self.f, off)
    }

    fn at_entry(&self, loc: Loc) -> Option<Word> {
        let context = self.flow.code.arch.context().0 as R;
        if loc == Loc::Reg(context) {
            return Some(Word::Context);
        }
        // Up to Go 1.21 a wrapper's receiver is missing among its parameters.
        if self.f.is_wrapper()
            && let Some(w) = self.receiver_at_entry(loc)
        {
            return Some(w);
        }
        let sig = self.engine.signature(self.image, self.f.id());
        let Some(sig) = sig.filter(|s| !s.params.is_empty()) else {
            return self.undescribed_dictionary(loc).or_else(|| self.receiver_at_entry(loc));
        };
        let place = match loc {
            Loc::Reg(r) => {
                let n = self.flow.code.arch.int_args().iter().position(|x| x.0 as R == r)?;
                if sig.dictionary == Some(n) {
                    return Some(Word::Dictionary);
                }
                Place::Int(n)
            }
            Loc::Slot(off) if off >= 8 => Place::Stack(off - 8),
            _ => return None,
        };
        let p = sig.params.iter().find(|p| p.place == place)?;
        words::leaf(self.image, p.ty, p.offset)
    }

    /// The dictionary of a shaped function without described parameters: behind a pointer receiver, else first.
    fn undescribed_dictionary(&self, loc: Loc) -> Option<Word> {
        let name = self.f.name();
        if !name.contains("[go.shape.") || crate::names::is_closure(name) {
            return None;
        }
        let n = match crate::names::receiver(name) {
            Some((_, true)) => 1,
            Some((_, false)) => return None,
            None => 0,
        };
        let r = self.flow.code.arch.int_args().get(n)?.0 as R;
        (loc == Loc::Reg(r)).then_some(Word::Dictionary)
    }

    /// Bytes between SP and the argument area at a call.
    pub(crate) fn shift(&self) -> i64 {
        if self.flow.code.arch == Arch::Arm64 { 8 } else { 0 }
    }

    /// Wrappers may have no described parameters: the name tells the receiver.
    fn receiver_at_entry(&self, loc: Loc) -> Option<Word> {
        let Loc::Reg(r) = loc else { return None };
        let n = self.flow.code.arch.int_args().iter().position(|x| x.0 as R == r)?;
        let (name, pointer) = crate::names::receiver(self.f.name())?;
        let ty = self.engine.named_type(self.image, &image::names::unescape(&name))?;
        if pointer {
            return (n == 0).then(|| Word::Ptr { ty: words::canon(self.image, ty), off: 0, many: false });
        }
        let (places, _) = abi::assign(self.image, &[ty], 0);
        let p = places.iter().find(|p| p.place == Place::Int(n))?;
        words::leaf(self.image, ty, p.offset)
    }

    /// The call made at an instruction: a site's kind and slot.
    pub(crate) fn site(&self, i: usize) -> Option<(SiteKind, Option<u16>, Option<u64>)> {
        self.by_index.get(&i).copied()
    }

    pub(crate) fn base_types(&self, i: usize, depth: u32) -> Set {
        // The loads of the call at `i`, through the target register's definitions.
        let Some(Flow::Call(Target::Reg(r))) = self.flow.code.inst(i).map(|x| x.flow) else {
            return Set::new();
        };
        let mut out = Set::new();
        for d in self.flow.origins(i, Loc::Reg(r)) {
            if let Expr::Load(Mem { base: Some(b), .. }) = d.expr {
                out.extend(self.expand(d.at, self.types_at(d.at, Loc::Reg(b), depth + 1)));
            }
        }
        out
    }

    pub(crate) fn types_deep(&self, i: usize, loc: Loc, depth: u32) -> Set {
        self.types_at(i, loc, depth + 1)
    }
}

/// Reads a word of the file's initial data.
pub(crate) fn initial_word(image: &Image, addr: u64) -> Option<u64> {
    image.read_u64(addr).ok()
}
