//! Why a value may be another one when the program gets there.

use std::ops::{BitOr, BitOrAssign};

/// What a value rests on; nothing: it will be so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stale(u8);

impl Stale {
    pub(crate) const NONE: Stale = Stale(0);
    /// Memory that a call in between may change.
    pub(crate) const CALL: Stale = Stale(1);
    /// Memory that another goroutine may change.
    pub(crate) const SHARED: Stale = Stale(2);

    pub(crate) fn any(self) -> bool {
        self.0 != 0
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
