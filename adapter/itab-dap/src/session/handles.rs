//! Frame ids and variable references: handed out once, never reused in a session, refused at once when their stop is over
//! (clients keep using ids of the previous stop: they must never be answered for another frame).

use std::collections::HashMap;

/// First handle, as Delve's.
const FIRST: i64 = 1000;

/// Handles of one kind.
pub(crate) struct Handles<T> {
    next: i64,
    live: HashMap<i64, T>,
}

impl<T> Default for Handles<T> {
    fn default() -> Self {
        Handles { next: FIRST, live: HashMap::new() }
    }
}

impl<T> Handles<T> {
    pub(crate) fn add(&mut self, value: T) -> i64 {
        let id = self.next;
        self.next += 1;
        self.live.insert(id, value);
        id
    }

    /// Puts a newer value behind a live id.
    pub(crate) fn replace(&mut self, id: i64, value: T) {
        if let Some(slot) = self.live.get_mut(&id) {
            *slot = value;
        }
    }

    pub(crate) fn get(&self, id: i64) -> Option<&T> {
        self.live.get(&id)
    }

    /// True if the id was handed out once, at this stop or an earlier one.
    pub(crate) fn was_given(&self, id: i64) -> bool {
        (FIRST..self.next).contains(&id)
    }

    /// The stop is over: everything handed out is refused from now on.
    pub(crate) fn clear(&mut self) {
        self.live.clear();
    }

    /// The same, and the ids begin again: only for clients that expect it ([`super::Client::as_delve`]).
    pub(crate) fn restart(&mut self) {
        *self = Handles::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_never_reused_after_a_stop() {
        let mut h = Handles::default();
        let a = h.add("old");
        h.clear();
        let b = h.add("new");
        assert_ne!(a, b);
        assert_eq!(h.get(a), None);
        assert_eq!(h.get(b), Some(&"new"));
    }
}
