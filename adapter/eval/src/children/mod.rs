//! Rows and their children. Names and `evaluate_name`s are the same at every stop, because clients keep a tree open by those.

mod entries;
mod parts;
mod queue;

use golang::{Interface, Value, interface};
use image::{Kind, Shape};
use machine::MemoryExt;

use crate::viewer::{Viewer, look};
use crate::{Children, Content, Filter, Item, ItemKind, Page, View};

/// Describes one value as a row. `evaluate_name` is an expression for it, if there is one.
pub fn item(view: &View<'_>, name: &str, value: &Value, evaluate_name: Option<&str>) -> Item {
    look(view, |viewer| viewer.item(name, value, evaluate_name))
}

/// A window of an item's children: named ones first, then indexed ones.
pub fn children(view: &View<'_>, item: &Item, page: Page) -> Children {
    look(view, |viewer| viewer.children(item, page))
}

/// What a row needs to know of a value's children without reading them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outline {
    pub(crate) named: u64,
    pub(crate) indexed: u64,
}

impl Viewer<'_> {
    pub(crate) fn item(&self, name: &str, value: &Value, evaluate_name: Option<&str>) -> Item {
        let text = self.text(value);
        let outline = self.outline(value);
        let children = outline.named + outline.indexed > 0;
        Item {
            name: name.to_string(),
            value: value.clone(),
            text,
            type_name: self.type_name(value),
            evaluate_name: evaluate_name.map(str::to_string),
            named: outline.named,
            indexed: outline.indexed,
            expandable: children,
            memory_reference: self.memory_reference(value),
            value_location: self.location(value),
            kind: ItemKind::Data,
            read_only: golang::address(value).is_none() && !assignable(value),
            content: if children { Content::Value } else { Content::None },
        }
    }

    /// `Interface(Concrete)` for an interface value that is not nil.
    fn type_name(&self, v: &Value) -> String {
        let name = self.long(v.ty);
        if self.ty(v.ty).is_ok_and(|t| t.kind == Kind::Interface)
            && let Interface::Dynamic(d) = interface(self.process, v)
        {
            return format!("{name}({})", self.long(d.value.ty));
        }
        name
    }

    fn memory_reference(&self, v: &Value) -> Option<u64> {
        let kind = self.ty(v.ty).ok()?.kind;
        match kind {
            Kind::String | Kind::Slice | Kind::Pointer | Kind::UnsafePointer | Kind::Map | Kind::Chan => {
                self.word(v).filter(|a| *a != 0)
            }
            Kind::Func => self.word(v).filter(|a| *a != 0).and_then(|f| self.process.mem.read_u64(f).ok()),
            _ => golang::address(v),
        }
    }

    fn location(&self, v: &Value) -> Option<crate::SourceLocation> {
        if self.ty(v.ty).ok()?.kind != Kind::Func {
            return None;
        }
        let entry = self.process.mem.read_u64(self.word(v).filter(|a| *a != 0)?).ok()?;
        self.function_source(entry)
    }

    pub(crate) fn outline(&self, v: &Value) -> Outline {
        let Ok(ty) = self.ty(v.ty) else { return Outline::default() };
        if matches!(v.place, golang::Place::Unavailable(_)) {
            return Outline::default();
        }
        let p = self.process;
        match &ty.shape {
            Shape::Array { elem, len } => {
                Outline { named: u64::from(*len > 0 && self.is_text(*elem)), indexed: *len }
            }
            Shape::Slice { elem } => match golang::slice_header(p, v) {
                Ok(h) if h.base != 0 && h.len > 0 => {
                    Outline { named: u64::from(self.is_text(*elem)), indexed: h.len }
                }
                _ => Outline::default(),
            },
            Shape::Map { .. } => match golang::map_len(p, v) {
                Ok(Some(len)) if len > 0 => Outline { named: 1, indexed: len },
                _ => Outline::default(),
            },
            Shape::Struct { fields } => Outline { named: fields.len() as u64, indexed: 0 },
            Shape::Pointer { elem: Some(_) } => {
                Outline { named: u64::from(self.word(v).is_some_and(|a| a != 0)), indexed: 0 }
            }
            Shape::Interface { .. } => self.interface_outline(v),
            Shape::Chan { .. } => self.queue_outline(v),
            Shape::Func(_) => {
                let captures = golang::function_of(p, v).ok().flatten().map_or(0, |f| f.captures.len());
                Outline { named: captures as u64, indexed: 0 }
            }
            _ if matches!(ty.kind, Kind::Complex64 | Kind::Complex128) => Outline { named: 2, indexed: 0 },
            _ => Outline::default(),
        }
    }

    /// The concrete value's own children and the virtual one.
    fn interface_outline(&self, v: &Value) -> Outline {
        let Interface::Dynamic(d) = interface(self.process, v) else { return Outline::default() };
        let inner = match self.inside(&d) {
            Some(inner) => self.outline(&inner),
            None => Outline::default(),
        };
        Outline { named: inner.named + u64::from(self.has_virtual_child(&d)), ..inner }
    }

    /// The value whose children stand for those of the interface: a pointer to a struct shows the struct. None: typed nil.
    pub(crate) fn inside(&self, d: &golang::Dynamic) -> Option<Value> {
        if d.typed_nil {
            return None;
        }
        let target = golang::pointee(self.process, &d.value).ok().flatten();
        let structure = |t: &Value| self.ty(t.ty).is_ok_and(|t| t.kind == Kind::Struct);
        Some(target.filter(structure).unwrap_or_else(|| d.value.clone()))
    }

    /// Elements that make sense as a string: bytes and runes, not types derived from them.
    pub(crate) fn is_text(&self, elem: image::TypeId) -> bool {
        let text = |t: &image::Type| t.kind == Kind::Uint8 || matches!(&*t.name, "int32" | "rune");
        self.process.type_of(elem).is_ok_and(|t| text(&t))
    }

    fn children(&self, item: &Item, page: Page) -> Children {
        let expression = item.evaluate_name.as_deref();
        match &item.content {
            Content::None => Children::default(),
            Content::Value => self.parts_page(&item.value, expression, page),
            Content::Other(value, expression) => self.parts_page(value, expression.as_deref(), page),
            Content::Itab(addr, data) => window(self.itab_rows(*addr, *data), page),
            Content::Type(rtype) => window(self.type_rows(*rtype), page),
            Content::Methods(rtype) => window(self.method_rows(*rtype), page),
            Content::Waiters(receivers) => window(self.waiter_rows(&item.value, *receivers), page),
            Content::Rows(rows) => window(rows.to_vec(), page),
        }
    }

    fn parts_page(&self, v: &Value, expression: Option<&str>, page: Page) -> Children {
        let outline = self.outline(v);
        let most = self.view.budget.children as u64;
        let mut out = Children::default();
        let skip_named = page.filter == Filter::Indexed;
        let named = if skip_named { 0 } else { outline.named };
        if named > 0 && page.start < named {
            let rows = self.named(v, expression);
            let rows = rows.into_iter().skip(page.start as usize);
            let count = if page.count == 0 { most } else { page.count.min(most) };
            out.items.extend(rows.take(count as usize));
        }
        if page.filter != Filter::Named {
            let start = page.start.saturating_sub(named);
            let got = out.items.len() as u64;
            let count = match (page.count, page.filter) {
                (0, Filter::Indexed) => outline.indexed,
                (0, _) => self.view.limits.array,
                (n, _) => n.saturating_sub(got),
            };
            let count = count.min(outline.indexed.saturating_sub(start));
            let allowed = count.min(most.saturating_sub(got));
            if allowed < count {
                out.incomplete = Some(format!("only {allowed} of {count} elements are listed at a time"));
            }
            self.indexed(v, expression, start, allowed, &mut out);
        }
        if self.mem.exhausted() && out.incomplete.is_none() {
            out.incomplete = Some("the time or memory limit of the request was reached".into());
        }
        out
    }
}

/// True for values that came from registers or pieces.
fn assignable(v: &Value) -> bool {
    matches!(v.place, golang::Place::Bytes { homes: Some(_), .. })
}

fn window(rows: Vec<Item>, page: Page) -> Children {
    if page.filter == Filter::Indexed {
        return Children::default();
    }
    let count = if page.count == 0 { usize::MAX } else { page.count as usize };
    Children { items: rows.into_iter().skip(page.start as usize).take(count).collect(), incomplete: None }
}
