//! Results of expressions as rows: values as in a variables view, functions with the way to the body that runs, types, itabs, places.

use golang::Whereabouts;
use image::TypeId;

use crate::expression::{EvalError, Evaluated, Names, Scope, evaluate};
use crate::viewer::{Viewer, look};
use crate::{Content, Item, View};

/// Evaluates an expression and describes its result: what watch, hover and console show. The view must look at the same process and
/// frame as the scope, through a memory that has the scope's scratch in it.
pub fn evaluate_item(text: &str, scope: &Scope<'_>, view: &View<'_>) -> Result<Item, EvalError> {
    evaluate(text, scope).map(|e| evaluated_item(view, text, &e))
}

/// A result as a row, named as it was written.
pub fn evaluated_item(view: &View<'_>, text: &str, e: &Evaluated) -> Item {
    look(view, |viewer| viewer.evaluated(text, e))
}

/// Type parameters of the scope's frame as rows: `T` = `*main.User`.
pub fn type_arguments(scope: &Scope<'_>, view: &View<'_>) -> Vec<Item> {
    look(view, |viewer| {
        let row = |(name, ty): (String, Option<TypeId>)| match ty {
            Some(ty) => viewer.type_item(&name, ty),
            None => viewer.fact(&name, "T? (the dictionary is lost here)".into(), "", None),
        };
        Names::of(scope).type_parameters().into_iter().map(row).collect()
    })
}

impl Viewer<'_> {
    pub(crate) fn evaluated(&self, text: &str, e: &Evaluated) -> Item {
        match e {
            Evaluated::Value(v) => self.value(text, v, Some(text)),
            Evaluated::Nil => self.fact(text, "nil".into(), "", None),
            Evaluated::Text(t) => self.fact(text, t.clone(), "", None),
            Evaluated::Type(ty) => self.type_item(text, *ty),
            Evaluated::Itab(addr) => self.itab_item(text, *addr),
            Evaluated::Function(f) => self.callable(text, f),
            Evaluated::Place(place) => self.place_item(text, place),
        }
    }

    fn type_item(&self, text: &str, ty: TypeId) -> Item {
        let mut row = self.fact(text, self.short(ty).to_string(), "", None);
        row.type_name = self.long(ty);
        if let Some(rtype) = self.process.runtime_type(ty) {
            let rows = self.type_rows(rtype);
            row.named = rows.len() as u64;
            row.expandable = !rows.is_empty();
            row.memory_reference = Some(rtype);
            row.content = Content::Type(rtype);
        }
        row
    }

    fn itab_item(&self, text: &str, addr: u64) -> Item {
        let Ok(itab) = self.process.image.itab(addr, self.process.mem) else {
            return self.fact(text, format!("(no itab at {addr:#x})"), "", None);
        };
        let name = |rtype| self.short(self.process.image.type_from_runtime(rtype));
        let count = itab.fun.len();
        let plural = if count == 1 { "" } else { "s" };
        let what = if itab.negative {
            format!(
                "{} does not implement {} (a failed assertion is remembered)",
                name(itab.typ),
                name(itab.inter)
            )
        } else {
            format!("{} as {}, {count} method{plural}", name(itab.typ), name(itab.inter))
        };
        Item {
            named: self.itab_rows(addr, None).len() as u64,
            expandable: true,
            memory_reference: Some(addr),
            content: Content::Itab(addr, None),
            ..self.fact(text, what, "", None)
        }
    }

    /// What `where(x)` found, each fact a row.
    fn place_item(&self, text: &str, place: &Whereabouts) -> Item {
        let mut rows = vec![self.fact("region", place.region.as_str().into(), "", None)];
        let mut fact = |name: &str, value: Option<String>| {
            rows.extend(value.map(|v| self.fact(name, v, "", None)));
        };
        let plus = |n: u64| if n == 0 { String::new() } else { format!("+{n:#x}") };
        fact("address", Some(format!("{:#x}", place.addr)));
        fact("symbol", place.symbol.as_ref().map(|(name, n)| format!("{name}{}", plus(*n))));
        let stack = place.stack.as_ref();
        fact("goroutine", stack.and_then(|s| s.goid).map(|id| id.to_string()));
        fact("frame", stack.and_then(|s| Some(format!("{} {}", s.frame?, s.function.as_deref()?))));
        let variable = stack.and_then(|s| s.variable.as_ref());
        fact("variable", variable.map(|(name, n)| format!("{name}{}", plus(*n))));
        fact("object", place.object.map(|a| format!("{a:#x}")));
        fact("size", place.size.map(|n| n.to_string()));
        fact("sizeClass", place.size_class.map(|n| n.to_string()));
        fact("free", place.free.map(|f| f.to_string()));
        Item {
            named: rows.len() as u64,
            expandable: true,
            memory_reference: Some(place.addr).filter(|a| *a != 0),
            content: Content::Rows(rows.into()),
            ..self.fact(text, place.text.clone(), "", None)
        }
    }
}
