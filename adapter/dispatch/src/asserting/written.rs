//! What the source writes at an assertion, and whether its failure is the author's business.

use std::sync::Arc;

use image::{Image, TypeId};

use crate::api::{SourceText, Span};
use crate::asserts::{AssertForm, AssertSite};
use crate::engine::Engine;
use crate::source::SourceAssert;

/// What the source writes at an assertion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// `x.(T)`
    Assertion,
    /// A case of a type switch.
    Case,
    /// There is no source to ask.
    Unknown,
}

/// What the source says of a site.
pub(super) struct InSource {
    pub(super) written: Written,
    pub(super) span: Option<Span>,
    pub(super) expression: Option<String>,
    /// The type that is written there is the one that the code asks for.
    by_name: bool,
    comma_ok: bool,
    /// The line.
    pub(super) line: String,
}

impl Engine {
    /// What the source writes there; None: no assertion.
    pub(super) fn written(
        &self,
        image: &Image,
        source: &dyn SourceText,
        site: &AssertSite,
    ) -> Option<InSource> {
        let nothing = |written, line| InSource {
            written,
            span: None,
            expression: None,
            by_name: false,
            comma_ok: false,
            line,
        };
        let Some(text) = source.source(&site.file) else {
            return Some(nothing(Written::Unknown, String::new()));
        };
        let calls = self.sources.get(&site.file, Arc::clone(&text));
        let on: Vec<&SourceAssert> =
            calls.asserts.iter().filter(|a| (a.span.line..=a.span.end_line).contains(&site.line)).collect();
        let names: Vec<String> = site.wanted.iter().map(|t| name_of(image, *t)).collect();
        let plain: Vec<&&SourceAssert> = on.iter().filter(|a| !a.switch).collect();
        let named: Vec<&&SourceAssert> =
            plain.iter().copied().filter(|a| names.iter().any(|n| same_name(n, &a.wanted))).collect();
        let line = text.lines().nth(site.line.saturating_sub(1) as usize).unwrap_or("").to_string();
        let (found, kind) = match (named.as_slice(), plain.as_slice(), on.iter().find(|a| a.switch)) {
            ([one], ..) => (Some(**one), Written::Assertion),
            ([], [one], None) => (Some(**one), Written::Assertion),
            ([], _, Some(case)) => (Some(*case), Written::Case),
            ([], [], None) => return None,
            // Several on the line: which one is not certain.
            _ => (None, Written::Assertion),
        };
        if site.form == AssertForm::Switch && kind == Written::Assertion {
            return Some(nothing(Written::Case, line));
        }
        let candidates = if named.is_empty() { &plain } else { &named };
        Some(InSource {
            written: kind,
            span: found.map(|a| a.span),
            expression: found.map(|a| a.text.clone()).filter(|t| !t.is_empty()),
            by_name: !named.is_empty(),
            comma_ok: found.map_or_else(|| candidates.iter().any(|a| a.comma_ok), |a| a.comma_ok),
            line,
        })
    }
}

/// Whether a site is an assertion of the author's whose failure can be seen there.
pub(super) fn may_fail(site: &AssertSite, said: &InSource) -> bool {
    match site.form {
        AssertForm::Panic => said.written != Written::Case,
        AssertForm::Switch => false,
        AssertForm::Compare => said.written == Written::Assertion && said.comma_ok,
        AssertForm::Interface if site.panics() => said.written != Written::Case,
        // Conversions between interfaces are compiled the same way, and a nil interface converts to nil.
        AssertForm::Interface => said.written == Written::Assertion && said.comma_ok && said.by_name,
    }
}

/// Unqualified name of a type: what the source may write.
fn name_of(image: &Image, ty: TypeId) -> String {
    image.type_of(ty, image).map(|t| image::names::short(&t.name)).unwrap_or_default()
}

/// `*main.Square` and `*Square`, `shapes.Square` and `*sq.Square`: the last names agree, and so do the stars.
fn same_name(full: &str, written: &str) -> bool {
    let last = |s: &str| {
        let head = s.split('[').next().unwrap_or(s);
        head.rsplit(['.', '*']).next().unwrap_or(head).to_string()
    };
    let stars = |s: &str| s.bytes().take_while(|b| *b == b'*').count();
    let plain = |s: &str| s.split_whitespace().collect::<String>();
    let (full, written) = (plain(full), plain(written));
    let composite = |s: &str| s.contains(['{', '(']) || s.starts_with('[');
    if composite(&full) || composite(&written) {
        let squeezed = |s: &str| s.replace("interface{", "{").replace(';', "");
        return squeezed(&full) == squeezed(&written) || composite(&full) == composite(&written);
    }
    stars(&full) == stars(&written) && last(&full) == last(&written)
        || matches!((&*full, &*written), ("uint8", "byte") | ("int32", "rune") | ("interface{}", "any"))
}
