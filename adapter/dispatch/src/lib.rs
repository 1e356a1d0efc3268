//! dispatch: see docs/ARCHITECTURE.md.
