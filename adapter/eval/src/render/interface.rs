//! Interface values: `shapes.Shape(shapes.Sq) {S: 2}`; typed nils as `error(*main.E) nil`, in containers `*main.E nil`.

use golang::{Dynamic, Half, Interface, Value, interface};
use image::Kind;

use super::{Style, Text};

impl Text<'_> {
    pub(super) fn interface(&mut self, v: &Value, level: u32, style: Style) {
        match interface(self.viewer.process, v) {
            Interface::Nil if style.types => self.push(&format!("{} nil", self.viewer.short(v.ty))),
            Interface::Nil => self.push("nil"),
            Interface::Dynamic(d) => self.dynamic(v, &d, level, style),
            Interface::Half(half) => self.half(v, &half, style),
            Interface::Bad(why) => self.unreadable(&why),
        }
    }

    fn dynamic(&mut self, v: &Value, d: &Dynamic, level: u32, style: Style) {
        let concrete = self.viewer.short(d.value.ty);
        if style.types {
            self.push(&format!("{}({concrete}) ", self.viewer.short(v.ty)));
        } else if d.typed_nil {
            self.push(&format!("{concrete} "));
        }
        let pointer = self.viewer.ty(d.value.ty).is_ok_and(|t| t.kind == Kind::Pointer);
        if d.typed_nil {
            self.push("nil");
        } else if level <= self.viewer.view.limits.depth {
            self.write(&d.value, level, Style { types: !style.types, top: false });
        } else if pointer {
            self.push("...");
        } else {
            self.push("*");
            self.elsewhere(v);
        }
    }

    /// One of the two words is gone; the other one still says much.
    fn half(&mut self, v: &Value, half: &Half, style: Style) {
        let name = self.viewer.short(v.ty);
        match (half.ty, half.data) {
            (Some(ty), _) => {
                let concrete = self.viewer.short(ty);
                let what = if style.types { format!("{name}({concrete})") } else { concrete.to_string() };
                self.push(&format!("{what} (unreadable data word {})", half.why));
            }
            (None, Some(data)) => {
                let name = if style.types { format!("{name} ") } else { String::new() };
                self.push(&format!("{name}(unreadable type word {}; data word {data:#x})", half.why));
            }
            (None, None) => self.unreadable(&half.why),
        }
    }
}
