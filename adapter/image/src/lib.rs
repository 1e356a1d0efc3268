//! image: see docs/ARCHITECTURE.md.
