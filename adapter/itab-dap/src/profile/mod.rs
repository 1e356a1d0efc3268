//! CPU profiles seen through dispatch: which concrete methods and funcs the time of interface and closure calls went to.
//!
//! Takes a profile that the program's own runtime/pprof wrote, and the binary as it is: nothing is rebuilt, nothing is run.

mod attribute;
pub(crate) mod build;
mod console;
mod label;
mod program;
mod proto;
mod report;

use std::path::{Path, PathBuf};

pub(crate) use report::Sort;

use self::{program::Program, proto::Profile};
use crate::source::Sources;

/// Rows of the table unless more are asked for.
pub(crate) const ROWS: usize = 40;

/// What is asked of a profile.
pub(crate) struct Request {
    pub(crate) profile: PathBuf,
    /// None: the program that the profile names.
    pub(crate) binary: Option<PathBuf>,
    pub(crate) output: Option<PathBuf>,
    pub(crate) sort: Sort,
    pub(crate) rows: usize,
}

/// Attributes a profile; the table as text, and the labelled profile where it is asked for.
pub(crate) fn run(r: &Request, sources: &Sources) -> Result<String, String> {
    let profile = Profile::open(&r.profile)?;
    let value = value_of(&profile);
    let program = Program::of(&profile, r.binary.as_deref())?;
    let found = attribute::attribute(&profile, &program.image, value, sources);
    let ty = profile.sample_type.get(value).copied().unwrap_or_default();
    let (name, unit) = (profile.text(ty.ty), profile.text(ty.unit));
    let form = report::Form { sort: r.sort, rows: r.rows, unit: &unit };
    let mut text = format!(
        "{}: {name} in {unit}, {} samples; {}: {}\n{}",
        r.profile.display(),
        profile.sample.len(),
        program.image.path().display(),
        program.agreement,
        report::table(&found, &form)
    );
    if let Some(path) = &r.output {
        write(path, &label::labelled(&profile, &found).pack()?)?;
        text.push_str(&format!("\nwritten to {}; go tool pprof opens it", path.display()));
    }
    Ok(text)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    std::fs::write(path, bytes).map_err(|e| format!("{}: {e}", path.display()))
}

/// The value that pprof shows too: the one the file names, else the last.
fn value_of(profile: &Profile) -> usize {
    let wanted = profile.text(profile.default_sample_type);
    let named = profile.sample_type.iter().position(|t| !wanted.is_empty() && profile.text(t.ty) == wanted);
    named.unwrap_or(profile.sample_type.len().saturating_sub(1))
}
