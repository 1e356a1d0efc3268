//! What a trace has seen: exact counts by site and target, and the records that wait to be sent.
//!
//! Records and `dropped` together equal the counts; memory stays bounded whatever the program does.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use wire::itab::{TraceRecord, TraceRow};

use crate::profile::build::Line;

/// Events a second are at most ten; a little more than a tenth, so that a last event at the program's end never makes eleven.
pub(crate) const INTERVAL: Duration = Duration::from_millis(115);
/// Records of one event; more within the interval are dropped (and counted).
const MAX_BATCH: usize = 1000;
/// Rows that are told apart; a program that makes types without end has its other calls counted in one row.
const MAX_ROWS: usize = 100_000;

/// How often one site reached one target.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    /// `file:line[:column]`, as the client knows the file.
    pub(crate) site: Arc<str>,
    pub(crate) line: u32,
    /// Of the site.
    pub(crate) pc: u64,
    pub(crate) function: String,
    /// The site with the functions inlined there, innermost first.
    pub(crate) frames: Vec<Line>,
    pub(crate) interface: String,
    pub(crate) method: String,
    pub(crate) concrete: String,
    pub(crate) target: String,
    pub(crate) target_at: Option<(String, u32, u64)>,
    /// Of an assertion.
    pub(crate) ok: Option<bool>,
    pub(crate) wanted: Option<String>,
    pub(crate) count: u64,
    pub(crate) total: Duration,
    pub(crate) max: Duration,
    pub(crate) timed: bool,
}

impl Row {
    pub(crate) fn short_site(&self) -> &str {
        self.site.rsplit('/').next().unwrap_or(&self.site)
    }

    pub(crate) fn present(&self) -> TraceRow {
        let nanos = |d: Duration| self.timed.then(|| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX));
        TraceRow {
            site: self.site.to_string(),
            line: i64::from(self.line),
            interface_type: self.interface.clone(),
            method: self.method.clone(),
            concrete_type: self.concrete.clone(),
            target: self.target.clone(),
            count: self.count,
            total: nanos(self.total),
            max: nanos(self.max),
            ok: self.ok,
            wanted: self.wanted.clone(),
        }
    }
}

/// A row by its number.
pub(crate) type RowId = usize;

/// Counts and waiting records of one trace.
#[derive(Default)]
pub(crate) struct Tally {
    rows: Vec<Row>,
    index: HashMap<(String, String, String), RowId>,
    others: Option<RowId>,
    waiting: Vec<TraceRecord>,
    dropped: u64,
    sent: u64,
    limit: u64,
    next_event: Option<Instant>,
}

impl Tally {
    pub(crate) fn new(limit: u64) -> Tally {
        Tally { limit, next_event: Some(Instant::now()), ..Tally::default() }
    }

    /// The row for a site and what it reached.
    pub(crate) fn row(&mut self, row: Row) -> RowId {
        let outcome = format!("{}\0{}\0{:?}", row.target, row.interface, row.ok);
        let key = (row.site.to_string(), row.concrete.clone(), outcome);
        if let Some(i) = self.index.get(&key) {
            return *i;
        }
        if self.rows.len() >= MAX_ROWS {
            let rows = &mut self.rows;
            return *self.others.get_or_insert_with(|| {
                rows.push(Row { site: "(others)".into(), target: "(others)".into(), ..Row::default() });
                rows.len() - 1
            });
        }
        self.rows.push(row);
        self.index.insert(key, self.rows.len() - 1);
        self.rows.len() - 1
    }

    pub(crate) fn get(&self, id: RowId) -> Option<&Row> {
        self.rows.get(id)
    }

    pub(crate) fn count(&mut self, id: RowId) {
        if let Some(r) = self.rows.get_mut(id) {
            r.count += 1;
        }
    }

    pub(crate) fn time(&mut self, id: RowId, elapsed: Duration) {
        if let Some(r) = self.rows.get_mut(id) {
            r.timed = true;
            r.total += elapsed;
            r.max = r.max.max(elapsed);
        }
    }

    /// Whether the next record would be kept: no text is rendered for one that would not.
    pub(crate) fn has_room(&self) -> bool {
        self.waiting.len() < MAX_BATCH && self.sent + (self.waiting.len() as u64) < self.limit
    }

    /// Keeps a record, or counts it as dropped.
    pub(crate) fn record(&mut self, record: Option<TraceRecord>) {
        match record {
            Some(r) if self.has_room() => self.waiting.push(r),
            _ => self.dropped += 1,
        }
    }

    /// When the next event may be sent; None: there is nothing to send.
    pub(crate) fn due(&self) -> Option<Instant> {
        let something = !self.waiting.is_empty() || self.dropped != 0;
        something.then_some(self.next_event).flatten()
    }

    /// The records that wait, and how many were lost beside them.
    pub(crate) fn take(&mut self) -> (Vec<TraceRecord>, u64) {
        self.next_event = Some(Instant::now() + INTERVAL);
        self.sent += self.waiting.len() as u64;
        (std::mem::take(&mut self.waiting), std::mem::take(&mut self.dropped))
    }

    /// Rows with a count, by site, the most frequent target first.
    pub(crate) fn table(&self) -> Vec<&Row> {
        let mut rows: Vec<&Row> = self.rows.iter().filter(|r| r.count != 0).collect();
        let file = |r: &Row| r.site.split(':').next().unwrap_or_default().to_string();
        rows.sort_by(|a, b| {
            (file(a), a.line, &a.site)
                .cmp(&(file(b), b.line, &b.site))
                .then(b.count.cmp(&a.count))
                .then_with(|| a.target.cmp(&b.target))
        });
        rows
    }

    pub(crate) fn total(&self) -> u64 {
        self.rows.iter().map(|r| r.count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_and_dropped_are_the_counts() {
        let mut t = Tally::new(3);
        let row = t.row(Row { site: "a.go:1".into(), target: "f".into(), ..Row::default() });
        let mut seen = 0;
        for i in 0..10 {
            t.count(row);
            t.record(Some(TraceRecord::default()));
            if i % 4 == 3 {
                let (records, dropped) = t.take();
                seen += records.len() as u64 + dropped;
            }
        }
        let (records, dropped) = t.take();
        assert!(records.is_empty());
        assert_eq!(seen + dropped, t.total());
        assert!(t.due().is_none());
    }

    #[test]
    fn rows_are_bounded() {
        let mut t = Tally::new(0);
        for i in 0..MAX_ROWS + 10 {
            let row = t.row(Row { target: i.to_string(), ..Row::default() });
            t.count(row);
        }
        assert_eq!(t.total(), (MAX_ROWS + 10) as u64);
        assert!(t.table().len() <= MAX_ROWS + 1);
    }
}
