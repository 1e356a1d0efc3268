//! From a request's name to its handler. The one list of what this adapter answers, and of when each may run.

use wire::{Incoming, RawRequest, Request, itab, requests as rq};

use super::{Session, State};
use crate::error::Refused;

/// When a request may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Always,
    /// Needs a program that can be stopped for a moment: breakpoints.
    Program,
    /// Reads or resumes a stopped program.
    Stopped,
}

type Handler = fn(&mut Session, RawRequest);

macro_rules! routes {
    ($($request:ty, $when:ident, $handler:expr;)*) => {
        fn route(command: &str) -> Option<(When, Handler)> {
            match command {
                $(<$request as Request>::COMMAND => Some((When::$when, |s, raw| {
                    // Wrong arguments are answered where they are read.
                    if let Ok((arguments, responder)) = raw.parse::<$request>() {
                        let handler: fn(&mut Session, <$request as Request>::Arguments, wire::Responder<$request>) = $handler;
                        handler(s, arguments, responder);
                    }
                })),)*
                _ => None,
            }
        }
    };
}

routes! {
    rq::Initialize, Always, |s, a, r| s.on_initialize(a, r);
    rq::ConfigurationDone, Always, |s, _, r| s.on_configuration_done(r);
    rq::Disconnect, Always, |s, a, r| s.on_disconnect(a, r);
    rq::Terminate, Always, |s, _, r| s.on_terminate(r);
    rq::SetBreakpoints, Always, |s, a, r| s.on_set_breakpoints(a, r);
    rq::SetFunctionBreakpoints, Always, |s, a, r| s.on_set_function_breakpoints(a, r);
    rq::SetInstructionBreakpoints, Always, |s, a, r| s.on_set_instruction_breakpoints(a, r);
    rq::SetExceptionBreakpoints, Always, |s, a, r| s.on_set_exception_breakpoints(a, r);
    rq::Threads, Always, |s, _, r| s.on_threads(r);
    rq::Pause, Program, |s, a, r| s.on_pause(a, r);
    rq::Continue, Stopped, |s, a, r| s.on_continue(a, r);
    rq::Next, Stopped, |s, a, r| s.on_next(a, r);
    rq::StepIn, Stopped, |s, a, r| s.on_step_in(a, r);
    rq::StepOut, Stopped, |s, a, r| s.on_step_out(a, r);
    rq::StepInTargets, Stopped, |s, a, r| s.on_step_in_targets(a, r);
    rq::StackTrace, Stopped, |s, a, r| s.on_stack_trace(a, r);
    rq::Scopes, Stopped, |s, a, r| s.on_scopes(a, r);
    rq::Variables, Stopped, |s, a, r| s.on_variables(a, r);
    rq::SetVariable, Stopped, |s, a, r| s.on_set_variable(a, r);
    rq::Evaluate, Always, |s, a, r| s.on_evaluate(a, r);
    rq::ExceptionInfo, Stopped, |s, a, r| s.on_exception_info(a, r);
    rq::Disassemble, Stopped, |s, a, r| s.on_disassemble(a, r);
    rq::ReadMemory, Stopped, |s, a, r| s.on_read_memory(a, r);
    rq::WriteMemory, Stopped, |s, a, r| s.on_write_memory(a, r);
    rq::SetExpression, Stopped, |s, a, r| s.on_set_expression(a, r);
    rq::Locations, Stopped, |s, a, r| s.on_locations(a, r);
    itab::Dispatch, Stopped, |s, a, r| s.on_itab_dispatch(a, r);
    itab::DispatchStep, Stopped, |s, a, r| s.on_itab_dispatch_step(a, r);
    itab::Table, Stopped, |s, a, r| s.on_itab_table(a, r);
    itab::Implementers, Stopped, |s, a, r| s.on_itab_implementers(a, r);
    itab::Decode, Stopped, |s, a, r| s.on_itab_decode(a, r);
    itab::Pointee, Stopped, |s, a, r| s.on_itab_pointee(a, r);
    itab::Trace, Program, |s, a, r| s.on_itab_trace(a, r);
    itab::TraceResult, Always, |s, a, r| s.on_itab_trace_result(a, r);
    itab::Methods, Stopped, |s, a, r| s.on_itab_methods(a, r);
    itab::BreakOnMethod, Program, |s, a, r| s.on_itab_break_on_method(a, r);
}

/// Requests of the protocol that are not answered here; all others are unknown.
const UNSUPPORTED: &[&str] = &[
    "breakpointLocations",
    "cancel",
    "completions",
    "dataBreakpointInfo",
    "goto",
    "gotoTargets",
    "loadedSources",
    "modules",
    "restartFrame",
    // Without the debugger.
    "restart",
    "reverseContinue",
    "setDataBreakpoints",
    "source",
    "stepBack",
    "terminateThreads",
];

impl Session {
    pub(super) fn on_incoming(&mut self, m: Incoming) {
        match m {
            Incoming::Request(raw) => self.on_request(raw),
            Incoming::Malformed { reason, .. } => {
                self.console(&format!("A message from the client could not be read: {reason}"));
            }
            Incoming::CancelProgress(_) => self.cancel_build(),
            Incoming::Eof { reason } => {
                if let Some(why) = reason {
                    tracing::info!("the client is gone: {why}");
                }
                self.client_is_gone();
            }
        }
    }

    fn on_request(&mut self, raw: RawRequest) {
        let _span = tracing::debug_span!("request", command = raw.command, seq = raw.seq).entered();
        match raw.command.as_str() {
            "launch" => {
                if let Ok((arguments, responder)) = raw.parse_as::<rq::Launch, serde_json::Value>() {
                    self.on_launch(&arguments, responder);
                }
                return;
            }
            "restart" if !self.no_debug => {
                if let Ok((arguments, responder)) = raw.parse_as::<rq::Restart, serde_json::Value>() {
                    self.on_restart(&arguments, responder);
                }
                return;
            }
            "attach" => {
                if let Ok((arguments, responder)) = raw.parse_as::<rq::Attach, serde_json::Value>() {
                    self.on_attach(&arguments, responder);
                }
                return;
            }
            _ => {}
        }
        let Some((when, handler)) = route(&raw.command) else {
            let (command, seq) = (raw.command.clone(), raw.seq);
            let refused = match UNSUPPORTED.contains(&command.as_str()) {
                true => Refused::Unsupported(command),
                false => Refused::Unknown(command, seq),
            };
            return raw.refuse(&refused.into());
        };
        if let Some(refused) = self.refusal(when, &raw.command) {
            return raw.refuse(&refused.into());
        }
        handler(self, raw);
    }

    /// Why a request may not run now.
    fn refusal(&self, when: When, command: &str) -> Option<Refused> {
        let no_debug = self.no_debug && !["disconnect", "terminate"].contains(&command);
        match (when, self.state) {
            (_, _) if no_debug => Some(Refused::NoDebug(command.into())),
            (When::Always, _) => None,
            // Delve goes on with a program that has ended, and tells of its end once more.
            (_, State::Ended) if self.client.as_delve && command == "continue" => None,
            (_, State::Ended) if command == "pause" => {
                Some(Refused::Pause("the program has ended; start a new session".into()))
            }
            (_, State::Starting | State::Building) => Some(Refused::NoSession),
            (_, State::Ended) => Some(Refused::Ended),
            (When::Stopped, State::Running) => Some(Refused::Running(command.into())),
            (When::Program | When::Stopped, _) => None,
        }
    }
}
