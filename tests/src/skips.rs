//! What a machine can't run is said and counted, and fails where `CI=true`.

use std::sync::atomic::{AtomicUsize, Ordering};

static SKIPPED: AtomicUsize = AtomicUsize::new(0);

/// Notes that something was not tested, and why. In CI that is a failure.
#[track_caller]
pub fn skip(what: &str, why: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "CI can't skip {what}: {why}");
    let number = SKIPPED.fetch_add(1, Ordering::SeqCst) + 1;
    eprintln!("skipped {number}: {what}: {why}");
}

/// True when everything is to be run (set by `cargo xtask test --full`).
pub fn full() -> bool {
    std::env::var("ITAB_DAP_FULL").as_deref() == Ok("1")
}
