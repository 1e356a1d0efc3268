//! The text of a value, in the form that `dlv dap` prints (service/api/prettyprint.go describes it), with typed nils, half-lost
//! interfaces and map keys shown better. Text is for people: no decision may be taken from it.

mod basic;
mod composite;
mod constants;
mod interface;
mod quote;
mod time;

use golang::Value;
use image::{Kind, Shape};

use crate::View;
use crate::viewer::{Viewer, look};

pub(crate) use basic::hexadecimal;
pub use quote::quote;

/// Bytes of text that are written at most, whatever the limits say.
const MAX_TEXT: usize = 1 << 20;

/// Levels of slices and arrays within each other (a slice may contain itself).
const MAX_NESTING: u32 = 24;

/// Unreadable elements after which a container's text ends.
const MAX_UNREADABLE: usize = 3;

/// The text of one value as a row shows it, cut to the limits.
pub fn render(view: &View<'_>, v: &Value) -> String {
    look(view, |viewer| viewer.text(v))
}

/// How a part is written, depending on where it stands.
#[derive(Clone, Copy)]
pub(crate) struct Style {
    /// Preceded by its type, where that kind has it.
    types: bool,
    /// The whole value.
    top: bool,
}

impl Style {
    const TOP: Style = Style { types: true, top: true };
    const FIELD: Style = Style { types: true, top: false };
    const ELEMENT: Style = Style { types: false, top: false };

    fn inner(self) -> Style {
        Style { top: false, ..self }
    }
}

/// A text being written.
pub(crate) struct Text<'a> {
    viewer: &'a Viewer<'a>,
    out: String,
    /// Bytes after which nothing more is written.
    limit: usize,
}

impl Viewer<'_> {
    /// See [`render`].
    pub(crate) fn text(&self, v: &Value) -> String {
        let compound = self.ty(v.ty).is_ok_and(|t| has_parts(t.kind));
        let limit = self.view.limits.text.filter(|_| compound).unwrap_or(MAX_TEXT).min(MAX_TEXT);
        let mut text = Text { viewer: self, out: String::new(), limit };
        text.write(v, 0, Style::TOP);
        if !compound && let Some(hex) = hexadecimal(self, v) {
            text.out.push_str(&hex);
        }
        text.finish()
    }
}

fn has_parts(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Array
            | Kind::Slice
            | Kind::Map
            | Kind::Struct
            | Kind::Pointer
            | Kind::Interface
            | Kind::Func
            | Kind::Chan
    )
}

impl Text<'_> {
    fn finish(mut self) -> String {
        if self.out.len() > self.limit {
            let mut end = self.limit;
            while !self.out.is_char_boundary(end) {
                end -= 1;
            }
            self.out.truncate(end);
            self.out.push_str("...");
        } else if self.viewer.mem.exhausted() {
            self.out.push_str(" (cut short: the time or memory limit of the request was reached)");
        }
        self.out
    }

    /// True when what follows would not be shown.
    fn full(&self) -> bool {
        self.out.len() > self.limit || self.viewer.mem.exhausted()
    }

    fn push(&mut self, s: &str) {
        if self.out.len() <= self.limit {
            self.out.push_str(s);
        }
    }

    fn unreadable(&mut self, why: &str) {
        self.push(&format!("(unreadable {why})"));
    }

    /// `level` counts structs, maps and pointers to pointers that this one is in.
    fn write(&mut self, v: &Value, level: u32, style: Style) {
        if self.out.len() > self.limit {
            return;
        }
        if let golang::Place::Unavailable(why) = &v.place {
            return self.unreadable(why);
        }
        let ty = match self.viewer.ty(v.ty) {
            Ok(t) => t,
            Err(e) => return self.unreadable(&format!("its type can't be read: {e}")),
        };
        let written = match (&ty.shape, ty.kind) {
            (Shape::Interface { .. }, _) => {
                self.interface(v, level, style);
                Ok(())
            }
            (Shape::Pointer { elem: Some(elem) }, _) => self.pointer(v, *elem, level, style),
            (Shape::Struct { fields }, _) => self.structure(v, &ty, fields, level, style),
            (Shape::Slice { elem }, _) => self.slice(v, *elem, level, style),
            (Shape::Array { elem, len }, _) => self.array(v, *elem, *len, level, style),
            (Shape::Map { .. }, _) => self.map(v, level, style),
            (Shape::Chan { .. }, _) => self.channel(v),
            (Shape::Func(_), _) => self.function(v),
            (_, Kind::String) => self.string(v, style),
            (_, Kind::UnsafePointer | Kind::Pointer) => self.unsafe_pointer(v),
            _ => self.basic(v, &ty),
        };
        if let Err(why) = written {
            self.unreadable(&why);
        }
    }
}
