//! Which addresses carry a breakpoint, and for whom. One int3 may serve several owners; it is in memory as long as one is left.
//!
//! Only this module sets and clears breakpoints of the target, so that detaching can never leave one behind.

use std::collections::BTreeMap;

use target::{Target, TargetError};

/// A user-visible breakpoint's id, as DAP sees it. Never reused in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct BreakpointId(pub i64);

/// The debugger's own stops in the runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Internal {
    /// `runtime.fatalpanic`: an unrecovered panic, deferred calls have run.
    UnrecoveredPanic,
    /// `runtime.throw`, `runtime.fatal`.
    FatalThrow,
    /// `runtime.gopanic`: every panic at its origin.
    AnyPanic,
    /// `main.main`, for stopOnEntry.
    Entry,
    /// `runtime.getitab` adds an itab to the table: a type may implement an interface that a breakpoint is on.
    ItabMade,
    /// The load of a method from an itab, on the way to a body that only some types' calls count for.
    MethodLoad,
}

/// A point of a trace: never a stop that the user sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TracePoint {
    pub(crate) trace: u32,
    pub(crate) index: u32,
}

/// Who wants a stop at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Owner {
    User(BreakpointId),
    Internal(Internal),
    /// Index into the current step's list of temporaries.
    Temporary(usize),
    Trace(TracePoint),
}

/// The table of armed addresses.
#[derive(Default)]
pub(crate) struct AddressTable {
    owners: BTreeMap<u64, Vec<Owner>>,
}

impl AddressTable {
    /// Adds an owner; writes the breakpoint when it is the first one.
    pub(crate) fn add(
        &mut self,
        target: &mut dyn Target,
        addr: u64,
        owner: Owner,
    ) -> Result<(), TargetError> {
        let list = self.owners.entry(addr).or_default();
        if list.is_empty()
            && let Err(e) = target.set_breakpoint(addr)
        {
            self.owners.remove(&addr);
            return Err(e);
        }
        if !list.contains(&owner) {
            list.push(owner);
        }
        Ok(())
    }

    /// Removes every address of the owners for which `gone` is true. A breakpoint that can't be removed is kept in the table
    /// (the target still shadows it) and the first error is returned.
    pub(crate) fn remove_where(
        &mut self,
        target: &mut dyn Target,
        gone: impl Fn(Owner) -> bool,
    ) -> Result<(), TargetError> {
        let mut first_error = None;
        let mut empty = Vec::new();
        for (&addr, list) in &mut self.owners {
            let before = list.len();
            list.retain(|o| !gone(*o));
            if list.is_empty() && before > 0 {
                empty.push(addr);
            }
        }
        for addr in empty {
            self.owners.remove(&addr);
            if let Err(e) = target.clear_breakpoint(addr) {
                first_error.get_or_insert(e);
            }
        }
        first_error.map_or(Ok(()), Err)
    }

    /// The owners at an address, users first.
    pub(crate) fn owners(&self, addr: u64) -> Vec<Owner> {
        let mut v = self.owners.get(&addr).cloned().unwrap_or_default();
        v.sort();
        v
    }

    /// After exec all addresses are void: forgets them without touching the target.
    pub(crate) fn forget_all(&mut self) {
        self.owners.clear();
    }
}
