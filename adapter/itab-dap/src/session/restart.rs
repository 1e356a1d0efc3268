//! `restart`: the program once more, with the breakpoints where they are. In modes debug and test it is built anew first; the old
//! program lives until the build has succeeded, so that a mistake in the source costs no session.

use serde_json::Value;
use wire::{Responder, requests as rq, types as t};

use super::{Session, start::Restarting};
use crate::{
    build::Built,
    config::{LaunchConfig, Mode},
    error::Refused,
};

impl Session {
    /// `arguments` holds the launch configuration, wrapped once more (VS Code, Neovim, Delve) or as it is (Helix).
    pub(super) fn on_restart(&mut self, arguments: &Value, r: Responder<rq::Restart>) {
        let changes = arguments.get("arguments").unwrap_or(arguments);
        let config = match self.restart_config(changes) {
            Ok(c) => c,
            Err(why) => return r.answer(Err(Refused::Restart(why).into())),
        };
        let rebuild = changes.get("rebuild").and_then(Value::as_bool);
        let builds = matches!(config.mode, Mode::Debug | Mode::Test) && rebuild != Some(false);
        self.launch.restart = Some(Restarting { config, responder: r });
        if builds {
            self.build_for_restart();
        } else {
            self.restart_with(None);
        }
    }

    /// The launch configuration with what the request changes of it.
    fn restart_config(&mut self, changes: &Value) -> Result<LaunchConfig, String> {
        if self.attached {
            return Err("the process was not started by this session; attach again".into());
        }
        let (Some(Value::Object(first)), None) = (&self.launch.arguments, &self.launch.restart) else {
            return Err(match self.launch.restart {
                Some(_) => "the program is being restarted already".into(),
                None => "nothing was launched in this session".into(),
            });
        };
        let mut arguments = first.clone();
        if let Value::Object(changes) = changes {
            arguments.extend(changes.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        let arguments = Value::Object(arguments);
        let config = LaunchConfig::parse(&arguments).map_err(|e| e.to_string())?;
        match config.mode {
            Mode::Exec | Mode::Debug | Mode::Test if !config.no_debug => {
                self.launch.arguments = Some(arguments);
                Ok(config)
            }
            _ => Err("only exec, debug and test can be restarted, with the debugger".into()),
        }
    }

    /// The build succeeded, or nothing is to be built: the old program ends, the new one starts.
    pub(super) fn restart_with(&mut self, built: Option<Built>) {
        let Some(Restarting { config, responder }) = self.launch.restart.take() else { return };
        self.end_old_program();
        self.take_common_settings(&config.common);
        let (binary, cwd) = match (&built, &self.launch.built) {
            (Some(b), _) | (None, Some(b)) => (b.binary.clone(), b.package_directory.clone()),
            (None, None) => (config.program().into(), None),
        };
        if let (Some(new), Some(old)) = (&built, self.launch.built.take_if(|_| built.is_some())) {
            old.superseded_by(new);
        }
        self.launch.built = built.or(self.launch.built.take());
        self.launch.started = true;
        self.launch.config = Some(config.clone());
        let started = self.bring_up(&config, &binary, cwd.as_deref());
        match started {
            Ok(()) => {
                responder.answer(Ok(()));
                if !self.client.as_delve {
                    self.tell_of_process("launch");
                }
                self.event(t::InitializedEvent {});
            }
            Err(why) => {
                responder.answer(Err(Refused::Restart(why).into()));
                self.terminated = false;
                self.tell_terminated();
            }
        }
    }

    /// The build failed: the old program goes on as it was.
    pub(super) fn restart_failed(&mut self, why: String) {
        if let Some(r) = self.launch.restart.take() {
            r.responder.answer(Err(Refused::Restart(why).into()));
        }
    }

    fn end_old_program(&mut self) {
        if self.exit_code.is_none() && self.inferior.is_some() {
            self.kill_quietly();
        }
        self.end_traces();
        self.cancel_step();
        self.inferior = None;
        self.leave_stop();
        self.exit_code = None;
        self.terminated = false;
        self.stopped_tid = None;
        self.selected = None;
        self.pause_wanted = None;
        self.known_itabs = None;
        self.rows = Default::default();
        self.passages = Default::default();
        self.stdout = Default::default();
        self.stderr = Default::default();
        self.breakpoints.unbind_all();
    }
}
