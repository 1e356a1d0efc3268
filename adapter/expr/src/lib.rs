//! expr: see docs/ARCHITECTURE.md.
