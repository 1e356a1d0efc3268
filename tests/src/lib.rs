//! The tests crate: helpers for end-to-end tests.
