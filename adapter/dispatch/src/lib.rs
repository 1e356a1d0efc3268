//! L2 `dispatch`: call sites, their targets and the chain from itab to the body that the author wrote.

mod decode;
mod model;
