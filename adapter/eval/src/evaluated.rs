//! Results of expressions as rows: values as in a variables view, functions with the way to the body that runs, types, itabs.

use dispatch::Chain;
use image::{Shape, TypeId};

use crate::expression::{Callable, EvalError, Evaluated, Scope, evaluate};
use crate::viewer::{Viewer, look};
use crate::{Content, Item, ItemKind, SourceLocation, View};

/// Evaluates an expression and describes its result: what watch, hover and console show. The view must look at the same process and
/// frame as the scope, through a memory that has the scope's scratch in it.
pub fn evaluate_item(text: &str, scope: &Scope<'_>, view: &View<'_>) -> Result<Item, EvalError> {
    evaluate(text, scope).map(|e| evaluated_item(view, text, &e))
}

/// A result as a row, named as it was written.
pub fn evaluated_item(view: &View<'_>, text: &str, e: &Evaluated) -> Item {
    look(view, |viewer| match e {
        Evaluated::Value(v) => viewer.item(text, v, Some(text)),
        Evaluated::Nil => viewer.fact(text, "nil".into(), "", None),
        Evaluated::Text(t) => viewer.fact(text, t.clone(), "", None),
        Evaluated::Type(ty) => viewer.type_item(text, *ty),
        Evaluated::Itab(addr) => viewer.itab_item(text, *addr),
        Evaluated::Function(f) => viewer.function_item(text, f),
    })
}

impl Viewer<'_> {
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
        let what = format!("{} as {}, {count} method{plural}", name(itab.typ), name(itab.inter));
        Item {
            named: self.itab_rows(addr, None).len() as u64,
            expandable: true,
            memory_reference: Some(addr),
            content: Content::Itab(addr, None),
            ..self.fact(text, what, "", None)
        }
    }

    /// `io.Writer.Write -> os.(*File).Write`, its chain behind it.
    fn function_item(&self, text: &str, f: &Callable) -> Item {
        let (label, chain) = self.way(f);
        let body = chain.as_ref().and_then(|c| c.body.as_ref());
        let shown = match body {
            Some(b) if b.name != label => format!("{label} -> {}", b.name),
            _ => label,
        };
        let location = match body.map(|b| (b.file.clone(), b.line)) {
            Some((Some(file), Some(line))) => Some(SourceLocation { file, line }),
            _ => f.entry.and_then(|entry| self.function_source(entry)),
        };
        let rows: Vec<Item> = chain.map(|c| self.chain_rows(&c)).unwrap_or_default();
        Item {
            kind: ItemKind::Method,
            named: rows.len() as u64,
            expandable: !rows.is_empty(),
            memory_reference: f.entry,
            value_location: location,
            content: if rows.is_empty() { Content::None } else { Content::Rows(rows.into()) },
            ..self.fact(text, shown, "", None)
        }
    }

    /// The name of what is called, and the way to the body.
    fn way(&self, f: &Callable) -> (String, Option<Chain>) {
        let (image, mem) = (self.process.image, self.process.mem);
        if let (Some((interface, slot)), Some(addr)) = (f.interface, f.itab) {
            let method = self.slot_name(interface, slot).unwrap_or_else(|| format!("[{slot}]"));
            let label = format!("{}.{method}", self.short(interface));
            let data = f.receiver.as_deref().and_then(|v| golang::word(self.process, v, 8).ok());
            let table = self.view.dispatch.zip(image.itab(addr, mem).ok());
            let entry = table.and_then(|(engine, itab)| {
                engine.method_table(image, mem, &itab, data).into_iter().nth(slot)
            });
            if entry.as_ref().is_some_and(|e| e.removed) {
                return (format!("{label} (removed by the linker: nothing calls it)"), None);
            }
            let chain = entry.map(|e| e.chain);
            return match (&chain, f.entry.and_then(|pc| self.function_at(pc))) {
                (None, Some(entry)) => {
                    (format!("{label} -> {}", self.process.function_display_name(&entry, None)), None)
                }
                _ => (label, chain),
            };
        }
        let label = self.process.symbol_display_name(&f.name, None);
        let chain =
            self.view.dispatch.zip(f.entry).map(|(engine, entry)| engine.resolve(image, mem, entry, None));
        (label, chain)
    }

    fn slot_name(&self, interface: TypeId, slot: usize) -> Option<String> {
        match &self.ty(interface).ok()?.shape {
            Shape::Interface { methods: Some(m), .. } => m.get(slot).map(|m| m.name.to_string()),
            _ => None,
        }
    }

    fn chain_rows(&self, chain: &Chain) -> Vec<Item> {
        let row = |link: &dispatch::Link| {
            let name = link.kind.map_or_else(|| format!("{:?}", link.role).to_lowercase(), str::to_string);
            let location = link.file.clone().zip(link.line);
            Item {
                memory_reference: Some(link.address),
                value_location: location.map(|(file, line)| SourceLocation { file, line }),
                ..self.fact(&name, format!("{} {:#x}", link.name, link.address), "", None)
            }
        };
        chain.links.iter().map(row).collect()
    }
}
