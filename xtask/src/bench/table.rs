//! Medians with their spread, and ratios.

use super::session::{Figures, MEMORY, NEXT, START};

/// Values of one figure of one program, for ours and theirs.
struct Row {
    program: &'static str,
    figure: &'static str,
    values: [Vec<f64>; 2],
}

#[derive(Default)]
pub(super) struct Table {
    rows: Vec<Row>,
}

/// What the ratio should be at most.
fn goal(program: &str, figure: &str) -> Option<f64> {
    match (program, figure) {
        ("cmd/compile", START) => Some(0.3),
        ("cmd/compile", MEMORY) => Some(0.5),
        (_, NEXT) => Some(0.7),
        _ => None,
    }
}

impl Table {
    /// `which`: 0 ours, 1 theirs.
    pub(super) fn add(&mut self, which: usize, program: &'static str, figures: Figures) {
        for (figure, value) in figures {
            let known = self.rows.iter().position(|r| r.program == program && r.figure == figure);
            let index = known.unwrap_or_else(|| {
                self.rows.push(Row { program, figure, values: [Vec::new(), Vec::new()] });
                self.rows.len() - 1
            });
            if let Some(values) = self.rows.get_mut(index).and_then(|row| row.values.get_mut(which)) {
                values.push(value);
            }
        }
    }

    pub(super) fn print(mut self) {
        println!(
            "{:<12} {:<40} {:>26} {:>26} {:>7}",
            "program", "median [min .. max]", "itab-dap", "dlv", "ratio"
        );
        for row in &mut self.rows {
            let [ours, theirs] = &mut row.values;
            let ratio = median(ours) / median(theirs);
            let note = match goal(row.program, row.figure) {
                Some(goal) if ratio <= goal => format!("  goal {goal}: met"),
                Some(goal) => format!("  goal {goal}: missed"),
                None => String::new(),
            };
            let (ours, theirs) = (spread(ours), spread(theirs));
            println!("{:<12} {:<40} {ours:>26} {theirs:>26} {ratio:>7.2}{note}", row.program, row.figure);
        }
    }
}

/// Sorts, and takes the middle (the mean of the two middle ones); NaN of nothing.
pub(super) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.len() % 2, values.get(middle), middle.checked_sub(1).and_then(|i| values.get(i))) {
        (1, Some(value), _) => *value,
        (0, Some(upper), Some(lower)) => f64::midpoint(*upper, *lower),
        _ => f64::NAN,
    }
}

fn spread(values: &mut [f64]) -> String {
    let median = median(values);
    match (values.first(), values.last()) {
        (Some(least), Some(most)) => format!("{median:.1} [{least:.1} .. {most:.1}]"),
        _ => "-".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&mut []).is_nan());
        assert_eq!(spread(&mut [2.0, 1.0]), "1.5 [1.0 .. 2.0]");
    }
}
