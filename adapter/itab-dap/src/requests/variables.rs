//! `variables`, `setVariable`: scopes and values as trees. What can't be read is a value that says why, never an error.

use std::sync::Arc;

use eval::{Filter, Item, ItemKind, Scope};
use wire::{CancelToken, Responder, requests as rq, types as t};

use crate::{
    error::Refused,
    session::{FrameHandle, ScopeKind, Session, VariableHandle},
};

/// What part of a tree node is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    pub(crate) filter: Filter,
    pub(crate) start: usize,
    /// `None`: as many as the limits allow.
    pub(crate) count: Option<usize>,
}

impl Session {
    pub(crate) fn on_variables(&mut self, a: t::VariablesArguments, r: Responder<rq::Variables>) {
        let cancel = r.token().clone();
        let body = self.variables_of(&a, cancel).map(|variables| t::VariablesResponse { variables });
        r.answer(body.map_err(Into::into));
    }

    fn variables_of(
        &mut self,
        a: &t::VariablesArguments,
        cancel: CancelToken,
    ) -> Result<Vec<t::Variable>, Refused> {
        let stale = Refused::Stale("variables reference", a.variables_reference);
        let handle = self.variables.get(a.variables_reference).cloned().ok_or(stale)?;
        let page = Page {
            filter: match a.filter {
                Some(t::VariablesArgumentsFilter::Indexed) => Filter::Indexed,
                Some(t::VariablesArgumentsFilter::Named) => Filter::Named,
                None => Filter::All,
            },
            start: a.start.and_then(|n| usize::try_from(n).ok()).unwrap_or(0),
            count: a.count.and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0),
        };
        let (frame, items) = match handle {
            VariableHandle::Scope { frame, kind } => (Some(frame), self.scope_items(frame, &kind, cancel)?),
            VariableHandle::Item { frame, item } => (frame, self.child_items(frame, &item, page, cancel)?),
        };
        Ok(items.into_iter().map(|i| self.present_item(frame, i)).collect())
    }

    /// Runs `f` with the evaluator's scope for a frame, under this request's budget.
    pub(crate) fn with_scope<T>(
        &mut self,
        frame: Option<&FrameHandle>,
        cancel: Option<CancelToken>,
        f: impl FnOnce(&Scope<'_>) -> T,
    ) -> Result<T, Refused> {
        self.read_all()?;
        let Some(inf) = self.inferior.as_ref() else { return Err(Refused::Ended) };
        let memory = self.limited(&**inf.memory(), cancel);
        let process = inf.process_over(&memory);
        let scope = Scope::new(&process, frame.map(|h| &h.frame), self.settings.limits());
        Ok(f(&scope))
    }

    fn scope_items(
        &mut self,
        frame: i64,
        kind: &ScopeKind,
        cancel: CancelToken,
    ) -> Result<Vec<Item>, Refused> {
        let handle = self.frame(Some(frame))?;
        if *kind == ScopeKind::Dispatch {
            let calls = self.line_calls(Some(frame), ::dispatch::Scope::Line)?;
            return Ok(calls.iter().map(|c| eval::call_item(&c.site)).collect());
        }
        let returned = (handle.index == 0 && Some(handle.goid) == self.selected)
            .then(|| self.returned.clone())
            .flatten();
        self.with_scope(Some(&handle), Some(cancel), |scope| match kind {
            ScopeKind::Locals => {
                let mut items = eval::locals(scope);
                if let Some(r) = &returned {
                    items.extend(r.values.iter().map(|(name, value)| {
                        eval::item(scope, &format!("{} returned {name}", r.function), value.clone(), None)
                    }));
                }
                items
            }
            ScopeKind::Globals(package) => eval::globals(scope, package),
            ScopeKind::Registers => eval::registers(scope),
            ScopeKind::Dispatch => Vec::new(),
        })
    }

    fn child_items(
        &mut self,
        frame: Option<i64>,
        item: &Arc<Item>,
        page: Page,
        cancel: CancelToken,
    ) -> Result<Vec<Item>, Refused> {
        let handle = frame.map(|id| self.frame(Some(id))).transpose()?;
        self.with_scope(handle.as_ref(), Some(cancel), |scope| {
            eval::children(scope, item, page.filter, page.start, page.count)
        })
    }

    /// DAP's variable for an item; a handle only if it has children.
    pub(crate) fn present_item(&mut self, frame: Option<i64>, item: Item) -> t::Variable {
        let paging = self.client.variable_paging;
        let location = item.location.clone().map(|at| self.locations.add(at));
        let mut v = t::Variable {
            name: item.name.clone(),
            value: item.text.clone(),
            type_field: self.client.variable_type.then(|| item.type_name.clone()).filter(|s| !s.is_empty()),
            evaluate_name: item.evaluate_name.clone(),
            memory_reference: item.memory_reference.map(|a| format!("{a:#x}")),
            value_location_reference: location,
            presentation_hint: presentation_hint(&item),
            ..Default::default()
        };
        if item.expandable {
            if paging || item.indexed == 0 {
                v.named_variables = (item.named > 0).then_some(item.named as i64);
                v.indexed_variables = (item.indexed > 0).then_some(item.indexed as i64);
            }
            v.variables_reference = self.variables.add(VariableHandle::Item { frame, item: Arc::new(item) });
        }
        v
    }

    pub(crate) fn on_set_variable(&mut self, a: t::SetVariableArguments, r: Responder<rq::SetVariable>) {
        r.answer(self.set_variable(&a).map_err(Into::into));
    }

    fn set_variable(&mut self, a: &t::SetVariableArguments) -> Result<t::SetVariableResponse, Refused> {
        let stale = Refused::Stale("variables reference", a.variables_reference);
        let handle = self.variables.get(a.variables_reference).cloned().ok_or(stale)?;
        let everything = Page { filter: Filter::All, start: 0, count: Some(usize::MAX) };
        let (frame, items) = match handle {
            VariableHandle::Scope { frame, kind } => {
                (Some(frame), self.scope_items(frame, &kind, CancelToken::new())?)
            }
            VariableHandle::Item { frame, item } => {
                (frame, self.child_items(frame, &item, everything, CancelToken::new())?)
            }
        };
        let item = items
            .into_iter()
            .find(|i| i.name == a.name)
            .ok_or_else(|| Refused::SetVariable(format!("there is no variable {:?} here", a.name)))?;
        let handle = frame.map(|id| self.frame(Some(id))).transpose()?;
        let fresh = self.assign(handle.as_ref(), &item, &a.value)?;
        let shown = self.present_item(frame, fresh);
        self.invalidate_variables();
        Ok(t::SetVariableResponse {
            value: shown.value,
            type_field: shown.type_field,
            variables_reference: Some(shown.variables_reference),
            named_variables: shown.named_variables,
            indexed_variables: shown.indexed_variables,
            memory_reference: shown.memory_reference,
            ..Default::default()
        })
    }

    /// Computes the writes, makes them, and reads the value back.
    pub(crate) fn assign(
        &mut self,
        frame: Option<&FrameHandle>,
        item: &Item,
        text: &str,
    ) -> Result<Item, Refused> {
        let why = |e: String| Refused::SetVariable(e);
        let writes = self
            .with_scope(frame, None, |scope| {
                eval::expression::assign(scope, &item.value, text).map_err(|e| e.to_string())
            })?
            .map_err(why)?;
        self.write(frame, &writes).map_err(why)?;
        self.with_scope(frame, None, |scope| eval::reread(scope, item))
    }

    fn write(
        &mut self,
        frame: Option<&FrameHandle>,
        writes: &[eval::expression::Write],
    ) -> Result<(), String> {
        for w in writes {
            match w {
                eval::expression::Write::Memory { addr, bytes } => {
                    let inf = self.inferior.as_mut().ok_or("the program has ended")?;
                    inf.write_memory(*addr, bytes).map_err(|e| e.to_string())?;
                }
                eval::expression::Write::Register { reg, value } => {
                    let handle = frame
                        .filter(|h| h.index == 0)
                        .ok_or("a register can only be written in the top frame")?;
                    let tid = self.thread_of(handle.goid).ok_or("this goroutine is not on a thread")?;
                    let inf = self.inferior.as_mut().ok_or("the program has ended")?;
                    let mut regs = inf.read_thread(tid).map_err(|e| e.to_string())?.regs.clone();
                    regs.set(*reg, *value);
                    inf.write_regs(tid, &regs).map_err(|e| e.to_string())?;
                }
            }
        }
        Ok(())
    }

    pub(crate) fn invalidate_variables(&self) {
        if self.client.invalidated {
            self.event(t::InvalidatedEvent {
                areas: Some(vec![t::InvalidatedAreas::Variables]),
                ..Default::default()
            });
        }
    }
}

fn presentation_hint(item: &Item) -> Option<t::VariablePresentationHint> {
    let (kind, read_only) = match item.kind {
        ItemKind::Data => return None,
        ItemKind::Virtual => (t::VariablePresentationHintKind::Virtual, true),
        ItemKind::Method => (t::VariablePresentationHintKind::Method, true),
        ItemKind::Property => (t::VariablePresentationHintKind::Property, true),
    };
    Some(t::VariablePresentationHint {
        kind: Some(kind),
        attributes: read_only.then(|| vec![t::VariablePresentationHintAttributes::ReadOnly]),
        ..Default::default()
    })
}
