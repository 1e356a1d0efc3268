//! Ids of call sites: the same for the same call during one stop, so that `stepInTargets`, `itab/dispatch` and the console agree.

use std::collections::HashMap;

use dispatch::CallSite;

use super::Handles;

/// A call that the client knows by an id.
#[derive(Clone, Debug)]
pub(crate) struct KnownCall {
    pub(crate) id: i64,
    pub(crate) site: CallSite,
}

/// Calls handed out at this stop.
#[derive(Default)]
pub(crate) struct CallSites {
    ids: HashMap<Key, i64>,
    known: Handles<CallSite>,
}

/// Goroutine, frame index, order within the line, CALL address (0: inlined), line.
type Key = (u64, usize, u32, u64, u32);

impl CallSites {
    /// The id of a call; the newest facts about it are kept.
    pub(crate) fn note(&mut self, goid: u64, frame: usize, site: CallSite) -> KnownCall {
        let key = (goid, frame, site.order, site.call_pc.unwrap_or(0), site.line.unwrap_or(0));
        let id = match self.ids.get(&key) {
            Some(id) => {
                self.known.replace(*id, site.clone());
                *id
            }
            None => {
                let id = self.known.add(site.clone());
                self.ids.insert(key, id);
                id
            }
        };
        KnownCall { id, site }
    }

    pub(crate) fn get(&self, id: i64) -> Option<KnownCall> {
        self.known.get(id).map(|site| KnownCall { id, site: site.clone() })
    }

    pub(crate) fn clear(&mut self) {
        self.ids.clear();
        self.known.clear();
    }
}
