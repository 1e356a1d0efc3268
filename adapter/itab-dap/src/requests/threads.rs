//! `threads`: goroutines as DAP threads. Never an error: a client that gets none has no session to show.

use golang::{Goroutine, Process};
use wire::{Responder, requests as rq, types as t};

use crate::session::{Session, State, stack_source};

/// Goroutines listed, as Delve; the stopped one and those on a thread come first.
pub(crate) const MAX_GOROUTINES: usize = 1024;
/// Helix asks for the stack of every one of them, one after another, with a frozen screen.
const MAX_GOROUTINES_HELIX: usize = 64;
/// Frames searched for the first one that is not the runtime's.
const NAME_FRAMES: usize = 30;

impl Session {
    pub(crate) fn on_threads(&mut self, r: Responder<rq::Threads>) {
        let mut threads = match self.state {
            State::Stopped => self.goroutine_threads(),
            State::Running | State::Configuring => vec![thread(self.selected.unwrap_or(1), "Current".into())],
            State::Starting | State::Building | State::Ended => Vec::new(),
        };
        if threads.is_empty() {
            threads.push(thread(1, "Dummy".into()));
        }
        r.answer(Ok(t::ThreadsResponse { threads }));
    }

    fn goroutine_threads(&mut self) -> Vec<t::Thread> {
        if self.read_all().is_err() {
            return Vec::new();
        }
        let cap = if self.client.id == "hx" { MAX_GOROUTINES_HELIX } else { MAX_GOROUTINES };
        let hide = self.settings.common.hide_system_goroutines;
        let selected = self.selected;
        let Some(inf) = self.inferior.as_ref() else { return Vec::new() };
        let process = inf.process();
        let list = process.goroutines(usize::MAX);
        let mut goroutines: Vec<Goroutine> =
            list.goroutines.into_iter().filter(|g| !hide || !g.system || Some(g.id) == selected).collect();
        let total = goroutines.len();
        if total > cap {
            goroutines.sort_by_key(|g| (Some(g.id) != selected, g.thread.is_none(), g.system, g.id));
            goroutines.truncate(cap);
        }
        goroutines.sort_by_key(|g| g.id);
        let mut threads: Vec<t::Thread> =
            goroutines.iter().map(|g| thread(g.id, name_of(&process, g, Some(g.id) == selected))).collect();
        if let Some(id) = selected
            && !goroutines.iter().any(|g| g.id == id)
        {
            threads.insert(0, thread(id, format!("* [Go {id}]")));
        }
        if total > cap {
            self.console(&format!("Too many goroutines, only {cap} of {total} are listed"));
        }
        threads
    }
}

fn thread(id: u64, name: String) -> t::Thread {
    t::Thread { id: id as i64, name }
}

/// `* [Go 1] main.main (Thread 4711)`, as Delve.
fn name_of(process: &Process<'_>, g: &Goroutine, selected: bool) -> String {
    let star = if selected { "* " } else { "" };
    let stack = process.stack(stack_source(process, g), 0, NAME_FRAMES);
    let shown =
        stack.frames.iter().find(|f| !f.runtime && f.function.is_some()).or_else(|| stack.frames.first());
    let function = shown.map_or_else(|| "?".to_string(), |f| f.name.to_string());
    let thread = g.thread.map(|t| format!(" (Thread {t})")).unwrap_or_default();
    format!("{star}[Go {}] {function}{thread}", g.id)
}
