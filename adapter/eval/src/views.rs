//! What stands behind an interface value: `[itab]` with its method table, `[type]` with the facts of the concrete type.

use golang::{Dynamic, Interface, Value, interface};
use image::{Itab, Kind, Shape, Type, TypeId};

use crate::viewer::{Viewer, look};
use crate::{Content, Item, ItemKind, ShowItab, View};

/// Methods that a method set lists at most.
const MAX_METHODS: usize = 10_000;

/// The virtual child of an interface value, whatever the setting says; None for nil and for garbage.
pub fn interface_view(view: &View<'_>, v: &Value) -> Option<Item> {
    look(view, |viewer| match interface(viewer.process, v) {
        Interface::Dynamic(d) => Some(viewer.virtual_row(v, &d)),
        _ => None,
    })
}

/// The rows of `[itab]` for the itab at a run-time address; empty if there is none.
pub fn itab_rows(view: &View<'_>, addr: u64) -> Vec<Item> {
    look(view, |viewer| viewer.itab_rows(addr, None))
}

/// The rows of `[type]` for the type descriptor at a run-time address.
pub fn type_rows(view: &View<'_>, rtype: u64) -> Vec<Item> {
    look(view, |viewer| viewer.type_rows(rtype))
}

impl Viewer<'_> {
    pub(crate) fn has_virtual_child(&self, d: &Dynamic) -> bool {
        match self.view.show_itab {
            ShowItab::Always => true,
            ShowItab::Never => false,
            ShowItab::Auto if d.itab.is_some() || d.typed_nil => true,
            ShowItab::Auto => self.worth_a_type_view(d),
        }
    }

    /// Basic and unnamed types without methods say everything in their name.
    fn worth_a_type_view(&self, d: &Dynamic) -> bool {
        let Ok(ty) = self.ty(d.value.ty) else { return true };
        let plain = !ty.named || is_basic(&ty);
        !plain || self.process.image.methods_of(d.rtype, self.process.mem).is_ok_and(|m| !m.is_empty())
    }

    pub(crate) fn virtual_child(&self, v: &Value, d: &Dynamic) -> Option<Item> {
        self.has_virtual_child(d).then(|| self.virtual_row(v, d))
    }

    fn virtual_row(&self, v: &Value, d: &Dynamic) -> Item {
        let concrete = self.short(d.value.ty);
        let data = golang::word(self.process, v, 8).ok();
        let (name, content, what) = match d.itab {
            Some(addr) => {
                let itab = self.process.image.itab(addr, self.process.mem).ok();
                let interface = match &itab {
                    Some(i) => self.short(self.process.image.type_from_runtime(i.inter)),
                    None => self.short(v.ty),
                };
                let count = itab.map_or(0, |i| i.fun.len());
                (
                    "[itab]",
                    Content::Itab(addr, data),
                    format!("{concrete} as {interface}, {}", methods(count)),
                )
            }
            None => {
                let count = self.process.image.methods_of(d.rtype, self.process.mem).map_or(0, |m| m.len());
                ("[type]", Content::Type(d.rtype), format!("{concrete}, {}", methods(count)))
            }
        };
        let text = if d.typed_nil {
            format!("typed nil: == nil is false, the {concrete} in it is nil")
        } else {
            what
        };
        let named = match &content {
            Content::Itab(addr, _) => self.itab_row_count(*addr),
            _ => TYPE_ROWS,
        };
        Item {
            named,
            expandable: true,
            memory_reference: Some(d.itab.unwrap_or(d.rtype)),
            content,
            ..self.fact(name, text, "", None)
        }
    }

    fn itab(&self, addr: u64) -> Option<Itab> {
        self.process.image.itab(addr, self.process.mem).ok()
    }

    pub(crate) fn itab_row_count(&self, addr: u64) -> u64 {
        self.itab(addr).map_or(0, |i| 4 + i.fun.len() as u64)
    }

    fn type_row(&self, name: &str, rtype: u64) -> Item {
        let id = self.process.image.type_from_runtime(rtype);
        let mut row = self.fact(name, self.short(id).to_string(), "", None);
        row.type_name = self.long(id);
        row.memory_reference = Some(rtype);
        row
    }

    /// The concrete type with its method set behind it.
    fn concrete_row(&self, rtype: u64) -> Item {
        let count = self.process.image.methods_of(rtype, self.process.mem).map_or(0, |m| m.len());
        let row = self.type_row("concrete", rtype);
        if count == 0 {
            return row;
        }
        Item { named: count as u64, expandable: true, content: Content::Methods(rtype), ..row }
    }

    fn hash_row(&self, rtype: u64) -> Item {
        let hash = self.process.image.runtime_hash(rtype, self.process.mem);
        let text = hash.map_or_else(|e| format!("(unreadable {e})"), |h| format!("{h} = {h:#x}"));
        self.fact("hash", text, "uint32", None)
    }

    fn address_row(&self, addr: u64) -> Item {
        let mut row = self.fact("address", format!("{addr:#x}"), "uintptr", None);
        row.memory_reference = Some(addr);
        row
    }

    pub(crate) fn itab_rows(&self, addr: u64, data: Option<u64>) -> Vec<Item> {
        let Some(itab) = self.itab(addr) else { return Vec::new() };
        let mut out = vec![
            self.type_row("interface", itab.inter),
            self.concrete_row(itab.typ),
            self.hash_row(itab.typ),
            self.address_row(addr),
        ];
        out.extend(self.slot_rows(&itab, data));
        out
    }

    fn slot_rows(&self, itab: &Itab, data: Option<u64>) -> Vec<Item> {
        let image = self.process.image;
        if let Some(engine) = self.view.dispatch {
            let table = engine.method_table(image, self.process.mem, itab, data);
            if table.len() == itab.fun.len() {
                return table.iter().map(|slot| self.resolved_row(slot)).collect();
            }
        }
        let names = self.method_names(image.type_from_runtime(itab.inter));
        let row = |(i, entry): (usize, &u64)| {
            let name = names.get(i).cloned().unwrap_or_else(|| format!("[{i}]"));
            self.method_row(&name, *entry)
        };
        itab.fun.iter().enumerate().map(row).collect()
    }

    fn method_names(&self, interface: TypeId) -> Vec<String> {
        match self.ty(interface).map(|t| t.shape.clone()) {
            Ok(Shape::Interface { methods: Some(m), .. }) => m.iter().map(|m| m.name.to_string()).collect(),
            _ => Vec::new(),
        }
    }

    /// A slot whose way to the author's body is known.
    fn resolved_row(&self, slot: &dispatch::SlotEntry) -> Item {
        let mut row = self.method_row(&slot.method, slot.entry);
        if slot.removed {
            row.text = "(removed by the linker: nothing calls it)".into();
            row.value_location = None;
            return row;
        }
        if let Some(body) = &slot.chain.body {
            let wrapped = body.inlined || body.entry != slot.entry;
            if wrapped {
                row.text.push_str(&format!(" -> {}", body.name));
            }
            if let (Some(file), Some(line)) = (&body.file, body.line) {
                row.value_location = Some(crate::SourceLocation { file: file.clone(), line });
            }
        }
        row
    }

    fn method_row(&self, name: &str, entry: u64) -> Item {
        let f = self.function_at(entry);
        let text = match f {
            Some(f) if f.name() == "runtime.unreachableMethod" => {
                "(removed by the linker: nothing calls it)".into()
            }
            Some(f) => format!("{} {entry:#x}", self.process.function_display_name(&f, None)),
            None => format!("(no function at {entry:#x})"),
        };
        Item {
            kind: ItemKind::Method,
            memory_reference: Some(entry),
            value_location: self.function_source(entry),
            ..self.fact(name, text, "", None)
        }
    }

    /// What a type of interface kind asks for: names, and signatures where they are known.
    fn wanted_rows(&self, ty: &Type) -> Option<Vec<Item>> {
        let Shape::Interface { methods, .. } = &ty.shape else { return None };
        let row = |m: &image::Imethod| {
            let signature = m.ty.map_or_else(String::new, |t| self.short(t).to_string());
            Item { kind: ItemKind::Method, ..self.fact(&m.name, signature, "", None) }
        };
        Some(methods.iter().flatten().take(MAX_METHODS).map(row).collect())
    }

    /// The method set of a type: what calls through an interface run.
    pub(crate) fn method_rows(&self, rtype: u64) -> Vec<Item> {
        let methods = self.process.image.methods_of(rtype, self.process.mem).unwrap_or_default();
        let row = |m: &image::Method| match m.tfn.or(m.ifn) {
            Some(entry) => self.method_row(&m.name, entry),
            None => Item {
                kind: ItemKind::Method,
                ..self.fact(&m.name, "(removed by the linker: nothing calls it)".into(), "", None)
            },
        };
        methods.iter().take(MAX_METHODS).map(row).collect()
    }

    pub(crate) fn type_rows(&self, rtype: u64) -> Vec<Item> {
        let id = self.process.image.type_from_runtime(rtype);
        let Ok(ty) = self.ty(id) else { return Vec::new() };
        let wanted = self.wanted_rows(&ty);
        let own = || self.process.image.methods_of(rtype, self.process.mem).map_or(0, |m| m.len());
        let count = wanted.as_ref().map_or_else(own, Vec::len);
        let content = wanted.map_or(Content::Methods(rtype), |rows| Content::Rows(rows.into()));
        let package = image::names::package_of(ty.name.trim_start_matches('*'));
        let package = if ty.name.contains('.') { package } else { String::new() };
        let set = self.fact("methods", count.to_string(), "int", None);
        vec![
            self.type_row("concrete", rtype),
            self.fact("kind", kind_name(ty.kind).into(), "", None),
            self.fact("size", ty.size.to_string(), "uintptr", None),
            self.hash_row(rtype),
            self.address_row(rtype),
            self.fact("package", package, "", None),
            if count == 0 { set } else { Item { named: count as u64, expandable: true, content, ..set } },
        ]
    }
}

/// Rows of `[type]`.
const TYPE_ROWS: u64 = 7;

fn methods(count: usize) -> String {
    format!("{count} method{}", if count == 1 { "" } else { "s" })
}

fn is_basic(ty: &Type) -> bool {
    let basic = matches!(ty.kind, Kind::String | Kind::UnsafePointer)
        || (Kind::Bool as u8..=Kind::Complex128 as u8).contains(&(ty.kind as u8));
    basic && !ty.name.contains('.') || &*ty.name == "unsafe.Pointer"
}

/// As reflect.Kind prints it.
fn kind_name(kind: Kind) -> &'static str {
    const NAMES: [&str; 27] = [
        "invalid",
        "bool",
        "int",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "uintptr",
        "float32",
        "float64",
        "complex64",
        "complex128",
        "array",
        "chan",
        "func",
        "interface",
        "map",
        "ptr",
        "slice",
        "string",
        "struct",
        "unsafe.Pointer",
    ];
    NAMES.get(kind as usize).copied().unwrap_or("invalid")
}
