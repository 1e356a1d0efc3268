//! What a stop is reported as: reason, goroutine, texts. Built in one place, sent as exactly one `stopped` event.

/// DAP's `stopped.reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Entry,
    Step,
    Breakpoint,
    FunctionBreakpoint,
    InstructionBreakpoint,
    Exception,
    Pause,
    /// What Delve calls a step that could not be made.
    Error,
}

impl Reason {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Reason::Entry => "entry",
            Reason::Step => "step",
            Reason::Breakpoint => "breakpoint",
            Reason::FunctionBreakpoint => "function breakpoint",
            Reason::InstructionBreakpoint => "instruction breakpoint",
            Reason::Exception => "exception",
            Reason::Pause => "pause",
            Reason::Error => "error",
        }
    }
}

/// An exception for `exceptionInfo`: the same text as in `stopped`, because not every client asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exception {
    /// `panic`, `fatal error`, `recovered panic`, `failed assertion`.
    pub(crate) id: &'static str,
    pub(crate) text: String,
    /// It ends the program.
    pub(crate) unhandled: bool,
    /// Type of the value given to `panic`: short, and with the import path.
    pub(crate) type_names: Option<(String, String)>,
}

/// A stop as the user sees it.
#[derive(Clone, Debug)]
pub(crate) struct Reported {
    pub(crate) reason: Reason,
    pub(crate) goid: Option<u64>,
    pub(crate) description: Option<String>,
    pub(crate) text: Option<String>,
    pub(crate) hit: Vec<i64>,
    pub(crate) exception: Option<Exception>,
}

impl Reported {
    pub(crate) fn new(reason: Reason, goid: Option<u64>) -> Self {
        Reported { reason, goid, description: None, text: None, hit: Vec::new(), exception: None }
    }

    pub(crate) fn step(goid: Option<u64>) -> Self {
        Self::new(Reason::Step, goid)
    }

    pub(crate) fn described(mut self, description: String) -> Self {
        self.description = Some(description);
        self
    }

    pub(crate) fn exception(goid: Option<u64>, exception: Exception) -> Self {
        let mut r = Self::new(Reason::Exception, goid);
        r.description = Some(exception.id.to_string());
        r.text = Some(exception.text.clone());
        r.exception = Some(exception);
        r
    }
}
