//! User breakpoints: what was asked for, where it went, its condition, hit condition, log message and counts.
//!
//! Counts are exact because the session steps over a hit with signals held; conditions are compiled when set and decided here,
//! never by the back end.

use std::collections::{BTreeMap, HashSet};

use eval::{HitCondition, LogTemplate, Program};

use super::{guards::Guard, table::BreakpointId};

/// What a breakpoint was set on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Client's path, line asked for.
    Source { path: String, line: u32 },
    /// A function's name, `file.go:12`, or an interface's method with or without a type.
    Function { name: String },
    /// As the client wrote it, and the address that it means, offset added.
    Instruction { reference: String, addr: Option<u64> },
    /// `itab/breakOnMethod`: every body is a breakpoint of its own to the client.
    Method { interface: String, method: String, concrete: Option<String> },
}

/// What DAP calls the breakpoint's options, as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) condition: Option<String>,
    pub(crate) hit_condition: Option<String>,
    pub(crate) log_message: Option<String>,
}

impl Options {
    /// Empty texts are absent.
    pub(crate) fn cleaned(self) -> Self {
        let some = |s: Option<String>| s.filter(|t| !t.trim().is_empty());
        Options {
            condition: some(self.condition),
            hit_condition: some(self.hit_condition),
            log_message: self.log_message.filter(|t| !t.is_empty()),
        }
    }
}

/// One place in the code that a breakpoint went to, with the options compiled for the names that are in scope there.
pub(crate) struct Spot {
    /// Run-time address.
    pub(crate) addr: u64,
    pub(crate) condition: Option<Program>,
    pub(crate) log: Option<LogTemplate>,
    /// Who must have called: one of them is enough; none: whoever did.
    pub(crate) guards: Vec<Guard>,
    /// The client's number for this body alone.
    pub(crate) id: Option<BreakpointId>,
}

/// An interface's method whose bodies may become more while the program runs.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    /// `main.Shape.Area`, for messages.
    pub(crate) title: String,
    /// Descriptors: one, or the instances of a generic interface.
    pub(crate) interfaces: Vec<u64>,
    pub(crate) method: String,
    /// Full name of the only concrete type that counts.
    pub(crate) concrete: Option<String>,
    /// Descriptors of the types that were looked at.
    pub(crate) known: HashSet<u64>,
}

/// One user breakpoint.
pub(crate) struct Breakpoint {
    pub(crate) id: BreakpointId,
    pub(crate) place: Place,
    pub(crate) options: Options,
    /// Set in the console: no request of the client replaces it.
    pub(crate) console: bool,
    pub(crate) hit_condition: Option<HitCondition>,
    /// Empty when unverified.
    pub(crate) spots: Vec<Spot>,
    pub(crate) watch: Option<Watch>,
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
            console: false,
            hit_condition: None,
            spots: Vec::new(),
            watch: None,
            line: None,
            file: None,
            message: None,
            hits: 0,
        }
    }

    pub(crate) fn verified(&self) -> bool {
        !self.spots.is_empty()
    }

    /// The same code, for the same callers.
    pub(crate) fn same_places(&self, other: &Breakpoint) -> bool {
        let place = |s: &Spot| (s.addr, s.guards.clone());
        self.spots.iter().map(place).eq(other.spots.iter().map(place))
    }

    pub(crate) fn spot(&self, addr: u64) -> Option<&Spot> {
        self.spots.iter().find(|s| s.addr == addr)
    }

    /// The number by which the client knows a hit at this address.
    pub(crate) fn shown_id(&self, addr: u64) -> BreakpointId {
        self.spot(addr).and_then(|s| s.id).unwrap_or(self.id)
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

    /// The program is another one: every breakpoint has to find its places again, and counts from nought.
    pub(crate) fn unbind_all(&mut self) {
        for b in self.list.values_mut() {
            let fresh = Breakpoint::unbound(b.id, b.place.clone(), b.options.clone());
            let console = b.console;
            *b = Breakpoint { console, ..fresh };
        }
    }

    /// Ids of the client's breakpoints whose place is in the group that a set request replaces.
    pub(crate) fn group(&self, mut same: impl FnMut(&Place) -> bool) -> Vec<BreakpointId> {
        self.list.values().filter(|b| !b.console && same(&b.place)).map(|b| b.id).collect()
    }
}
