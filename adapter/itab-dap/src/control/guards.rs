//! Who must have called for a body to count: decided at the hit, from the frames and registers of that moment.
//!
//! A body may be shared: a promoted method by all types that embed its own, generic code by all instances of a shape. Pure.

use std::collections::HashMap;

use dispatch::{CalledThrough, Engine, Passage, WatchedLoad};
use golang::{Frame, Process};

/// One way in which a hit counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Guard {
    /// Called through an itab or a receiver of this type (full name).
    Concrete(String),
    /// Generic code with these type arguments, as Go writes them with package names.
    Instance(Vec<String>),
}

/// What a guard says of a hit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Counts,
    Other,
    /// It can't be told, and why: the user sees the stop and decides.
    Unknown(String),
}

/// Itabs that calls were seen to use on their way, and where to look for them: only for calls whose frames don't tell.
#[derive(Default)]
pub(crate) struct Passages {
    seen: HashMap<Passage, u64>,
    watched: HashMap<u64, WatchedLoad>,
}

/// More calls under way than this are not kept apart.
const MAX_SEEN: usize = 1 << 16;

impl Passages {
    /// Takes a load to watch; false: it is watched already.
    pub(crate) fn watch(&mut self, load: WatchedLoad) -> bool {
        self.watched.insert(load.pc, load).is_none()
    }

    /// A thread passes a load: its frame and registers say which call uses which itab.
    pub(crate) fn note(&mut self, addr: u64, frame: &Frame) {
        let Some(load) = self.watched.get(&addr) else { return };
        let Some(itab) = frame.regs.get(load.base) else { return };
        if self.seen.len() >= MAX_SEEN {
            self.seen.clear();
        }
        let passage =
            Passage { goid: frame.goid, frame_offset: frame.frame_offset, return_pc: load.return_pc };
        self.seen.insert(passage, itab);
    }

    pub(crate) fn clear(&mut self) {
        self.seen.clear();
        self.watched.clear();
    }
}

/// Whether a hit counts, and what to watch so that the next one can be told. `frame` is the top frame of the thread.
pub(crate) fn verdict(
    guards: &[Guard],
    engine: &Engine,
    process: &Process<'_>,
    frame: &Frame,
    passages: &Passages,
) -> (Verdict, Vec<WatchedLoad>) {
    if guards.is_empty() {
        return (Verdict::Counts, Vec::new());
    }
    let seen = |p: Passage| passages.seen.get(&p).copied();
    let mut unknown = None;
    let mut came: Option<CalledThrough> = None;
    for guard in guards {
        let answer = match guard {
            Guard::Concrete(wanted) => {
                let came = came.get_or_insert_with(|| engine.called_through(process, frame, &seen));
                match &came.types {
                    Ok(types) if types.iter().all(|t| t == wanted) => Verdict::Counts,
                    Ok(types) if types.iter().any(|t| t == wanted) => Verdict::Unknown(format!(
                        "the call came through one of {}; which one is lost in this frame",
                        short_list(types)
                    )),
                    Ok(_) => Verdict::Other,
                    Err(why) => Verdict::Unknown(why.clone()),
                }
            }
            Guard::Instance(wanted) => instance(wanted, process, frame),
        };
        match answer {
            Verdict::Counts => return (Verdict::Counts, Vec::new()),
            Verdict::Unknown(why) => unknown = Some(why),
            Verdict::Other => {}
        }
    }
    match unknown {
        Some(why) => (Verdict::Unknown(why), came.map(|c| c.watch).unwrap_or_default()),
        None => (Verdict::Other, Vec::new()),
    }
}

fn instance(wanted: &[String], process: &Process<'_>, frame: &Frame) -> Verdict {
    match process.arguments_of_frame(frame) {
        Some(have) if have == wanted => Verdict::Counts,
        Some(_) => Verdict::Other,
        None => Verdict::Unknown("the type arguments are lost here: the code that runs is shared".into()),
    }
}

fn short_list(types: &[String]) -> String {
    types.iter().map(|t| image::names::short(t)).collect::<Vec<_>>().join(", ")
}
