//! What a stop is reported as: reason, goroutine, texts. Built in one place, sent as exactly one `stopped` event.

/// DAP's `stopped.reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    Entry,
    Step,
    Breakpoint,
    FunctionBreakpoint,
    InstructionBreakpoint,
    Exception,
    Pause,
}

impl Reason {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Reason::Entry => "entry",
            Reason::Step => "step",
            Reason::Breakpoint => "breakpoint",
            Reason::FunctionBreakpoint => "function breakpoint",
            Reason::InstructionBreakpoint => "instruction breakpoint",
            Reason::Exception => "exception",
            Reason::Pause => "pause",
        }
    }
}

/// An exception for `exceptionInfo`: the same text as in `stopped`, because not every client asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Exception {
    /// `panic`, `fatal error`.
    pub(super) id: &'static str,
    pub(super) text: String,
}

/// A stop as the user sees it.
#[derive(Clone, Debug)]
pub(super) struct Reported {
    pub(super) reason: Reason,
    pub(super) goid: Option<u64>,
    pub(super) description: Option<String>,
    pub(super) text: Option<String>,
    pub(super) hit: Vec<i64>,
    pub(super) exception: Option<Exception>,
}

impl Reported {
    pub(super) fn new(reason: Reason, goid: Option<u64>) -> Self {
        Reported { reason, goid, description: None, text: None, hit: Vec::new(), exception: None }
    }

    pub(super) fn step(goid: Option<u64>) -> Self {
        Self::new(Reason::Step, goid)
    }

    pub(super) fn described(mut self, description: String) -> Self {
        self.description = Some(description);
        self
    }

    pub(super) fn exception(goid: Option<u64>, id: &'static str, text: String) -> Self {
        let mut r = Self::new(Reason::Exception, goid);
        r.description = Some(id.to_string());
        r.text = Some(text.clone());
        r.exception = Some(Exception { id, text });
        r
    }
}
