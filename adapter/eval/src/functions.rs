//! Functions as answers: a method selector (`w.Write`) or a func value says which body a call of it runs, and the way there.

use std::sync::Arc;

use dispatch::{CallSite, Chain, Link, Role};
use golang::Value;
use image::{Kind, Shape};

use crate::viewer::{Viewer, look};
use crate::{Callable, Content, Item, ItemKind, SourceLocation, View};

/// A call of a line as a row: who will run, with the chain as children.
pub fn call_item(view: &View<'_>, site: &CallSite) -> Item {
    look(view, |viewer| viewer.call(site))
}

impl Viewer<'_> {
    /// An expression's value; of a func: the function, and the body behind a method value or wrapper, with the chain after its
    /// captured variables.
    pub(crate) fn value(&self, name: &str, value: &Value, evaluate_name: Option<&str>) -> Item {
        let item = self.item(name, value, evaluate_name);
        if self.ty(value.ty).is_ok_and(|t| t.kind == Kind::Func) { self.followed(item) } else { item }
    }

    /// A call as docs/PROTOCOL.md labels it: `main.Shape.Area -> main.(*Square).Area`.
    fn call(&self, site: &CallSite) -> Item {
        let what = match (&site.interface_name, &site.method) {
            (Some(i), Some(m)) => format!("{i}.{m}"),
            _ => site.kind.as_str().to_string(),
        };
        let name = site.expression.as_deref().unwrap_or(&what);
        let label = dispatch::label(site);
        let text =
            label.split_once(" -> ").map_or(label.clone(), |(_, target)| format!("{what} -> {target}"));
        let reason = site.reason.as_ref().map(|r| format!(" ({r})")).unwrap_or_default();
        let mut row = self.fact(name, format!("{text}{reason}"), "", None);
        if let Some(body) = &site.target {
            row.memory_reference = Some(body.address);
            row.value_location = self.link_source(body);
        }
        with_rows(row, site.chain.iter().map(|l| self.link_row(l)).collect())
    }

    /// The answer to a function's or method's name: `io.Writer.Write -> os.(*File).Write`; the itab, the chain and the receiver are
    /// its children.
    pub(crate) fn callable(&self, name: &str, callable: &Callable) -> Item {
        let image = self.process.image;
        let chain = match (self.view.dispatch, callable.itab, callable.interface, callable.entry) {
            (Some(engine), Some(itab), Some((_, slot)), _) => {
                let data = callable.receiver.as_ref().and_then(|r| golang::word(self.process, r, 8).ok());
                let table = image.itab(itab, self.process.mem).ok();
                let table = table.map(|t| engine.method_table(image, self.process.mem, &t, data));
                table.and_then(|t| t.into_iter().nth(slot)).map(|slot| slot.chain)
            }
            (Some(engine), _, _, Some(entry)) => Some(engine.resolve(image, self.process.mem, entry, None)),
            _ => None,
        };
        let own = callable.entry.and_then(|e| self.function_at(e));
        let own = own.map(|f| self.process.function_display_name(&f, None));
        let own = own.unwrap_or_else(|| image::names::short(&callable.name));
        let promised = callable.interface.and_then(|(ty, slot)| match &self.ty(ty).ok()?.shape {
            Shape::Interface { methods: Some(m), .. } => {
                Some(format!("{}.{}", self.short(ty), m.get(slot)?.name))
            }
            _ => None,
        });
        let mut item = self.fact(name, promised.clone().unwrap_or_else(|| own.clone()), "func", None);
        item.kind = ItemKind::Data;
        item.memory_reference = callable.entry;
        item.value_location = callable.entry.and_then(|e| self.function_source(e));
        let removed = callable
            .entry
            .is_none_or(|e| self.function_at(e).is_some_and(|f| f.name() == "runtime.unreachableMethod"));
        if removed {
            item.text.push_str(" (removed by the linker: nothing calls it)");
            item.value_location = None;
            return with_rows(item, callable.itab.and_then(|itab| self.itab_row(itab)).into_iter().collect());
        }
        let mut rows: Vec<Item> = callable.itab.and_then(|itab| self.itab_row(itab)).into_iter().collect();
        if let Some(chain) = chain {
            self.lead_to_body(&mut item, &chain);
            rows.extend(chain.links.iter().map(|l| self.link_row(l)));
        }
        if promised.is_some() && !item.text.contains(" -> ") {
            item.text.push_str(&format!(" -> {own}"));
        }
        if let Some(receiver) = &callable.receiver {
            rows.push(self.item(".this", receiver, None));
        }
        with_rows(item, rows)
    }

    fn followed(&self, item: Item) -> Item {
        let Some(word) = self.word(&item.value).filter(|w| *w != 0) else { return item };
        let Some(engine) = self.view.dispatch else { return item };
        let mut chain = engine.resolve_func(self.process.image, self.process.mem, word);
        if chain.body.is_none()
            && let Some(bound) = self.bound_method(&item.value, engine)
        {
            chain.links.extend(bound.links);
            chain.body = bound.body;
        }
        let mut rows = self.named(&item.value, item.evaluate_name.as_deref());
        rows.extend(chain.links.iter().map(|l| self.link_row(l)));
        let mut item = item;
        self.lead_to_body(&mut item, &chain);
        with_rows(item, rows)
    }

    /// The way from a method value of an interface (`io.Writer.Write-fm`) through the itab that it carries.
    fn bound_method(&self, v: &Value, engine: &dispatch::Engine) -> Option<Chain> {
        let function = golang::function_of(self.process, v).ok()??;
        let symbol = function.symbol?;
        let (_, method) = symbol.strip_suffix("-fm")?.rsplit_once('.')?;
        let receiver = &function.captures.first().filter(|c| c.name == ".this")?.value;
        let golang::Interface::Dynamic(d) = golang::interface(self.process, receiver) else { return None };
        let itab = self.process.image.itab(d.itab?, self.process.mem).ok()?;
        let data = golang::word(self.process, receiver, 8).ok();
        let table = engine.method_table(self.process.image, self.process.mem, &itab, data);
        table.into_iter().find(|slot| slot.method == method).map(|slot| slot.chain)
    }

    /// Names the body behind the item's function, when it is another one.
    fn lead_to_body(&self, item: &mut Item, chain: &Chain) {
        if let Some(body) = &chain.body {
            if body.name != item.text {
                item.text.push_str(&format!(" -> {}", body.name));
            }
            if let (Some(file), Some(line)) = (&body.file, body.line) {
                item.value_location = Some(SourceLocation { file: file.clone(), line });
            }
        } else if let Some(why) = chain.will_panic.as_ref().or(chain.reason.as_ref()) {
            item.text.push_str(&format!(" -> ? ({why})"));
        }
    }

    /// The itab that the entry was read from, with its table behind it.
    fn itab_row(&self, addr: u64) -> Option<Item> {
        let itab = self.process.image.itab(addr, self.process.mem).ok()?;
        let ty = |rtype| self.short(self.process.image.type_from_runtime(rtype));
        let text = format!("{} as {} {addr:#x}", ty(itab.typ), ty(itab.inter));
        let row = self.fact("itab", text, "", None);
        let content = Content::Itab(addr, None);
        Some(Item {
            named: self.itab_row_count(addr),
            expandable: true,
            memory_reference: Some(addr),
            content,
            ..row
        })
    }

    fn link_row(&self, link: &Link) -> Item {
        if link.role == Role::Itab
            && let Some(row) = self.itab_row(link.address)
        {
            return row;
        }
        let kind = link.kind.map(|k| format!(" ({k})")).unwrap_or_default();
        let row = self.fact(link.role.as_str(), format!("{} {:#x}{kind}", link.name, link.address), "", None);
        Item {
            kind: ItemKind::Method,
            memory_reference: Some(link.address),
            value_location: self.link_source(link),
            ..row
        }
    }

    fn link_source(&self, link: &Link) -> Option<SourceLocation> {
        let (file, line) = (link.file.clone()?, link.line?);
        (!file.starts_with('<')).then_some(SourceLocation { file, line })
    }
}

fn with_rows(item: Item, rows: Vec<Item>) -> Item {
    if rows.is_empty() {
        return item;
    }
    Item {
        named: rows.len() as u64,
        indexed: 0,
        expandable: true,
        content: Content::Rows(Arc::from(rows)),
        ..item
    }
}
