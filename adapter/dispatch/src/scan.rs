//! The whole binary: every dynamic call, found in parallel. A byte search leaves out the functions that can't have one.

use std::sync::Arc;

use image::{FuncId, Image};
use machine::MemoryExt;
use rayon::prelude::*;

use crate::api::{Site, SiteKind};
use crate::classify::may_dispatch;
use crate::engine::{Analysis, Engine};

/// Bytes of a function that is looked at.
const MAX_BYTES: usize = 4 << 20;

impl Engine {
    /// All dynamic calls of the functions that `wanted` accepts (by linker name), in address order; stops early when `stop` says so.
    /// Nothing is cached: a view of the whole program must not throw out what the current stop needs.
    pub fn scan(
        &self,
        image: &Image,
        wanted: &(dyn Fn(&str) -> bool + Sync),
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Vec<(FuncId, Arc<Site>)> {
        let ids: Vec<FuncId> =
            image.functions().iter().filter(|f| wanted(f.name())).map(|f| f.id()).collect();
        let mut out: Vec<(FuncId, Arc<Site>)> = ids
            .par_iter()
            .flat_map_iter(|id| {
                let sites = if stop() { None } else { self.dynamic_sites(image, *id) };
                sites.unwrap_or_default().into_iter().map(|s| (*id, s))
            })
            .collect();
        out.sort_by_key(|(_, s)| s.pc);
        out
    }

    fn dynamic_sites(&self, image: &Image, id: FuncId) -> Option<Vec<Arc<Site>>> {
        let analysis = self.dynamic_analysis(image, id)?;
        let dynamic = |s: &&Arc<Site>| !matches!(s.kind, SiteKind::Static { .. } | SiteKind::Other);
        Some(analysis.sites.iter().filter(dynamic).cloned().collect())
    }

    /// The analysis of a function that may have a dynamic call, not cached.
    pub(crate) fn dynamic_analysis(&self, image: &Image, id: FuncId) -> Option<Analysis> {
        let f = image.functions().get(id)?;
        let len = usize::try_from(f.end().checked_sub(f.entry())?).ok()?;
        let bytes = image.read_vec(f.entry(), len, MAX_BYTES).ok()?;
        if f.is_assembly() || !may_dispatch(image.arch(), &bytes) {
            return None;
        }
        let code = crate::code::Code::of(image, f)?;
        Some(self.analyse(image, f, Arc::new(code)))
    }
}
