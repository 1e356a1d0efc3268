//! `variables`, `setVariable`: scopes and values as trees. What can't be read is a value that says why, never an error.

use std::sync::Arc;

use eval::{Content, Filter, Item, ItemKind, Page, Variables};
use image::PieceHome;
use machine::Reg;
use wire::{CancelToken, Responder, requests as rq, types as t};

use crate::{
    error::Refused,
    requests::evaluate::Place,
    session::{Detail, FrameHandle, KnownCall, ScopeKind, Session, VariableHandle},
};

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
        let stale = || self.stale_variables(a.variables_reference);
        let handle = self.variables.get(a.variables_reference).cloned().ok_or_else(stale)?;
        let page = Page {
            filter: match a.filter {
                Some(t::VariablesArgumentsFilter::Indexed) => Filter::Indexed,
                Some(t::VariablesArgumentsFilter::Named) => Filter::Named,
                None => Filter::All,
            },
            start: a.start.and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
            count: a.count.and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
        };
        let (frame, items) = match handle {
            VariableHandle::Scope { frame, kind } => (Some(frame), self.scope_items(frame, &kind, &cancel)?),
            VariableHandle::Item { frame, item } => (frame, self.child_items(frame, &item, page, &cancel)?),
        };
        Ok(items.into_iter().map(|i| self.present_item(frame, i)).collect())
    }

    fn scope_items(
        &mut self,
        frame: i64,
        kind: &ScopeKind,
        cancel: &CancelToken,
    ) -> Result<Vec<Item>, Refused> {
        let handle = self.frame(Some(frame))?;
        if *kind == ScopeKind::Dispatch {
            let calls = self.line_calls(Some(frame), ::dispatch::Scope::Line)?;
            let dynamic = |c: &&KnownCall| c.site.kind != ::dispatch::CallKind::Static;
            return self.look(Some(&handle), None, Detail::Row, |look| {
                let mut rows = eval::type_arguments(&look.scope, &look.view);
                rows.extend(calls.iter().filter(dynamic).map(|c| eval::call_item(&look.view, &c.site)));
                rows
            });
        }
        let is_selected_top = handle.index == 0 && Some(handle.goid) == self.selected;
        let returned = self.returned.clone().filter(|_| is_selected_top);
        self.look(Some(&handle), Some(cancel), Detail::Row, |look| {
            let what = match kind {
                ScopeKind::Globals(package) => Variables::Globals(package),
                ScopeKind::Registers => Variables::Registers,
                ScopeKind::Locals | ScopeKind::Dispatch => Variables::All,
            };
            let mut items = eval::variables(&look.view, what);
            if *kind == ScopeKind::Locals
                && let Some(r) = &returned
            {
                let results = r.values.iter().map(|(name, v)| {
                    eval::item(&look.view, &format!("{} returned {name}", r.function), v, None)
                });
                items.extend(results);
            }
            items
        })
    }

    fn child_items(
        &mut self,
        frame: Option<i64>,
        item: &Arc<Item>,
        page: Page,
        cancel: &CancelToken,
    ) -> Result<Vec<Item>, Refused> {
        let handle = frame.map(|id| self.frame(Some(id))).transpose()?;
        self.look(handle.as_ref(), Some(cancel), Detail::Row, |look| {
            let children = eval::children(&look.view, item, page);
            let mut items = children.items;
            if let Some(why) = children.incomplete {
                items.push(note_item(&item.value, "...", &why));
            }
            items
        })
    }

    /// DAP's variable for an item; a handle only if it has children.
    pub(crate) fn present_item(&mut self, frame: Option<i64>, item: Item) -> t::Variable {
        let paging = self.client.variable_paging;
        let location =
            item.value_location.as_ref().map(|at| self.locations.add((at.file.to_string(), at.line)));
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
        let body = self.set_variable(&a);
        let changed = body.is_ok();
        r.answer(body.map_err(Into::into));
        if changed {
            self.invalidate_variables();
        }
    }

    fn set_variable(&mut self, a: &t::SetVariableArguments) -> Result<t::SetVariableResponse, Refused> {
        let stale = || self.stale_variables(a.variables_reference);
        let handle = self.variables.get(a.variables_reference).cloned().ok_or_else(stale)?;
        let everything = Page::default();
        let (frame, items) = match handle {
            VariableHandle::Scope { frame, kind } => {
                (Some(frame), self.scope_items(frame, &kind, &CancelToken::new())?)
            }
            VariableHandle::Item { frame, item } => {
                (frame, self.child_items(frame, &item, everything, &CancelToken::new())?)
            }
        };
        let item = items
            .into_iter()
            .find(|i| i.name == a.name)
            .ok_or_else(|| Refused::SetVariable(format!("there is no variable {:?} here", a.name)))?;
        let handle = frame.map(|id| self.frame(Some(id))).transpose()?;
        let fresh = self.assign(handle.as_ref(), &item, &a.value)?;
        let shown = self.present_item(frame, fresh);
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

    pub(crate) fn on_set_expression(
        &mut self,
        a: t::SetExpressionArguments,
        r: Responder<rq::SetExpression>,
    ) {
        let body = self.set_expression(&a);
        let changed = body.is_ok();
        r.answer(body.map_err(Into::into));
        if changed {
            self.invalidate_variables();
        }
    }

    fn set_expression(&mut self, a: &t::SetExpressionArguments) -> Result<t::SetExpressionResponse, Refused> {
        let handle = self.frame(a.frame_id)?;
        let item = self.evaluate_item(&handle, &a.expression, Place::Other, None)?;
        let fresh = self.assign(Some(&handle), &item, &a.value)?;
        let frame = a.frame_id.filter(|id| *id != 0);
        let frame = frame.unwrap_or_else(|| self.frame_id(handle.goid, handle.index, &handle.frame));
        let shown = self.present_item(Some(frame), fresh);
        Ok(t::SetExpressionResponse {
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
        if item.read_only {
            return Err(Refused::SetVariable(format!("{} can't be assigned to", item.name)));
        }
        let write = self
            .look(frame, None, Detail::Row, |look| eval::assign(&look.scope, &item.value, text))?
            .map_err(|e| Refused::SetVariable(e.to_string()))?;
        self.write(frame, &write).map_err(Refused::SetVariable)?;
        self.reread(frame, item)
    }

    /// The item as it is now. A value that lies in registers is found again by its expression.
    pub(crate) fn reread(&mut self, frame: Option<&FrameHandle>, item: &Item) -> Result<Item, Refused> {
        let frame = frame.map(|h| self.refreshed(h)).transpose()?;
        self.look(frame.as_ref(), None, Detail::Row, |look| {
            let again = item
                .evaluate_name
                .as_deref()
                .and_then(|e| eval::evaluate_item(e, &look.scope, &look.view).ok());
            let mut fresh = again.unwrap_or_else(|| {
                eval::item(&look.view, &item.name, &item.value, item.evaluate_name.as_deref())
            });
            fresh.name.clone_from(&item.name);
            fresh
        })
    }

    /// The frame with the registers as they are after a write.
    fn refreshed(&mut self, h: &FrameHandle) -> Result<FrameHandle, Refused> {
        let stack = self.stack_of(h.goid, h.index, 1)?;
        let frame = stack.frames.into_iter().next().unwrap_or_else(|| h.frame.clone());
        Ok(FrameHandle { frame, ..h.clone() })
    }

    pub(crate) fn write(&mut self, frame: Option<&FrameHandle>, write: &eval::Write) -> Result<(), String> {
        for part in &write.parts {
            match &part.home {
                PieceHome::Memory(addr) => {
                    let inf = self.inferior.as_mut().ok_or("the program has ended")?;
                    inf.write_memory(*addr, &part.bytes).map_err(|e| e.to_string())?;
                }
                PieceHome::Register(reg) => self.write_register(frame, *reg, &part.bytes)?,
                _ => return Err("a value in a vector register can't be written".into()),
            }
        }
        Ok(())
    }

    fn write_register(&mut self, frame: Option<&FrameHandle>, reg: Reg, bytes: &[u8]) -> Result<(), String> {
        let handle = frame.filter(|h| h.is_top()).ok_or("a register can only be written in the top frame")?;
        let tid = self.thread_of(handle.goid).ok_or("this goroutine is not on a thread")?;
        let inf = self.inferior.as_mut().ok_or("the program has ended")?;
        let mut regs = inf.read_thread(tid).map_err(|e| e.to_string())?.regs.clone();
        let mut word = regs.get(reg).unwrap_or(0).to_le_bytes();
        for (w, b) in word.iter_mut().zip(bytes) {
            *w = *b;
        }
        regs.set(reg, u64::from_le_bytes(word));
        inf.write_regs(tid, &regs).map_err(|e| e.to_string())
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

/// A row without a value of its own.
fn note_item(like: &golang::Value, name: &str, text: &str) -> Item {
    Item {
        name: name.to_string(),
        value: golang::Value::unavailable(like.ty, text),
        text: text.to_string(),
        type_name: String::new(),
        evaluate_name: None,
        named: 0,
        indexed: 0,
        expandable: false,
        memory_reference: None,
        value_location: None,
        kind: ItemKind::Virtual,
        read_only: true,
        content: Content::None,
    }
}

fn presentation_hint(item: &Item) -> Option<t::VariablePresentationHint> {
    let (kind, read_only) = match item.kind {
        ItemKind::Data => return None,
        ItemKind::Virtual => (t::VariablePresentationHintKind::Virtual, true),
        ItemKind::Method => (t::VariablePresentationHintKind::Method, true),
    };
    Some(t::VariablePresentationHint {
        kind: Some(kind),
        attributes: read_only.then(|| vec![t::VariablePresentationHintAttributes::ReadOnly]),
        ..Default::default()
    })
}
