//! A call that the interpretation has met: where it leads with the registers of that moment.

use crate::api::{Chain, SiteKind};
use crate::interp::{Machine, Stale, V};
use crate::{callbacks, reflected, resolve};

use super::{Hit, Outcome, Path, Predictor, starts_function};

/// Deferred calls of one frame that are listed.
const MAX_DEFERRED: usize = 16;

impl<'a> Predictor<'a> {
    pub(super) fn call(&mut self, p: &mut Path<'a>, i: usize, target: Option<V>, return_pc: u64) {
        let Some(k) = self.a.by_index.get(&i).copied() else { return };
        let Some(site) = self.a.sites.get(k).cloned() else { return };
        let itab = site.loads.iter().find_map(|l| p.itabs.get(&l.pc)).copied();
        // What a direct call reaches can't change, but a branch may choose another call in its place.
        let fixed = matches!(site.kind, SiteKind::Static { .. } | SiteKind::Constant { .. });
        let mut hit = Hit {
            site: Some(k),
            inlined: None,
            outcome: Outcome::Pending(match &p.stopped {
                Some(why) => why.clone().into(),
                None => "decided by a value that this line computes first".into(),
            }),
            itab: itab.map(|v| v.n).or(site.constant_itab),
            target: target.map(|t| t.n),
            stale: p.m.branches | target.map_or(Stale::NONE, |t| t.stale),
            conditional: fixed && p.m.branches.by_call(),
            callbacks: Vec::new(),
            reflected: None,
            defers: None,
        };
        let starts = match site.kind {
            SiteKind::Static { target } => {
                self.w.image.functions().at(target).is_some_and(|f| starts_function(f.name()))
            }
            _ => false,
        };
        if starts {
            self.funcval(p, &mut hit, site.kind);
        } else if self.is_deferreturn(site.kind) {
            let mut chains = self.deferred(&p.m).into_iter();
            let Some(first) = chains.next() else { return };
            hit.stale |= first.stale;
            // What this very line defers before its end isn't in the list yet.
            if p.events.iter().any(|e| e.defers.is_some() || self.is_start(e)) {
                hit.stale |= Stale::CALL;
            }
            hit.outcome = Outcome::Known(Box::new(first));
            hit.target = None;
            hit.callbacks = chains.collect();
            hit.stale = hit.callbacks.iter().fold(hit.stale, |s, c| s | c.stale);
        } else if let (Some(t), false) = (target, site.kind == SiteKind::Other) {
            let mut m = p.m.clone();
            if return_pc != 0 {
                m.enter(return_pc);
            }
            let chain = match site.kind {
                // A direct call of a helper of the runtime isn't followed.
                SiteKind::Static { .. } if self.is_runtime(t.n) => return,
                _ => resolve::chain(&self.w, t.n, Some(m)),
            };
            hit.callbacks = callbacks::of_call(&self.w, &p.m, &chain);
            for c in &mut hit.callbacks {
                c.stale |= p.m.branches;
            }
            hit.reflected = self.reflected(p, &chain, t.n);
            hit.stale |= chain.stale;
            hit.outcome = match chain.will_panic.clone() {
                Some(why) => Outcome::Panics(why),
                None => Outcome::Known(Box::new(chain)),
            };
        }
        p.events.push(hit);
    }

    fn is_start(&self, hit: &Hit) -> bool {
        let site = hit.site.and_then(|k| self.a.sites.get(k));
        matches!(site.map(|s| s.kind), Some(SiteKind::Static { target })
            if self.w.image.functions().at(target).is_some_and(|f| starts_function(f.name())))
    }

    /// What `reflect.Value.Call` will call, and what that rests on. Only where the call is direct: a wrapper takes other arguments.
    fn reflected(&self, p: &Path<'a>, chain: &Chain, target: u64) -> Option<(Outcome, Stale)> {
        chain.body.as_ref().filter(|b| b.entry == target && reflected::is_call(&b.qualified_name))?;
        let chain = resolve::from(&self.w, reflected::called(&self.w, &p.m));
        let value = (0..3).filter_map(|i| p.m.arg(i)).fold(Stale::NONE, |s, v| s | v.stale);
        let stale = p.m.branches | value | chain.stale;
        let outcome = match (chain.body.is_some(), &chain.will_panic) {
            (_, Some(why)) => Outcome::Panics(why.clone()),
            (true, None) => Outcome::Known(Box::new(chain)),
            (false, None) => {
                Outcome::Pending("decided by a reflect.Value that this line computes first".into())
            }
        };
        Some((outcome, stale))
    }

    /// An open-coded `defer`: its bit has just been set, its func value lies in the slot of that bit. `after`: the
    /// next instruction.
    pub(super) fn open_coded(&self, p: &mut Path<'a>, before: Option<V>, after: u64) {
        let Some(slots) = self.defers.as_ref() else { return };
        let (Some(old), Some(new)) = (before, p.m.load(slots.bits, 1, false)) else { return };
        let set = new.n & !old.n;
        let Some(fv) = slots.slot(set).and_then(|at| p.m.load(at, 8, false)) else { return };
        self.deferred_value(p, fv, after);
    }

    /// The same where the bit is never seen set, because nothing can panic until the deferred call is made.
    pub(super) fn slot_filled(&self, p: &mut Path<'a>, slot: u64, after: u64) {
        if let Some(fv) = p.m.load(slot, 8, false).filter(|fv| fv.n != 0) {
            self.deferred_value(p, fv, after);
        }
    }

    fn deferred_value(&self, p: &mut Path<'a>, fv: V, after: u64) {
        if let Some(known) = p.events.iter_mut().find(|e| e.defers.is_some() && e.target == Some(fv.n)) {
            known.defers = Some(after);
            return;
        }
        let Some(chain) = callbacks::closure_chain(&self.w, &p.m, fv) else { return };
        let stale = p.m.branches | fv.stale | chain.stale;
        p.events.push(Hit {
            site: None,
            inlined: None,
            outcome: match chain.will_panic.clone() {
                Some(why) => Outcome::Panics(why),
                None => Outcome::Known(Box::new(chain)),
            },
            itab: None,
            target: Some(fv.n),
            stale,
            conditional: false,
            callbacks: Vec::new(),
            reflected: None,
            defers: Some(after),
        });
    }

    pub(super) fn is_runtime(&self, target: u64) -> bool {
        super::is_runtime(&self.w, target)
    }

    /// go and defer: the func value that is handed to the runtime.
    pub(super) fn funcval(&self, p: &Path<'a>, hit: &mut Hit, kind: SiteKind) {
        let SiteKind::Static { target } = kind else { return };
        let name = self.w.image.functions().at(target).map(|f| f.name().to_string()).unwrap_or_default();
        let mut fv = p.m.arg(0);
        if name == "runtime.deferprocStack" {
            let off = self.w.image.layout().offset("runtime._defer", "fn").unwrap_or(24);
            fv = fv.and_then(|d| p.m.load(d.n.wrapping_add(off), 8, false));
        }
        let Some(fv) = fv else {
            hit.target = None;
            return;
        };
        hit.target = Some(fv.n);
        hit.stale |= fv.stale;
        if let Some(chain) = callbacks::closure_chain(&self.w, &p.m, fv) {
            hit.stale |= chain.stale;
            hit.outcome = match chain.will_panic.clone() {
                Some(why) => Outcome::Panics(why),
                None => Outcome::Known(Box::new(chain)),
            };
        } else if fv.n == 0 {
            hit.outcome = Outcome::Panics("nil func value".into());
        }
    }

    pub(crate) fn is_deferreturn(&self, kind: SiteKind) -> bool {
        matches!(kind, SiteKind::Static { target }
            if self.w.image.functions().at(target).is_some_and(|f| f.name() == "runtime.deferreturn"))
    }

    /// The deferred calls of this frame in the order in which they will run: records of the goroutine, newest first.
    pub(super) fn deferred(&self, m: &Machine<'a>) -> Vec<Chain> {
        let mut out = Vec::new();
        let layout = self.w.image.layout();
        let field = |s: &str, f: &str| layout.offset(s, f);
        let word = |at: u64, s: &str, f: &str| m.load(at.wrapping_add(field(s, f)?), 8, false);
        let (Some(g), Some(sp)) = (m.reg(m.arch.g().0 as u8), m.sp()) else { return out };
        let mut record = word(g.n, "runtime.g", "_defer");
        while let Some(at) = record.map(|r| r.n).filter(|r| *r != 0 && out.len() < MAX_DEFERRED) {
            if word(at, "runtime._defer", "sp").is_none_or(|s| s.n != sp.n) {
                break;
            }
            // The records are the goroutine's own: neither a callee nor another goroutine changes those of this frame.
            let fv =
                word(at, "runtime._defer", "fn").filter(|f| f.n != 0).map(|f| V { stale: Stale::NONE, ..f });
            out.extend(fv.and_then(|fv| callbacks::closure_chain(&self.w, m, fv)));
            record = word(at, "runtime._defer", "link");
        }
        out
    }

    /// A fault at or shortly before the load of a site is that call's panic.
    pub(super) fn fault(&self, p: &mut Path<'a>, i: usize, at: V) {
        let pc = p.pc;
        let site = self.a.sites.iter().position(|s| s.loads.iter().any(|l| l.pc == pc)).or_else(|| {
            // The explicit nil check of debug code stands before the load, in the same block.
            let block = self.a.code.blocks.get(*self.a.code.block_of.get(i)? as usize)?;
            let end = block.end;
            (at.n < 4096).then_some(())?;
            let (k, first) =
                self.a.found.iter().enumerate().find(|(_, f)| {
                    f.index > i && f.index < end && !matches!(f.kind, SiteKind::Static { .. })
                })?;
            first.loads.iter().any(|l| l.0 > i).then_some(k)
        });
        let Some(k) = site else { return };
        let why = match self.a.sites.get(k).map(|s| s.kind) {
            Some(SiteKind::Closure) => "nil func value",
            _ if at.n >= 4096 => "the receiver points to unmapped memory",
            _ => "nil interface",
        };
        p.events.push(Hit {
            site: Some(k),
            inlined: None,
            outcome: Outcome::Panics(why.into()),
            itab: None,
            target: None,
            stale: p.m.branches | at.stale,
            conditional: false,
            callbacks: Vec::new(),
            reflected: None,
            defers: None,
        });
    }
}
