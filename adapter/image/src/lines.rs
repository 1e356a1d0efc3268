//! Line rows of a function, its prologue, and where a breakpoint on file:line goes.
//! Must never give an address inside a prologue, in a morestack tail, or twice for one place of the program.

use std::sync::Arc;

use machine::Arch;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::elf::le_u32;
use crate::functions::{FuncId, Function, Functions, LineRow};
use crate::pclntab::{PCDATA_INL_TREE, RawFunc};
use crate::pcvalue::Run;

/// A row with link addresses and the file as its offset in the file table.
#[derive(Clone, Copy, Debug)]
struct Row {
    start: u64,
    end: u64,
    file: Option<u32>,
    line: u32,
    is_stmt: bool,
}

/// One function that has rows in the file asked for.
struct Candidate {
    func: u32,
    /// Inline tree index of the rows; -1 for the physical function.
    instance: i32,
    /// Declaration line of that (inlined) function.
    start_line: u32,
    /// (line, address) of the rows that may begin a statement.
    rows: Vec<(u32, u64)>,
    /// The other rows of an inlined copy, whose statements the optimiser may have left without a mark.
    unmarked: Vec<(u32, u64)>,
}

impl Functions {
    /// Where a breakpoint on file:line goes, and the line really used: one address for each place the line was compiled
    /// to (function instance, inlined copy): lowest statement address, behind the prologue where the line is the function's
    /// first. If the line has no code: the next line with code of the function around it.
    pub fn breakpoint_locations(&self, file: &str, line: u32) -> Option<(u32, Vec<u64>)> {
        let offsets = self.file_offsets(file);
        let candidates: Vec<Candidate> = self
            .functions_of_files(&offsets)
            .into_iter()
            .flat_map(|i| self.candidates(i, &offsets))
            .collect();
        let used = if candidates.iter().any(|c| c.rows.iter().any(|r| r.0 == line)) {
            line
        } else {
            next_line(&candidates, line)?
        };
        let mut addrs: Vec<u64> = candidates.iter().filter_map(|c| self.address(c, used)).collect();
        addrs.sort_unstable();
        addrs.dedup();
        (!addrs.is_empty()).then(|| (used, addrs.into_iter().map(|a| self.core.run(a)).collect()))
    }

    /// Lines of a file on which a breakpoint can be set, sorted.
    pub fn breakable_lines(&self, file: &str) -> Vec<u32> {
        let offsets = self.file_offsets(file);
        let mut lines: Vec<u32> = self
            .functions_of_files(&offsets)
            .into_iter()
            .flat_map(|i| self.candidates(i, &offsets))
            .flat_map(|c| c.rows.into_iter().map(|r| r.0))
            .collect();
        lines.sort_unstable();
        lines.dedup();
        lines
    }

    /// The file table may hold one name several times.
    fn file_offsets(&self, file: &str) -> FxHashSet<u32> {
        let all = self.core.pcln.all_files(&self.core.st.file);
        all.into_iter().filter(|(_, n)| *n == file).map(|(o, _)| o).collect()
    }

    /// Functions of the compile units that know one of the files, in address order.
    fn functions_of_files(&self, offsets: &FxHashSet<u32>) -> Vec<u32> {
        let by_unit = self.by_unit.get_or_init(|| self.group_by_unit());
        let table = self.core.pcln.cu_table(&self.core.st.file);
        let mut starts: Vec<u32> = by_unit.keys().copied().collect();
        starts.sort_unstable();
        let mut out = Vec::new();
        for (i, start) in starts.iter().enumerate() {
            let end = starts.get(i + 1).map_or(table.len() / 4, |e| *e as usize);
            let knows = (*start as usize..end)
                .any(|n| le_u32(table, n.saturating_mul(4)).is_some_and(|o| offsets.contains(&o)));
            if knows {
                out.extend(by_unit.get(start).into_iter().flatten());
            }
        }
        out.sort_unstable();
        out
    }

    fn group_by_unit(&self) -> FxHashMap<u32, Vec<u32>> {
        let mut out: FxHashMap<u32, Vec<u32>> = FxHashMap::default();
        for i in 0..self.core.pcln.nfunc {
            if let Some((_, cu)) = self.core.pcln.name_and_cu(&self.core.st.file, i)
                && cu != u32::MAX
            {
                out.entry(cu).or_default().push(i);
            }
        }
        out
    }

    /// The instances in function `i` that have rows in one of the files.
    fn candidates(&self, i: u32, offsets: &FxHashSet<u32>) -> Vec<Candidate> {
        let Some(f) = self.get(FuncId(i)) else { return Vec::new() };
        if !f.mentions(offsets) {
            return Vec::new();
        }
        let mut out: Vec<Candidate> = Vec::new();
        let instances = f.instances();
        let mut first = 0;
        for row in f.raw_rows() {
            if row.line == 0 || !row.file.is_some_and(|o| offsets.contains(&o)) {
                continue;
            }
            // Both lists are in address order.
            first += instances.get(first..).unwrap_or(&[]).iter().take_while(|i| i.1 <= row.start).count();
            let overlapping = instances.get(first..).unwrap_or(&[]).iter().take_while(|i| i.0 < row.end);
            for (start, end, instance) in overlapping {
                let at = row.start.max(*start);
                if at >= row.end.min(*end) {
                    continue;
                }
                if !row.is_stmt && *instance < 0 {
                    continue;
                }
                let known = out.iter().position(|c| c.instance == *instance).unwrap_or_else(|| {
                    let start_line = f.instance_start(*instance);
                    out.push(Candidate {
                        func: i,
                        instance: *instance,
                        start_line,
                        rows: vec![],
                        unmarked: vec![],
                    });
                    out.len() - 1
                });
                if let Some(c) = out.get_mut(known) {
                    let rows = if row.is_stmt { &mut c.rows } else { &mut c.unmarked };
                    rows.push((row.line, at));
                }
            }
        }
        for c in &mut out {
            let marked: FxHashSet<u32> = c.rows.iter().map(|r| r.0).collect();
            c.rows.extend(c.unmarked.drain(..).filter(|r| !marked.contains(&r.0)));
        }
        // A wrapper's own rows (`go f(x)` is the line of its gowrap too) are not the author's code; what was inlined in it is.
        if f.is_wrapper() {
            out.retain(|c| c.instance >= 0);
        }
        out
    }

    /// The lowest address of the line in the candidate, behind the prologue of a physical function.
    fn address(&self, c: &Candidate, line: u32) -> Option<u64> {
        let f = self.get(FuncId(c.func))?;
        let lowest = c.rows.iter().filter(|r| r.0 == line).map(|r| r.1).min()?;
        let prologue_end = self.core.link(f.prologue_end());
        if c.instance < 0 && lowest < prologue_end { Some(prologue_end) } else { Some(lowest) }
    }
}

/// The next line with code of the innermost function around `line`.
fn next_line(candidates: &[Candidate], line: u32) -> Option<u32> {
    let around = candidates
        .iter()
        .filter(|c| c.start_line <= line && c.start_line > 0 && c.rows.iter().any(|r| r.0 > line));
    let innermost = around.clone().map(|c| c.start_line).max()?;
    around
        .filter(|c| c.start_line == innermost)
        .flat_map(|c| c.rows.iter().map(|r| r.0))
        .filter(|l| *l > line)
        .min()
}

impl Function<'_> {
    /// Where a function breakpoint goes: the address that the line table marks as prologue_end; the entry of a function
    /// without a frame. On amd64 it is derived from the SP deltas, which needs no DWARF and is the same (cmd/internal/obj/x86:
    /// the mark is on the instruction that allocates the frame, or behind `push rbp` if there is nothing more to allocate).
    pub fn prologue_end(&self) -> u64 {
        let core = &self.table.core;
        if core.st.elf.arch == Arch::Amd64 {
            return core.run(self.frame_allocation());
        }
        if let Some(rows) = core.dwarf_lines().and_then(|l| l.function(self.raw.entry, self.raw.end)) {
            return core.run(rows.iter().find(|r| r.prologue_end).map_or(self.raw.entry, |r| r.addr));
        }
        let runs = self.delta_runs();
        let largest = runs.iter().map(|r| r.value).max().filter(|v| *v > 0);
        let first = largest.and_then(|v| runs.iter().find(|r| r.value == v));
        core.run(first.map_or(self.raw.entry, |r| r.start))
    }

    fn delta_runs(&self) -> Vec<Run> {
        let core = &self.table.core;
        core.pcln.runs(&core.st.file, &self.raw, self.raw.pcsp).collect()
    }

    /// amd64: link address behind `push rbp`, or behind the `mov rbp, rsp` (48 89 e5) where more is allocated.
    fn frame_allocation(&self) -> u64 {
        let runs = self.delta_runs();
        let Some(first) = runs.iter().find(|r| r.value > 0) else { return self.raw.entry };
        let mut code = [0; 3];
        let whole = runs.iter().all(|r| r.value <= 8);
        if whole || first.value != 8 || self.table.core.st.read(first.start, &mut code, 0) != 3 {
            return first.start;
        }
        if code == [0x48, 0x89, 0xe5] { first.start + 3 } else { first.start }
    }

    /// Line rows of the physical function in address order (innermost inlined file/line); is_stmt from DWARF where present.
    pub fn rows(&self) -> Vec<LineRow> {
        let core = &self.table.core;
        let mut out: Vec<LineRow> = Vec::new();
        let unknown: Arc<str> = Arc::from("?");
        for r in self.raw_rows() {
            let file = r.file.map_or_else(|| unknown.clone(), |o| self.table.file_name(o));
            out.push(LineRow {
                start: core.run(r.start),
                end: core.run(r.end),
                file,
                line: r.line,
                is_stmt: r.is_stmt,
            });
        }
        out
    }

    /// Any row of the function lies in one of the files.
    fn mentions(&self, offsets: &FxHashSet<u32>) -> bool {
        let (pcln, file) = (&self.table.core.pcln, &self.table.core.st.file);
        pcln.runs(file, &self.raw, self.raw.pcfile)
            .any(|r| pcln.file_offset(file, self.raw.cu, r.value).is_some_and(|o| offsets.contains(&o)))
    }

    /// Runs of the inline tree index; one run of -1 if nothing is inlined.
    pub(crate) fn instances(&self) -> Vec<(u64, u64, i32)> {
        let (pcln, file) = (&self.table.core.pcln, &self.table.core.st.file);
        let table = pcln.pcdata(file, &self.raw, PCDATA_INL_TREE);
        let mut out: Vec<_> =
            pcln.runs(file, &self.raw, table).map(|r| (r.start, r.end, r.value.max(-1))).collect();
        let covered = out.last().map_or(self.raw.entry, |r| r.1);
        if covered < self.raw.end {
            out.push((covered, self.raw.end, -1));
        }
        out
    }

    /// Link address of the lowest statement of an inlined copy; its lowest address where the optimiser left none marked.
    pub(crate) fn first_statement(&self, runs: &[(u64, u64, i32)], instance: i32) -> Option<u64> {
        let own = |at: u64| runs.iter().any(|r| r.2 == instance && (r.0..r.1).contains(&at));
        let rows = self.raw_rows();
        let marked = rows
            .iter()
            .filter(|r| r.is_stmt && r.line != 0)
            .flat_map(|r| {
                let inside = runs.iter().filter(|i| i.2 == instance && i.0 < r.end && r.start < i.1);
                inside.map(|i| i.0.max(r.start))
            })
            .filter(|at| own(*at))
            .min();
        marked.or_else(|| runs.iter().filter(|r| r.2 == instance).map(|r| r.0).min())
    }

    fn instance_start(&self, instance: i32) -> u32 {
        let c = &self.table.core;
        if instance < 0 {
            return self.raw.start_line;
        }
        let tree = c.pcln.funcdata(&c.st.file, &self.raw, crate::pclntab::FUNCDATA_INL_TREE);
        let call = tree.and_then(|t| c.pcln.inlined_call(&c.st.elf, &c.st.file, t, instance));
        call.map_or(0, |c| c.start_line)
    }

    /// Rows of pclntab, split where the statement flag of the line table changes.
    fn raw_rows(&self) -> Vec<Row> {
        let core = &self.table.core;
        let rows = pcln_rows(core, &self.raw);
        let flags = core.dwarf_lines().and_then(|l| l.function(self.raw.entry, self.raw.end));
        let Some(flags) = flags.filter(|f| !f.is_empty()) else { return rows };
        let mut out: Vec<Row> = Vec::with_capacity(rows.len());
        for row in rows {
            let mut at = row.start;
            // The flag in force at the row's start, then each change inside it. Before the first row: a statement.
            let from = flags.partition_point(|f| f.addr <= row.start);
            let mut stmt = from.checked_sub(1).and_then(|i| flags.get(i)).is_none_or(|f| f.is_stmt);
            for f in flags.iter().skip(from).take_while(|f| f.addr < row.end) {
                if f.is_stmt != stmt {
                    if f.addr > at {
                        out.push(Row { start: at, end: f.addr, is_stmt: stmt, ..row });
                    }
                    (at, stmt) = (f.addr, f.is_stmt);
                }
            }
            out.push(Row { start: at, is_stmt: stmt, ..row });
        }
        out
    }
}

/// Merges the file table and the line table of a function.
fn pcln_rows(core: &crate::core::Core, f: &RawFunc) -> Vec<Row> {
    let (pcln, file) = (&core.pcln, &core.st.file);
    let files: Vec<_> = pcln.runs(file, f, f.pcfile).collect();
    let mut out: Vec<Row> = Vec::new();
    let mut current = files.iter().peekable();
    for run in pcln.runs(file, f, f.pcln) {
        let mut start = run.start;
        while start < run.end {
            while current.peek().is_some_and(|r| r.end <= start) {
                current.next();
            }
            let covering = current.peek().filter(|r| r.start <= start);
            let end = covering.map_or(run.end, |r| r.end.min(run.end));
            let name = covering.and_then(|r| pcln.file_offset(file, f.cu, r.value));
            let line = u32::try_from(run.value).unwrap_or(0);
            match out.last_mut() {
                Some(last) if last.end == start && last.line == line && last.file == name => last.end = end,
                _ => out.push(Row { start, end, file: name, line, is_stmt: true }),
            }
            start = end;
        }
    }
    out
}
