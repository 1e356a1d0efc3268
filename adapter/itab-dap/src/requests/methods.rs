//! `itab/breakOnMethod`, and the types that come while the program runs: bodies are bound when the runtime makes the itab, before
//! anything can call through it.

use dispatch::SiteKind;
use golang::Process;
use target::Tid;
use wire::{Responder, itab, types as t};

use crate::{
    control::{
        breakpoints::{Options, Place},
        inferior::Inferior,
        methods::{self, Target},
        table::{BreakpointId, Internal, Owner},
    },
    error::Refused,
    session::Session,
};

impl Session {
    pub(crate) fn on_itab_break_on_method(
        &mut self,
        a: itab::BreakOnMethodArguments,
        r: Responder<itab::BreakOnMethod>,
    ) {
        let place = Place::Method {
            interface: a.interface,
            method: a.method,
            concrete: a.concrete.filter(|c| !c.trim().is_empty()),
        };
        let old = self.breakpoints.group(|p| *p == place);
        if !a.enabled {
            self.with_program_stopped(|s| s.drop_breakpoints(&old));
            return r.answer(Ok(itab::BreakOnMethodResponse::default()));
        }
        let options =
            Options { condition: a.condition, hit_condition: a.hit_condition, log_message: a.log_message };
        let id = self.breakpoints.next_id();
        let b = self.make_breakpoint(id, place, options.cleaned());
        if b.watch.is_none() {
            let why = b.message.unwrap_or_else(|| "no body was found".into());
            return r.answer(Err(Refused::Dispatch(why).into()));
        }
        self.breakpoints.insert(b);
        self.with_program_stopped(|s| {
            s.drop_breakpoints(&old);
            s.arm_users(&[id]);
            s.arm_itab_watch();
        });
        let breakpoints = self.present_all(id);
        let incomplete = self
            .breakpoints
            .get(id)
            .and_then(|b| b.message.as_ref())
            .and_then(|m| m.split_once("; "))
            .map(|(_, remark)| remark.to_string());
        let total = breakpoints.len();
        r.answer(Ok(itab::BreakOnMethodResponse { breakpoints, total, incomplete }));
    }

    fn drop_breakpoints(&mut self, ids: &[BreakpointId]) {
        for id in ids {
            self.breakpoints.remove(*id);
        }
        self.disarm_users(ids);
        self.arm_itab_watch();
    }

    /// Watches the runtime make itabs as long as a breakpoint wants to know.
    pub(crate) fn arm_itab_watch(&mut self) {
        let wanted = self.breakpoints.iter().any(|b| b.watch.is_some());
        let Some(inf) = self.inferior.as_mut() else { return };
        if !wanted {
            self.passages.clear();
            let ours = [Internal::ItabMade, Internal::MethodLoad].map(Owner::Internal);
            return inf.disarm_where(|o| ours.contains(&o));
        }
        let made: Vec<_> =
            itab_made_at(inf).into_iter().map(|addr| (addr, Owner::Internal(Internal::ItabMade))).collect();
        inf.arm_or_warn(&made, "new itabs");
    }

    /// The runtime is about to add an itab to its table.
    pub(crate) fn on_itab_made(&mut self, tid: Tid) {
        let Some(inf) = self.inferior.as_ref() else { return };
        let process = inf.process();
        let Some(made) = made_itab(&process, tid) else { return };
        let ids: Vec<BreakpointId> =
            self.breakpoints.iter().filter(|b| b.watch.is_some()).map(|b| b.id).collect();
        for id in ids {
            let targets = self.more_targets(id, &made);
            if !targets.is_empty() {
                self.bind_more(id, targets);
            }
        }
    }

    fn more_targets(&mut self, id: BreakpointId, made: &image::Itab) -> Vec<Target> {
        let Some(mut watch) = self.breakpoints.get(id).and_then(|b| b.watch.clone()) else {
            return Vec::new();
        };
        let Some(inf) = self.inferior.as_ref() else { return Vec::new() };
        let found = methods::find_more(&inf.engine, &inf.process(), &mut watch, made).unwrap_or_default();
        if let Some(b) = self.breakpoints.get_mut(id) {
            b.watch = Some(watch);
        }
        found
    }

    /// Adds bodies to a breakpoint while the program is stopped, and tells the client.
    fn bind_more(&mut self, id: BreakpointId, targets: Vec<Target>) {
        let Some(mut b) = self.breakpoints.remove(id) else { return };
        for target in &targets {
            // A body that waited for another caller takes this one as well.
            if let Some(spot) = b.spots.iter_mut().find(|s| s.addr == target.addr && !s.guards.is_empty()) {
                match target.guards.is_empty() {
                    true => spot.guards.clear(),
                    false => spot.guards.extend(target.guards.iter().cloned()),
                }
            }
        }
        let before: Vec<u64> = b.spots.iter().map(|s| s.addr).collect();
        if let Err(why) = self.add_spots(&mut b, targets, None) {
            b.message = Some(why);
        }
        let is_method = matches!(b.place, Place::Method { .. });
        let fresh: Vec<u64> = b.spots.iter().map(|s| s.addr).filter(|a| !before.contains(a)).collect();
        self.breakpoints.insert(b);
        if fresh.is_empty() {
            return;
        }
        self.arm_users(&[id]);
        if !is_method {
            let breakpoint = self.present_breakpoint(id);
            return self.event(t::BreakpointEvent { reason: "changed".into(), breakpoint });
        }
        let Some(b) = self.breakpoints.get(id) else { return };
        let new = b.spots.iter().filter(|s| fresh.contains(&s.addr)).map(|s| self.present_body(b, s));
        for breakpoint in new.collect::<Vec<_>>() {
            self.event(t::BreakpointEvent { reason: "new".into(), breakpoint });
        }
    }
}

/// Where `runtime.getitab` calls `runtime.itabAdd`: not at the start of the program, which adds all itabs of the binary.
fn itab_made_at(inf: &Inferior) -> Vec<u64> {
    let functions = inf.image.functions();
    let adds: Vec<u64> = functions.by_name("runtime.itabAdd").iter().map(|f| f.entry()).collect();
    let calls = |f: &image::Function<'_>| {
        let sites = inf.engine.sites(&inf.image, f.id());
        let adding =
            sites.iter().filter(|s| matches!(s.kind, SiteKind::Static { target } if adds.contains(&target)));
        adding.map(|s| s.pc).collect::<Vec<u64>>()
    };
    functions.by_name("runtime.getitab").iter().flat_map(calls).collect()
}

/// The argument of `runtime.itabAdd`.
fn made_itab(process: &Process<'_>, tid: Tid) -> Option<image::Itab> {
    let thread = process.threads.iter().find(|t| t.tid == tid.0)?;
    let at = thread.regs.get(*process.image.arch().int_args().first()?)?;
    process.image.itab(at, process.mem).ok()
}
