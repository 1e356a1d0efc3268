//! Control of the program: breakpoints, steps, signals, resuming. Knows the target and Go's stacks; nothing of DAP.

pub(crate) mod breakpoints;
pub(crate) mod guards;
pub(crate) mod inferior;
pub(crate) mod into;
pub(crate) mod landing;
pub(crate) mod locate;
pub(crate) mod methods;
pub(crate) mod plan;
pub(crate) mod results;
pub(crate) mod step;
pub(crate) mod table;
