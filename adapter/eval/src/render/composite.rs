//! Pointers, structs, arrays, slices and maps.

use golang::{Value, fields};
use image::{Field, Shape, Type, TypeId};

use super::{MAX_NESTING, MAX_UNREADABLE, Style, Text, time};

impl Text<'_> {
    pub(super) fn pointer(
        &mut self,
        v: &Value,
        elem: TypeId,
        level: u32,
        style: Style,
    ) -> Result<(), String> {
        let addr = golang::word(self.viewer.process, v, 0)?;
        if addr == 0 {
            let name = self.viewer.short(elem);
            self.push(&if style.types { format!("*{name} nil") } else { "*nil".into() });
            return Ok(());
        }
        let next = match self.viewer.ty(elem).map(|t| t.shape.clone()) {
            Ok(Shape::Interface { .. }) => level + 1,
            Ok(Shape::Pointer { .. }) if level > self.viewer.view.limits.depth => {
                let (name, long) = (self.viewer.short(v.ty), self.viewer.long(v.ty));
                let name = if long.contains('/') { format!("\"{name}\"") } else { name.to_string() };
                self.push(&format!("({name})({addr:#x})"));
                return Ok(());
            }
            Ok(Shape::Pointer { .. }) => level + 1,
            _ => level,
        };
        self.push("*");
        self.write(&Value::at(elem, addr), next, style.inner());
        Ok(())
    }

    pub(super) fn structure(
        &mut self,
        v: &Value,
        ty: &Type,
        all: &[Field],
        level: u32,
        style: Style,
    ) -> Result<(), String> {
        let moment = if &*ty.name == "time.Time" { time::describe(self.viewer, v) } else { None };
        let named = moment.is_none() && style.types;
        if let Some(moment) = moment {
            self.push(&format!("{}({moment})", self.viewer.short(v.ty)));
        }
        if level > self.viewer.view.limits.depth && !all.is_empty() {
            self.elsewhere(v);
            return Ok(());
        }
        if named {
            self.push(&format!("{} ", self.viewer.short(v.ty)));
        }
        self.push("{");
        let shown = self.viewer.view.limits.fields.unwrap_or(usize::MAX).min(all.len());
        for (i, (field, value)) in fields(self.viewer.process, v)?.iter().take(shown).enumerate() {
            if self.full() {
                return Ok(());
            }
            if i > 0 {
                self.push(", ");
            }
            self.push(&format!("{}: ", field.name));
            self.write(value, level + 1, Style::FIELD);
        }
        if shown < all.len() {
            self.push(&format!("{}...+{} more", if shown > 0 { "," } else { "" }, all.len() - shown));
        }
        self.push("}");
        Ok(())
    }

    pub(super) fn slice(&mut self, v: &Value, elem: TypeId, level: u32, style: Style) -> Result<(), String> {
        let header = golang::slice_header(self.viewer.process, v)?;
        if style.types {
            let name = self.viewer.short(v.ty);
            self.push(&format!("{name} len: {}, cap: {}, ", header.len, header.cap));
        }
        if header.base == 0 {
            self.push("nil");
            return Ok(());
        }
        let size = self.viewer.process.type_of(elem).map_err(|e| e.to_string())?.size;
        let at = |i: u64| Ok(Value::at(elem, header.base.wrapping_add(i.wrapping_mul(size))));
        self.elements(header.len, level, at);
        Ok(())
    }

    pub(super) fn array(
        &mut self,
        v: &Value,
        elem: TypeId,
        len: u64,
        level: u32,
        style: Style,
    ) -> Result<(), String> {
        if style.types {
            let name = self.viewer.short(v.ty);
            self.push(&format!("{name} "));
        }
        let process = self.viewer.process;
        let size = process.type_of(elem).map_err(|e| e.to_string())?.size;
        let at = |i: u64| golang::part(process, v, i.wrapping_mul(size), elem);
        self.elements(len, level, at);
        Ok(())
    }

    fn elements(&mut self, len: u64, level: u32, at: impl Fn(u64) -> Result<Value, String>) {
        self.push("[");
        let count = if level > MAX_NESTING { 0 } else { len.min(self.viewer.view.limits.array) };
        let mut shown = 0;
        let mut unreadable = 0;
        while shown < count && unreadable <= MAX_UNREADABLE {
            if self.full() {
                return;
            }
            if shown > 0 {
                self.push(",");
            }
            let before = self.out.len();
            match at(shown) {
                Ok(v) => self.write(&v, level + 1, Style::ELEMENT),
                Err(why) => self.unreadable(&why),
            }
            if self.out.get(before..).is_some_and(|s| s.starts_with("(unreadable")) {
                unreadable += 1;
            }
            shown += 1;
        }
        self.more(len, shown);
        self.push("]");
    }

    fn more(&mut self, len: u64, shown: u64) {
        if shown < len {
            self.push(&if shown > 0 { format!(",...+{} more", len - shown) } else { "...".into() });
        }
    }

    pub(super) fn map(&mut self, v: &Value, level: u32, style: Style) -> Result<(), String> {
        let len = golang::map_len(self.viewer.process, v)?;
        if style.types {
            self.push(&format!("{} ", self.viewer.short(v.ty)));
        }
        let Some(len) = len else {
            self.push("nil");
            return Ok(());
        };
        self.push("[");
        let limits = self.viewer.view.limits;
        let count = if level > limits.depth { 0 } else { len.min(limits.map) };
        let mut shown = 0;
        if count > 0 {
            let walk = golang::walk_map(self.viewer.process, v, 0, count as usize)?;
            for (key, value) in &walk.entries {
                if self.full() {
                    return Ok(());
                }
                self.write(key, level + 1, Style::ELEMENT);
                self.push(": ");
                self.write(value, level + 1, Style::ELEMENT);
                self.push(", ");
                shown += 1;
            }
            if let Some(why) = walk.incomplete {
                self.unreadable(&why);
            }
        }
        self.more(len, shown);
        self.push("]");
        Ok(())
    }
}
