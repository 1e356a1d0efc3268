//! L2 `golang`: the Go process: goroutines, stacks, types and values over image + memory.
//!
//! Readers take `&dyn Memory`; nothing here does I/O, spawns, or knows DAP or a back end. Garbage memory gives an
//! error with a reason or a short list marked incomplete, never a panic, a hang or an allocation without bound.

mod basic;
mod facts;
mod goroutine;
mod linked;
mod made;
mod names;
mod panics;
mod process;
mod runtime_error;
mod stack;
mod types;
mod value;
mod whereabouts;

pub use goroutine::{Goroutine, GoroutineList, SavedRegs, Status};
pub use made::MadeTypes;
pub use names::{is_dictionary_of, real_symbol, type_argument_lists};
pub use panics::{Deferred, OpenCodedDefers, Panic, open_coded_defers};
pub use process::{Process, ThreadState};
pub use runtime_error::{
    BoundsCheck, Conversion, RuntimeError, error_text, runtime_error, uncomparable_part,
};
pub use stack::{Frame, FrameKind, Stack, StackOf};
pub use value::{
    Capture, Channel, Dynamic, FuncValue, Half, Interface, MapWalk, OPTIMIZED_OUT, Place, SliceHeader, Value,
    Waiter, address, bytes, channel, element, fields, frame_variables, function_of, interface, map_entries,
    map_len, part, pointee, read_variable, slice_header, string_header, underlying, waiters, walk_map, word,
};
pub use whereabouts::{OnStack, Region, Whereabouts, whereabouts};
