//! Names of types from their descriptors: those of unnamed types are built from their parts, because `Str` has package
//! names where DWARF has import paths, and reflect's own types have none. Must never build a name without bound.

use super::{FLAG_EXTRA_STAR, FLAG_NAMED, Head, NAME_EMBEDDED, NAME_EXPORTED, Result, Rtypes};
use crate::types::{Kind, TypeId};

const MAX_FULL_NAME: usize = 1 << 14;
const MAX_DEPTH: usize = 24;

impl Rtypes<'_> {
    /// Full name with import paths, as DWARF spells it.
    pub(super) fn full_name(&self, addr: u64, depth: usize) -> Result<String> {
        let h = self.head(addr)?;
        if depth > MAX_DEPTH || self.spend(1, addr).is_err() {
            return Ok("...".into());
        }
        if h.flags & FLAG_NAMED != 0 {
            return self.defined_name(&h);
        }
        let elem = |off: u64| self.full_name(self.word(addr.wrapping_add(off))?, depth + 1);
        let name = match h.kind {
            Kind::Pointer => format!("*{}", elem(48)?),
            Kind::Slice => format!("[]{}", elem(48)?),
            Kind::Array => format!("[{}]{}", self.word(addr.wrapping_add(64))?, elem(48)?),
            Kind::Map => format!("map[{}]{}", elem(48)?, elem(56)?),
            Kind::Chan => {
                let inner = elem(48)?;
                match self.word(addr.wrapping_add(56))? & 3 {
                    1 => format!("<-chan {inner}"),
                    2 => format!("chan<- {inner}"),
                    _ if inner.starts_with("<-") => format!("chan ({inner})"),
                    _ => format!("chan {inner}"),
                }
            }
            Kind::Func => format!("func{}", self.signature_name(&h, depth)?),
            Kind::Interface => self.interface_name(&h, depth)?,
            Kind::Struct => self.struct_name(&h, depth)?,
            _ => self.defined_name(&h)?,
        };
        if name.len() > MAX_FULL_NAME { Ok("...".into()) } else { Ok(name) }
    }

    /// Name of a type that has one: `Str` has the package's name where DWARF has its path.
    fn defined_name(&self, h: &Head) -> Result<String> {
        let Some(at) = self.resolve(h.addr, h.str_off) else { return Ok("?".into()) };
        let text = self.name(at)?.text;
        let text =
            if h.flags & FLAG_EXTRA_STAR != 0 { text.strip_prefix('*').unwrap_or(&text) } else { &text };
        let package = match self.uncommon(h) {
            Some(u) => self.resolve(h.addr, self.u32(u)? as i32).and_then(|a| self.name(a).ok()),
            None => None,
        };
        let head = text.split('[').next().unwrap_or(text);
        match (package, head.find('.')) {
            (Some(p), Some(dot)) if !p.text.is_empty() => {
                Ok(format!("{}{}", p.text, text.get(dot..).unwrap_or("")))
            }
            _ => Ok(text.to_string()),
        }
    }

    fn signature_name(&self, h: &Head, depth: usize) -> Result<String> {
        let sig = self.signature(h)?;
        let name = |t: &TypeId| match t {
            TypeId::Runtime(a) => self.full_name(*a, depth + 1),
            _ => Ok("?".into()),
        };
        let mut params = sig.params.iter().map(name).collect::<Result<Vec<_>>>()?;
        if sig.variadic
            && let Some(last) = params.last_mut()
        {
            *last = format!("...{}", last.strip_prefix("[]").unwrap_or(last));
        }
        let results = sig.results.iter().map(name).collect::<Result<Vec<_>>>()?;
        let params = params.join(", ");
        Ok(match results.as_slice() {
            [] => format!("({params})"),
            [one] => format!("({params}) {one}"),
            many => format!("({params}) ({})", many.join(", ")),
        })
    }

    fn interface_name(&self, h: &Head, depth: usize) -> Result<String> {
        let methods = self.interface_methods(h.addr)?;
        if methods.is_empty() {
            return Ok("interface {}".into());
        }
        let mut parts = Vec::new();
        for m in &methods {
            let sig = match m.ty {
                Some(TypeId::Runtime(t)) => self.head(t).and_then(|h| self.signature_name(&h, depth + 1))?,
                _ => "()".into(),
            };
            parts.push(match &m.package {
                Some(p) => format!("{p}.{}{sig}", m.name),
                None => format!("{}{sig}", m.name),
            });
        }
        Ok(format!("interface {{ {} }}", parts.join("; ")))
    }

    fn struct_name(&self, h: &Head, depth: usize) -> Result<String> {
        let (ptr, len) = self.slice(h.addr.wrapping_add(56))?;
        let package = self.name_field(h.addr.wrapping_add(48))?;
        let mut parts = Vec::new();
        for i in 0..len {
            let at = ptr.wrapping_add(i * 24);
            let name = self.name(self.word(at)?)?;
            let ty = self.full_name(self.word(at.wrapping_add(8))?, depth + 1)?;
            let own = name.package.as_deref().or(package.as_deref());
            let mut part = match own.filter(|_| name.flags & NAME_EXPORTED == 0) {
                _ if name.flags & NAME_EMBEDDED != 0 => ty,
                Some(p) => format!("{p}.{} {ty}", name.text),
                None => format!("{} {ty}", name.text),
            };
            if !name.tag.is_empty() {
                part = format!("{part} {:?}", name.tag);
            }
            parts.push(part);
            if parts.iter().map(String::len).sum::<usize>() > MAX_FULL_NAME {
                return Ok("struct {...}".into());
            }
        }
        if parts.is_empty() {
            return Ok("struct {}".into());
        }
        Ok(format!("struct {{ {} }}", parts.join("; ")))
    }
}
