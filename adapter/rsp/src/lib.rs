//! L0 `rsp`: packets of the GDB remote serial protocol: bytes in, values out.
//!
//! No I/O, no knowledge of processes. Everything a server sends is data that may be garbage: nothing here panics or allocates
//! beyond [`MAX_PACKET`]. Source: GDB's manual, appendix "GDB Remote Serial Protocol"; what gdbserver 13 to 18 really answers.

mod frame;
mod layout;
mod reply;
mod signal;

pub use frame::{Decoder, MAX_PACKET, Received, encode, hex, unhex};
pub use layout::RegisterLayout;
pub use reply::{StopReply, ThreadId, parse_stop};
pub use signal::{from_gdb, to_gdb};
