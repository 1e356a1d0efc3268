//! One answer for each call out of all paths: they must agree, else it is pending.

use rustc_hash::{FxHashMap, FxHashSet};

use super::{End, Hit, Outcome, Prediction};

pub(super) fn merge(paths: Vec<(Vec<Hit>, End)>) -> Prediction {
    let mut out = Prediction::default();
    let key = |h: &Hit, nth: usize| match (&h.site, &h.inlined) {
        (Some(s), _) => (*s, String::new(), 0),
        (None, Some((name, _))) => (usize::MAX, name.clone(), nth),
        // An open-coded defer, by its func value.
        (None, None) if h.defers.is_some() => (usize::MAX - 1, h.target.unwrap_or(0).to_string(), 0),
        _ => (usize::MAX, String::new(), nth),
    };
    let mut index: FxHashMap<(usize, String, usize), usize> = FxHashMap::default();
    let mut seen_in: Vec<usize> = Vec::new();
    let mut counted = 0;
    for (events, end) in &paths {
        if let End::Left(pc) = end {
            out.exits.push(*pc);
        }
        out.incomplete |= *end == End::Lost;
        if *end != End::Panics {
            counted += 1;
        }
        let mut here: FxHashSet<usize> = FxHashSet::default();
        let mut nth: FxHashMap<String, usize> = FxHashMap::default();
        for h in events {
            let n = h.inlined.as_ref().map_or(0, |(name, _)| {
                let c = nth.entry(name.clone()).or_insert(0);
                *c += 1;
                *c
            });
            let k = *index.entry(key(h, n)).or_insert_with(|| {
                out.hits.push(h.clone());
                seen_in.push(0);
                out.hits.len() - 1
            });
            if !here.insert(k) {
                continue;
            }
            if *end != End::Panics
                && let Some(s) = seen_in.get_mut(k)
            {
                *s += 1;
            }
            if let Some(old) = out.hits.get_mut(k) {
                unite(old, h);
            }
        }
    }
    for (h, n) in out.hits.iter_mut().zip(&seen_in) {
        h.conditional |= *n < counted;
    }
    out.exits.sort_unstable();
    out.exits.dedup();
    out
}

impl Hit {
    fn is_open(&self) -> bool {
        matches!(self.outcome, Outcome::Pending(_)) || self.stale.any()
    }

    fn is_for(&self, other: &Hit) -> bool {
        self.site.is_some() && self.site == other.site
    }
}

impl Prediction {
    /// Something could be answered better by running callees.
    pub(crate) fn leaves_open(&self) -> bool {
        self.incomplete || self.hits.iter().any(Hit::is_open)
    }

    /// Takes the sandbox's answers where there are none that are certain. Whether a call is reached stays as it was known without.
    pub(crate) fn adopt(&mut self, other: Prediction) {
        for new in other.hits {
            match self.hits.iter_mut().find(|h| h.is_for(&new)) {
                Some(old) if old.is_open() => {
                    let conditional = old.conditional;
                    // A way that ends in doubt too is no better, but says why.
                    if new.stale.is_speculative() || matches!(old.outcome, Outcome::Pending(_)) {
                        *old = Hit { conditional, ..new };
                    }
                }
                Some(_) => {}
                None if new.site.is_some() => self.hits.push(Hit { conditional: true, ..new }),
                None => {}
            }
        }
    }
}

pub(super) fn unite(old: &mut Hit, new: &Hit) {
    old.stale |= new.stale;
    old.conditional |= new.conditional;
    if !agree(&old.outcome, &new.outcome) {
        old.outcome = Outcome::Pending("decided by a branch of this line".into());
        old.target = None;
    }
    if let (Some((a, on)), Some((b, also))) = (&mut old.reflected, &new.reflected) {
        *on |= *also;
        if !agree(a, b) {
            *a = Outcome::Pending("decided by a branch of this line".into());
        }
    }
    if old.itab != new.itab {
        old.itab = None;
    }
}

fn agree(a: &Outcome, b: &Outcome) -> bool {
    match (a, b) {
        (Outcome::Known(a), Outcome::Known(b)) => a.body == b.body && a.links == b.links,
        (Outcome::Panics(a), Outcome::Panics(b)) => a == b,
        (Outcome::Pending(_), Outcome::Pending(_)) => true,
        _ => false,
    }
}
