//! Measured accuracy: predictions against what runs, interface types against the compiler's record, spans and implementers against
//! go/types. Every figure is printed; a wrong answer fails.

mod common;
mod interfaces;
mod runtime;
mod views;
