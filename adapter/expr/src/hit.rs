//! Hit conditions of breakpoints: `N`, or one of `== != > >= < <= %` and a number, over the count of hits.

use crate::{BinaryOp, Span, SyntaxError};

/// When a breakpoint stops, by its count of hits (1 for the first).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HitCondition {
    /// A comparison, or [`BinaryOp::Rem`]: every `count`-th hit.
    op: BinaryOp,
    count: u64,
}

impl HitCondition {
    /// `5` means `== 5`, as in Delve.
    pub fn parse(text: &str) -> Result<HitCondition, SyntaxError> {
        let trimmed = text.trim();
        let start = text.len() - text.trim_start().len();
        let span = Span::new(start, start + trimmed.len());
        const OPS: [&str; 7] = ["==", "!=", ">=", "<=", ">", "<", "%"];
        let op = OPS.iter().find(|op| trimmed.starts_with(**op)).copied().unwrap_or("");
        let digits = trimmed.strip_prefix(op).unwrap_or(trimmed).trim();
        let refuse = |why: String| Err(SyntaxError::new(span, why));
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return refuse(format!(
                "invalid hit condition {trimmed:?}: expected a number, or one of == != > >= < <= % and a number, such as \"> 5\" or \"% 10\""
            ));
        }
        let Ok(count) = digits.parse::<u64>() else {
            return refuse(format!("invalid hit condition {trimmed:?}: the number is too large"));
        };
        let op = if op.is_empty() { "==" } else { op };
        match BinaryOp::from_text(op) {
            Some(BinaryOp::Rem) if count == 0 => refuse("invalid hit condition: % 0 divides by zero".into()),
            Some(op) => Ok(HitCondition { op, count }),
            None => refuse(format!("invalid hit condition {trimmed:?}")),
        }
    }

    /// Whether the breakpoint stops at its `hits`-th hit.
    pub fn holds(&self, hits: u64) -> bool {
        match self.op {
            BinaryOp::Equal => hits == self.count,
            BinaryOp::NotEqual => hits != self.count,
            BinaryOp::Greater => hits > self.count,
            BinaryOp::GreaterEqual => hits >= self.count,
            BinaryOp::Less => hits < self.count,
            BinaryOp::LessEqual => hits <= self.count,
            _ => hits.checked_rem(self.count) == Some(0),
        }
    }

    /// Whether any later hit than `hits` can hold; when not, the breakpoint may be taken out.
    pub fn can_still_hold(&self, hits: u64) -> bool {
        match self.op {
            BinaryOp::Equal | BinaryOp::LessEqual => hits < self.count,
            BinaryOp::Less => hits.saturating_add(1) < self.count,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_holds_where_it_says() {
        let cases: [(&str, &[u64]); 9] = [
            ("3", &[3]),
            ("== 3", &[3]),
            ("!=3", &[1, 2, 4, 5, 6]),
            ("> 4", &[5, 6]),
            (">=4", &[4, 5, 6]),
            ("<3", &[1, 2]),
            ("<= 3", &[1, 2, 3]),
            ("%2", &[2, 4, 6]),
            ("  % 5 ", &[5]),
        ];
        for (text, expected) in cases {
            let c = HitCondition::parse(text).unwrap();
            let got: Vec<u64> = (1..=6).filter(|n| c.holds(*n)).collect();
            assert_eq!(got, expected, "{text}");
            for n in 0..6 {
                let later = (n + 1..=20).any(|m| c.holds(m));
                assert_eq!(c.can_still_hold(n), later, "{text} after {n}");
            }
        }
    }

    #[test]
    fn what_is_no_condition_is_refused_with_the_reason() {
        for text in [
            "",
            " ",
            "x",
            "> x",
            "=3",
            "=> 3",
            "3 4",
            "-1",
            "> -1",
            "%0",
            "1.5",
            "99999999999999999999999",
            "== 3 ",
        ] {
            let got = HitCondition::parse(text);
            assert_eq!(got.is_ok(), text == "== 3 ", "{text}: {got:?}");
        }
        assert_eq!(
            HitCondition::parse("% 0").unwrap_err().message,
            "invalid hit condition: % 0 divides by zero"
        );
    }
}
