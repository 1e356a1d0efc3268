//! End to end: the strict client against the adapter, real Go programs and real debuggers.
//!
//! One executable, so that it links once; sessions are shared between assertions, so that the whole takes minutes.

// Helpers of tests fail by panicking, as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod attach;
mod attributes;
mod breakpoints;
mod clients;
mod console;
mod delve;
mod dispatch;
mod exceptions;
mod failures;
mod goroutines;
mod hostile;
mod launch;
mod lifecycle;
mod matrix;
mod methods;
mod places;
mod profiles;
mod random;
mod servers;
mod signals;
mod speculation;
mod stepping;
mod support;
mod through;
mod traces;
mod zoo;
