//! What values are looked at in, and the limits of looking.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use dispatch::Engine;
use golang::{Frame, Process};

/// When an interface value gets its virtual child `[itab]` or `[type]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShowItab {
    /// Not for `any` values of basic and unnamed types without methods.
    #[default]
    Auto,
    Always,
    Never,
}

/// What values are looked at in: the process, a frame, and where methods lead.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub process: &'a Process<'a>,
    /// None: only package variables and addresses.
    pub frame: Option<&'a Frame>,
    /// The frames that called `frame`, nearest first, when they are known: the body of a range-over-func loop shows the variables of the
    /// function around it.
    pub outer: &'a [Frame],
    /// Follows method table entries to their bodies; None: function names only.
    pub dispatch: Option<&'a Engine>,
    pub show_itab: ShowItab,
    pub limits: &'a Limits,
    pub budget: &'a Budget,
}

/// How much of a value is written into its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a string within another value.
    pub string: u64,
    /// Bytes of a string that is the whole value.
    pub whole_string: u64,
    /// Elements of an array or slice.
    pub array: u64,
    /// Entries of a map.
    pub map: u64,
    /// Fields of a struct; None: all.
    pub fields: Option<usize>,
    /// Structs and maps within each other beyond the first (pointers are free).
    pub depth: u32,
    /// Bytes of the text of a value that has children; None: no limit but memory's.
    pub text: Option<usize>,
    /// Strings without quotes and escapes.
    pub raw_strings: bool,
}

impl Default for Limits {
    /// Those of `dlv dap` in a variables view.
    fn default() -> Limits {
        Limits {
            string: 512,
            whole_string: 4096,
            array: 64,
            map: 64,
            fields: None,
            depth: 1,
            text: Some(256),
            raw_strings: false,
        }
    }
}

/// What one request may cost. What doesn't fit is cut off and said to be.
#[derive(Clone, Debug)]
pub struct Budget {
    /// Children that one answer lists.
    pub children: usize,
    /// Bytes read from the process.
    pub bytes: u64,
    pub deadline: Option<Instant>,
    /// Set by whoever wants the work to end.
    pub cancel: Option<Arc<AtomicBool>>,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget { children: 10_000, bytes: 64 << 20, deadline: None, cancel: None }
    }
}

impl Budget {
    /// The default one with a time limit from now.
    pub fn within(time: Duration) -> Budget {
        Budget { deadline: Instant::now().checked_add(time), ..Budget::default() }
    }
}
