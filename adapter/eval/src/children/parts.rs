//! Named parts (fields, what a pointer points to, captured variables) and indexed ones (elements), each with its expression.

use golang::{Interface, Value, fields, function_of, interface, pointee};
use image::{Kind, Shape};

use crate::viewer::Viewer;
use crate::{Children, Content, Item, ItemKind, quote};

impl Viewer<'_> {
    /// Parts that have names, in the order of [`super::Outline::named`].
    pub(crate) fn named(&self, v: &Value, expression: Option<&str>) -> Vec<Item> {
        let Ok(ty) = self.ty(v.ty) else { return Vec::new() };
        match &ty.shape {
            Shape::Struct { .. } => self.field_items(v, expression),
            Shape::Pointer { elem: Some(_) } => match pointee(self.process, v) {
                Ok(Some(target)) => {
                    let e = expression.map(|e| format!("(*{e})"));
                    vec![self.item("", &target, e.as_deref())]
                }
                _ => Vec::new(),
            },
            Shape::Interface { .. } => self.interface_parts(v, expression),
            Shape::Map { .. } => self.map_length(v, expression),
            Shape::Array { .. } | Shape::Slice { .. } => self.as_string(v).into_iter().collect(),
            Shape::Chan { .. } => self.queue_parts(v, expression),
            Shape::Func(_) => self.captures(v, expression),
            _ => self.complex_parts(v, ty.kind),
        }
    }

    fn field_items(&self, v: &Value, expression: Option<&str>) -> Vec<Item> {
        let all = fields(self.process, v).unwrap_or_default();
        let most = self.view.limits.fields.unwrap_or(usize::MAX);
        let field = |(f, value): (image::Field, Value)| {
            let e = expression.filter(|_| &*f.name != "_").map(|e| format!("{e}.{}", f.name));
            self.item(&f.name, &value, e.as_deref())
        };
        all.into_iter().take(most).map(field).collect()
    }

    /// The concrete value's parts under an expression that asserts its type, then the virtual child.
    fn interface_parts(&self, v: &Value, expression: Option<&str>) -> Vec<Item> {
        let Interface::Dynamic(d) = interface(self.process, v) else { return Vec::new() };
        let asserted = self.asserted(&d, expression);
        let mut out = match self.inside(&d) {
            Some(inner) => self.named(&inner, asserted.as_deref()),
            None => Vec::new(),
        };
        out.extend(self.virtual_child(v, &d));
        out
    }

    /// `x.(*main.T)`; `x.(data)` for types that have no name in expressions.
    fn asserted(&self, d: &golang::Dynamic, expression: Option<&str>) -> Option<String> {
        let ty = self.expression_type(d.value.ty).unwrap_or_else(|| "data".into());
        Some(format!("{}.({ty})", expression?))
    }

    fn map_length(&self, v: &Value, expression: Option<&str>) -> Vec<Item> {
        let Ok(Some(len)) = golang::map_len(self.process, v) else { return Vec::new() };
        let e = expression.map(|e| format!("len({e})"));
        vec![self.fact("len()", len.to_string(), "int", e)]
    }

    /// A row that is not a value of the program's own.
    pub(crate) fn fact(&self, name: &str, text: String, ty: &str, evaluate_name: Option<String>) -> Item {
        let id = self.process.image.find_type(ty).unwrap_or(image::TypeId::Made(u32::MAX));
        Item {
            name: name.into(),
            value: Value::unavailable(id, "made by the debugger"),
            text,
            type_name: ty.into(),
            evaluate_name,
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

    /// Bytes and runes as a string.
    fn as_string(&self, v: &Value) -> Option<Item> {
        let ty = self.ty(v.ty).ok()?;
        let limit = self.view.limits.whole_string;
        let (elem, len) = match ty.shape {
            Shape::Array { elem, len } => (elem, len),
            Shape::Slice { elem } => (elem, golang::slice_header(self.process, v).ok()?.len),
            _ => return None,
        };
        if !self.is_text(elem) || len == 0 {
            return None;
        }
        let size = self.process.type_of(elem).ok()?.size;
        let shown = len.min(limit);
        let first = match ty.shape {
            Shape::Slice { .. } => Value::at(v.ty, golang::slice_header(self.process, v).ok()?.base),
            _ => v.clone(),
        };
        let text = match golang::bytes(self.process, &first, 0, usize::try_from(shown * size).ok()?) {
            Ok(b) if size == 1 => quoted(&b, len - shown),
            Ok(b) => quoted(runes(&b).as_bytes(), len - shown),
            Err(why) => format!("(unreadable {why})"),
        };
        Some(self.fact("string()", text, "string", None))
    }

    fn captures(&self, v: &Value, expression: Option<&str>) -> Vec<Item> {
        let Ok(Some(f)) = function_of(self.process, v) else { return Vec::new() };
        let capture = |c: golang::Capture| {
            let e = expression.filter(|_| !c.name.starts_with('.')).map(|e| format!("{e}.{}", c.name));
            self.item(&c.name, &c.value, e.as_deref())
        };
        f.captures.into_iter().map(capture).collect()
    }

    fn complex_parts(&self, v: &Value, kind: Kind) -> Vec<Item> {
        let (name, size) = match kind {
            Kind::Complex64 => ("float32", 4),
            Kind::Complex128 => ("float64", 8),
            _ => return Vec::new(),
        };
        let Some(float) = self.process.image.find_type(name) else { return Vec::new() };
        let part = |name: &str, offset: u64| {
            let value = golang::part(self.process, v, offset, float);
            let value = value.unwrap_or_else(|why| Value::unavailable(float, why));
            self.item(name, &value, None)
        };
        vec![part("real", 0), part("imaginary", size)]
    }

    /// `count` indexed parts from `start`.
    pub(crate) fn indexed(
        &self,
        v: &Value,
        expression: Option<&str>,
        start: u64,
        count: u64,
        out: &mut Children,
    ) {
        let Ok(ty) = self.ty(v.ty) else { return };
        match ty.shape {
            Shape::Array { elem, .. } | Shape::Slice { elem } => {
                self.elements(v, elem, expression, start, count, out);
            }
            Shape::Map { .. } => self.entries(v, expression, start, count, out),
            Shape::Chan { .. } => self.queued(v, start, count, out),
            Shape::Interface { .. } => {
                let Interface::Dynamic(d) = interface(self.process, v) else { return };
                if let Some(inner) = self.inside(&d) {
                    self.indexed(&inner, self.asserted(&d, expression).as_deref(), start, count, out);
                }
            }
            _ => {}
        }
    }

    fn elements(
        &self,
        v: &Value,
        elem: image::TypeId,
        expression: Option<&str>,
        start: u64,
        count: u64,
        out: &mut Children,
    ) {
        let size = self.process.type_of(elem).map_or(0, |t| t.size);
        let base = golang::slice_header(self.process, v).ok().map(|h| h.base);
        for i in start..start.saturating_add(count) {
            if self.mem.exhausted() {
                return;
            }
            let offset = i.wrapping_mul(size);
            let value = match base {
                Some(base) => Value::at(elem, base.wrapping_add(offset)),
                None => golang::part(self.process, v, offset, elem)
                    .unwrap_or_else(|why| Value::unavailable(elem, why)),
            };
            let name = format!("[{i}]");
            let e = expression.map(|e| format!("{e}[{i}]"));
            out.items.push(self.item(&name, &value, e.as_deref()));
        }
    }

    /// An expression for a value by its address: `(*(*"main.T")(0xc000010000))`.
    pub(crate) fn by_address(&self, v: &Value) -> Option<String> {
        Some(format!("(*(*\"{}\")({:#x}))", self.long(v.ty), golang::address(v)?))
    }
}

fn quoted(bytes: &[u8], more: u64) -> String {
    let mut text = quote(bytes);
    if more > 0 {
        text.pop();
        text.push_str(&format!("...+{more} more\""));
    }
    text
}

/// Runes that are no characters become U+FFFD, as in string(r).
fn runes(bytes: &[u8]) -> String {
    let (all, _) = bytes.as_chunks::<4>();
    all.iter().map(|b| char::from_u32(u32::from_le_bytes(*b)).unwrap_or('\u{fffd}')).collect()
}
