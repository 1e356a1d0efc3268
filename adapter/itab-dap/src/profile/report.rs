//! The attribution as a table.

use std::fmt::Write as _;

use super::attribute::{Attribution, Edge};

/// The order of the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sort {
    #[default]
    Flat,
    Cum,
}

/// Rows that are shown, and how.
pub(super) struct Form<'a> {
    pub(super) sort: Sort,
    pub(super) rows: usize,
    pub(super) unit: &'a str,
}

/// Columns flat, flat%, cum, cum% and the call; the flat column adds up to the profile's total.
pub(super) fn table(found: &Attribution, form: &Form<'_>) -> String {
    let mut edges: Vec<&Edge> = found.edges.iter().collect();
    edges.sort_by_key(|e| {
        let (flat, cum) = (-e.flat, -e.cum);
        let by = if form.sort == Sort::Flat { (flat, cum) } else { (cum, flat) };
        (by, e.title())
    });
    let mut out = format!("{:>10} {:>6} {:>10} {:>6}  call -> target\n", "flat", "flat%", "cum", "cum%");
    let mut row = |flat: i128, cum: Option<i128>, text: &str| {
        let share = |n: i128| share(n, found.total);
        let (c, p) = cum.map_or_else(Default::default, |c| (amount(c, form.unit), share(c)));
        let flat_text = amount(flat, form.unit);
        let _infallible = writeln!(out, "{flat_text:>10} {:>6} {c:>10} {p:>6}  {text}", share(flat));
    };
    for e in edges.iter().take(form.rows) {
        let concrete = if e.concrete.is_empty() { String::new() } else { format!(" ({})", e.concrete) };
        row(e.flat, Some(e.cum), &format!("{}{concrete}", e.title()));
    }
    if let Some(left @ [_, ..]) = edges.get(form.rows..) {
        row(left.iter().map(|e| e.flat).sum(), None, &format!("{} more rows", left.len()));
    }
    row(found.rest, None, "no dynamic call in the stack");
    row(found.total, None, "in all");
    out.push_str(
        "flat: this is the sample's innermost dynamic call; cum: it goes through it anywhere, counted once",
    );
    out
}

fn amount(n: i128, unit: &str) -> String {
    match unit {
        "nanoseconds" => format!("{:.2}s", n as f64 / 1e9),
        _ => n.to_string(),
    }
}

fn share(n: i128, total: i128) -> String {
    if total == 0 {
        return "0%".into();
    }
    format!("{:.1}%", n as f64 * 100.0 / total as f64)
}
