//! Control of the program: breakpoints, steps, signals, resuming. Knows the target and Go's stacks; nothing of DAP.

pub mod breakpoints;
pub mod inferior;
pub mod landing;
pub mod locate;
pub mod plan;
pub mod results;
pub mod step;
pub mod table;
