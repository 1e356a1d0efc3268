//! User breakpoints: what was asked for, where it went, its condition, hit condition, log message and counts.
//!
//! Counts are exact because the session steps over a hit with signals held; conditions are compiled when set and decided here,
//! never by the back end.

use std::collections::BTreeMap;

use eval::{HitCondition, LogTemplate, Program};

use super::table::BreakpointId;

/// What a breakpoint was set on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Client's path, line asked for.
    Source {
        path: String,
        line: u32,
    },
    Function {
        name: String,
    },
    /// As the client wrote it, and the address that it means, offset added.
    Instruction {
        reference: String,
        addr: Option<u64>,
    },
}

/// What DAP calls the breakpoint's options, as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) condition: Option<String>,
    pub(crate) hit_condition: Option<String>,
    pub(crate) log_message: Option<String>,
}

/// One user breakpoint.
pub(crate) struct Breakpoint {
    pub(crate) id: BreakpointId,
    pub(crate) place: Place,
    pub(crate) options: Options,
    pub(crate) condition: Option<Program>,
    pub(crate) hit_condition: Option<HitCondition>,
    pub(crate) log: Option<LogTemplate>,
    /// Run-time addresses; empty when unverified.
    pub(crate) addrs: Vec<u64>,
    /// The line it really went to.
    pub(crate) line: Option<u32>,
    /// Path on this machine, as the compiler wrote it.
    pub(crate) file: Option<String>,
    /// Why it is not verified, or a remark.
    pub(crate) message: Option<String>,
    /// Hits whose condition was true.
    pub(crate) hits: u64,
}

impl Breakpoint {
    /// One that stands nowhere yet.
    pub(crate) fn unbound(id: BreakpointId, place: Place, options: Options) -> Self {
        Breakpoint {
            id,
            place,
            options,
            condition: None,
            hit_condition: None,
            log: None,
            addrs: Vec::new(),
            line: None,
            file: None,
            message: None,
            hits: 0,
        }
    }

    pub(crate) fn verified(&self) -> bool {
        !self.addrs.is_empty()
    }

    /// Counts a hit whose condition was true, and says whether it stops.
    pub(crate) fn count_hit(&mut self) -> bool {
        self.hits += 1;
        self.hit_condition.as_ref().is_none_or(|h| h.holds(self.hits))
    }
}

/// All user breakpoints.
#[derive(Default)]
pub(crate) struct Breakpoints {
    list: BTreeMap<BreakpointId, Breakpoint>,
    last_id: i64,
}

impl Breakpoints {
    pub(crate) fn next_id(&mut self) -> BreakpointId {
        self.last_id += 1;
        BreakpointId(self.last_id)
    }

    pub(crate) fn insert(&mut self, b: Breakpoint) {
        self.list.insert(b.id, b);
    }

    pub(crate) fn get(&self, id: BreakpointId) -> Option<&Breakpoint> {
        self.list.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: BreakpointId) -> Option<&mut Breakpoint> {
        self.list.get_mut(&id)
    }

    pub(crate) fn remove(&mut self, id: BreakpointId) -> Option<Breakpoint> {
        self.list.remove(&id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Breakpoint> {
        self.list.values()
    }

    /// Ids of the breakpoints whose place is in the group that a set request replaces.
    pub(crate) fn group(&self, mut same: impl FnMut(&Place) -> bool) -> Vec<BreakpointId> {
        self.list.values().filter(|b| same(&b.place)).map(|b| b.id).collect()
    }
}
