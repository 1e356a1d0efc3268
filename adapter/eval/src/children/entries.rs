//! Map entries as rows: one row where key or element is a scalar, two (`[key i]`, `[val i]`) where both have children.

use golang::{Interface, Value, interface};
use image::Kind;
use machine::MemoryExt;

use crate::viewer::Viewer;
use crate::{Children, Content, Item, quote};

/// Bytes of a key with children that become a row's name.
const MAX_KEY: usize = 64;

impl Viewer<'_> {
    pub(super) fn entries(
        &self,
        v: &Value,
        expression: Option<&str>,
        start: u64,
        count: u64,
        out: &mut Children,
    ) {
        let walk = match golang::walk_map(self.process, v, start, usize::try_from(count).unwrap_or(0)) {
            Ok(walk) => walk,
            Err(why) => {
                out.incomplete.get_or_insert(why);
                return;
            }
        };
        for (i, (key, value)) in (start..).zip(&walk.entries) {
            if self.mem.exhausted() {
                return;
            }
            self.entry(i, key, value, expression, out);
        }
        if let Some(why) = walk.incomplete {
            out.incomplete.get_or_insert(why);
        }
    }

    fn entry(&self, i: u64, key: &Value, value: &Value, map: Option<&str>, out: &mut Children) {
        let by_address = self.by_address(key);
        let index = self.literal(key).or_else(|| by_address.clone());
        let element = map.and_then(|m| Some(format!("{m}[{}]", index?)));
        let key = self.item("", key, by_address.as_deref());
        let value = self.item("", value, element.as_deref());
        if key.expandable && value.expandable {
            out.items.push(Item { name: format!("[key {i}]"), read_only: true, ..key });
            out.items.push(Item { name: format!("[val {i}]"), ..value });
            return;
        }
        let mut name = key.text;
        if key.expandable && name.len() > MAX_KEY {
            let mut end = MAX_KEY;
            while !name.is_char_boundary(end) {
                end -= 1;
            }
            name.truncate(end);
            name.push_str(&format!("... @ {:#x}", golang::address(&key.value).unwrap_or(0)));
        }
        let type_name = format!("{}: {}", key.type_name, value.type_name);
        out.items.push(if key.expandable {
            Item {
                name,
                type_name,
                named: key.named,
                indexed: key.indexed,
                expandable: true,
                content: Content::Other(Box::new(key.value), key.evaluate_name),
                ..value
            }
        } else {
            Item { name, type_name, ..value }
        });
    }

    /// The key as it is written in an index expression; None for what has no literal.
    fn literal(&self, key: &Value) -> Option<String> {
        let ty = self.ty(key.ty).ok()?;
        match ty.kind {
            Kind::String => {
                let (base, len) = golang::string_header(self.process, key).ok()?;
                if len > self.view.limits.string {
                    return None;
                }
                let b = self.process.mem.read_vec(base, len as usize, len as usize).ok()?;
                std::str::from_utf8(&b).is_ok().then(|| quote(&b))
            }
            Kind::Bool => Some(golang::bytes(self.process, key, 0, 1).ok()?.first()?.ne(&0).to_string()),
            Kind::Float32 | Kind::Float64 | Kind::Complex64 | Kind::Complex128 => {
                let text = self.text(key);
                (!text.contains(['N', 'I'])).then_some(text)
            }
            Kind::Interface => {
                let Interface::Dynamic(d) = interface(self.process, key) else { return Some("nil".into()) };
                // Untyped constants get these types when they are put into an interface.
                let plain = matches!(&*self.long(d.value.ty), "int" | "string" | "bool");
                if plain { self.literal(&d.value) } else { None }
            }
            kind => {
                let b =
                    golang::bytes(self.process, key, 0, usize::try_from(ty.size).ok().filter(|n| *n <= 8)?)
                        .ok()?;
                let n = b.iter().rev().fold(0u64, |n, b| n << 8 | u64::from(*b));
                let shift = 64 - (ty.size as u32 * 8).clamp(1, 64);
                match kind {
                    Kind::Int | Kind::Int8 | Kind::Int16 | Kind::Int32 | Kind::Int64 => {
                        Some(((n << shift).cast_signed() >> shift).to_string())
                    }
                    Kind::Uint | Kind::Uint8 | Kind::Uint16 | Kind::Uint32 | Kind::Uint64 | Kind::Uintptr => {
                        Some(n.to_string())
                    }
                    _ => None,
                }
            }
        }
    }
}
