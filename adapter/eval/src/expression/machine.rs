//! The machine that runs a program. It does no I/O of its own: [`Machine::step`] runs until it needs something, says what, and goes on
//! when the driver has provided it. The readers of Go's structures (maps, interfaces) read through the process's `Memory`.

use expr::{BinaryOp, Span};
use golang::{Frame, Place, Value};
use machine::MemError;

use super::cx::Cx;
use super::error::EvalError;
use super::index::Bounds;
use super::operand::Operand;
use super::program::{Op, Program, Special};

/// What the machine waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// `len` bytes at `addr`, at most 16: answer with [`Machine::memory`].
    Memory { addr: u64, len: usize },
    /// The frame with its registers: answer with [`Machine::registers`].
    Registers,
}

pub(crate) enum Step {
    Need(Need),
    Done(Operand),
    Failed(EvalError),
}

pub(crate) struct Machine<'a> {
    program: &'a Program,
    at: usize,
    stack: Vec<Operand>,
    frame: Option<&'a Frame>,
    /// `delve.catch`: where to go on after an error, and how many operands there were.
    catches: Vec<(usize, usize)>,
}

/// Whether an op is done, jumps, or waits.
enum Flow {
    Next,
    Jump(usize),
    Wait(Need),
}

impl<'a> Machine<'a> {
    pub(crate) fn new(program: &'a Program) -> Machine<'a> {
        Machine { program, at: 0, stack: Vec::with_capacity(8), frame: None, catches: Vec::new() }
    }

    /// Answers [`Need::Registers`]; None: there is no frame.
    pub(crate) fn registers(&mut self, frame: Option<&'a Frame>) -> Result<(), EvalError> {
        match frame {
            Some(_) => {
                self.frame = frame;
                Ok(())
            }
            None => Err(self.error("there is no stopped frame to look in".into())),
        }
    }

    /// Answers [`Need::Memory`]: the value on top is now these bytes.
    pub(crate) fn memory(&mut self, bytes: Result<Vec<u8>, MemError>) {
        if let Some(Operand::Value(v)) = self.stack.last_mut() {
            v.place = match bytes {
                Ok(bytes) => Place::Bytes { bytes: bytes.into(), known: None, homes: None },
                Err(e) => Place::Unavailable(e.to_string().into()),
            };
        }
        self.at += 1;
    }

    fn error(&self, message: String) -> EvalError {
        let span = self.program.spans.get(self.at).copied().unwrap_or_default();
        EvalError::new(&self.program.text, span, message)
    }

    /// Runs until something is needed or it is over.
    pub(crate) fn step(&mut self, cx: &Cx<'_>) -> Step {
        loop {
            let Some(op) = self.program.ops.get(self.at) else {
                return match self.stack.pop() {
                    Some(result) => Step::Done(result),
                    None => Step::Failed(self.error("the expression gave no value".into())),
                };
            };
            match self.run(op, cx) {
                Ok(Flow::Next) => self.at += 1,
                Ok(Flow::Jump(to)) => self.at = to,
                Ok(Flow::Wait(need)) => return Step::Need(need),
                Err(message) => match self.catches.pop() {
                    Some((to, depth)) => {
                        self.stack.truncate(depth);
                        self.stack.push(Operand::Bool(false));
                        self.at = to;
                    }
                    None => return Step::Failed(self.error(message)),
                },
            }
        }
    }

    fn pop(&mut self) -> Result<Operand, String> {
        self.stack.pop().ok_or_else(|| "the expression's program is broken (stack)".into())
    }

    fn pop_value(&mut self, cx: &Cx<'_>) -> Result<Value, String> {
        let o = self.pop()?;
        cx.default_value(o)
    }

    fn push_value(&mut self, v: Value) -> Result<Flow, String> {
        self.stack.push(Operand::Value(v));
        Ok(Flow::Next)
    }

    fn push(&mut self, o: Operand) -> Result<Flow, String> {
        self.stack.push(o);
        Ok(Flow::Next)
    }

    fn run(&mut self, op: &'a Op, cx: &Cx<'_>) -> Result<Flow, String> {
        match op {
            Op::Push(o) => self.push(o.clone()),
            Op::Variable(_) | Op::Register(_) | Op::Special(_) => self.frame_operand(op, cx),
            Op::Load => Ok(self.load(cx)),
            Op::Path(path) => {
                let v = self.pop_value(cx)?;
                let o = cx.follow(path, v)?;
                self.push(o)
            }
            Op::Select(name) => {
                let v = self.pop_value(cx)?;
                let o = cx.select(v, name, "x")?;
                self.push(o)
            }
            Op::Index => {
                let (index, container) = (self.pop()?, self.pop()?);
                self.push_value(cx.index(container, index)?)
            }
            Op::Slice { low, high, max } => self.slice(cx, *low, *high, *max),
            Op::Deref => {
                let v = self.pop_value(cx)?;
                self.push_value(cx.deref(&v)?)
            }
            Op::Address => {
                let v = self.pop_value(cx)?;
                self.push_value(cx.address_of(&v)?)
            }
            Op::Unary(op) => {
                let o = self.pop()?;
                let o = cx.unary(*op, o)?;
                self.push(o)
            }
            Op::Binary { op, left, right } => self.binary(cx, *op, *left, *right),
            Op::Boolean(op) => {
                let Some(o) = self.stack.last() else {
                    return Err("the expression's program is broken (stack)".into());
                };
                cx.truth(o).map_err(|why| format!("invalid operation: operator {}: {why}", op.text()))?;
                Ok(Flow::Next)
            }
            Op::JumpIf { when, to } => {
                let o = self.pop()?;
                if cx.truth(&o)? != *when {
                    return Ok(Flow::Next);
                }
                self.stack.push(o);
                Ok(Flow::Jump(*to))
            }
            Op::Convert(ty) => {
                let o = self.pop()?;
                self.push_value(cx.convert(o, *ty)?)
            }
            Op::Assert(ty) => {
                let o = self.pop()?;
                self.push_value(cx.assert(o, ty)?)
            }
            Op::Inside => {
                let o = self.pop()?;
                let o = cx.concrete(&o)?.map_or(Operand::Nil, Operand::Value);
                self.push(o)
            }
            Op::Builtin { builtin, count } => {
                let arguments = self.stack.split_off(self.stack.len().saturating_sub(*count));
                let o = cx.builtin(*builtin, arguments)?;
                self.push(o)
            }
            Op::Intrinsic(intrinsic) => {
                let o = self.pop()?;
                let o = cx.intrinsic(*intrinsic, o)?;
                self.push(o)
            }
            Op::Composite { ty, places } => {
                let parts = self.stack.split_off(self.stack.len().saturating_sub(places.len()));
                self.push_value(cx.composite(*ty, places, parts)?)
            }
            Op::Catch { to } => {
                self.catches.push((*to, self.stack.len()));
                Ok(Flow::Next)
            }
            Op::EndCatch => {
                self.catches.pop();
                Ok(Flow::Next)
            }
        }
    }

    /// Has a scalar read by the driver; everything else stays where it is.
    fn load(&mut self, cx: &Cx<'_>) -> Flow {
        let Some(Operand::Value(Value { ty, place: Place::Memory(addr) })) = self.stack.last() else {
            return Flow::Next;
        };
        match cx.ty(*ty) {
            Ok(t) if (1..=16).contains(&t.size) => {
                Flow::Wait(Need::Memory { addr: *addr, len: t.size as usize })
            }
            _ => Flow::Next,
        }
    }

    fn frame_operand(&mut self, op: &Op, cx: &Cx<'_>) -> Result<Flow, String> {
        let Some(frame) = self.frame else { return Ok(Flow::Wait(Need::Registers)) };
        match op {
            Op::Variable(i) => {
                let variable =
                    self.program.variables.get(*i as usize).ok_or("the expression's program is broken")?;
                self.push_value(cx.variable(frame, variable))
            }
            Op::Register(r) => self.push_value(cx.register(*r, &frame.regs)?),
            Op::Special(special) => {
                let v = cx.special(*special, frame)?;
                self.push_value(v)
            }
            _ => Ok(Flow::Next),
        }
    }

    fn slice(&mut self, cx: &Cx<'_>, low: bool, high: bool, max: bool) -> Result<Flow, String> {
        let mut bounds = Bounds::default();
        for (there, slot) in [(max, &mut bounds.max), (high, &mut bounds.high), (low, &mut bounds.low)] {
            if there {
                let o = self.pop()?;
                *slot = Some(cx.integer(&o)?);
            }
        }
        let container = self.pop()?;
        self.push_value(cx.slice(container, bounds)?)
    }

    fn binary(&mut self, cx: &Cx<'_>, op: BinaryOp, left: Span, right: Span) -> Result<Flow, String> {
        let (r, l) = (self.pop()?, self.pop()?);
        let (a, b) = (l.statics(), r.statics());
        let text = &self.program.text;
        let o = cx
            .binary(op, l, r)
            .map_err(|fault| cx.fault_text(fault, op, (&a, left.of(text)), (&b, right.of(text))))?;
        self.push(o)
    }
}

impl Cx<'_> {
    fn special(&self, special: Special, frame: &Frame) -> Result<Value, String> {
        match special {
            Special::CurrentG => {
                let g = frame.g.ok_or("no goroutine runs in this frame")?;
                let ty = self.special_type(special)?;
                Ok(self.make(ty, g.to_le_bytes().to_vec()))
            }
            Special::FrameOffset => self.make_int(-i128::from(frame.frame_offset)),
            Special::ThreadId => {
                let goroutine = frame.goid.and_then(|id| self.process.goroutine(id));
                let tid = goroutine.and_then(|g| g.thread).ok_or("the goroutine is on no thread")?;
                self.make_int(i128::from(tid))
            }
        }
    }
}
