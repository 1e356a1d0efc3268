//! One look at values: the process behind a budget, and names that are shortened once.

use std::cell::RefCell;
use std::sync::Arc;

use golang::{Process, Value, underlying};
use image::{Function, Type, TypeId};
use machine::MemError;
use rustc_hash::FxHashMap;

use crate::metered::Metered;
use crate::{SourceLocation, View};

/// Makes the viewer of one request; it ends with the request.
pub(crate) fn look<R>(view: &View<'_>, f: impl FnOnce(&Viewer<'_>) -> R) -> R {
    let mem = Metered::new(view.process.mem, view.budget);
    let process = Process { mem: &mem, ..*view.process };
    f(&Viewer { view, process: &process, mem: &mem, names: RefCell::default() })
}

pub(crate) struct Viewer<'a> {
    pub(crate) view: &'a View<'a>,
    /// The view's process, reading through the budget.
    pub(crate) process: &'a Process<'a>,
    pub(crate) mem: &'a Metered<'a>,
    names: RefCell<FxHashMap<TypeId, Arc<str>>>,
}

impl Viewer<'_> {
    pub(crate) fn ty(&self, id: TypeId) -> Result<Arc<Type>, MemError> {
        underlying(self.process, id)
    }

    /// With package names, as values show it.
    pub(crate) fn short(&self, id: TypeId) -> Arc<str> {
        if let Some(name) = self.names.borrow().get(&id) {
            return Arc::clone(name);
        }
        let name = self.process.display_name(self.spoken(id));
        // What is left of a type argument when the dictionary is lost: `main.Cell[T?]`.
        let shaped = name.contains("[go.shape.");
        let name: Arc<str> =
            if shaped { self.process.symbol_display_name(&name, None).into() } else { name.into() };
        self.names.borrow_mut().insert(id, Arc::clone(&name));
        name
    }

    /// With import paths, as the `type` of a row shows it.
    pub(crate) fn long(&self, id: TypeId) -> String {
        self.process.qualified_name(self.spoken(id))
    }

    /// A type parameter whose dictionary is lost goes by the name of its shape.
    fn spoken(&self, id: TypeId) -> TypeId {
        match self.process.type_of(id).map(|t| t.shape.clone()) {
            Ok(image::Shape::Param { under, .. }) => under,
            _ => id,
        }
    }

    /// The type as an expression can name it: short where that is unambiguous, else quoted with its import path. None when an
    /// expression can't name it at all.
    pub(crate) fn expression_type(&self, id: TypeId) -> Option<String> {
        // A type that only its descriptor describes is not found by its name.
        if matches!(id, TypeId::Runtime(_)) {
            return None;
        }
        let long = self.long(id);
        // Types declared in functions, and types of closures, have no name that could be written.
        if long.contains(['·', '?', '{', ' ', '"', '\\']) {
            return None;
        }
        let short = self.short(id);
        if *short == *long {
            return Some(long);
        }
        let base = long.trim_start_matches(['*', '[', ']']);
        let unique = self.process.image.find_types_short(&image::names::short(base)).len() == 1;
        let plain = !base.contains('[') && unique;
        Some(if plain { short.to_string() } else { format!("\"{long}\"") })
    }

    pub(crate) fn function_at(&self, entry: u64) -> Option<Function<'_>> {
        self.process.image.functions().at(entry).filter(|f| f.entry() == entry)
    }

    pub(crate) fn function_source(&self, entry: u64) -> Option<SourceLocation> {
        let f = self.function_at(entry)?;
        let file = f.file();
        (f.start_line() > 0 && !file.starts_with('<')).then(|| SourceLocation { file, line: f.start_line() })
    }

    /// The value's first word, where that is a pointer that leads to what a user wants to see in memory.
    pub(crate) fn word(&self, v: &Value) -> Option<u64> {
        golang::word(self.process, v, 0).ok()
    }
}
