//! Named constants of a type, for values that are shown by name; read once for each package.

use std::sync::{Arc, PoisonError};

use image::TypeId;
use rustc_hash::FxHashMap;

use crate::Process;
use crate::made::Constants;

impl Process<'_> {
    /// Constants declared with exactly this type in its package: full name, value; sorted by value, as declared where equal.
    pub fn constants_of(&self, ty: TypeId) -> Arc<[(String, i128)]> {
        let none = || Arc::from(Vec::new());
        let (TypeId::Dwarf(_), Ok(described)) = (ty, self.type_of(ty)) else { return none() };
        let package = image::names::package_of(&described.name);
        let all = &self.made.constants;
        let known = all.read().unwrap_or_else(PoisonError::into_inner).get(package.as_str()).cloned();
        let known = known.unwrap_or_else(|| {
            let read = Arc::new(self.read_constants(&package));
            all.write().unwrap_or_else(PoisonError::into_inner).insert(package.into(), Arc::clone(&read));
            read
        });
        known.get(&ty).map_or_else(none, Arc::clone)
    }

    fn read_constants(&self, package: &str) -> Constants {
        let mut by_type: FxHashMap<TypeId, Vec<(String, i128)>> = FxHashMap::default();
        for (name, value, ty) in self.image.package_constants(package) {
            if let Some(ty) = ty {
                by_type.entry(ty).or_default().push((name, value));
            }
        }
        let sorted = |(ty, mut all): (TypeId, Vec<(String, i128)>)| {
            all.sort_by_key(|(_, value)| *value);
            (ty, Arc::from(all))
        };
        by_type.into_iter().map(sorted).collect()
    }
}
