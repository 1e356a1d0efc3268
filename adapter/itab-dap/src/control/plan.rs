//! Where the temporary breakpoints of a step go: rows of the function, its range bodies, callers, deferred calls, calls of the line.
//!
//! Pure: reads the stopped process, arms nothing. Row tables are cached by function.

use std::{collections::HashMap, sync::Arc};

use dispatch::Engine;
use golang::{Frame, Process, Stack};
use image::{FuncId, Function, Image};
use machine::Memory;

use super::step::{Accept, Meaning, Origin, Temporary};

/// User frames above the current one that get a return breakpoint: the caller, and those a recovered panic may return into.
const MAX_CALLERS: usize = 8;

/// A place in a function where a source-level step can stop.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) pc: u64,
    pub(crate) line: u32,
    pub(crate) file: Arc<str>,
    /// Inlined calls around the pc; 0 in the function itself.
    pub(crate) depth: usize,
}

/// Rows and range bodies of functions, kept for the session (an image never changes).
#[derive(Default)]
pub(crate) struct RowCache {
    rows: HashMap<FuncId, Arc<[Row]>>,
    bodies: HashMap<FuncId, Arc<[FuncId]>>,
}

impl RowCache {
    /// Statement starts of a function from the end of its prologue on, one for each run of rows of one line.
    pub(crate) fn rows(&mut self, image: &Image, f: Function<'_>) -> Arc<[Row]> {
        self.rows.entry(f.id()).or_insert_with(|| rows_of(image, f)).clone()
    }

    /// The range-over-func bodies (`F-range1`, nested ones too) of a function that is not one itself.
    pub(crate) fn range_bodies(&mut self, image: &Image, f: Function<'_>) -> Arc<[FuncId]> {
        self.bodies
            .entry(f.id())
            .or_insert_with(|| {
                let prefix = format!("{}-range", f.name());
                image
                    .functions()
                    .iter()
                    .filter(|g| g.name().starts_with(&prefix))
                    .filter(is_range_body)
                    .map(|g| g.id())
                    .collect()
            })
            .clone()
    }
}

/// Go code that cgo writes: its file is never there.
pub(crate) fn is_generated(file: &str) -> bool {
    file.ends_with("_cgo_gotypes.go")
}

fn is_range_body(f: &Function<'_>) -> bool {
    f.name().rsplit("-range").next().is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

fn rows_of(image: &Image, f: Function<'_>) -> Arc<[Row]> {
    let start = f.prologue_end();
    let mut out: Vec<Row> = Vec::new();
    let mut last: Option<(u32, Arc<str>, usize)> = None;
    for r in f.rows() {
        let depth = image.functions().inline_stack(r.start).len().saturating_sub(1);
        let key = (r.line, r.file.clone(), depth);
        let pc = if r.start < start && start < r.end { start } else { r.start };
        // Generated code has no source to stop in.
        let generated = r.file.starts_with('<');
        if pc >= start && r.is_stmt && last.as_ref() != Some(&key) && r.line != 0 && !generated {
            out.push(Row { pc, line: r.line, file: r.file.clone(), depth });
        }
        // A run that begins with a row that is no statement (optimised code) counts from its first statement.
        if pc >= start && (r.is_stmt || last.as_ref() != Some(&key)) {
            last = r.is_stmt.then_some(key);
        }
    }
    out.into()
}

/// What is known of the frame in which the step begins.
pub(crate) struct Start<'a> {
    pub(crate) process: &'a Process<'a>,
    pub(crate) stack: &'a Stack,
    pub(crate) origin: &'a Origin,
    pub(crate) engine: &'a Engine,
    /// Inlined calls around the frame that the user looks at (0: the physical function).
    pub(crate) depth: usize,
}

impl Start<'_> {
    fn physical(&self) -> Option<Function<'_>> {
        self.process.image.functions().get(self.origin.function?)
    }

    /// Every other line of the function and of its range bodies; with `into_inlined`, also inlined bodies of the current line.
    pub(crate) fn lines(&self, cache: &mut RowCache, into_inlined: bool) -> Vec<Temporary> {
        let image = self.process.image;
        let mut out = Vec::new();
        let Some(f) = self.physical() else { return out };
        let root = self.origin.group.0.and_then(|id| image.functions().get(id)).unwrap_or(f);
        let mut functions = vec![root];
        let bodies = cache.range_bodies(image, root);
        functions.extend(bodies.iter().filter_map(|id| image.functions().get(*id)));
        let accept =
            if functions.len() > 1 { Accept::Group } else { Accept::Frame(self.origin.frame_offset) };
        for g in functions {
            let own = g.id() == f.id();
            for row in cache.rows(image, g).iter() {
                let depth = if own { self.depth } else { 0 };
                // Also in a loop's body: its head is on the line of the `for` statement.
                if self.is_current(row, depth) {
                    continue;
                }
                if row.depth > depth && !(into_inlined && own && self.is_called_from_here(row)) {
                    continue;
                }
                out.push(Temporary { addr: row.pc, accept: accept.clone(), meaning: Meaning::Arrived });
            }
        }
        out
    }

    fn is_current(&self, row: &Row, depth: usize) -> bool {
        row.line == self.origin.line && *row.file == *self.origin.file && row.depth == depth
    }

    /// True if an inlined row is inside a call on the current line of the current frame.
    fn is_called_from_here(&self, row: &Row) -> bool {
        if row.depth <= self.depth {
            return false;
        }
        let chain = self.process.image.functions().inline_stack(row.pc);
        // Outermost last: the frame at our depth, and the line it is at.
        chain
            .iter()
            .rev()
            .nth(self.depth)
            .is_some_and(|at| at.line == self.origin.line && *at.file == *self.origin.file)
    }

    /// Where the body of a function that was inlined into the current line begins: its rows, whichever is reached first.
    pub(crate) fn inlined_rows(&self, cache: &mut RowCache, symbol: &str) -> Vec<u64> {
        let Some(f) = self.physical() else { return Vec::new() };
        let own = |row: &&Row| {
            row.depth == self.depth + 1 && self.is_called_from_here(row) && self.innermost_is(row.pc, symbol)
        };
        cache.rows(self.process.image, f).iter().filter(own).map(|row| row.pc).collect()
    }

    /// The code at `pc` is that of the function itself, not of one inlined into it.
    pub(crate) fn innermost_is(&self, pc: u64, symbol: &str) -> bool {
        self.process.image.functions().inline_stack(pc).first().is_some_and(|at| at.name == symbol)
    }

    /// Rows of the frames that an inlined frame was inlined into: where stepping out of it arrives.
    pub(crate) fn outer_rows(&self, cache: &mut RowCache) -> Vec<Temporary> {
        let Some(f) = self.physical() else { return Vec::new() };
        cache
            .rows(self.process.image, f)
            .iter()
            .filter(|r| r.depth < self.depth)
            .map(|r| Temporary {
                addr: r.pc,
                accept: Accept::Frame(self.origin.frame_offset),
                meaning: Meaning::Arrived,
            })
            .collect()
    }

    /// Return addresses in the frames above: the next one that the author wrote, and more for panics that are recovered further up.
    /// `out` of the function: from a range-over-func body that is the one that wrote the loop.
    pub(crate) fn callers(&self, out: bool) -> Vec<Temporary> {
        let mut found: Vec<Temporary> = Vec::new();
        let mut below: Option<&Frame> = None;
        for frame in self.stack.frames.iter().filter(|f| !f.inlined) {
            // A wrapper passes on what its body returns: the author knows the body.
            let callee = if frame.wrapper && below.is_some() { below } else { below.replace(frame) };
            let Some(callee) = callee else { continue };
            if frame.frame_offset >= self.origin.frame_offset && frame.pc == self.origin.pc {
                continue;
            }
            if out && frame.frame_offset >= self.origin.group.1 {
                continue;
            }
            let foreign = frame.line == 0 || is_generated(&frame.file);
            if frame.wrapper || frame.runtime || foreign || self.is_between_range_body_and_function(frame) {
                continue;
            }
            let meaning = match callee.function {
                Some(from) if found.is_empty() => Meaning::Returned { from },
                _ => Meaning::Arrived,
            };
            found.push(Temporary { addr: frame.pc, accept: Accept::Frame(frame.frame_offset), meaning });
            if found.len() >= MAX_CALLERS {
                break;
            }
        }
        found
    }

    /// The iterator's frames between a range body and the function that wrote the loop are not where the author expects to be.
    fn is_between_range_body_and_function(&self, frame: &Frame) -> bool {
        let (_, group_offset) = self.origin.group;
        group_offset != self.origin.frame_offset && frame.frame_offset > group_offset
    }

    /// The deferred call that runs first if the goroutine panics now, or `at_return` when its function returns. Those of the runtime
    /// itself (`runtime.main` has one) are not where the author expects to be.
    pub(crate) fn deferred(&self, at_return: bool) -> Vec<Temporary> {
        let Some(g) = self.process.goroutine(self.origin.goid) else { return Vec::new() };
        let next = self.process.deferred(&g, self.stack).into_iter().next();
        let Some(pc) = next.map(|d| d.entry).filter(|e| *e != 0) else { return Vec::new() };
        let Some(f) = self.process.image.functions().at(pc).filter(|f| f.package() != "runtime") else {
            return Vec::new();
        };
        let addr = body_of(self.engine, self.process.image, self.process.mem, pc)
            .unwrap_or_else(|| f.prologue_end());
        let accept = if at_return { Accept::Deferred } else { Accept::DeferredByPanic };
        vec![Temporary { addr, accept, meaning: Meaning::Arrived }]
    }
}

/// The end of the step's goroutine, by `runtime.Goexit` or because its function returns: the call that was asked for does not come.
pub(crate) fn goroutine_end(image: &Image) -> Vec<Temporary> {
    let end = image.functions().by_name("runtime.goexit1").into_iter();
    end.map(|f| Temporary { addr: f.entry(), accept: Accept::Goroutine, meaning: Meaning::LineLeft })
        .collect()
}

/// Where a breakpoint on a function goes: the end of the prologue of the body that the author wrote, behind wrappers.
pub(crate) fn body_of(engine: &Engine, image: &Image, mem: &dyn Memory, entry: u64) -> Option<u64> {
    let f = image.functions().at(entry)?;
    if !f.is_wrapper() {
        return Some(f.prologue_end());
    }
    engine.resolve(image, mem, f.entry(), None).body.map(|b| b.stop_pc)
}
