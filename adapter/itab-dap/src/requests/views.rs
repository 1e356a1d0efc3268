//! `itab/table`, `itab/implementers`, `itab/methods`, and their console twins: the same rows behind both doors.

use std::collections::HashSet;

use ::dispatch::{Engine, Implementer, ItabRow, MethodRow};
use golang::Process;
use image::TypeId;
use wire::{Responder, itab};

use crate::{
    error::Refused,
    requests::evaluate::Place,
    session::{Detail, FrameHandle, Session},
    settings::glob_matches,
};

/// Why a list may be longer than it is.
type Incomplete = Option<String>;

/// What of the itab table is wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct TableFilter {
    pub(crate) interface: Option<String>,
    pub(crate) concrete: Option<String>,
    pub(crate) since: Option<itab::Since>,
    pub(crate) negative: bool,
}

impl Session {
    /// Rows of the itab table, each with "came since the last stop", and why there may be more.
    pub(crate) fn itab_rows(
        &self,
        filter: &TableFilter,
    ) -> Result<(Vec<(ItabRow, bool)>, Incomplete), Refused> {
        let Some(inf) = self.inferior.as_ref() else { return Err(Refused::Ended) };
        let table = inf.engine.itab_table(&inf.image, &**inf.memory());
        let fits = |glob: &Option<String>, name: &str| glob.as_ref().is_none_or(|g| glob_matches(g, name));
        let rows = table
            .rows
            .into_iter()
            .map(|r| {
                let new = self.known_itabs.as_ref().is_some_and(|k| !k.contains(&r.itab.addr));
                (r, new)
            })
            .filter(|(r, new)| {
                fits(&filter.interface, &r.interface_type)
                    && fits(&filter.concrete, &r.concrete_type)
                    && match &filter.since {
                        None => true,
                        // What the linker made was there before the program.
                        Some(itab::Since::Start) => !r.is_static,
                        Some(_) => *new,
                    }
                    && (filter.negative || !r.itab.negative)
            })
            .collect();
        let unknown = filter.since == Some(itab::Since::LastStop) && self.known_itabs.is_none();
        let unknown = unknown.then(|| {
            "nobody asked for the table before this stop: from now on it is compared with the stop before"
                .to_string()
        });
        Ok((rows, table.incomplete.or(unknown)))
    }

    /// The program runs on: what is in the table now is old at the next stop. Only kept once somebody has asked for the table.
    pub(crate) fn remember_itabs(&mut self) {
        if !self.itabs_asked {
            return;
        }
        if let Some(inf) = self.inferior.as_ref() {
            let rows = inf.engine.itab_table(&inf.image, &**inf.memory()).rows;
            self.known_itabs = Some(rows.iter().map(|r| r.itab.addr).collect::<HashSet<u64>>());
        }
    }

    pub(crate) fn on_itab_table(&mut self, a: itab::TableArguments, r: Responder<itab::Table>) {
        self.itabs_asked = true;
        if let Some(itab::Since::Other(other)) = &a.since {
            let why = format!("since {other:?} is neither \"start\" nor \"lastStop\"");
            return r.answer(Err(Refused::Dispatch(why).into()));
        }
        let filter = TableFilter {
            interface: a.interface,
            concrete: a.concrete,
            since: a.since,
            negative: a.negative == Some(true),
        };
        let body = self.itab_rows(&filter).map(|(rows, incomplete)| {
            let total = rows.len();
            let itabs = page(rows, a.start, a.count).map(|(row, new)| self.present_itab(&row, new)).collect();
            itab::TableResponse { itabs, total, incomplete }
        });
        r.answer(body.map_err(Into::into));
    }

    fn present_itab(&self, row: &ItabRow, new: bool) -> itab::Itab {
        let methods = match (self.inferior.as_ref(), row.itab.negative) {
            (Some(inf), false) => inf
                .engine
                .method_table(&inf.image, &**inf.memory(), &row.itab, None)
                .iter()
                .filter_map(|s| s.chain.links.last())
                .map(|l| self.present_link(l))
                .collect(),
            _ => Vec::new(),
        };
        itab::Itab {
            address: format!("{:#x}", row.itab.addr),
            interface_type: row.interface_type.clone(),
            concrete_type: row.concrete_type.clone(),
            origin: if row.is_static { itab::Origin::Static } else { itab::Origin::Runtime },
            new,
            negative: row.itab.negative,
            methods,
        }
    }

    /// Types that implement an interface by its name.
    pub(crate) fn implementers(&self, interface: &str, near: bool) -> Result<Vec<Implementer>, Refused> {
        let Some(inf) = self.inferior.as_ref() else { return Err(Refused::Ended) };
        let process = inf.process();
        let id = find_type(&inf.engine, &process, interface).map_err(Refused::Dispatch)?;
        inf.engine.implementers(&inf.image, &**inf.memory(), id, near).map_err(Refused::Dispatch)
    }

    pub(crate) fn on_itab_implementers(
        &mut self,
        a: itab::ImplementersArguments,
        r: Responder<itab::Implementers>,
    ) {
        let body = self.implementers(&a.interface, a.near == Some(true)).map(|rows| {
            let total = rows.len();
            let types = page(rows, a.start, a.count).map(present_implementer).collect();
            itab::ImplementersResponse { types, total, incomplete: None }
        });
        r.answer(body.map_err(Into::into));
    }

    /// The method set of a type by name, or of an expression's (dynamic) type.
    pub(crate) fn methods(
        &mut self,
        ty: Option<&str>,
        expression: Option<&str>,
        frame: Option<i64>,
    ) -> Result<Vec<MethodRow>, Refused> {
        let (id, held_by) = match (ty, expression) {
            (Some(name), _) => {
                let Some(inf) = self.inferior.as_ref() else { return Err(Refused::Ended) };
                (find_type(&inf.engine, &inf.process(), name).map_err(Refused::Dispatch)?, None)
            }
            (None, Some(text)) => {
                let handle = self.frame(frame)?;
                self.type_of_expression(&handle, text)?
            }
            (None, None) => return Err(Refused::Dispatch("give a type or an expression".into())),
        };
        let Some(inf) = self.inferior.as_ref() else { return Err(Refused::Ended) };
        let of = |id| inf.engine.methods(&inf.image, &**inf.memory(), id).map_err(Refused::Dispatch);
        let mut rows = of(id)?;
        // A value in an interface: its itab has slots for the interface's methods.
        for slot in held_by.map(of).transpose()?.unwrap_or_default() {
            if let Some(row) = rows.iter_mut().find(|r| r.name == slot.name) {
                row.slot = slot.slot;
            }
        }
        Ok(rows)
    }

    /// The type of an expression; for an interface the concrete one that it holds, and the interface.
    fn type_of_expression(
        &mut self,
        handle: &FrameHandle,
        text: &str,
    ) -> Result<(TypeId, Option<TypeId>), Refused> {
        let item = self.evaluate_item(handle, text, Place::Other, None)?;
        self.look(Some(handle), None, Detail::Row, |look| {
            match golang::interface(look.view.process, &item.value) {
                golang::Interface::Dynamic(d) => (d.value.ty, Some(item.value.ty)),
                _ => (item.value.ty, None),
            }
        })
    }

    pub(crate) fn on_itab_methods(&mut self, a: itab::MethodsArguments, r: Responder<itab::Methods>) {
        let body = self.methods(a.type_field.as_deref(), a.expression.as_deref(), a.frame_id).map(|rows| {
            let total = rows.len();
            let methods = page(rows, a.start, a.count).map(|m| self.present_method(m)).collect();
            itab::MethodsResponse { methods, total, incomplete: None }
        });
        r.answer(body.map_err(Into::into));
    }

    fn present_method(&self, m: MethodRow) -> itab::Method {
        itab::Method {
            exported: m.exported,
            slot: m.slot.map(i64::from),
            receiver: if m.pointer_receiver { itab::Receiver::Pointer } else { itab::Receiver::Value },
            wrapper: m.wrapper,
            promoted_from: m.promoted_from,
            link: m.link.as_ref().map(|l| self.present_link(l)),
            removed: m.removed.then_some(true),
            name: m.name,
        }
    }
}

fn present_implementer(i: Implementer) -> itab::Implementer {
    itab::Implementer {
        receiver: if i.pointer { itab::Receiver::Pointer } else { itab::Receiver::Value },
        has_itab: i.has_itab,
        package: i.package,
        certainty: if i.maybe { itab::Implements::Maybe } else { itab::Implements::Certain },
        missing: i.missing.map(|(method, why)| itab::Missing { method, why: why.as_str().into() }),
        concrete_type: i.concrete_type,
    }
}

/// A window of a list.
fn page<T>(rows: Vec<T>, start: Option<usize>, count: Option<usize>) -> impl Iterator<Item = T> {
    rows.into_iter().skip(start.unwrap_or(0)).take(count.filter(|n| *n > 0).unwrap_or(usize::MAX))
}

/// A type by full or short name; the error names the candidates.
pub(crate) fn find_type(engine: &Engine, process: &Process<'_>, name: &str) -> Result<TypeId, String> {
    if let Some(id) = process.image.find_type(name).or_else(|| process.linked_type(name)) {
        return Ok(id);
    }
    let mut found = process.image.find_types_short(name);
    if found.is_empty() {
        found = engine.types_named(process.image, process.mem, name);
    }
    match found.as_slice() {
        [] => Err(format!(
            "there is no type {name} in the program (write it with its package: io.Writer, *main.T)"
        )),
        [one] => Ok(*one),
        several => {
            let names: Vec<String> = several.iter().map(|t| process.qualified_name(*t)).collect();
            Err(format!("{name} is ambiguous: {}", names.join(", ")))
        }
    }
}
