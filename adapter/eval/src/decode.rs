//! Raw addresses and words read as what they may be: interface values, itabs, type descriptors, functions. Anybody may type any
//! address, so everything is checked, and a refusal says what is there instead.

use golang::{Interface, Value, Whereabouts, interface, whereabouts};
use image::{Itab, Kind, Shape, TypeId};
use machine::MemoryExt;

use crate::expression::{Callable, Evaluated};
use crate::viewer::{Viewer, look};
use crate::{Item, View};

/// What an address is taken for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Raw {
    /// Whatever fits: itab, type, function, interface value, closure.
    #[default]
    Auto,
    Iface,
    Eface,
    Itab,
    Type,
    Func,
}

/// What is there.
#[derive(Clone, Debug)]
pub struct Decoded {
    pub item: Item,
    /// What the data word of an interface value points to; of everything else, what the address belongs to.
    pub pointee: Whereabouts,
}

/// Reads what is at an address. The error says why it is not that.
pub fn decode(view: &View<'_>, addr: u64, raw: Raw) -> Result<Decoded, String> {
    look(view, |viewer| match raw {
        Raw::Auto => viewer.decode_auto(addr),
        Raw::Iface | Raw::Eface => viewer.decode_interface(addr, raw),
        Raw::Itab => viewer.decode_itab(addr),
        Raw::Type => viewer.decode_type(addr),
        Raw::Func => viewer.decode_func(addr),
    })
}

/// Reads two words as an interface value: an itab or a type descriptor, and the data word.
pub fn decode_words(view: &View<'_>, tab: u64, data: u64) -> Result<Decoded, String> {
    look(view, |viewer| {
        let (ty, _) = viewer.interface_of(tab)?;
        let bytes: Vec<u8> = [tab, data].iter().flat_map(|w| w.to_le_bytes()).collect();
        viewer.shown(&Value::computed(ty, bytes), data, None)
    })
}

impl Viewer<'_> {
    fn decode_auto(&self, addr: u64) -> Result<Decoded, String> {
        if let Ok(found) = self.decode_itab(addr) {
            return Ok(found);
        }
        // A descriptor decodes from many bytes: only where descriptors are.
        if self.process.image.type_range().contains(&addr)
            && let Ok(found) = self.decode_type(addr)
        {
            return Ok(found);
        }
        if self.process.image.is_text(addr) {
            return self.decode_func(addr);
        }
        let first = self.process.mem.read_u64(addr);
        let is_type = |w: u64| {
            let concrete = || self.descriptor(w).and_then(|t| self.ty(t).map_err(|e| e.to_string()));
            self.process.image.type_range().contains(&w)
                && concrete().is_ok_and(|t| t.kind != Kind::Interface)
        };
        let raw = match first {
            Ok(w) if w != 0 && self.checked_itab(w).is_ok() => Raw::Iface,
            Ok(w) if is_type(w) => Raw::Eface,
            Ok(w) if self.function_at(w).is_some() => return self.decode_func(addr),
            _ => {
                let what = whereabouts(self.process, addr).text;
                return Err(format!(
                    "{addr:#x} is no itab, type, function, interface value or closure; it is: {what}"
                ));
            }
        };
        self.decode_interface(addr, raw)
    }

    fn decode_interface(&self, addr: u64, raw: Raw) -> Result<Decoded, String> {
        let word = |at: Option<u64>| {
            let read = at.and_then(|at| self.process.mem.read_u64(at).ok());
            read.ok_or_else(|| self.instead(addr, "two readable words"))
        };
        let (tab, data) = (word(Some(addr))?, word(addr.checked_add(8))?);
        let what =
            if raw == Raw::Iface { "an interface value with methods" } else { "an empty interface value" };
        let ty = match (raw, tab) {
            (Raw::Eface, 0) => self.process.empty_interface(),
            (_, 0) => {
                let text = "nil (of which interface type, its words don't say)".to_string();
                let item = Item { memory_reference: Some(addr), ..self.fact("value", text, "", None) };
                return Ok(Decoded { item, pointee: whereabouts(self.process, data) });
            }
            (Raw::Iface, _) => {
                let itab =
                    self.checked_itab(tab).map_err(|why| format!("{}: {why}", self.instead(addr, what)))?;
                self.process.image.type_from_runtime(itab.inter)
            }
            _ => {
                self.descriptor(tab).map_err(|why| format!("{}: {why}", self.instead(addr, what)))?;
                self.process.empty_interface()
            }
        };
        let name = self.expression_type(ty).map(|t| format!("*(*{t})({addr:#x})"));
        self.shown(&Value::at(ty, addr), data, name.as_deref())
    }

    /// The interface type that a first word makes, and whether it is an itab.
    fn interface_of(&self, tab: u64) -> Result<(TypeId, bool), String> {
        match (tab, self.checked_itab(tab)) {
            (0, _) => Ok((self.process.empty_interface(), false)),
            (_, Ok(itab)) => Ok((self.process.image.type_from_runtime(itab.inter), true)),
            (_, Err(why)) => match self.descriptor(tab) {
                Ok(_) => Ok((self.process.empty_interface(), false)),
                Err(_) => Err(format!("the first word is neither an itab nor a type descriptor: {why}")),
            },
        }
    }

    fn shown(&self, v: &Value, data: u64, name: Option<&str>) -> Result<Decoded, String> {
        if let Interface::Bad(why) = interface(self.process, v) {
            return Err(why);
        }
        let label = name.unwrap_or("value");
        Ok(Decoded { item: self.item(label, v, name), pointee: whereabouts(self.process, data) })
    }

    fn decode_itab(&self, addr: u64) -> Result<Decoded, String> {
        self.checked_itab(addr)?;
        Ok(self.found(addr, &Evaluated::Itab(addr)))
    }

    fn decode_type(&self, addr: u64) -> Result<Decoded, String> {
        let ty = self.descriptor(addr)?;
        Ok(self.found(addr, &Evaluated::Type(ty)))
    }

    /// The code of a function, or a func value: a word that leads to code.
    fn decode_func(&self, addr: u64) -> Result<Decoded, String> {
        if let Some(f) = self.process.image.functions().at(addr) {
            if f.entry() != addr {
                return Err(format!(
                    "{addr:#x} is inside of {} (+{:#x}), not its entry {:#x}",
                    image::names::short(&image::names::unescape(f.name())),
                    addr - f.entry(),
                    f.entry()
                ));
            }
            let callable = Callable {
                entry: Some(addr),
                name: image::names::unescape(f.name()).into(),
                receiver: None,
                interface: None,
                itab: None,
            };
            return Ok(self.found(addr, &Evaluated::Function(callable)));
        }
        let entry = self.process.mem.read_u64(addr).ok().filter(|e| self.function_at(*e).is_some());
        if entry.is_none() {
            return Err(self.instead(addr, "a function, nor a func value"));
        }
        let ty = self.process.plain_func();
        let value = Value::computed(ty, addr.to_le_bytes().to_vec());
        Ok(self.found(addr, &Evaluated::Value(value)))
    }

    fn found(&self, addr: u64, what: &Evaluated) -> Decoded {
        let item = self.evaluated(&format!("{addr:#x}"), what);
        Decoded { item: Item { evaluate_name: None, ..item }, pointee: whereabouts(self.process, addr) }
    }

    /// An itab whose parts agree with each other.
    fn checked_itab(&self, addr: u64) -> Result<Itab, String> {
        let image = self.process.image;
        let not = |why: &str| format!("{}: {why}", self.instead(addr, "an itab"));
        let itab = image
            .itab(addr, self.process.mem)
            .map_err(|_| not("its words don't lead to an interface type and a concrete type"))?;
        let hash = image.runtime_hash(itab.typ, self.process.mem).ok();
        if hash != Some(itab.hash) {
            return Err(not("its hash is not that of the type that it names"));
        }
        for rtype in [itab.inter, itab.typ] {
            self.descriptor(rtype).map_err(|why| not(&why))?;
        }
        let code = itab.fun.iter().all(|f| image.is_text(*f));
        if code { Ok(itab) } else { Err(not("its table leads out of the program's code")) }
    }

    /// The type that a descriptor describes.
    fn descriptor(&self, addr: u64) -> Result<TypeId, String> {
        let image = self.process.image;
        let not = |why: &str| format!("{}: {why}", self.instead(addr, "a type descriptor"));
        let described = image.type_of(TypeId::Runtime(addr), self.process.mem);
        let described = described.map_err(|_| not("its bytes don't describe a type"))?;
        if described.kind == Kind::Invalid || described.name.is_empty() {
            return Err(not("it has no kind or no name"));
        }
        let plausible =
            !described.name.contains(|c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER);
        if !plausible || matches!(&described.shape, Shape::Param { .. }) {
            return Err(not("its name is not that of a type"));
        }
        Ok(image.type_from_runtime(addr))
    }

    fn instead(&self, addr: u64, wanted: &str) -> String {
        format!("{addr:#x} is not {wanted} ({})", whereabouts(self.process, addr).text)
    }
}
