//! rsp: see docs/ARCHITECTURE.md.
