//! Panics and fatal errors: the debugger's own breakpoints in the runtime, and what is said at them.

use target::Tid;
use wire::{Responder, requests as rq, types as t};

use super::{Exception, Reported, Session};
use crate::{
    control::table::{Internal, Owner},
    error::Refused,
};

/// Names of the filters of `setExceptionBreakpoints`.
pub(crate) const KNOWN_FILTERS: &[&str] = &["unrecovered-panic", "runtime-fatal-throw", "panic"];

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
        if let Err(e) = inf.disarm_where(|o| matches!(o, Owner::Internal(i) if i != Internal::Entry)) {
            tracing::warn!("an exception breakpoint could not be removed: {e}");
        }
        for (which, on, names) in groups {
            if !on {
                continue;
            }
            for name in names {
                let addrs: Vec<u64> =
                    inf.image.functions().by_name(name).iter().map(|f| f.prologue_end()).collect();
                for addr in addrs {
                    if let Err(e) = inf.arm(addr, Owner::Internal(which)) {
                        tracing::warn!("{name}: {e}");
                    }
                }
            }
        }
    }

    /// What the stop at a runtime breakpoint is reported as.
    pub(super) fn exception_report(
        &mut self,
        tid: Tid,
        goid: Option<u64>,
        which: Internal,
    ) -> Option<Reported> {
        let shown = goid.or_else(|| self.goroutine_to_show(tid));
        let inf = self.inferior.as_ref()?;
        let process = inf.process();
        let thread = process.threads.iter().find(|t| t.tid == tid.0)?;
        let (id, text) = match which {
            Internal::UnrecoveredPanic => {
                ("panic", golang::panic_text(&process, thread, golang::PanicAt::Fatalpanic))
            }
            Internal::AnyPanic => ("panic", golang::panic_text(&process, thread, golang::PanicAt::Gopanic)),
            Internal::FatalThrow => ("fatal error", golang::throw_text(&process, thread)),
            Internal::RecoveredPanic | Internal::Entry => return None,
        };
        Some(Reported::exception(shown, id, text))
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
