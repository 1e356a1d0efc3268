//! Beginning and end of a session: initialize, configurationDone, terminate, disconnect, exits, a client that is gone.

use std::sync::Arc;

use target::Tid;
use wire::{Responder, requests as rq, types as t};

use super::{Described, FILTERS, Reason, Reported, Session, State};
use crate::{
    control::table::{Internal, Owner},
    error::Refused,
    source::{Sources, Substitution},
};

impl Session {
    pub(super) fn on_initialize(&mut self, a: t::InitializeRequestArguments, r: Responder<rq::Initialize>) {
        let as_delve = a.adapter_id == "go" && a.client_id.is_none();
        if as_delve {
            self.out.summarise();
        }
        if a.path_format.as_ref().is_some_and(|p| p.as_str() != "path") {
            let format = a.path_format.as_ref().map_or("", |p| p.as_str());
            let why = format!("Unsupported 'pathFormat' value '{format}'.");
            return r.answer(Err(Refused::Initialize(why).into()));
        }
        for (what, at1) in [("line", a.lines_start_at1), ("column", a.columns_start_at1)] {
            if at1 == Some(false) {
                let why = format!("Only 1-based {what} numbers are supported.");
                return r.answer(Err(Refused::Initialize(why).into()));
            }
        }
        self.client = super::Client {
            as_delve,
            id: a.client_id.unwrap_or_default(),
            variable_type: a.supports_variable_type == Some(true),
            variable_paging: a.supports_variable_paging == Some(true),
            invalidated: a.supports_invalidated_event == Some(true),
        };
        r.answer(Ok(capabilities()));
    }

    pub(super) fn on_configuration_done(&mut self, r: Responder<rq::ConfigurationDone>) {
        match self.state {
            State::Configuring => {}
            State::Starting if !self.launch.started => return r.answer(Err(Refused::NoSession.into())),
            _ => return r.answer(Ok(())),
        }
        if self.client.as_delve && self.settings.common.stop_on_entry {
            self.launch.configured = Some(r);
        } else {
            self.answer_configured(r);
        }
        if !self.client.as_delve {
            // nvim-dap can pause only what it has seen as a thread; Helix takes any later thread event for a stop's place.
            // After a restart it is still known.
            if !std::mem::replace(&mut self.launch.thread_told, true) {
                self.event(t::ThreadEvent { reason: "started".into(), thread_id: 1 });
            }
            self.event(t::ContinuedEvent { thread_id: 1, all_threads_continued: Some(true) });
        }
        if self.settings.common.stop_on_entry {
            if self.attached {
                let tid = self.inferior.as_mut().and_then(|i| i.target().threads().ok()?.first().copied());
                self.stopped_tid = tid;
                let goid = tid.and_then(|t| self.goroutine_to_show(t));
                return self.report(Reported::new(Reason::Entry, goid));
            }
            self.arm_entry();
        }
        self.go_on();
    }

    fn answer_configured(&self, r: Responder<rq::ConfigurationDone>) {
        if self.client.as_delve {
            self.console("Type 'dlv help' for list of commands.");
        }
        r.answer(Ok(()));
    }

    /// Delve answers `configurationDone` after the stop at the entry.
    pub(super) fn entry_was_told(&mut self) {
        if let Some(r) = self.launch.configured.take() {
            self.answer_configured(r);
        }
    }

    fn arm_entry(&mut self) {
        let Some(inf) = self.inferior.as_mut() else { return };
        let main = inf.image.functions().by_name("main.main").into_iter().map(|f| f.prologue_end()).next();
        let Some(addr) = main else { return };
        let armed = inf.arm(&[(addr, Owner::Internal(Internal::Entry))]);
        if let Some(e) = armed.map_or_else(Some, |refused| refused.into_iter().next().map(|r| r.why)) {
            self.console(&format!("stopOnEntry: {e}"));
        }
    }

    /// `terminate`: the launched program is killed; an attached one is let go, because nobody asked to end it.
    pub(super) fn on_terminate(&mut self, r: Responder<rq::Terminate>) {
        r.answer(Ok(()));
        self.cancel_build();
        if self.attached {
            self.let_go();
            return self.tell_terminated();
        }
        match self.state {
            State::Ended => {}
            State::Starting | State::Building => self.tell_terminated(),
            _ => {
                self.end_wanted = true;
                self.kill_program();
            }
        }
    }

    pub(super) fn on_disconnect(&mut self, a: t::DisconnectArguments, r: Responder<rq::Disconnect>) {
        self.cancel_build();
        // A launched program never outlives its session.
        let kill = !self.attached || a.terminate_debuggee == Some(true);
        match (self.exit_code, self.inferior.is_some()) {
            (Some(_), _) if self.no_debug => {}
            (Some(code), _) => {
                self.console(&exit_text(self.last_pid, code));
                self.console("Detaching");
            }
            (None, true) if kill => {
                self.console("Detaching and terminating target process");
                self.kill_quietly();
            }
            (None, true) => {
                self.console("Detaching without terminating target process");
                self.let_go();
            }
            (None, false) => self.stop_untraced(),
        }
        r.answer(Ok(()));
        if self.client.as_delve {
            self.terminated = false;
        }
        self.tell_terminated();
        self.over = true;
    }

    /// EOF, SIGINT, SIGTERM: a launched program dies with us, an attached one goes on.
    pub(super) fn client_is_gone(&mut self) {
        self.cancel_build();
        if self.inferior.is_some() && self.exit_code.is_none() {
            if self.attached { self.let_go() } else { self.kill_quietly() }
        }
        self.stop_untraced();
        self.over = true;
    }

    fn kill_program(&mut self) {
        if let Some(inf) = self.inferior.as_mut()
            && let Err(e) = inf.kill()
        {
            self.console(&format!("The program could not be killed: {e}"));
        }
        self.stop_untraced();
    }

    /// Kills and waits for the end without telling the client of the exit.
    pub(super) fn kill_quietly(&mut self) {
        self.kill_program();
        self.inferior = None;
        self.state = State::Ended;
    }

    /// Lets an attached program run on, every breakpoint removed.
    fn let_go(&mut self) {
        if self.state == State::Running {
            self.stop_for_a_moment();
        }
        let Some(mut inf) = self.inferior.take() else { return };
        if let Err(e) = inf.detach() {
            self.console(&format!("Detaching failed: {e}"));
        }
        self.state = State::Ended;
    }

    fn stop_untraced(&mut self) {
        if let Some(mut u) = self.untraced.take() {
            self.console(&format!("Terminating process {}", u.pid()));
            u.kill();
        }
    }

    /// The program is gone: `exited`, then `terminated`, once.
    pub(super) fn finish_program(&mut self, code: i32) {
        if self.state == State::Ended && self.exit_code.is_some() {
            return;
        }
        self.last_pid = self.pid();
        self.tell_step_at_exit(code);
        self.step = None;
        self.end_traces();
        if self.untraced.is_some() {
            self.console(&exit_text(self.last_pid, code));
        }
        self.exit_code = Some(code);
        self.tell_last_words(code);
        self.new_epoch();
        self.inferior = None;
        self.untraced = None;
        self.untraced_events = None;
        self.state = State::Ended;
        self.event(t::ExitedEvent { exit_code: i64::from(code.max(0)) });
        self.entry_was_told();
        self.tell_terminated();
    }

    pub(crate) fn tell_end_again(&mut self) {
        self.event(t::ExitedEvent { exit_code: i64::from(self.exit_code.unwrap_or(0).max(0)) });
        self.terminated = false;
        self.tell_terminated();
    }

    pub(super) fn tell_terminated(&mut self) {
        if !std::mem::replace(&mut self.terminated, true) {
            self.state = State::Ended;
            self.event(t::TerminatedEvent::default());
        }
    }

    pub(super) fn on_lost(&mut self, why: &str) {
        self.console(&format!("The debugger behind this session is gone: {why}. Start the session again."));
        self.last_pid = self.pid();
        self.step = None;
        self.end_traces();
        self.new_epoch();
        self.inferior = None;
        self.tell_terminated();
    }

    pub(super) fn on_program_channel_closed(&mut self) {
        if self.inferior.is_some() {
            self.on_lost("its event channel closed");
        } else {
            self.untraced_events = None;
        }
    }

    pub(super) fn on_exec(&mut self, _tid: Tid, path: &std::path::Path) {
        self.console(&format!(
            "The program was replaced by {} (exec); it runs on without breakpoints.",
            path.display()
        ));
        if let Some(inf) = self.inferior.as_mut() {
            inf.forget_breakpoints();
        }
        self.end_traces();
        self.step = None;
        self.go_on();
    }

    /// A setting was changed in the console: what depends on it.
    pub(crate) fn apply_setting(&mut self, name: &str) {
        match name {
            "" => {}
            "substitutePath" => {
                let rules = &self.settings.common.substitute_path;
                let rules =
                    rules.iter().map(|r| Substitution { from: r.from.clone(), to: r.to.clone() }).collect();
                self.sources = Arc::new(Sources::new(rules));
            }
            "hideSystemGoroutines" | "goroutineFilters" | "showPprofLabels" if self.client.invalidated => {
                self.event(t::InvalidatedEvent {
                    areas: Some(vec![t::InvalidatedAreas::Threads]),
                    ..Default::default()
                });
            }
            _ => self.invalidate_variables(),
        }
    }
}

/// As Delve tells of an exit.
fn exit_text(pid: i32, code: i32) -> String {
    format!("Process {pid} has exited with status {code}")
}

/// Only what works is announced.
fn capabilities() -> t::Capabilities {
    t::Capabilities {
        supports_configuration_done_request: Some(true),
        supports_function_breakpoints: Some(true),
        supports_conditional_breakpoints: Some(true),
        supports_hit_conditional_breakpoints: Some(true),
        supports_log_points: Some(true),
        supports_evaluate_for_hovers: Some(true),
        supports_set_variable: Some(true),
        supports_step_in_targets_request: Some(true),
        supports_stepping_granularity: Some(true),
        supports_exception_info_request: Some(true),
        supports_delayed_stack_trace_loading: Some(true),
        supports_terminate_request: Some(true),
        supports_cancel_request: Some(true),
        supports_clipboard_context: Some(true),
        supports_disassemble_request: Some(true),
        supports_instruction_breakpoints: Some(true),
        supports_read_memory_request: Some(true),
        supports_exception_filter_options: Some(true),
        exception_breakpoint_filters: Some(FILTERS.iter().map(Described::announced).collect()),
        supports_write_memory_request: Some(true),
        supports_set_expression: Some(true),
        supports_restart_request: Some(true),
        ..Default::default()
    }
}

/// What an attached session offers on top.
pub(super) fn attach_capabilities() -> t::Capabilities {
    t::Capabilities { support_terminate_debuggee: Some(true), ..Default::default() }
}
