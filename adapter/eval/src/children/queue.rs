//! Channels as rows: the fields of the runtime's structure as Delve lists them, who waits, and the queue in the order of receipt.

use golang::{Channel, Value, channel, fields, waiters};

use super::Outline;
use crate::viewer::Viewer;
use crate::{Children, Content, Item, ItemKind};

impl Viewer<'_> {
    pub(super) fn queue_outline(&self, v: &Value) -> Outline {
        let Ok(Some(c)) = channel(self.process, v) else { return Outline::default() };
        let header = c.header.as_ref().and_then(|h| fields(self.process, h).ok()).map_or(0, |f| f.len());
        let queues = [true, false].into_iter().filter(|r| !waiters(self.process, &c, *r).is_empty()).count();
        Outline { named: (header + queues) as u64, indexed: c.len }
    }

    pub(super) fn queue_parts(&self, v: &Value, expression: Option<&str>) -> Vec<Item> {
        let Ok(Some(c)) = channel(self.process, v) else { return Vec::new() };
        let mut out: Vec<Item> = self.header_rows(&c, expression);
        for (receivers, name) in [(true, "[receivers]"), (false, "[senders]")] {
            let waiting = waiters(self.process, &c, receivers).len() as u64;
            if waiting > 0 {
                let text = format!("{waiting} waiting");
                let mut row = self.fact(name, text, "", None);
                row.value = v.clone();
                row.named = waiting;
                row.expandable = true;
                row.content = Content::Waiters(receivers);
                out.push(row);
            }
        }
        out
    }

    fn header_rows(&self, c: &Channel, expression: Option<&str>) -> Vec<Item> {
        let Some(header) = &c.header else { return Vec::new() };
        let row = |(f, mut value): (image::Field, Value)| {
            let mut e = expression.map(|e| format!("{e}.{}", f.name));
            if &*f.name == "buf" {
                value.ty = self.process.pointer_to(self.process.array_of(c.elem, c.cap));
                let ty = self.expression_type(c.elem).filter(|t| !t.starts_with('"'));
                e = e.zip(ty).map(|(e, ty)| format!("(*[{}]{ty})({e})", c.cap));
            }
            Item { read_only: true, ..self.item(&f.name, &value, e.as_deref()) }
        };
        fields(self.process, header).unwrap_or_default().into_iter().map(row).collect()
    }

    pub(super) fn queued(&self, v: &Value, start: u64, count: u64, out: &mut Children) {
        let Ok(Some(c)) = channel(self.process, v) else { return };
        for i in start..start.saturating_add(count).min(c.len) {
            if self.mem.exhausted() {
                return;
            }
            let value = c.element(i);
            let e = self.by_address(&value);
            out.items.push(self.item(&format!("[{i}]"), &value, e.as_deref()));
        }
    }

    /// One row for each goroutine that waits.
    pub(super) fn waiter_rows(&self, v: &Value, receivers: bool) -> Vec<Item> {
        let Ok(Some(c)) = channel(self.process, v) else { return Vec::new() };
        let row = |w: golang::Waiter| {
            let name = format!("goroutine {}", w.goid);
            match w.elem.filter(|_| !receivers) {
                Some(elem) => {
                    Item { kind: ItemKind::Virtual, read_only: true, ..self.item(&name, &elem, None) }
                }
                None => self.fact(&name, "waits to receive".into(), "", None),
            }
        };
        waiters(self.process, &c, receivers).into_iter().map(row).collect()
    }
}
