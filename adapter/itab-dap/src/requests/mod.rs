//! Handlers of requests, one file for each family. They turn core values into DAP types; nothing else does.

pub(crate) mod binding;
pub(crate) mod breakpoints;
mod decode;
mod disassemble;
pub(crate) mod dispatch;
pub(crate) mod evaluate;
mod execution;
mod memory;
mod methods;
mod stack;
pub(crate) mod threads;
pub(crate) mod variables;
pub(crate) mod views;
