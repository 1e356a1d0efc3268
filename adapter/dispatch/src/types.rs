//! Interface types of sites from whole-function data flow: each word's set of possible types.
//!
//! Several possible types are never narrowed by guessing; nil contributes nothing.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use image::{FuncId, Function, Image, PieceHome, Shape, TypeId, VarContext};
use machine::{Arch, MemoryExt, NoMemory, Reg, Regs};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::abi::{self, Place};
use crate::api::{Claim, SiteKind};
use crate::classify::Found;
use crate::engine::Engine;
use crate::flow::{Def, ENTRY, Either, Expr, Flowed, Loc};
use crate::model::{Flow, Mem, R, Target};
use crate::results;
use crate::words::{self, Word};

/// Derivations per function; beyond it the rest is unknown.
const MAX_STEPS: u32 = 40_000;
const MAX_DEPTH: u32 = 150;
/// Where the frame is pretended to be when DWARF locations are evaluated.
const PRETEND_CFA: u64 = 1 << 40;

pub(crate) type Set = BTreeSet<Word>;

/// Facts shared by all functions of an image.
#[derive(Default)]
pub(crate) struct Shared {
    signatures: std::sync::Mutex<FxHashMap<u32, Option<std::sync::Arc<Signature>>>>,
    methods: std::sync::OnceLock<crate::stripped::MethodTable>,
    callers: std::sync::OnceLock<FxHashMap<u64, Vec<u64>>>,
    names: std::sync::OnceLock<FxHashMap<String, TypeId>>,
}

/// Parameters and results of a function with their places.
pub(crate) struct Signature {
    pub(crate) params: Vec<abi::Assigned>,
    pub(crate) results: Vec<abi::Assigned>,
    /// Register of the dictionary parameter.
    pub(crate) dictionary: Option<usize>,
}

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
    variables: RefCell<FxHashMap<usize, std::rc::Rc<Vec<Homed>>>>,
    idom: std::cell::OnceCell<Vec<Option<usize>>>,
    /// How many functions up the creation of a closure is being looked for.
    pub(crate) creating: Cell<u32>,
    /// How many callers or callees away from the function that was asked about.
    pub(crate) level: Cell<u32>,
}

/// A variable of DWARF and the words of it that are somewhere.
pub(crate) struct Homed {
    name: String,
    ty: TypeId,
    by_reference: bool,
    inner: usize,
    depth: u32,
    /// Word offset in the variable, and where it is.
    words: Vec<(u64, Loc)>,
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

    /// Turns closure calls through the dictionary parameter into dictionary calls.
    pub(crate) fn refine(&self, found: &mut [Found]) {
        if !self.f.name().contains("[go.shape.") {
            return;
        }
        for x in found.iter_mut().filter(|x| x.kind == SiteKind::Closure) {
            let dictionary = x.loads.iter().all(|(i, base)| {
                base.is_some_and(|b| self.types(*i, Loc::Reg(b)).contains(&Word::Dictionary))
            });
            if dictionary && !x.loads.is_empty() {
                x.kind = SiteKind::Dictionary { word: 0 };
            }
        }
    }

    /// Interface and method of a site.
    pub(crate) fn claim(&self, x: &Found) -> (Claim, Option<String>) {
        let (SiteKind::Interface, Some(slot)) = (x.kind, x.slot) else {
            return (Claim::Unknown("not an interface call"), None);
        };
        if let Some(itab) = x.constant_itab {
            return match self.engine.itabs(self.image).get(itab) {
                Some(i) => {
                    let ty = self.image.type_from_runtime(i.inter);
                    (Claim::Known { interface: ty, from: "itab" }, self.method(ty, slot))
                }
                None => (Claim::Unknown("a nil interface"), None),
            };
        }
        let mut set: Set = Set::new();
        for (i, base) in &x.loads {
            if let Some(b) = base {
                self.steps.set(0);
                set.extend(self.expand(*i, self.types(*i, Loc::Reg(*b))));
            }
        }
        self.decide(&set, slot, x)
    }

    /// The itab of an interface switch: those of the cases that are possible here.
    fn expand(&self, i: usize, set: Set) -> Set {
        let mut out = Set::new();
        for w in set {
            match w {
                Word::SwitchItab(desc) => {
                    let cases = self.cases(i, desc);
                    out.extend(cases.into_iter().filter_map(|c| results::switch_case(self.image, desc, c)));
                }
                w => {
                    out.insert(w);
                }
            }
        }
        out
    }

    fn decide(&self, set: &Set, slot: u16, x: &Found) -> (Claim, Option<String>) {
        let mut types: Vec<TypeId> = set
            .iter()
            .filter_map(|w| match w {
                Word::Itab(t) => Some(*t),
                _ => None,
            })
            .filter(|t| self.has_slot(*t, slot) && !self.is_shape(*t))
            .collect();
        if types.len() > 1 {
            types = self.distinct(types);
        }
        if types.len() > 1
            && let Some(one) = self.named_by_dwarf(x, &types)
        {
            types = vec![one];
        }
        match types.as_slice() {
            [] => (Claim::Unknown("the interface's type is not known statically"), None),
            [one] => {
                let from = self.origin(x);
                (Claim::Known { interface: *one, from }, self.method(*one, slot))
            }
            several => {
                let names: Vec<Option<String>> = several.iter().map(|t| self.method(*t, slot)).collect();
                let agreed = match names.split_first() {
                    Some((first, rest)) if rest.iter().all(|n| n == first) => first.clone(),
                    _ => None,
                };
                (Claim::Ambiguous(several.to_vec()), agreed)
            }
        }
    }

    /// Types with the same methods are one: the named one.
    fn distinct(&self, types: Vec<TypeId>) -> Vec<TypeId> {
        let mut out: Vec<(TypeId, Option<Vec<String>>)> = Vec::new();
        for t in types {
            let list = self.method_list(t);
            match out.iter_mut().find(|(_, l)| l.is_some() && *l == list) {
                Some(old) => {
                    let named = |t| self.image.type_of(t, self.image).is_ok_and(|t| t.named);
                    if !named(old.0) && named(t) {
                        old.0 = t;
                    }
                }
                None => out.push((t, list)),
            }
        }
        out.into_iter().map(|(t, _)| t).collect()
    }

    fn method_list(&self, t: TypeId) -> Option<Vec<String>> {
        match &self.image.type_of(t, self.image).ok()?.shape {
            Shape::Interface { methods: Some(m), .. } => {
                Some(m.iter().map(|m| format!("{}:{:?}", m.name, m.ty)).collect())
            }
            _ => None,
        }
    }

    /// Shapes are not types that the author wrote.
    fn is_shape(&self, t: TypeId) -> bool {
        self.image.type_of(t, self.image).is_ok_and(|t| t.name.contains("go.shape."))
    }

    fn has_slot(&self, t: TypeId, slot: u16) -> bool {
        match self.image.type_of(t, self.image).map(|t| t.shape.clone()) {
            Ok(Shape::Interface { methods: Some(m), .. }) => m.len() > slot as usize,
            Ok(Shape::Interface { methods: None, empty, .. }) => !empty,
            _ => false,
        }
    }

    fn method(&self, t: TypeId, slot: u16) -> Option<String> {
        match &self.image.type_of(t, self.image).ok()?.shape {
            Shape::Interface { methods: Some(m), .. } => m.get(slot as usize).map(|m| m.name.to_string()),
            _ => None,
        }
    }

    /// The interface type that DWARF names for the base at the load.
    fn named_by_dwarf(&self, x: &Found, types: &[TypeId]) -> Option<TypeId> {
        let (i, base) = x.loads.first()?;
        let (mut i, mut loc) = (*i, Loc::Reg((*base)?));
        for _ in 0..6 {
            if let Some(Word::Itab(t)) = self.by_dwarf(i, loc) {
                return types.contains(&t).then_some(t);
            }
            let defs = self.flow.reaching(i, loc);
            let [Def { at, expr: Expr::Copy(from), .. }] = defs.as_slice() else { return None };
            if *at == ENTRY {
                return None;
            }
            (i, loc) = (*at, *from);
        }
        None
    }

    /// What the itab word came from, in the protocol's words.
    fn origin(&self, x: &Found) -> &'static str {
        let Some((i, Some(base))) = x.loads.first() else { return "itab" };
        let defs = self.flow.origins(*i, Loc::Reg(*base));
        let mut said: Option<&'static str> = None;
        for d in &defs {
            let one = match d.expr {
                _ if d.at == ENTRY => "variable",
                Expr::Imm(0) => continue,
                Expr::Imm(_) => "itab",
                Expr::Call => "result",
                Expr::Load(m) if m.base.is_none() => "variable",
                Expr::Load(_) => "field",
                _ => "variable",
            };
            if said.is_some_and(|s| s != one) {
                return "dataflow";
            }
            said = Some(one);
        }
        said.unwrap_or("dataflow")
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
                let base = self.types_at(d.at, l, depth);
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
                let compared = if data { self.by_compare(at, loc) } else { None };
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

    /// The word that a variable of DWARF has in `loc` at instruction `i`, innermost scope first.
    fn by_dwarf(&self, i: usize, loc: Loc) -> Option<Word> {
        let vars = self.variables_at(i);
        let mut best: Option<((usize, u32), Word)> = None;
        for v in vars.iter() {
            let Some((off, _)) = v.words.iter().find(|(_, l)| *l == loc) else { continue };
            let word = if v.by_reference {
                Word::Ptr { ty: words::canon(self.image, v.ty), off: 0, many: false }
            } else {
                let Some(w) = words::leaf(self.image, v.ty, *off) else { continue };
                w
            };
            let rank = (usize::MAX - v.inner, v.depth);
            if best.as_ref().is_none_or(|(r, _)| rank > *r) {
                best = Some((rank, word));
            }
        }
        best.map(|b| b.1)
    }

    /// A pointer variable that lives in the location, or where it was copied from.
    fn pointer_by_dwarf(&self, i: usize, loc: Loc) -> Option<Word> {
        let (mut i, mut loc) = (i, loc);
        for _ in 0..6 {
            if let Some(w @ (Word::Ptr { .. } | Word::Itab(_) | Word::Func(_))) = self.by_dwarf(i, loc) {
                return Some(w);
            }
            let defs = self.flow.reaching(i, loc);
            let [Def { at, expr: Expr::Copy(from), .. }] = defs.as_slice() else { return None };
            if *at == ENTRY {
                return None;
            }
            (i, loc) = (*at, *from);
        }
        None
    }

    /// The variable that the itab of a call belongs to: its receiver as the source writes it, if that is a plain variable.
    pub(crate) fn receiver_name(&self, x: &Found) -> Option<String> {
        let (i, base) = x.loads.first()?;
        let (mut i, mut loc) = (*i, Loc::Reg((*base)?));
        for _ in 0..6 {
            let vars = self.variables_at(i);
            let here = |v: &&Homed| {
                let at = v.words.iter().find(|(_, l)| *l == loc).map(|w| w.0);
                at.and_then(|off| words::leaf(self.image, v.ty, off))
                    .is_some_and(|w| !v.by_reference && at == Some(0) && matches!(w, Word::Itab(_)))
            };
            let named: Vec<&Homed> = vars.iter().filter(here).collect();
            match named.as_slice() {
                [one] => return Some(one.name.clone()),
                [] => {}
                _ => return None,
            }
            let defs = self.flow.reaching(i, loc);
            let [Def { at, expr: Expr::Copy(from), .. }] = defs.as_slice() else { return None };
            if *at == ENTRY {
                return None;
            }
            (i, loc) = (*at, *from);
        }
        None
    }

    fn variables_at(&self, i: usize) -> std::rc::Rc<Vec<Homed>> {
        if let Some(v) = self.variables.borrow().get(&i) {
            return v.clone();
        }
        let made = std::rc::Rc::new(self.find_variables(i));
        self.variables.borrow_mut().insert(i, made.clone());
        made
    }

    fn find_variables(&self, i: usize) -> Vec<Homed> {
        let mut out = Vec::new();
        let Some(pc) = self.flow.code.inst(i).map(|x| x.addr) else { return out };
        if !self.image.has_dwarf() || self.steps.get() > MAX_STEPS {
            return out;
        }
        let arch = self.flow.code.arch;
        let regs = Regs::new(arch);
        let cx = VarContext { pc, regs: &regs, cfa: PRETEND_CFA, mem: &NoMemory };
        let entry_sp = PRETEND_CFA - arch.call_push();
        let depth = self.image.functions().inline_stack(pc).len();
        for inner in 0..depth.min(16) {
            for v in self.image.variables(pc, inner) {
                let name = self.image.type_of(v.ty, self.image).map(|t| t.name.clone());
                if name.is_ok_and(|n| n.starts_with("go.shape.")) {
                    continue;
                }
                let Ok(pieces) = self.image.locate(&v, &cx) else { continue };
                let words = homes(arch, entry_sp, &pieces);
                if !words.is_empty() {
                    out.push(Homed {
                        name: v.name,
                        ty: v.ty,
                        by_reference: v.by_reference,
                        inner,
                        depth: v.depth,
                        words,
                    });
                }
            }
        }
        out
    }
}

/// The words of a variable's pieces that are in registers or in the frame.
fn homes(arch: Arch, entry_sp: u64, pieces: &[image::Piece]) -> Vec<(u64, Loc)> {
    let mut out = Vec::new();
    let mut at = 0u64;
    for p in pieces {
        match &p.home {
            PieceHome::Register(Reg(r)) if *r < 32 => {
                let _ = arch;
                out.push((at, Loc::Reg(*r as R)));
            }
            PieceHome::Memory(a) => {
                let off = a.wrapping_sub(entry_sp) as i64;
                if off.abs() < 1 << 24 {
                    for w in 0..(p.size / 8).min(64) {
                        out.push((at + 8 * w, Loc::Slot(off + 8 * w as i64)));
                    }
                }
            }
            _ => {}
        }
        at = at.saturating_add(p.size);
    }
    out
}

impl Engine {
    /// Parameters and results of a function with their places, from DWARF.
    pub(crate) fn signature(&self, image: &Image, id: FuncId) -> Option<std::sync::Arc<Signature>> {
        let kept = || self.shared.signatures.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(s) = kept().get(&id.0) {
            return s.clone();
        }
        let described = make_signature(image, id);
        let made = match described {
            None if !image.has_dwarf() => {
                image.functions().get(id).and_then(|f| crate::stripped::signature(self, image, f))
            }
            d => d,
        };
        let made = made.map(std::sync::Arc::new);
        kept().insert(id.0, made.clone());
        made
    }
}

impl Engine {
    pub(crate) fn methods_by_code(&self, image: &Image) -> &crate::stripped::MethodTable {
        self.shared.methods.get_or_init(|| crate::stripped::method_table(self, image))
    }

    /// A named type by its full name, from DWARF or among the descriptors that can be found.
    pub(crate) fn named_type(&self, image: &Image, name: &str) -> Option<TypeId> {
        if image.has_dwarf() {
            return image.find_type(name);
        }
        let names = self.shared.names.get_or_init(|| crate::stripped::type_names(self, image));
        names.get(name).copied()
    }

    pub(crate) fn callers(&self, image: &Image) -> &FxHashMap<u64, Vec<u64>> {
        self.shared.callers.get_or_init(|| crate::stripped::callers(image))
    }
}

fn make_signature(image: &Image, id: FuncId) -> Option<Signature> {
    let f = image.functions().get(id)?;
    let list = image.signature(id)?;
    let shaped = f.name().contains("[go.shape.") && !crate::names::is_closure(f.name());
    let described = list.iter().any(|(n, ..)| n == ".dict");
    let method = crate::names::receiver(f.name()).is_some();
    // The dictionary comes after the receiver; in registers it counts as one integer word.
    let mut params: Vec<TypeId> = Vec::new();
    let mut at = None;
    let word = image.find_type("uintptr").or_else(|| image.find_type("int"));
    for (i, (name, ty, result)) in list.iter().filter(|p| !p.2).enumerate() {
        let _ = result;
        if shaped && !described && i == usize::from(method) {
            at = Some(params.len());
            params.push(word?);
        }
        if name == ".dict" {
            at = Some(params.len());
        }
        params.push(*ty);
    }
    if shaped && !described && at.is_none() && params.len() == usize::from(method) {
        at = Some(params.len());
        params.push(word?);
    }
    let (assigned, stack) = abi::assign(image, &params, 0);
    let results: Vec<TypeId> = list.iter().filter(|p| p.2).map(|p| p.1).collect();
    let (results, _) = abi::assign(image, &results, stack);
    let dictionary = at.and_then(|n| {
        let before = params.get(..n)?;
        let (a, _) = abi::assign(image, before, 0);
        Some(a.iter().filter(|x| matches!(x.place, Place::Int(_))).count())
    });
    Some(Signature { params: assigned, results, dictionary })
}

/// Reads a word of the file's initial data.
pub(crate) fn initial_word(image: &Image, addr: u64) -> Option<u64> {
    image.read_u64(addr).ok()
}
