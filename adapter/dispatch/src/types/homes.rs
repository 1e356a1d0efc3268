//! Variables of DWARF by where they live: consulted where data flow has no answer.

use image::{PieceHome, TypeId, VarContext};
use machine::{NoMemory, Reg, Regs};

use super::{MAX_STEPS, Typer};
use crate::classify::Found;
use crate::flow::{Def, ENTRY, Expr, Loc};
use crate::model::R;
use crate::words::{self, Word};

/// Where the frame is pretended to be when DWARF locations are evaluated.
const PRETEND_CFA: u64 = 1 << 40;

/// A variable of DWARF and the words of it that are somewhere.
pub(super) struct Homed {
    name: String,
    ty: TypeId,
    by_reference: bool,
    inner: usize,
    depth: u32,
    /// Word offset in the variable, and where it is.
    words: Vec<(u64, Loc)>,
}

impl Typer<'_> {
    /// The word that a variable of DWARF has in `loc` at instruction `i`, innermost scope first.
    pub(super) fn by_dwarf(&self, i: usize, loc: Loc) -> Option<Word> {
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
    pub(super) fn pointer_by_dwarf(&self, i: usize, loc: Loc) -> Option<Word> {
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

    pub(super) fn variables_at(&self, i: usize) -> std::rc::Rc<Vec<Homed>> {
        if let Some(v) = self.variables.borrow().get(&i) {
            return v.clone();
        }
        let made = std::rc::Rc::new(self.find_variables(i));
        self.variables.borrow_mut().insert(i, made.clone());
        made
    }

    pub(super) fn find_variables(&self, i: usize) -> Vec<Homed> {
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
                let words = homes(entry_sp, &pieces);
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
fn homes(entry_sp: u64, pieces: &[image::Piece]) -> Vec<(u64, Loc)> {
    let mut out = Vec::new();
    let mut at = 0u64;
    for p in pieces {
        match &p.home {
            PieceHome::Register(Reg(r)) if *r < 32 => {
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
