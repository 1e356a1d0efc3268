//! `attach`: to a process by its id, or to the first one whose command begins with a text (`waitFor`). The wait is a thread's: the
//! session answers meanwhile, and ends it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use crossbeam_channel::bounded;
use image::Image;
use wire::{CancelToken, Responder, requests as rq, types as t};

use super::{
    Session, Task,
    start::{EVENT_QUEUE, backend},
};
use crate::{config::AttachConfig, error::Refused};

/// Between two looks at the list of processes: a program should not get far before it is held.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

impl Session {
    pub(super) fn on_attach(&mut self, arguments: &serde_json::Value, responder: Responder<rq::Attach>) {
        if self.launch.started {
            return responder.answer(Err(Refused::AlreadyStarted.into()));
        }
        let config = match AttachConfig::parse(arguments) {
            Ok(c) => c,
            Err(e) => return responder.answer(Err(Refused::Attach(e.to_string()).into())),
        };
        for n in &config.not_yet {
            self.console(&n.to_string());
        }
        match config.awaited() {
            Some(name) => self.wait_for_process(name.to_string(), config, responder),
            None => self.attach_now(&config, responder),
        }
    }

    fn attach_now(&mut self, config: &AttachConfig, responder: Responder<rq::Attach>) {
        match self.try_attach(config) {
            Ok(()) => responder.answer(Ok(())),
            Err(why) => {
                self.launch.started = false;
                responder.answer(Err(Refused::Attach(why).into()));
            }
        }
    }

    fn wait_for_process(&mut self, name: String, config: AttachConfig, responder: Responder<rq::Attach>) {
        let cancel = CancelToken::new();
        self.launch.cancel = Some(cancel.clone());
        let asked = responder.token().clone();
        let tasks = self.tasks.clone();
        if !self.client.as_delve {
            self.console(&format!("Waiting for a process whose command begins with {name:?}."));
        }
        let spawned = thread::Builder::new().name("wait for a process".into()).spawn(move || {
            let found = loop {
                if cancel.is_cancelled() || asked.is_cancelled() {
                    break None;
                }
                if let Some(pid) = find_process(&name) {
                    break Some(pid);
                }
                thread::sleep(LOOK_AGAIN);
            };
            let _session_gone = tasks.send(Task::Appeared(found));
        });
        match spawned {
            Ok(_) => {
                self.launch.started = true;
                self.launch.waiting = Some((config, responder));
            }
            Err(e) => responder.answer(Err(Refused::Attach(e.to_string()).into())),
        }
    }

    pub(super) fn on_appeared(&mut self, pid: Option<i32>) {
        let Some(pid) = pid else { return self.cancel_build() };
        let Some((config, responder)) = self.launch.waiting.take() else { return };
        self.attach_now(&AttachConfig { process_id: Some(pid), ..config }, responder);
    }

    fn try_attach(&mut self, config: &AttachConfig) -> Result<(), String> {
        self.take_common_settings(&config.common);
        let pid = config.process_id.ok_or("processId is missing")?;
        let program = match &config.program {
            Some(p) => PathBuf::from(p),
            None => PathBuf::from(format!("/proc/{pid}/exe")),
        };
        if !Path::new(&format!("/proc/{pid}")).exists() {
            return Err(format!("there is no process {pid}"));
        }
        let image = Arc::new(Image::open(&program).map_err(|e| e.to_string())?);
        let (tx, rx) = bounded(EVENT_QUEUE);
        let target = target::attach(pid, &backend(&config.common.backend)?, tx).map_err(|e| e.to_string())?;
        self.adopt(target, rx, image, true)?;
        self.attached = true;
        self.launch.started = true;
        self.event(t::CapabilitiesEvent { capabilities: super::lifecycle::attach_capabilities() });
        if !self.client.as_delve {
            self.tell_of_process("attach");
        }
        self.event(t::InitializedEvent {});
        Ok(())
    }
}

/// A process, not this one, whose command line or program's file name begins with the text.
fn find_process(name: &str) -> Option<i32> {
    let own = std::process::id();
    std::fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let raw = std::fs::read(entry.path().join("cmdline")).ok().filter(|c| !c.is_empty())?;
        let words: Vec<_> = raw.split(|b| *b == 0).map(String::from_utf8_lossy).collect();
        let line = words.join(" ");
        let file = words.first()?.rsplit('/').next()?.to_string();
        let fits = line.starts_with(name) || file.starts_with(name);
        (fits && pid.unsigned_abs() != own).then_some(pid)
    })
}
