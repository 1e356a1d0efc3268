//! From the set of possible itabs to a claim: one is known, several are ambiguous, none is unknown. Never one of several.

use image::{Shape, TypeId};

use super::{Set, Typer};
use crate::api::{Claim, SiteKind};
use crate::classify::Found;
use crate::flow::{Def, ENTRY, Expr, Loc};
use crate::results;
use crate::words::Word;

impl Typer<'_> {
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
    pub(super) fn expand(&self, i: usize, set: Set) -> Set {
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

    pub(super) fn decide(&self, set: &Set, slot: u16, x: &Found) -> (Claim, Option<String>) {
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
    pub(super) fn distinct(&self, types: Vec<TypeId>) -> Vec<TypeId> {
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

    pub(super) fn method_list(&self, t: TypeId) -> Option<Vec<String>> {
        match &self.image.type_of(t, self.image).ok()?.shape {
            Shape::Interface { methods: Some(m), .. } => {
                Some(m.iter().map(|m| format!("{}:{:?}", m.name, m.ty)).collect())
            }
            _ => None,
        }
    }

    /// Shapes are not types that the author wrote.
    pub(super) fn is_shape(&self, t: TypeId) -> bool {
        self.image.type_of(t, self.image).is_ok_and(|t| t.name.contains("go.shape."))
    }

    pub(super) fn has_slot(&self, t: TypeId, slot: u16) -> bool {
        match self.image.type_of(t, self.image).map(|t| t.shape.clone()) {
            Ok(Shape::Interface { methods: Some(m), .. }) => m.len() > slot as usize,
            Ok(Shape::Interface { methods: None, empty, .. }) => !empty,
            _ => false,
        }
    }

    pub(super) fn method(&self, t: TypeId, slot: u16) -> Option<String> {
        match &self.image.type_of(t, self.image).ok()?.shape {
            Shape::Interface { methods: Some(m), .. } => m.get(slot as usize).map(|m| m.name.to_string()),
            _ => None,
        }
    }

    /// The interface type that DWARF names for the base at the load.
    pub(super) fn named_by_dwarf(&self, x: &Found, types: &[TypeId]) -> Option<TypeId> {
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
    pub(super) fn origin(&self, x: &Found) -> &'static str {
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
}
