//! Type assertions and switches in machine code, and what one of them is about to find. Reads only: nothing is called.
//!
//! A compare with a type or itab constant may also be `==` against a concrete value or a profile-guided guard: those that call
//! `efaceeq` or `ifaceeq` next are left out; the rest is what the source says.

use std::sync::Arc;

use image::{FuncId, Image, TypeId};
use machine::{Memory, MemoryExt, Regs};

use crate::engine::Engine;
use crate::flow::{Flowed, Loc};
use crate::interp::Machine;
use crate::model::{Alu, Dst, Flow, Op, R, Src, Target};
use crate::words::Word;
use crate::{results, tables, types, views};

/// How an assertion is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssertForm {
    /// A compare of the type or itab word with a constant.
    Compare,
    /// runtime.typeAssert, assertE2I*, assertI2I*.
    Interface,
    /// runtime.interfaceSwitch.
    Switch,
    /// runtime.panicdottypeE, panicdottypeI: the failing side of a concrete assertion.
    Panic,
}

/// One assertion.
#[derive(Clone, Debug, PartialEq)]
pub struct AssertSite {
    /// The compare, or the call of the runtime.
    pub pc: u64,
    pub form: AssertForm,
    /// The wanted type; the cases of a switch.
    pub wanted: Vec<TypeId>,
    /// Descriptor or itab that is compared with; the descriptor of a switch.
    constant: u64,
    /// The dynamic word is an itab, not a type.
    itab: bool,
    /// Where the dynamic word is: the compare's other operand, an argument of the call.
    word: Src,
    /// The call's first argument is a descriptor with a cache.
    descriptor: bool,
    /// A call that panics when the assertion fails.
    panics: bool,
    pub file: Arc<str>,
    pub line: u32,
}

/// What an assertion finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asserted {
    /// Descriptor of the dynamic type; None: nil.
    pub dynamic: Option<u64>,
    /// None: the runtime has not compared this pair yet.
    pub ok: Option<bool>,
    /// The case that is taken.
    pub case: Option<usize>,
}

impl Engine {
    /// The assertions of a function, in address order.
    pub fn assertions(&self, image: &Image, func: FuncId) -> Vec<AssertSite> {
        let Some(f) = image.functions().get(func) else { return Vec::new() };
        let Some(code) = self.code(image, f).filter(|_| !f.is_assembly()) else { return Vec::new() };
        let flow = Flowed::new(&code, image);
        let mut out = Vec::new();
        for (i, inst) in code.insts.iter().enumerate() {
            let found = match inst.flow {
                Flow::Call(Target::Const(t)) => call(image, &flow, i, t),
                _ => inst.ops.iter().find_map(|op| self.compare(image, &flow, i, op)),
            };
            if let Some(mut site) = found {
                let at = image.functions().location(inst.addr);
                site.pc = inst.addr;
                site.line = at.as_ref().map_or(0, |a| a.line);
                site.file = at.map_or_else(|| "".into(), |a| a.file);
                out.push(site);
            }
        }
        out
    }

    fn compare(&self, image: &Image, flow: &Flowed<'_>, i: usize, op: &Op) -> Option<AssertSite> {
        let Op::Alu { op: Alu::Sub, dst: Dst::None, a, b, size: 8, .. } = op else { return None };
        if compares_values(image, flow, i) {
            return None;
        }
        for (constant, word) in [(a, b), (b, a)] {
            let Src::Reg(r) = constant else { continue };
            let Some(at) = flow.constant(i, Loc::Reg(*r)) else { continue };
            let itab = self.itabs(image).get(at).map(|x| x.typ);
            let is_type = || image.type_range().contains(&at) && valid(image, at);
            let Some(typ) = itab.or_else(|| is_type().then_some(at)) else { continue };
            return Some(AssertSite {
                wanted: vec![image.type_from_runtime(typ)],
                constant: at,
                itab: itab.is_some(),
                ..site(AssertForm::Compare, *word)
            });
        }
        None
    }

    /// What the assertion finds with the registers at its pc.
    pub fn read_assertion(
        &self,
        image: &Image,
        mem: &dyn Memory,
        regs: &Regs,
        site: &AssertSite,
    ) -> Asserted {
        let nothing = |_: u64| false;
        self.read_with(image, mem, &Machine::new(mem, regs, &nothing), site).1
    }

    /// The same for an interpreted state at the site; with the itab, if the dynamic word is one.
    pub(crate) fn read_with(
        &self,
        image: &Image,
        mem: &dyn Memory,
        machine: &Machine<'_>,
        site: &AssertSite,
    ) -> (Option<u64>, Asserted) {
        let word = match site.word {
            Src::Reg(r) => machine.reg(r).map(|v| v.n),
            Src::Mem(m) => machine.address(&m).and_then(|a| mem.read_u64(a.n).ok()),
            _ => None,
        };
        let unknown = Asserted { dynamic: None, ok: None, case: None };
        let Some(word) = word else { return (None, unknown) };
        let itab = (site.itab && word != 0).then_some(word);
        let dynamic = match (word, site.itab) {
            (0, _) => None,
            (w, true) => mem.read_u64(w.wrapping_add(8)).ok(),
            (w, false) => Some(w),
        };
        let inter = |t: &TypeId| image.type_of(*t, mem).ok().and_then(|t| t.runtime);
        let has = |t: &TypeId| {
            let (inter, typ) = (inter(t)?, dynamic?);
            match tables::lookup(image, mem, inter, typ) {
                Some(known) => Some(known.is_some()),
                // The runtime has not compared this pair yet.
                None => views::missing_method(image, mem, typ, inter).ok().map(|m| m.is_none()),
            }
        };
        let seen = match site.form {
            AssertForm::Panic => Asserted { dynamic, ok: Some(false), case: None },
            AssertForm::Compare => Asserted { dynamic, ok: Some(word == site.constant), case: None },
            _ if dynamic.is_none() => Asserted { dynamic, ok: Some(false), case: None },
            AssertForm::Interface => Asserted { dynamic, ok: site.wanted.first().and_then(has), case: None },
            AssertForm::Switch => {
                let first = site.wanted.iter().map(has).enumerate().find(|(_, fits)| *fits != Some(false));
                match first {
                    Some((k, Some(_))) => Asserted { dynamic, ok: Some(true), case: Some(k) },
                    Some((_, None)) => Asserted { dynamic, ok: None, case: None },
                    None => Asserted { dynamic, ok: Some(false), case: None },
                }
            }
        };
        (itab, seen)
    }
}

impl AssertSite {
    /// The word that is compared is an itab, not a type.
    pub(crate) fn is_itab(&self) -> bool {
        self.itab
    }

    /// The runtime call takes a descriptor with a cache (Go 1.22 and newer).
    pub(crate) fn takes_descriptor(&self) -> bool {
        self.descriptor
    }

    /// A failure is a panic. Of a compare the code behind it decides: see [`AssertForm::Panic`].
    pub fn panics(&self) -> bool {
        self.panics
    }

    pub(crate) fn word_register(&self) -> Option<Loc> {
        match self.word {
            Src::Reg(r) => Some(Loc::Reg(r)),
            _ => None,
        }
    }

    /// Interface of the itab that is compared with.
    pub(crate) fn constant_interface(&self, mem: &dyn Memory) -> Option<u64> {
        (self.itab && self.form == AssertForm::Compare).then(|| mem.read_u64(self.constant).ok())?
    }
}

fn valid(image: &Image, t: u64) -> bool {
    image.type_of(TypeId::Runtime(t), image).is_ok()
}

fn site(form: AssertForm, word: Src) -> AssertSite {
    AssertSite {
        pc: 0,
        form,
        wanted: Vec::new(),
        constant: 0,
        itab: false,
        word,
        descriptor: false,
        panics: false,
        file: "".into(),
        line: 0,
    }
}

/// `==` of interface values: the runtime compares the data next, before other words are compared.
fn compares_values(image: &Image, flow: &Flowed<'_>, i: usize) -> bool {
    let compares = |op: &Op| {
        let Op::Alu { op: Alu::Sub, dst: Dst::None, a, b, size: 8, .. } = op else { return false };
        !matches!((a, b), (Src::Imm(_), _) | (_, Src::Imm(_)))
    };
    for (n, inst) in flow.code.insts.iter().enumerate().skip(i).take(24) {
        if let Flow::Call(Target::Const(t)) = inst.flow
            && let Some(f) = image.functions().at(t)
            && matches!(f.name(), "runtime.efaceeq" | "runtime.ifaceeq")
        {
            return true;
        }
        if n > i && inst.ops.iter().any(compares) {
            return false;
        }
    }
    false
}

fn call(image: &Image, flow: &Flowed<'_>, i: usize, target: u64) -> Option<AssertSite> {
    let f = image.functions().at(target).filter(|f| f.entry() == target)?;
    let args = flow.code.arch.int_args();
    let arg = |n: usize| args.get(n).map(|r| r.0 as R);
    let constant = |n: usize| flow.constant(i, Loc::Reg(arg(n)?));
    let wanted = |n: usize| constant(n).filter(|t| valid(image, *t)).map(|t| image.type_from_runtime(t));
    let interface = |w: Option<Word>| match w {
        Some(Word::Itab(t)) => Some(t),
        _ => None,
    };
    let name = f.name().strip_prefix("runtime.")?;
    Some(match name {
        "typeAssert" => AssertSite {
            wanted: interface(results::assert_interface(image, constant(0)?)).into_iter().collect(),
            descriptor: true,
            panics: results::assert_panics(image, constant(0)?),
            ..site(AssertForm::Interface, Src::Reg(arg(1)?))
        },
        "interfaceSwitch" => {
            let desc = constant(0)?;
            let n = types::initial_word(image, desc.wrapping_add(8))?.min(256);
            let case = |k| interface(results::switch_case(image, desc, k));
            AssertSite {
                wanted: (0..n).filter_map(case).collect(),
                constant: desc,
                descriptor: true,
                ..site(AssertForm::Switch, Src::Reg(arg(1)?))
            }
        }
        "assertE2I" | "assertE2I2" | "assertI2I" | "assertI2I2" => AssertSite {
            wanted: wanted(0).into_iter().collect(),
            itab: name.starts_with("assertI2I"),
            panics: !name.ends_with("I2"),
            ..site(AssertForm::Interface, Src::Reg(arg(1)?))
        },
        "panicdottypeE" | "panicdottypeI" => AssertSite {
            wanted: wanted(1).into_iter().collect(),
            itab: name == "panicdottypeI",
            panics: true,
            ..site(AssertForm::Panic, Src::Reg(arg(0)?))
        },
        _ => return None,
    })
}
