//! Panics and fatal errors: the debugger's own breakpoints in the runtime, and what is said at them.

use std::sync::Arc;

use dispatch::{Context, Scope};
use golang::{Frame, Interface, Value};
use machine::MemoryExt;
use target::Tid;
use wire::{Responder, requests as rq, types as t};

use super::{Exception, Reported, Session};
use crate::{
    control::table::{Internal, Owner},
    error::Refused,
};

/// Names of the filters of `setExceptionBreakpoints`.
pub(crate) const KNOWN_FILTERS: &[&str] = &["unrecovered-panic", "runtime-fatal-throw", "panic"];

/// Frames between the panic and the instruction that faulted.
const FAULT_FRAMES: usize = 40;
/// The nil check of a receiver stands at most this far before the load of its method.
const NIL_CHECK_BYTES: u64 = 64;
/// Bytes of a runtime message, at most.
const MAX_MESSAGE: usize = 64 << 10;
/// Frames in `exceptionInfo`'s stack trace.
const TRACE_FRAMES: usize = 50;

impl Session {
    /// Makes the armed breakpoints of the runtime those of the enabled filters.
    pub(crate) fn arm_exception_breakpoints(&mut self) {
        let wanted = |name: &str| self.exception_filters.iter().any(|f| f == name);
        let groups = [
            (Internal::UnrecoveredPanic, wanted("unrecovered-panic"), &["runtime.fatalpanic"][..]),
            (Internal::FatalThrow, wanted("runtime-fatal-throw"), &["runtime.throw", "runtime.fatal"][..]),
            (Internal::AnyPanic, wanted("panic"), &["runtime.gopanic"][..]),
        ];
        let Some(inf) = self.inferior.as_mut() else { return };
        let exception =
            |i: Internal| matches!(i, Internal::UnrecoveredPanic | Internal::FatalThrow | Internal::AnyPanic);
        inf.disarm_where(|o| matches!(o, Owner::Internal(i) if exception(i)));
        let mut armed = Vec::new();
        for (which, _, names) in groups.iter().filter(|(_, on, _)| *on) {
            for f in names.iter().flat_map(|name| inf.image.functions().by_name(name)) {
                armed.push((f.prologue_end(), Owner::Internal(*which)));
            }
        }
        inf.arm_or_warn(&armed, "exceptions");
    }

    /// What the stop at a runtime breakpoint is reported as.
    pub(super) fn exception_report(
        &mut self,
        tid: Tid,
        goid: Option<u64>,
        which: Internal,
    ) -> Option<Reported> {
        let shown = goid.or_else(|| self.goroutine_to_show(tid));
        let frame = self.top_frame(tid)?;
        let (id, text) = match which {
            Internal::UnrecoveredPanic | Internal::AnyPanic => {
                ("panic", self.panic_text(&frame, which, goid))
            }
            Internal::FatalThrow => ("fatal error", self.throw_text(&frame)),
            Internal::Entry | Internal::ItabMade | Internal::MethodLoad => return None,
        };
        let text = match which {
            Internal::UnrecoveredPanic | Internal::AnyPanic => {
                shown.and_then(|g| self.nil_call_text(g)).unwrap_or(text)
            }
            _ => text,
        };
        Some(Reported::exception(shown, id, text))
    }

    /// The value given to `panic`: in registers at gopanic, on the goroutine's list at fatalpanic.
    fn panic_text(&self, frame: &Frame, which: Internal, goid: Option<u64>) -> String {
        self.peek(frame, |look| {
            let process = look.view.process;
            let value = if which == Internal::AnyPanic {
                let word = |i: usize| process.image.arch().int_args().get(i).and_then(|r| frame.regs.get(*r));
                let words = [word(0)?, word(1)?];
                let bytes = words.iter().flat_map(|w| w.to_le_bytes()).collect();
                Value::computed(process.empty_interface(), bytes)
            } else {
                process.panics(&process.goroutine(goid?)?).into_iter().next()?.arg
            };
            match golang::interface(process, &value) {
                Interface::Dynamic(d) => {
                    let text = eval::render(&look.view, &d.value);
                    let name = process.display_name(d.value.ty);
                    Some(if name == "string" || text.starts_with(&name) || text.starts_with('*') {
                        text
                    } else {
                        format!("{name}({text})")
                    })
                }
                Interface::Nil => Some("nil".into()),
                Interface::Half(_) | Interface::Bad(_) => None,
            }
        })
        .flatten()
        .unwrap_or_else(|| "the value given to panic can't be read".into())
    }

    /// A call through a nil interface, told as the source writes it: `s.deps.store (main.Store) is nil, calling Get`.
    fn nil_call_text(&mut self, goid: u64) -> Option<String> {
        let stack = self.stack_of(goid, 0, FAULT_FRAMES).ok()?;
        let signal = stack.frames.iter().position(|f| f.symbol == "runtime.sigpanic")?;
        let fault = stack.frames.get(signal + 1)?;
        let sources = Arc::clone(&self.sources);
        let inf = self.inferior.as_ref()?;
        let function = fault.function?;
        let sites = inf.engine.sites(&inf.image, function);
        // The fault is at the load of the method, or at the nil check a little before it.
        let near = |load: u64| load >= fault.pc && load - fault.pc < NIL_CHECK_BYTES;
        let site = sites.iter().find(|s| s.line == fault.line && s.loads.iter().any(|l| near(l.pc)))?;
        let cx = Context {
            image: &inf.image,
            mem: &**inf.memory(),
            regs: &fault.regs,
            top: true,
            inline_depth: fault.inline_depth,
            source: &*sources,
        };
        let call =
            inf.engine.call_sites(&cx, Scope::Line).into_iter().find(|c| c.call_pc == Some(site.pc))?;
        let method = call.method?;
        let written = call.expression?;
        let receiver =
            written.strip_suffix(method.as_str())?.trim_end().strip_suffix('.')?.trim_end().to_string();
        let interface = call.interface_name.map(|i| format!(" ({i})")).unwrap_or_default();
        Some(format!(
            "{receiver}{interface} is nil, calling {method}: invalid memory address or nil pointer dereference"
        ))
    }

    /// The runtime's message, quoted as a panic's string is: a string in the first two argument registers.
    fn throw_text(&self, frame: &Frame) -> String {
        self.peek(frame, |look| {
            let process = look.view.process;
            let word = |i: usize| process.image.arch().int_args().get(i).and_then(|r| frame.regs.get(*r));
            let len = usize::try_from(word(1)?).ok()?;
            let bytes = process.mem.read_vec(word(0)?, len, MAX_MESSAGE).ok()?;
            Some(eval::quote(&bytes))
        })
        .flatten()
        .unwrap_or_else(|| "the runtime's message can't be read".into())
    }

    pub(crate) fn on_exception_info(
        &mut self,
        a: t::ExceptionInfoArguments,
        r: Responder<rq::ExceptionInfo>,
    ) {
        r.answer(self.exception_info(a.thread_id).map_err(Into::into));
    }

    fn exception_info(&mut self, thread_id: i64) -> Result<t::ExceptionInfoResponse, Refused> {
        let exception = self.current.as_ref().and_then(|c| c.exception.clone());
        let Some(Exception { id, text }) = exception else {
            return Err(Refused::Exception("the program did not stop because of an exception".into()));
        };
        let goid = u64::try_from(thread_id).unwrap_or(1);
        let stack = self.stack_of(goid, 0, TRACE_FRAMES)?;
        let trace: Vec<String> = stack
            .frames
            .iter()
            .filter(|f| !f.runtime)
            .map(|f| format!("{}\n\tat {}:{}", f.name, self.sources.to_client(&f.file), f.line))
            .collect();
        Ok(t::ExceptionInfoResponse {
            exception_id: id.into(),
            description: Some(text.clone()),
            break_mode: t::ExceptionBreakMode::Unhandled,
            details: Some(t::ExceptionDetails {
                message: Some(text),
                stack_trace: Some(trace.join("\n")),
                ..Default::default()
            }),
        })
    }
}
