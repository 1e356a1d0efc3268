//! Why a value may be another one when the program gets there.

use std::ops::{BitOr, BitOrAssign};

use crate::api::Certainty;

/// What a value rests on; nothing: it will be so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stale(u8);

impl Stale {
    pub(crate) const NONE: Stale = Stale(0);
    /// Memory that a call in between may change.
    pub(crate) const CALL: Stale = Stale(1);
    /// Memory that another goroutine may change.
    pub(crate) const SHARED: Stale = Stale(2);

    /// Callees were run in the sandbox on the way.
    pub(crate) const SPECULATIVE: Stale = Stale(4);

    pub(crate) fn is_speculative(self) -> bool {
        self.0 & Stale::SPECULATIVE.0 != 0
    }

    pub(crate) fn any(self) -> bool {
        self.0 != 0
    }

    /// What may be promised of an answer that rests on it.
    pub(crate) fn certainty(self) -> Certainty {
        match self {
            s if s.is_speculative() => Certainty::Speculative,
            s if s.any() => Certainty::Stale,
            _ => Certainty::Certain,
        }
    }

    pub(crate) fn by_call(self) -> bool {
        self.0 & Stale::CALL.0 != 0
    }
}

impl BitOr for Stale {
    type Output = Stale;

    fn bitor(self, other: Stale) -> Stale {
        Stale(self.0 | other.0)
    }
}

impl BitOrAssign for Stale {
    fn bitor_assign(&mut self, other: Stale) {
        self.0 |= other.0;
    }
}
