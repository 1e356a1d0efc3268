//! Values of the stopped program: typed places, and readers of every Go kind over image + memory.
//!
//! What these read may be garbage (uninitialised locals, freed memory, a hostile core file): every length is checked before it is
//! trusted, every walk is bounded, and the answer to nonsense is a sentence. Never panics, never allocates without bound.

mod closure;
mod composite;
mod constants;
mod interface;
mod map;
mod map_buckets;
mod map_swiss;
mod place;
mod queue;
mod unpack;
mod variable;

pub use closure::{Capture, FuncValue, function_of};
pub use composite::{SliceHeader, element, fields, pointee, slice_header, string_header};
pub use interface::{Dynamic, Half, Interface, interface};
pub use map::{MapWalk, map_entries, map_len, walk_map};
pub use place::{OPTIMIZED_OUT, Place, Value, address, bytes, part, underlying, word};
pub use queue::{Channel, Waiter, channel, waiters};
pub use variable::{frame_variables, read_variable};
