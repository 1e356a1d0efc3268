//! What lives as long as one program: types that have no DIE and no descriptor, interned so that equal types have equal handles.

use std::sync::{Arc, PoisonError, RwLock};

use image::{Image, Type, TypeId};
use rustc_hash::FxHashMap;

use crate::facts::{Facts, FactsCell};

/// Upper bound of made types: an evaluator in a loop must not fill the memory.
const MAX_MADE: usize = 1 << 16;

/// Interner of types made by the evaluator (a pointer to a type that has no DIE, ...). Make one for each program (anew after exec).
#[derive(Default)]
pub struct MadeTypes {
    table: RwLock<Table>,
    facts: FactsCell,
    /// Constants by package; see [`crate::Process::constants_of`].
    pub(crate) constants: RwLock<FxHashMap<Arc<str>, Arc<Constants>>>,
}

/// Named constants of one package: those of each type, by value.
pub(crate) type Constants = FxHashMap<TypeId, Arc<[(String, i128)]>>;

#[derive(Default)]
struct Table {
    types: Vec<Arc<Type>>,
    by_name: FxHashMap<Arc<str>, u32>,
}

impl MadeTypes {
    pub fn new() -> MadeTypes {
        MadeTypes::default()
    }

    /// What is known of the program's runtime; found at the first call, after `Image::set_bias`.
    pub(crate) fn facts(&self, image: &Image) -> &Facts {
        self.facts.get(image)
    }

    /// The type behind `TypeId::Made(index)`.
    pub fn get(&self, index: u32) -> Option<Arc<Type>> {
        self.table.read().unwrap_or_else(PoisonError::into_inner).types.get(index as usize).cloned()
    }

    /// Handle of the made type called `name`; `make` describes it if it is new. None when the table is full.
    pub(crate) fn intern(&self, name: &str, make: impl FnOnce(TypeId) -> Type) -> Option<TypeId> {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(&i) = table.by_name.get(name) {
            return Some(TypeId::Made(i));
        }
        if table.types.len() >= MAX_MADE {
            return None;
        }
        let index = table.types.len() as u32;
        let id = TypeId::Made(index);
        let ty = Arc::new(make(id));
        table.types.push(ty);
        table.by_name.insert(Arc::from(name), index);
        Some(id)
    }
}
