//! golang: see docs/ARCHITECTURE.md.
