//! The two indexes over Go's type DIEs: by name and by runtime descriptor. Built once, when first asked.
//! Must never answer by hash alone: names are compared.

use gimli::constants as dw;
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHasher};

use super::Dwarf;
use super::die::{self, GO_KIND, GO_RUNTIME_TYPE, is_type, number};
use super::units::Unit;
use crate::names;

/// (hash or attribute, DIE).
type Pairs = Vec<(u64, u64)>;

/// All Go type DIEs of the program, which the linker puts into one unit named `runtime`.
#[derive(Default)]
pub(crate) struct TypeIndex {
    /// (hash of the plain name, DIE), sorted.
    by_name: Vec<(u64, u64)>,
    /// (hash of the short name, DIE), sorted.
    by_short: std::sync::OnceLock<Vec<(u64, u64)>>,
    /// DW_AT_go_runtime_type -> DIE.
    by_runtime: FxHashMap<u64, u64>,
}

fn hash(name: &str) -> u64 {
    use std::hash::Hasher;
    let mut h = FxHasher::default();
    h.write(name.as_bytes());
    h.finish()
}

fn hash_plain(name: &str) -> u64 {
    if name.contains('%') { hash(&names::unescape(name)) } else { hash(name) }
}

fn lookup(index: &[(u64, u64)], key: u64) -> impl Iterator<Item = u64> {
    let from = index.partition_point(|e| e.0 < key);
    index.get(from..).unwrap_or(&[]).iter().take_while(move |e| e.0 == key).map(|e| e.1)
}

impl Dwarf {
    pub(crate) fn type_index(&self) -> &TypeIndex {
        self.types.get_or_init(|| {
            let units: Vec<&Unit> = self.units.iter().filter(|u| u.is_go && u.name == "runtime").collect();
            let parts: Vec<_> = units.par_iter().map(|u| self.index_types(u)).collect();
            let mut out = TypeIndex::default();
            for (names, runtime) in parts {
                out.by_name.extend(names);
                out.by_runtime.extend(runtime);
            }
            out.by_name.sort_unstable();
            out
        })
    }

    /// Names and descriptors of the types that a unit declares.
    fn index_types(&self, unit: &Unit) -> (Pairs, Pairs) {
        let (mut names, mut runtime) = (Vec::new(), Vec::new());
        if !self.declares_types(unit) {
            return (names, runtime);
        }
        self.top_level(unit, &mut is_type, &mut |e| {
            // The typedef that repeats the name of a type has no kind; the type itself is what is looked up.
            if e.tag == dw::DW_TAG_typedef && number(e, GO_KIND).is_none() {
                return true;
            }
            let Some(at) = die::offset(&unit.inner, e) else { return true };
            if let Some(n) = die::name(&self.inner, &unit.inner, e) {
                names.push((hash_plain(n), at));
            }
            if let Some(r) = number(e, GO_RUNTIME_TYPE).filter(|r| *r != 0) {
                runtime.push((r, at));
            }
            true
        });
        (names, runtime)
    }

    /// Whether types are among the unit's first declarations: the package's own units have functions only.
    fn declares_types(&self, unit: &Unit) -> bool {
        let (mut seen, mut found) = (0, false);
        self.top_level(unit, &mut |_| true, &mut |e| {
            seen += 1;
            found = is_type(e.tag);
            !found && seen < 64
        });
        found
    }

    /// The type with exactly this name (escapes undone on both sides).
    pub(crate) fn find_type(&self, name: &str) -> Option<u64> {
        let plain = names::unescape(name);
        lookup(&self.type_index().by_name, hash(&plain))
            .find(|at| self.type_name(*at).is_some_and(|n| names::unescape(n) == plain))
    }

    /// Full names of all types that have one, sorted.
    pub(crate) fn type_names(&self) -> Vec<String> {
        let name = |e: &(u64, u64)| self.type_name(e.1).map(names::unescape).filter(|n| !n.is_empty());
        let mut all: Vec<String> =
            self.type_index().by_name.par_iter().filter_map(name).map(Into::into).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Types whose short name is `name`.
    pub(crate) fn find_types_short(&self, name: &str) -> Vec<u64> {
        let index = self.type_index();
        let short = index.by_short.get_or_init(|| {
            let one = |e: &(u64, u64)| Some((hash(&names::short(self.type_name(e.1)?)), e.1));
            let mut all: Vec<_> = index.by_name.par_iter().filter_map(one).collect();
            all.sort_unstable();
            all
        });
        lookup(short, hash(name))
            .filter(|at| self.type_name(*at).is_some_and(|n| names::short(n) == name))
            .collect()
    }

    /// The DIE whose DW_AT_go_runtime_type is `offset`.
    pub(crate) fn type_of_runtime(&self, offset: u64) -> Option<u64> {
        self.type_index().by_runtime.get(&offset).copied()
    }
}
