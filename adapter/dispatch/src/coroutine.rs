//! What a call of the funcs that `iter.Pull` gives resumes: the iterator's body, from its beginning or where it has yielded.
//!
//! Read from the runtime's own record of the coroutine. What does not look like one is none: nothing is claimed.

use golang::{Process, StackOf};
use machine::MemoryExt;

use crate::api::{Body, Chain, Link, Role};
use crate::callbacks::closure_chain;
use crate::engine::World;
use crate::interp::{Machine, V};

/// Captured words of a closure that are looked at.
const MAX_CAPTURES: u64 = 8;
/// Frames of the coroutine above the iterator's.
const MAX_FRAMES: usize = 16;
/// In `runtime.coro` of every version: the goroutine that waits, and the function that it runs.
const CORO_G: u64 = 0;
const CORO_F: u64 = 8;

/// True for `iter.Pull[...].func2`.
pub(crate) fn is_resume(callee: &str) -> bool {
    (callee.starts_with("iter.Pull[") || callee.starts_with("iter.Pull2[")) && callee.contains("].func")
}

/// The author's body that runs when the func value `next` is called.
pub(crate) fn resumed<'a>(w: &World<'a>, m: &Machine<'a>, next: V) -> Option<Chain> {
    let coro = captures(w, next.n).find(|c| starts_pull(w, *c))?;
    let g = w.mem.read_u64(coro.checked_add(CORO_G)?).ok().filter(|g| *g != 0)?;
    let start = w.mem.read_u64(coro.checked_add(CORO_F)?).ok()?;
    let sequence = captures(w, start).find(|v| {
        let code = function_of(w, *v);
        code.is_some_and(|f| !is_iter(f.name()))
    })?;
    let mut chain = closure_chain(w, m, V { n: sequence, stale: next.stale })?;
    if let Some(body) = suspended(w, g) {
        let link = chain.links.last().filter(|l| l.role == Role::Body).cloned();
        let link = Link { address: body.stop_pc, line: body.line, name: body.name.clone(), ..link? };
        chain.links = vec![link];
        chain.body = Some(body);
    }
    Some(chain)
}

/// Where the iterator goes on that a waiting goroutine runs; None: it has not begun.
fn suspended(w: &World<'_>, g: u64) -> Option<Body> {
    let process = Process::new(w.image, w.mem, &[], w.engine.made());
    let goroutine = process.goroutine_at(g)?;
    let stack = process.stack(StackOf::Goroutine(&goroutine), 0, MAX_FRAMES);
    let at = stack.frames.into_iter().find(|f| !f.runtime && !f.wrapper && !is_iter(&f.symbol))?;
    let function = w.image.functions().get(at.function?)?;
    Some(Body {
        entry: function.entry(),
        stop_pc: at.pc,
        name: crate::names::display(w.image, &at.symbol),
        qualified_name: at.symbol,
        function: at.function,
        file: Some(at.file),
        line: Some(at.line),
        inlined: false,
        folded: false,
    })
}

/// The words behind the code of a func value.
fn captures<'a>(w: &World<'a>, funcval: u64) -> impl Iterator<Item = u64> + use<'a> {
    let mem = w.mem;
    (1..=MAX_CAPTURES)
        .filter_map(move |n| mem.read_u64(funcval.checked_add(8 * n)?).ok())
        .filter(|v| *v >= 4096)
}

/// The word points to a coroutine that `iter.Pull` has made.
fn starts_pull(w: &World<'_>, coro: u64) -> bool {
    let f = coro.checked_add(CORO_F).and_then(|at| w.mem.read_u64(at).ok());
    f.and_then(|f| function_of(w, f)).is_some_and(|f| is_resume(f.name()))
}

/// The function of a func value.
fn function_of<'a>(w: &World<'a>, funcval: u64) -> Option<image::Function<'a>> {
    let code = w.mem.read_u64(funcval).ok()?;
    w.image.functions().at(code).filter(|f| f.entry() == code)
}

fn is_iter(name: &str) -> bool {
    image::names::package_of(name) == "iter"
}
