//! At a CALL instruction: which body of the author's will run, and where a step stops in it.
//!
//! Resolved with the registers of the call itself, so the answer is a fact, not a prediction. Reads only.

use dispatch::{Body, CallKind, CallSite, Certainty, Chain, Engine, Site, SiteKind, State};
use golang::Process;
use machine::{MemoryExt, Regs};

use super::step::Shown;

/// When the body runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    ByCall,
    /// `go`: in the goroutine that the call starts.
    InNewGoroutine,
    /// `defer`: when the function returns or panics.
    Deferred,
}

/// Where a step into a call arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Landing {
    pub(crate) stop_pc: u64,
    /// The body returns here, through wrappers; `None` for tail calls and what does not return to the line.
    pub(crate) return_pc: Option<u64>,
    pub(crate) reached: Reached,
    /// Function whose body it is, as the user reads it.
    pub(crate) body: String,
    /// What happened on the way that a user should know: the body was inlined, or folded away.
    pub(crate) remark: Option<String>,
    pub(crate) folded: Option<Shown>,
    /// The func value of a `defer` statement.
    pub(crate) deferred: Option<u64>,
}

impl Landing {
    /// A deferred call of which only the body is known.
    pub(crate) fn of_deferred(body: &dispatch::Body) -> Landing {
        Landing {
            stop_pc: body.stop_pc,
            return_pc: None,
            reached: Reached::Deferred,
            body: body.name.clone(),
            remark: None,
            folded: Shown::of(body),
            deferred: None,
        }
    }
}

/// Runtime functions that take a func value and run it later, with the way they do.
const STARTERS: &[(&str, Reached)] = &[
    ("runtime.newproc", Reached::InNewGoroutine),
    ("runtime.deferproc", Reached::Deferred),
    ("runtime.deferprocat", Reached::Deferred),
    ("runtime.deferprocStack", Reached::Deferred),
];

/// Follows the call at which the thread with these registers stands.
pub(crate) fn landing(
    engine: &Engine,
    process: &Process<'_>,
    regs: &Regs,
    site: &Site,
) -> Result<Landing, String> {
    let image = process.image;
    let mem = process.mem;
    if let SiteKind::Static { target } = site.kind {
        let name = image.functions().at(target).map(|f| f.name()).unwrap_or_default();
        if let Some((starter, reached)) = STARTERS.iter().find(|(n, _)| *n == name) {
            let funcval = started_function(process, regs, starter)?;
            return of_funcval(engine, process, regs, funcval, *reached);
        }
        return arrive(engine.resolve(image, mem, target, Some(regs)), return_pc(site), Reached::ByCall);
    }
    arrive(engine.resolve_at_load(image, mem, regs, site), return_pc(site), Reached::ByCall)
}

/// Where a call is certain to arrive before it is reached, so that a step need not stop at it: a direct call, through wrappers that
/// know their body; or `chosen`, a target that was found to be certain at this stop.
pub(crate) fn certain_landing(
    engine: &Engine,
    process: &Process<'_>,
    site: &Site,
    chosen: Option<&CallSite>,
) -> Option<Landing> {
    // What reflection calls is asked for, not the function that does it.
    if chosen.is_some_and(|c| c.kind == CallKind::Reflect) {
        return None;
    }
    let return_pc = return_pc(site)?;
    let SiteKind::Static { target } = site.kind else {
        let certain = |c: &&CallSite| {
            c.state == State::Known && c.certainty == Certainty::Certain && !c.conditional && !c.in_progress
        };
        let body = chosen.filter(certain).and_then(|c| c.body.clone())?;
        return Some(at_body(body, Some(return_pc), Reached::ByCall));
    };
    let name = process.image.functions().at(target).map(|f| f.name()).unwrap_or_default();
    if STARTERS.iter().any(|(n, _)| *n == name) {
        return None;
    }
    let chain = engine.resolve(process.image, process.mem, target, None);
    arrive(chain, Some(return_pc), Reached::ByCall).ok()
}

fn return_pc(site: &Site) -> Option<u64> {
    (!site.tail && site.return_pc != 0).then_some(site.return_pc)
}

/// The func value that a `go` or `defer` statement hands to the runtime: the first argument, or `fn` of the record in it.
fn started_function(process: &Process<'_>, regs: &Regs, starter: &str) -> Result<u64, String> {
    let arch = process.image.arch();
    let first =
        arch.int_args().first().and_then(|r| regs.get(*r)).ok_or("the argument register is not known")?;
    if starter != "runtime.deferprocStack" {
        return Ok(first);
    }
    let offset = process
        .image
        .layout()
        .offset("runtime._defer", "fn")
        .ok_or("the layout of runtime._defer is not known")?;
    process.mem.read_u64(first.wrapping_add(offset)).map_err(|e| e.to_string())
}

fn arrive(chain: Chain, return_pc: Option<u64>, reached: Reached) -> Result<Landing, String> {
    if let Some(why) = chain.will_panic {
        return Err(format!("it panics: {why}"));
    }
    let body = chain.body.ok_or_else(|| chain.reason.unwrap_or_else(|| "no body was found".into()))?;
    Ok(at_body(body, return_pc, reached))
}

fn at_body(body: Body, return_pc: Option<u64>, reached: Reached) -> Landing {
    let remark = match (body.inlined, body.folded) {
        (true, _) => Some("the body was inlined into the wrapper".to_string()),
        (_, true) => Some("the compiler folded the body away: this is its wrapper".to_string()),
        _ => None,
    };
    let folded = Shown::of(&body);
    Landing { stop_pc: body.stop_pc, return_pc, reached, body: body.name, remark, folded, deferred: None }
}

/// At a call of `reflect.Value.Call`: what that will call.
pub(crate) fn reflected(engine: &Engine, process: &Process<'_>, regs: &Regs) -> Result<Landing, String> {
    arrive(engine.resolve_reflected(process.image, process.mem, regs), None, Reached::ByCall)
}

/// What a func value runs when the runtime calls it later. `regs`: of a thread of that goroutine in Go code; wrappers of older versions
/// look at their g first.
pub(crate) fn of_funcval(
    engine: &Engine,
    process: &Process<'_>,
    regs: &Regs,
    funcval: u64,
    reached: Reached,
) -> Result<Landing, String> {
    let entry = process.mem.read_u64(funcval).map_err(|e| format!("the func value at {funcval:#x}: {e}"))?;
    let mut inside = regs.clone();
    inside.set(process.image.arch().context(), funcval);
    let chain = engine.resolve(process.image, process.mem, entry, Some(&inside));
    let landing = arrive(chain, None, reached)?;
    Ok(Landing { deferred: (reached == Reached::Deferred).then_some(funcval), ..landing })
}
