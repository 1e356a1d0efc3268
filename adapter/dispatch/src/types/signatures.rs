//! Parameters and results of functions with their places, and the indexes that stand in for debug information. Made once per image.

use image::{FuncId, Image, TypeId};
use rustc_hash::FxHashMap;

use crate::abi::{self, Place};
use crate::engine::Engine;

/// Facts shared by all functions of an image.
#[derive(Default)]
pub(crate) struct Shared {
    signatures: std::sync::Mutex<FxHashMap<u32, Option<std::sync::Arc<Signature>>>>,
    methods: std::sync::OnceLock<crate::stripped::MethodTable>,
    callers: std::sync::OnceLock<FxHashMap<u64, Vec<u64>>>,
    names: std::sync::OnceLock<FxHashMap<String, TypeId>>,
}

/// Parameters and results of a function with their places.
pub(crate) struct Signature {
    pub(crate) params: Vec<abi::Assigned>,
    pub(crate) results: Vec<abi::Assigned>,
    /// Register of the dictionary parameter.
    pub(crate) dictionary: Option<usize>,
}

impl Engine {
    /// Parameters and results of a function with their places, from DWARF.
    pub(crate) fn signature(&self, image: &Image, id: FuncId) -> Option<std::sync::Arc<Signature>> {
        let kept = || self.shared.signatures.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(s) = kept().get(&id.0) {
            return s.clone();
        }
        let described = make_signature(image, id);
        let made = match described {
            None if !image.has_dwarf() => {
                image.functions().get(id).and_then(|f| crate::stripped::signature(self, image, f))
            }
            d => d,
        };
        let made = made.map(std::sync::Arc::new);
        kept().insert(id.0, made.clone());
        made
    }

    pub(crate) fn methods_by_code(&self, image: &Image) -> &crate::stripped::MethodTable {
        self.shared.methods.get_or_init(|| crate::stripped::method_table(self, image))
    }

    /// A named type by its full name, from DWARF or among the descriptors that can be found.
    pub(crate) fn named_type(&self, image: &Image, name: &str) -> Option<TypeId> {
        if image.has_dwarf() {
            return image.find_type(name);
        }
        let names = self.shared.names.get_or_init(|| crate::stripped::type_names(self, image));
        names.get(name).copied()
    }

    pub(crate) fn callers(&self, image: &Image) -> &FxHashMap<u64, Vec<u64>> {
        self.shared.callers.get_or_init(|| crate::stripped::callers(image))
    }
}

fn make_signature(image: &Image, id: FuncId) -> Option<Signature> {
    let f = image.functions().get(id)?;
    let list = image.signature(id)?;
    let shaped = f.name().contains("[go.shape.") && !crate::names::is_closure(f.name());
    let described = list.iter().any(|(n, ..)| n == ".dict");
    let method = crate::names::receiver(f.name()).is_some();
    // The dictionary comes after the receiver; in registers it counts as one integer word.
    let mut params: Vec<TypeId> = Vec::new();
    let mut at = None;
    let word = image.find_type("uintptr").or_else(|| image.find_type("int"));
    for (i, (name, ty, _)) in list.iter().filter(|p| !p.2).enumerate() {
        if shaped && !described && i == usize::from(method) {
            at = Some(params.len());
            params.push(word?);
        }
        if name == ".dict" {
            at = Some(params.len());
        }
        params.push(*ty);
    }
    if shaped && !described && at.is_none() && params.len() == usize::from(method) {
        at = Some(params.len());
        params.push(word?);
    }
    let (assigned, stack) = abi::assign(image, &params, 0);
    let results: Vec<TypeId> = list.iter().filter(|p| p.2).map(|p| p.1).collect();
    let (results, _) = abi::assign(image, &results, stack);
    let dictionary = at.and_then(|n| {
        let before = params.get(..n)?;
        let (a, _) = abi::assign(image, before, 0);
        Some(a.iter().filter(|x| matches!(x.place, Place::Int(_))).count())
    });
    Some(Signature { params: assigned, results, dictionary })
}
