//! `itab/trace`, `itab/traceResult`, and the files that both doors write.

use std::path::{Path, PathBuf};

use wire::{Responder, itab};

use super::{Point, Trace, What, filter::Request, graph, tally::Row};
use crate::{
    error::Refused,
    profile::build::{self, Line, Location, Sample},
    session::Session,
};

impl Session {
    pub(crate) fn on_itab_trace(&mut self, a: itab::TraceArguments, r: Responder<itab::Trace>) {
        let (start, count) = (a.start, a.count);
        let id = match (a.trace_id, a.what.clone()) {
            (Some(id), _) => self.switch_by_id(id, a.enabled != Some(false)),
            (None, Some(what)) => trace_kind(&what).and_then(|what| {
                let request = Request::of_wire(a.filter, a.arguments, a.results, a.limit)?;
                self.start_trace(what, request, false)
            }),
            (None, None) => Err("give what (\"dispatch\" or \"asserts\"), or the traceId of a trace".into()),
        };
        let body = id.and_then(|id| self.present_trace(id, start, count));
        r.answer(body.map_err(|e| Refused::Trace(e).into()));
    }

    fn switch_by_id(&mut self, id: i64, on: bool) -> Result<u32, String> {
        let id = u32::try_from(id).map_err(|_| format!("there is no trace {id}"))?;
        self.switch_trace(id, on)?;
        Ok(id)
    }

    fn present_trace(
        &self,
        id: u32,
        start: Option<usize>,
        count: Option<usize>,
    ) -> Result<itab::TraceResponse, String> {
        let trace = self.traces.list.get(&id).ok_or_else(|| format!("there is no trace {id}"))?;
        let all = trace.sites();
        let total = all.len();
        let mechanism = self.traces.mechanism().name();
        let sites = page(all, start, count)
            .map(|site| itab::TraceSite { site, mechanism: mechanism.into() })
            .collect();
        Ok(itab::TraceResponse { trace_id: i64::from(id), sites, total, incomplete: trace.note.clone() })
    }

    pub(crate) fn on_itab_trace_result(
        &mut self,
        a: itab::TraceResultArguments,
        r: Responder<itab::TraceResult>,
    ) {
        let id = u32::try_from(a.trace_id).unwrap_or(0);
        let body = match a.as_field.as_str() {
            "table" => self.trace_rows(id).map(|rows| {
                let total = Some(rows.len());
                let rows = Some(page(rows, a.start, a.count).map(Row::present).collect());
                itab::TraceResultResponse { rows, total, ..Default::default() }
            }),
            form @ ("pprof" | "graph") => self
                .write_trace(id, form, a.path.as_deref().map(Path::new))
                .map(|path| itab::TraceResultResponse { path: Some(path), ..Default::default() }),
            other => Err(format!("{other:?} is not a form; use table, pprof or graph")),
        };
        r.answer(body.map_err(|e| Refused::Trace(e).into()));
    }

    pub(super) fn trace_rows(&self, id: u32) -> Result<Vec<&Row>, String> {
        let trace = self.traces.list.get(&id).ok_or_else(|| format!("there is no trace {id}"))?;
        Ok(trace.tally.table())
    }

    /// Writes a trace as a file; without a path into the temporary folder.
    pub(super) fn write_trace(&self, id: u32, form: &str, path: Option<&Path>) -> Result<String, String> {
        let trace = self.traces.list.get(&id).ok_or_else(|| format!("there is no trace {id}"))?;
        let rows = trace.tally.table();
        let (bytes, suffix) = match form {
            "pprof" => {
                (build::profile(&self.header(trace), samples(&rows, trace.request.results)).pack()?, ".pb.gz")
            }
            _ => (graph::dot(&rows).into_bytes(), ".dot"),
        };
        let path = match path {
            Some(p) => p.to_path_buf(),
            None => temporary(suffix)?,
        };
        std::fs::write(&path, bytes).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(path.to_string_lossy().into_owned())
    }

    fn header(&self, trace: &Trace) -> build::Header {
        let mut types = vec![("calls", "count")];
        if trace.request.results {
            types.push(("time", "nanoseconds"));
        }
        let since = trace.began_at.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        build::Header {
            types,
            program: self.traced_program.clone(),
            duration_nanos: i64::try_from(trace.nanos()).unwrap_or(i64::MAX),
            time_nanos: i64::try_from(since.as_nanos()).unwrap_or(0),
        }
    }
}

fn trace_kind(what: &itab::TraceWhat) -> Result<What, String> {
    match what.as_str() {
        "dispatch" => Ok(What::Dispatch),
        "asserts" => Ok(What::Asserts),
        other => Err(format!("{other:?} can't be traced; use dispatch or asserts")),
    }
}

/// A name of our own in the temporary folder that outlives us: the user asked for the file.
fn temporary(suffix: &str) -> Result<PathBuf, String> {
    let file = tempfile::Builder::new().prefix("itab-trace-").suffix(suffix).tempfile();
    let (_, path) = file.map_err(|e| e.to_string())?.keep().map_err(|e| e.to_string())?;
    Ok(path)
}

fn page<T>(list: Vec<T>, start: Option<usize>, count: Option<usize>) -> impl Iterator<Item = T> {
    list.into_iter().skip(start.unwrap_or(0)).take(count.filter(|c| *c > 0).unwrap_or(usize::MAX))
}

/// The target is the leaf, the site's frames are its callers.
fn samples(rows: &[&Row], timed: bool) -> Vec<Sample> {
    rows.iter()
        .map(|r| {
            let (file, line, address) = r.target_at.clone().unwrap_or_default();
            let leaf = Location { address, lines: vec![Line { function: r.target.clone(), file, line }] };
            let site = Location { address: r.pc, lines: r.frames.clone() };
            let mut values = vec![i64::try_from(r.count).unwrap_or(i64::MAX)];
            if timed {
                values.push(i64::try_from(r.total.as_nanos()).unwrap_or(i64::MAX));
            }
            let labels = [("concrete", &r.concrete), ("interface", &r.interface), ("method", &r.method)];
            Sample {
                stack: vec![leaf, site],
                values,
                labels: labels.into_iter().filter(|l| !l.1.is_empty()).map(|(k, v)| (k, v.clone())).collect(),
            }
        })
        .collect()
}

impl Trace {
    /// The watched sites, each once.
    pub(super) fn sites(&self) -> Vec<String> {
        let mut out: Vec<String> = self
            .points
            .iter()
            .filter_map(|(_, p)| match p {
                Point::Call { site, .. } | Point::Assert { site, .. } => Some(site.to_string()),
                Point::Return { .. } => None,
            })
            .collect();
        out.sort();
        out.dedup();
        out
    }
}
