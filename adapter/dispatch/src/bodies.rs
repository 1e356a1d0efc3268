//! The bodies behind an interface's method: for each type that implements it, where the author's code of that method begins.
//!
//! Method sets decide, not itabs: a type whose itab is made later is there from the start. What the program can't know yet (types that
//! reflect makes) comes in through [`Engine::implementation`], one itab at a time. Reads only; arms nothing.

use image::{Image, Itab, Kind, Shape, TypeId};
use machine::Memory;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::api::Body;
use crate::engine::{Engine, World};
use crate::{names, resolve, tables};

/// Interfaces embedded in each other's implementations that are looked at.
const MAX_EMBEDDED: usize = 32;
/// How the reason of a method without code begins.
const REMOVED: &str = "removed by the linker";
/// Levels of embedded structs.
const MAX_DEPTH: usize = 8;

/// An interface type that a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedInterface {
    /// Address of the descriptor.
    pub rtype: u64,
    /// With import paths.
    pub name: String,
}

/// Where a type's method begins.
#[derive(Clone, Debug)]
pub struct Implementation {
    /// Address of the implementing type's descriptor.
    pub rtype: u64,
    /// The type's name, with import paths.
    pub concrete_type: String,
    pub body: Body,
    /// The type has the method from an interface that it embeds: the body is one of that interface's implementations.
    pub embedded: bool,
}

/// All bodies behind a method, and what stays open.
#[derive(Clone, Debug, Default)]
pub struct Implementations {
    pub found: Vec<Implementation>,
    /// Types whose method has no body to be found, with the reason.
    pub unresolved: Vec<(String, String)>,
    /// Types that may implement the interface: the linker removed what would tell.
    pub maybe: usize,
}

/// What one interface's implementers have: bodies of their own, or an embedded interface's.
#[derive(Clone, Default)]
struct Level {
    own: Implementations,
    /// Descriptor and name of the type, descriptor of the embedded interface.
    embedding: Vec<(u64, String, u64)>,
}

/// The bodies that a call through `interface` may reach, through embedded interfaces too, each once.
fn reachable(levels: &FxHashMap<u64, Level>, interface: u64) -> Vec<&Implementation> {
    let mut seen = FxHashSet::default();
    let mut bodies = FxHashSet::default();
    let mut out = Vec::new();
    let mut work = vec![interface];
    while let Some(i) = work.pop() {
        let Some(level) = levels.get(&i).filter(|_| seen.insert(i)) else { continue };
        out.extend(level.own.found.iter().filter(|f| bodies.insert(f.body.stop_pc)));
        work.extend(level.embedding.iter().map(|e| e.2));
    }
    out
}

impl Engine {
    /// The interface types called `name`: in full, or with the package's name; every instance of a generic one unless type arguments
    /// are written. Only those that the program has a descriptor of: others can't be called through.
    pub fn interfaces_named(&self, image: &Image, mem: &dyn Memory, name: &str) -> Vec<NamedInterface> {
        let wanted: String = name.chars().filter(|c| !c.is_whitespace()).collect();
        if wanted.is_empty() {
            return Vec::new();
        }
        let mut out: Vec<(u8, NamedInterface)> = Vec::new();
        for rtype in self.descriptors(image).iter().copied() {
            let Ok(t) = image.type_of(TypeId::Runtime(rtype), mem) else { continue };
            if t.kind != Kind::Interface || !t.named {
                continue;
            }
            if let Some(rank) = rank(&t.name, &wanted) {
                out.push((rank, NamedInterface { rtype, name: t.name.to_string() }));
            }
        }
        let best = out.iter().map(|o| o.0).min();
        let mut out: Vec<NamedInterface> =
            out.into_iter().filter(|o| Some(o.0) == best).map(|o| o.1).collect();
        out.sort_by(|a, b| (&a.name, a.rtype).cmp(&(&b.name, b.rtype)));
        out.dedup();
        out
    }

    /// Names of an interface's methods, in slot order.
    pub fn interface_methods(&self, image: &Image, mem: &dyn Memory, interface: u64) -> Vec<String> {
        match image.type_of(TypeId::Runtime(interface), mem).map(|t| t.shape.clone()) {
            Ok(Shape::Interface { methods: Some(m), .. }) => m.iter().map(|m| m.name.to_string()).collect(),
            _ => Vec::new(),
        }
    }

    /// The bodies of `method` in all types that implement `interface` (address of its descriptor).
    pub fn implementations(
        &self,
        image: &Image,
        mem: &dyn Memory,
        interface: u64,
        method: &str,
    ) -> Result<Implementations, String> {
        let first = self.level(image, mem, interface, method)?;
        Ok(self.with_embedded(image, mem, Some(interface), first, method))
    }

    /// Adds, for the types that have the method from an embedded interface, the bodies of that interface. Each interface is looked at once.
    fn with_embedded(
        &self,
        image: &Image,
        mem: &dyn Memory,
        interface: Option<u64>,
        first: Level,
        method: &str,
    ) -> Implementations {
        let mut levels: FxHashMap<u64, Level> = FxHashMap::default();
        let mut work: Vec<u64> = first.embedding.iter().map(|e| e.2).collect();
        levels.extend(interface.map(|i| (i, first.clone())));
        while let Some(inner) = work.pop() {
            if levels.len() >= MAX_EMBEDDED || levels.contains_key(&inner) {
                continue;
            }
            let level = self.level(image, mem, inner, method).unwrap_or_default();
            work.extend(level.embedding.iter().map(|e| e.2));
            levels.insert(inner, level);
        }
        let mut out = first.own;
        for (rtype, concrete_type, inner) in first.embedding {
            let bodies = reachable(&levels, inner);
            out.found.extend(bodies.into_iter().map(|i| Implementation {
                rtype,
                concrete_type: concrete_type.clone(),
                embedded: true,
                ..i.clone()
            }));
        }
        out
    }

    fn level(&self, image: &Image, mem: &dyn Memory, interface: u64, method: &str) -> Result<Level, String> {
        let mut out = Level::default();
        let slot = self.interface_methods(image, mem, interface).iter().position(|m| m == method);
        let mut itabs: FxHashMap<u64, Itab> = FxHashMap::default();
        let made = tables::all(image, mem).unwrap_or_default();
        for i in self.itabs(image).iter().cloned().chain(made).filter(|i| i.inter == interface && !i.negative)
        {
            itabs.insert(i.typ, i);
        }
        for i in self.implementers(image, mem, TypeId::Runtime(interface), false)? {
            let itab = itabs.get(&i.rtype);
            // Without an itab it is not sure that the program ever takes the type for one.
            if i.maybe && itab.is_none() {
                out.own.maybe += 1;
                continue;
            }
            // What reflect made has its functions nowhere else.
            let called = itab.and_then(|t| t.fun.get(slot?).copied());
            let entry = called.or_else(|| {
                let list = image.methods_of(i.rtype, mem).ok()?;
                list.iter().find(|m| *m.name == *method).and_then(|m| m.ifn.or(m.tfn))
            });
            let name = image
                .type_of(TypeId::Runtime(i.rtype), mem)
                .map_or_else(|_| i.concrete_type.clone(), |t| t.name.to_string());
            match entry {
                Some(entry) => self.add(image, mem, (i.rtype, name, entry), method, &mut out),
                None => self.add_declared(image, mem, (i.rtype, name), method, REMOVED, &mut out.own),
            }
        }
        Ok(out)
    }

    /// The body of `method` for the type of an itab of `interface`, which may be a type that the program has just made.
    pub fn implementation(
        &self,
        image: &Image,
        mem: &dyn Memory,
        itab: &Itab,
        interface: u64,
        method: &str,
    ) -> Implementations {
        let mut out = Level::default();
        if itab.negative || itab.inter != interface {
            return out.own;
        }
        let slot = self.interface_methods(image, mem, interface).iter().position(|m| m == method);
        let name = image
            .type_of(TypeId::Runtime(itab.typ), mem)
            .map_or_else(|_| format!("{:#x}", itab.typ), |t| t.name.to_string());
        if let Some(entry) = slot.and_then(|s| itab.fun.get(s)) {
            self.add(image, mem, (itab.typ, name, *entry), method, &mut out);
        }
        self.with_embedded(image, mem, None, out, method)
    }

    fn add(
        &self,
        image: &Image,
        mem: &dyn Memory,
        (rtype, concrete_type, entry): (u64, String, u64),
        method: &str,
        out: &mut Level,
    ) {
        let read_only = |a: u64| image.is_read_only(a);
        let w = World { engine: self, image, mem, read_only: &read_only };
        let chain = resolve::chain(&w, entry, None);
        if let Some(body) = chain.body {
            out.own.found.push(Implementation { rtype, concrete_type, body, embedded: false });
            return;
        }
        if let Some(inner) = embedded_interface(image, mem, rtype, method) {
            out.embedding.push((rtype, concrete_type, inner));
            return;
        }
        let why = chain.reason.or(chain.will_panic).unwrap_or_else(|| "no body was found".into());
        if why.starts_with(REMOVED) {
            return self.add_declared(image, mem, (rtype, concrete_type), method, &why, &mut out.own);
        }
        out.own.unresolved.push((concrete_type, why));
    }

    /// A method that no interface calls has gone from the tables, but its function may be called directly.
    fn add_declared(
        &self,
        image: &Image,
        mem: &dyn Memory,
        (rtype, concrete_type): (u64, String),
        method: &str,
        why: &str,
        out: &mut Implementations,
    ) {
        let functions = image.functions();
        let found = declared(&concrete_type, method).into_iter().flat_map(|n| functions.by_name(&n));
        let body =
            found.filter(|f| !f.is_wrapper()).find_map(|f| self.resolve(image, mem, f.entry(), None).body);
        match body {
            Some(body) => out.found.push(Implementation { rtype, concrete_type, body, embedded: false }),
            None => out.unresolved.push((concrete_type, why.to_string())),
        }
    }
}

/// Linker names that a method declared for the type may have.
fn declared(concrete_type: &str, method: &str) -> Vec<String> {
    let Some(elem) = concrete_type.strip_prefix('*') else {
        return vec![format!("{concrete_type}.{method}")];
    };
    let pointer = names::parent(elem).map(|p| format!("{p}.(*{}).{method}", names::last(elem)));
    pointer.into_iter().chain([format!("{elem}.{method}")]).collect()
}

/// The interface whose method a struct type has by embedding it, found level by level as Go's selectors are.
fn embedded_interface(image: &Image, mem: &dyn Memory, rtype: u64, method: &str) -> Option<u64> {
    let mut level = vec![TypeId::Runtime(rtype)];
    for _ in 0..MAX_DEPTH {
        let mut next = Vec::new();
        for id in level {
            let mut t = image.type_of(id, mem).ok()?;
            if let Shape::Pointer { elem: Some(elem) } = t.shape {
                t = image.type_of(elem, mem).ok()?;
            }
            let Shape::Struct { fields } = &t.shape else { continue };
            for field in fields.iter().filter(|f| f.embedded) {
                let f = image.type_of(field.ty, mem).ok()?;
                if let Shape::Interface { methods: Some(methods), .. } = &f.shape
                    && methods.iter().any(|m| *m.name == *method)
                {
                    return f.runtime.or(match field.ty {
                        TypeId::Runtime(a) => Some(a),
                        _ => None,
                    });
                }
                next.push(field.ty);
            }
        }
        level = next;
    }
    None
}

/// How well a type's full name fits: 0 in full, 1 with the package's name, 2 without a package.
fn rank(full: &str, wanted: &str) -> Option<u8> {
    let plain = |s: &str| s.chars().filter(|c| *c != ' ').collect::<String>();
    let bare =
        |s: &str| if wanted.contains('[') { plain(s) } else { s.split('[').next().unwrap_or(s).into() };
    let short = image::names::short(full);
    if bare(full) == wanted {
        return Some(0);
    }
    if bare(&short) == wanted {
        return Some(1);
    }
    let head = short.split('[').next().unwrap_or(&short);
    let after = head.find('.').and_then(|dot| short.get(dot + 1..))?;
    (bare(after) == wanted).then_some(2)
}

#[cfg(test)]
mod tests {
    use super::rank;

    #[test]
    fn interfaces_are_named_in_full_or_by_package() {
        assert_eq!(rank("io.Writer", "io.Writer"), Some(0));
        assert_eq!(rank("example.com/a/store.Store", "store.Store"), Some(1));
        assert_eq!(rank("example.com/a/store.Store", "example.com/a/store.Store"), Some(0));
        assert_eq!(rank("example.com/a/store.Store", "Store"), Some(2));
        assert_eq!(rank("error", "error"), Some(0));
        assert_eq!(rank("main.Store[int]", "main.Store"), Some(0));
        assert_eq!(rank("main.Store[int]", "main.Store[int]"), Some(0));
        assert_eq!(rank("main.Store[int]", "main.Store[string]"), None);
        assert_eq!(rank("main.Store[a/b.T]", "main.Store[b.T]"), Some(1));
        assert_eq!(rank("main.Map[string,a/b.T]", "Map"), Some(2));
        assert_eq!(rank("io.Writer", "io.Reader"), None);
    }
}
