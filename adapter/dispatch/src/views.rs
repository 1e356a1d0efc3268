//! What views ask for: the itab table, implementers of an interface, the method set of a type.

use image::{Image, Itab, Kind, Shape, Type, TypeId};
use machine::Memory;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::api::{Chain, Link, Role};
use crate::engine::{Engine, World};
use crate::{names, resolve, tables, typegraph};

/// One itab of the process.
#[derive(Clone, Debug)]
pub struct ItabRow {
    pub itab: Itab,
    /// With package names.
    pub interface_type: String,
    pub concrete_type: String,
    /// In the binary; false: made at run time.
    pub is_static: bool,
}

/// All itabs, and why there may be more.
#[derive(Clone, Debug, Default)]
pub struct ItabTable {
    pub rows: Vec<ItabRow>,
    pub incomplete: Option<String>,
}

/// Why a type misses an interface by one method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Miss {
    Absent,
    /// Only the pointer type has it.
    PointerReceiver,
    /// Same name, other parameters or results.
    Signature,
    /// An unexported method of another package.
    Package,
}

impl Miss {
    /// As docs/PROTOCOL.md spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Miss::Absent => "absent",
            Miss::PointerReceiver => "pointer receiver",
            Miss::Signature => "signature",
            Miss::Package => "package",
        }
    }

    /// In a sentence; `method` is the one that is missing in `concrete`.
    pub fn explain(self, concrete: &str, method: &str) -> Option<String> {
        match self {
            Miss::Absent => None,
            Miss::PointerReceiver => Some(format!("*{concrete} has it: its receiver is a pointer")),
            Miss::Signature => Some(format!("its {method} has other parameters or results")),
            Miss::Package => Some(format!("its {method} is unexported in another package")),
        }
    }
}

/// A type that implements an interface, or nearly.
#[derive(Clone, Debug)]
pub struct Implementer {
    /// Address of the descriptor.
    pub rtype: u64,
    pub concrete_type: String,
    pub pointer: bool,
    pub package: String,
    pub has_itab: bool,
    /// The linker removed a method's type: it can't be compared.
    pub maybe: bool,
    pub missing: Option<(String, Miss)>,
}

/// One method of a type's method set.
#[derive(Clone, Debug)]
pub struct MethodRow {
    pub name: String,
    pub exported: bool,
    /// Index in the interface's methods, for an interface type.
    pub slot: Option<u16>,
    pub pointer_receiver: bool,
    /// What an interface calls is a wrapper.
    pub wrapper: bool,
    /// The embedded type that declares it.
    pub promoted_from: Option<String>,
    pub link: Option<Link>,
    pub removed: bool,
    pub chain: Chain,
}

fn short(t: &Type) -> String {
    image::names::short(&t.name)
}

impl Engine {
    /// All itabs of the process (runtime.itabTable), else those in the file.
    pub fn itab_table(&self, image: &Image, mem: &dyn Memory) -> ItabTable {
        let (itabs, incomplete) = match tables::all(image, mem) {
            Some(v) if !v.is_empty() => (v, None),
            _ => (
                self.itabs(image).iter().cloned().collect(),
                Some("the runtime's itab table is not readable yet: only the itabs in the file".to_string()),
            ),
        };
        let name = |t: u64| {
            image.type_of(image.type_from_runtime(t), mem).map_or_else(|_| format!("{t:#x}"), |t| short(&t))
        };
        let mut rows: Vec<ItabRow> = itabs
            .into_iter()
            .map(|itab| ItabRow {
                interface_type: name(itab.inter),
                concrete_type: name(itab.typ),
                is_static: self.itabs(image).get(itab.addr).is_some(),
                itab,
            })
            .collect();
        rows.sort_by(|a, b| {
            (&a.interface_type, &a.concrete_type, a.itab.addr).cmp(&(
                &b.interface_type,
                &b.concrete_type,
                b.itab.addr,
            ))
        });
        ItabTable { rows, incomplete }
    }

    /// Handles of all types with this name, full (`example.com/x.T`) or short (`x.T`): those that debug information lacks too.
    pub fn types_named(&self, image: &Image, mem: &dyn Memory, name: &str) -> Vec<TypeId> {
        let made = tables::all(image, mem).unwrap_or_default();
        let named = |t: &u64| {
            let ty = image.type_of(TypeId::Runtime(*t), mem).ok()?;
            (*ty.name == *name || short(&ty) == name).then(|| image.type_from_runtime(*t))
        };
        typegraph::all(self, image, mem, &made).iter().filter_map(named).collect()
    }

    /// Types whose method sets have all methods of `interface`; with `near` also those that miss one.
    pub fn implementers(
        &self,
        image: &Image,
        mem: &dyn Memory,
        interface: TypeId,
        near: bool,
    ) -> Result<Vec<Implementer>, String> {
        let ty = image.type_of(interface, mem).map_err(|e| e.to_string())?;
        let Shape::Interface { methods, .. } = &ty.shape else {
            return Err(format!("{} is not an interface type", short(&ty)));
        };
        let Some(wanted) = methods else {
            return Err(format!(
                "{}: the program has no description of its methods (the linker removed it)",
                short(&ty)
            ));
        };
        if wanted.is_empty() {
            return Err(format!("{} has no methods: every type implements it", short(&ty)));
        }
        let itabs = tables::all(image, mem).unwrap_or_default();
        let inter = ty.runtime;
        let with_itab: FxHashSet<u64> =
            itabs.iter().filter(|i| Some(i.inter) == inter && !i.negative).map(|i| i.typ).collect();
        let mut out = Vec::new();
        let types = typegraph::all(self, image, mem, &itabs);
        let mut sets = MethodSets { image, mem, sets: FxHashMap::default() };
        for t in types {
            let Ok(concrete) = image.type_of(TypeId::Runtime(t), mem) else { continue };
            if concrete.kind == Kind::Interface {
                continue;
            }
            let Some((maybe, missing)) = sets.compare(t, wanted) else { continue };
            if missing.is_some() && !near {
                continue;
            }
            let name = short(&concrete);
            out.push(Implementer {
                rtype: t,
                pointer: name.starts_with('*'),
                package: image::names::package_of(concrete.name.trim_start_matches('*')),
                concrete_type: name,
                has_itab: with_itab.contains(&t),
                maybe,
                missing,
            });
        }
        out.sort_by(|a, b| {
            (a.missing.is_some(), &a.concrete_type).cmp(&(b.missing.is_some(), &b.concrete_type))
        });
        Ok(out)
    }

    /// The method set of a type: an interface's in slot order, a concrete type's as its descriptor has it.
    pub fn methods(&self, image: &Image, mem: &dyn Memory, ty: TypeId) -> Result<Vec<MethodRow>, String> {
        let t = image.type_of(ty, mem).map_err(|e| e.to_string())?;
        if let Shape::Interface { methods, .. } = &t.shape {
            let methods = methods.as_deref().unwrap_or_default();
            return Ok(methods
                .iter()
                .enumerate()
                .map(|(i, m)| MethodRow {
                    name: m.name.to_string(),
                    exported: exported(&m.name),
                    slot: u16::try_from(i).ok(),
                    pointer_receiver: false,
                    wrapper: false,
                    promoted_from: None,
                    link: None,
                    removed: false,
                    chain: Chain::default(),
                })
                .collect());
        }
        let rtype = t.runtime.or(match ty {
            TypeId::Runtime(a) => Some(a),
            _ => None,
        });
        let Some(rtype) = rtype else {
            return Err(format!(
                "{} has no type descriptor in the program: nothing converts it to an interface",
                short(&t)
            ));
        };
        let read_only = |a: u64| image.is_read_only(a);
        let w = World { engine: self, image, mem, read_only: &read_only };
        let list = image.methods_of(rtype, mem).map_err(|e| e.to_string())?;
        Ok(list.iter().take(10_000).map(|m| method_row(&w, &t, m)).collect())
    }
}

fn exported(name: &str) -> bool {
    name.chars().next().is_some_and(char::is_uppercase)
}

fn method_row(w: &World<'_>, t: &Type, m: &image::Method) -> MethodRow {
    let entry = m.tfn.or(m.ifn);
    let chain = entry.map(|e| resolve::chain(w, e, None)).unwrap_or_default();
    let wrapper = m.ifn.or(m.tfn).and_then(|e| w.image.functions().at(e)).is_some_and(|f| f.is_wrapper());
    let body = chain.body.as_ref().map(|b| image::names::unescape(&b.qualified_name));
    let receiver = body.as_deref().and_then(names::receiver);
    let own = t.name.trim_start_matches('*');
    let promoted_from = receiver
        .as_ref()
        .filter(|(r, _)| !chain.body.as_ref().is_some_and(|b| b.folded) && !same_type(r, own))
        .map(|(r, p)| {
            if *p {
                format!("*{}", crate::names::display(w.image, r))
            } else {
                crate::names::display(w.image, r)
            }
        });
    let link = chain.links.iter().rev().find(|l| l.role == Role::Body).or(chain.links.last()).cloned();
    MethodRow {
        name: m.name.to_string(),
        exported: exported(&m.name),
        slot: None,
        pointer_receiver: receiver.as_ref().is_some_and(|r| r.1),
        wrapper,
        promoted_from,
        link,
        removed: entry.is_none()
            || chain.reason.as_deref().is_some_and(|r| r.starts_with("removed by the linker")),
        chain,
    }
}

/// The receiver's type is the type itself; instances of one generic type share their bodies.
fn same_type(receiver: &str, own: &str) -> bool {
    let base = |s: &str| s.split('[').next().unwrap_or(s).to_string();
    receiver == own || (receiver.contains("go.shape.") && base(receiver) == base(own))
}

/// How a method of an interface is met.
enum Fit {
    Has,
    /// The linker removed a type: it can't be compared.
    Maybe,
    Misses(Miss),
}

impl Engine {
    /// The first method of an interface (by descriptor) that a concrete type lacks, and why; None: it lacks none, or nothing is known.
    pub fn missing_method(
        &self,
        image: &Image,
        mem: &dyn Memory,
        typ: u64,
        inter: u64,
    ) -> Option<(String, Miss)> {
        missing_method(image, mem, typ, inter).ok().flatten()
    }
}

/// The first method of an interface (by descriptor) that a concrete type lacks, and why; `None`: it has all of them. `Err`: a
/// method can't be compared, so nothing is known.
pub(crate) fn missing_method(
    image: &Image,
    mem: &dyn Memory,
    typ: u64,
    inter: u64,
) -> Result<Option<(String, Miss)>, ()> {
    let ty = image.type_of(image.type_from_runtime(inter), mem).map_err(|_| ())?;
    let Shape::Interface { methods: Some(wanted), .. } = &ty.shape else { return Err(()) };
    let mut sets = MethodSets { image, mem, sets: FxHashMap::default() };
    match sets.first_missing(typ, wanted) {
        (_, Some(missing)) => Ok(Some(missing)),
        (true, None) => Err(()),
        (false, None) => Ok(None),
    }
}

/// Method sets by descriptor, read once.
struct MethodSets<'a> {
    image: &'a Image,
    mem: &'a dyn Memory,
    sets: FxHashMap<u64, std::rc::Rc<Vec<image::Method>>>,
}

impl MethodSets<'_> {
    fn of(&mut self, t: u64) -> std::rc::Rc<Vec<image::Method>> {
        let (image, mem) = (self.image, self.mem);
        self.sets.entry(t).or_insert_with(|| image.methods_of(t, mem).unwrap_or_default().into()).clone()
    }

    /// None: more than one method is missing. (a method could not be compared, the one that is missing)
    fn compare(&mut self, t: u64, wanted: &[image::Imethod]) -> Option<(bool, Option<(String, Miss)>)> {
        let have = self.of(t);
        if have.is_empty() {
            return None;
        }
        let mut maybe = false;
        let mut missing = None;
        for w in wanted {
            let why = match self.why_missing(t, &have, w) {
                Fit::Has => continue,
                Fit::Maybe => {
                    maybe = true;
                    continue;
                }
                Fit::Misses(why) => why,
            };
            if missing.is_some() {
                return None;
            }
            missing = Some((w.name.to_string(), why));
        }
        // A type that shares nothing with a one-method interface is not near.
        if let Some((_, Miss::Absent)) = &missing
            && wanted.len() == 1
        {
            return None;
        }
        Some((maybe, missing))
    }

    /// The first method that a type lacks, and why. The flag: a method could not be compared.
    fn first_missing(&mut self, t: u64, wanted: &[image::Imethod]) -> (bool, Option<(String, Miss)>) {
        let have = self.of(t);
        let mut maybe = false;
        for w in wanted {
            match self.why_missing(t, &have, w) {
                Fit::Has => {}
                Fit::Maybe => maybe = true,
                Fit::Misses(why) => return (maybe, Some((w.name.to_string(), why))),
            }
        }
        (maybe, None)
    }

    fn why_missing(&mut self, t: u64, have: &[image::Method], w: &image::Imethod) -> Fit {
        let named: Vec<&image::Method> = have.iter().filter(|m| m.name == w.name).collect();
        let right = named.iter().find(|m| exported(&w.name) || m.package == w.package || m.package.is_none());
        match right {
            Some(m) => match (self.descriptor(m.ty), self.descriptor(w.ty)) {
                (Some(a), Some(b)) if a == b => Fit::Has,
                (Some(_), Some(_)) => Fit::Misses(Miss::Signature),
                _ => Fit::Maybe,
            },
            None if !named.is_empty() => Fit::Misses(Miss::Package),
            None => Fit::Misses(self.why_absent(t, &w.name)),
        }
    }

    fn descriptor(&self, t: Option<TypeId>) -> Option<u64> {
        match t? {
            TypeId::Runtime(a) => Some(a),
            other => self.image.type_of(other, self.mem).ok()?.runtime,
        }
    }

    /// The pointer type may have the method.
    fn why_absent(&mut self, t: u64, name: &str) -> Miss {
        let Some(p) = self.pointer(t) else { return Miss::Absent };
        if self.of(p).iter().any(|m| &*m.name == name) { Miss::PointerReceiver } else { Miss::Absent }
    }

    fn pointer(&self, t: u64) -> Option<u64> {
        let ty = self.image.type_of(TypeId::Runtime(t), self.mem).ok()?;
        if ty.kind == Kind::Pointer {
            return None;
        }
        let from_dwarf = self.image.find_type(&format!("*{}", ty.name));
        let id = from_dwarf.and_then(|id| self.image.type_of(id, self.mem).ok()?.runtime);
        id.or_else(|| typegraph::pointer_to(self.image, self.mem, t))
    }
}

/// The functions that an itab of (interface, type) has, in slot order; `None` inside: the type doesn't implement the interface.
/// `None`: that is not sure.
pub(crate) fn functions_for(
    image: &Image,
    mem: &dyn Memory,
    typ: u64,
    interface: u64,
) -> Option<Option<Vec<u64>>> {
    if missing_method(image, mem, typ, interface).ok()?.is_some() {
        return Some(None);
    }
    let ty = image.type_of(TypeId::Runtime(interface), mem).ok()?;
    let Shape::Interface { methods: Some(wanted), .. } = &ty.shape else { return None };
    let have = image.methods_of(typ, mem).ok()?;
    let function = |w: &image::Imethod| {
        let fits = |m: &&image::Method| {
            m.name == w.name && (exported(&w.name) || m.package == w.package || m.package.is_none())
        };
        have.iter().find(fits)?.ifn
    };
    wanted.iter().map(function).collect::<Option<Vec<u64>>>().map(Some)
}
