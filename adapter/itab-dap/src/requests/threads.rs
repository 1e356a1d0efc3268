//! `threads`: goroutines as DAP threads. Never an error: a client that gets none has no session to show.

use golang::{Frame, Goroutine, Process};
use wire::{Responder, requests as rq, types as t};

use crate::{
    goroutines::{self, Facts, Field},
    session::{Session, State, stack_source},
};

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
            State::Running if self.client.as_delve => vec![t::Thread { id: -1, name: "Current".into() }],
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
        let filters = goroutines::parse(&self.settings.common.goroutine_filters).unwrap_or_else(|why| {
            self.console(&why);
            Vec::new()
        });
        let hide = self.settings.common.hide_system_goroutines;
        let selected = self.selected;
        // A stop whose goroutine is not in the list is not shown by editors: the selected one stays, unless Delve would drop it.
        let always = selected.filter(|_| !self.client.as_delve);
        let labels = &self.settings.common.show_pprof_labels;
        let Some(inf) = self.inferior.as_ref() else { return Vec::new() };
        let process = inf.process();
        let list = process.goroutines(usize::MAX);
        let listed = |g: &Goroutine| {
            (!hide || !g.system) && goroutines::passes(&filters, &Seen { process: &process, g })
        };
        let mut goroutines: Vec<Goroutine> =
            list.goroutines.into_iter().filter(|g| Some(g.id) == always || listed(g)).collect();
        let total = goroutines.len();
        if total > cap {
            goroutines.sort_by_key(|g| (Some(g.id) != selected, g.thread.is_none(), g.system, g.id));
            goroutines.truncate(cap);
        }
        goroutines.sort_by_key(|g| g.id);
        let mut threads: Vec<t::Thread> = goroutines
            .iter()
            .map(|g| thread(g.id, name_of(&process, g, Some(g.id) == selected, labels)))
            .collect();
        if let Some(id) = always
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

/// `* [Go 1 label] main.main (Thread 4711)`, as Delve.
fn name_of(process: &Process<'_>, g: &Goroutine, selected: bool, labels: &[String]) -> String {
    let star = if selected { "* " } else { "" };
    let function = user_frame(process, g).map_or_else(|| "?".to_string(), |f| f.name.to_string());
    let labels = goroutines::label_text(labels, &g.labels);
    let thread = g.thread.map(|t| format!(" (Thread {t})")).unwrap_or_default();
    format!("{star}[Go {}{labels}] {function}{thread}", g.id)
}

/// The topmost frame outside the runtime, else the top one.
fn user_frame(process: &Process<'_>, g: &Goroutine) -> Option<Frame> {
    let frames = process.stack(stack_source(process, g), 0, NAME_FRAMES).frames;
    let user = frames.iter().position(|f| !f.runtime && f.function.is_some()).unwrap_or(0);
    frames.into_iter().nth(user)
}

/// A goroutine as filters see it.
struct Seen<'a> {
    process: &'a Process<'a>,
    g: &'a Goroutine,
}

impl Facts for Seen<'_> {
    fn place(&self, field: Field) -> String {
        let written = |f: Frame| format!("{}:{} in {}", f.file, f.line, f.symbol);
        let at = |pc: u64| {
            let functions = self.process.image.functions();
            let name = functions.at(pc).map(|f| f.name().to_string()).unwrap_or_default();
            functions.location(pc).map(|l| format!("{}:{} in {name}", l.file, l.line))
        };
        match field {
            Field::Current => {
                let top = self.process.stack(stack_source(self.process, self.g), 0, 1).frames;
                top.into_iter().next().map(written)
            }
            Field::User => user_frame(self.process, self.g).map(written),
            Field::Go => at(self.g.go_pc.wrapping_sub(1)),
            Field::Start => at(self.g.start_pc),
        }
        .unwrap_or_default()
    }

    fn labels(&self) -> &[(String, String)] {
        &self.g.labels
    }

    fn running(&self) -> bool {
        self.g.thread.is_some()
    }

    fn user(&self) -> bool {
        !self.g.system
    }
}
