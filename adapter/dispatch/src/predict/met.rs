//! A call that the interpretation has met: where it leads with the registers of that moment.

use crate::abi::Place;
use crate::api::{Chain, SiteKind};
use crate::interp::{Machine, Stale, V};
use crate::resolve;
use crate::words::{self, Word};

use super::{Hit, MAX_CALLBACKS, Outcome, Path, Predictor, starts_function};

impl<'a> Predictor<'a> {
    pub(super) fn call(&mut self, p: &mut Path<'a>, i: usize, target: Option<V>, return_pc: u64) {
        let Some(k) = self.a.by_index.get(&i).copied() else { return };
        let Some(site) = self.a.sites.get(k).cloned() else { return };
        let itab = site.loads.iter().find_map(|l| p.itabs.get(&l.pc)).copied();
        let mut hit = Hit {
            site: Some(k),
            inlined: None,
            outcome: Outcome::Pending("decided by a value that this line computes first"),
            itab: itab.map(|v| v.n).or(site.constant_itab),
            target: target.map(|t| t.n),
            stale: p.m.branches | target.map_or(Stale::NONE, |t| t.stale),
            conditional: false,
            callbacks: Vec::new(),
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
            let Some(chain) = self.next_deferred(&p.m) else { return };
            hit.outcome = Outcome::Known(Box::new(chain));
            hit.target = None;
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
            hit.callbacks = self.callbacks(p, &chain);
            hit.stale |= chain.stale;
            hit.outcome = match chain.will_panic.clone() {
                Some(why) => Outcome::Panics(why),
                None => Outcome::Known(Box::new(chain)),
            };
        }
        p.events.push(hit);
    }

    pub(super) fn is_runtime(&self, target: u64) -> bool {
        self.w.image.functions().at(target).is_some_and(|f| {
            f.name()
                .strip_prefix("runtime.")
                .is_some_and(|n| !n.starts_with(|c: char| c.is_ascii_uppercase()) && !n.starts_with("(*"))
        })
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
        if let Some(chain) = self.closure_chain(&p.m, fv) {
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

    /// The deferred call of this frame that runs next: the newest record of the goroutine, if it is this frame's.
    pub(super) fn next_deferred(&self, m: &Machine<'a>) -> Option<Chain> {
        let layout = self.w.image.layout();
        let field = |s: &str, f: &str| layout.offset(s, f);
        let g = m.reg(m.arch.g().0 as u8)?;
        let record = m.load(g.n.wrapping_add(field("runtime.g", "_defer")?), 8, false)?;
        if record.n == 0 {
            return None;
        }
        let word = |name: &str| m.load(record.n.wrapping_add(field("runtime._defer", name)?), 8, false);
        let same_frame = word("sp")?.n == m.sp()?.n;
        let fv = word("fn").filter(|f| same_frame && f.n != 0)?;
        self.closure_chain(m, fv)
    }

    /// The chain of a func value when it is called with no arguments in registers.
    pub(super) fn closure_chain(&self, m: &Machine<'a>, fv: V) -> Option<Chain> {
        let code = m.load(fv.n, 8, true)?;
        let mut m = m.clone();
        m.forget_registers();
        let context = m.arch.context().0 as u8;
        m.set_reg(context, Some(fv));
        m.enter(0);
        Some(resolve::chain(&self.w, code.n, Some(m)))
    }

    /// Func values and interface values among the arguments that the callee declares: code that it may call back.
    pub(super) fn callbacks(&self, p: &Path<'a>, chain: &Chain) -> Vec<Chain> {
        let mut out = Vec::new();
        let callee = chain.body.as_ref().and_then(|b| b.function);
        let Some(sig) = callee.and_then(|f| self.w.engine.signature(self.w.image, f)) else { return out };
        for param in &sig.params {
            let Place::Int(n) = param.place else { continue };
            let Some(v) = p.m.arg(n).filter(|v| v.n >= 4096 && v.n % 8 == 0) else { continue };
            match words::leaf(self.w.image, param.ty, param.offset) {
                Some(Word::Func(_)) => out.extend(self.closure_chain(&p.m, v)),
                Some(Word::Itab(_)) => {
                    if let (Ok(itab), Some(data)) = (self.w.image.itab(v.n, self.w.mem), p.m.arg(n + 1)) {
                        out.extend(self.methods(&p.m, &itab, data));
                    }
                }
                _ => {}
            }
        }
        out
    }

    /// The bodies of an interface value's methods.
    pub(super) fn methods(&self, m: &Machine<'a>, itab: &image::Itab, data: V) -> Vec<Chain> {
        let one = |target: &u64| {
            let mut m = m.clone();
            m.forget_registers();
            m.set_result(0, Some(data));
            m.enter(0);
            resolve::chain(&self.w, *target, Some(m))
        };
        itab.fun.iter().take(MAX_CALLBACKS).map(one).collect()
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
        });
    }
}
