//! Which addresses carry a breakpoint, and for whom. One int3 may serve several owners; it is in memory as long as one is left.
//!
//! Only this module sets and clears breakpoints of the target, so that detaching can never leave one behind.

use std::collections::BTreeMap;

use target::{NotChanged, Target, TargetError};

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
    /// `runtime.preprintpanics`: nobody recovers; the value is still the one that was given to `panic`.
    PanicKept,
    /// A return of `runtime.gorecover`.
    Recovered,
    /// A type assertion that may fail, by its index.
    Assertion(u32),
    /// `main.main`, for stopOnEntry.
    Entry,
    /// `runtime.getitab` adds an itab to the table: a type may implement an interface that a breakpoint is on.
    ItabMade,
    /// The load of a method from an itab, on the way to a body that only some types' calls count for.
    MethodLoad,
}

impl Internal {
    /// It belongs to the filters of `setExceptionBreakpoints`.
    pub(crate) fn is_exception(self) -> bool {
        match self {
            Internal::UnrecoveredPanic
            | Internal::FatalThrow
            | Internal::AnyPanic
            | Internal::PanicKept
            | Internal::Recovered
            | Internal::Assertion(_) => true,
            Internal::Entry | Internal::ItabMade | Internal::MethodLoad => false,
        }
    }
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
///
/// What nobody wants any more stays in memory until the program is about to run ([`AddressTable::settle`]): the next step often wants
/// the same addresses.
#[derive(Default)]
pub(crate) struct AddressTable {
    /// Armed addresses; without an owner: to be cleared.
    owners: BTreeMap<u64, Vec<Owner>>,
}

impl AddressTable {
    /// Adds owners; the breakpoints that are not in memory yet are written together. Addresses that are refused are returned and get
    /// no owner.
    pub(crate) fn add(
        &mut self,
        target: &mut dyn Target,
        wanted: &[(u64, Owner)],
    ) -> Result<Vec<NotChanged>, TargetError> {
        let new: Vec<u64> =
            wanted.iter().map(|(addr, _)| *addr).filter(|a| !self.owners.contains_key(a)).collect();
        let refused = if new.is_empty() { Vec::new() } else { target.change_breakpoints(&[], &new)? };
        for (addr, owner) in wanted {
            if refused.iter().any(|r| r.addr == *addr) {
                continue;
            }
            let list = self.owners.entry(*addr).or_default();
            if !list.contains(owner) {
                list.push(*owner);
            }
        }
        Ok(refused)
    }

    /// Removes the owners for which `gone` is true.
    pub(crate) fn remove_where(&mut self, gone: impl Fn(Owner) -> bool) {
        for list in self.owners.values_mut() {
            list.retain(|o| !gone(*o));
        }
    }

    /// Takes the breakpoints that nobody wants out of memory. Those that can't be (the target still shadows them) stay in the table and
    /// are returned.
    pub(crate) fn settle(&mut self, target: &mut dyn Target) -> Result<Vec<NotChanged>, TargetError> {
        let stale: Vec<u64> = self.owners.iter().filter(|(_, l)| l.is_empty()).map(|(a, _)| *a).collect();
        if stale.is_empty() {
            return Ok(Vec::new());
        }
        let kept = target.change_breakpoints(&stale, &[])?;
        self.owners.retain(|addr, list| !list.is_empty() || kept.iter().any(|k| k.addr == *addr));
        Ok(kept)
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
