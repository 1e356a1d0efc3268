//! What the crate answers: sites, calls of a line, links and chains. Plain data, free of DAP; the shapes follow docs/PROTOCOL.md.

use std::sync::Arc;

use image::{FuncId, Image, TypeId};
use machine::{Memory, Reg, Regs};

/// Where Go source text comes from; this crate does no I/O. `file` is the path as the compiler wrote it.
pub trait SourceText: Send + Sync {
    fn source(&self, file: &str) -> Option<Arc<str>>;
}

/// No source at all: calls are listed from the machine code alone, without columns.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSource;

impl SourceText for NoSource {
    fn source(&self, _file: &str) -> Option<Arc<str>> {
        None
    }
}

/// A frame of the stopped program, as the questions about its line need it.
pub struct Context<'a> {
    pub image: &'a Image,
    /// The process' memory, breakpoint bytes masked.
    pub mem: &'a dyn Memory,
    /// The frame's registers; for a frame below the top: those that unwinding recovered (at least pc and SP).
    pub regs: &'a Regs,
    /// True for the frame that executes at `regs.pc()`; false: `regs.pc()` is a return address and a call is in progress.
    pub top: bool,
    /// 0 = the innermost inlined function at the pc, as in [`image::Functions::inline_stack`].
    pub inline_depth: usize,
    pub source: &'a dyn SourceText,
}

/// Which calls are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those of the frame's current line.
    Line,
    /// Those of the frame's whole function, without prediction beyond the current line.
    Function,
}

/// What the machine code does at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SiteKind {
    Interface,
    Closure,
    /// Through word `k` of a generic dictionary.
    Dictionary {
        word: u32,
    },
    /// An indirect call of a function that the compiler knew (method value or closure made in the same function).
    Constant {
        target: u64,
    },
    /// A direct call.
    Static {
        target: u64,
    },
    /// An indirect call of the runtime's own (assembly, vDSO): never offered.
    Other,
}

/// The instruction that reads `Fun[slot]`, and the register that holds the itab there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    pub pc: u64,
    /// None: the itab is a constant.
    pub base: Option<Reg>,
}

/// What is known of a site's interface type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    Known {
        interface: TypeId,
        from: &'static str,
    },
    /// Several are possible; never one of them is picked.
    Ambiguous(Vec<TypeId>),
    Unknown(&'static str),
}

/// One call instruction of a function, found statically.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    /// The CALL, BLR or tail jump.
    pub pc: u64,
    /// The instruction after it (of a tail jump: 0).
    pub return_pc: u64,
    pub kind: SiteKind,
    pub tail: bool,
    pub slot: Option<u16>,
    pub loads: Vec<Load>,
    /// The constant itab of a call through one.
    pub constant_itab: Option<u64>,
    pub interface: Claim,
    /// Known also where several interfaces are possible that agree on it.
    pub method: Option<String>,
    pub file: Arc<str>,
    pub line: u32,
    /// How many inlined functions the instruction lies in.
    pub inline_depth: usize,
    /// Name of the (inlined) function whose source the call is in.
    pub function: String,
    /// Line of that function's declaration: distinguishes a closure from its surroundings.
    pub start_line: u32,
    /// The variable that DWARF names for the itab at the load.
    pub receiver: Option<String>,
}

/// Source range of a call expression: 1-based lines and byte columns, the end behind the last character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    pub line: u32,
    pub column: u32,
    pub end_line: u32,
    pub end_column: u32,
}

/// A dynamic call with its place in the source, as far as machine code and text tell without a stop.
#[derive(Clone, Debug)]
pub struct Placement {
    pub site: Arc<Site>,
    /// By data flow, else the only name that the source line leaves.
    pub method: Option<String>,
    /// Of the call expression.
    pub span: Option<Span>,
}

/// The source's construct.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CallKind {
    Interface,
    Closure,
    MethodValue,
    Dictionary,
    Go,
    Defer,
    #[default]
    Static,
    Range,
    Deferred,
    Callback,
    Reflect,
}

impl CallKind {
    /// As docs/PROTOCOL.md spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            CallKind::Interface => "interface",
            CallKind::Closure => "closure",
            CallKind::MethodValue => "methodValue",
            CallKind::Dictionary => "dictionary",
            CallKind::Go => "go",
            CallKind::Defer => "defer",
            CallKind::Static => "static",
            CallKind::Range => "range",
            CallKind::Deferred => "deferred",
            CallKind::Callback => "callback",
            CallKind::Reflect => "reflect",
        }
    }
}

/// What happens when the call is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    Known,
    Panics,
    #[default]
    Pending,
    Unknown,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            State::Known => "known",
            State::Panics => "panics",
            State::Pending => "pending",
            State::Unknown => "unknown",
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    #[default]
    Certain,
    /// A call in between may change it.
    Stale,
    /// Found by running callees in a sandbox.
    Speculative,
}

impl Certainty {
    pub fn as_str(self) -> &'static str {
        match self {
            Certainty::Certain => "certain",
            Certainty::Stale => "stale",
            Certainty::Speculative => "speculative",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Itab,
    Entry,
    Wrapper,
    Dictionary,
    Body,
}

impl Role {
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Itab => "itab",
            Role::Entry => "entry",
            Role::Wrapper => "wrapper",
            Role::Dictionary => "dictionary",
            Role::Body => "body",
        }
    }
}

/// One link of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub role: Role,
    /// With package names: `main.(*Square).Area`.
    pub name: String,
    /// The linker's name, with import paths.
    pub qualified_name: String,
    pub address: u64,
    /// Of a wrapper: "value receiver", "promoted", "embedded interface", "-fm", "gowrap", "deferwrap", "shape", "abi", "inlined body".
    pub kind: Option<&'static str>,
    /// Of an itab.
    pub interface_type: Option<String>,
    pub concrete_type: Option<String>,
    pub slot: Option<u16>,
    pub file: Option<Arc<str>>,
    pub line: Option<u32>,
}

/// Where the author's code of a target is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// Entry of the physical function that contains it.
    pub entry: u64,
    /// Where a step stops: the end of the prologue; for an inlined body its first instruction.
    pub stop_pc: u64,
    pub name: String,
    pub qualified_name: String,
    pub function: Option<FuncId>,
    pub file: Option<Arc<str>>,
    pub line: Option<u32>,
    /// The body was inlined into the wrapper.
    pub inlined: bool,
    /// The body has no instruction of its own: the wrapper is all there is.
    pub folded: bool,
}

/// From a code address to the author's body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    pub links: Vec<Link>,
    pub body: Option<Body>,
    /// The wrapper will panic (a value method through a nil pointer).
    pub will_panic: Option<String>,
    /// Why there is no body.
    pub reason: Option<String>,
    /// What a second dispatch inside the chain rests on.
    pub(crate) stale: crate::interp::Stale,
}

/// One call of a line. The default: a direct call of which nothing is known.
#[derive(Clone, Debug, Default)]
pub struct CallSite {
    pub kind: CallKind,
    /// Evaluation order within the line; earlier calls keep theirs when they are done.
    pub order: u32,
    /// The call that the frame is in.
    pub in_progress: bool,
    /// The call's function as written: `w.Write`.
    pub expression: Option<String>,
    pub file: Option<Arc<str>>,
    pub line: Option<u32>,
    /// Of the call expression, when it was matched.
    pub span: Option<Span>,
    /// The CALL; None when it was inlined.
    pub call_pc: Option<u64>,
    pub interface_type: Option<TypeId>,
    pub interface_name: Option<String>,
    pub interface_from: Option<&'static str>,
    pub method: Option<String>,
    pub slot: Option<u16>,
    pub type_parameter: Option<String>,
    pub type_argument: Option<String>,
    pub state: State,
    pub conditional: bool,
    pub certainty: Certainty,
    pub reason: Option<String>,
    pub target: Option<Link>,
    pub chain: Vec<Link>,
    /// Body of `target`, for a step.
    pub body: Option<Body>,
    pub site: Option<Arc<Site>>,
    /// For a `defer` that is kept in the frame: where its func value is in place.
    pub deferred_at: Option<u64>,
    /// For callbacks: the call it goes through, as written.
    pub via: Option<String>,
    /// For callbacks: it runs after that call has returned, or on another goroutine.
    pub elsewhere: bool,
}

/// What a step into a call needs; the session owns breakpoints and running.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepPlan {
    /// Run here first and ask [`crate::resolve_at_load`]: the target isn't known yet. pc, register with the itab (None: stop at the CALL).
    pub run_to_load: Vec<(u64, Option<Reg>)>,
    /// Where the body stops.
    pub stop_at: Option<u64>,
    pub call_pc: Option<u64>,
    /// The physical frame that makes the call returns here.
    pub return_pc: Option<u64>,
    /// The body is inlined in the frame itself: no new frame; stop when `stop_at` is reached in this frame.
    pub in_this_frame: bool,
    /// The body runs in a goroutine that the call starts.
    pub new_goroutine: bool,
    /// The body runs when the function returns or panics.
    pub deferred: bool,
    /// The body is called back by the call's callee: any frame below this one on the same goroutine, or one that it starts.
    pub callback: bool,
    /// The site is a tail jump: the body returns to this frame's caller.
    pub tail: bool,
    /// Names of the wrapper functions that may stand between the caller and the body.
    pub hops: Vec<u64>,
    /// pcs of this function at which another line starts: when one is reached in this frame, the call didn't happen.
    pub line_exits: Vec<u64>,
    /// Why there is no plan.
    pub reason: Option<String>,
}

/// One slot of an interface value's method table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotEntry {
    pub slot: u16,
    pub method: String,
    pub entry: u64,
    /// `runtime.unreachableMethod`: the linker removed the method.
    pub removed: bool,
    pub chain: Chain,
}
