//! The stop filter for failed type assertions: where they are watched, and what is said of one that fails.

use std::{collections::HashSet, sync::Arc};

use dispatch::{AssertForm, AssertProbe, AssertSite, Found, SourceText};
use golang::{Conversion, Process};
use image::FuncId;
use target::Tid;

use super::filters::{Filter, Wanted};
use crate::session::{Exception, Reported, Session};

/// Watched assertions, at most: each is a breakpoint.
const MAX_ASSERTIONS: usize = 20_000;

impl Session {
    /// Finds the assertions to watch: none unless the filter is on. The program may run meanwhile.
    pub(super) fn find_assertions(&mut self) {
        self.exceptions.assertions.clear();
        self.exceptions.asserted = None;
        let on = self.exceptions.wanted.iter().filter(|w| w.filter == Filter::FailedAssertion);
        let on: Vec<Wanted> = on.cloned().collect();
        let Some(inf) = self.inferior.as_ref().filter(|_| !on.is_empty()) else { return };
        let image = Arc::clone(&inf.image);
        let takes = |package: &str| on.iter().any(|w| w.takes_package(&image, package));
        let owned = |owner: &str| takes(&image::names::package_of(&image::names::unescape(owner)));
        let wanted = |site: &AssertSite, owner: &str| !site.file.starts_with('<') && owned(owner);
        let near: Vec<FuncId> =
            image.functions().iter().filter(|f| takes(&f.package())).map(|f| f.id()).collect();
        let mut found = inf.engine.failing_assertions(&image, &near, &*self.sources, &wanted);
        if found.len() > MAX_ASSERTIONS {
            let many = found.len();
            found.truncate(MAX_ASSERTIONS);
            self.console(&format!(
                "failed-assertion watches {MAX_ASSERTIONS} of {many} type assertions; a condition package=... narrows it."
            ));
        }
        self.exceptions.assertions = found;
        let files = near.iter().filter_map(|id| image.functions().get(*id)).map(|f| f.file());
        let files: HashSet<Arc<str>> = files.filter(|f| !f.starts_with('<')).collect();
        let missing = files.iter().filter(|f| self.sources.source(f).is_none()).count();
        if missing > 0 {
            self.console(&format!(
                "failed-assertion: {missing} of {} source files can't be read; in their code only assertions that panic are watched, \
                 v, ok := x.(T) can't be told from the cases of a type switch (substitutePath names the sources).",
                files.len()
            ));
        }
    }

    /// A watched assertion is about to be made.
    pub(super) fn assertion_report(&mut self, tid: Tid, goid: Option<u64>, index: u32) -> Option<Reported> {
        let inf = self.inferior.as_ref()?;
        let probe = self.exceptions.assertions.get(index as usize)?;
        let process = inf.process();
        let thread = process.threads.iter().find(|t| t.tid == tid.0)?;
        let found = inf.engine.read_probe(&inf.image, process.mem, &thread.regs, probe);
        if found.ok != Some(false) {
            return None;
        }
        let (panics, text) = (probe.panics, failure(&process, &inf.engine, probe, &found));
        if panics {
            self.exceptions.asserted = goid;
        }
        let raised = self.raised(tid, goid, None)?;
        if !self.condition_of(Filter::FailedAssertion, Some(&raised)) {
            return None;
        }
        let exception = Exception { id: "failed assertion", text, unhandled: false, type_names: None };
        Some(Reported::exception(Some(raised.goid), exception))
    }
}

fn failure(process: &Process<'_>, engine: &dispatch::Engine, probe: &AssertProbe, found: &Found) -> String {
    let of = |descriptor: u64| process.image.type_from_runtime(descriptor);
    let interface = found.interface.or_else(|| found.empty_interface.then(|| process.empty_interface()));
    // The runtime does not know the static type of a nil value that is asked for an interface.
    let told = found.dynamic.is_some() || probe.site.form != AssertForm::Interface;
    let conversion = Conversion {
        interface: interface.filter(|_| told),
        concrete: found.dynamic.map(of),
        wanted: found.wanted,
        missing: found.missing.as_ref().map(|m| m.0.clone()),
    };
    let written = probe.expression.as_ref().map(|e| format!("{e}: ")).unwrap_or_default();
    let outcome = if probe.panics { "" } else { "; ok is false" };
    format!("{written}{}{outcome}", conversion_text(process, engine, &conversion))
}

/// The runtime's message, and why the method is missing.
pub(super) fn conversion_text(
    process: &Process<'_>,
    engine: &dispatch::Engine,
    conversion: &Conversion,
) -> String {
    let message = conversion.message(process);
    let why = || {
        let concrete = conversion.concrete?;
        let (typ, inter) = (process.runtime_type(concrete)?, process.runtime_type(conversion.wanted?)?);
        let (method, miss) = engine.missing_method(process.image, process.mem, typ, inter)?;
        if conversion.missing.as_ref() != Some(&method) {
            return None;
        }
        miss.explain(&process.display_name(concrete), &method)
    };
    match why() {
        Some(why) => format!("{message} ({why})"),
        None => message,
    }
}
